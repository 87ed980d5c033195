"""HumanML3D and KIT-ML: joints in `new_joints`, and sentences about all or a part of each recording in `texts`."""

import math
from pathlib import Path

import numpy as np

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published
from motionhub.data.datasets.parts import Part, described, setup_of
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats import humanml3d
from motionhub.data.formats.files import bad_file, find_above, note, read_text
from motionhub.data.formats.format import ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


JOINTS, FEATURES, TEXTS = "new_joints", "new_joint_vecs", "texts"
LISTS = ("train", "test", "val")
_HUMANML3D = ReadOptions(layout="humanml3d-22", unit="metre")
_KIT = ReadOptions(layout="kit-21", unit="millimetre")
# Heights of a person's hips above the ground in metres, lying or jumping.
_HIPS = (0.05, 2.0)


def read_recording(path: Path, options: ReadOptions) -> SkeletonSequence:
    """The recording of a file of joints or features, in metres, y up."""
    (clip,) = humanml3d.read(path, options)
    heights = clip.keypoints[0, :, clip.layout.index("mid_hip"), 1]
    middle = float(np.nanmedian(heights)) if np.isfinite(heights).any() else math.nan
    if not _HIPS[0] <= middle <= _HIPS[1]:
        raise bad_file(path, "unit", f"the hips are {middle:.3g} m high, expected {_HIPS[0]} to {_HIPS[1]}.")
    return clip


def clips_of(path: Path, options: ReadOptions) -> list[tuple[SkeletonSequence, ClipFacts]]:
    """The described parts of a recording, the whole of it among them where a text describes it."""
    lists = {name: find_above(path, f"{name}.txt") for name in LISTS}
    facts = ClipFacts(None, None, None, setup_of(path.stem, lists), path.stem)
    return described(path, read_recording(path, options), parts_of(_texts_of(path)), facts)


def parts_of(path: Path) -> list[Part]:
    """Lines `sentence#words with their kinds#start#end` in seconds; 0 and 0, or no numbers: of the whole recording.

    A line of another form is left out with a note. Raises ValueError when no line is left.
    """
    parts, left_out = [], []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split("#")
        if not line.strip():
            continue
        if len(fields) != 4 or not fields[0].strip():
            left_out.append((number, line))
            continue
        parts.append(Part((fields[0].strip(),), *_times(path, number, fields[2], fields[3])))
    if not parts:
        raise bad_file(path, "texts", "has no line sentence#words#start#end.")
    if left_out:
        number, line = left_out[0]
        others = f", as are {len(left_out) - 1} more lines" if len(left_out) > 1 else ""
        note(path, f"line {number}", f"expected sentence#words#start#end, got {line[:60]!r}; left out{others}.")
    return parts


def _times(path: Path, number: int, start: str, end: str) -> tuple[float, float]:
    try:
        first, last = (0.0 if math.isnan(float(each)) else float(each) for each in (start, end))  # as their loader
    except ValueError:
        raise bad_file(path, f"line {number}", f"expected seconds, got {start[:20]!r} and {end[:20]!r}.") from None
    if first == last == 0:
        return 0.0, math.inf
    if not 0 <= first < last:
        raise bad_file(path, f"line {number}", f"expected start < end in seconds, got {start} and {end}.")
    return first, last


def _texts_of(path: Path) -> Path:
    found = path.absolute().parent.with_name(TEXTS) / f"{path.stem}.txt"
    if not found.is_file():
        raise bad_file(path, "texts", f"expected {TEXTS}/{found.name} beside {path.parent.name}, found none.")
    return found


def is_clip(path: Path) -> bool:
    """Files of joints; the features repeat them, and count where the joints are absent."""
    folder = path.absolute().parent
    return folder.name == JOINTS or (folder.name == FEATURES and not (folder.with_name(JOINTS) / path.name).is_file())


def _dataset(name: str, options: ReadOptions, title: str, fps: float) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        pattern="*.npy",
        read_any=lambda path: [clip for clip, _ in clips_of(path, options)],
        annotate_all=lambda path: [facts for _, facts in clips_of(path, options)],
        is_clip=is_clip,
        sidecars=("*.txt",),
        fps=fps,
        class_names=(),
        protocols=(
            by_setup("official", "Train on train.txt, test on test.txt; val.txt is in neither (Guo et al., 2022)."),
        ),
        **Published(name).fields(),
    )


DATASET = _dataset("humanml3d", _HUMANML3D, "HumanML3D", 20.0)
KIT = _dataset("kit-ml", _KIT, "KIT Motion-Language, as HumanML3D's authors prepare it", 12.5)
