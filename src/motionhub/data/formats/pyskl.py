"""Pickles of PYSKL, MMAction2 and MMPose: annotated clips, or frames of people; splits and labels are ignored."""

from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, clip_of, scored_detection
from motionhub.data.formats.files import bad_file, nan_at_origin, note, origin_is_missing
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.frames import NUMBERS, STAMPS
from motionhub.data.formats.mmpose import clips_of_dump
from motionhub.data.formats.plain_pickle import array, load_pickle
from motionhub.skeletons.sequence import SkeletonSequence


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip for each annotation with a `keypoint` `(people, frames, joints, 2 or 3)` (one person may come
    without the first axis), or one of a list of frames.

    2-D points are pixels (unless an option says otherwise), of images of size `img_shape`; a joint at (0, 0) with
    score 0 is missing. 3-D points need a unit, and (0, 0, 0) is missing there.
    """
    content = load_pickle(path)
    if isinstance(content, dict):
        content = content["annotations"] if "annotations" in content else [content]
    if not isinstance(content, list) or not content:
        raise bad_file(path, "pickle", "expected annotations with 'keypoint', or a list of frames of people.")
    if all(isinstance(entry, dict) and "keypoint" in entry for entry in content):
        return [_annotated(path, f"annotations[{index}]", entry, options) for index, entry in enumerate(content)]
    if all(isinstance(entry, dict) and ("pred_instances" in entry or "preds" in entry) for entry in content):
        return clips_of_dump(path, content, options)
    if any(isinstance(entry, dict) for entry in content):
        keys = next(list(entry)[:10] for entry in content if isinstance(entry, dict))
        raise bad_file(path, "pickle", f"expected annotations with 'keypoint', got one with the keys {keys}.")
    return [_frames(path, content, options)]


def _annotated(path: Path, place: str, entry: dict[str, Any], options: ReadOptions) -> SkeletonSequence:
    points = array(path, f"{place}.keypoint", entry["keypoint"])
    points = points[None] if points.ndim == 3 else points
    if points.ndim != 4 or points.shape[-1] not in (2, 3):
        expected = "expected keypoint (people, frames, joints, 2 or 3) or (frames, joints, 2 or 3)"
        raise bad_file(path, place, f"{expected}, got {points.shape}.")
    if points.shape[-1] == 3 and options.unit == "pixel":
        fix = "if it is a score, save keypoint[..., :2] as keypoint and keypoint[..., 2] as keypoint_score"
        raise bad_file(path, place, f"three columns in pixels, and the third is ambiguous; {fix}.")
    if moments := sorted({*entry} & {*NUMBERS, *STAMPS, "frame_ids", "frame_inds", "fps", "frame_rate"}):
        note(path, place, f"{moments} are not read: rows are frames, one after the other at the caller's rate.")
    stated = entry.get("total_frames")
    if type(stated) is int and stated != points.shape[1]:
        text = f"keypoint has {points.shape[1]} frames, total_frames says {stated}; all of keypoint are read"
        note(path, place, f"{text}.")
    scores = None
    if entry.get("keypoint_score") is not None:
        scores = array(path, f"{place}.keypoint_score", entry["keypoint_score"])
        scores = scores[None] if scores.ndim == 2 else scores
        if scores.shape != points.shape[:3]:
            raise bad_file(path, place, f"expected keypoint_score {points.shape[:3]}, got {scores.shape}.")
    flat = points.shape[-1] == 2
    points = nan_at_origin(points, scores) if flat else origin_is_missing(points)
    return options.sequence(
        path,
        points,
        options.layout_of(path, joints=points.shape[2]),
        unit=options.unit_of(path, assumed="pixel" if flat else None, dims=points.shape[-1]),
        image_size=_image_size(path, place, entry) if flat else None,
        confidence=None if scores is None else np.nan_to_num(scores),
        up="-y" if flat else None,
    )


def _image_size(path: Path, place: str, entry: dict[str, Any]) -> tuple[int, int] | None:
    """`img_shape` is (height, width)."""
    if entry.get("img_shape") is None:
        return None
    size = array(path, f"{place}.img_shape", entry["img_shape"])
    if size.shape != (2,) or not 1 <= size.min() <= size.max() < 1e9:
        raise bad_file(path, place, f"expected img_shape (height, width), got {size.ravel()[:4].tolist()}.")
    return int(size[1]), int(size[0])


def _frames(path: Path, content: list[Any], options: ReadOptions) -> SkeletonSequence:
    frames = []
    for time, people in enumerate(content):
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise bad_file(path, f"frame {time}", "expected a list of people with 'keypoints'.")
        frames.append([_person(path, f"frame {time}, person {row}", person) for row, person in enumerate(people)])
    unit = options.unit_of(path, assumed="pixel")
    joints = next((len(person.points) for people in frames for person in people), None)
    return clip_of(path, frames, options, options.layout_of(path, joints=joints), unit=unit, up="-y")


def _person(path: Path, place: str, person: dict[str, Any]) -> Detection:
    points = array(path, f"{place}.keypoints", person.get("keypoints"))
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise bad_file(path, place, f"expected keypoints (joints, 2 or 3: x, y, score), got {points.shape}.")
    track = person.get("track_id") if type(person.get("track_id")) is int else None
    return scored_detection(points, track) if points.shape[1] == 3 else Detection(nan_at_origin(points), None, track)


FORMAT = Format(
    name="pyskl",
    title="PYSKL, MMAction2 or MMPose pickle",
    # The protocol number of a pickle, 2 or later; only reading shows the content.
    matches=lambda path, head: len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5,
    read=read,
    pattern="*.pkl",
    container="binary",
    signature='pickle of "annotations" with "keypoint" (people, frames, joints, dims), or of frames of people',
    needs=("layout", "fps"),
)
