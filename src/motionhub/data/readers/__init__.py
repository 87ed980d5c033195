"""The readers by name, and `read`, which recognises a file's format by its content.

It does not know labels beyond what a reader annotates, nor folders (`data/build.py`).
"""

import json
from pathlib import Path

from motionhub.data.readers import ntu, nucla, penn, utd_mhad
from motionhub.data.readers.matlab import MAGIC, load_variables, variable_names
from motionhub.data.readers.reader import ClipFacts, Reader, bad_file, read_bytes
from motionhub.skeletons.sequence import SkeletonSequence


READERS: dict[str, Reader] = {
    reader.name: reader for reader in (nucla.READER, ntu.READER, penn.READER, utd_mhad.READER)
}
HEAD_BYTES = 4096

__all__ = ["READERS", "ClipFacts", "Reader", "find_reader", "get_reader", "read"]


def get_reader(name: str) -> Reader:
    """The reader called `name`. Raises ValueError listing the names there are."""
    if name not in READERS:
        raise ValueError(f"No reader is called {name!r}; the readers are {sorted(READERS)}.")
    return READERS[name]


def find_reader(path: str | Path) -> Reader:
    """The reader whose format the file's content shows.

    Raises:
        ValueError: no format fits; the message shows what the file holds and the formats with the same container.
    """
    path = Path(path)
    head = read_bytes(path)[:HEAD_BYTES]
    fitting = [reader for reader in READERS.values() if reader.matches(path, head)]
    if not fitting:
        # Content too damaged to recognise: the name still tells whose error message is the helpful one.
        fitting = [reader for reader in READERS.values() if reader.claims_name(path)]
    if not fitting:
        raise _unknown_format(path, head)
    return fitting[0]


def read(path: str | Path) -> list[SkeletonSequence]:
    """The clips in a skeleton file of any known format.

    Raises:
        ValueError: the file is absent, empty, broken or of no known format; one line with file, place and reason.
    """
    return find_reader(path).read(Path(path))


def _unknown_format(path: Path, head: bytes) -> ValueError:
    container, shown = _describe(path, head)
    near = [reader for reader in READERS.values() if reader.container == container] or list(READERS.values())
    formats = "; ".join(f"{reader.name}: {reader.signature}" for reader in near)
    return bad_file(path, "content", f"no known skeleton format ({shown}). Nearest formats: {formats}.")


def _describe(path: Path, head: bytes) -> tuple[str, str]:
    """The kind of container and what is in it, in words."""
    if head.startswith(MAGIC):
        names = variable_names(path)
        if not names:
            load_variables(path, ())  # raises, saying how the file is broken
        return "mat", f"a MATLAB file with the variables {names[:10]}"
    if head.lstrip()[:1] in (b"{", b"["):
        return "json", _describe_json(path)
    if b"\0" in head:
        return "binary", f"a binary file that starts with {head[:12]!r}"
    lines = [line[:40] for line in head.decode("utf-8", errors="replace").splitlines()[:3]]
    return "text", f"a text file that starts with the lines {lines}"


def _describe_json(path: Path) -> str:
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        return f"JSON that cannot be parsed: {error}"
    if isinstance(content, dict):
        return f"a JSON object with the keys {list(content)[:10]}"
    return f"a JSON list of {len(content)} elements"
