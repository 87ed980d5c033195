"""A user's own pose files in any readable format; what they do not say stands in `pose_options.json`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from motionhub.data.datasets.dataset import FolderFacts
from motionhub.data.datasets.reading import find_format
from motionhub.data.formats.files import bad_file, find_above, kept_until_changed, load_json
from motionhub.data.formats.format import ReadOptions, UnstatedFact, is_number, layout_in_file
from motionhub.skeletons.layouts import layout_reference
from motionhub.skeletons.sequence import SkeletonSequence


# Every file but an archive: no pose file's name ends with the p of .zip.
ANY_POSE_FILE = "*[!pP]"
OPTIONS_FILE = "pose_options.json"
_KEYS = ("layout", "fps", "unit", "image_size")


def read_poses(path: Path, lcrnet_unit: str | None = None) -> list[SkeletonSequence]:
    """The clips of a file whose format its content shows.

    Args:
        lcrnet_unit: "pixel" or "metre" for LCR-Net's JSON, which has poses in both; None as the options say.

    Raises:
        ValueError: as `motionhub.read`; what a file lacks belongs in `pose_options.json`.
    """
    form, options = find_format(path), options_of(path)
    if form.name == "lcrnet" and lcrnet_unit is not None:
        options = replace(options, unit=lcrnet_unit)
    try:
        return form.read(path, options)
    except UnstatedFact as error:
        reason = f'write it into {OPTIONS_FILE} at the root of the data, such as {{"fps": 30, "layout": "coco-17"}}.'
        raise bad_file(path, error.option, f"the file does not say it; {reason}") from None


def read_one_clip(path: Path, lcrnet_unit: str | None = None) -> SkeletonSequence:
    """The one clip of a file. Raises ValueError when it holds none or several."""
    clips = read_poses(path, lcrnet_unit)
    if len(clips) != 1:
        raise bad_file(path, "content", f"expected one clip, got {len(clips)}; save each as a file of its own.")
    return clips[0]


def folder_facts(class_names: tuple[str, ...], clip: SkeletonSequence) -> FolderFacts:
    """The classes of a folder, with layout (by name, else all of it as JSON), frame rate and unit of a clip in it."""
    reference = layout_reference(clip.layout)
    layout = reference if isinstance(reference, str) else json.dumps(reference)
    return FolderFacts(class_names, layout, clip.fps, clip.unit)


def options_of(path: Path) -> ReadOptions:
    """What the `pose_options.json` beside or nearest above the file says. Raises ValueError when it is broken."""
    found = find_above(path, OPTIONS_FILE)
    return ReadOptions() if found is None else _load(found)


@kept_until_changed
def _load(found: Path) -> ReadOptions:
    content = load_json(found)
    if not isinstance(content, dict) or set(content) - set(_KEYS):
        got = sorted(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise bad_file(found, "JSON", f"expected an object with some of the keys {_KEYS}, got {got}.")
    size = content.get("image_size")
    if size is not None:
        whole = isinstance(size, list) and all(type(side) is int and 0 < side < 2**31 for side in size)
        if not whole or len(size) != 2:
            raise bad_file(found, "image_size", f"expected [width, height] in pixels, got {str(size)[:40]}.")
        size = (size[0], size[1])
    layout = None if content.get("layout") is None else layout_in_file(found, "layout", content["layout"])
    try:
        fps: Any = content.get("fps")
        return ReadOptions(layout, float(fps) if is_number(fps) else fps, content.get("unit"), size)
    except (ValueError, TypeError, OverflowError) as error:
        raise bad_file(found, "options", str(error)) from None


def is_pose_file(path: Path) -> bool:
    """False for hidden files and the options: what else lies in a folder of clips is taken for one."""
    return not path.name.startswith(".") and path.name != OPTIONS_FILE
