"""The raw files of a dataset, below a folder or in a zip: which are clips, and what to say when nothing fits."""

import hashlib
import os
import shutil
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from motionhub.data.datasets.dataset import Dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format
from motionhub.data.formats.files import MAX_FILE_BYTES, MAX_JSON_BYTES, bad_file, read_text


# A zip file begins so, also one that was cut off.
_ZIP_START = b"PK\x03\x04"
# What is looked into to say which dataset a strange file belongs to.
_MAX_GUESS_BYTES = 2**26
# Zips of real skeletons hold 1.0 to 4.2 times their own size (Bandai-Namco's BVH the most); deflate reaches 1,032.
# What is little stays allowed whatever the ratio: a few clips of nothing but zeros are no bomb.
_MOST_PACKED, _LITTLE = 200, 2**26
_MAX_LIST_BYTES = 2**26
# Label lists may lie this many folders above the clips.
_LEVELS = 3


@contextmanager
def opened(root: Path, facts: Dataset, into: Path | None = None) -> Iterator[tuple[Path, list[Path]]]:
    """The folder that holds the dataset's files and these files, sorted; or the one file `root` is.

    Args:
        root: a folder, searched with its sub-folders, a zip file of one, or one file.
        facts: the dataset; its `pattern` tells the files, its `sidecars` come out of a zip with them.
        into: where a zip file is extracted to, and stays, so that a later call finds it done; by default a temporary
            folder.

    Raises:
        ValueError: `root` is none of these, the zip is broken, or holds nothing of this dataset.
    """
    if root.is_dir():
        yield root, files_called(facts.pattern, root)
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
        raise _no_root(root)


def files_called(pattern: str, folder: Path) -> list[Path]:
    """All files below `folder` whose name fits `pattern`, sorted."""
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def data_root(facts: Dataset, root: Path, folder: Path) -> Path:
    """The root of the data in the folder that `opened` gave: a zip often holds that root, and nothing beside it."""
    if root.is_dir():
        return root
    inside = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__"))]
    if facts.look_into is None or len(inside) != 1 or not inside[0].is_dir():
        return folder
    tables = [name for name in facts.sidecars if name.endswith(".csv")]
    whole = any(entry.is_dir() or entry.name in tables for entry in inside[0].iterdir())
    return inside[0] if whole else folder


def read_clip_list(path: str | Path) -> frozenset[str]:
    """The names in a text file, one a line, without their extensions.

    Lines of several words are prose (NTU's lists begin with two of them) and are skipped, as are empty ones.

    Raises:
        ValueError: the file is absent or unreadable, too large for a list, or names nothing.
    """
    path = Path(path)
    lines = [line.split() for line in read_text(path, _MAX_LIST_BYTES).splitlines()]
    names = frozenset(words[0].split(".")[0] for words in lines if len(words) == 1)
    if not names:
        raise bad_file(path, "content", "names no clip; expected one name a line, such as S001C002P005R002A008.")
    return names


def clips_among(
    facts: Dataset, root: Path, folder: Path, found: Sequence[Path], exclude: Sequence[Path]
) -> list[Path]:
    """The files that are clips and are not left out on purpose.

    Args:
        root: what the caller named, for messages.
        folder: where the files lie, and `found` in it.
        exclude: lists of clips, see `read_clip_list`.

    Raises:
        ValueError: no clip is left, or what `read_clip_list` raises.
    """
    left_out = frozenset().union(*map(read_clip_list, exclude))
    paths = [path for path in found if facts.is_clip is None or facts.is_clip(path)]
    if not paths:
        raise ValueError(nothing_found(facts, root, folder))
    paths = [path for path in paths if path.stem not in left_out]
    if not paths:
        lists = " and ".join(map(str, exclude))
        raise ValueError(f"{root}: every file is left out by {lists}; give another dataset's list.")
    return paths


def exclusion_lists(facts: Dataset, folder: Path, exclude: str | Path | None) -> list[Path]:
    """The caller's list of clips to leave out, else the authors' where they lie with the files, which a note says."""
    if exclude is not None or not facts.exclude_lists:
        return [] if exclude is None else [Path(exclude)]
    call = "exclude=LIST"
    lists = sorted({path for pattern in facts.exclude_lists for path in files_called(pattern, folder)})
    if lists:
        names = ", ".join(path.name for path in lists)
        what = f"the clips named in {names} are left out (found with the files); {call} is applied instead"
    else:
        names = " or ".join(facts.exclude_lists)
        what = f"no {names} lies with the files: no clip is left out; {call} leaves out those that the list names"
    warnings.warn(f"{facts.name}: {what}", stacklevel=4)
    return lists


def fingerprint(path: Path) -> str:
    """A short text that changes when the file does: its size and its time of change."""
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def sidecar_marks(folder: Path, facts: Dataset) -> dict[str, str]:
    """The marks of the label files below `folder` or above it."""
    above = [
        found for parent in folder.absolute().parents[:_LEVELS] for p in facts.sidecars for found in parent.glob(p)
    ]
    below = [found for pattern in facts.sidecars for found in files_called(pattern, folder)]
    return {str(path): fingerprint(path) for path in sorted({*above, *below}) if path.is_file()}


def nothing_found(facts: Dataset, root: Path, folder: Path) -> str:
    """The message when no file fits: what was expected, what is there, and which dataset that looks like."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.name for path in found[:5]]
    expected = f"expected files called {facts.pattern!r} ({facts.title}), found none"
    return f"{root}: {expected}; the folder holds {names or 'no files'}.{other_data_set(facts, found)}"


def other_data_set(facts: Dataset | None, paths: Sequence[Path]) -> str:
    """A sentence, with a space before it, that names the dataset these files belong to when it is another one."""
    for path in paths[:20]:
        guess = _data_set_of(path)
        if guess is not None and guess is not facts:
            return f" They look like {guess.title}: motionhub dataset build {guess.name} --raw ... --out ..."
    return ""


def about_zip(path: Path) -> str:
    """What to do with a zip file where one skeleton file was expected."""
    if not zipfile.is_zipfile(path):
        return cut_off(path)
    with zipfile.ZipFile(path) as content:
        names = [member.filename for member in content.infolist() if not member.is_dir()]
    claimed = [each.name for each in DATASETS.values() if any(each.claims_name(Path(name)) for name in names)]
    name = claimed[0] if len(claimed) == 1 else "NAME"
    which = "" if name != "NAME" else f" (NAME is one of {claimed or sorted(DATASETS)})"
    shown = [Path(name).name for name in names[:3]]
    return (
        f"{path}: is a zip file of {len(names)} files such as {shown}; make a dataset of it with motionhub dataset "
        f"build {name} --raw {path} --out FOLDER{which}, or extract it and name a file."
    )


def cut_off(path: Path) -> str:
    """The message for a zip file without its end."""
    return (
        f"{path}: the zip file is cut off ({path.stat().st_size} bytes, its table of contents, which comes last, is "
        "missing); download or copy it again."
    )


def starts_like_zip(path: Path) -> bool:
    """Whether a file begins as zip files do, be it whole or cut off."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_ZIP_START)) == _ZIP_START


def _no_root(root: Path) -> ValueError:
    if starts_like_zip(root):
        return ValueError(cut_off(root))
    kind = "is neither a folder nor a zip file" if root.exists() else "does not exist"
    return ValueError(f"{root}: {kind}; give the folder (or the zip) that holds the dataset's files.")


def _data_set_of(path: Path) -> Dataset | None:
    """The dataset of one file by its name, else by its content; None when neither tells."""
    claimed = [dataset for dataset in DATASETS.values() if dataset.claims_name(path)]
    if len(claimed) == 1:
        return claimed[0]
    try:
        if path.stat().st_size > _MAX_GUESS_BYTES:
            return None
        return DATASETS.get(find_format(path).name)
    except (ValueError, OSError):
        return None


def _listing_hash(archive: Path) -> str:
    with zipfile.ZipFile(archive) as content:
        lines = [f"{member.filename} {member.file_size} {member.CRC}" for member in content.infolist()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _extract(archive: Path, facts: Dataset, folder: Path) -> None:
    """The files called like the dataset's; refuses paths that leave the folder and contents larger than the disk."""
    patterns = (facts.pattern, *facts.sidecars, *facts.exclude_lists)
    try:
        with zipfile.ZipFile(archive) as content:
            every = [member for member in content.infolist() if not member.is_dir()]
            members = [m for m in every if any(fnmatch(PurePosixPath(m.filename).name, p) for p in patterns)]
            if not members:
                raise ValueError(_nothing_in_zip(archive, content, every, facts))
            _check_members(archive, members, facts, folder)
            for member in members:
                place = folder / member.filename
                if not place.is_file() or place.stat().st_size != member.file_size:
                    _extract_member(content, member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{archive}: cannot be extracted, the zip file is corrupt or encrypted ({error}).") from None


def _extract_member(content: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """One file, with the time of change that the zip gives it, so that extracting again changes no mark."""
    place = Path(content.extract(member, folder))
    try:
        stamp = time.mktime((*member.date_time, 0, 0, -1))
        os.utime(place, (stamp, stamp))
    except (ValueError, OverflowError):
        return  # a date that is none


def _check_members(archive: Path, members: Sequence[zipfile.ZipInfo], facts: Dataset, folder: Path) -> None:
    """Refuses, before anything is extracted, what leads out of the folder, no reader reads, or unpacks without end."""
    largest = MAX_JSON_BYTES if facts.format is not None and facts.format.container == "json" else MAX_FILE_BYTES
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
            raise ValueError(f"{archive}: the entry {member.filename!r} leads out of the folder; refused.")
        if member.file_size > largest:
            reason = f"extracts to {member.file_size} bytes, more than the {largest} that are read of a file"
            raise ValueError(f"{archive}: the entry {member.filename!r} {reason}; make the zip without it.")
    size, packed, free = sum(m.file_size for m in members), archive.stat().st_size, shutil.disk_usage(folder).free
    if size > max(_LITTLE, _MOST_PACKED * packed):
        what = (
            f"extracts to {size} bytes, {size / packed:.0f} times its {packed} (at most {_MOST_PACKED} times is usual)"
        )
        raise ValueError(f"{archive}: {what}; if you trust it, extract it yourself and give the folder.")
    if size > free:
        raise ValueError(f"{archive}: extracts to {size} bytes, but {folder} has {free} free; extract it elsewhere.")


def _nothing_in_zip(
    archive: Path, content: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], facts: Dataset
) -> str:
    """As `nothing_found`; one small file of the zip is extracted for a look."""
    names = [PurePosixPath(member.filename).name for member in members]
    expected = f"expected files called {facts.pattern!r} ({facts.title}), found none"
    message = f"{archive}: {expected}; the zip file holds {len(names)} files, such as {names[:5]}."
    small = [member for member in members if member.file_size <= _MAX_GUESS_BYTES and member.filename][:3]
    with tempfile.TemporaryDirectory(prefix="motionhub-") as name:
        looked_at = []
        for number, member in enumerate(small):
            place = Path(name) / str(number) / PurePosixPath(member.filename).name
            place.parent.mkdir()
            place.write_bytes(content.read(member))
            looked_at.append(place)
        return message + other_data_set(facts, looked_at)
