"""Measurements on the bodies of a sequence: size, noise, handedness, and the fit of a layout's bones."""

import math
from dataclasses import dataclass

import numpy as np

from motionhub.geometry import boxes
from motionhub.skeletons.convert import conversion_weights
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.sequence import SkeletonSequence


# Lengths in trunks (middle of the shoulders to middle of the hips) of standing adults. Arms and legs: textbook values
# after Drillis and Contini 1966 (upper arm, forearm, thigh, shank, trunk: 0.186, 0.146, 0.245, 0.246, 0.288 of the
# height), rounded. Others: near those of four real skeletons (Bandai-Namco's BVH, Kinect v1 and v2), which differ
# by up to a factor of two at head and hips; eyes, ears, nose and torso are guesses. A test checks those skeletons.
# Each end is the mean of the named joints; `*` is either side. Segments whose joints a layout lacks are left out.
_SEGMENTS: tuple[tuple[tuple[str, ...], tuple[str, ...], float], ...] = (
    (("*_shoulder",), ("*_elbow",), 0.62),
    (("*_elbow",), ("*_wrist",), 0.50),
    (("*_wrist",), ("*_hand",), 0.20),
    (("*_hip",), ("*_knee",), 0.84),
    (("*_knee",), ("*_ankle",), 0.84),
    (("*_ankle",), ("*_foot",), 0.25),
    (("*_shoulder",), ("*_hip",), 1.02),
    (("left_shoulder",), ("right_shoulder",), 0.75),
    (("left_hip",), ("right_hip",), 0.45),
    (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), 1.0),
    (("head",), ("left_shoulder", "right_shoulder"), 0.55),
    (("nose",), ("left_shoulder", "right_shoulder"), 0.50),
    (("neck",), ("left_shoulder", "right_shoulder"), 0.10),
    (("shoulder_centre",), ("left_shoulder", "right_shoulder"), 0.10),
    (("mid_hip",), ("left_hip", "right_hip"), 0.10),
    (("torso",), ("left_hip", "right_hip"), 0.50),
    (("chest",), ("left_hip", "right_hip"), 0.50),
    (("*_eye",), ("nose",), 0.10),
    (("*_ear",), ("nose",), 0.20),
)
_NO_LIMBS = ("*_shoulder-*_hip", "*_eye-nose", "*_ear-nose")
TRUNK_OF_HEIGHT = 0.288  # Drillis and Contini
_SOFTENING = 0.15  # reduces the weight of short segments, whose length depends on the joints' definition
_MAX_FRAMES = 200  # frames used for lengths
_ROUGH_FPS = 29.0  # below it, quick motion is as rough as noise
_OF_BONES = 2.0  # a depth camera's noise shows in a bone only as far as the bone points at it


def body_size(sequence: SkeletonSequence) -> float:
    """Median diagonal of the box around a person's joints, about 1.9 m for a standing adult; 0 without joints."""
    size = boxes.body_size(sequence.keypoints, min_joints=2)
    return 0.0 if np.isnan(size) else size


def noise_level(sequence: SkeletonSequence) -> np.ndarray:
    """`(joints,)` standard deviation per coordinate of the noise that is independent from frame to frame; NaN unknown.

    From the median of the fourth difference over time, in which smooth motion, quick moments and outliers count
    little.
    """
    rough = _differences(sequence.keypoints, 4).transpose(2, 0, 1, 3)
    return _noise(rough.reshape(sequence.num_joints, -1), 4)


def coordinate_noise(sequence: SkeletonSequence) -> np.ndarray:
    """`(joints, dims)`: as `noise_level`, of each coordinate, and less where the roughness is that of motion.

    A jump moves all joints alike: their mean is left out. White noise has the same level by the fourth and the eighth
    difference, motion at a low frame rate a lower one by the eighth: the level is that of the eighth times the square
    of their ratio. In 3-D below `_ROUGH_FPS` it is at most `_OF_BONES` times that of the lengths of the joint's bones,
    which motion keeps.
    """
    levels = []
    for order in (4, 8):
        rough = _differences(sequence.keypoints, order)
        seen = ~np.isnan(rough)
        mean = np.where(seen, rough, 0).sum(axis=2, keepdims=True) / np.maximum(seen.sum(axis=2, keepdims=True), 1)
        rough = (rough - mean * (sequence.num_joints > 1)).transpose(2, 3, 0, 1)
        levels.append(_noise(rough.reshape(sequence.num_joints * sequence.num_dims, -1), order))
    with np.errstate(invalid="ignore", divide="ignore"):
        level = levels[1] * np.minimum(levels[1] / levels[0], 1) ** 2
    level = level.reshape(sequence.num_joints, sequence.num_dims)
    if sequence.num_dims == 3 and sequence.fps < _ROUGH_FPS:
        level = np.minimum(level, _OF_BONES * _bone_noise(sequence)[:, None])
    return level


def _bone_noise(sequence: SkeletonSequence) -> np.ndarray:
    """`(joints,)` largest noise in the lengths of a joint's bones; infinite where none is known."""
    bones = sequence.layout.bone_indices
    most = np.full(sequence.num_joints, -1.0)
    if len(bones):
        ends = sequence.keypoints[:, :, bones]  # (people, frames, bones, 2, dims)
        rough = _differences(np.linalg.norm(ends[..., 0, :] - ends[..., 1, :], axis=-1), 8)
        noise = np.nan_to_num(_noise(rough.transpose(2, 0, 1).reshape(len(bones), -1), 8), nan=-1)
        np.maximum.at(most, bones, noise[:, None])
    return np.where(most < 0, np.inf, most)


def _differences(values: np.ndarray, order: int) -> np.ndarray:
    """Of `(people, frames, ...)` over time; none of a clip of less than 12 frames."""
    values = values.astype(np.float64)
    return np.diff(values if values.shape[1] >= 12 else values[:, :0], n=order, axis=1)


def _noise(rough: np.ndarray, order: int) -> np.ndarray:
    """The noise in each row of differences; NaN with less than 20 values."""
    # The difference of white noise of standard deviation 1; 0.6745: the median of |x| of a standard normal.
    scale = 0.6745 * math.comb(2 * order, order) ** 0.5
    medians = [np.nanmedian(np.abs(row)) if (~np.isnan(row)).sum() >= 20 else np.nan for row in rough]
    return np.array(medians) / scale


def handedness(sequence: SkeletonSequence) -> float | None:
    """Whether knees bend and feet point to the front that left and right define, in -1..1; None: not measurable.

    Up times left is forward in right-handed coordinates. Votes are weighted by length, so straight legs count little.
    """
    points = sequence.keypoints.astype(np.float64)
    joints = {joint: points[:, :, index] for index, joint in enumerate(sequence.layout.joints)}
    limbs = [f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle")]
    if sequence.num_dims != 3 or not {*limbs, "left_shoulder", "right_shoulder"} <= set(joints):
        return None
    middle_hip = (joints["left_hip"] + joints["right_hip"]) / 2
    up = (joints["left_shoulder"] + joints["right_shoulder"]) / 2 - middle_hip
    forward = np.cross(joints["left_hip"] - joints["right_hip"], up)
    trunk = np.linalg.norm(up, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    votes = []
    for side in ("left", "right"):
        hip, knee, ankle = (joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
        votes.append(((knee - (hip + ankle) / 2) * forward).sum(axis=-1))
        if f"{side}_foot" in joints:
            votes.append(((joints[f"{side}_foot"] - ankle) * forward).sum(axis=-1))
    lengths = np.stack(votes)
    lengths = lengths[~np.isnan(lengths)]
    if not len(lengths) or np.abs(lengths).mean() < 0.04 * np.nanmedian(trunk):
        return None
    return float(lengths.sum() / np.abs(lengths).sum())


@dataclass(frozen=True)
class LayoutFit:
    """How badly a layout fits a body; every part is 0 for a perfect fit.

    Args:
        layout: its name.
        proportion: root mean square of the logarithm of median length over expected length; in 2-D too short counts
            half, because of foreshortening.
        constancy: median over segments of the lengths' relative spread over the frames (0 in 2-D, not informative).
        symmetry: mean relative difference of the two sides.
        limb_segments: measured segments of arms and legs.
        trunk: the length of the trunk that the segments agree on, in units of the coordinates.
    """

    layout: str
    proportion: float
    constancy: float
    symmetry: float
    limb_segments: int = 0
    trunk: float = float("nan")

    @property
    def misfit(self) -> float:
        return self.proportion + self.constancy + self.symmetry

    @property
    def shape_misfit(self) -> float:
        """The misfit without `constancy`, which a noisy sensor has too."""
        return self.proportion + self.symmetry


def rank_layouts(sequence: SkeletonSequence) -> list[LayoutFit]:
    """The declared layout and the library's with as many joints, best fit first; empty when nothing can be measured.

    Layouts that differ only in left and right (cv-mim-13 and penn-13) fit equally well.
    """
    by_joints = {sequence.layout.joints: sequence.layout}  # several names may have the same joints
    for layout in LAYOUTS.values():
        if layout.num_joints == sequence.num_joints:
            by_joints.setdefault(layout.joints, layout)
    fits = [_fit(sequence, layout) for layout in by_joints.values()]
    return sorted((fit for fit in fits if fit is not None), key=lambda fit: fit.misfit)


def standing_height(sequence: SkeletonSequence) -> float | None:
    """How tall the people are, from the lengths of their limbs and trunk, whatever they do; None: not measurable.

    In units of the coordinates. 3-D clips of adults in metres give 1.2 to 1.8 (Kinect's hips are high), children from
    0.9.
    """
    fit = _fit(sequence, sequence.layout)
    return None if fit is None or np.isnan(fit.trunk) else fit.trunk / TRUNK_OF_HEIGHT


def _fit(sequence: SkeletonSequence, layout: SkeletonLayout) -> LayoutFit | None:
    segments = _segments_of(layout)
    step = max(1, -(-sequence.num_frames // _MAX_FRAMES))
    points = sequence.keypoints[:, ::step].reshape(-1, sequence.num_joints, sequence.num_dims).astype(np.float64)
    if len(segments) < 4 or not len(points):
        return None
    lengths = np.stack([_length(points, ends) for ends, _, _ in segments])  # (segments, poses)
    kept = (~np.isnan(lengths)).sum(axis=1) >= max(1, len(points) // 10)
    if kept.sum() < 4:
        return None
    lengths, chosen = lengths[kept], [segment for segment, keep in zip(segments, kept, strict=True) if keep]
    expected = np.array([length for _, length, _ in chosen])
    # In 2-D the longest view of a segment is nearest to its real length.
    typical = np.nanmedian(lengths, axis=1) if sequence.num_dims == 3 else np.nanpercentile(lengths, 80, axis=1)
    scale = float(np.median(typical / expected))
    if not scale > 0:
        return None
    error = np.log((typical / scale + _SOFTENING) / (expected + _SOFTENING))
    if sequence.num_dims == 2:
        error = np.where(error < 0, 0.5 * error, error)
    # Short segments, such as neck to shoulders, may be shorter by definition, but not longer.
    error = np.where((expected <= 0.25) & (error < 0), 0.0, error)
    long = expected >= 0.4
    spread = np.nanstd(lengths[long], axis=1) / np.maximum(np.nanmean(lengths[long], axis=1), 1e-9)
    constancy = float(np.median(spread)) if sequence.num_dims == 3 and long.any() else 0.0
    limbs = sum(bool(name) and length >= 0.2 and name not in _NO_LIMBS for _, length, name in chosen)
    proportion, asymmetry = float(np.sqrt((error**2).mean())), _asymmetry(typical, chosen)
    trunk = float(np.median((typical / expected)[long])) if long.sum() >= 4 else float("nan")
    return LayoutFit(layout.name, proportion, constancy, asymmetry, limbs, trunk)


def _segments_of(layout: SkeletonLayout) -> list[tuple[tuple[list[int], list[int]], float, str]]:
    """(joint indices of both ends, expected length, the segment's name without its side)."""
    found = []
    for first, second, length in _SEGMENTS:
        for side in ("left", "right") if "*" in first[0] + second[0] else ("",):
            names = [[joint.replace("*", side) for joint in end] for end in (first, second)]
            if all(joint in layout.joints for end in names for joint in end):
                ends = ([layout.index(joint) for joint in names[0]], [layout.index(joint) for joint in names[1]])
                found.append((ends, length, f"{first[0]}-{second[0]}" if side else ""))
    return found


def _length(points: np.ndarray, ends: tuple[list[int], list[int]]) -> np.ndarray:
    """`(poses,)`, NaN where a joint is missing."""
    return np.linalg.norm(points[:, ends[0]].mean(axis=1) - points[:, ends[1]].mean(axis=1), axis=-1)


def _asymmetry(typical: np.ndarray, chosen: list[tuple[tuple[list[int], list[int]], float, str]]) -> float:
    sides: dict[str, list[float]] = {}
    for (_, expected, name), length in zip(chosen, typical, strict=True):
        if name and expected >= 0.4:
            sides.setdefault(name, []).append(float(length))
    pairs = [pair for pair in sides.values() if len(pair) == 2 and sum(pair) > 0]
    return float(np.mean([abs(left - right) / (left + right) for left, right in pairs])) if pairs else 0.0


def same_up_to_sides(first: SkeletonLayout, second: SkeletonLayout) -> bool:
    """Whether two layouts differ only in left and right."""
    weights, _ = conversion_weights(first, second)
    return first.joints != second.joints and bool((weights.argmax(axis=1) == first.mirror).all())
