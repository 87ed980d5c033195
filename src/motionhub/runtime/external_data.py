"""Whether an ONNX graph keeps numbers in other files: exported folders have one file, and a path may lead anywhere.

Recent ONNX Runtimes refuse paths out of the folder, earlier ones read them. Only the lengths of the protobuf messages
are followed, so a graph of megabytes takes milliseconds.
"""

from collections.abc import Iterator


# Message -> number of a field -> message inside, of onnx.proto.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_MOST_MESSAGES = 2**20


def has_external_data(content: bytes) -> bool:
    """Whether a tensor of the graph names another file.

    Raises:
        ValueError: no protobuf message, or one of too many parts.
    """
    waiting, seen = [("model", 0, len(content))], 0
    while waiting:
        kind, start, end = waiting.pop()
        seen += 1
        if seen > _MOST_MESSAGES:
            raise ValueError(f"more than {_MOST_MESSAGES} parts")
        for number, value, first, last in _fields(content, start, end):
            if kind == "tensor":
                if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value):
                    return True
            elif (inside := _INSIDE[kind].get(number)) and last is not None:
                waiting.append((inside, first, last))
    return False


def _fields(content: bytes, place: int, end: int) -> Iterator[tuple[int, int, int, int | None]]:
    """Number, value (of a whole number), begin and end (of what has a length) of each field."""
    while place < end:
        key, place = _varint(content, place, end)
        value, first = 0, place
        last: int | None = None
        if key & 7 == 0:
            value, place = _varint(content, place, end)
        elif key & 7 in (1, 5):
            place += 8 if key & 7 == 1 else 4
        elif key & 7 == 2:
            size, first = _varint(content, place, end)
            place = last = first + size
        else:
            raise ValueError(f"a field of the unknown kind {key & 7}")
        if place > end:
            raise ValueError("cut short")
        yield key >> 3, value, first, last


def _varint(content: bytes, place: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            break
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("cut short")
