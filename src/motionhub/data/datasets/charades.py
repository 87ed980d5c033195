"""Charades: pose files of the user's own, named by video, and the authors' list of actions in seconds.

The authors publish videos, not poses: `pose_files.py` finds out the files' format.
"""

from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts, Dataset, FolderFacts, PaperCounts
from motionhub.data.datasets.pose_files import OPTIONS_FILE, folder_facts, read_one_clip
from motionhub.data.datasets.protocols import by_setup
from motionhub.data.datasets.timed_actions import TimedActions, entry_of, segments_of_actions
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, read_bytes


NUM_CLASSES = 157
# The authors' own names; `at(root)` takes titles from their list where it lies with the poses.
CLASS_NAMES = tuple(f"c{number:03d}" for number in range(NUM_CLASSES))
PATTERN = "[A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9].*"
LIST = "charades.json"
CLASS_LIST = "Charades_v1_classes.txt"
_LISTS = "Train on the authors' training videos, test on their testing ones"
_AUTHORS = "(Sigurdsson et al., ECCV 2016)"
# `setup`: (the list's subset, whether the video has an action).
SETUPS = {("testing", True): 0, ("training", True): 1, ("testing", False): 2, ("training", False): 3}


def annotate(path: Path) -> ClipFacts:
    """Actions by frame, and the subset (`setup`), from `charades.json` beside or above the clip."""
    found = find_above(path, LIST)
    if found is None:
        raise bad_file(path, "labels", f"expected {LIST} beside the clips or above them, found none.")
    entry = entry_of(found, path.stem, NUM_CLASSES)
    if entry is None:
        raise bad_file(path, "labels", f"{path.stem} is not in {found}; name the file by the video it shows.")
    # The published code passes over actions that end before they start.
    kept = tuple(action for action in entry.actions if action[2] >= action[1])
    entry = TimedActions(entry.trains, entry.duration, kept)
    setup = SETUPS["training" if entry.trains else "testing", bool(kept)]
    segments = segments_of_actions(entry, read_one_clip(path).num_frames)
    return ClipFacts(None, None, None, setup, clip_id=path.stem, segments=segments)


def look_into(root: Path) -> FolderFacts:
    """The titles of the classes, where the authors' list lies there, and layout, frame rate and unit of a clip.

    Raises:
        ValueError: no pose file is there, or the first one cannot be read.
    """
    first = next((path for path in sorted(root.rglob(PATTERN)) if path.is_file()), None)
    if first is None:
        raise bad_file(root, "folder", "holds no pose file named by a video, such as 001YG.json.")
    found, clip = find_above(first, CLASS_LIST), read_one_clip(first)
    titles = CLASS_NAMES if found is None else _titles(found)
    return folder_facts(titles, clip)


@kept_until_changed
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
    # Of the data once `at(root)` has looked into the folder.
    layout="coco-17",
    fps=30.0,
    fps_source="the first pose file's",
    unit="pixel",
    class_names=CLASS_NAMES,
    protocols=(
        by_setup("official", f"{_LISTS}, without those that show no action, as published code does {_AUTHORS}."),
        by_setup(
            "all-videos", f"{_LISTS}, 7,985 and 1,863, with those that show no action {_AUTHORS}.", {1, 3}, {0, 2}
        ),
    ),
    counts=(
        PaperCounts("all videos", "Sigurdsson et al., ECCV 2016", 9_848, 157, splits={"all-videos": (7_985, 1_863)}),
    ),
    missing_joints="as the pose files' format marks it",
    licence="non-commercial use, see the authors' page; the poses belong to whoever estimated them",
    homepage="https://prior.allenai.org/projects/charades",
    citation="Sigurdsson, Varol, Wang, Farhadi, Laptev, Gupta: Hollywood in Homes: Crowdsourcing Data Collection for "
    "Activity Understanding. ECCV 2016.",
    provenance="Read from pose files that whoever built this estimated on the authors' videos; the actions are those "
    "of the authors' list",
    remarks="Several actions may happen at once: frame_labels_of(row, num_classes=157) of motionhub.skeletons.rows "
    "gives them by frame. As in published code a frame has an action where start < time < end, the frames lie evenly "
    "over the duration, actions that end before they start are passed over, and an action without a frame strictly "
    "inside is left out",
    column_notes={
        "label": "-1: several actions, see the segments",
        "setup": "0 testing, 1 training; 2 testing, 3 training, of a video without any action",
        "subject": "unknown in this dataset (-1)",
        "camera": "unknown in this dataset (-1)",
    },
    look_into=look_into,
)
