"""Repairs for what the checks find: swaps, flips, units, hidden joints, gaps, repeated frames. Each returns a copy."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


Spans = Sequence[tuple[int, int]]  # of frames: (first, end), the end not included


def swap_sides(sequence: SkeletonSequence, person: int, frames: Spans) -> SkeletonSequence:
    """Left and right of one person swapped in some frames."""

    def swap(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        for first, end in _checked(sequence, frames):
            values[person, first:end] = values[person, first:end][:, sequence.layout.mirror]
        return values

    return _changed(sequence, swap)


def swap_people(sequence: SkeletonSequence, first_person: int, second_person: int, frames: Spans) -> SkeletonSequence:
    """Two people, by position, swapped in some frames."""

    def swap(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        for first, end in _checked(sequence, frames):
            values[[first_person, second_person], first:end] = values[[second_person, first_person], first:end]
        return values

    return _changed(sequence, swap)


def flip_axes(sequence: SkeletonSequence, axes: Sequence[str]) -> SkeletonSequence:
    """Coordinates "x", "y" or "z" negated; in pixels, flipped in the image, or in their range without image size.

    The stated axis `up` stays as it is: it is what the coordinates should agree with.
    """
    keypoints = sequence.keypoints.copy()
    for axis in ("xyz".index(name) for name in axes):
        edge = 0.0
        if sequence.unit == "pixel" and axis < 2:
            seen = keypoints[sequence.joint_mask][:, axis]
            edge = float(seen.min() + seen.max()) if sequence.image_size is None else sequence.image_size[axis] - 1.0
        keypoints[..., axis] = edge - keypoints[..., axis]
    return sequence.replace(keypoints=keypoints)


def turn_z_up(sequence: SkeletonSequence, downwards: bool = False) -> SkeletonSequence:
    """3-D with z up (or down) rotated about the x axis so that y is up; left stays left."""
    x, y, z = np.moveaxis(sequence.keypoints, -1, 0)
    turned = np.stack([x, -z, y] if downwards else [x, z, -y], axis=-1)
    return sequence.replace(keypoints=turned, up=None if sequence.up is None else "y")


def scale(sequence: SkeletonSequence, factor: float) -> SkeletonSequence:
    """Every coordinate times a factor: 0.001 converts millimetres to metres."""
    return sequence.replace(keypoints=sequence.keypoints.astype(np.float64) * factor)


def flat_to_pixels(sequence: SkeletonSequence) -> SkeletonSequence:
    """3-D whose z is 0 everywhere, as 2-D in pixels, y down."""
    return sequence.replace(keypoints=sequence.keypoints[..., :2], unit="pixel", up="-y")


def depth_to_confidence(sequence: SkeletonSequence) -> SkeletonSequence:
    """A score that was read as the third coordinate, as confidence of a 2-D sequence; 0 where it was missing."""
    score = np.nan_to_num(sequence.keypoints[..., 2])
    return sequence.replace(keypoints=sequence.keypoints[..., :2], confidence=score)


def without_joints(sequence: SkeletonSequence, joints: Sequence[str]) -> SkeletonSequence:
    """The sequence in a layout of its own without some joints and the bones that touch them."""
    layout = sequence.layout
    kept = [index for index, joint in enumerate(layout.joints) if joint not in joints]
    names = tuple(layout.joints[index] for index in kept)
    bones = tuple((child, parent) for child, parent in layout.bones if {child, parent} <= set(names))
    root = layout.root if layout.root in names else names[0]
    smaller = SkeletonLayout(f"{layout.name}-only-{len(names)}", names, bones, root)
    return _changed(sequence, lambda values: values[:, :, kept], layout=smaller)


def part(sequence: SkeletonSequence, first: int, end: int) -> SkeletonSequence:
    """The frames from `first` up to, not including, `end`."""
    _checked(sequence, [(first, end)])
    return _changed(sequence, lambda values: values[:, first:end])


def hide(sequence: SkeletonSequence, mask: np.ndarray) -> SkeletonSequence:
    """Missing where `mask`, which must broadcast to `(people, frames, joints)`, is True."""
    hidden = np.broadcast_to(mask, sequence.joint_mask.shape)[..., None]
    return sequence.replace(keypoints=np.where(hidden, np.float32(np.nan), sequence.keypoints))


def hide_joints(sequence: SkeletonSequence, joints: Sequence[str]) -> SkeletonSequence:
    """Joints missing in every frame, for all people."""
    mask = np.zeros(sequence.num_joints, bool)
    mask[[sequence.layout.index(joint) for joint in joints]] = True
    return hide(sequence, mask)


def hide_frames(sequence: SkeletonSequence, person: int, frames: Spans) -> SkeletonSequence:
    """One person missing in some frames."""
    mask = np.zeros(sequence.joint_mask.shape, bool)
    for first, end in _checked(sequence, frames):
        mask[person, first:end] = True
    return hide(sequence, mask)


def hide_zeros(sequence: SkeletonSequence) -> SkeletonSequence:
    """Joints at exactly the origin, which many pose estimators write for missing ones, become missing."""
    return hide(sequence, (sequence.keypoints == 0).all(axis=-1))


def spike_mask(sequence: SkeletonSequence, distance: float, speed: float) -> np.ndarray:
    """`(people, frames, joints)`: joints away for a single frame.

    They are farther than `distance` from the middle of the frames before and after, which agree, and move faster than
    `speed` (units a second) both ways.
    """
    mask = np.zeros(sequence.joint_mask.shape, bool)
    if sequence.num_frames < 3:
        return mask
    points = sequence.keypoints.astype(np.float64)
    before, now, after = points[:, :-2], points[:, 1:-1], points[:, 2:]
    off = np.linalg.norm(now - (before + after) / 2, axis=-1)
    agree = np.linalg.norm(after - before, axis=-1) < 0.5 * off
    fast = (
        np.minimum(np.linalg.norm(now - before, axis=-1), np.linalg.norm(now - after, axis=-1)) * sequence.fps > speed
    )
    mask[:, 1:-1] = (off > distance) & agree & fast
    return mask


def hide_spikes(sequence: SkeletonSequence, distance: float, speed: float) -> SkeletonSequence:
    """Joints that leave for a single frame become missing there, see `spike_mask`."""
    return hide(sequence, spike_mask(sequence, distance, speed))


def bridge_gaps(sequence: SkeletonSequence, max_frames: int) -> SkeletonSequence:
    """Gaps of at most `max_frames` frames in a joint's track filled, linear in time."""
    keypoints = sequence.keypoints.copy()
    times = np.arange(sequence.num_frames)
    for person, joint in np.ndindex(sequence.num_people, sequence.num_joints):
        track = keypoints[person, :, joint]
        seen = np.flatnonzero(~np.isnan(track[:, 0]))
        for before, after in itertools.pairwise(seen):
            if 1 < after - before <= max_frames + 1:
                share = ((times[before:after] - before) / (after - before))[:, None]
                track[before:after] = track[before] * (1 - share) + track[after] * share
    return sequence.replace(keypoints=keypoints)


def smooth(sequence: SkeletonSequence, sigma: float) -> SkeletonSequence:
    """A Gaussian of `sigma` frames over time; missing joints stay missing and have no weight."""
    from scipy.ndimage import gaussian_filter1d

    seen = sequence.joint_mask[..., None].astype(np.float64)
    total = gaussian_filter1d(np.nan_to_num(sequence.keypoints).astype(np.float64), sigma, axis=1, mode="nearest")
    weight = gaussian_filter1d(seen, sigma, axis=1, mode="nearest")
    smoothed = np.where(seen > 0, total / np.maximum(weight, 1e-12), np.nan)
    return sequence.replace(keypoints=smoothed)


def drop_frames(sequence: SkeletonSequence, frames: Sequence[int]) -> SkeletonSequence:
    """Without some frames, at the frame rate that keeps the duration: for repeated frames."""
    kept = np.setdiff1d(np.arange(sequence.num_frames), frames)
    if not len(kept):
        raise ValueError(f"drop_frames must leave a frame, but was given all {sequence.num_frames}.")
    fps = sequence.fps * len(kept) / sequence.num_frames
    return _changed(sequence, lambda values: values[:, kept], fps=fps)


def _changed(
    sequence: SkeletonSequence, change: Callable[[np.ndarray], np.ndarray], **others: Any
) -> SkeletonSequence:
    """The sequence with keypoints and confidence `(people, frames, joints, ...)` changed alike."""
    confidence = None if sequence.confidence is None else change(sequence.confidence)
    return sequence.replace(keypoints=change(sequence.keypoints), confidence=confidence, **others)


def _checked(sequence: SkeletonSequence, frames: Spans) -> Spans:
    for first, end in frames:
        if not 0 <= first < end <= sequence.num_frames:
            raise ValueError(f"frames must be spans (first, end) in 0..{sequence.num_frames}, got {(first, end)}.")
    return frames
