"""Pseudo ground truth for a pose estimator from SST-A's output: boxes, anchor poses, classes.

SSTA-PRS, Yang et al., WACV 2021; section 3.3.3 of Yang's thesis: in frames of high confidence, the box around the pose
grown by 10 % trains localisation, and the nearest anchor pose trains classification. The pose itself is "not
sufficiently accurate for regression".

Our additions: a frame is dropped if any of its people is below the thresholds, since unlabelled people would count as
background; so is one with a pose of fewer joints than `min_seen`, whose box would be too small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from motionhub.poses.estimators.estimator import box_around
from motionhub.poses.refine import PAPER_MIN_CONFIDENCE
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.measures import body_size
from motionhub.skeletons.sequence import SkeletonSequence


NUM_ANCHOR_POSES = 20
BOX_GROWTH = 1.1
FRAME_SHARE = 0.1
VALIDATION_SHARE = 0.2
MIN_SIDE = 2.0  # pixels: smaller boxes are no training samples
pose_boxes = partial(box_around, growth=BOX_GROWTH)


@dataclass(frozen=True)
class LabelledFrame:
    """The people of one frame.

    Args:
        frame: its number in the video, from 0.
        poses: `(people, joints, 2)` float32 pixels, NaN missing.
        boxes: `(people, 4)` float32 left, top, right, bottom.
        confidence: `(people,)` of the poses.
        classes: `(people,)` int64, 1 to the number of anchor poses; None before `classified`.
    """

    frame: int
    poses: np.ndarray
    boxes: np.ndarray
    confidence: np.ndarray
    classes: np.ndarray | None = None


def pseudo_labels(
    pose: SkeletonSequence,
    confidence: np.ndarray,
    *,
    layout: str = "lcrnet-13",
    min_confidence: float = PAPER_MIN_CONFIDENCE,
    min_seen: float = 0.8,
    frame_share: float = FRAME_SHARE,
) -> list[LabelledFrame]:
    """Training labels for a student from a video, frame by frame.

    Args:
        pose, confidence: output of `aggregate_experts`: a 2-D sequence in pixels and `(people, frames)`.
        layout: of the student's poses.
        min_confidence: 0.18 in the paper, for the paper's confidence; see `motionhub.poses.refine` for ours.
        min_seen: share of the student's joints that a pose must have.
        frame_share: share of the frames to use, evenly spaced; 10 % in the thesis, as neighbours hardly differ.

    Raises:
        ValueError: not 2-D pixels, shapes that do not fit, shares out of range, or no frame above the thresholds.

    Examples:
        >>> import numpy as np
        >>> scene = motionhub.Scene(focal=1000.0)
        >>> pose = motionhub.generate("wave", seed=0, layout="coco-17", scene=scene)
        >>> labels = motionhub.pseudo_labels(pose, np.ones((1, pose.num_frames)))
        >>> len(labels), labels[0].poses.shape
        (9, (1, 13, 2))
    """
    if pose.num_dims != 2 or pose.unit != "pixel":
        raise ValueError(f"Pseudo labels need 2-D poses in pixels, got {pose.num_dims}-D in {pose.unit!r}.")
    scores = np.asarray(confidence)
    if scores.shape != pose.keypoints.shape[:2]:
        raise ValueError(
            f"Expected the confidence (people, frames) = {pose.keypoints.shape[:2]} that aggregate_experts returns "
            f"beside the pose, got {scores.shape}."
        )
    if not 0 < frame_share <= 1 or not 0 < min_seen <= 1:
        raise ValueError(f"frame_share and min_seen must be in (0, 1], got {frame_share} and {min_seen}.")
    points = convert_layout(pose, layout).keypoints
    count = max(1, round(frame_share * pose.num_frames))
    looked_at = np.unique(np.linspace(0, max(pose.num_frames - 1, 0), count).round().astype(int))
    found = [
        _labelled(frame, points[:, frame], scores[:, frame], min_confidence, min_seen)
        for frame in looked_at[looked_at < pose.num_frames]
    ]
    labels = [frame for frame in found if frame is not None]
    if not labels:
        best = float(np.nanmax(scores)) if scores.size and not np.isnan(scores).all() else 0.0
        raise ValueError(
            f"None of {len(found)} frames has a pose to learn from: the highest confidence is {best:.2f}, needed are "
            f"{min_confidence} and {min_seen:.0%} of the joints of {layout!r}. Experts that disagree, or detect no "
            "person, give no labels; check them, or lower min_confidence or min_seen."
        )
    return labels


def labelled_frames(pose: SkeletonSequence, frames: Sequence[int], layout: str = "lcrnet-13") -> list[LabelledFrame]:
    """All people of these frames without thresholds, for comparison or to learn from one estimator.

    Only people without a box (one joint, or joints in one line) are left out.

    Examples:
        >>> scene = motionhub.Scene(focal=1000.0)
        >>> pose = motionhub.generate("wave", seed=0, layout="coco-17", scene=scene)
        >>> labels = motionhub.labelled_frames(pose, [0, 30, 60])
        >>> [label.frame for label in labels]
        [0, 30, 60]
    """
    points, found = convert_layout(pose, layout).keypoints, []
    for frame in frames:
        poses = points[:, frame]
        poses = poses[_large(pose_boxes(poses))]
        found.append(LabelledFrame(int(frame), poses, pose_boxes(poses), np.ones(len(poses), np.float32)))
    return found


def _labelled(
    frame: int, poses: np.ndarray, confidence: np.ndarray, min_confidence: float, min_seen: float
) -> LabelledFrame | None:
    valid = ~np.isnan(poses).any(axis=-1)
    present = valid.any(axis=-1)
    if not present.any():
        return None
    poses, valid, confidence = poses[present], valid[present], confidence[present]
    boxes = pose_boxes(poses)
    if not (_large(boxes) & (confidence >= min_confidence) & (valid.mean(axis=-1) >= min_seen)).all():
        return None
    return LabelledFrame(int(frame), poses, boxes, confidence.astype(np.float32))


def _large(boxes: np.ndarray) -> np.ndarray:
    """Whether each `(people, 4)` is large enough for a person; False for NaN."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE).all(axis=-1))


def in_unit_box(poses: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Poses relative to their boxes: left top is (0, 0), right bottom (1, 1)."""
    return np.asarray((poses - boxes[..., None, :2]) / (boxes[..., None, 2:] - boxes[..., None, :2]))


def fit_anchor_poses(
    labels: Sequence[LabelledFrame], num_anchor_poses: int = NUM_ANCHOR_POSES, seed: int = 0
) -> np.ndarray:
    """The centres of K-Means over all complete poses in their boxes: `(anchor poses, joints, 2)` in the unit box.

    The largest cluster comes first.

    Raises:
        ValueError: fewer different complete poses than anchor poses.

    Examples:
        >>> scene = motionhub.Scene(focal=1000.0)
        >>> pose = motionhub.generate("wave", seed=0, layout="coco-17", scene=scene)
        >>> labels = motionhub.labelled_frames(pose, range(0, 90, 10))
        >>> motionhub.fit_anchor_poses(labels, num_anchor_poses=3).shape
        (3, 13, 2)
    """
    from sklearn.cluster import KMeans

    poses = np.concatenate([in_unit_box(label.poses, label.boxes) for label in labels]) if labels else np.zeros((0, 1))
    complete = poses[~np.isnan(poses).any(axis=tuple(range(1, poses.ndim)))]
    different = len(np.unique(complete.reshape(len(complete), -1).round(6), axis=0)) if len(complete) else 0
    if num_anchor_poses < 1 or different < num_anchor_poses:
        raise ValueError(
            f"{num_anchor_poses} anchor poses need at least as many different complete poses, got {different} (of "
            f"{len(poses)} poses, {len(complete)} without missing joints); lower num_anchor_poses, or label more "
            "frames (frame_share)."
        )
    clusters = KMeans(num_anchor_poses, n_init=10, random_state=seed).fit(complete.reshape(len(complete), -1))
    order = np.argsort(-np.bincount(clusters.labels_, minlength=num_anchor_poses), kind="stable")
    centres = clusters.cluster_centers_[order]
    return np.asarray(centres.reshape(num_anchor_poses, *complete.shape[1:]), dtype=np.float32)


def nearest_anchor_poses(poses: np.ndarray, boxes: np.ndarray, anchor_poses: np.ndarray) -> np.ndarray:
    """`(people,)` classes 1 to K: the anchor pose that, scaled to the box, is nearest to the pose's valid joints.

    Distances are pixels: in a tall narrow box, heights count more, as the regression would have to move more there.
    """
    size = (boxes[:, 2:] - boxes[:, :2])[:, None, None]
    distance = np.linalg.norm((in_unit_box(poses, boxes)[:, None] - anchor_poses[None]) * size, axis=-1)
    valid = ~np.isnan(distance)
    mean = np.where(valid, distance, 0).sum(axis=-1) / np.maximum(valid.sum(axis=-1), 1)
    return np.asarray(mean.argmin(axis=-1) + 1, dtype=np.int64)


def classified(labels: Sequence[LabelledFrame], anchor_poses: np.ndarray) -> list[LabelledFrame]:
    """The same frames with the class of every pose."""
    return [replace(label, classes=nearest_anchor_poses(label.poses, label.boxes, anchor_poses)) for label in labels]


def held_out(
    labels: Sequence[LabelledFrame], share: float = VALIDATION_SHARE
) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Frames for training, and the last ones of the video for validation.

    The thesis draws 20 % at random; within one video, training would then have neighbours of every validation frame.

    Raises:
        ValueError: a share outside 0..1, or one part is empty.

    Examples:
        >>> scene = motionhub.Scene(focal=1000.0)
        >>> pose = motionhub.generate("wave", seed=0, layout="coco-17", scene=scene)
        >>> labels = motionhub.labelled_frames(pose, range(0, 90, 10))
        >>> train, validation = motionhub.held_out(labels)
        >>> len(train), len(validation)
        (7, 2)
    """
    kept = len(labels) - round(share * len(labels))
    if not 0 < share < 1 or not 0 < kept < len(labels):
        raise ValueError(f"Holding out {share} of {len(labels)} labelled frames leaves one part empty.")
    ordered = sorted(labels, key=lambda label: label.frame)
    return ordered[:kept], ordered[kept:]


def noisy_copies(pose: SkeletonSequence) -> list[SkeletonSequence]:
    """Two simulated experts of a pose: 15 % missing joints and noise of 1 % of the body size; 2 % and 3 %.

    Examples:
        >>> copies = motionhub.noisy_copies(motionhub.generate("wave", seed=0))
        >>> len(copies)
        2
    """
    random, copies = np.random.default_rng(0), []
    for share, noise in ((0.15, 0.01), (0.02, 0.03)):
        moved = pose.keypoints + random.normal(0, noise * body_size(pose), pose.keypoints.shape)
        missing = random.random(pose.keypoints.shape[:3]) < share
        copies.append(pose.replace(keypoints=np.where(missing[..., None], np.nan, moved)))
    return copies
