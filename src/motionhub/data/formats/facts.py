"""What a JSON document states about all of its frames: rate, image size, joint names and layout."""

import re
from dataclasses import dataclass
from typing import Any

from motionhub.data.formats.folders import number_in
from motionhub.data.formats.format import is_number
from motionhub.skeletons.layout import MAX_JOINTS
from motionhub.skeletons.layouts import get_layout


NAME_LISTS = (
    *("keypoint_id2name", "keypoint_name2id", "keypoint_info", "joint_names", "keypoint_names", "keypoints_names"),
    *("jointNames", "keypointNames", "landmark_names", "keypoint_labels", "joint_labels", "body_parts", "bodyparts"),
    "bodyParts",
)
# Objects whose entries are about the whole document; the last ones win.
_PARTS = (
    *("meta_info", "info", "metadata", "video", "meta", "video_info", "videoInfo", "header", "properties"),
    *("dataset_info", "skeleton_info", "skeleton"),
)
# Beside frames or recordings, about all of them.
FACTS = (*_PARTS, "config", "categories", "licenses", *NAME_LISTS, "keypoints")
_RATES = (
    *("fps", "frame_rate", "framerate", "frameRate", "FPS", "video_fps", "frames_per_second", "framesPerSecond"),
    *("avg_frame_rate", "r_frame_rate", "sampling_rate", "sampling_frequency"),
)
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:/(\d{1,9}))? ?(?:fps|hz)?", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_ -]{1,60}")  # never a path
# Words for a layout, not for the dataset of the videos, whose joints may be another program's.
_LAYOUTS = (
    *("layout", "skeleton", "skeleton_name", "skeleton_type", "skeleton_format", "keypoint_format"),
    *("keypoints_format", "pose_format", "joint_format", "body_format", "keypoint_layout", "joint_layout"),
    *("joint_set", "keypoint_set"),
)
# `dataset_name` of MMPose's meta files.
_LAYOUTS_OF_DATASETS = {
    "coco": "coco-17",
    "h36m": "h36m-17",
    "halpe26": "halpe-26",
    "halpe": "halpe-136",
    "cocowholebody": "coco-wholebody-133",
    "mpii": "mpii-16",
    "crowdpose": "crowdpose-14",
}


@dataclass(frozen=True)
class Facts:
    """What a document states for all frames; `stamps`: the key of the time stamps, which has their unit.

    `step`: how far the numbers of neighbouring frames are apart.
    """

    fps: float | None = None
    image_size: tuple[int, int] | None = None
    names: tuple[str, ...] | None = None
    layout: str | None = None
    stamps: str = ""
    step: int = 1


def facts_of(content: dict[str, Any]) -> Facts:
    """What the object around the frames states: rate, image size, joint names, and the name of a known layout."""
    inner = [content.get(key) for key in _PARTS]
    every = {key: value for part in (*inner, content) if isinstance(part, dict) for key, value in part.items()}
    rates = [_rate(every.get(key)) for key in _RATES]
    videos = content.get("videos")
    if isinstance(videos, list) and videos and all(isinstance(video, dict) for video in videos):
        of_videos = {next((rate for key in _RATES if (rate := _rate(video.get(key)))), None) for video in videos}
        rates += of_videos if len(of_videos) == 1 else []
    width, height = (
        next((every[key] for key in keys if type(every.get(key)) is int and 0 < every[key] < 1e9), None)
        for keys in (("width", "image_width", "frame_width"), ("height", "image_height", "frame_height"))
    )
    parts = [part for part in (content, *inner) if isinstance(part, dict)]
    names = (joint_names(part, (*NAME_LISTS, "keypoints", "joints")) for part in parts)
    return Facts(
        next((rate for rate in rates if rate is not None), None),
        None if width is None or height is None else (width, height),
        next((found for found in names if found is not None), None),
        _layout(every, content),
    )


def joint_names(content: dict[str, Any], keys: tuple[str, ...] = NAME_LISTS) -> tuple[str, ...] | None:
    """The joint names that an object lists, or has by number."""
    for key in keys:
        names = content.get(key)
        if isinstance(names, dict) and names and all(type(number) is int for number in names.values()):
            names = sorted(names, key=names.__getitem__)  # keypoint_name2id
        elif isinstance(names, dict):
            names = [names[key] for key in sorted(names, key=lambda key: number_in(key, 0))]
        if not isinstance(names, list) or not 0 < len(names) <= MAX_JOINTS:
            continue
        names = [name.get("name") if isinstance(name, dict) else name for name in names]
        if all(isinstance(name, str) for name in names):
            return tuple(names)
    return None


def _rate(value: Any) -> float | None:
    """Frames per second of 30, "29.97" or "30000/1001"."""
    if isinstance(value, str) and (found := _RATE.fullmatch(value.strip())):
        value = float(found[1]) / float(found[2] or 1) if float(found[2] or 1) else None
    return float(value) if is_number(value) and 0 < value < 1e6 else None


def _layout(every: dict[str, Any], content: dict[str, Any]) -> str | None:
    """The layout of a dataset in MMPose's meta files, or that which the document names."""
    named = every.get("dataset_name")
    if isinstance(named, str):
        return _known(named)
    inner = content.get("skeleton_info")
    stated = [every.get(key) for key in _LAYOUTS] + [inner.get("name") if isinstance(inner, dict) else None]
    return next((found for value in stated if isinstance(value, str) and (found := _known(value))), None)


def _known(name: str) -> str | None:
    """The layout of that name."""
    if (found := _LAYOUTS_OF_DATASETS.get(re.sub(r"[^a-z0-9]", "", name.lower()))) is not None:
        return found
    try:
        return get_layout(name).name if _WORD.fullmatch(name) else None
    except ValueError:
        return None
