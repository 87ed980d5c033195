"""Lists of clip names as data sets' authors publish them, such as NTU's clips with missing skeletons.

It does not know which clips there are, nor what being listed means.
"""

from pathlib import Path

from motionhub.data.readers.reader import bad_file, read_bytes


MAX_BYTES = 2**26


def read_clip_list(path: str | Path) -> frozenset[str]:
    """The names in a text file, one a line, without their extensions.

    Lines of several words are prose (NTU's lists begin with two of them) and are skipped, as are empty ones.

    Raises:
        ValueError: the file is absent or unreadable, too large for a list, or names nothing.
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise bad_file(path, "file", f"is larger than {MAX_BYTES} bytes: that is no list of names.")
    lines = [line.split() for line in read_bytes(path).decode("utf-8", errors="replace").splitlines()]
    names = frozenset(words[0].split(".")[0] for words in lines if len(words) == 1)
    if not names:
        raise bad_file(path, "content", "names no clip; expected one name a line, such as S001C002P005R002A008.")
    return names
