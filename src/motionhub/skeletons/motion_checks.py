"""Checks of motion: dead joints, swaps, frozen frames, jumps, spikes, jitter and gaps. Lengths are in body sizes."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np

from motionhub.geometry.boxes import bounds
from motionhub.skeletons import repair
from motionhub.skeletons.findings import Finding, count_frames, name_of, runs, spans_text
from motionhub.skeletons.measures import body_size, noise_level
from motionhub.skeletons.sequence import SkeletonSequence


# All lengths below are in body sizes.
DEAD = 1e-4  # sensor noise is a hundred times larger
STILL_BODY = 0.01  # a body that hardly moves has joints that do not, as has one of which less than half moves
DETACHED = 0.15  # annotators leave a resting hip at one pixel while the arms beside it move
# A swap must explain the motion this much better than no swap, and explain a real jump.
SWAP_GAIN, SWAP_JUMP = 0.4, 0.5
JUMP = 0.5  # per frame, and five times the usual step: another person, or another shot
SPIKE = 0.2  # off the line between the neighbours in time
SPIKE_SPEED = 10.0  # per second, about 20 m/s: a pitcher's hand reaches it, but does not turn within a frame
JITTER = 0.008  # about 15 mm of an adult
# Smallest share of missing joints, and of repeated frames, that is reported: occlusion leaves a few per cent in most
# 2-D clips, and annotators repeat a few frames.
GAPS, REPEATED = 0.1, 0.1


def dead_joints(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints that are always missing, and joints that stay at one place while the body moves."""
    never = [joint for index, joint in enumerate(sequence.layout.joints) if not sequence.joint_mask[:, :, index].any()]
    if len(never) == sequence.num_joints:  # an earlier finding says why
        return
    if never:
        text = f"{', '.join(never)}: missing in all {sequence.num_frames} frames"
        yield Finding("dead-joint", "note", text, repair.without_joints, {"joints": never})
    size = body_size(sequence)
    if sequence.num_frames < 10 or not size:
        return
    moved = np.stack([_extent_over_time(person) for person in sequence.keypoints])  # (people, joints)
    # The root node of Bandai-Namco's files never moves.
    dead = [
        joint
        for index, joint in enumerate(sequence.layout.joints)
        if joint != "origin" and all(_is_dead(sequence, person, index, moved, size) for person in range(len(moved)))
    ]
    others = float(np.nanmedian(moved[moved >= DEAD * size])) / size if dead else 0.0
    if others > STILL_BODY and 2 * len(dead) <= sequence.num_joints:
        text = f"{', '.join(dead)}: at one place in every frame, while other joints move over {others:.0%} of the body"
        yield Finding("dead-joint", "problem", text, repair.hide_joints, {"joints": dead})


def _is_dead(sequence: SkeletonSequence, person: int, joint: int, moved: np.ndarray, size: float) -> bool:
    """Whether a joint neither moves nor keeps its distance to any moving joint; a planted foot does."""
    alive = np.flatnonzero(moved[person] >= DEAD * size)
    if not moved[person, joint] < DEAD * size or not len(alive):
        return False
    track = sequence.keypoints[person]
    distances = np.linalg.norm(track[:, alive] - track[:, joint, None], axis=-1)[..., None]
    return bool(np.nanmin(_extent_over_time(distances)) > DETACHED * size)


def _extent_over_time(track: np.ndarray) -> np.ndarray:
    """`(joints,)`: the longest side of each joint's bounding box; NaN if valid in under 10 frames."""
    low, high = bounds(track, axis=0)
    often = (~np.isnan(track[..., 0])).sum(axis=0) >= 10
    return np.where(often, np.maximum(high - low, 0).max(axis=-1), np.nan)


def identity_swaps(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Two people who each continue where the other was."""
    size = body_size(sequence)
    for first, second in combinations(range(sequence.num_people), 2):
        pair = sequence.keypoints[[first, second]]
        stay = np.stack([_steps(pair[0]), _steps(pair[1])]).mean(axis=0)
        cross = np.stack([_steps(pair[0], pair[1]), _steps(pair[1], pair[0])]).mean(axis=0)
        with np.errstate(invalid="ignore"):
            events = np.flatnonzero((cross < SWAP_GAIN * stay) & (stay > 0.15 * size)) + 1
        if len(events):
            spans = _alternate(events, sequence.num_frames)[0]
            text = f"people {first} and {second} swap places at frame {_listed(events)}: the motion continues in "
            text += f"the other ({cross[events[0] - 1] / size:.1%} of a body in one frame instead of "
            text += f"{stay[events[0] - 1] / size:.0%})"
            arguments = {"first_person": first, "second_person": second, "frames": spans}
            yield Finding("identity-swap", "problem", text, repair.swap_people, arguments)


def swapped_sides(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Frames in which a left/right swap fits the motion better."""
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
            mean = np.where(seen, width, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
            jump = (stay > SWAP_JUMP * mean[:-1]) & (mean[:-1] > 0.04 * size)
            events = np.flatnonzero((cross < SWAP_GAIN * stay) & jump & (seen.sum(axis=1)[1:] >= 4)) + 1
        if len(events):
            # Which spans are wrong is unknown: assume the shorter ones.
            spans = min(_alternate(events, sequence.num_frames), key=count_frames)
            frames = count_frames(spans)
            text = f"{name_of(sequence, person)} has a left/right swap in {frames} of {sequence.num_frames} frames: "
            text += spans_text(spans)
            yield Finding("swapped-sides", "problem", text, repair.swap_sides, {"person": person, "frames": spans})


def _steps(track: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """`(frames - 1,)` mean distance of the joints from the frame before (of `before`), NaN without any."""
    step = np.linalg.norm(track[1:] - (track if before is None else before)[:-1], axis=-1)
    seen = ~np.isnan(step)
    total = np.where(seen, step, 0).sum(axis=1)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)


def _alternate(events: np.ndarray, num_frames: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The spans after the first, third, ... event, and the other spans."""
    edges = [0, *events.tolist(), num_frames]
    spans = list(pairwise(edges))
    return spans[1::2], spans[::2]


def _listed(events: np.ndarray) -> str:
    return ", ".join(map(str, events[:6])) + (" ..." if len(events) > 6 else "")


def frozen(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Repeated frames: long runs are a frozen sensor, many single ones a wrong frame rate."""
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
            text = f"{name_of(sequence, person)} does not change in {count_frames(still)} of {sequence.num_frames} "
            text += f"frames: {spans_text(still)}"
            yield Finding("frozen", "problem", text, repair.hide_frames, {"person": person, "frames": still})
    repeats_of_all &= np.asarray(sequence.joint_mask.any(axis=(0, 2)))[1:]
    short = (span for span in runs(repeats_of_all) if span[1] - span[0] < longest)
    single = [frame + 1 for first, end in short for frame in range(first, end)]
    if len(single) >= 3 and len(single) >= REPEATED * sequence.num_frames:
        real = sequence.fps * (1 - len(single) / sequence.num_frames)
        text = f"{len(single)} of {sequence.num_frames} frames repeat the one before; the motion was taken at about "
        text += f"{real:.3g} frames per second, not {sequence.fps:g}"
        yield Finding("repeated-frames", "note", text, repair.drop_frames, {"frames": single})


def jumps(sequence: SkeletonSequence) -> Iterator[Finding]:
    """A whole body elsewhere in the next frame: another person under this number, or a cut in the video."""
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
            first, end = max(pairwise(edges), key=lambda span: span[1] - span[0])
            text = f"{name_of(sequence, person)} is elsewhere from one frame to the next, at frame "
            text += f"{_listed(np.array(events))}: a cut, or another person; the longest part is {first}-{end - 1}"
            yield Finding("jump", "problem", text, repair.part, {"first": first, "end": end})


def spikes(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints that leave for a single frame at an impossible speed."""
    size = body_size(sequence)
    mask = repair.spike_mask(sequence, SPIKE * size, SPIKE_SPEED * size)
    count = int(mask.sum())
    if count:
        worst = np.argsort(-mask.sum(axis=(0, 1)), kind="stable")
        names = ", ".join(sequence.layout.joints[joint] for joint in worst[:3] if mask[:, :, joint].any())
        text = (
            f"{count} times a joint is away for one frame, faster than {SPIKE_SPEED:g} bodies a second; most: {names}"
        )
        arguments = {"distance": round(SPIKE * size, 4), "speed": round(SPIKE_SPEED * size, 4)}
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


def gaps(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints missing between frames in which they are detected."""
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
        text = f"{missing / inside:.0%} of the joints are missing between frames in which they are detected; "
        text += f"the longest gap has {longest} frames ({longest / sequence.fps:.2g} s)"
        yield Finding("gaps", "note", text, repair.bridge_gaps, {"max_frames": bridged})
