"""What a dataset is: its files and their format, annotation, evaluation protocols, published counts, and terms."""

import csv
import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from motionhub.data.formats.files import bad_file
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


Row = Mapping[str, Any]
Split = str | None  # "train", "test", or None: not part of the protocol
Assign = Callable[[Sequence[Row]], list[Split]]
ODD, EVEN = range(1, 2**31, 2), range(0, 2**31, 2)


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
class Protocol:
    """A way to divide a dataset.

    Args:
        name: as in `load_dataset(path, name)`.
        source: one sentence: what trains, what tests, and who defined it.
        assign: rows -> one split per row. Looks only at `label`, `subject`, `camera`, `setup`, `clip_id`.
        num_classes: how many of the first classes take part, or None for all.
        class_names: which classes take part, in the protocol's own numbering (`relabel`), or None for the dataset's.
    """

    name: str
    source: str
    assign: Assign
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None


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
        annotate: path -> `ClipFacts`. Raises a one-line ValueError that names file, place and reason.
        annotate_all: path -> one `ClipFacts` per clip, for files that hold many; None where a file is a clip.
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
    annotate: Callable[[Path], ClipFacts]
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
        """The facts of the file's clips, in the order of `read`. Raises ValueError as `annotate` does."""
        return [self.annotate(path)] if self.annotate_all is None else self.annotate_all(path)


def says_all(
    read: Callable[[Path], list[SkeletonSequence]],
) -> Callable[[Path, ReadOptions], list[SkeletonSequence]]:
    """`Format.read` of files that need no options: those that a caller gives must agree with the clips."""
    return lambda path, options: [options.agree(path, clip) for clip in read(path)]


@cache
def _all_class_names() -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    with Path(__file__).with_name("class_names.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            names.setdefault(line["dataset"], []).append(line["class"])
    return {dataset: tuple(titles) for dataset, titles in names.items()}


def listed_classes(dataset: str) -> tuple[str, ...]:
    """The classes of a dataset in label order, from the table `class_names.csv`."""
    return _all_class_names()[dataset]


def single_fact(name: str, facts: Sequence[ClipFacts], path: Path) -> ClipFacts:
    """The facts of a file that holds one clip. Raises ValueError for others."""
    if len(facts) != 1:
        raise bad_file(path, "content", f"holds {len(facts)} clips; call DATASETS[{name!r}].facts_of(path).")
    return facts[0]


# Protocols


def by_value(
    column: str, train: Container[int] | None, test: Container[int] | None, num_classes: int | None = None
) -> Assign:
    """An `assign` that looks at one column of each row by itself; unknown (-1) belongs to no split.

    Args:
        train, test: values; None: all others.
        num_classes: how many of the first classes take part.
    """

    def split(row: Row) -> Split:
        value = int(row[column])
        if value < 0 or (num_classes is not None and not 0 <= int(row["label"]) < num_classes):
            return None
        for name, values, others in (("train", train, test), ("test", test, train)):
            if value in values if values is not None else others is None or value not in others:
                return name
        return None

    return lambda rows: [split(row) for row in rows]


def by_setup(name: str, source: str, train: Container[int] = (1,), test: Container[int] = (0,)) -> Protocol:
    """The authors' own division, which `setup` holds: 1 trains, 0 tests."""
    return Protocol(name, source, by_value("setup", train, test))


def odd_subjects(where: str = "", who: str = "the authors define no split") -> Protocol:
    """Cross-subject, where the authors do not divide the performers."""
    source = f"Train on the odd subjects, test on the even ones{where} (motionhub; {who})."
    return Protocol("cross-subject", source.replace("(motionhub; )", "(motionhub)"), by_value("subject", ODD, EVEN))


def leave_one_out(column: str, values: Mapping[int, str], what: str) -> tuple[Protocol, ...]:
    """Protocols that test one value of a column each, and train on all others.

    Args:
        values: value -> how it is called.
        what: the column in words, such as "subject".
    """
    source = f"Test on {what} {{}}, train on all others (motionhub; the authors define no split)."
    return tuple(
        Protocol(f"leave-out-{what.split()[-1]}-{name}", source.format(name), by_value(column, None, {value}))
        for value, name in values.items()
    )


def random_80_20(seed: int) -> Protocol:
    """A fifth of the clips, chosen by the seed alone, tests: clips in the order of SHA-256("seed:clip_id")."""

    def assign(rows: Sequence[Row]) -> list[Split]:
        order = [hashlib.sha256(f"{seed}:{row['clip_id']}".encode()).digest() for row in rows]
        test = set(sorted(range(len(rows)), key=order.__getitem__)[: round(len(rows) / 5)])
        return ["test" if index in test else "train" for index in range(len(rows))]

    name = "random-80-20" if seed == 0 else f"random-80-20-seed-{seed}"
    return Protocol(name, f"80 % of the clips train, 20 % test, drawn by clip with seed {seed} (motionhub).", assign)
