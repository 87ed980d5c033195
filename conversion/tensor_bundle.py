"""Reads names and arrays from checkpoints of `tf.train.Checkpoint`, without TensorFlow.

A checkpoint PREFIX is a table of names, `PREFIX.index` (LevelDB's format for sorted tables; values are BundleEntry
protocol buffers), and raw bytes in `PREFIX.data-00000-of-00001` and following. Checksums are not verified; entries
that are not numeric (e.g. the graph of Python objects) are skipped.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np


MAGIC = 0xDB4775248B80FB57
FOOTER = 48  # two block handles, padding, magic
TRAILER = 5  # after every block: one byte of compression, four of checksum
# DataType of TensorFlow -> NumPy
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 10: "?", 19: "<f2"}


def read_bundle(prefix: str | Path) -> dict[str, np.ndarray]:
    """All arrays of the checkpoint by name.

    Raises:
        ValueError: no such checkpoint, or a damaged one.
    """
    prefix = Path(str(prefix).removesuffix(".index"))
    index = Path(f"{prefix}.index")
    try:
        table = index.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{index} cannot be read ({error.strerror}); give the prefix of a checkpoint, such as model.ckpt-5000000, "
            "whose .index and .data-* files lie side by side."
        ) from None
    try:
        entries = dict(table_entries(table))
        shards = fields(entries.pop(b"", b"")).get(1, [1])[0]
        return {
            key.decode(): array
            for key, value in entries.items()
            if (array := _array(prefix, int(shards), fields(value), key)) is not None
        }
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{index} is damaged, or no checkpoint of TensorFlow 2 ({error}); download it again."
        ) from None


def table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a sorted table.

    Raises:
        ValueError: it is none, or its blocks are compressed.
    """
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError("the .index file is no table of TensorFlow (its last bytes differ), or is cut short")
    footer = table[-FOOTER:-8]
    position = 0
    for _ in range(2):  # the handle of the meta index block
        _, position = varint(footer, position)
    offset, position = varint(footer, position)
    size, _ = varint(footer, position)
    for _, handle in _block_entries(_block(table, offset, size)):
        start, after = varint(handle, 0)
        length, _ = varint(handle, after)
        yield from _block_entries(_block(table, start, length))


def _block(table: bytes, offset: int, size: int) -> bytes:
    block = table[offset : offset + size]
    if len(block) != size or offset + size + TRAILER > len(table):
        raise ValueError("the .index file is cut short")
    if table[offset + size]:
        raise ValueError("the .index file is compressed, which TensorFlow itself never does")
    return block


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    end, position, key = len(block) - 4 * (restarts + 1), 0, b""
    while position < end:
        shared, position = varint(block, position)
        fresh, position = varint(block, position)
        length, position = varint(block, position)
        if shared > len(key) or position + fresh + length > end:
            raise ValueError("the .index file is damaged")
        key = key[:shared] + block[position : position + fresh]
        yield key, block[position + fresh : position + fresh + length]
        position += fresh + length


def varint(content: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than ten bytes")


def fields(message: bytes) -> dict[int, list[int | bytes]]:
    """The fields of a protocol buffer by number: integers, or bytes."""
    found: dict[int, list[int | bytes]] = {}
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == 0:
            value, position = varint(message, position)
        else:
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, position = varint(message, position)
            value, position = message[position : position + length], position + length
        found.setdefault(number, []).append(value)
    return found


def _array(prefix: Path, shards: int, entry: dict[int, list[int | bytes]], key: bytes) -> np.ndarray | None:
    """BundleEntry: 1 dtype, 2 shape, 3 shard, 4 offset, 5 size."""
    kind = DTYPES.get(int(entry.get(1, [0])[0]))
    if kind is None or 7 in entry:  # strings and the like; slices of one variable
        return None
    sizes = fields(bytes(entry.get(2, [b""])[0])).get(2, [])  # type: ignore[arg-type]
    shape = tuple(int(fields(bytes(size)).get(1, [0])[0]) for size in sizes)  # type: ignore[arg-type]
    shard, offset, length = (int(entry.get(number, [0])[0]) for number in (3, 4, 5))
    path = Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}")
    if length != int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize:
        raise ValueError(f"{key.decode()!r} has shape {shape} but {length} bytes; the .index file is damaged.")
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read(length)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; it belongs to the checkpoint.") from None
    if len(content) != length:
        raise ValueError(f"{path} is cut short: {key.decode()!r} lies beyond its end; download it again.")
    return np.frombuffer(content, dtype=kind).reshape(shape)
