"""Labels of YOLO pose models and datasets (`save_txt=True`): one text file per frame, one line per person.

A line is the class, the box (4 numbers) and x, y (and a confidence or visibility) of each keypoint in fractions of the
image; then, if they were saved, the confidence of the person and the track number. Frames without people have no file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionhub.data.formats.detections import Detection, body_parts, clip_of, frames_of
from motionhub.data.formats.files import bad_file, nan_at_origin, note, read_head, read_text
from motionhub.data.formats.folders import beside, first_files, recordings
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


_BOX = 5  # the class and the box
_FEWEST = 5  # keypoints of a person


@dataclass(frozen=True)
class _Columns:
    """Of a line: the joints, the columns of a joint, and the place of the track number, if there is one."""

    joints: int
    width: int
    track: int | None


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip for each recording in a folder, or the one frame of a file: `(people, frames, joints, 2)`, normalised.

    With `unit="pixel"` and `image_size=` the fractions become pixels. A keypoint at (0, 0), or with visibility 0 of a
    dataset's labels (0, 1, 2), is missing.
    """
    if not path.is_dir():
        if others := beside(path, ".txt"):
            text = f"is one frame; {others} more of this recording lie beside it"
            note(path, "file", f"{text}: give the folder {path.parent}.")
        return [_clip(path, {0: path}, options)]
    return [_clip(path, files, options) for files in recordings(path, ".txt").values()]


def _clip(path: Path, files: dict[int, Path], options: ReadOptions) -> SkeletonSequence:
    lines = [(number, row) for number, file in files.items() for row in _rows(file)]
    lengths = sorted({len(row) for _, row in lines})
    if not lengths or lengths[-1] - lengths[0] > 1:
        raise bad_file(path, "lines", f"expected lines of one length, got {lengths[:8]} numbers.")
    longest = lengths[-1]  # a tracker numbers some people only
    values = np.array([row + [np.nan] * (longest - len(row)) for _, row in lines])
    if len({*values[:, 0]}) > 1:
        note(path, "class", f"people of the classes {sorted({*values[:, 0].astype(int).tolist()})[:8]} are all read.")
    layout = options.layout_of(path, joints=_likely_joints(longest))
    columns = _columns(path, layout, values)
    points, scores = _keypoints(values[:, _BOX : _BOX + columns.joints * columns.width], columns)
    unit = options.unit_of(path, assumed="normalised")
    size = options.image_size_of(path)
    if unit == "pixel":
        if size is None:
            raise bad_file(
                path, "image_size", "labels are fractions of the image; give image_size=(width, height) too."
            )
        points = points * np.array(size)
    tracks = None
    if columns.track is not None:
        tracks = [None if np.isnan(track) else int(track) for track in values[:, columns.track].tolist()]
    people = [
        Detection(points[row], None if scores is None else scores[row], None if tracks is None else tracks[row])
        for row in range(len(values))
    ]
    frames = frames_of(path, list(files), [number for number, _ in lines], body_parts(layout, people))
    return clip_of(path, frames, options, layout, unit=unit, up="-y")


def _rows(file: Path) -> list[list[float]]:
    if not file.stat().st_size:  # a frame without people
        return []
    rows = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            raise bad_file(file, f"line {number}", f"expected numbers, got {line[:40]!r}.") from None
        if row and (len(row) < _BOX + 2 * _FEWEST or not abs(row[0]) < 1e6):
            raise bad_file(file, f"line {number}", f"expected a class, a box and keypoints, got {len(row)} numbers.")
        if row:
            rows.append(row)
    return rows


def _likely_joints(length: int) -> int:
    """Of lines of that length, for the error."""
    return next((length - _BOX - more) // 3 for more in (0, 1, 2) if (length - _BOX - more) % 3 == 0)


def _columns(path: Path, layout: SkeletonLayout, values: np.ndarray) -> _Columns:
    length = values.shape[1]
    for joints in (layout.num_file_joints or layout.num_joints, layout.num_joints):
        for width in (3, 2):
            more = length - _BOX - joints * width
            if 0 <= more <= 2:
                return _Columns(joints, width, length - 1 if more and _are_numbers(values[:, -1], more) else None)
    expected = f"{_BOX} + 3 or 2 x {layout.num_joints} joints of layout {layout.name!r}, and at most 2 more"
    raise bad_file(path, "lines", f"expected {expected}, got {length} numbers; give the layout of the model.")


def _are_numbers(last: np.ndarray, more: int) -> bool:
    """Whether the last column is a track number: of two columns it is, alone it may be the person's confidence."""
    last = last[~np.isnan(last)]
    whole = bool((np.isfinite(last) & (last >= 0) & (last < 2**53)).all() and (last == np.trunc(last)).all())
    return whole and (more == 2 or bool(last.max() >= 1))


def _keypoints(values: np.ndarray, columns: _Columns) -> tuple[np.ndarray, np.ndarray | None]:
    """`(people, joints, 2)` and, where there are three columns, the confidences `(people, joints)`."""
    table = values.reshape(len(values), columns.joints, columns.width)
    points = nan_at_origin(table[..., :2])
    if columns.width == 2:
        return points, None
    scores = table[..., 2]
    if scores.max() == 2 and np.isin(scores, (0, 1, 2)).all():
        points = np.where(scores[..., None] > 0, points, np.nan)
        scores = scores / 2
    return points, scores


def matches(path: Path, head: bytes) -> bool:
    """Lines of a whole class number, a box within the image and keypoints; in a folder, of one of the first files."""
    if path.is_dir():
        return any(matches(file, read_head(file)) for file in first_files(path, ".txt"))
    lines = head.decode(errors="replace").splitlines()
    return bool(lines) and _is_label(lines[0])


def _is_label(line: str) -> bool:
    words = line.split()
    if len(words) < _BOX + 2 * _FEWEST or not words[0].isdigit():
        return False
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return False
    return all(-0.01 <= number <= 1.01 for number in numbers[1:_BOX]) and all(-1 <= n <= 2 for n in numbers[_BOX:-2])


FORMAT = Format(
    name="yolo",
    title="YOLO pose labels (a folder with one text file per frame)",
    matches=matches,
    read=read,
    container="text",
    signature="lines of a class, a box and x, y, confidence of each keypoint, all in fractions of the image",
    needs=("layout", "fps"),
)
