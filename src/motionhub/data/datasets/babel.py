"""BABEL: labels of actions in AMASS recordings, `train.json` and `val.json`, beside AMASS's own files."""

import re
from pathlib import Path
from typing import Any

from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, Published
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats import smpl
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, load_json
from motionhub.data.formats.format import ReadOptions, is_number
from motionhub.skeletons.sequence import SkeletonSequence


LISTS = {"train.json": 1, "val.json": 0}
# Parts of AMASS's paths that name a recording: set, performer, motion.
_NAMED_BY = 3
_LATEST = 1e9
_ENDINGS = re.compile(r"_?(?:poses|stageii)$")

Entry = dict[str, Any]


@kept_until_changed  # it is read for the times of its labels and for its poses
def read(path: Path) -> list[SkeletonSequence]:
    """The recording, `(1, frames, 22, 3)` metres, z up, at its own frame rate."""
    return smpl.read(path, ReadOptions())


def annotate(path: Path) -> ClipFacts:
    """The labels of frames as segments, else those of the whole recording; overlaps stay."""
    found, entry = _entry_of(path)
    names = {name: number for number, name in enumerate(_categories(*_lists(path)))}
    whole = read(path)[0]
    segments = []
    labels = _labels(found, entry, "frame_ann") or _labels(found, entry, "seq_ann")
    for label in labels:
        times = _times(found, label, whole.duration)
        first, last = (round(min(max(seconds, 0.0), whole.duration) * whole.fps) for seconds in times)
        if first < last:
            segments += [(names[str(name)], first, last) for name in label.get("act_cat") or ()]
    captions = dict.fromkeys(str(label.get("proc_label", "")).strip() for label in _labels(found, entry, "seq_ann"))
    text = "\n".join(each for each in captions if each)
    return ClipFacts(None, None, None, LISTS[found.name], path.stem, segments=tuple(segments), caption=text)


def _times(found: Path, label: Entry, duration: float) -> tuple[float, float]:
    """Start and end in seconds; labels without them are of the whole recording."""
    times: list[Any] = [label.get(key) for key in ("start_t", "end_t")]
    if not all(map(is_number, times)):
        return 0.0, duration
    if not all(abs(each) < _LATEST for each in times):
        raise bad_file(found, str(label.get("seg_id")), f"expected start_t and end_t in seconds, got {times}.")
    return float(times[0]), float(times[1])


def is_clip(path: Path) -> bool:
    """Recordings that a list names; AMASS has more, and a file of the body's shape in each folder."""
    lists = _lists(path)
    return not lists or any(_name(path) in _by_name(found) for found in lists)


def look_into(root: Path) -> FolderFacts:
    """The categories of actions in the lists, in alphabetical order. Raises ValueError without a list."""
    lists = [root / name for name in LISTS if (root / name).is_file()]
    if not lists:
        raise bad_file(root, "folder", f"expected BABEL's {' or '.join(LISTS)} in it, above AMASS's files.")
    return FolderFacts(_categories(*lists), "smpl-22", DATASET.fps, DATASET.unit)


def _lists(path: Path) -> list[Path]:
    found = (_above(path, name) for name in LISTS)
    return [each for each in found if each is not None]


def _above(path: Path, name: str) -> Path | None:
    """As `find_above`, from a folder higher: AMASS's archives repeat the name of the set."""
    return find_above(path, name) or find_above(path.absolute().parent, name)


def _entry_of(path: Path) -> tuple[Path, Entry]:
    for found in _lists(path):
        if _name(path) in _by_name(found):
            return found, _by_name(found)[_name(path)]
    raise bad_file(path, "labels", f"no {' or '.join(LISTS)} above it has this recording.")


def _name(path: Path) -> str:
    """Set, performer and motion in letters and digits: releases of AMASS spell blanks and endings differently."""
    parts = [*path.parts[-_NAMED_BY:-1], _ENDINGS.sub("", path.stem)]
    return "/".join(re.sub(r"[^a-z0-9]", "", part.lower()) for part in parts)


@kept_until_changed
def _by_name(found: Path) -> dict[str, Entry]:
    content = load_json(found)
    whole = isinstance(content, dict) and all(isinstance(entry, dict) for entry in content.values())
    if not whole or not all(isinstance(entry.get("feat_p"), str) for entry in content.values()):
        raise bad_file(found, "JSON", "expected BABEL's object of recordings with feat_p, seq_ann and frame_ann.")
    return {_name(Path(entry["feat_p"])): entry for entry in content.values()}


@kept_until_changed
def _categories(*lists: Path) -> tuple[str, ...]:
    entries = [(found, entry) for found in lists for entry in _by_name(found).values()]
    return tuple(
        sorted(
            {
                str(name)
                for found, entry in entries
                for kind in ("seq_ann", "frame_ann")
                for label in _labels(found, entry, kind)
                for name in label.get("act_cat") or ()
            }
        )
    )


def _labels(found: Path, entry: Entry, kind: str) -> list[Entry]:
    """The labels of a kind, which may be null. Raises ValueError for anything else than a list of objects."""
    annotation = entry.get(kind)
    labels = annotation.get("labels") if isinstance(annotation, dict) else [] if annotation is None else None
    if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
        raise bad_file(found, str(entry.get("babel_sid")), f"expected {kind} with a list of labels, or null.")
    if not all(isinstance(label.get("act_cat"), list | None) for label in labels):
        raise bad_file(found, str(entry.get("babel_sid")), f"expected act_cat of {kind} to be a list or null.")
    return labels


DATASET = Dataset(
    name="babel",
    title="BABEL, labels of AMASS",
    pattern="*.npz",
    read_any=read,
    annotate_clip=annotate,
    is_clip=is_clip,
    sidecars=tuple(LISTS),
    fps=120.0,
    class_names=(),
    protocols=(by_setup("official", "Train on train.json, test on val.json: test labels are not published."),),
    look_into=look_into,
    **Published("babel").fields(),
)
