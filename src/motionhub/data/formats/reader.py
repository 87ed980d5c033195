"""What a reader is: one published file format, recognised by content, turned into `SkeletonSequence`s and facts.

It does not know any particular format (one file each beside it), nor splits, nor the dataset schema.
"""

import codecs
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence


# No clip comes near it; a wrong path must not fill the memory.
MAX_FILE_BYTES = 2**30
_LONGEST_ERROR = 2000
# The longer mark of two that begin alike comes first.
_CODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MARKS = tuple(_CODINGS)


@dataclass(frozen=True)
class ClipFacts:
    """What is known about a clip besides its motion; None where the format does not say.

    Args:
        label: class index from 0, in the order of `Reader.class_names`.
        subject: the performer's number as the data set counts it.
        camera: the view's number; `Reader.column_notes` says what it means.
        setup: a data set's own grouping; `Reader.column_notes` says what it means.
        clip_id: unique within the data set.
        frame_labels: the class of every frame, for clips in which the action changes.
        segments: `(class, first frame, frame after the last)`, for clips in which several actions may overlap.
        caption: the clip in words, one caption a line.
        class_descriptions: its class in words, one phrasing a line.
        licence: terms of this clip, where they are others than the data set's.
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
    """What a reader of no particular data set learns from the folder; the fields are those of `Reader`."""

    class_names: tuple[str, ...]
    layout: str
    fps: float
    unit: str


@dataclass(frozen=True)
class Reader:
    """One file format and the data set published in it.

    Args:
        name: key in `READERS`.
        title: the data set's full name.
        matches: `(path, head)` -> whether the content looks like this format; `head` is the file's first bytes.
        read: path -> the clips of the file. Raises a one-line ValueError that names file, place and reason.
        annotate: path -> `ClipFacts`. Raises ValueError likewise.
        pattern: file names to collect when walking a folder (`fnmatch`).
        container: what the files are made of: `"json"`, `"mat"`, `"text"` or `"binary"`.
        signature: one phrase that describes the content, for error messages.
        layout, fps, unit: of every sequence; `fps_source` says where the frame rate comes from.
        class_names: in label order.
        missing_joints: how the format marks a joint that was not seen, and what the reader does.
        licence, homepage, citation: for the card.
        remarks: what a user of the data must know besides; may be empty.
        column_notes: meaning of `subject`, `camera`, `setup` where it is not the obvious one.
        annotate_all: path -> one `ClipFacts` per clip, for files that hold many; None where a file is a clip.
        is_clip: tells the clips among the files called `pattern` from label files called alike; None where all are.
        sidecars: patterns of files that `annotate` looks into, beside the clips or above them.
        exclude_lists: patterns of the authors' lists of clips to leave out, heeded where they lie with the files.
        generic_names: `pattern` fits other formats' files too, so that a name alone tells nothing.
        look_into: root of the data -> what only the folder tells (`FolderFacts`); None where nothing does.
        owned_by_user: the data are the user's own, and so are licence, homepage and citation.
        provenance: one sentence for the card: what was read, and what the reader made of it.
    """

    name: str
    title: str
    matches: Callable[[Path, bytes], bool]
    read: Callable[[Path], list[SkeletonSequence]]
    annotate: Callable[[Path], ClipFacts]
    pattern: str
    container: str
    signature: str
    layout: str
    fps: float
    fps_source: str
    unit: str
    class_names: tuple[str, ...]
    missing_joints: str
    licence: str
    homepage: str
    citation: str
    remarks: str
    column_notes: dict[str, str]
    annotate_all: Callable[[Path], list[ClipFacts]] | None = None
    is_clip: Callable[[Path], bool] | None = None
    sidecars: tuple[str, ...] = ()
    exclude_lists: tuple[str, ...] = ()
    generic_names: bool = False
    look_into: Callable[[Path], "FolderFacts"] | None = None
    owned_by_user: bool = False
    provenance: str = "Read from the authors' files; coordinates, frame rate and joints are theirs"

    def at(self, root: Path) -> "Reader":
        """The reader with the classes, layout, frame rate and unit of the data in the folder `root`.

        A data set of the user's own has them in its folder; every other reader is returned as it is.

        Raises:
            ValueError: the folder is not arranged as the reader expects.
        """
        return self if self.look_into is None else replace(self, **asdict(self.look_into(root)))

    def claims_name(self, path: Path) -> bool:
        """Whether the file is called like this data set's files."""
        return fnmatch(path.name, self.pattern) and not self.generic_names

    def facts_of(self, path: Path) -> list[ClipFacts]:
        """The facts of the file's clips, in the order of `read`. Raises ValueError as `annotate` does."""
        return [self.annotate(path)] if self.annotate_all is None else self.annotate_all(path)


def bad_file(path: Path, place: str, reason: str) -> ValueError:
    """The one-line error of every reader: which file, where in it, what is wrong."""
    words = " ".join(f"{place}: {reason}".split())
    # What a broken file holds where a number or name should be may be long, and no text.
    shown = "".join(char if char.isprintable() else "?" for char in words[:_LONGEST_ERROR])
    return ValueError(f"{path}: {shown}{'...' if len(words) > _LONGEST_ERROR else ''}")


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises ValueError when it is absent, no file, unreadable, empty or beyond `MAX_FILE_BYTES`."""
    return _read(path, None)


def read_head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of the file, a text in UTF-8 whatever its own coding. Raises ValueError as `read_bytes` does."""
    head = _read(path, size)
    return text_of(head).encode() if head.startswith(_MARKS) else head


def read_text(path: Path) -> str:
    """The whole file as text. Raises ValueError as `read_bytes` does."""
    text = text_of(read_bytes(path))
    if not text:  # nothing but the mark of its coding
        raise bad_file(path, "file", "is empty; download or extract it again.")
    return text


def text_of(content: bytes) -> str:
    """UTF-8, or UTF-16 or UTF-32 by the mark that tables saved as "Unicode text" begin with; the mark is dropped."""
    coding = next((coding for mark, coding in _CODINGS.items() if content.startswith(mark)), "utf-8")
    return content.decode(coding, errors="replace")


def _read(path: Path, size: int | None) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # reading a pipe waits for ever, a device does not end
            what = "directory" if stat.S_ISDIR(facts.st_mode) else "pipe or device"
            raise bad_file(path, "file", f"is a {what}, not a file; give the path of a readable file.")
        if size is None and facts.st_size > MAX_FILE_BYTES:
            reason = f"has {facts.st_size} bytes, more than {MAX_FILE_BYTES}; split the recording."
            raise bad_file(path, "file", reason)
        with path.open("rb") as file:
            content = file.read() if size is None else file.read(size)
    except OSError as error:
        raise bad_file(path, "file", f"cannot be read ({error.strerror}); give the path of a readable file.") from None
    if not content:
        raise bad_file(path, "file", "is empty; download or extract it again.")
    return content


def origin_is_missing(points: np.ndarray) -> np.ndarray:
    """`(..., 3)` camera coordinates with every joint at exactly (0, 0, 0) set to NaN.

    A depth camera cannot see a point at its own centre: the Kinect SDKs write zeros for a joint they lost.
    """
    lost = (points == 0).all(axis=-1, keepdims=True)
    return np.where(lost, np.nan, points)
