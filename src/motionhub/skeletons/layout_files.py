"""Reads a layout that somebody declared in ten lines of YAML, and refuses what cannot be meant.

It does not know the library's own layouts (`layouts.py`). A layout file is stricter than `SkeletonLayout`, whose bones
also hold published lists with their quirks: here bones form no circle and both sides have the same joints.

    name: hand-7
    description: thumb and index finger of both hands
    dims: 2
    root: neck
    joints: [neck, left_wrist, left_thumb, left_index, right_wrist, right_thumb, right_index]
    bones:                     # child, parent
      - [left_wrist, neck]
      - [left_thumb, left_wrist]
      ...

`bones`, `dims` and `description` may be left out: UNIK learns which joints belong together and needs no bones; the
bone stream and pictures do.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from motionhub.skeletons.layout import SkeletonLayout, mirror_name


SUFFIXES = (".yaml", ".yml")
# A body with hands and face has about 150 joints; a file of more is not a layout.
MAX_BYTES, MAX_JOINTS = 65_536, 1_000
# The document, a list in it, a pair in the list.
MAX_DEPTH = 3


def read_layout(path: str | Path) -> SkeletonLayout:
    """The layout that a YAML file declares.

    Raises:
        ValueError: the file is absent, too large, no plain YAML (anchors and tags are refused), or does not declare a
            layout; one sentence with the file and the place.
    """
    path = Path(path)
    try:
        return _checked(SkeletonLayout.from_dict(_content(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    import yaml

    text = _read(path)
    try:
        _refuse_tricks(yaml.parse(text, Loader=yaml.SafeLoader))
        node, content = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"not YAML{place}: {getattr(error, 'problem', None) or error}.") from None
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise ValueError(
            f"expected keys and values (name: ..., joints: [...], root: ...), got {type(content).__name__}."
        )
    keys = [key.value for key, _ in node.value]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:  # YAML itself would keep the last one, silently
        raise ValueError(f"keys {repeated} are given twice.")
    if isinstance(content.get("joints"), list) and len(content["joints"]) > MAX_JOINTS:
        raise ValueError(f"a layout has at most {MAX_JOINTS} joints, got {len(content['joints'])}.")
    return content


def _read(path: Path) -> str:
    if not path.is_file():
        raise ValueError("no such file; give the path of a YAML file that declares a layout.")
    with path.open("rb") as file:
        head = file.read(MAX_BYTES + 1)
    if len(head) > MAX_BYTES:
        raise ValueError(f"a layout file has at most {MAX_BYTES} bytes, this one has {path.stat().st_size}.")
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not text in UTF-8.") from None


def _refuse_tricks(events: Iterable[Any]) -> None:
    """Anchors, which make few bytes into gigabytes, and lists within lists within lists, before anything is built."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            raise ValueError(f"anchors (&, *) are refused, line {event.start_mark.line + 1}; write the names out.")
        depth += kind.endswith(("MappingStartEvent", "SequenceStartEvent"))
        depth -= kind.endswith(("MappingEndEvent", "SequenceEndEvent"))
        if depth > MAX_DEPTH:
            raise ValueError(f"nested too deeply, line {event.start_mark.line + 1}; bones are a list of pairs.")


def _checked(layout: SkeletonLayout) -> SkeletonLayout:
    for joint in layout.joints:
        side, _, part = joint.partition("_")
        if side in ("left", "right") and mirror_name(joint, layout.joints) == joint:
            other = {"left": "right", "right": "left"}[side]
            raise ValueError(
                f"joint {joint!r} has no {other}_{part!s}, so mirroring would leave it on its side; add the partner, "
                "or give it a name without left_ and right_."
            )
    children = [child for child, _ in layout.bones]
    twice = sorted({child for child in children if children.count(child) > 1})
    if twice:
        raise ValueError(f"{twice} are the child of several bones; a bone is [child, parent], one per child.")
    _refuse_circle(dict(layout.bones))
    return layout


def _refuse_circle(parents: dict[str, str]) -> None:
    for joint in parents:
        way = [joint]
        while way[-1] in parents:
            way.append(parents[way[-1]])
            if way[-1] == joint:
                raise ValueError(f"the bones go in a circle: {' -> '.join(way)}; the root is nobody's child.")
            if way[-1] in way[:-1]:  # a circle further up, found when its own joints are looked at
                break
