"""Steps of processors on keypoints `(people, frames, joints, dims)`; NaN means missing."""

from functools import lru_cache

import torch
from torch import Tensor

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


def by_energy(keypoints: Tensor) -> list[int]:
    """Positions of the people, most moving first; among equals the later first (official, SPECS 2.3).

    The energy is the sum of the standard deviations of each coordinate over all valid joints and frames, to six
    significant digits, so that rounding does not break ties. People without valid keypoints come last.
    """
    flat = keypoints.double().flatten(1, 2)
    spread = (flat - flat.nanmean(1, keepdim=True)).square().nanmean(1).sqrt().sum(1)
    energies = [-1.0 if value != value else float(f"{value:.6g}") for value in spread.tolist()]
    return sorted(range(len(energies)), key=lambda person: (energies[person], person), reverse=True)


def align_gravity(keypoints: Tensor, layout: SkeletonLayout, up: str | None = None) -> Tensor:
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
        return keypoints * keypoints.new_tensor([1.0, -1.0]) if up == "y" else keypoints
    return keypoints @ torch.from_numpy(up_rotation(str(up), "-y")).to(keypoints).mT


def _found_up(keypoints: Tensor, layout: SkeletonLayout) -> str | None:
    """One of y, -y, z, -z; None without two valid joints."""
    standing = _standing(keypoints, layout)
    if standing is None:
        return None
    total = standing.sum((0, 1)).tolist()
    axis = 1
    if keypoints.shape[-1] == 3:
        axis = 1 if abs(total[1]) >= abs(total[2]) else 2
        along = standing[..., 1:].abs()
        share = (along[..., 0] > along[..., 1])[along.sum(-1) > 0].float().mean()
        if _LYING < share < 1 - _LYING:
            axis = min((1, 2), key=lambda each: _floor_spread(keypoints[..., each] * (1 if total[each] > 0 else -1)))
    return ("" if total[axis] > 0 else "-") + "xyz"[axis]


def _floor_spread(heights: Tensor) -> float:
    """How much the lowest joint of `(people, frames, joints)` moves up and down: the largest of any person."""
    lowest = heights.nan_to_num(nan=torch.inf).amin(-1)
    spreads = [row[row.isfinite()].quantile(heights.new_tensor([0.1, 0.9])) for row in lowest if row.isfinite().any()]
    return max(float(high - low) for low, high in spreads)


def _standing(keypoints: Tensor, layout: SkeletonLayout) -> Tensor | None:
    """`(people, frames, dims)`: covariance of the joints' usual heights with their coordinates."""
    heights = keypoints.new_tensor(
        [next((height for word, height in HEIGHTS.items() if word in joint), torch.nan) for joint in layout.joints]
    )
    weight = (~keypoints[..., 0].isnan() & ~heights.isnan()).to(keypoints.dtype)
    count = weight.sum(-1, keepdim=True)
    if not bool((count > 1).any()):
        return None
    high = heights.nan_to_num() * weight
    high = (high - high.sum(-1, keepdim=True) / count.clamp(min=1)) * weight
    # As the heights are centred, the coordinates need not be.
    return (high.unsqueeze(-1) * keypoints.nan_to_num()).sum(2)


def converted(keypoints: Tensor, source: SkeletonLayout, target: SkeletonLayout) -> Tensor:
    """Keypoints in another layout, missing where any source joint is; a ValueError without common joints."""
    if source is target or source == target:
        return keypoints
    weights, copied_from, absent = _conversion(source, target)
    if copied_from is not None:
        result = keypoints.index_select(2, copied_from)
    else:
        missing = keypoints[..., :1].isnan()
        result = weights @ keypoints.nan_to_num(nan=0.0)
        if bool(missing.any()):
            uses_missing = (weights != 0).to(keypoints.dtype) @ missing.to(keypoints.dtype)
            result = result.masked_fill(uses_missing > 0, torch.nan)
    return result if absent is None else result.masked_fill(absent[:, None], torch.nan)


@lru_cache(maxsize=64)
def _conversion(source: SkeletonLayout, target: SkeletonLayout) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Weights `(target, source)`; the source of each joint if all are copies; which joints are absent, if any."""
    matrix, report = conversion_weights(source, target)
    try:
        check_conversion(source, target, report)
    except ValueError as error:
        raise ValueError(
            f"{error} Or use a model of layout {source.name!r}: SkeletonProcessor(layout={source.name!r}), or name "
            "the layout the data really have: SkeletonSequence(array, layout=...)."
        ) from None
    weights = torch.from_numpy(matrix)
    used = weights != 0
    absent = ~used.any(dim=1)
    copies = bool(((weights == 1) | ~used).all()) and bool((used.sum(dim=1) <= 1).all())
    return weights, weights.argmax(dim=1) if copies else None, absent if bool(absent.any()) else None


def replay(keypoints: Tensor) -> Tensor:
    """Repeat each person's frames over the empty frames at the end of the clip (official UNIK and 2s-AGCN).

    If the first frame is empty, all empty frames are removed first; otherwise empty frames inside stay. A person
    without valid keypoints stays missing.
    """
    looped = [
        take_frames(person[None], replay_positions(~person[..., 0].isnan().all(dim=1)))[0] for person in keypoints
    ]
    return torch.stack(looped) if looped else keypoints


def replay_positions(seen: Tensor) -> Tensor:
    """The source frame of each frame after `replay`; `seen` `(frames,)`: whether the person is detected."""
    frames = torch.arange(len(seen))
    if not bool(seen.any()):
        return frames
    kept = frames[: int(seen.nonzero().max()) + 1] if bool(seen[0]) else frames[seen]
    return kept[frames % len(kept)]


def fill_missing(keypoints: Tensor, fill: str) -> Tensor:
    """Keypoints without NaN, for models that need a number everywhere; the joint mask still marks missing joints.

    Args:
        fill: `"zero"`; `"previous"`: the joint's last valid position, before that its first one; `"interpolate"`:
            linear in time, constant before the first and after the last valid frame. A joint without valid frames is
            zero.
    """
    if fill != "zero" and keypoints.shape[1] > 1 and bool((missing := keypoints[..., 0].isnan()).any()):
        keypoints = _filled_in_time(keypoints, ~missing, interpolate=fill == "interpolate")
    return keypoints.nan_to_num(nan=0.0)


def _filled_in_time(keypoints: Tensor, seen: Tensor, interpolate: bool) -> Tensor:
    frames = torch.arange(seen.shape[1])[None, :, None].expand_as(seen)
    last = torch.where(seen, frames, -1).cummax(1).values
    after = torch.where(seen, frames, seen.shape[1]).flip(1).cummin(1).values.flip(1)
    # Outside the valid frames both neighbours are the one that exists; without any: a frame that is NaN.
    before = torch.where(last < 0, after, last).clamp_(max=seen.shape[1] - 1)
    start = keypoints.gather(1, before[..., None].expand_as(keypoints))
    if not interpolate:
        return start
    after = torch.where(after == seen.shape[1], before, after)
    share = (frames - before) / (after - before).clamp_(min=1)
    end = keypoints.gather(1, after[..., None].expand_as(keypoints))
    return start + (end - start) * share[..., None].to(keypoints.dtype)
