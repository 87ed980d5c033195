"""Reads and writes TRC marker files (OpenSim, Pose2Sim, Cortex): tab-separated 3-D positions, names, rate and unit.

A layout given as an option selects its joints by marker name. Written files are in millimetres, one marker per joint,
with the axes unchanged (OpenSim expects y up).
"""

from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, read_text
from motionhub.data.formats.format import Format, ReadOptions, checked_size, layout_of_names
from motionhub.data.formats.writing import Writer, check_body_in_metres
from motionhub.skeletons.sequence import SkeletonSequence


_UNITS = {"m": "metre", "cm": "centimetre", "mm": "millimetre"}
_HEADER_LINES = 5


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One person, `(1, frames, markers, 3)` metres. An empty or nan cell is a missing marker."""
    lines = [line.rstrip("\r").split("\t") for line in read_text(path).split("\n")]
    if len(lines) < _HEADER_LINES + 1:
        raise bad_file(path, f"line {len(lines)}", "the file ends inside its header; it is cut off.")
    facts = {key.strip(): value.strip() for key, value in zip(lines[1], lines[2], strict=False)}
    rate, markers = _positive(path, facts, "DataRate"), int(_positive(path, facts, "NumMarkers"))
    length = int(_positive(path, facts, "NumFrames"))
    unit = _UNITS.get(facts.get("Units", "").lower())
    if unit is None:
        raise bad_file(path, "line 3", f"expected Units {list(_UNITS)}, got {facts.get('Units', '')[:20]!r}.")
    names = [name.strip() for name in lines[3][2:] if name.strip()]
    if len(names) != markers:
        raise bad_file(path, "line 4", f"expected {markers} marker names, got {len(names)}.")
    rows = [(number, row) for number, row in enumerate(lines[_HEADER_LINES:], _HEADER_LINES + 1) if any(row)]
    if len(rows) != length:
        raise bad_file(path, f"line {len(lines)}", f"expected {length} frames, got {len(rows)}; is it cut off?")
    checked_size(path, length, markers, 3)
    points = np.stack([_points(path, number, row, markers) for number, row in rows])
    layout, order = layout_of_names(path, names, options)
    return [options.sequence(path, points[:, order], layout, fps=rate, unit=options.unit_of(path, unit))]


def _positive(path: Path, facts: dict[str, str], key: str) -> float:
    try:
        value = float(facts[key])
    except (KeyError, ValueError):
        value = 0.0
    if not 0 < value < 1e9:
        raise bad_file(path, "line 3", f"expected a positive {key}, got {facts.get(key, 'none')[:20]!r}.")
    return value


def _points(path: Path, line: int, row: list[str], markers: int) -> np.ndarray:
    cells = [cell.strip() for cell in row[2 : 2 + 3 * markers]]
    cells += [""] * (3 * markers - len(cells))  # programs omit empty cells at the end
    if any(cell.strip() for cell in row[2 + 3 * markers :]):
        raise bad_file(path, f"line {line}", f"expected {3 * markers} coordinates, got more.")
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells]).reshape(markers, 3)
    except ValueError as error:
        raise bad_file(path, f"line {line}", f"expected numbers ({error}).") from None


_FACTS = [
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
]


def encode(sequence: SkeletonSequence) -> bytes:
    """Text. Empty cells are a missing joint. Nine digits in millimetres restore every float32."""
    check_body_in_metres(sequence, "TRC")
    rate, length, names = repr(sequence.fps), str(sequence.num_frames), sequence.layout.joints
    facts = [rate, rate, length, str(len(names)), "mm", rate, "1", length]
    axes = [f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", "motionhub.trc"],
        _FACTS,
        facts,
        ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
        ["", "", *axes],
    ]
    # Double precision, so that the factor does not round the positions.
    millimetres = 1000.0 * sequence.keypoints[0].astype(np.float64)
    for frame, values in enumerate(millimetres.reshape(sequence.num_frames, -1).tolist()):
        cells = ["" if np.isnan(value) else f"{value:.9g}" for value in values]
        lines.append([str(frame + 1), f"{frame / sequence.fps:.6f}", *cells])
    return "".join("\t".join(line) + "\n" for line in lines).encode()


FORMAT = Format(
    name="trc",
    title="TRC marker trajectories",
    matches=lambda path, head: head.lstrip().startswith(b"PathFileType"),
    read=read,
    pattern="*.trc",
    container="text",
    signature="text that starts with PathFileType, with DataRate, Units and marker names",
    writer=Writer("trc", "TRC marker trajectories, millimetres", ".trc", encode),
)
