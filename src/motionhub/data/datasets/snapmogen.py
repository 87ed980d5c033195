"""SnapMoGen: long motion capture recordings in BVH, with sentences about parts of them in one JSON file."""

from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, Published
from motionhub.data.datasets.parts import Part, described, setup_of
from motionhub.data.datasets.pose_files import folder_facts
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.formats import bvh
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, load_json
from motionhub.data.formats.format import ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


CAPTIONS = "all_caption_clean.json"
LISTS = "data_split_info"
FPS = 30.0


def clips_of(path: Path) -> list[tuple[SkeletonSequence, ClipFacts]]:
    """The described parts of a recording; a recording of which no text says anything has none."""
    found = find_above(path, CAPTIONS)
    if found is None:
        raise bad_file(path, "texts", f"expected {CAPTIONS} above it, found none.")
    lists = {split: _list(found, split) for split in ("train", "test", "val")}
    facts = ClipFacts(None, None, None, setup_of(path.stem, lists), path.stem)
    return described(path, read_recording(path), _parts(found).get(path.stem, ()), facts)


@kept_until_changed  # it is read for its texts and for its poses
def read_recording(path: Path) -> SkeletonSequence:
    """`(1, frames, 24, 3)` metres, y up, with the joints of the file."""
    return bvh.read(path, ReadOptions())[0]


def look_into(root: Path) -> FolderFacts:
    """The skeleton of the first recording."""
    first = next((path for path in sorted(root.rglob("*.bvh")) if path.is_file()), None)
    if first is None:
        raise bad_file(root, "folder", "holds no .bvh file; extract renamed_bvhs.zip there.")
    return folder_facts((), read_recording(first))


def _list(found: Path, split: str) -> Path | None:
    path = found.parent / LISTS / f"{split}_fnames.txt"
    return path if path.is_file() else None


@kept_until_changed
def _parts(found: Path) -> dict[str, list[Part]]:
    """Recording -> its parts; keys are `recording#first frame#frame after the last` at 30 frames per second."""
    content = load_json(found)
    if not isinstance(content, dict):
        raise bad_file(found, "JSON", f"expected an object, got {type(content).__name__}.")
    parts: dict[str, list[Part]] = {}
    for key, texts in content.items():
        recording, *frames = key.split("#")
        if len(frames) != 2 or not all(each.isascii() and each.isdigit() and len(each) < 12 for each in frames):
            raise bad_file(found, key[:60], "expected a key recording#start#end in frames.")
        if not isinstance(texts, dict) or not all(isinstance(each, list) for each in texts.values()):
            raise bad_file(found, key[:60], "expected an object with the lists manual and gpt.")
        sentences = [str(text).strip() for kind in ("manual", "gpt") for text in texts.get(kind, ())]
        if not int(frames[0]) < int(frames[1]):
            raise bad_file(found, key[:60], "expected the start before the end.")
        if any(sentences):
            start, end = (int(each) / FPS for each in frames)
            parts.setdefault(recording, []).append(Part(tuple(filter(None, sentences)), start, end))
    return parts


DATASET = Dataset(
    name="snapmogen",
    title="SnapMoGen",
    pattern="*.bvh",
    read_any=lambda path: [clip for clip, _ in clips_of(path)],
    annotate_all=lambda path: [facts for _, facts in clips_of(path)],
    sidecars=(CAPTIONS, "*_fnames.txt"),
    # Replaced by `at(root)`.
    layout="smpl-22",
    fps=FPS,
    unit="metre",
    class_names=(),
    protocols=(by_setup("official", f"Train and test on the recordings in {LISTS} (Guo et al., 2025)."),),
    look_into=look_into,
    **Published("snapmogen").fields(),
)
