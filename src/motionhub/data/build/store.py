"""Whole files at an fsspec address (`file://`, `s3://`, `hf://`, `memory://`, or a plain path), with retries.

A file appears whole or not at all: on a disk by a rename, in an object store because one request holds all of it.
"""

import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from motionhub.atomic import write_bytes


ATTEMPTS = 5
TIMEOUT = 120.0
FIRST_WAIT = 0.5
# Answers that another attempt does not change.
_FINAL = (
    *(FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError),
    *(ImportError, TypeError, ValueError, NotImplementedError),
)
# Names under which stores state the version of a file's content.
_CONTENT_MARKS = ("ETag", "etag", "blob_id", "sha256", "md5", "mtime")


class StoreError(OSError):
    """A store that does not answer, after all attempts."""


@dataclass(frozen=True)
class StoredFile:
    """A file as a store lists it: `size` in bytes (-1: not stated), and a `mark` that changes with its content."""

    size: int
    mark: str


@dataclass(frozen=True)
class Store:
    """A folder at an address; picklable, so that workers on other machines can have it.

    Args:
        address: of a folder: a path, or a URL of any file system of fsspec.
        options: of the file system, such as `{"key": ..., "secret": ...}`; in pairs, so that it can be hashed.
        attempts: at each request.
        timeout: seconds for a request; then it counts as failed.
        first_wait: seconds before the second attempt; doubled for each further one.

    Examples:
        >>> from motionhub.data.build.store import Store
        >>> store = Store("memory://poses")
        >>> store.write("a/b.txt", b"hello")
        >>> store.read("a/b.txt"), list(store.files())
        (b'hello', ['a/b.txt'])
    """

    address: str
    options: tuple[tuple[str, Any], ...] = ()
    attempts: int = ATTEMPTS
    timeout: float = TIMEOUT
    first_wait: float = FIRST_WAIT

    @property
    def writes_are_commits(self) -> bool:
        """Whether every write is a commit of a repository of the Hub, which has an hourly quota of them."""
        return self.address.startswith("hf://") and not self.address.startswith("hf://buckets/")

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: a pipe or device, whose reading might never end.
            StoreError: the store does not answer.
        """
        files, path = self._place(name)
        if _is_local(files) and os.path.exists(path) and not os.path.isfile(path):
            raise ValueError(f"{path}: is no regular file; remove it.")
        content: bytes = self._tried(name, lambda files, path: files.cat_file(path))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, in place of one of that name."""
        files, path = self._place(name)
        if _is_local(files):
            write_bytes(path, content)
        else:
            self._tried(name, lambda files, path: _put(files, path, content))

    def remove(self, name: str) -> None:
        """Removes a file, if it exists."""
        with suppress(FileNotFoundError):
            self._tried(name, _remove_file)

    def remove_folder(self, name: str) -> None:
        """Removes a folder with its files, if it exists."""
        with suppress(FileNotFoundError):
            self._tried(name, lambda files, path: files.rm(path, recursive=True))

    def files(self, folder: str = "") -> dict[str, StoredFile]:
        """All files below a folder, by their path below the store, sorted; empty if it does not exist."""
        return self._tried(folder, _listed(self._place("")[1]))

    def links_outside(self, names: Iterable[str]) -> list[str]:
        """Those that are links to files elsewhere on this machine."""
        files, root = self._place("")
        if not _is_local(files):
            return []
        found = (name for name in names if os.path.islink(os.path.join(root, name)))
        home = os.path.realpath(root)
        return [name for name in found if not Path(os.path.realpath(os.path.join(root, name))).is_relative_to(home)]

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A path on this machine: of the file itself, or of a copy that exists inside the block only."""
        files, path = self._place(name)
        if _is_local(files):
            if not os.path.exists(path):
                raise FileNotFoundError(f"{path}: there is no such file.")
            yield Path(path)
            return
        with tempfile.TemporaryDirectory(prefix="motionhub-") as folder:
            # Readers look at the suffix only; a long or odd name need not be one of this disk's.
            copy = Path(folder) / f"file{PurePosixPath(name).suffix}"
            self._tried(name, lambda files, path: files.get_file(path, str(copy)))
            yield copy

    def _place(self, name: str) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        files, root = url_to_fs(self.address, **dict(self.options))
        return files, f"{root.rstrip('/')}/{name}" if name else root

    def _tried(self, name: str, call: Callable[[Any, str], Any]) -> Any:
        """The result of `call(file system, path)`, repeated where the store, not the file, is the trouble."""
        files, path = self._place(name)
        if _is_local(files):
            return call(files, path)
        where = f"{self.address.rstrip('/')}/{name}".rstrip("/")
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.first_wait * 2 ** (attempt - 1))
            try:
                return _within(self.timeout, lambda: call(files, path))
            except (FileNotFoundError, PermissionError) as error:  # stores say "Access Denied", and not to what
                kind = FileNotFoundError if isinstance(error, FileNotFoundError) else PermissionError
                raise kind(f"{where}: {' '.join(str(error).split()) or 'is not there'}") from error
            except _FINAL:
                raise
            except Exception as error:  # each client of a store has its own classes
                last = error
        why = " ".join(str(last).split()) or type(last).__name__
        raise StoreError(f"{where}: the store failed {self.attempts} times, at last: {why}. Run the same call again.")


def store_at(address: str | os.PathLike[str], options: Mapping[str, Any] | None = None) -> Store:
    """The store of an address, with options of its file system.

    Raises:
        ValueError: no file system has such addresses.
        ImportError: its package is not installed.
    """
    text = os.fspath(address)
    store = Store(text, tuple(sorted((options or {}).items())))
    try:
        store._place("")
    except ValueError as error:
        raise ValueError(
            f"{text}: expected a path or an address of fsspec, such as s3://BUCKET/NAME: {error}."
        ) from None
    except ImportError as error:
        raise ImportError(f"{text}: {error}") from None
    return store


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """The result of `call`, or TimeoutError; a thread that hangs is left behind, and does not keep Python alive."""
    answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # for the caller's thread
            answers.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        value, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return value


def _put(files: Any, path: str, content: bytes) -> None:
    try:
        files.pipe_file(path, content)
    except FileNotFoundError:  # where folders are real
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.pipe_file(path, content)


def _remove_file(files: Any, path: str) -> None:
    try:
        files.rm_file(path)
    except Exception:  # of an absent file, each store says something else
        folder = path.rpartition("/")[0]
        if path.removeprefix(folder).lstrip("/") in _listed(folder)(files, folder):
            raise


def _listed(root: str) -> Callable[[Any, str], dict[str, StoredFile]]:
    """A call that lists below a folder, without what an earlier listing left in memory."""

    def call(files: Any, path: str) -> dict[str, StoredFile]:
        files.invalidate_cache()
        found = files.find(path, detail=True)
        start = root.rstrip("/")
        names = {str(file).removeprefix(start).lstrip("/"): facts for file, facts in found.items()}
        return {name: _stored(names[name]) for name in sorted(names) if name}

    return call


def _stored(facts: Mapping[str, Any]) -> StoredFile:
    size = facts.get("size")
    mark = next((str(facts[name]) for name in _CONTENT_MARKS if facts.get(name)), "")
    return StoredFile(-1 if size is None else int(size), mark)


def _is_local(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
