"""The bytes of a bundle: a tar file of a manifest and of files named by their SHA-256, in exactly one form.

The manifest fixes every byte after it, so the reader compares tar headers instead of interpreting them: a link, a
device, another name, size or order, an extra or a missing file all differ from the expected header.
"""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]


SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
DIGEST, MANIFEST = "manifest.sha256", "manifest.json"
MAX_MANIFEST = 64 * 2**20
CHUNK = 2**20
# gzip's header as written here: no name, no time.
_GZIP = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
_ZSTD = b"\x28\xb5\x2f\xfd"


def write_archive(path: Path, manifest: bytes, files: Mapping[str, Path], name: str = "") -> None:
    """Writes manifest and files (SHA-256 -> file, not hashed again), packed by the suffix of `name` or `path`."""
    digest = f"{hashlib.sha256(manifest).hexdigest()}\n".encode()
    name = name or path.name
    zipped, zstd = name.endswith("gz"), "zstd" if name.endswith(".zst") else None
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) if zipped else pa.output_stream(raw, compression=zstd) as stream,
        tarfile.open(mode="w|", fileobj=stream, format=tarfile.GNU_FORMAT) as archive,
    ):
        for member, content in ((DIGEST, digest), (MANIFEST, manifest)):
            archive.addfile(_member(member, len(content)), io.BytesIO(content))
        for sha256, file in sorted(files.items()):
            with file.open("rb") as opened:
                archive.addfile(_member(f"blobs/{sha256}", file.stat().st_size), opened)


@contextmanager
def open_archive(path: Path) -> Iterator["Archive"]:
    """The archive for reading; its compression is detected by content. Raises ValueError when it cannot be read."""
    try:
        with path.open("rb") as raw:
            head = raw.read(len(_GZIP))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); pass the file of a bundle.") from None
    zipped, zstd = head.startswith(_GZIP[:2]), "zstd" if head.startswith(_ZSTD) else None
    if zipped and head != _GZIP:
        raise ValueError(f"{path}: refused, its first bytes are not those of a bundle.")
    with pa.input_stream(str(path), compression="gzip" if zipped else zstd) as stream:
        yield Archive(path, stream)


class Archive:
    """Reads an archive from front to back and checks every byte; the first difference is a ValueError."""

    def __init__(self, path: Path, stream: Any) -> None:
        self.path, self._stream, self._position = path, stream, 0

    def read_manifest(self) -> bytes:
        """The manifest, after a check of its digest."""
        announced = b"".join(self._parts(DIGEST, 65))
        manifest = b"".join(self._parts(MANIFEST, None))
        if f"{hashlib.sha256(manifest).hexdigest()}\n".encode() != announced:
            raise self._refused(f"{MANIFEST} is not the one that was packed")
        return manifest

    def read_files(self, sizes: Mapping[str, int], into: Path | None = None) -> dict[str, str]:
        """Reads everything after the manifest; SHA-256 -> the SHA-1 that git gives the file.

        Args:
            sizes: SHA-256 -> bytes of each file, as in the manifest.
            into: folder for the files, named by SHA-256; valid only if no error follows. None writes nothing.
        """
        as_git = {}
        for sha256, size in sorted(sizes.items()):
            found, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
            with (into / sha256 if into else Path(os.devnull)).open("wb") as file:
                for part in self._parts(f"blobs/{sha256}", size):
                    found.update(part)
                    git.update(part)
                    file.write(part)
            if found.hexdigest() != sha256:
                raise self._refused(f"the content of blobs/{sha256} is not what its name says")
            as_git[sha256] = git.hexdigest()
        end = 2 * tarfile.BLOCKSIZE  # then zeros up to a whole record
        if any(padding := self._take(end + -(self._position + end) % tarfile.RECORDSIZE)):
            raise self._refused(f"expected the end, found {_said(padding)}")
        if self._take(1, exact=False):
            raise self._refused("something follows its end")
        return as_git

    def _parts(self, name: str, size: int | None) -> Iterator[bytes]:
        """The content of the member that must come next; None is any size up to `MAX_MANIFEST`."""
        header = self._take(tarfile.BLOCKSIZE)
        remaining = min(max(_found(header).size, 0), MAX_MANIFEST) if size is None else size
        if header != _member(name, remaining).tobuf(tarfile.GNU_FORMAT):
            raise self._refused(f"expected {name}{f' of {size} bytes' if size else ''}, found {_said(header)}")
        padding = -remaining % tarfile.BLOCKSIZE
        while remaining:
            part = self._take(min(CHUNK, remaining))
            remaining -= len(part)
            yield part
        if any(self._take(padding)):
            raise self._refused(f"something is hidden after {name}")

    def _take(self, size: int, exact: bool = True) -> bytes:
        content = b""
        try:
            while len(content) < size and (more := self._stream.read(size - len(content))):
                content += more
        except (OSError, pa.ArrowException) as error:
            raise self._refused(f"it cannot be read after {self._position} bytes ({error})") from None
        self._position += len(content)
        if exact and len(content) < size:
            raise self._refused(f"it is cut off after {self._position} bytes")
        return content

    def _refused(self, reason: str) -> ValueError:
        return ValueError(f"{self.path}: refused, {reason}. The archive is damaged or was changed; copy it again.")


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A header that does not depend on the machine, the user or the time."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _found(block: bytes) -> tarfile.TarInfo:
    """The header in a block, for messages."""
    try:
        return tarfile.TarInfo.frombuf(block[: tarfile.BLOCKSIZE], "utf-8", "replace")
    except tarfile.TarError:
        return _member("damaged header" if any(block) else "end of the archive", 0)


def _said(block: bytes) -> str:
    found = _found(block)
    return f"{'file' if found.isreg() else 'link, device or pipe'} {found.name!r} of {found.size} bytes"
