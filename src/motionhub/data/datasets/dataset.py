"""`Dataset`: files and their format, annotation, evaluation protocols, published counts, and licence."""

import csv
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from motionhub.data.datasets.protocols import Assign, Protocol
from motionhub.data.formats.files import bad_file
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class ClipFacts:
    """Annotation of a clip; None where unknown.

    Args:
        label: class index from 0, in the order of `Dataset.class_names`.
        subject, camera, setup: numbers of performer, view and grouping; see `Dataset.column_notes`.
        clip_id: unique within the dataset.
        frame_labels: the class of every frame, for clips in which the action changes.
        segments: `(class, first frame, frame after the last)`, for clips with actions that may overlap.
        caption: captions of the clip, one per line.
        class_descriptions: descriptions of its class, one per line.
        licence: of this clip, where it differs from the dataset's.
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
    """Fields of `Dataset` that depend on the folder of the data; None where it does not."""

    class_names: tuple[str, ...]
    layout: str
    fps: float
    unit: str
    column_notes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class PaperCounts:
    """Counts that a paper states for one edition of a dataset, in total and (training, test) by protocol, or None."""

    edition: str
    source: str
    clips: int | None = None
    classes: int | None = None
    subjects: int | None = None
    splits: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published dataset, or a user's own.

    Args:
        format: of its files; None where any format is allowed and `read_any` reads them.
        name, title, pattern: key in `DATASETS`, full name, and file names (`fnmatch`); by default those of `format`.
        aliases: other names, in lower-case letters and digits.
        annotate_clip: path -> `ClipFacts` of a file with one clip. Raises a one-line ValueError with file and place.
        annotate_all: path -> one `ClipFacts` per clip, where files may hold several; raises the same.
        layout, fps, unit: of every sequence; `fps_source` states the source of the frame rate.
        class_names: in label order.
        protocols: the default of a saved dataset is the first that its clips can fill.
        counts: by edition; the build is compared with the one that fits its classes and is nearest in clips.
        missing_joints: how the format marks missing joints, and what the reader does.
        licence, homepage, citation: for the card.
        remarks: further notes for users; may be empty.
        column_notes: meaning of `subject`, `camera`, `setup` where it is not obvious.
        is_clip: separates clips from label files that also fit `pattern`; None where all are clips.
        sidecars: patterns of files that annotation reads, beside the clips or above them.
        exclude_lists: patterns of the authors' lists of clips to leave out, applied where they lie with the files.
        look_into: root of the data -> `FolderFacts`; None where the folder changes nothing.
        owned_by_user: licence, homepage and citation are those of the user.
        provenance: a sentence for the card: source of the data and changes by the reader.
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
    provenance: str = "Read from the authors' files; coordinates, frame rate and joints as published"

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
        """Whether the file name fits the pattern of the dataset's own format."""
        return self.format is not None and self.format.claims_name(path)

    def at(self, root: Path) -> "Dataset":
        """The dataset with the `FolderFacts` of `root`. Raises ValueError when it is not arranged as expected."""
        if self.look_into is None:
            return self
        facts = asdict(self.look_into(root))
        return replace(self, **{name: value for name, value in facts.items() if value is not None})

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
            raise bad_file(path, "content", f"holds {len(facts)} clips, not one; facts_of(path) has those of all.")
        return facts[0]


def checked(read: Callable[[Path], list[SkeletonSequence]]) -> Callable[[Path, ReadOptions], list[SkeletonSequence]]:
    """`Format.read` of files with complete metadata: given options must agree with the clips."""
    return lambda path, options: [options.agree(path, clip) for clip in read(path)]


def label_called(path: Path, place: str, name: str, names: Sequence[str]) -> int:
    """The position of a class name. Raises ValueError that names file and place for an unknown one."""
    if name not in names:
        raise bad_file(path, place, f"expected one of {list(names)}, got {name!r}.")
    return names.index(name)


def label_numbered(path: Path, place: str, number: Any, count: int, first: int = 0) -> int:
    """The label from 0 of a class number from `first`. Raises ValueError that names file and place for others."""
    if type(number) is not int or not first <= number < first + count:
        reason = f"expected a class in {first}..{first + count - 1}, got {str(number)[:40]}."
        raise bad_file(path, place, reason)
    return number - first


class Published:
    """What is published about the dataset `name`, from the tables `datasets.toml` and `class_names.csv`."""

    def __init__(self, name: str) -> None:
        self.name, self.stated = name, _facts()[name]

    @property
    def classes(self) -> tuple[str, ...]:
        """In label order."""
        return tuple(line["class"] for line in _class_table() if line["dataset"] == self.name)

    @property
    def clips(self) -> dict[str, int]:
        """Class -> number of clips in the whole dataset, where the table states it."""
        lines = [line for line in _class_table() if line["dataset"] == self.name and line["clips"]]
        return {line["class"]: int(line["clips"]) for line in lines}

    def format(self, matches: Callable[[Path, bytes], bool], read: Callable[[Path], list[SkeletonSequence]]) -> Format:
        """The format of the dataset's own files, which have complete metadata."""
        return Format(name=self.name, matches=matches, read=checked(read), **self.stated["format"])

    def protocol(self, name: str, assign: Assign, **limits: Any) -> Protocol:
        """A protocol that the table describes in a sentence; `limits` are further fields of `Protocol`."""
        return Protocol(name, self.stated["protocols"][name], assign, **limits)

    def fields(self) -> dict[str, Any]:
        """All that the table states itself, as fields of `Dataset`."""
        facts = {key: value for key, value in self.stated.items() if key not in ("format", "protocols")}
        for key, build in (("aliases", str), ("counts", _paper_counts)):
            facts[key] = tuple(build(each) for each in facts.get(key, ()))
        return facts


@cache
def _facts() -> dict[str, dict[str, Any]]:
    with Path(__file__).with_name("datasets.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def _class_table() -> list[dict[str, str]]:
    with Path(__file__).with_name("class_names.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _paper_counts(stated: Mapping[str, Any]) -> PaperCounts:
    splits = {name: (clips.get("train"), clips.get("test")) for name, clips in stated.get("splits", {}).items()}
    return PaperCounts(**{**stated, "splits": splits})
