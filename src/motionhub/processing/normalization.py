"""Where the origin, the axes and the unit of a clip's coordinates are: `x' = R (x - centre) / scale`, and its inverse.

Keypoints are torch `(people, frames, joints, dims)`; NaN means missing, and
every rule below reads only joints that were seen.

Reference person: the first person of whom any joint was seen. Joint `j` as a centre: its position per frame, or in the
first frame where it was seen ("first-frame"). In frames where it was not seen: its last position before (or the first
one after). If it was never seen: the mean of the joints that were, in the same way; without valid keypoints nothing
changes. Directions of bones: from the first frame in which both ends were seen; else that rotation is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motionhub.geometry.rotations import aligning_matrix
from motionhub.geometry.torso import torso_frame
from motionhub.processing.steps import fill_missing
from motionhub.skeletons.layout import SkeletonLayout


CENTRINGS = ("per-frame", "first-frame")
SCALES = ("none", "bones", "extent")

# Joints that play a part of the official rules, best first: a layout's first hit is used.
CENTRES = ("chest", "torso", "spine", "mid_hip", "shoulder_centre", "neck")
LOWER_SPINES = ("mid_hip", "torso")
UPPER_SPINES = ("chest", "torso", "spine", "shoulder_centre", "neck")
NECKS = ("neck", "shoulder_centre", "neck_nose")
# Where the vertical bone starts and ends, and the lateral pair (a, b): a minus b.
RULES = {
    # On NTU-25: centre 1 (chest), vertical 0 -> 1 (mid hip -> chest), lateral 8 - 4.
    "agcn-3d": (LOWER_SPINES, UPPER_SPINES, ("right_shoulder", "left_shoulder")),
    # On Posetics-17: centre 3 (chest), vertical 2 -> 4 (neck -> mid hip), lateral 5 - 6.
    "unik-3d": (NECKS, LOWER_SPINES, ("left_shoulder", "right_shoulder")),
}


@dataclass(frozen=True)
class Normalization:
    """`normalised = R (keypoints - centre) / scale`.

    Args:
        centre: `(frames, 1, dims)`, or `(1, 1, dims)` for the whole clip; `(people, frames, 1, dims)` where every
            person has one.
        scale: the length, in units of the keypoints, that becomes 1; or one per pose, `(people, frames, 1, 1)`: NaN
            for a pose that cannot be measured, which is missing afterwards.
        rotation: `(dims, dims)` acting on column vectors, or None for none.
    """

    centre: Tensor
    scale: float | Tensor = 1.0
    rotation: Tensor | None = None

    def apply(self, keypoints: Tensor) -> Tensor:
        """Normalised keypoints, same shape `(people, frames, joints, dims)`."""
        moved = keypoints - self.centre
        if self.rotation is not None:
            moved = moved @ self.rotation.T
        return moved / self.scale

    def inverse(self, normalised: Tensor) -> Tensor:
        """The keypoints before `apply`.

        Raises:
            ValueError: the centre moves with the frames, and the number of frames is another one.
        """
        frames = self.centre.shape[-3]
        if frames not in (1, normalised.shape[1]):
            raise ValueError(
                f"Per-frame centring was measured on {frames} frames, but {normalised.shape[1]} are to be inverted; "
                'process with all frames (num_frames=None, test_sampling="all", fps=None) or centring="first-frame".'
            )
        moved = normalised * self.scale
        if self.rotation is not None:
            moved = moved @ self.rotation
        return moved + self.centre


def screen(image_size: Sequence[float], num_dims: int = 2) -> Normalization:
    """`x' = 2x/w - 1`, `y' = 2y/w - h/w` (SPECS 2.3): x in -1..1, y in the same unit, still downward; for pixels.

    Raises:
        ValueError: the keypoints are not two-dimensional.
    """
    if num_dims != 2:
        raise ValueError(
            f'Screen normalisation is for 2-D keypoints in pixels, got {num_dims} dims; use normalization="centre", '
            '"agcn-3d" or "unik-3d", or num_dims=2.'
        )
    width, height = image_size
    return Normalization(torch.tensor([[[width / 2, height / 2]]]), scale=width / 2)


def centre(
    keypoints: Tensor,
    layout: SkeletonLayout,
    joint: str | None = None,
    centring: str = "per-frame",
    scale: str = "none",
) -> Normalization:
    """Move a joint of the reference person to the origin, and optionally make the body one unit long.

    Args:
        keypoints: `(people, frames, joints, dims)`.
        joint: name of the joint, by default the layout's root.
        centring: `"per-frame"` (the path of the person is lost) or `"first-frame"` (it is kept).
        scale: `"none"`; `"bones"`: the reference person's mean bone length (median over frames, mean over bones) is 1;
            `"extent"`: the root mean square distance of the person's joints from the centre is 1.
    """
    person = _reference_person(keypoints)
    track = _centre_track(person, layout.index(joint or layout.root), centring)
    return Normalization(track, _measured_scale(person - track, layout, scale))


def torso(keypoints: Tensor, layout: SkeletonLayout) -> Normalization:
    """Every pose by its own trunk, as CV-MIM takes it (`geometry.torso`): hips at the origin, length as unit.

    In images the longest distance among shoulders and hips becomes 0.5. In space the distance from the middle of the
    hips to that of the shoulders becomes 1. A pose without a hip, or all on one spot, becomes missing.

    Raises:
        ValueError: the layout has no shoulders or hips.
    """
    shoulders, hips = ([layout.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip"))
    seen = ~keypoints[..., 0].isnan()
    centre, unit, measured = torso_frame(keypoints.nan_to_num(nan=0.0), seen, shoulders, hips)
    scale = unit.masked_fill(~measured, float("nan"))
    return Normalization(centre.unsqueeze(-2), scale[..., None, None])


def align(
    keypoints: Tensor,
    layout: SkeletonLayout,
    joint: str,
    vertical: Sequence[str],
    lateral: Sequence[str] | None,
    centring: str = "per-frame",
    scale: str = "none",
) -> Normalization:
    """Centre as above, then turn the bone `vertical` (from, to) onto +z and `lateral[0] - lateral[1]` onto +x.

    Each is the smallest rotation that does it, as in the official code: the second turns the first bone away from +z
    again unless the two bones are at a right angle. Without a `lateral` pair only the first rotation is done.

    Raises:
        ValueError: the keypoints are not three-dimensional.
    """
    if keypoints.shape[-1] != 3:
        raise ValueError(
            f"Alignment needs 3-D keypoints, got {keypoints.shape[-1]} dims; "
            'use normalization="screen" (pixels) or "centre", or give 3-D data.'
        )
    person = _reference_person(keypoints)
    track = _centre_track(person, layout.index(joint), centring)
    across = [layout.index(name) for name in lateral] if lateral else None
    rotation = _aligning_rotation(person, [layout.index(name) for name in vertical], across)
    return Normalization(track, _measured_scale(person - track, layout, scale), rotation)


def rule_joints(rule: str, layout: SkeletonLayout) -> tuple[str, tuple[str, str], tuple[str, str]]:
    """The joints of an official rule in this layout: centre, vertical bone (from, to), lateral pair."""
    starts, ends, lateral = RULES[rule]
    start = first_joint(layout, starts)
    return (
        first_joint(layout, CENTRES),
        (start, first_joint(layout, [name for name in ends if name != start])),
        lateral,
    )


def first_joint(layout: SkeletonLayout, names: Sequence[str]) -> str:
    """The first of `names` that the layout has.

    Raises:
        ValueError: it has none of them.
    """
    for name in names:
        if name in layout.joints:
            return name
    raise ValueError(
        f"Layout {layout.name!r} has none of the joints {list(names)}; name the joints to use: "
        'SkeletonProcessor(centre_joint="...", vertical_bone=["from", "to"], lateral_bone=["right", "left"]).'
    )


def _reference_person(keypoints: Tensor) -> Tensor:
    """`(frames, joints, dims)` of the first person of whom anything was seen."""
    for person in keypoints:
        if not bool(person[..., 0].isnan().all()):
            return person
    return keypoints[0] if len(keypoints) else keypoints.new_full(keypoints.shape[1:], float("nan"))


def _centre_track(person: Tensor, joint: int, centring: str) -> Tensor:
    path = person[:, joint]
    seen = ~path[:, 0].isnan()
    if not bool(seen.any()):
        path = person.nanmean(dim=1)
        seen = ~path[:, 0].isnan()
        if not bool(seen.any()):
            return person.new_zeros(1, 1, person.shape[-1])
    if centring == "first-frame":
        return path[int(seen.byte().argmax())][None, None]
    return fill_missing(path[None, :, None], "previous")[0]


def _aligning_rotation(person: Tensor, vertical: Sequence[int], lateral: Sequence[int] | None) -> Tensor:
    # float64, as the official code: an angle near 0 or pi loses half its digits in float32.
    rotation = torch.eye(3, dtype=torch.float64)
    spine = _bone_direction(person, vertical[0], vertical[1])
    if spine is not None:
        rotation = aligning_matrix(spine, spine.new_tensor([0.0, 0.0, 1.0]))
    across = None if lateral is None else _bone_direction(person, lateral[1], lateral[0])
    if across is not None:
        rotation = aligning_matrix(rotation @ across, across.new_tensor([1.0, 0.0, 0.0])) @ rotation
    return rotation.to(person.dtype)


def _bone_direction(person: Tensor, start: int, end: int) -> Tensor | None:
    difference = (person[:, end] - person[:, start]).double()
    seen = ~difference[:, 0].isnan()
    return difference[int(seen.byte().argmax())] if bool(seen.any()) else None


def _measured_scale(centred: Tensor, layout: SkeletonLayout, scale: str) -> float:
    """The length that becomes 1; 1 where there is nothing to measure. `centred` is `(frames, joints, dims)`."""
    if scale == "none":
        return 1.0
    if scale == "extent":
        length = centred.square().sum(-1).nanmean().sqrt()
    else:
        # Official lists hang one joint on itself; that is no bone to measure.
        child, parent = torch.from_numpy(layout.bone_indices[layout.bone_indices[:, 0] != layout.bone_indices[:, 1]]).T
        bones = (centred[:, child] - centred[:, parent]).norm(dim=-1)
        length = bones.nanmedian(dim=0).values.nanmean() if len(bones) else bones.new_tensor(float("nan"))
    return float(length) if bool(length > 0) else 1.0
