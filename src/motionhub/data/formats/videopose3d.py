"""Reads VideoPose3D's archives: `positions_2d` (`data_2d_*.npz`) or `positions_3d` (`data_3d_*.npz`), pickled dicts.

Also the archive its `infer_video` scripts write for a video, with the `boxes` and `keypoints` of each frame.
The dicts go from subject (or video) to action to arrays: of a camera each (frames, joints, 2), or (frames, joints, 3).
They are decoded without running code.
"""

from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.arrays import archive_of, names_in
from motionhub.data.formats.detections import clip_of, scored_detection
from motionhub.data.formats.files import bad_file, nan_at_origin, note, read_bytes
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.skeletons.sequence import SkeletonSequence


_KEYS = {"positions_2d": 2, "positions_3d": 3}
_LAYOUTS = {"coco": "coco-17", "h36m": "h36m-17"}


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """A clip for each subject, action and camera, in the order of the file; 2-D in pixels, 3-D in metres.

    The layout is that of `metadata`; the image size is that of the video, where `metadata` has it.
    """
    wanted = {*_KEYS, "metadata", "keypoints"}
    arrays = archive_of(path, read_bytes(path), wanted, objects=wanted)
    if "boxes" in arrays:
        return [_inferred(path, arrays, options)]
    key = next(key for key in _KEYS if key in arrays)
    metadata = arrays.get("metadata")
    facts: dict[Any, Any] = metadata if isinstance(metadata, dict) else {}
    clips, names = [], []
    for subject, actions in _items(path, key, arrays[key]):
        for action, content in _items(path, f"{key}.{subject}", actions):
            views = content if isinstance(content, list) else [content]
            for camera, view in enumerate(views):
                place = f"{subject}/{action}" + f" camera {camera}" * (len(views) > 1)
                clips.append(_clip(path, place, view, _KEYS[key], facts, subject, options))
                names.append(place)
    if not clips:
        raise bad_file(path, key, "holds no clip.")
    if len(clips) > 1:
        note(path, key, f"{len(clips)} clips in this order: {', '.join(names[:8])}{', ...' * (len(names) > 8)}.")
    return clips


def _inferred(path: Path, arrays: dict[str, Any], options: ReadOptions) -> SkeletonSequence:
    """People of each frame, `(people, 4, 17)` x, y, logit and probability; without a list of classes only people."""
    entries = arrays.get("keypoints")
    if not isinstance(entries, list) or len(entries) % 2:
        raise bad_file(path, "keypoints", "expected the two classes (background, person) of each frame.")
    layout = options.layout_of(path, "coco-17")
    frames = []
    for time, people in enumerate(entries[1::2]):
        values = np.asarray(people) if isinstance(people, np.ndarray) and people.size else np.zeros((0, 4, 17))
        if values.ndim != 3 or values.shape[1:] != (4, layout.num_joints) or values.dtype.kind not in "iuf":
            raise bad_file(path, f"keypoints of frame {time}", f"expected (people, 4, 17), got {values.shape}.")
        frames.append([scored_detection(person.T.astype(np.float64)[:, [0, 1, 3]]) for person in values])
    metadata = arrays.get("metadata")
    size = _width_and_height(metadata) if isinstance(metadata, dict) else None
    return clip_of(path, frames, options, layout, unit=options.unit_of(path, "pixel"), image_size=size, up="-y")


def _items(path: Path, place: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise bad_file(path, place[:60], f"expected a dict by name, got {type(value).__name__}.")
    return [(str(name)[:60], item) for name, item in value.items()]


def _clip(
    path: Path, place: str, view: Any, dims: int, facts: dict[Any, Any], subject: str, options: ReadOptions
) -> SkeletonSequence:
    points = np.asarray(view) if isinstance(view, np.ndarray) else np.zeros(0)
    if points.ndim != 3 or points.shape[2] != dims or points.dtype.kind not in "iuf":
        got = points.shape if isinstance(view, np.ndarray) else type(view).__name__
        raise bad_file(path, place, f"expected numbers (frames, joints, {dims}), got {got}.")
    checked_size(path, *points.shape)
    points = points.astype(np.float64)
    name = facts.get("layout_name")
    stated = _LAYOUTS.get(name) if isinstance(name, str) and points.shape[1] == 17 else None
    return options.sequence(
        path,
        nan_at_origin(points) if dims == 2 else points,
        options.layout_of(path, stated, joints=points.shape[1]),
        unit=options.unit_of(path, "pixel" if dims == 2 else "metre"),
        image_size=_image_size(facts, subject) if dims == 2 else None,
        up="-y" if dims == 2 else None,
    )


def _image_size(facts: dict[Any, Any], subject: str) -> tuple[int, int] | None:
    videos = facts.get("video_metadata")
    size = videos.get(subject) if isinstance(videos, dict) else None
    return _width_and_height(size) if isinstance(size, dict) else None


def _width_and_height(size: dict[Any, Any]) -> tuple[int, int] | None:
    width, height = size.get("w"), size.get("h")
    if type(width) is not int or type(height) is not int or not (0 < width < 2**31 and 0 < height < 2**31):
        return None
    return width, height


def matches(path: Path, head: bytes) -> bool:
    """An archive with `positions_2d`, `positions_3d`, or boxes and keypoints."""
    names = names_in(path, head)
    return bool(names.intersection(_KEYS)) or names.issuperset(("boxes", "keypoints", "metadata"))


FORMAT = Format(
    name="videopose3d",
    title="VideoPose3D keypoints or joints",
    matches=matches,
    read=read,
    container="binary",
    signature="npz with positions_2d (and metadata) or positions_3d: subject -> action -> arrays",
    needs=("fps",),
)
