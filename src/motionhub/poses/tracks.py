"""From the people of each frame to people over time: one sequence, one row a person.

Identity is found on keypoints alone (`skeletons/tracking.py`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.poses.estimators.estimator import PersonInFrame
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.skeletons.tracking import stack_people, track_people


# After a longer absence a person is a new one.
MAX_GAP_SECONDS = 1.0
# Of the body's diagonal: two detections whose joints lie nearer on average are one body found twice.
SAME_BODY = 0.1

Frames = Sequence[Sequence[PersonInFrame]]


@dataclass(frozen=True)
class Tracks:
    """The people of a video.

    Args:
        clip: all of them, `(people, frames, joints, 2)` pixels, in the order in which they appear.
        world: the same people as `(people, frames, joints, 3)` metres, y up, x to the right of the image, z towards
            the camera, from an origin in each body; None where the estimator does not lift.
        boxes: `(people, frames, 4)` left, top, right, bottom; NaN where a person is absent.
        num_twice: detections that were left out because another one is of the same body.
        num_short: people that were left out because they were there for too few frames.
    """

    clip: SkeletonSequence
    world: SkeletonSequence | None
    boxes: np.ndarray
    num_twice: int = 0
    num_short: int = 0


def follow_people(
    frames: Frames,
    layout: str,
    fps: float,
    image_size: tuple[int, int],
    *,
    min_confidence: float = 0.3,
    min_frames: int = 5,
) -> Tracks:
    """Who is who in the detections of each frame.

    Args:
        frames: the people at each point in time, of which there are `fps` per second.
        layout: name of the joint layout.
        image_size: (width, height).
        min_confidence: a joint below it is missing (NaN); its confidence is kept.
        min_frames: people in fewer are left out as false alarms; half the clip is enough in a short one.

    Raises:
        ValueError: a detection does not have the joints of the layout.
    """
    joints = get_layout(layout).num_joints
    _check(frames, layout, joints)
    single = [_each_body_once(people) for people in frames]
    num_twice = sum(map(len, frames)) - sum(map(len, single))
    points = _column(single, "keypoints", joints, 2)
    numbers = track_people(points, max_gap=math.ceil(MAX_GAP_SECONDS * fps))
    numbers, num_short = _without_short(numbers, min(min_frames, math.ceil(len(frames) / 2)))
    keypoints, track_ids = stack_people(points, numbers)
    shape = (len(track_ids), len(frames), joints)
    confidence = stack_people(_column(single, "confidence", joints), numbers, 0.0)[0].reshape(shape)
    boxes = stack_people(_column(single, "box", 4), numbers)[0].reshape(*shape[:2], 4)
    seen = np.where((confidence >= min_confidence)[..., None], keypoints.reshape(*shape, 2), np.nan)
    clip = SkeletonSequence(seen, get_layout(layout), fps, "pixel", confidence, image_size, track_ids)
    return Tracks(clip, _world(single, numbers, clip), boxes, num_twice, num_short)


def _column(frames: Frames, name: str, *shape: int) -> list[np.ndarray]:
    """A field of the people of each frame, `(people, *shape)`."""
    return [np.array([getattr(person, name) for person in people]).reshape(-1, *shape) for people in frames]


def _check(frames: Frames, layout: str, joints: int) -> None:
    for time, people in enumerate(frames):
        for person in people:
            shapes = np.shape(person.keypoints), np.shape(person.confidence)
            if shapes != ((joints, 2), (joints,)):
                expected = f"keypoints ({joints}, 2) and confidence ({joints},) of layout {layout!r}"
                raise ValueError(f"Frame {time}: expected {expected} of the estimator, got {shapes[0]}, {shapes[1]}.")


def _each_body_once(people: Sequence[PersonInFrame]) -> list[PersonInFrame]:
    """Without the less certain of two that lie on each other."""
    kept: list[PersonInFrame] = []
    for person in sorted(people, key=lambda person: -float(np.mean(person.confidence))):
        if not any(_same_body(person, other) for other in kept):
            kept.append(person)
    return kept


def _same_body(one: PersonInFrame, other: PersonInFrame) -> bool:
    distance = np.linalg.norm(one.keypoints - other.keypoints, axis=-1)
    common = distance[np.isfinite(distance)]
    seen = other.keypoints[np.isfinite(other.keypoints).all(axis=-1)]
    return len(common) > 0 and bool(common.mean() < SAME_BODY * np.linalg.norm(np.ptp(seen, axis=0)))


def _without_short(numbers: list[np.ndarray], min_frames: int) -> tuple[list[np.ndarray], int]:
    """-1 for people who are there in fewer frames, and how many they are."""
    people, counts = np.unique(np.concatenate([*numbers, np.zeros(0, np.int64)]), return_counts=True)
    short = people[(counts < min_frames) & (people >= 0)]
    return [np.where(np.isin(row, short), -1, row) for row in numbers], len(short)


def _world(frames: Frames, numbers: list[np.ndarray], clip: SkeletonSequence) -> SkeletonSequence | None:
    """A joint that was not seen in the image is missing here too."""
    if not clip.num_people or any(person.world is None for people in frames for person in people):
        return None
    # Half a turn about the x axis: y up, and left stays left.
    metres = stack_people(_column(frames, "world", clip.num_joints, 3), numbers)[0] * np.array([1, -1, -1], np.float32)
    return clip.replace(keypoints=np.where(clip.joint_mask[..., None], metres, np.nan), unit="metre", image_size=None)
