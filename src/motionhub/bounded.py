"""JSON and YAML of strangers: of bounded size and depth, without anchors; errors name the file.

The readers of recordings have limits of their own (`data/formats/files.py`).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


# Of a file that describes others: a config, a card, facts, results.
MAX_BYTES = 2**24
MAX_DEPTH = 50


def read_json(path: str | Path, kind: type | tuple[type, ...] = dict, most: int = MAX_BYTES) -> Any:
    """The value of a JSON file.

    Args:
        path: the file.
        kind: of the value, an object by default.
        most: bytes.

    Raises:
        ValueError: too large, no text, no JSON, nested too deeply, or a value of another kind; names the file.
        OSError: it cannot be opened.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > most or not path.is_file():
        what = f"has {size} bytes, more than {most}" if size > most else "is no regular file"
        raise ValueError(f"{path}: {what}; restore the file.")
    return parse_json(path.read_bytes(), path, kind, most)


def parse_json(
    content: str | bytes, where: str | Path, kind: type | tuple[type, ...] = dict, most: int = MAX_BYTES
) -> Any:
    """The value of a JSON text. Raises ValueError as `read_json` does; `where` is the name it says."""
    try:
        if len(content) > most:
            raise ValueError(f"{len(content)} bytes, more than {most}")
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: is not JSON ({' '.join(str(error).split())[:200]}); restore the file.") from None
    if not isinstance(value, kind):
        kinds = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{where}: expected a JSON {kinds}, got {type(value).__name__}; restore the file.")
    return value


def load_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        ValueError: anchors, by which few bytes expand to gigabytes, deep nesting, or no YAML; with the line.
    """
    import yaml

    if len(text) > MAX_BYTES:
        raise ValueError(f"has {len(text)} characters, more than {MAX_BYTES}.")
    try:
        refuse_tricks(yaml.parse(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(
            f"not YAML{place}: {' '.join(str(getattr(error, 'problem', None) or error).split())}."
        ) from None


def refuse_tricks(events: Iterable[Any], deepest: int = MAX_DEPTH, hint: str = "") -> None:
    """Refuses anchors and deep nesting in the events of a YAML parser, before anything is built."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            raise ValueError(f"anchors (&, *) are refused, line {event.start_mark.line + 1}; write the names out.")
        depth += kind.endswith(("MappingStartEvent", "SequenceStartEvent"))
        depth -= kind.endswith(("MappingEndEvent", "SequenceEndEvent"))
        if depth > deepest:
            raise ValueError(f"nested too deeply, line {event.start_mark.line + 1}{hint}.")
