"""The raw files of a dataset, in a folder or a zip: clips, label files, and errors when nothing fits."""

import errno
import hashlib
import os
import shutil
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from motionhub.data.datasets.dataset import Dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format
from motionhub.data.formats.files import MAX_FILE_BYTES, MAX_JSON_BYTES, bad_file, is_too_long, read_text


# A zip file starts so, also a truncated one.
_ZIP_START = b"PK\x03\x04"
# Largest file that is read to guess its dataset.
_MAX_GUESS_BYTES = 2**26
# Zips of real skeletons hold 1.0 to 4.2 times their own size (Bandai-Namco's BVH the most); deflate reaches 1,032.
# Small contents may have any ratio, such as a few clips of zeros.
_MOST_PACKED, _LITTLE = 200, 2**26
_MAX_LIST_BYTES = 2**26
# How many folders above the clips label lists may lie.
_LEVELS = 3


@contextmanager
def opened(root: Path, facts: Dataset, into: Path | None = None) -> Iterator[tuple[Path, list[Path]]]:
    """The folder of the dataset's files, and these files, sorted. Raises ValueError when there are none.

    Args:
        root: a folder, searched with its sub-folders, a zip file of one, or one file.
        facts: the dataset; a zip file is searched for its `pattern`, `sidecars` and `exclude_lists`.
        into: folder for extracted files, kept for later calls; None: a temporary one.
    """
    if root.is_dir():
        # A user's own folder may be a stranger's archive; published datasets are often links to another disk.
        yield root, files_called(facts.pattern, root, links=not facts.owned_by_user)
    elif root.is_file() and fnmatch(root.name, facts.pattern):
        yield root.parent, [root]
    elif zipfile.is_zipfile(root):
        temporary = tempfile.TemporaryDirectory(prefix="motionhub-") if into is None else nullcontext(into)
        with temporary as name:
            folder = Path(name) / f"extracted-{_listing_hash(root)[:16]}"
            folder.mkdir(parents=True, exist_ok=True)
            _extract(root, facts, folder)
            yield folder, files_called(facts.pattern, folder)
    else:
        kind = "is neither a folder nor a zip file" if root.exists() else "does not exist"
        fix = "give the folder (or the zip) that holds the dataset's files"
        raise ValueError(cut_off(root) if starts_like_zip(root) else f"{root}: {kind}; {fix}.")


def files_called(pattern: str, folder: Path, *, links: bool = True) -> list[Path]:
    """All files below `folder` whose name fits `pattern`, sorted.

    Args:
        links: False: a link to a file outside of `folder` is an error.

    Raises:
        ValueError: such a link, or a name that is not UTF-8.
    """
    found = sorted(path for path in folder.rglob(pattern) if path.is_file())
    home = folder.resolve()
    for path in found:
        if not _is_text(str(path.relative_to(folder))):
            shown = Path(os.fsencode(path).decode(errors="backslashreplace"))
            raise bad_file(shown, "name", "is not UTF-8; rename the file, or move it away.")
        if not links and path.is_symlink() and not path.resolve().is_relative_to(home):
            reason = f"is a link to {path.resolve()}, outside of {folder}; copy the file there, or remove the link."
            raise bad_file(path, "file", reason)
    return found


def _is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8; a system may have other bytes in names."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def data_root(facts: Dataset, root: Path, folder: Path) -> Path:
    """The root of the data in the folder of `opened`: the only folder in a zip, where it holds the data."""
    if root.is_dir():
        return root
    inside = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__"))]
    if facts.look_into is None or len(inside) != 1 or not inside[0].is_dir():
        return folder
    tables = [name for name in facts.sidecars if name.endswith(".csv")]
    whole = any(entry.is_dir() or entry.name in tables for entry in inside[0].iterdir())
    return inside[0] if whole else folder


def read_clip_list(path: str | Path) -> frozenset[str]:
    """The names in a text file, one per line, without extensions; lines of several words (prose) are skipped."""
    path = Path(path)
    lines = [line.split() for line in read_text(path, _MAX_LIST_BYTES).splitlines()]
    names = frozenset(words[0].split(".")[0] for words in lines if len(words) == 1)
    if not names:
        raise bad_file(path, "content", "lists no clip; expected one name per line, such as S001C002P005R002A008.")
    return names


def clips_among(
    facts: Dataset, root: Path, folder: Path, found: Sequence[Path], exclude: Sequence[Path]
) -> list[Path]:
    """The clips among the files `found` in `folder`, without those in the lists `exclude`, if any is left."""
    left_out = frozenset().union(*map(read_clip_list, exclude))
    paths = [path for path in found if facts.is_clip is None or facts.is_clip(path)]
    if not paths:
        raise ValueError(nothing_found(facts, root, folder))
    paths = [path for path in paths if path.stem not in left_out]
    if not paths:
        lists = " and ".join(map(str, exclude))
        raise ValueError(f"{root}: {lists} leaves out every file; give the list of this dataset.")
    return paths


def exclusion_lists(facts: Dataset, folder: Path, exclude: str | Path | None) -> list[Path]:
    """The caller's list of clips to leave out, else the authors' lists beside the files, with a warning."""
    if exclude is not None or not facts.exclude_lists:
        return [] if exclude is None else [Path(exclude)]
    lists = sorted({path for pattern in facts.exclude_lists for path in files_called(pattern, folder)})
    if lists:
        names = ", ".join(path.name for path in lists)
        what = f"clips listed in {names} are left out (found with the files); exclude=LIST replaces this list"
    else:
        names = " or ".join(facts.exclude_lists)
        what = f"found no {names} with the files: no clip is left out; exclude=LIST leaves out the clips of a list"
    warnings.warn(f"{facts.name}: {what}", stacklevel=4)
    return lists


def fingerprint(path: Path) -> str:
    """Size and time of change of a file."""
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def sidecar_marks(folder: Path, facts: Dataset) -> dict[str, str]:
    """The fingerprints of the label files below `folder` or above it."""
    found = {path for pattern in facts.sidecars for path in files_called(pattern, folder)}
    for parent in folder.absolute().parents[:_LEVELS]:
        found |= {path for pattern in facts.sidecars for path in parent.glob(pattern) if path.is_file()}
    return {str(path): fingerprint(path) for path in sorted(found)}


def nothing_found(facts: Dataset, root: Path, folder: Path) -> str:
    """The error when no file fits: expected and found files, and the dataset they may belong to."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.name for path in found[:5]]
    expected = f"expected files called {facts.pattern!r} ({facts.title}), found none"
    return f"{root}: {expected}; the folder holds {names or 'no files'}.{other_dataset(facts, found)}"


def other_dataset(facts: Dataset | None, paths: Sequence[Path]) -> str:
    """A sentence (after a space) that names the dataset of these files, if it is another one."""
    for path in paths[:20]:
        guess = _dataset_of(path)
        if guess is not None and guess is not facts:
            return f" They look like {guess.title}: motionhub dataset build {guess.name} --raw ... --out ..."
    return ""


def about_zip(path: Path) -> str:
    """The error for a zip file where one skeleton file was expected."""
    if not zipfile.is_zipfile(path):
        return cut_off(path)
    with _opened(path) as content:
        names = [member.filename for member in content.infolist() if not member.is_dir()]
    if any(name.startswith("xl/") for name in names):
        return f"{path}: is an Excel workbook; save the sheet of positions as CSV and give that file."
    claimed = [each.name for each in DATASETS.values() if any(each.claims_name(Path(name)) for name in names)]
    name = claimed[0] if len(claimed) == 1 else "NAME"
    which = "" if name != "NAME" else f" (NAME is one of {claimed or sorted(DATASETS)})"
    shown = [Path(name).name for name in names[:3]]
    return (
        f"{path}: is a zip file of {len(names)} files such as {shown}; build a dataset with motionhub dataset build "
        f"{name} --raw {path} --out FOLDER{which}, or extract it and give a file."
    )


def cut_off(path: Path) -> str:
    """The error for a truncated zip file."""
    size = path.stat().st_size
    return f"{path}: the zip file is cut off ({size} bytes, the directory at its end is missing); download it again."


def starts_like_zip(path: Path) -> bool:
    """Whether a file starts like a zip file, complete or truncated."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_ZIP_START)) == _ZIP_START


def _dataset_of(path: Path) -> Dataset | None:
    """The dataset of one file by its name, else by its content, else None."""
    claimed = [dataset for dataset in DATASETS.values() if dataset.claims_name(path)]
    if len(claimed) == 1:
        return claimed[0]
    try:
        if path.stat().st_size > _MAX_GUESS_BYTES:
            return None
        return DATASETS.get(find_format(path).name)
    except (ValueError, OSError):
        return None


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file; damage that is found while it is open is a ValueError too."""
    try:
        with zipfile.ZipFile(archive) as content:
            yield content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{archive}: cannot be extracted, the zip file is corrupt or encrypted ({error}).") from None


def _listing_hash(archive: Path) -> str:
    with _opened(archive) as content:
        lines = [f"{member.filename} {member.file_size} {member.CRC}" for member in content.infolist()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _extract(archive: Path, facts: Dataset, folder: Path) -> None:
    """Extracts the files of the dataset; refuses paths out of the folder and contents larger than the disk."""
    patterns = (facts.pattern, *facts.sidecars, *facts.exclude_lists)
    with _opened(archive) as content:
        every = [member for member in content.infolist() if not member.is_dir()]
        members = [m for m in every if any(fnmatch(PurePosixPath(m.filename).name, p) for p in patterns)]
        if not members:
            raise ValueError(_nothing_in_zip(archive, content, every, facts))
        _check_members(archive, members, facts, folder)
        for member in members:
            place = folder / member.filename
            if not place.is_file() or place.stat().st_size != member.file_size:
                _extract_member(content, member, folder)


def _extract_member(content: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Extracts a file with its time of change, so that extracting again keeps its fingerprint."""
    try:
        place = Path(content.extract(member, folder))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES):
            raise
        shown = f"{member.filename[:60]!r}"
        raise ValueError(f"{content.filename}: the entry {shown} cannot be extracted ({error.strerror}).") from None
    with suppress(ValueError, OverflowError):  # of an invalid date
        stamp = time.mktime((*member.date_time, 0, 0, -1))
        os.utime(place, (stamp, stamp))


def _check_members(archive: Path, members: Sequence[zipfile.ZipInfo], facts: Dataset, folder: Path) -> None:
    """Raises ValueError, before extraction, for entries out of the folder or too large, and for zip bombs."""
    largest = MAX_JSON_BYTES if facts.format is not None and facts.format.container == "json" else MAX_FILE_BYTES
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
            raise ValueError(f"{archive}: the entry {member.filename!r} leads out of the folder; refused.")
        if is_too_long(inside):
            reason = "has a name longer than disks take"
            raise ValueError(f"{archive}: the entry {member.filename[:60]!r}... {reason}; rename it.")
        if member.file_size > largest:
            reason = f"extracts to {member.file_size} bytes, more than the limit of {largest} per file"
            raise ValueError(f"{archive}: the entry {member.filename!r} {reason}; make the zip without it.")
    size, packed, free = sum(m.file_size for m in members), archive.stat().st_size, shutil.disk_usage(folder).free
    if size > max(_LITTLE, _MOST_PACKED * packed):
        ratio = f"{size / packed:.0f} times its {packed} (at most {_MOST_PACKED} times is usual)"
        fix = "if you trust it, extract it yourself and give the folder"
        raise ValueError(f"{archive}: extracts to {size} bytes, {ratio}; {fix}.")
    if size > free:
        raise ValueError(f"{archive}: extracts to {size} bytes, but {folder} has {free} free; extract it elsewhere.")


def _nothing_in_zip(
    archive: Path, content: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], facts: Dataset
) -> str:
    """As `nothing_found`, with up to three small files of the zip as examples."""
    names = [PurePosixPath(member.filename).name for member in members]
    expected = f"expected files called {facts.pattern!r} ({facts.title}), found none"
    message = f"{archive}: {expected}; the zip file holds {len(names)} files, such as {names[:5]}."
    small = [member for member in members if member.file_size <= _MAX_GUESS_BYTES and member.filename][:3]
    with tempfile.TemporaryDirectory(prefix="motionhub-") as name:
        places = [Path(name) / str(row) / PurePosixPath(each.filename).name for row, each in enumerate(small)]
        for place, member in zip(places, small, strict=True):
            place.parent.mkdir()
            place.write_bytes(content.read(member))
        return message + other_dataset(facts, places)
