"""Checks of the input doctor that look at places: units, sizes, layout, orientation, joints without life.

They do not know in which order they are asked (`inspection.py`) nor change anything (`repair.py`).
"""

from collections.abc import Iterator

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.doubts import LARGEST_BODY, SMALLEST_BODY
from motionhub.skeletons.findings import Finding, body_size
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.proportions import rank_layouts, same_up_to_sides
from motionhub.skeletons.sequence import SkeletonSequence


# In -1..1, see `handedness`. Kinect's knees bend a little backwards when straight: of 1,666 real clips that are not
# mirrored (N-UCLA, UTD-MHAD) 5 are below; of their mirror images 43 % and 21 %; of motion capture all.
MIRRORED = -0.6
# Of the body's size: a sensor's noise is a hundred times more.
DEAD = 1e-4
# Of the body's size: annotators leave a resting hip at one pixel while the arms beside it move.
DETACHED = 0.15


def zeros(sequence: SkeletonSequence) -> Iterator[Finding]:
    seen = sequence.keypoints[sequence.joint_mask]
    share = float((seen == 0).all(axis=1).mean()) if len(seen) else 0.0
    if share and (sequence.keypoints == 0).all(axis=-1).sum() > _origins(sequence):
        text = (
            f"{share:.1%} of the joints lie at exactly zero and count as seen; pose estimators write that for a miss"
        )
        yield Finding("zeros", "problem", text, repair.hide_zeros)


def _origins(sequence: SkeletonSequence) -> int:
    """Joints that are zero by definition: the root of a clip whose root is always zero (root-centred data)."""
    always = (sequence.keypoints == 0).all(axis=-1).all(axis=(0, 1))
    return int(always.sum()) * sequence.num_people * sequence.num_frames


def unit(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Millimetres as metres, 0..1 as pixels, and the other way round."""
    size, seen = body_size(sequence), sequence.keypoints[sequence.joint_mask]
    if not size:
        return
    if sequence.unit == "metre" and size > LARGEST_BODY:
        name, factor = ("millimetres", 0.001) if size > 600 else ("centimetres", 0.01)
        text = f"a body measures {size:.0f} metres across; the numbers look like {name} "
        text += f"(when reading: unit={name[:-1]!r})"
        yield Finding("unit", "problem", text, repair.scale, {"factor": factor})
    elif sequence.unit == "metre" and size < SMALLEST_BODY:
        text = f"a body measures {size:.3g} metres across; the numbers look normalised"
        yield Finding("unit", "problem", text, repair.restate_unit, {"unit": "normalised"})
    elif sequence.unit == "pixel" and np.abs(seen[:, :2]).max() <= 2:
        text = f"no coordinate is larger than {np.abs(seen[:, :2]).max():.2f} pixels; the numbers look normalised"
        yield Finding("unit", "problem", text, repair.restate_unit, {"unit": "normalised"})
    elif sequence.unit == "normalised" and size > 20:
        text = f"a body measures {size:.0f}, but normalised coordinates are about 0..1 or -1..1; they look like pixels"
        yield Finding("unit", "problem", text, repair.restate_unit, {"unit": "pixel"})


def score_as_depth(sequence: SkeletonSequence) -> Iterator[Finding]:
    seen = sequence.keypoints[sequence.joint_mask]
    if sequence.unit == "pixel" and sequence.num_dims == 3 and seen[:, 2].min() >= 0 and seen[:, 2].max() <= 1:
        text = "the third coordinate of these pixels is always in 0..1, as detection scores are"
        yield Finding("score-as-depth", "problem", text, repair.depth_to_confidence)


def image_size(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints far outside the image: its size is another video's. 5 % beyond the edge is extrapolation."""
    if sequence.unit != "pixel" or sequence.image_size is None:
        return
    seen, size = sequence.keypoints[sequence.joint_mask][:, :2], np.array(sequence.image_size)
    outside = float(((seen < -0.05 * size) | (seen > 1.05 * size)).any(axis=1).mean())
    if outside > 0.02:
        reach = tuple(int(value) for value in np.ceil(np.maximum(np.percentile(seen, 99.5, axis=0), 1)))
        text = f"{outside:.0%} of the joints lie outside the image of {size[0]}x{size[1]}; they reach {reach}"
        arguments = {"image_size": tuple(int(max(old, new)) for old, new in zip(size, reach, strict=True))}
        yield Finding("image-size", "problem", text, repair.restate_image_size, arguments)


def frame_rate(sequence: SkeletonSequence) -> Iterator[Finding]:
    if not 5 <= sequence.fps <= 240:
        text = f"{sequence.fps:g} frames per second; cameras give 5 to 240 (is it a duration, or milliseconds?)"
        yield Finding("frame-rate", "note", text, advice="sequence = sequence.replace(fps=30)  # the true one")


def dead_joints(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Joints that are never seen, and joints that stay at one place while the body moves."""
    never = [joint for index, joint in enumerate(sequence.layout.joints) if not sequence.joint_mask[:, :, index].any()]
    if never:
        text = f"{', '.join(never)}: seen in none of {sequence.num_frames} frames"
        yield Finding("dead-joint", "note", text, repair.without_joints, {"joints": never})
    size = body_size(sequence)
    if sequence.num_frames < 10 or not size:
        return
    moved = np.stack([_extent_over_time(person) for person in sequence.keypoints])  # (people, joints)
    # The root node of Bandai-Namco's files stands by definition.
    dead = [
        joint
        for index, joint in enumerate(sequence.layout.joints)
        if joint != "origin" and all(_is_dead(sequence, person, index, moved, size) for person in range(len(moved)))
    ]
    if dead:
        others = float(np.nanmedian(moved)) / size
        text = f"{', '.join(dead)}: at one place in every frame, while other joints move over {others:.0%} of the body"
        yield Finding("dead-joint", "problem", text, repair.hide_joints, {"joints": dead})


def _is_dead(sequence: SkeletonSequence, person: int, joint: int, moved: np.ndarray, size: float) -> bool:
    """A planted foot stays at one place too, but its shank keeps its length: a dead joint keeps no distance to any."""
    alive = np.flatnonzero(moved[person] >= DEAD * size)
    if not moved[person, joint] < DEAD * size or not len(alive):
        return False
    track = sequence.keypoints[person]
    distances = np.linalg.norm(track[:, alive] - track[:, joint, None], axis=-1)[..., None]
    return bool(np.nanmin(_extent_over_time(distances)) > DETACHED * size)


def _extent_over_time(track: np.ndarray) -> np.ndarray:
    """`(joints,)`: the longest side of the box that each joint moves in; NaN when seen in under 10 frames."""
    seen = ~np.isnan(track[..., 0])
    low = np.where(seen[..., None], track, np.inf).min(axis=0)
    high = np.where(seen[..., None], track, -np.inf).max(axis=0)
    return np.where(seen.sum(axis=0) >= 10, np.maximum(high - low, 0).max(axis=-1), np.nan)


def layout(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Another layout with as many joints fits clearly better. Never of two that differ in left and right alone."""
    ranked = rank_layouts(sequence)
    own = next((fit for fit in ranked if fit.layout == sequence.layout.name), None)
    if own is None or len(ranked) < 2 or ranked[0] is own:
        return
    best = ranked[0]
    if same_up_to_sides(sequence.layout, LAYOUTS[best.layout]):
        return
    if own.misfit - best.misfit < 0.25 or own.misfit < 1.6 * best.misfit:
        return
    rest = "; ".join(f"{fit.layout} {fit.misfit:.2f}" for fit in ranked)
    sure = "surely" if own.misfit > 3 * best.misfit else "probably"
    text = f"these are {sure} not the joints of {own.layout}: misfit of bone lengths {rest} (0 is a perfect body)"
    yield Finding("layout", "problem", text, repair.declare, {"layout": best.layout})


def orientation(sequence: SkeletonSequence) -> Iterator[Finding]:
    """Upside-down, lying on the z axis, or mirrored; the last in 3-D only."""
    trunk = _trunk(sequence)
    if trunk is None or not len(trunk):
        return
    length = np.linalg.norm(trunk, axis=1)
    upright = trunk[length > 0] / length[length > 0, None]
    if not len(upright):
        return
    up = upright[:, 1] if sequence.num_dims == 3 else -upright[:, 1]
    handed = handedness(sequence)
    if (up < -0.5).mean() > 0.9 and _feet_above_hips(sequence):
        text = f"the shoulders are below the hips in {(up < 0).mean():.0%} of the frames"
        # Half a turn keeps left and right, a flip exchanges them; in 2-D y up is the likelier story.
        axes = ["x", "y"] if handed is not None and handed > 0 else ["y"]
        text += f"; here y is {'up' if sequence.num_dims == 3 else 'down, as in images'}"
        # Data sets with image-like 3-D (SBU) are published with y down: their models expect it.
        severity = "note" if sequence.unit == "normalised" and sequence.num_dims == 3 else "problem"
        yield Finding("upside-down", severity, text, repair.flip_axes, {"axes": axes})
    elif sequence.num_dims == 3 and (np.abs(upright[:, 2]) > 0.8).mean() > 0.9:
        text = f"the trunk points along z in {(np.abs(upright[:, 2]) > 0.8).mean():.0%} of the frames; here y is up"
        yield Finding("z-up", "note", text, repair.turn_z_up, {"downwards": bool(np.median(upright[:, 2]) < 0)})
    elif handed is not None and handed < MIRRORED:
        text = (
            f"knees and feet point backwards (agreement {handed:+.2f}, from -1 to 1): left and right are exchanged, "
        )
        text += "or the coordinates are mirrored"
        severity = "problem" if handed < -0.9 else "note"
        yield Finding("mirrored", severity, text, repair.flip_axes, {"axes": ["x"]})


def _feet_above_hips(sequence: SkeletonSequence) -> bool:
    """Or knees, whichever are seen: who lies head down on a slanted bench has them below; True when none is seen."""
    joints = sequence.layout.joints
    hips = sequence.keypoints[:, :, [joints.index("left_hip"), joints.index("right_hip")], 1]
    for part in ("ankle", "foot", "knee"):
        if {f"left_{part}", f"right_{part}"} <= set(joints):
            ends = sequence.keypoints[:, :, [joints.index(f"left_{part}"), joints.index(f"right_{part}")], 1]
            above = (ends - hips)[~np.isnan(ends - hips)]
            if len(above):
                return bool(np.median(above if sequence.num_dims == 3 else -above) > 0)
    return True


def _trunk(sequence: SkeletonSequence) -> np.ndarray | None:
    """`(poses, dims)` from the middle of the hips to that of the shoulders, of poses with all four."""
    joints = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    if not set(joints) <= set(sequence.layout.joints):
        return None
    hips_and_shoulders = sequence.keypoints[:, :, [sequence.layout.index(joint) for joint in joints]]
    trunk = hips_and_shoulders[:, :, 2:].mean(axis=2) - hips_and_shoulders[:, :, :2].mean(axis=2)
    trunk = trunk.reshape(-1, sequence.num_dims).astype(np.float64)
    return trunk[~np.isnan(trunk).any(axis=1)]


def handedness(sequence: SkeletonSequence) -> float | None:
    """In -1..1: do knees bend and feet point to where left and right say the front is? None: nothing to tell it by.

    Up times left is forward in right-handed coordinates. Knees bend forwards and toes lie before ankles whatever
    the body does; each says so with its length, so straight legs say little.
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
    says = []
    for side in ("left", "right"):
        hip, knee, ankle = (joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
        says.append(((knee - (hip + ankle) / 2) * forward).sum(axis=-1))
        if f"{side}_foot" in joints:
            says.append(((joints[f"{side}_foot"] - ankle) * forward).sum(axis=-1))
    votes = np.stack(says)
    votes = votes[~np.isnan(votes)]
    if not len(votes) or np.abs(votes).mean() < 0.04 * np.nanmedian(trunk):
        return None
    return float(votes.sum() / np.abs(votes).sum())
