"""The input doctor: likely problems of a sequence, each finding with the call that repairs it.

Pipelines run `quick_checks`. `inspect` runs all checks, each on the sequence as repaired by the findings before it, so
that one defect gives one finding. Mirrored images and left/right swaps of a whole clip are found in 3-D only (knees
bend forwards); in 2-D they look like a view from behind.
"""

from typing import Any

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.body_checks import (
    frame_rate,
    height,
    image_size,
    layout,
    orientation,
    score_as_depth,
    unit,
    zeros,
)
from motionhub.skeletons.findings import Check, Finding
from motionhub.skeletons.measures import body_size, noise_level, rank_layouts
from motionhub.skeletons.motion_checks import (
    dead_joints,
    frozen,
    gaps,
    identity_swaps,
    jitter,
    jumps,
    spikes,
    swapped_sides,
)
from motionhub.skeletons.sequence import SkeletonSequence


def quick_checks(sequence: SkeletonSequence) -> list[Finding]:
    """Numbers that are formally valid but probably wrong, such as scores read as coordinates; usually none."""
    return [finding for check in NUMBERS for finding in check(sequence)] if sequence.joint_mask.any() else []


def inspect(sequence: SkeletonSequence) -> list[Finding]:
    """Likely problems in the order in which to repair them; usually none.

    `finding.fix` is a line of Python (`from motionhub.skeletons import repair`), `finding.apply(sequence)` runs it.
    Run the lines in order. Those that change the number of frames or joints come last: inspect again after them.

    Examples:
        >>> motionhub.inspect(motionhub.generate("wave", seed=0))
        []
    """
    if not sequence.joint_mask.any():
        what = f"people {sequence.num_people}, frames {sequence.num_frames}, and no valid keypoints"
        advice = "check the video and the pose estimator's threshold"
        return [Finding("empty", "problem", what, advice=advice)]
    found: list[Finding] = []
    sequence = _run(NUMBERS, sequence, found)
    found += [*image_size(sequence), *frame_rate(sequence)]
    lost = list(gaps(sequence))  # before the other checks hide anything
    sequence = _run(STILL, sequence, found)
    wrong_layout = list(layout(sequence))
    found += wrong_layout
    if not wrong_layout:  # else every joint name is wrong
        sequence = _run(NAMES, sequence, found)
    _run(MOTION, sequence, found)
    return sorted([*found, *lost], key=lambda finding: finding.function in _RESHAPING)


def _run(checks: tuple[Check, ...], sequence: SkeletonSequence, found: list[Finding]) -> SkeletonSequence:
    """Adds the findings of the checks; returns the sequence as repaired, where the repair keeps its shape."""
    for check in checks:
        for finding in list(check(sequence)):
            found.append(finding)
            repaired = finding.apply(sequence)
            if repaired.keypoints.shape[:3] == sequence.keypoints.shape[:3]:
                sequence = repaired
    return sequence


def describe(sequence: SkeletonSequence) -> dict[str, Any]:
    """People, frames, fps, unit, body size, visible fraction of each joint ("coverage"), noise, misfit of layouts."""
    mask, noise = sequence.joint_mask, noise_level(sequence)
    joints = sequence.layout.joints
    visible = mask.mean(axis=(0, 1)) if mask.size else np.zeros(len(joints))
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
        "coverage": {joint: round(float(share), 4) for joint, share in zip(joints, visible, strict=True)},
        "noise": {
            joint: None if np.isnan(sd) else float(f"{sd:.3g}") for joint, sd in zip(joints, noise, strict=True)
        },
        "layout_misfit": {fit.layout: round(fit.misfit, 3) for fit in rank_layouts(sequence)},
    }


def first_good_frame(sequence: SkeletonSequence) -> int:
    """The first frame with the most valid joints; 0 for an empty sequence."""
    if not sequence.joint_mask.size:
        return 0
    return int(sequence.joint_mask.sum(axis=(0, 2)).argmax())


# In the order in which `inspect` runs them.
NUMBERS: tuple[Check, ...] = (zeros, score_as_depth, unit)
STILL: tuple[Check, ...] = (dead_joints, frozen)
NAMES: tuple[Check, ...] = (height, orientation, identity_swaps, swapped_sides)
MOTION: tuple[Check, ...] = (jumps, spikes, jitter)

_RESHAPING = (repair.without_joints, repair.part, repair.drop_frames)
