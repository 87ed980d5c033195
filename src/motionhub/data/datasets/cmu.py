"""CMU's motion capture database: ASF/AMC files, and the index that describes every trial in words."""

import re
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, Published
from motionhub.data.datasets.protocols import odd_subjects, random_80_20
from motionhub.data.formats import acclaim
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, name_parts, read_text
from motionhub.data.formats.format import ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


INDEX = "cmu-mocap-index-text.txt"
FPS = 120.0
_NAME = re.compile(r"(\d{2,3})_(\d{2,3})")
_LINE = re.compile(r"^(\d{2,3}_\d{2,3})\s+(\S.*)$")
_UNKNOWN = "unknown"


def read(path: Path) -> list[SkeletonSequence]:
    """`(1, frames, 23, 3)` metres, y up, of the body without fingers."""
    return acclaim.read(path, ReadOptions(layout="cmu-23", fps=FPS))


def annotate(path: Path) -> ClipFacts:
    """The performer from the name `SS_TT.amc`, and the trial's description as caption, empty where CMU gives none."""
    subject, _ = name_parts(path, _NAME, "SS_TT.amc (performer, trial)")
    found = find_above(path, INDEX)
    if found is None:
        raise bad_file(path, "texts", f"expected {INDEX} beside the recordings or above them, found none.")
    if path.stem not in _index(found):
        raise bad_file(path, "texts", f"{found} does not describe it.")
    text = _index(found)[path.stem]
    return ClipFacts(None, int(subject), None, None, path.stem, caption="" if text.lower() == _UNKNOWN else text)


@kept_until_changed
def _index(found: Path) -> dict[str, str]:
    """Trial -> description; other lines are headings."""
    lines = (_LINE.match(line.strip()) for line in read_text(found).splitlines())
    trials = {line[1]: line[2].strip() for line in lines if line}
    if not trials:
        raise bad_file(found, "content", "expected lines of a trial and its description, such as 01_02 climb.")
    return trials


DATASET = Dataset(
    name="cmu-mocap",
    title="CMU Graphics Lab Motion Capture Database",
    pattern="[0-9]*_[0-9]*.amc",
    read_any=read,
    annotate_clip=annotate,
    sidecars=(INDEX, "*.asf"),
    fps=FPS,
    class_names=(),
    protocols=(random_80_20(seed=0), odd_subjects()),
    **Published("cmu-mocap").fields(),
)
