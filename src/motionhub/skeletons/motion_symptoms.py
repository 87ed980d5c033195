"""Checks of the input doctor that look at motion: who became whom, sides that swap, what stands, jumps or shakes.

They do not know in which order they are asked (`inspection.py`) nor change anything (`repair.py`).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.findings import Finding, body_size, person_text, runs, spans_text
from motionhub.skeletons.sequence import SkeletonSequence


# A swap must explain the motion this much better than no swap, and what it explains must be a real jump.
SWAP_GAIN, SWAP_JUMP = 0.4, 0.5
# Of the body's size per frame, and five times the usual: another person, or another shot.
JUMP = 0.5
# Of the body's size: a joint that far off the line between its neighbours in time, and back at once, was misplaced.
SPIKE = 0.2
# Body sizes per second: about 20 m/s. A pitcher's hand reaches it, nothing else, and does not turn within a frame.
SPIKE_SPEED = 10.0
# Of the body's size: about 15 mm of an adult.
JITTER = 0.008
# Share of missing joints, and of frames that repeat the one before, from which on it is worth a note: occlusion leaves
# a few per cent in most 2-D clips, and annotators a few frames as they were.
GAPS, REPEATED = 0.1, 0.1
# The fourth difference of white noise of standard deviation 1 has the standard deviation sqrt(70).
FOURTH_DIFFERENCE = 70**0.5


def identity_swaps(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Two people of whom each goes on where the other was."""
    size = body_size(sequence)
    for first, second in combinations(range(sequence.num_people), 2):
        pair = sequence.keypoints[[first, second]]
        stay = np.stack([_steps(pair[0]), _steps(pair[1])]).mean(axis=0)
        cross = np.stack([_steps(pair[0], pair[1]), _steps(pair[1], pair[0])]).mean(axis=0)
        with np.errstate(invalid="ignore"):
            events = np.flatnonzero((cross < SWAP_GAIN * stay) & (stay > 0.15 * size)) + 1
        if len(events):
            spans = _alternate(events, sequence.num_frames)[0]
            text = (
                f"people {first} and {second} exchange places at frame {_listed(events)}: the motion goes on in the "
            )
            text += f"other ({cross[events[0] - 1] / size:.1%} of a body in one frame instead of "
            text += f"{stay[events[0] - 1] / size:.0%})"
            arguments = {"first_person": first, "second_person": second, "frames": spans}
            yield Finding("identity-swap", "problem", text, repair.swap_people, arguments)


def swapped_sides(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Frames in which left and right exchanged fit the motion better."""
    mirror = sequence.layout.mirror
    sided = mirror != np.arange(sequence.num_joints)
    size = body_size(sequence)
    if sided.sum() < 4:
        return
    for person in range(sequence.num_people):
        track = sequence.keypoints[person][:, sided]
        other = sequence.keypoints[person][:, mirror][:, sided]
        stay, cross = _steps(track), _steps(track, other)
        with np.errstate(invalid="ignore"):
            width = np.linalg.norm(track - other, axis=-1)
            seen = ~np.isnan(width)
            apart = np.where(seen, width, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
            jump = (stay > SWAP_JUMP * apart[:-1]) & (apart[:-1] > 0.04 * size)
            events = np.flatnonzero((cross < SWAP_GAIN * stay) & jump & (seen.sum(axis=1)[1:] >= 4)) + 1
        if len(events):
            # Which half is the wrong one is not known: the shorter.
            spans = min(
                _alternate(events, sequence.num_frames), key=lambda half: sum(end - start for start, end in half)
            )
            frames = sum(end - start for start, end in spans)
            text = (
                f"{person_text(sequence, person)} has left and right exchanged in {frames} of {sequence.num_frames} "
            )
            text += f"frames: {spans_text(spans)}"
            yield Finding("swapped-sides", "problem", text, repair.swap_sides, {"person": person, "frames": spans})


def _steps(track: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """`(frames - 1,)` mean distance of the joints to those of the frame before (of `before`), NaN without one."""
    step = np.linalg.norm(track[1:] - (track if before is None else before)[:-1], axis=-1)
    seen = ~np.isnan(step)
    total = np.where(seen, step, 0).sum(axis=1)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)


def _alternate(events: np.ndarray, num_frames: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The spans after the first, third, ... event, and the spans between them (and before the first)."""
    edges = [0, *events.tolist(), num_frames]
    spans = list(zip(edges[:-1], edges[1:], strict=True))
    return spans[1::2], spans[::2]


def _listed(events: np.ndarray) -> str:
    return ", ".join(map(str, events[:6])) + (" ..." if len(events) > 6 else "")


def frozen(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Frames that equal the one before: long runs are a frozen sensor, many single ones a false frame rate."""
    size = body_size(sequence)
    longest = max(4, round(0.2 * sequence.fps))
    repeats_of_all = np.ones(max(sequence.num_frames - 1, 0), bool)
    for person in range(sequence.num_people):
        track, mask = sequence.keypoints[person], sequence.joint_mask[person]
        step = np.abs(np.diff(track, axis=0))
        same: np.ndarray = np.where(np.isnan(step), 0, step).max(axis=(1, 2), initial=0) <= 1e-7 * size
        same &= (mask[1:] == mask[:-1]).all(axis=1)
        repeats_of_all &= same | ~mask[1:].any(axis=1)
        same &= mask[1:].any(axis=1)
        still = [(first + 1, end + 1) for first, end in runs(same) if end - first >= longest]
        if still:
            frames = sum(end - first for first, end in still)
            text = (
                f"{person_text(sequence, person)} stands still to the last digit in {frames} of {sequence.num_frames} "
            )
            text += f"frames: {spans_text(still)}"
            yield Finding("frozen", "problem", text, repair.hide_frames, {"person": person, "frames": still})
    seen = np.asarray(sequence.joint_mask.any(axis=(0, 2)))[1:]
    single = [
        frame + 1 for first, end in runs(repeats_of_all & seen) for frame in range(first, end) if end - first < longest
    ]
    if len(single) >= 3 and len(single) >= REPEATED * sequence.num_frames:
        real = sequence.fps * (1 - len(single) / sequence.num_frames)
        text = f"{len(single)} of {sequence.num_frames} frames repeat the one before; the motion was taken at about "
        text += f"{real:.3g} frames per second, not {sequence.fps:g}"
        yield Finding("repeated-frames", "note", text, repair.drop_frames, {"frames": single})


def jumps(sequence: SkeletonSequence) -> Iterator[Finding]:
    """A whole body that is elsewhere in the next frame: another person under this number, or a cut in the video."""
    size = body_size(sequence)
    for person in range(sequence.num_people):
        step = np.linalg.norm(np.diff(sequence.keypoints[person], axis=0), axis=-1)
        with np.errstate(invalid="ignore"):
            seen = (~np.isnan(step)).sum(axis=1)
            usual = np.nanmedian(step) if seen.any() else 0.0
            far = ((step > max(JUMP * size, 5 * usual)).sum(axis=1) > 0.8 * seen) & (
                seen >= min(4, sequence.num_joints)
            )
        events = (np.flatnonzero(far) + 1).tolist()
        if events and size:
            edges = [0, *events, sequence.num_frames]
            first, end = max(zip(edges[:-1], edges[1:], strict=True), key=lambda span: span[1] - span[0])
            text = f"{person_text(sequence, person)} is elsewhere from one frame to the next, at frame "
            text += f"{_listed(np.array(events))}: a cut, or another person; the longest part is {first}-{end - 1}"
            yield Finding("jump", "problem", text, repair.part, {"first": first, "end": end})


def spikes(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints that leave for a single frame at an impossible speed."""
    mask = repair.spike_mask(sequence, SPIKE * body_size(sequence), SPIKE_SPEED * body_size(sequence))
    count = int(mask.sum())
    if count:
        worst = np.argsort(-mask.sum(axis=(0, 1)), kind="stable")
        names = ", ".join(sequence.layout.joints[joint] for joint in worst[:3] if mask[:, :, joint].any())
        text = (
            f"{count} times a joint is away for one frame, faster than {SPIKE_SPEED:g} bodies a second; most: {names}"
        )
        arguments = {
            "distance": round(SPIKE * body_size(sequence), 4),
            "speed": round(SPIKE_SPEED * body_size(sequence), 4),
        }
        severity = "problem" if count > 0.01 * sequence.joint_mask.sum() else "note"
        yield Finding("spikes", severity, text, repair.hide_spikes, arguments)


def jitter(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Noise from frame to frame."""
    size, noise = body_size(sequence), noise_level(sequence)
    seen = noise[~np.isnan(noise)]
    if not size or not len(seen):
        return
    level = float(np.median(seen))
    if level > JITTER * size:
        worst = sequence.layout.joints[int(np.nanargmax(noise))]
        unit = {"metre": "m", "pixel": "px", "normalised": ""}[sequence.unit]
        text = f"joints shake with a standard deviation of {level:.3g} {unit} per coordinate ({level / size:.1%} of a "
        text += f"body); most: {worst}"
        yield Finding("jitter", "note", text, repair.smooth, {"sigma": 1.5})


def noise_level(sequence: SkeletonSequence) -> np.ndarray:
    """`(joints,)` standard deviation per coordinate of what changes independently from frame to frame; NaN unknown.

    From the fourth difference over time, in which smooth motion nearly vanishes; its median, so that quick moments and
    outliers count little.
    """
    if sequence.num_frames < 12:
        return np.full(sequence.num_joints, np.nan)
    rough = np.abs(np.diff(sequence.keypoints.astype(np.float64), n=4, axis=1))
    rough = rough.transpose(2, 0, 1, 3).reshape(sequence.num_joints, -1)
    # 0.6745: the median of the absolute value of a standard normal.
    return np.array([np.nanmedian(row) if (~np.isnan(row)).sum() >= 20 else np.nan for row in rough]) / (
        0.6745 * FOURTH_DIFFERENCE
    )


def gaps(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints, or everybody, missing between frames in which they were seen."""
    mask = sequence.joint_mask
    if mask.shape[1] < 3:
        return
    longest, missing, inside = 0, 0, 0
    for person, joint in np.ndindex(mask.shape[0], mask.shape[2]):
        seen = np.flatnonzero(mask[person, :, joint])
        if len(seen) > 1:
            steps = np.diff(seen)
            longest = max(longest, int(steps.max()) - 1)
            missing += int((steps - 1).sum())
            inside += int(seen[-1] - seen[0] + 1)
    if missing > GAPS * inside:
        bridged = max(1, min(longest, round(0.5 * sequence.fps)))
        text = (
            f"{missing / inside:.0%} of the joints are missing between frames in which they are seen; the longest gap "
        )
        text += f"has {longest} frames ({longest / sequence.fps:.2g} s)"
        yield Finding("gaps", "note", text, repair.bridge_gaps, {"max_frames": bridged})
