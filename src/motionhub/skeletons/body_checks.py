"""Checks of the body: its numbers, unit, height, layout and orientation."""

from collections.abc import Iterator

import numpy as np

from motionhub.skeletons import repair
from motionhub.skeletons.bodies import limb_group
from motionhub.skeletons.findings import Finding
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.measures import body_size, handedness, rank_layouts, same_up_to_sides, standing_height
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
