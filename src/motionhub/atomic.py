"""Files that appear with all of their content or not at all; a disk that is full or read-only is named in one line."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


# What disks refuse; other errors inside a block (a file that is read there) are not about the target.
_OF_A_DISK = {
    errno.ENOSPC,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    getattr(errno, "EDQUOT", 0),
}
# A disk that takes so much is not full.
_PROBE = 2**16


class WriteError(OSError):
    """A file could not be written; the message names it, says why, and what is there now."""

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def atomic_path(path: str | Path, *, new: bool = False) -> Iterator[Path]:
    """A new name beside `path` to write to; the file (or folder) takes the place of `path` when the block succeeds.

    After an error nothing is left behind and an earlier `path` is untouched; after a kill `.NAME.PID-THREAD.writing`
    stays, which the next call removes. Several writers of one path do not disturb each other: the last one stays.

    Args:
        new: refuse a `path` that exists by then, whoever made it.

    Raises:
        WriteError: the disk is full, read-only or refuses; names `path`, and whether an earlier file is intact.
        FileExistsError: `new`, and `path` exists.
    """
    path = Path(path)
    with _writing_to(path) as writing:
        yield writing
        _place_new(writing, path) if new else writing.replace(path)


@contextmanager
def _writing_to(path: Path) -> Iterator[Path]:
    """The name of this process and thread to write to; whatever lies there afterwards is removed."""
    writing = path.with_name(f".{path.name[:180]}.{os.getpid()}-{threading.get_ident()}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(path)
        yield writing
    except OSError as error:
        ours = error.filename is None or str(writing) in (str(error.filename), str(error.filename2))
        if error.errno not in _OF_A_DISK or isinstance(error, WriteError) or not (ours or _inside(path, error)):
            raise
        raise _refused(path, error) from None
    finally:
        _remove(writing)


def write_text(path: str | Path, text: str) -> None:
    """The text as UTF-8, with its line ends as they are, by `atomic_path`."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, content: bytes, *, new: bool = False) -> None:
    """The bytes by `atomic_path`, which first asks whether the disk has room for them."""
    with atomic_path(path, new=new) as writing:
        free = shutil.disk_usage(writing.parent).free
        if len(content) > free:
            raise OSError(errno.ENOSPC, f"needs {len(content)} bytes, its disk has {free} free")
        writing.write_bytes(content)


@contextmanager
def disk_named(folder: str | Path) -> Iterator[None]:
    """Names the folder in errors of its disk that name no file, such as those of libraries that write there.

    Raises:
        WriteError: the disk is full, read-only or refuses.
    """
    try:
        yield
    except Exception as error:
        full = "(os error 28)" in str(error)  # as safetensors says it
        number = error.errno if isinstance(error, OSError) else errno.ENOSPC if full else None
        named = isinstance(error, OSError) and error.filename is not None
        if number not in _OF_A_DISK or named or isinstance(error, WriteError):
            raise
        raise WriteError(
            number, f"{folder}: cannot be written ({os.strerror(number or 0)}); make room there."
        ) from None


def check_writable(path: str | Path) -> None:
    """Raises WriteError when nothing can be written beside `path`, for programs that compute for long before they do.

    Folders that it makes for it are removed again.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        with _writing_to(path) as probe:
            probe.write_bytes(bytes(_PROBE))
    finally:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def _refused(path: Path, error: OSError) -> WriteError:
    kept = "what was there before is intact" if os.path.lexists(path) else "nothing is left of it"
    return WriteError(error.errno, f"{path}: cannot be written ({error.strerror or error}); {kept}.")


def _inside(path: Path, error: OSError) -> bool:
    """Whether an error is about the folder of `path` or a file in the folder that is being written."""
    named = Path(os.fsdecode(error.filename)) if error.filename else path
    return named in path.parents or any(parent.suffix == ".writing" for parent in (named, *named.parents))


def _place_new(writing: Path, path: Path) -> None:
    """As a rename, but an existing file is not replaced, where the file system has hard links."""
    if writing.is_dir():
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(path))
        writing.rename(path)
        return
    try:
        os.link(writing, path)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", str(path)) from None
        writing.replace(path)


def _remove_left(path: Path) -> None:
    """Removes what writers of this path left when they were killed."""
    start, end = f".{path.name[:180]}.", ".writing"
    for name in os.listdir(path.parent):
        if name.startswith(start) and name.endswith(end):
            number = name[len(start) : -len(end)].partition("-")[0]
            if number.isdigit() and not _runs(int(number)):
                _remove(path.with_name(name))


def _runs(number: int) -> bool:
    import psutil  # type: ignore[import-untyped]

    return bool(psutil.pid_exists(number))


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
