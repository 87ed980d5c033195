"""Joints that a smaller layout does not know are carried along by the joint they hang on: hands by wrists, eyes by the
nose.

It does not know models; it takes a motion made in one layout and the motion in another that it was made from.
"""

from collections import deque

import numpy as np

from motionhub.skeletons.convert import conversion_weights, convert_layout
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


def attach(made: SkeletonSequence, source: SkeletonSequence) -> SkeletonSequence:
    """The motion `made` in the layout of `source`, the motion it was made from.

    The rule. A joint that both layouts have (or that plays one of the other, as the head plays the nose) is the made
    one. Any other joint of the source hangs on the nearest of these along the bones: its offset from it in the source
    is turned as the bone that ends there was turned in that frame, and scaled as that bone's median length was scaled
    over the clip. So a forearm twice as long has a hand twice as long. It is missing where the source does not show
    it, or what it hangs on.

    Args:
        made: in the smaller layout, the same people and frames as `source`.
        source: in any layout.

    Returns:
        a sequence with the layout of `source`; everything else is of `made`.

    Raises:
        ValueError: people, frames or dims differ.
    """
    if made.keypoints.shape[:2] != source.keypoints.shape[:2] or made.num_dims != source.num_dims:
        raise ValueError(
            f"attach needs the same people, frames and dims, got {made.keypoints.shape} and {source.keypoints.shape}."
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
    """Joint of `layout` -> the joint of `smaller` that it is, or plays."""
    _, report = conversion_weights(layout, smaller)
    played = {own: joint for joint, own in report.substituted.items() if own not in report.copied}
    return {**played, **{joint: joint for joint in report.copied}}


def nearest(joint: str, layout: SkeletonLayout, known: dict[str, str]) -> str:
    """The known joint fewest bones away, parents before children; "" where no bone leads to one."""
    neighbours: dict[str, list[str]] = {name: [] for name in layout.joints}
    for child, parent in layout.bones:
        neighbours[child].insert(0, parent)
        neighbours[parent].append(child)
    reached, waiting = {joint}, deque([joint])
    while waiting:
        here = waiting.popleft()
        if here in known:
            return here
        new = [name for name in neighbours[here] if name not in reached]
        reached.update(new)
        waiting.extend(new)
    return ""


def _bone(keypoints: np.ndarray, layout: SkeletonLayout, joint: str) -> np.ndarray:
    """`(people, frames, dims)`: the bone that ends in the joint; for the root, the first that starts there."""
    parents = dict(layout.bones)
    child = joint if joint in parents else next((name for name, parent in layout.bones if parent == joint), joint)
    return np.asarray(keypoints[:, :, layout.index(child)] - keypoints[:, :, layout.index(parents.get(child, child))])


def _carried(offset: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The offset turned from bone `before` to bone `after`, scaled by their median lengths; all `(people, frames,
    dims)`."""
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
    # R = 1 + K + K K / (1 + cosine). Opposite directions have no one such plane in 3-D: there the offset turns round.
    spun = _spin(offset, start, end)
    turned = offset + spun + _spin(spun, start, end) / np.maximum(1 + cosine, 1e-9)
    return scale * np.where(cosine > -1 + 1e-6, turned, -offset)


def _spin(vectors: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    inner = [(vectors * axis).sum(axis=-1, keepdims=True) for axis in (start, end)]
    return np.asarray(end * inner[0] - start * inner[1])
