"""The input doctor: what a sequence is, and what is probably wrong with it, each with the call that undoes it.

It does not know files, models or pictures. Every check looks at the sequence as the findings before it would leave it,
so that one defect gives one finding. What cannot be seen in keypoints is not claimed: a mirrored image, or left and
right exchanged from beginning to end, shows in 3-D (knees bend forwards) and not in 2-D: it is a view from behind.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from motionhub.skeletons import motion_symptoms as motion
from motionhub.skeletons import repair, symptoms
from motionhub.skeletons.findings import Finding, body_size
from motionhub.skeletons.proportions import rank_layouts
from motionhub.skeletons.sequence import SkeletonSequence


Check = Callable[[SkeletonSequence], Iterator[Finding]]
# What the numbers are, then what is not alive, then where the names are wrong, then what is wrong in time.
_NUMBERS: tuple[Check, ...] = (symptoms.zeros, symptoms.score_as_depth, symptoms.unit)
_STILL: tuple[Check, ...] = (symptoms.dead_joints, motion.frozen)
_NAMES: tuple[Check, ...] = (symptoms.orientation, motion.identity_swaps, motion.swapped_sides)
_MOTION: tuple[Check, ...] = (motion.jumps, motion.spikes, motion.jitter)

_RESHAPING = (repair.without_joints, repair.part, repair.drop_frames)


def inspect(sequence: SkeletonSequence) -> list[Finding]:
    """What is probably wrong, in the order in which it should be mended; an empty list for most sequences.

    `finding.fix` is a line of Python (`from motionhub.skeletons import repair`), `finding.apply(sequence)` runs it.
    The lines can be run one after the other. Those that change the number of frames or joints come last: after such a
    line, inspect again.
    """
    if not sequence.joint_mask.any():
        what = f"{sequence.num_people} people, {sequence.num_frames} frames and not one joint seen"
        advice = "look at the video and the pose estimator's threshold; there is nothing to read here"
        return [Finding("empty", "problem", what, advice=advice)]
    found: list[Finding] = []
    sequence = _asked(_NUMBERS, sequence, found)
    found += [*symptoms.image_size(sequence), *symptoms.frame_rate(sequence)]
    gaps = list(motion.gaps(sequence))  # before the other checks hide anything
    sequence = _asked(_STILL, sequence, found)
    wrong_layout = list(symptoms.layout(sequence))
    found += wrong_layout
    if not wrong_layout:  # else every name is wrong, and what follows from names with it
        sequence = _asked(_NAMES, sequence, found)
    _asked(_MOTION, sequence, found)
    return sorted([*found, *gaps], key=lambda finding: finding.function in _RESHAPING)


def _asked(checks: tuple[Check, ...], sequence: SkeletonSequence, found: list[Finding]) -> SkeletonSequence:
    """Adds what the checks find; the sequence as the fixes leave it, in the same shape."""
    for check in checks:
        for finding in list(check(sequence)):
            found.append(finding)
            mended = finding.apply(sequence)
            if mended.keypoints.shape[:3] == sequence.keypoints.shape[:3]:
                sequence = mended
    return sequence


def describe(sequence: SkeletonSequence) -> dict[str, Any]:
    """Plain facts: people, frames, fps, unit, body size, coverage per joint, noise, and how well layouts fit."""
    mask, noise = sequence.joint_mask, motion.noise_level(sequence)
    joints = sequence.layout.joints
    coverage = mask.mean(axis=(0, 1)) if mask.size else np.zeros(len(joints))
    return {
        "people": sequence.num_people,
        "frames": sequence.num_frames,
        "fps": sequence.fps,
        "seconds": round(sequence.duration, 3),
        "dims": sequence.num_dims,
        "unit": sequence.unit,
        "image_size": sequence.image_size,
        "layout": sequence.layout.name,
        "body_size": round(body_size(sequence), 4),
        "coverage": {joint: round(float(share), 4) for joint, share in zip(joints, coverage, strict=True)},
        "noise": {
            joint: None if np.isnan(sd) else float(f"{sd:.3g}") for joint, sd in zip(joints, noise, strict=True)
        },
        "layout_misfit": {fit.layout: round(fit.misfit, 3) for fit in rank_layouts(sequence)},
    }


def first_good_frame(sequence: SkeletonSequence) -> int:
    """The first frame with as many joints seen as in any frame; 0 for an empty sequence."""
    if not sequence.joint_mask.size:
        return 0
    return int(sequence.joint_mask.sum(axis=(0, 2)).argmax())
