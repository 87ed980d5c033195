"""An archive with exactly one form: a tar file of a manifest and of files named by their SHA-256, and nothing else.

The manifest fixes every byte after it, so reading does not interpret tar headers but compares them: a link, a device,
another name, a size, an order, an extra or a missing file all differ from the one header that can be there. It does
not know what the manifest says beyond the size of each file, nor where files go.
"""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa  # type: ignore[import-untyped]


DIGEST, MANIFEST, FOLDER = "manifest.sha256", "manifest.json", "blobs"
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
MAX_MANIFEST = 64 * 2**20
CHUNK = 2**20
# gzip's header as written here: no name, no time.
_GZIP = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BROKEN = (OSError, EOFError, zlib.error, pa.ArrowException, tarfile.TarError, UnicodeDecodeError)

Sink = Callable[[str, Iterator[bytes]], None]


def write_archive(path: Path, manifest: bytes, files: Mapping[str, Path]) -> str:
    """Writes manifest and files (SHA-256 -> file); the manifest's SHA-256. Same input, same bytes.

    Raises:
        ValueError: the suffix of `path` names no format, or a file changed while it was read.
    """
    digest = hashlib.sha256(manifest).hexdigest()
    with _compressed(path) as out:
        for name, content in ((DIGEST, f"{digest}\n".encode()), (MANIFEST, manifest)):
            _write_member(out, name, len(content), io.BytesIO(content))
        for sha256, file in sorted(files.items()):
            with file.open("rb") as source:
                found = _write_member(out, f"{FOLDER}/{sha256}", file.stat().st_size, source)
            if found != sha256:
                raise ValueError(f"{file} changed while it was packed; pack it again.")
        out.write(_end(out.tell()))
    return digest


def read_manifest(path: Path) -> bytes:
    """The manifest, whose digest fits. Raises ValueError when this is no such archive."""
    with _opened(path) as stream:
        return _read_manifest(_Reader(path, stream))


def read_archive(path: Path, sizes: Mapping[str, int], sink: Sink | None = None) -> None:
    """Compares the whole archive with its only valid form.

    Args:
        path: the archive.
        sizes: SHA-256 -> bytes of each file, as the manifest says.
        sink: gets each file's SHA-256 and its content in parts; what it stores counts only when no error follows.

    Raises:
        ValueError: any difference, at the first one.
    """
    with _opened(path) as stream:
        reader = _Reader(path, stream)
        _read_manifest(reader)
        for sha256, size in sorted(sizes.items()):
            digest = hashlib.sha256()
            parts = reader.member(f"{FOLDER}/{sha256}", size, digest)
            if sink is None:
                for _ in parts:
                    pass
            else:
                sink(sha256, parts)
            if digest.hexdigest() != sha256:
                raise reader.refused(f"the content of {FOLDER}/{sha256} is not what its name says")
        reader.end()


def _read_manifest(reader: "_Reader") -> bytes:
    announced = b"".join(reader.member(DIGEST, 65, hashlib.sha256()))
    size = reader.size_of_next(MANIFEST, MAX_MANIFEST)
    digest = hashlib.sha256()
    manifest = b"".join(reader.member(MANIFEST, size, digest, header_read=True))
    if f"{digest.hexdigest()}\n".encode() != announced:
        raise reader.refused(f"{MANIFEST} is not the one it was packed with")
    return manifest


class _Reader:
    """Takes an archive apart from front to back; every byte is accounted for."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.position = path, stream, 0

    def refused(self, reason: str) -> ValueError:
        return ValueError(f"{self.path}: refused, {reason}. The archive is damaged or was changed; copy it again.")

    def take(self, size: int) -> bytes:
        try:
            content = self.stream.read(size)
            while len(content) < size and (more := self.stream.read(size - len(content))):
                content += more
        except _BROKEN as error:
            raise self.refused(f"it cannot be read after {self.position} bytes ({error})") from None
        self.position += len(content)
        if len(content) < size:
            raise self.refused(f"it is cut off after {self.position} bytes")
        return content

    def size_of_next(self, name: str, largest: int) -> int:
        """The size of a member that may have any; its header is taken."""
        header = self.take(tarfile.BLOCKSIZE)
        try:
            size = tarfile.TarInfo.frombuf(header, "utf-8", "strict").size
        except _BROKEN:
            size = -1
        if not 0 <= size <= largest or header != _header(name, size):
            raise self.refused(f"expected {name}, found {_described(header)}")
        return size

    def member(self, name: str, size: int, digest: Any, header_read: bool = False) -> Iterator[bytes]:
        """The content of the member that must come next, in parts."""
        if not header_read:
            header = self.take(tarfile.BLOCKSIZE)
            if header != _header(name, size):
                raise self.refused(f"expected {name} of {size} bytes, found {_described(header)}")
        remaining = size
        while remaining:
            part = self.take(min(CHUNK, remaining))
            remaining -= len(part)
            digest.update(part)
            yield part
        if any(self.take(-size % tarfile.BLOCKSIZE)):
            raise self.refused(f"something is hidden after {name}")

    def end(self) -> None:
        padding = self.take(len(_end(self.position)))
        if any(padding):
            raise self.refused(f"expected the end, found {_described(padding[: tarfile.BLOCKSIZE])}")
        try:
            rest = self.stream.read(1)
        except _BROKEN as error:
            raise self.refused(f"its end is broken ({error})") from None
        if rest:
            raise self.refused("something follows its end")


def _header(name: str, size: int) -> bytes:
    """Nothing in it depends on the machine, the user or the time; GNU, because one block holds any size."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _described(header: bytes) -> str:
    if not any(header):
        return "the end"
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
    except _BROKEN:
        return "a damaged header"
    kinds = {tarfile.SYMTYPE: "a link", tarfile.LNKTYPE: "a link", tarfile.DIRTYPE: "a folder"}
    kinds |= {tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a pipe"}
    return f"{kinds.get(info.type, 'a file')} {info.name!r} of {info.size} bytes"


def _write_member(out: Any, name: str, size: int, content: IO[bytes]) -> str:
    out.write(_header(name, size))
    digest, written = hashlib.sha256(), 0
    while part := content.read(CHUNK):
        digest.update(part)
        written += len(part)
        out.write(part)
    if written != size:
        raise ValueError(f"{name} has {written} bytes, expected {size}; pack it again.")
    out.write(bytes(-size % tarfile.BLOCKSIZE))
    return digest.hexdigest()


def _end(position: int) -> bytes:
    """Two empty blocks, then zeros up to a whole record."""
    end = 2 * tarfile.BLOCKSIZE
    return bytes(end + -(position + end) % tarfile.RECORDSIZE)


class _Counted:
    """A stream that knows how much went in, whatever its compression makes of it."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.position = stream, 0

    def write(self, content: bytes) -> None:
        self.stream.write(content)
        self.position += len(content)

    def tell(self) -> int:
        return self.position


@contextmanager
def _compressed(path: Path) -> Iterator[_Counted]:
    if path.name.endswith((".tar.gz", ".tgz")):
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
            yield _Counted(stream)
    elif path.name.endswith(".tar.zst"):
        with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as stream:
            yield _Counted(stream)
    elif path.name.endswith(".tar"):
        with path.open("wb") as stream:
            yield _Counted(stream)
    else:
        raise ValueError(f"{path}: the name of a bundle ends in one of {list(SUFFIXES)}.")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The tar file in an archive, by content."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); give the file of a bundle.") from None
    with raw:
        head = raw.read(len(_GZIP))
        raw.seek(0)
        if head.startswith(_ZSTD):
            with pa.CompressedInputStream(pa.PythonFile(raw), "zstd") as stream:
                yield stream
        elif head.startswith(_GZIP[:2]):
            if head != _GZIP:
                raise ValueError(f"{path}: refused, its first bytes are not those of a bundle.")
            yield _Gunzipped(raw)  # type: ignore[misc]
        else:
            yield raw


class _Gunzipped:
    """gzip's content; unlike `gzip.open` it does not overlook what follows the end."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw, self.inflate, self.ready = raw, zlib.decompressobj(31), b""

    def read(self, size: int) -> bytes:
        while len(self.ready) < size and not self.inflate.eof:
            waiting = self.inflate.unconsumed_tail or self.raw.read(2**16)
            if not waiting:
                raise EOFError("the compressed data end early")
            self.ready += self.inflate.decompress(waiting, CHUNK)
        content, self.ready = self.ready[:size], self.ready[size:]
        if self.inflate.eof and not content and (self.inflate.unused_data or self.raw.read(1)):
            raise EOFError("something follows the compressed data")
        return content
