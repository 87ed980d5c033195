"""Selective spatio-temporal aggregation (SST-A): one pose sequence from several pose estimators' of the same video.

Yang et al., "Selective Spatio-Temporal Aggregation Based Pose Refinement System" (WACV 2021), equations 3.1 to 3.4 in
Yang's thesis: each joint comes from the expert nearest to its position in the frame before; a frame's confidence
measures the experts' distance to the result. Three rules:

- **ours** (default): missing joints are no candidates; a joint without a position in the frame before starts with the
  closest pair of experts. Confidence: scaled by the median head-neck distance of the sequence (the paper's, of the
  frame, vanishes when a face looks up), times the share of detected (expert, joint) pairs. No frame is discarded.
- **paper**: the same choice of joints (the equations do not define missing joints), confidence by equation 3.4 over 13
  joints, scaled by the head-neck distance in that frame; frames below 0.18 are missing in the result.
- **official**: the released code, bit for bit: missing joints are candidates at (0, 0), ties go to the first, then the
  third, then the second expert, the last frame is zero; confidence over 12 joints relative to the width of the
  shoulders, set to 0 below 0.06; no frame is discarded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from motionhub.geometry.boxes import bounds
from motionhub.poses.experts import reconcile
from motionhub.skeletons.convert import conversion_weights
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


PAPER_MIN_CONFIDENCE = 0.18
OFFICIAL_MIN_CONFIDENCE = 0.06
OFFICIAL_LAYOUT = "coco-17"
HEAD_OF_BODY = 1 / 7  # head-neck distance in body heights, for layouts without head or neck


@dataclass(frozen=True)
class Aggregate:
    """The output of SST-A.

    Args:
        keypoints: `(people, frames, joints, dims)` float32; NaN where a joint is missing (official rule: zero).
        confidence: `(people, frames)` float32 in 0..1, of the pose as a whole.
        choice: `(people, frames, joints)` index of each joint's expert, -1 for none.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    choice: np.ndarray


def aggregate_experts(
    experts: Sequence[Any], official: bool = False, *, paper: bool = False, layout: str | SkeletonLayout | None = None
) -> tuple[Any, np.ndarray]:
    """One pose sequence from several estimators' of the same video.

    Args:
        experts: sequences, or arrays `(frames, joints, dims)` in which NaN or all zeros is a missing joint, as in the
            files of the official tools. Any number, of any length; sequences may differ in layout, frame rate, image
            size and people too (`experts.reconcile`). Ties go to the first. The official rule needs three: AlphaPose,
            LCR-Net, OpenPose.
        official: the rule of the released code, in float32 (see the module).
        paper: the paper's rule (see the module).
        layout: of the arrays, "coco-17" by default; of the result for sequences, the first's by default.

    Returns:
        the pose, a sequence (with the confidence of each joint's expert, if all have one) or an array like the
        experts'; and its confidence, `(people, frames)` or `(frames,)`.

    Raises:
        ValueError: no experts, sequences mixed with arrays, shapes or units that differ, both rules at once, or a rule
            that needs other joints or another number of experts.

    Examples:
        >>> first = motionhub.generate("wave", seed=0, layout="coco-17")
        >>> second = motionhub.generate("wave", seed=0, layout="coco-17")
        >>> aggregated, picked = motionhub.aggregate_experts([first, second])
        >>> aggregated.num_frames == first.num_frames
        True
    """
    experts = list(experts)
    of_sequences = [isinstance(expert, SkeletonSequence) for expert in experts]
    if any(of_sequences) and not all(of_sequences):
        raise ValueError("Pass all experts as SkeletonSequence, or all as arrays; got both.")
    if any(of_sequences):
        alike, result = aggregate_sequences(experts, official, paper, layout)
        return as_sequence(result, alike), result.confidence
    result = aggregate(_stacked(experts), get_layout(layout or OFFICIAL_LAYOUT), official=official, paper=paper)
    return result.keypoints[0], result.confidence[0]


def aggregate_sequences(
    experts: Sequence[SkeletonSequence], official: bool, paper: bool, layout: str | SkeletonLayout | None = None
) -> tuple[list[SkeletonSequence], Aggregate]:
    """The reconciled experts and their aggregate; errors as `aggregate_experts`."""
    _check_one_rule(official, paper)
    alike = reconcile(experts, OFFICIAL_LAYOUT if official and layout is None else layout)
    return alike, aggregate(np.stack([expert.keypoints for expert in alike]), alike[0].layout, official, paper)


def as_sequence(result: Aggregate, experts: Sequence[SkeletonSequence]) -> SkeletonSequence:
    """The aggregate of reconciled experts as a sequence."""
    missing = result.choice < 0
    keypoints = np.where(missing[..., None], np.float32(np.nan), result.keypoints)
    scores = [expert.confidence for expert in experts if expert.confidence is not None]
    confidence = None
    if len(scores) == len(experts):
        picked = np.take_along_axis(np.stack(scores), result.choice.clip(min=0)[None], axis=0)[0]
        confidence = np.where(missing, np.float32(0), picked)
    return experts[0].replace(keypoints=keypoints, confidence=confidence)


def aggregate(experts: np.ndarray, layout: SkeletonLayout, official: bool = False, paper: bool = False) -> Aggregate:
    """SST-A of reconciled experts `(experts, people, frames, joints, dims)`, NaN missing.

    Raises:
        ValueError: both rules, the official rule with other than three experts or another layout than COCO's, or the
            paper's with a layout that lacks its 13 joints.
    """
    _check_one_rule(official, paper)
    if experts.shape[3] != layout.num_joints:
        raise ValueError(f"Layout {layout.name!r} has {layout.num_joints} joints, the experts {experts.shape[3]}.")
    if official:
        return _official(experts, layout)
    experts = experts.astype(np.float32)
    points = experts.astype(np.float64)
    choice = _follow(_nearest(points), _closest_pair(points))
    keypoints = _picked(experts, choice)
    if not paper:
        return Aggregate(keypoints, _agreement(experts, keypoints, layout), choice)
    confidence = _paper_confidence(experts, keypoints, layout)
    discarded = confidence < PAPER_MIN_CONFIDENCE
    keypoints = np.where(discarded[..., None, None], np.float32(np.nan), keypoints)
    return Aggregate(keypoints, confidence, np.where(discarded[..., None], -1, choice))


def _check_one_rule(official: bool, paper: bool) -> None:
    if official and paper:
        raise ValueError("official=True and paper=True are two rules; choose one.")


def _stacked(experts: list[Any]) -> np.ndarray:
    """Arrays of any length as `(experts, 1, frames, joints, dims)` float32, NaN missing."""
    if not experts:
        raise ValueError("No expert was given; pass a list with one array or SkeletonSequence per pose estimator.")
    try:
        arrays = [np.asarray(expert, dtype=np.float32) for expert in experts]
    except (TypeError, ValueError) as error:
        raise ValueError(f"Each expert must be an array of numbers or a SkeletonSequence: {error}.") from None
    shapes = [array.shape for array in arrays]
    if any(len(shape) != 3 or shape[2] not in (2, 3) or shape[1:] != shapes[0][1:] for shape in shapes):
        raise ValueError(
            f"Each array must be (frames, joints, 2 or 3), with the same joints in all; got {shapes}. Pass other "
            "layouts or several people as SkeletonSequence."
        )
    stacked = np.full((len(arrays), 1, max(shape[0] for shape in shapes), *shapes[0][1:]), np.nan, np.float32)
    for row, array in zip(stacked, arrays, strict=True):
        missing = ~np.isfinite(array).all(axis=-1) | (array == 0).all(axis=-1)
        row[0, : len(array)] = np.where(missing[..., None], np.float32(np.nan), array)
    return stacked


def _distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean over the last axis, in the arguments' precision; NaN where one is missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(((first - second) ** 2).sum(axis=-1)))


def _nearest(points: np.ndarray) -> np.ndarray:
    """`(experts, people, frames, joints)`: the expert nearest to expert k's joint in the frame before.

    The number of experts stands for none; the first frame is unused.
    """
    nearest = np.full(points.shape[:4], len(points), dtype=np.int64)
    for before, answer in zip(points, nearest, strict=True):
        # Only looked up for experts that had the joint, so NaN means that no expert has it now.
        answer[:, 1:] = _first_smallest(_distance(points[:, :, 1:], before[:, :-1]), len(points))
    return nearest


def _closest_pair(points: np.ndarray) -> np.ndarray:
    """`(people, frames, joints)`: the first of the two closest experts, or the only expert that has the joint."""
    count = len(points)
    pairs = list(combinations(range(count), 2))
    valid = ~np.isnan(points).any(axis=-1)
    alone = np.where(valid.any(axis=0), valid.argmax(axis=0), count)
    if not pairs:
        return alone
    best = _first_smallest(np.stack([_distance(points[a], points[b]) for a, b in pairs]), len(pairs))
    firsts = np.array([first for first, _ in pairs] + [count])[best]
    return np.asarray(np.where(best < len(pairs), firsts, alone))


def _first_smallest(values: np.ndarray, otherwise: int) -> np.ndarray:
    """Index along the first axis of the smallest value, ties to the first; `otherwise` where all are NaN."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known.any(axis=0), np.where(known, values, np.inf).argmin(axis=0), otherwise))


def _follow(nearest: np.ndarray, start: np.ndarray) -> np.ndarray:
    """`(people, frames, joints)` experts by the recursion of equation 3.1, -1 for none; one look-up per frame."""
    count, people, frames, joints = nearest.shape
    table = np.concatenate([nearest, start[None]]).transpose(2, 1, 3, 0).reshape(frames, people * joints * (count + 1))
    base = np.arange(people * joints) * (count + 1)
    choice = np.empty((frames, people * joints), dtype=np.int64)
    current = np.full(people * joints, count)
    for row, chosen in zip(table, choice, strict=True):
        current = row[base + current]
        chosen[:] = current
    choice[choice == count] = -1
    return choice.reshape(frames, people, joints).swapaxes(0, 1)


def _picked(experts: np.ndarray, choice: np.ndarray) -> np.ndarray:
    picked = np.take_along_axis(experts, choice.clip(min=0)[None, ..., None], axis=0)[0]
    return np.where((choice < 0)[..., None], np.float32(np.nan), picked)


def _agreement(experts: np.ndarray, keypoints: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Our confidence: equation 3.4, times the detected share of the joints that any expert ever detects."""
    distance = _distance(experts.astype(np.float64), keypoints.astype(np.float64))
    counted = (~np.isnan(keypoints[..., 0])).any(axis=1)[:, None]  # (people, 1, joints)
    pairs = np.maximum(len(experts) * counted.sum(axis=-1), 1)
    scale = np.array([_body_scale(person, layout) for person in keypoints])[:, None]
    share = (~np.isnan(distance)).sum(axis=(0, 3)) / pairs
    return np.asarray(_closeness(distance, scale) * share, np.float32)


def _closeness(distance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Equation 3.4, `(people, frames)`, of distances `(experts, people, frames, joints)`; 0 where all are NaN."""
    valid = ~np.isnan(distance)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.where(valid, distance, 0).sum(axis=(0, 3)) / valid.sum(axis=(0, 3)) / scale
        return np.nan_to_num(np.exp(-error))


def _body_scale(person: np.ndarray, layout: SkeletonLayout) -> float:
    """Median distance between head and neck over the frames; else a seventh of the body's diagonal."""
    made = _made(person, layout, ("head", "neck"))
    lengths = _distance(made[:, 0], made[:, 1])
    lengths = lengths[lengths > 0]
    if len(lengths):
        return float(np.median(lengths))
    low, high = bounds(person)
    diagonals = np.linalg.norm((high - low)[np.isfinite(low).all(axis=-1)].astype(np.float64), axis=-1)
    diagonals = diagonals[diagonals > 0]
    return float(np.median(diagonals)) * HEAD_OF_BODY if len(diagonals) else 1.0


def _made(points: np.ndarray, layout: SkeletonLayout, joints: tuple[str, ...]) -> np.ndarray:
    """`(..., len(joints), dims)` float64 by layout conversion; NaN for joints it cannot derive."""
    wanted = SkeletonLayout("measured", joints, (), joints[0])
    weights, report = conversion_weights(layout, wanted)
    made = np.full((*points.shape[:-2], len(joints), points.shape[-1]), np.nan)
    for index, row in enumerate(weights):
        used = np.flatnonzero(row)
        if joints[index] not in report.missing:
            made[..., index, :] = np.einsum("...vd,v->...d", points[..., used, :].astype(np.float64), row[used])
    return made


def _paper_confidence(experts: np.ndarray, keypoints: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Equation 3.4; 0 in frames without head or neck, which give the scale."""
    joints = get_layout("lcrnet-13").joints
    lacking = conversion_weights(layout, SkeletonLayout("measured", (*joints, "neck"), (), "neck"))[1].missing
    if lacking:
        raise ValueError(
            f"The paper's confidence needs {len(joints)} joints and the neck, but {layout.name!r} has no "
            f"{', '.join(lacking)}; use the default rule."
        )
    pose, head_and_neck = _made(keypoints, layout, joints), _made(keypoints, layout, ("head", "neck"))
    distance = _distance(_made(experts, layout, joints), pose)
    scale = _distance(head_and_neck[..., 0, :], head_and_neck[..., 1, :])
    return _closeness(distance, scale + 1e-12).astype(np.float32)


def _official(experts: np.ndarray, layout: SkeletonLayout) -> Aggregate:
    if len(experts) != 3:
        raise ValueError(
            f"The official rule needs three experts (AlphaPose, LCR-Net, OpenPose), got {len(experts)}; use "
            "official=False for any number."
        )
    if layout.joints != get_layout(OFFICIAL_LAYOUT).joints:
        raise ValueError(f"The official rule needs {OFFICIAL_LAYOUT!r} joints, got {layout.name!r}.")
    points = np.nan_to_num(experts.astype(np.float32), nan=0.0)
    order = np.array([0, 2, 1])  # ties: the code's dictionary keeps the last one written
    ordered = points[order]
    alpha_pose, openpose, lcr_net = ordered
    pairs = [_distance(alpha_pose, openpose), _distance(lcr_net, alpha_pose), _distance(lcr_net, openpose)]
    start = np.array([1, 2, 2])[np.stack(pairs).argmin(axis=0)]
    choice = order[_follow(_nearest(ordered), start)]
    keypoints = _picked(points, choice)
    keypoints[:, -1:] = 0  # the code's loop ends a frame early
    confidence = _official_confidence(points, keypoints)
    confidence[confidence < OFFICIAL_MIN_CONFIDENCE] = 0
    confidence[:, -1:] = 0
    choice[np.isnan(_picked(experts, choice)).any(axis=-1)] = -1  # (0, 0) was nearest
    choice[:, -1:] = -1
    return Aggregate(keypoints, confidence, choice)


def _official_confidence(points: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """`(people, frames)`, from shoulders to ankles."""
    layout = get_layout(OFFICIAL_LAYOUT)
    first = layout.index("left_shoulder")
    body = slice(first, first + 12)
    width = _distance(keypoints[..., first, :], keypoints[..., layout.index("right_shoulder"), :])
    with np.errstate(over="ignore", invalid="ignore"):
        error = _distance(points[..., body, :], keypoints[..., body, :]).sum(axis=-1) / 12 / (width + 1e-8)
        return np.asarray(np.exp(-error.mean(axis=0)))
