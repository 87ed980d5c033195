"""Steps of processors on keypoints `(people, frames, joints, dims)`, NumPy only; NaN means missing."""

from functools import lru_cache

import numpy as np

from motionhub.augment.temporal import take_frames
from motionhub.skeletons.convert import check_conversion, conversion_weights, up_rotation
from motionhub.skeletons.layout import SkeletonLayout


FILLS = ("zero", "interpolate", "previous")

# A person who lies for this share of the clip makes its vertical axis ambiguous.
_LYING = 0.1

# Height of the joints of a standing person, as a share of the body's, by the first of these words in the joint's name.
HEIGHTS = {
    **dict.fromkeys(("ankle", "foot", "toe", "heel"), 0.04),
    "knee": 0.28,
    **dict.fromkeys(("hip", "pelvis", "waist"), 0.53),
    **dict.fromkeys(("wrist", "hand", "thumb", "finger", "index", "pinky"), 0.5),
    "elbow": 0.63,
    **dict.fromkeys(("spine", "torso", "chest"), 0.68),
    **dict.fromkeys(("shoulder", "collar", "clavicle"), 0.82),
    "neck": 0.85,
    **dict.fromkeys(("head", "nose", "eye", "ear", "mouth", "face", "jaw"), 0.94),
}


def mean_of_valid(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The mean without NaN; NaN where nothing is left."""
    missing = np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(missing, 0, values).sum(axis) / (~missing).sum(axis).astype(values.dtype)


def by_energy(keypoints: np.ndarray) -> list[int]:
    """Positions of the people, most moving first; among equals the later first (official, SPECS 2.3).

    The energy is the sum of the standard deviations of each coordinate over all valid joints and frames, to six
    significant digits, so that rounding does not break ties. People without valid keypoints come last.
    """
    people, _, _, dims = keypoints.shape
    flat = keypoints.astype(np.float64).reshape(people, -1, dims)
    spread = np.sqrt(mean_of_valid(np.square(flat - mean_of_valid(flat, 1)[:, None]), 1)).sum(1)
    energies = [-1.0 if value != value else float(f"{value:.6g}") for value in spread.tolist()]
    return sorted(range(len(energies)), key=lambda person: (energies[person], person), reverse=True)


def align_gravity(keypoints: np.ndarray, layout: SkeletonLayout, up: str | None = None) -> np.ndarray:
    """Keypoints with y downward, as in an image: heads above feet.

    3-D clips are rotated (never mirrored), 2-D clips with y up are flipped.

    Args:
        keypoints: `(people, frames, joints, 2 or 3)`.
        up: the axis that points up, as `SkeletonSequence` states it. None: found from the clip, among y and z. It is
            the one along which the joints are ordered as in a standing person; where people both stand along one axis
            and lie along the other, as in a fall, the one along which the lowest joint stays at the floor. Clips in
            which people lie throughout stay as they are.
    """
    up = up or _found_up(keypoints, layout)
    if up in (None, "-y"):
        return keypoints
    if keypoints.shape[-1] == 2:
        return keypoints * np.array([1.0, -1.0], keypoints.dtype) if up == "y" else keypoints
    return keypoints @ up_rotation(str(up), "-y").astype(keypoints.dtype).T


def _found_up(keypoints: np.ndarray, layout: SkeletonLayout) -> str | None:
    """One of y, -y, z, -z; None without two valid joints."""
    standing = _standing(keypoints, layout)
    if standing is None:
        return None
    total = standing.sum((0, 1)).tolist()
    axis = 1
    if keypoints.shape[-1] == 3:
        axis = 1 if abs(total[1]) >= abs(total[2]) else 2
        along = np.abs(standing[..., 1:])
        share = (along[..., 0] > along[..., 1])[along.sum(-1) > 0].mean()
        if _LYING < share < 1 - _LYING:
            axis = min((1, 2), key=lambda each: _floor_spread(keypoints[..., each] * (1 if total[each] > 0 else -1)))
    return ("" if total[axis] > 0 else "-") + "xyz"[axis]


def _floor_spread(heights: np.ndarray) -> float:
    """How much the lowest joint of `(people, frames, joints)` moves up and down: the largest of any person."""
    lowest = np.nan_to_num(heights, nan=np.inf, posinf=np.inf, neginf=-np.inf).min(-1)
    spreads = [np.quantile(row[np.isfinite(row)], [0.1, 0.9]) for row in lowest if np.isfinite(row).any()]
    return max(float(high - low) for low, high in spreads)


def _standing(keypoints: np.ndarray, layout: SkeletonLayout) -> np.ndarray | None:
    """`(people, frames, dims)`: covariance of the joints' usual heights with their coordinates."""
    usual = [next((height for word, height in HEIGHTS.items() if word in joint), np.nan) for joint in layout.joints]
    heights = np.array(usual, keypoints.dtype)
    weight = (~np.isnan(keypoints[..., 0]) & ~np.isnan(heights)).astype(keypoints.dtype)
    count = weight.sum(-1, keepdims=True)
    if not (count > 1).any():
        return None
    high = np.where(np.isnan(heights), 0, heights).astype(keypoints.dtype) * weight
    high = (high - high.sum(-1, keepdims=True) / count.clip(min=1)) * weight
    # As the heights are centred, the coordinates need not be.
    return (high[..., None] * _zeroed(keypoints)).sum(2)


def _zeroed(values: np.ndarray) -> np.ndarray:
    """Zeros for NaN; infinite numbers become the largest finite ones."""
    return np.nan_to_num(values, nan=0.0)


def converted(keypoints: np.ndarray, source: SkeletonLayout, target: SkeletonLayout) -> np.ndarray:
    """Keypoints in another layout, missing where any source joint is; a ValueError without common joints."""
    if source is target or source == target:
        return keypoints
    weights, copied_from, absent = _conversion(source, target)
    if copied_from is not None:
        result = keypoints[:, :, copied_from]
    else:
        missing = np.isnan(keypoints[..., :1])
        result = weights @ _zeroed(keypoints)
        if missing.any():
            uses_missing = (weights != 0).astype(keypoints.dtype) @ missing.astype(keypoints.dtype)
            result = np.where(uses_missing > 0, keypoints.dtype.type(np.nan), result)
    return result if absent is None else np.where(absent[:, None], keypoints.dtype.type(np.nan), result)


@lru_cache(maxsize=64)
def _conversion(
    source: SkeletonLayout, target: SkeletonLayout
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Weights `(target, source)`; the source of each joint if all are copies; which joints are absent, if any."""
    weights, report = conversion_weights(source, target)
    try:
        check_conversion(source, target, report)
    except ValueError as error:
        raise ValueError(
            f"{error} Or use a model of layout {source.name!r}: SkeletonProcessor(layout={source.name!r}), or name "
            "the layout the data really have: SkeletonSequence(array, layout=...)."
        ) from None
    used = weights != 0
    absent = ~used.any(axis=1)
    copies = bool(((weights == 1) | ~used).all()) and bool((used.sum(axis=1) <= 1).all())
    return weights, weights.argmax(axis=1) if copies else None, absent if bool(absent.any()) else None


def replay(keypoints: np.ndarray) -> np.ndarray:
    """Repeat each person's frames over the empty frames at the end of the clip (official UNIK and 2s-AGCN).

    If the first frame is empty, all empty frames are removed first; otherwise empty frames inside stay. A person
    without valid keypoints stays missing.
    """
    looped = [
        take_frames(person[None], replay_positions(~np.isnan(person[..., 0]).all(axis=1)))[0] for person in keypoints
    ]
    return np.stack(looped) if looped else keypoints


def replay_positions(seen: np.ndarray) -> np.ndarray:
    """The source frame of each frame after `replay`; `seen` `(frames,)`: whether the person is detected."""
    frames = np.arange(len(seen))
    if not seen.any():
        return frames
    kept = frames[: int(np.flatnonzero(seen).max()) + 1] if seen[0] else frames[seen]
    return kept[frames % len(kept)]


def fill_missing(keypoints: np.ndarray, fill: str) -> np.ndarray:
    """Keypoints without NaN, for models that need a number everywhere; the joint mask still marks missing joints.

    Args:
        fill: `"zero"`; `"previous"`: the joint's last valid position, before that its first one; `"interpolate"`:
            linear in time, constant before the first and after the last valid frame. A joint without valid frames is
            zero.
    """
    if fill != "zero" and keypoints.shape[1] > 1 and (missing := np.isnan(keypoints[..., 0])).any():
        keypoints = _filled_in_time(keypoints, ~missing, interpolate=fill == "interpolate")
    return _zeroed(keypoints)


def _filled_in_time(keypoints: np.ndarray, seen: np.ndarray, interpolate: bool) -> np.ndarray:
    count = seen.shape[1]
    frames = np.broadcast_to(np.arange(count)[None, :, None], seen.shape)
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, frames, count)[:, ::-1], axis=1)[:, ::-1]
    # Outside the valid frames both neighbours are the one that exists; without any: a frame that is NaN.
    before = np.where(last < 0, after, last).clip(max=count - 1)
    start = np.take_along_axis(keypoints, before[..., None], axis=1)
    if not interpolate:
        return start
    after = np.where(after == count, before, after)
    share = ((frames - before) / (after - before).clip(min=1)).astype(keypoints.dtype)
    end = np.take_along_axis(keypoints, after[..., None], axis=1)
    return start + (end - start) * share[..., None]
