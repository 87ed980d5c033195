"""The same motion on another body: scaled bones, and joints of the source that a smaller layout lacks."""

from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np

from motionhub.skeletons.convert import conversion_weights, convert_layout
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# A bone belongs to the first group with a word in its child joint's name.
LIMB_GROUPS: dict[str, tuple[str, ...]] = {
    "arm": ("elbow", "wrist", "hand", "forearm", "thumb", "finger", "index", "pinky", "tip"),
    "leg": ("knee", "ankle", "foot", "toe", "heel", "leg"),
    "pelvis": ("hip",),
    "shoulder": ("shoulder", "collar", "clavicle", "arm"),
    "head": ("head", "nose", "eye", "ear", "mouth", "face", "jaw"),
}
GROUPS = (*LIMB_GROUPS, "torso")
_CENTRAL = ("neck", "mid_hip", "pelvis", "shoulder_centre", "spine", "torso", "chest", "waist", "root")


def limb_group(joint: str) -> str:
    """The limb of the bone that ends in `joint`: one of `GROUPS`."""
    name = joint.lower()
    if any(word in name for word in _CENTRAL):
        return "torso"
    if "head" in name:  # "head_tip" is no finger
        return "head"
    return next((group for group, words in LIMB_GROUPS.items() if any(word in name for word in words)), "torso")


def with_bone_lengths(sequence: SkeletonSequence, factors: Mapping[str, float]) -> SkeletonSequence:
    """The sequence with every bone length multiplied by the factor of its limb; directions do not change.

    The root's path is multiplied by the factor of the legs, so that longer legs take longer steps. A bone with a
    missing end hides everything beyond it. Joints that no bone connects to the root move with the root.

    Args:
        factors: positive, by limb (`GROUPS`) or by child joint, which takes precedence; default 1.
    """
    layout = sequence.layout
    unknown = sorted(set(factors) - set(GROUPS) - set(layout.joints))
    if unknown or not all(0 < factor < np.inf for factor in factors.values()):
        raise ValueError(
            f"factors must be positive numbers for limbs {list(GROUPS)} or joints of {layout.name!r}, got "
            f"{dict(factors)}."
        )
    before = sequence.keypoints
    root = layout.index(layout.root)
    moved = before[:, :, root] * np.float32(factors.get("leg", 1.0)) - before[:, :, root]
    after = before + moved[:, :, None]
    for child, parent in _from(root, layout):
        joint = layout.joints[child]
        factor = np.float32(factors.get(joint, factors.get(limb_group(joint), 1.0)))
        after[:, :, child] = after[:, :, parent] + factor * (before[:, :, child] - before[:, :, parent])
    confidence = sequence.confidence
    if confidence is not None:
        confidence = np.where(np.isnan(after[..., 0]), 0.0, confidence)
    return sequence.replace(keypoints=after, confidence=confidence)


def with_context_of(made: SkeletonSequence, source: SkeletonSequence) -> SkeletonSequence:
    """The motion `made` in the layout of `source`, from which it was made, without confidence.

    Joints that both layouts have (or that one substitutes for) are those of `made`. Any other joint is attached to the
    nearest of them along the bones: its offset in the source, rotated per frame as the bone that ends there was
    rotated, and scaled as the median length of that bone was. It is missing where the source joint or its anchor is.

    Args:
        made: in the smaller layout, the same people, frames and dims as `source`.
        source: in any layout.
    """
    if made.keypoints.shape[:2] != source.keypoints.shape[:2] or made.num_dims != source.num_dims:
        raise ValueError(
            f"with_context_of needs the same people, frames and dims, got {made.keypoints.shape} and "
            f"{source.keypoints.shape}."
        )
    if made.layout == source.layout:
        return made
    before = convert_layout(source, made.layout).keypoints.astype(np.float64)
    after = made.keypoints.astype(np.float64)
    known = known_joints(source.layout, made.layout)
    keypoints = np.full(source.keypoints.shape, np.nan)
    for row, joint in enumerate(source.layout.joints):
        if joint in known:
            keypoints[:, :, row] = after[:, :, made.layout.index(known[joint])]
        else:
            anchor = known.get(nearest(joint, source.layout, known), made.layout.root)
            offset = source.keypoints[:, :, row].astype(np.float64) - before[:, :, made.layout.index(anchor)]
            carried = _carried(offset, _bone(before, made.layout, anchor), _bone(after, made.layout, anchor))
            keypoints[:, :, row] = after[:, :, made.layout.index(anchor)] + carried
    return made.replace(keypoints=keypoints, layout=source.layout, confidence=None)


def known_joints(layout: SkeletonLayout, smaller: SkeletonLayout) -> dict[str, str]:
    """Joint of `layout` -> the same joint of `smaller`, or the one it is substituted for."""
    _, report = conversion_weights(layout, smaller)
    played = {own: joint for joint, own in report.substituted.items() if own not in report.copied}
    return {**played, **{report.names.get(joint, joint): joint for joint in report.copied}}


def nearest(joint: str, layout: SkeletonLayout, known: Mapping[str, str]) -> str:
    """The known joint fewest bones away, parents before children; "" where no bone leads to one."""
    around = (layout.joints[other] for other, _ in _from(layout.index(joint), layout))
    return next((other for other in around if other in known), "")


def _from(start: int, layout: SkeletonLayout) -> Iterator[tuple[int, int]]:
    """`(joint, the one before it)` for every joint that bones connect to `start`, nearest first."""
    neighbours: dict[int, list[int]] = {index: [] for index in range(layout.num_joints)}
    for child, parent in layout.bone_indices.tolist():
        neighbours[child].insert(0, parent)
        neighbours[parent].append(child)
    reached, waiting = {start}, deque([start])
    while waiting:
        here = waiting.popleft()
        for other in neighbours[here]:
            if other not in reached:
                reached.add(other)
                waiting.append(other)
                yield other, here


def _bone(keypoints: np.ndarray, layout: SkeletonLayout, joint: str) -> np.ndarray:
    """`(people, frames, dims)`: the bone that ends in the joint; for the root, the first that starts there."""
    parents = dict(layout.bones)
    child = joint if joint in parents else next((name for name, parent in layout.bones if parent == joint), joint)
    return np.asarray(keypoints[:, :, layout.index(child)] - keypoints[:, :, layout.index(parents.get(child, child))])


def _carried(offset: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Offsets `(people, frames, dims)` rotated from bone `before` to bone `after`, scaled by their median lengths."""
    lengths = [np.linalg.norm(bone, axis=-1) for bone in (before, after)]
    both = np.isfinite(lengths[0]) & np.isfinite(lengths[1])
    scale = np.full((len(offset), 1, 1), np.nan)
    for person in np.flatnonzero(both.any(axis=1)):
        old, new = (np.median(length[person, both[person]]) for length in lengths)
        scale[person] = new / old if old > 0 else 1.0
    start, end = (
        bone / np.where(length > 0, length, 1.0)[..., None]
        for bone, length in zip((before, after), lengths, strict=True)
    )
    cosine = (start * end).sum(axis=-1, keepdims=True)
    # The rotation in the plane of both directions, in any number of dims: with K = end start' - start end',
    # R = 1 + K + K K / (1 + cosine). Opposite directions define no plane in 3-D: there the offset is negated.
    spun = _spin(offset, start, end)
    turned = offset + spun + _spin(spun, start, end) / np.maximum(1 + cosine, 1e-9)
    return scale * np.where(cosine > -1 + 1e-6, turned, -offset)


def _spin(vectors: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    inner = [(vectors * axis).sum(axis=-1, keepdims=True) for axis in (start, end)]
    return np.asarray(end * inner[0] - start * inner[1])
