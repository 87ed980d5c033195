"""The input doctor: likely problems of a sequence, each finding with the call that repairs it.

Pipelines run `quick_checks`. `inspect` runs all checks, each on the sequence as repaired by the findings before it, so
that one defect gives one finding. Mirrored images and left/right swaps of a whole clip are found in 3-D only (knees
bend forwards); in 2-D they look like a view from behind.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from motionhub.geometry.boxes import bounds
from motionhub.skeletons import repair
from motionhub.skeletons.bodies import limb_group
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.measures import (
    body_size,
    handedness,
    noise_level,
    rank_layouts,
    same_up_to_sides,
    standing_height,
)
from motionhub.skeletons.sequence import DIRECTIONS, SkeletonSequence


# Metres, of people with chairs and other equipment.
SMALLEST_BODY, LARGEST_BODY = 0.02, 10.0
# Metres, of `standing_height`; and what a proposed factor must lead to.
SHORTEST, TALLEST, USUAL_HEIGHT = 0.8, 2.6, (1.2, 2.2)
# Of `shape_misfit`. Of 1,272 real 3-D clips the largest is 0.47, of 859 in 2-D 0.70, of generated clips 0.12; with the
# joints in a random order the smallest is 0.51. Cartoon characters may have more.
NO_BODY, NO_BODY_2D = 0.5, 0.75
FITS = 0.35  # as bodies of noisy sensors do; a layout that fits worse is not proposed
LIMB_SEGMENTS = 8
# Of `handedness`. Kinect's knees bend a little backwards when straight: 5 of 1,666 real clips that are not mirrored
# (N-UCLA, UTD-MHAD) are below; of their mirror images 43 % and 21 %; of mirrored motion capture all.
MIRRORED = -0.6
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


@dataclass(frozen=True)
class Finding:
    """One likely problem.

    Args:
        kind: such as `"swapped-sides"`; the same for every clip.
        severity: `"problem"` (results will be wrong) or `"note"` (often intended).
        seen: the observation, with numbers.
        function: of `motionhub.skeletons.repair`, or `SkeletonSequence.replace`, that repairs it; or None.
        arguments: its arguments after the sequence.
        advice: what to do with an array before it becomes a sequence, or where no function helps.
    """

    kind: str
    severity: str
    seen: str
    function: Callable[..., SkeletonSequence] | None = field(default=None, repr=False)
    arguments: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.seen}; {self.advice or self.fix}"

    @property
    def fix(self) -> str:
        """A line of Python, after `from motionhub.skeletons import repair`; or the advice."""
        if self.function is None:
            return self.advice
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        if self.function is SkeletonSequence.replace:
            return f"sequence = sequence.replace({arguments})"
        return f"sequence = repair.{self.function.__name__}(sequence{arguments and ', '}{arguments})"

    def apply(self, sequence: SkeletonSequence) -> SkeletonSequence:
        """The repaired sequence; the sequence itself where no function helps."""
        return sequence if self.function is None else self.function(sequence, **self.arguments)


Check = Callable[[SkeletonSequence], Iterator[Finding]]


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
        what = f"{sequence.num_people} people, {sequence.num_frames} frames and no valid keypoints"
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


def zeros(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints at exactly zero, except a joint of the trunk on which the whole clip is centred."""
    zero = (sequence.keypoints == 0).all(axis=-1)
    joints, root = sequence.layout.joints, sequence.layout.root
    central = np.array([joint == root or limb_group(joint) == "torso" for joint in joints])
    if (zero & ~(zero.all(axis=(0, 1)) & central)).any():
        share = zero.sum() / sequence.joint_mask.sum()
        text = f"{share:.1%} of the joints lie at exactly zero, which pose estimators write for missing ones"
        advice = "make them missing first: array[(array == 0).all(-1)] = numpy.nan"
        yield Finding("zeros", "problem", text, repair.hide_zeros, advice=advice)


def unit(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Millimetres or normalised values as metres, metres or 0..1 as pixels, pixels as normalised values."""
    size, seen = body_size(sequence), sequence.keypoints[sequence.joint_mask]
    if not size:
        return
    if sequence.unit == "metre" and size > LARGEST_BODY:
        yield _too_large(sequence, size)
        return
    text, other = "", "normalised"
    if sequence.unit == "metre" and size < SMALLEST_BODY:
        text = f"a body measures {size:.3g} metres across; the numbers look normalised"
    elif sequence.unit == "pixel" and sequence.num_dims == 3 and size <= LARGEST_BODY:
        text, other = f"a body in 3-D measures {size:.3g} pixels across; the numbers look like metres", "metre"
    elif sequence.unit == "pixel" and np.abs(seen[:, :2]).max() <= 2:
        text = f"no coordinate is larger than {np.abs(seen[:, :2]).max():.2f} pixels; the numbers look normalised"
    elif sequence.unit == "normalised" and size > 20:
        text = f"a body measures {size:.0f}, but normalised coordinates are about 0..1 or -1..1; they look like pixels"
        other = "pixel"
    if text:
        yield Finding("unit", "problem", text, SkeletonSequence.replace, {"unit": other}, f"pass unit={other!r}")


def _too_large(sequence: SkeletonSequence, size: float) -> Finding:
    """A body of more than ten metres: pixels if it is flat, else millimetres or centimetres if that gives a person."""
    seen = sequence.keypoints[sequence.joint_mask]
    if sequence.num_dims == 3 and (seen[:, 2] == 0).all():
        text = f"a body measures {size:.0f} metres across, and z is 0 everywhere; the numbers look like pixels"
        advice = "read the file with unit='pixel', or pass array[..., :2] with unit='pixel'"
        return Finding("unit", "problem", text, repair.flat_to_pixels, advice=advice)
    height = standing_height(sequence)
    name, factor = ("millimetre", 0.001) if size > 600 else ("centimetre", 0.01)
    if height is not None:
        choices = {"millimetre": 0.001, "centimetre": 0.01}
        fitting = [each for each in choices if _is_usual(height * choices[each])]
        if not fitting:
            text = (
                f"a body measures {size:.0f} metres across and is {height:.4g} metres tall, which is no unit of length"
            )
            return Finding("unit", "problem", text, advice="state the unit of the numbers when reading: unit=...")
        name, factor = fitting[0], choices[fitting[0]]
    text = f"a body measures {size:.0f} metres across; the numbers look like {name}s (when reading: unit={name!r})"
    return Finding("unit", "problem", text, repair.scale, {"factor": factor}, f"divide them by {round(1 / factor)}")


def _is_usual(height: float) -> bool:
    return USUAL_HEIGHT[0] <= height <= USUAL_HEIGHT[1]


def height(sequence: SkeletonSequence) -> Iterator[Finding]:
    """People in metres who are too short or too tall for adults, by the lengths of their limbs."""
    tall = standing_height(sequence) if sequence.unit == "metre" else None
    if tall is None or SHORTEST <= tall <= TALLEST or body_size(sequence) < SMALLEST_BODY:
        return
    factor = next((each for each in (0.1, 10.0, 100.0, 1000.0) if _is_usual(tall * each)), None)
    text = f"by their limbs, people are {tall:.3g} metres tall; adults are 1.2 to 2.2"
    if factor is None:
        flat = sequence.num_dims == 3 and (sequence.keypoints[sequence.joint_mask][:, 2] == 0).all()
        unit = "'pixel', as z is 0 everywhere" if flat else "..."
        yield Finding("height", "problem", text, advice=f"state the unit of the numbers when reading: unit={unit}")
    else:
        yield Finding("height", "problem", text, repair.scale, {"factor": factor})


def score_as_depth(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Detection scores that were read as a third coordinate."""
    seen = sequence.keypoints[sequence.joint_mask]
    if sequence.unit == "pixel" and sequence.num_dims == 3 and seen[:, 2].min() >= 0 and seen[:, 2].max() <= 1:
        text = "the third coordinate of these pixels is always in 0..1, as detection scores are"
        advice = "pass array[..., :2] as keypoints and array[..., 2] as confidence"
        yield Finding("score-as-depth", "problem", text, repair.depth_to_confidence, advice=advice)


def image_size(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints far outside the image: its size is that of another video. 5 % beyond the edge is extrapolation."""
    if sequence.unit != "pixel" or sequence.image_size is None:
        return
    seen, size = sequence.keypoints[sequence.joint_mask][:, :2], np.array(sequence.image_size)
    outside = float(((seen < -0.05 * size) | (seen > 1.05 * size)).any(axis=1).mean())
    if outside > 0.02:
        reach = tuple(int(value) for value in np.ceil(np.maximum(np.percentile(seen, 99.5, axis=0), 1)))
        text = f"{outside:.0%} of the joints lie outside the image of {size[0]}x{size[1]}; they reach {reach}"
        arguments = {"image_size": tuple(int(max(old, new)) for old, new in zip(size, reach, strict=True))}
        yield Finding("image-size", "problem", text, SkeletonSequence.replace, arguments)


def frame_rate(sequence: SkeletonSequence) -> Iterator[Finding]:
    """A frame rate that no camera has."""
    if not 5 <= sequence.fps <= 240:
        text = f"{sequence.fps:g} frames per second; cameras give 5 to 240 (is it a duration, or milliseconds?)"
        yield Finding("frame-rate", "note", text, advice="sequence = sequence.replace(fps=30)  # the true one")


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


def layout(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Another layout fits clearly better, or the proportions fit no body; not what differs only in left and right."""
    ranked = rank_layouts(sequence)
    own = next((fit for fit in ranked if fit.layout == sequence.layout.name), None)
    if own is None:
        return
    best = ranked[0]
    close = own.misfit - best.misfit < 0.25 or own.misfit < 1.6 * best.misfit or best.misfit > FITS
    if not close and not same_up_to_sides(sequence.layout, LAYOUTS[best.layout]):
        fits = "; ".join(f"{fit.layout} {fit.misfit:.2f}" for fit in ranked)
        sure = "surely" if own.misfit > 3 * best.misfit else "probably"
        text = f"these are {sure} not the joints of {own.layout}: misfit of bone lengths {fits} (0 is a perfect body)"
        yield Finding("layout", "problem", text, SkeletonSequence.replace, {"layout": best.layout})
    elif own.limb_segments >= LIMB_SEGMENTS and own.shape_misfit > NO_BODY:
        text = f"the proportions fit no body in layout {own.layout}: misfit of bone lengths {own.misfit:.2f}, "
        text += "of real bodies 0.06 to 0.4; the joints are in another order, or badly detected"
        advice = "state the layout that the program writes (motionhub info --layouts), or your own in a YAML file"
        certain = sequence.num_dims == 3 or own.shape_misfit > NO_BODY_2D
        yield Finding("layout", "problem" if certain else "note", text, advice=advice)


def orientation(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Upside-down, lying on another axis, or mirrored; the last two in 3-D only.

    Up is the axis that the sequence states; unstated, y in 3-D and against y in 2-D, as in images.
    """
    trunk = _trunk(sequence)
    if trunk is None:
        return
    length = np.linalg.norm(trunk, axis=1)
    upright = trunk[length > 0] / length[length > 0, None]
    if not len(upright):
        return
    stated = sequence.up or ("y" if sequence.num_dims == 3 else "-y")
    along = {axis: upright @ _direction(axis, sequence.num_dims) for axis in DIRECTIONS[: 2 * sequence.num_dims]}
    handed = handedness(sequence)
    other = next((axis for axis, up in along.items() if axis[-1] != stated[-1] and (up > 0.8).mean() > 0.9), None)
    if (along[stated] < -0.5).mean() > 0.9 and _feet_above_hips(sequence, stated):
        yield _upside_down(sequence, stated, float((along[stated] < 0).mean()), handed)
    elif sequence.num_dims == 3 and other is not None:
        text = f"the trunk points along {other[-1]} in {(along[other] > 0.8).mean():.0%} of the frames; "
        text += (
            f"here {stated} is up"
            if sequence.up is None
            else f"up is stated as {stated}: people lie, or that is wrong"
        )
        text += " (people lie, or that is wrong)" if sequence.up else ""
        if stated == "y" and other[-1] == "z":
            yield Finding("z-up", "note", text, repair.turn_z_up, {"downwards": other == "-z"})
        elif sequence.up is not None:
            yield Finding("axes", "note", text, SkeletonSequence.replace, {"up": other})
    elif handed is not None and handed < MIRRORED:
        text = f"knees and feet point backwards (agreement {handed:+.2f}, from -1 to 1): a left/right swap, or "
        text += "mirrored coordinates"
        severity = "problem" if handed < -0.9 else "note"
        yield Finding("mirrored", severity, text, repair.flip_axes, {"axes": ["x"]})


def _upside_down(sequence: SkeletonSequence, stated: str, share: float, handed: float | None) -> Finding:
    axis = stated[-1]
    text = f"the shoulders are below the hips in {share:.0%} of the frames; "
    if sequence.up is not None:
        text += f"up is stated as {stated}"
    else:
        text += f"here y is {'up' if sequence.num_dims == 3 else 'down, as in images'}, unless the sequence states up"
    # Half a turn keeps left and right, a flip swaps them; in 2-D the likelier cause is y up.
    across = "y" if axis == "x" else "x"
    axes = [across, axis] if handed is not None and handed > 0 else [axis]
    # Image-like 3-D datasets (SBU) are published with y down, and their models expect it.
    severity = "note" if sequence.unit == "normalised" and sequence.num_dims == 3 else "problem"
    return Finding("upside-down", severity, text, repair.flip_axes, {"axes": axes})


def _direction(axis: str, dims: int) -> np.ndarray:
    """`(dims,)`: the unit vector of "x", "-x", ..."""
    return np.eye(dims)["xyz".index(axis[-1])] * (-1 if axis.startswith("-") else 1)


def _feet_above_hips(sequence: SkeletonSequence, up: str) -> bool:
    """Or knees, whichever are visible; a person head down on a slanted bench has them below. True without any."""
    hips = _sides(sequence, "hip")
    for ends in (_sides(sequence, part) for part in ("ankle", "foot", "knee")):
        above = np.array([]) if ends is None or hips is None else (ends - hips) @ _direction(up, sequence.num_dims)
        if not np.isnan(above).all():
            return bool(np.nanmedian(above) > 0)
    return True


def _trunk(sequence: SkeletonSequence) -> np.ndarray | None:
    """`(poses, dims)` from the middle of the hips to that of the shoulders, of poses with all four."""
    hips, shoulders = _sides(sequence, "hip"), _sides(sequence, "shoulder")
    if hips is None or shoulders is None:
        return None
    trunk = (shoulders.mean(axis=2) - hips.mean(axis=2)).reshape(-1, sequence.num_dims).astype(np.float64)
    return trunk[~np.isnan(trunk).any(axis=1)]


def _sides(sequence: SkeletonSequence, part: str) -> np.ndarray | None:
    """`(people, frames, 2, dims)`: the left and the right joint; None where the layout lacks one."""
    joints = (f"left_{part}", f"right_{part}")
    if not set(joints) <= set(sequence.layout.joints):
        return None
    return sequence.keypoints[:, :, [sequence.layout.index(joint) for joint in joints]]


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
            spans = min(_alternate(events, sequence.num_frames), key=_num_frames)
            frames = _num_frames(spans)
            text = f"{_who(sequence, person)} has a left/right swap in {frames} of {sequence.num_frames} frames: "
            text += _spans_text(spans)
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
            text = f"{_who(sequence, person)} does not change in {_num_frames(still)} of {sequence.num_frames} "
            text += f"frames: {_spans_text(still)}"
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
            text = f"{_who(sequence, person)} is elsewhere from one frame to the next, at frame "
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


def runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """Spans (first, end) in which `flags` `(frames,)` is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from ((int(first), int(end)) for first, end in edges.reshape(-1, 2))


def _spans_text(spans: Iterable[tuple[int, int]]) -> str:
    """Such as "frames 3, 10-15": at most six of them."""
    named = [f"{first}" if end == first + 1 else f"{first}-{end - 1}" for first, end in spans]
    return "frames " + ", ".join(named[:6]) + (f" and {len(named) - 6} more" if len(named) > 6 else "")


def _num_frames(spans: Iterable[tuple[int, int]]) -> int:
    return sum(end - first for first, end in spans)


def _who(sequence: SkeletonSequence, person: int) -> str:
    return "the person" if sequence.num_people == 1 else f"person {person}"


# In the order in which `inspect` runs them.
NUMBERS: tuple[Check, ...] = (zeros, score_as_depth, unit)
STILL: tuple[Check, ...] = (dead_joints, frozen)
NAMES: tuple[Check, ...] = (height, orientation, identity_swaps, swapped_sides)
MOTION: tuple[Check, ...] = (jumps, spikes, jitter)

_RESHAPING = (repair.without_joints, repair.part, repair.drop_frames)
