"""Charades: pose files that the user estimated, named by video, and the authors' list of actions in seconds."""

from dataclasses import replace
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, Published
from motionhub.data.datasets.pose_files import OPTIONS_FILE, folder_facts, read_one_clip
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.datasets.timed_actions import entry_of, segments_of_actions
from motionhub.data.formats.files import bad_file, find_above, read_bytes


NUM_CLASSES = 157
# The authors' ids; `at(root)` takes titles from their list where it lies with the poses.
CLASS_NAMES = tuple(f"c{number:03d}" for number in range(NUM_CLASSES))
PATTERN = "[A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9].*"
LIST = "charades.json"
CLASS_LIST = "Charades_v1_classes.txt"
_LISTS = "Train on the authors' training videos, test on their testing ones"
_AUTHORS = "(Sigurdsson et al., ECCV 2016)"
# (subset of the list, whether the video has an action) -> `setup`.
SETUPS = {("testing", True): 0, ("training", True): 1, ("testing", False): 2, ("training", False): 3}


def annotate(path: Path) -> ClipFacts:
    """Actions by frame, and the subset (`setup`), from `charades.json` beside or above the clip."""
    found = find_above(path, LIST)
    if found is None:
        raise bad_file(path, "labels", f"expected {LIST} beside the clips or above them, found none.")
    entry = entry_of(found, path.stem, NUM_CLASSES)
    if entry is None:
        raise bad_file(path, "labels", f"{path.stem} is not in {found}; name the file by its video.")
    # The published code skips actions that end before they start.
    entry = replace(entry, actions=tuple(action for action in entry.actions if action[2] >= action[1]))
    setup = SETUPS["training" if entry.trains else "testing", bool(entry.actions)]
    segments = segments_of_actions(entry, read_one_clip(path).num_frames)
    return ClipFacts(None, None, None, setup, clip_id=path.stem, segments=segments)


def look_into(root: Path) -> FolderFacts:
    """The class titles of the authors' list, where it is there, and layout, frame rate and unit of the first clip."""
    first = next((path for path in sorted(root.rglob(PATTERN)) if path.is_file()), None)
    if first is None:
        raise bad_file(root, "folder", "holds no pose file named by a video, such as 001YG.json.")
    found = find_above(first, CLASS_LIST)
    return folder_facts(CLASS_NAMES if found is None else _titles(found), read_one_clip(first))


def _titles(found: Path) -> tuple[str, ...]:
    """`c000 Holding some clothes` and 156 more lines."""
    lines = read_bytes(found).decode("utf-8", errors="replace").splitlines()
    split = [line.split(maxsplit=1) for line in lines if line.strip()]
    if [words[0] for words in split] != list(CLASS_NAMES) or not all(len(words) == 2 for words in split):
        raise bad_file(found, "content", f"expected {NUM_CLASSES} lines of a class and its title, c000 to c156.")
    return tuple(words[1].strip() for words in split)


DATASET = Dataset(
    name="charades",
    title="Charades, poses estimated by the user",
    pattern=PATTERN,
    read_any=lambda path: [read_one_clip(path)],
    annotate_clip=annotate,
    sidecars=(LIST, CLASS_LIST, OPTIONS_FILE),
    # Replaced by `at(root)`.
    layout="coco-17",
    fps=30.0,
    unit="pixel",
    class_names=CLASS_NAMES,
    protocols=(
        by_setup("official", f"{_LISTS}, without those that show no action, as published code does {_AUTHORS}."),
        by_setup(
            "all-videos", f"{_LISTS}, 7,985 and 1,863, with those that show no action {_AUTHORS}.", {1, 3}, {0, 2}
        ),
    ),
    look_into=look_into,
    **Published("charades").fields(),
)
