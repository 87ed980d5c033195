"""Files that appear with all of their content or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A new name beside `path` to write to; the file takes the place of `path` when the block succeeds.

    After an error nothing is left behind and an earlier `path` is untouched; after a kill `.NAME.writing` stays, which
    the next call overwrites.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".{path.name}.writing")
    writing.unlink(missing_ok=True)
    try:
        yield writing
        writing.replace(path)
    finally:
        writing.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """The text as UTF-8, by `atomic_path`."""
    with atomic_path(path) as writing:
        writing.write_text(text, encoding="utf-8")
