"""What a dataset is: its files and their format, annotation, evaluation protocols, published counts, and terms."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

from motionhub.data.datasets.protocols import Protocol
from motionhub.data.formats.files import bad_file
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class ClipFacts:
    """What is known about a clip besides its motion; None where the format does not say.

    Args:
        label: class index from 0, in the order of `Dataset.class_names`.
        subject: the performer's number as the dataset counts it.
        camera: the view's number; `Dataset.column_notes` says what it means.
        setup: a dataset's own grouping; `Dataset.column_notes` says what it means.
        clip_id: unique within the dataset.
        frame_labels: the class of every frame, for clips in which the action changes.
        segments: `(class, first frame, frame after the last)`, for clips in which several actions may overlap.
        caption: the clip in words, one caption a line.
        class_descriptions: its class in words, one phrasing a line.
        licence: terms of this clip, where they are others than the dataset's.
    """

    label: int | None
    subject: int | None
    camera: int | None
    setup: int | None
    clip_id: str
    frame_labels: tuple[int, ...] | None = None
    segments: tuple[tuple[int, int, int], ...] | None = None
    caption: str = ""
    class_descriptions: str = ""
    licence: str = ""


@dataclass(frozen=True)
class FolderFacts:
    """What only the folder of a dataset tells; the fields are those of `Dataset`."""

    class_names: tuple[str, ...]
    layout: str
    fps: float
    unit: str


@dataclass(frozen=True)
class PaperCounts:
    """What a paper states of one edition of a dataset; None where it does not.

    Args:
        edition: what distinguishes it, in words.
        source: who says so.
        clips, classes, subjects: of the whole.
        splits: protocol -> clips that train, clips that test.
    """

    edition: str
    source: str
    clips: int | None = None
    classes: int | None = None
    subjects: int | None = None
    splits: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One published dataset, or a user's own.

    Args:
        format: of its files; None where they may be of any format, and `read_any` reads them.
        name: key in `DATASETS`; the format's by default.
        title: the full name; the format's by default.
        pattern: file names to collect when walking a folder (`fnmatch`); the format's by default.
        aliases: what else people call it, in small letters and digits.
        annotate_clip: path -> `ClipFacts`, where a file is a clip. Raises a one-line ValueError that names file, place
            and reason.
        annotate_all: path -> one `ClipFacts` per clip, where files hold many; likewise.
        layout, fps, unit: of every sequence; `fps_source` says where the frame rate comes from.
        class_names: in label order.
        protocols: the first that the data at hand can fill is a saved dataset's default.
        counts: what papers state, by edition. Where several have the classes at hand, the one with as many clips is
            compared, or the nearest.
        missing_joints: how the format marks a joint that was not seen, and what the reader does.
        licence, homepage, citation: for the card.
        remarks: what a user of the data must know besides; may be empty.
        column_notes: meaning of `subject`, `camera`, `setup` where it is not the obvious one.
        is_clip: tells the clips among the files called `pattern` from label files called alike; None where all are.
        sidecars: patterns of files that `annotate` looks into, beside the clips or above them.
        exclude_lists: patterns of the authors' lists of clips to leave out, applied where they lie with the files.
        look_into: root of the data -> what only the folder tells (`FolderFacts`); None where nothing does.
        owned_by_user: the data are the user's own, and so are licence, homepage and citation.
        provenance: one sentence for the card: what was read, and what the reader made of it.
    """

    format: Format | None = None
    read_any: Callable[[Path], list[SkeletonSequence]] | None = None
    name: str = ""
    title: str = ""
    pattern: str = ""
    aliases: tuple[str, ...] = ()
    annotate_clip: Callable[[Path], ClipFacts] | None = None
    annotate_all: Callable[[Path], list[ClipFacts]] | None = None
    layout: str
    fps: float
    fps_source: str
    unit: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    counts: tuple[PaperCounts, ...] = ()
    missing_joints: str
    licence: str
    homepage: str
    citation: str
    remarks: str = ""
    column_notes: Mapping[str, str]
    is_clip: Callable[[Path], bool] | None = None
    sidecars: tuple[str, ...] = ()
    exclude_lists: tuple[str, ...] = ()
    look_into: Callable[[Path], FolderFacts] | None = None
    owned_by_user: bool = False
    provenance: str = "Read from the authors' files; coordinates, frame rate and joints are theirs"

    def __post_init__(self) -> None:
        for name in ("name", "title", "pattern"):
            object.__setattr__(self, name, getattr(self, name) or getattr(self.format, name))

    def read(self, path: Path) -> list[SkeletonSequence]:
        """The clips of a file. Raises a one-line ValueError that names file, place and reason."""
        if self.read_any is not None:
            return self.read_any(path)
        assert self.format is not None
        return self.format.read(path, ReadOptions())

    def claims_name(self, path: Path) -> bool:
        """Whether the file is called as only this dataset's files are."""
        return self.format is not None and self.format.claims_name(path)

    def at(self, root: Path) -> "Dataset":
        """The dataset with the classes, layout, frame rate and unit of the data in the folder `root`.

        A dataset of the user's own has them in its folder; every other one is returned as it is.

        Raises:
            ValueError: the folder is not arranged as expected.
        """
        return self if self.look_into is None else replace(self, **asdict(self.look_into(root)))

    def facts_of(self, path: Path) -> list[ClipFacts]:
        """The facts of the file's clips, in the order of `read`. Raises ValueError as `read` does."""
        if self.annotate_all is not None:
            return self.annotate_all(path)
        assert self.annotate_clip is not None
        return [self.annotate_clip(path)]

    def annotate(self, path: Path) -> ClipFacts:
        """The facts of a file that holds one clip. Raises ValueError for others, and as `read` does."""
        facts = self.facts_of(path)
        if len(facts) != 1:
            raise bad_file(path, "content", f"holds {len(facts)} clips; call READERS[{self.name!r}].facts_of(path).")
        return facts[0]


def says_all(read: Callable[[Path], list[SkeletonSequence]]) -> Callable[[Path, ReadOptions], list[SkeletonSequence]]:
    """`Format.read` of files that need no options: those that a caller gives must agree with the clips."""
    return lambda path, options: [options.agree(path, clip) for clip in read(path)]


@cache
def _class_table() -> list[dict[str, str]]:
    with Path(__file__).with_name("class_names.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def listed_classes(dataset: str) -> tuple[str, ...]:
    """The classes of a dataset in label order, from the table `class_names.csv`."""
    return tuple(line["class"] for line in _class_table() if line["dataset"] == dataset)


def listed_clips(dataset: str) -> dict[str, int]:
    """Class -> how many clips it has in the whole dataset, where the table says so."""
    return {
        line["class"]: int(line["clips"]) for line in _class_table() if line["dataset"] == dataset and line["clips"]
    }
