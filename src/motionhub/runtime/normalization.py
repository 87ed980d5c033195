"""Origin, axes and unit of a clip's coordinates: `x' = R (x - centre) / scale`, and its inverse.

Keypoints are NumPy `(people, frames, joints, dims)`; NaN means missing, and all rules read valid joints only.

The reference person is the first with a valid joint. A centre joint is taken per frame, or in the first frame where it
is valid ("first-frame"); where it is missing, its last position before (or the first after). If it is never valid: the
mean of the valid joints, in the same way; without any, nothing changes. Directions of bones are those of the first
frame in which both ends are valid; without one, that rotation is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from motionhub.geometry.trunk import IMAGE_UNIT, SMALLEST_ANGLE, SMALLEST_AXIS
from motionhub.runtime.steps import fill_missing, mean_of_valid
from motionhub.skeletons.layout import SkeletonLayout


CENTRINGS = ("per-frame", "first-frame")
SCALES = ("none", "bones", "extent")

# Joints of the official rules, best first: the first that the layout has is used.
CENTRES = ("chest", "torso", "spine", "mid_hip", "shoulder_centre", "neck")
LOWER_SPINES = ("mid_hip", "torso")
UPPER_SPINES = ("chest", "torso", "spine", "shoulder_centre", "neck")
NECKS = ("neck", "shoulder_centre", "neck_nose")
# Start and end of the vertical bone, and the lateral pair (a, b): a minus b.
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
        centre: `(frames, 1, dims)`, `(1, 1, dims)` for the whole clip, or `(people, frames, 1, dims)` for each person.
        scale: the length, in units of the keypoints, that becomes 1; or one per pose, `(people, frames, 1, 1)`, NaN
            for a pose that cannot be measured and becomes missing.
        rotation: `(dims, dims)` acting on column vectors, or None.
    """

    centre: np.ndarray
    scale: float | np.ndarray = 1.0
    rotation: np.ndarray | None = None

    def apply(self, keypoints: np.ndarray) -> np.ndarray:
        """Normalised keypoints, same shape `(people, frames, joints, dims)`."""
        moved = keypoints - self.centre
        if self.rotation is not None:
            moved = moved @ self.rotation.T
        return moved / self.scale

    def inverse(self, normalised: np.ndarray) -> np.ndarray:
        """The keypoints before `apply`; a ValueError for a per-frame centre and another number of frames."""
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
    """`x' = 2x/w - 1`, `y' = 2y/w - h/w` (SPECS 2.3) of 2-D pixels: x in -1..1, y in the same unit, still downward."""
    if num_dims != 2:
        raise ValueError(
            f'Screen normalisation is for 2-D keypoints in pixels, got {num_dims} dims; use normalization="centre", '
            '"agcn-3d" or "unik-3d", or num_dims=2.'
        )
    width, height = image_size
    return Normalization(np.array([[[width / 2, height / 2]]], np.float32), scale=width / 2)


def centre(
    keypoints: np.ndarray,
    layout: SkeletonLayout,
    joint: str | None = None,
    centring: str = "per-frame",
    scale: str = "none",
) -> Normalization:
    """Move a joint of the reference person to the origin, and optionally scale the body to unit length.

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


def torso(keypoints: np.ndarray, layout: SkeletonLayout) -> Normalization:
    """Every pose in units of its own trunk, hips at the origin, as in CV-MIM (`geometry.torso`).

    In 2-D the longest distance among shoulders and hips becomes 0.5; in 3-D the distance from the middle of the hips
    to that of the shoulders becomes 1. A pose without a hip or of zero size becomes missing.
    """
    shoulders, hips = ([layout.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip"))
    trunk = keypoints[..., [*shoulders, *hips], :]
    seen = ~np.isnan(trunk[..., 0])
    corners, count = np.where(seen[..., None], trunk, 0), seen[..., 2:].sum(-1)
    centre = corners[..., 2:, :].sum(-2) / count.clip(min=1)[..., None].astype(keypoints.dtype)
    if keypoints.shape[-1] == 2:
        sides = [
            np.linalg.norm(corners[..., one, :] - corners[..., other, :], axis=-1)
            * (seen[..., one] & seen[..., other])
            for one, other in combinations(range(4), 2)
        ]
        unit = np.max(sides, axis=0) / IMAGE_UNIT
    else:
        unit = np.linalg.norm(corners[..., :2, :].mean(-2) - centre, axis=-1) * seen.all(-1)
    measured = (count > 0) & (unit > np.finfo(keypoints.dtype).tiny * 1e6)
    scale = np.where(measured, unit, np.nan).astype(keypoints.dtype)
    return Normalization((centre * measured[..., None])[..., None, :], scale[..., None, None])


def align(
    keypoints: np.ndarray,
    layout: SkeletonLayout,
    joint: str,
    vertical: Sequence[str],
    lateral: Sequence[str] | None,
    centring: str = "per-frame",
    scale: str = "none",
) -> Normalization:
    """Centre 3-D keypoints, then rotate the bone `vertical` (from, to) onto +z and `lateral[0] - lateral[1]` onto +x.

    Each is the smallest such rotation, as in the official code: the second moves the first bone away from +z unless
    the bones are at a right angle. Without `lateral` only the first rotation is done.
    """
    if keypoints.shape[-1] != 3:
        raise ValueError(
            f"Alignment needs 3-D keypoints, got {keypoints.shape[-1]} dims; "
            'use normalization="screen" (pixels) or "centre", or give 3-D data.'
        )
    across = [layout.index(name) for name in lateral] if lateral else None
    upwards = [layout.index(name) for name in vertical]
    rotation = _aligning_rotation(_reference_person(keypoints), upwards, across)
    return replace(centre(keypoints, layout, joint, centring, scale), rotation=rotation)


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
    """The first of `names` that the layout has; a ValueError if it has none of them."""
    found = next((name for name in names if name in layout.joints), None)
    if found is None:
        raise ValueError(
            f"Layout {layout.name!r} has none of the joints {list(names)}; name the joints to use: "
            'SkeletonProcessor(centre_joint="...", vertical_bone=["from", "to"], lateral_bone=["right", "left"]).'
        )
    return found


def _reference_person(keypoints: np.ndarray) -> np.ndarray:
    """`(frames, joints, dims)` of the first person with a valid joint."""
    for person in keypoints:
        if not np.isnan(person[..., 0]).all():
            return person
    return keypoints[0] if len(keypoints) else np.full(keypoints.shape[1:], np.nan, keypoints.dtype)


def _centre_track(person: np.ndarray, joint: int, centring: str) -> np.ndarray:
    path = person[:, joint]
    seen = ~np.isnan(path[:, 0])
    if not seen.any():
        path = mean_of_valid(person, axis=1)
        seen = ~np.isnan(path[:, 0])
        if not seen.any():
            return np.zeros((1, 1, person.shape[-1]), person.dtype)
    if centring == "first-frame":
        return path[int(seen.argmax())][None, None]
    return fill_missing(path[None, :, None], "previous")[0]


def _aligning_rotation(person: np.ndarray, vertical: Sequence[int], lateral: Sequence[int] | None) -> np.ndarray:
    # float64, as in the official code: angles near 0 or pi lose half their digits in float32.
    rotation = np.eye(3)
    spine = _bone_direction(person, vertical[0], vertical[1])
    if spine is not None:
        rotation = _aligning_matrix(spine, np.array([0.0, 0.0, 1.0]))
    across = None if lateral is None else _bone_direction(person, lateral[1], lateral[0])
    if across is not None:
        rotation = _aligning_matrix(rotation @ across, np.array([1.0, 0.0, 0.0])) @ rotation
    return rotation.astype(person.dtype)


def _aligning_matrix(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`geometry.rotations.aligning_matrix` of one pair of directions, in float64."""
    axis = np.cross(source, target)
    angle = np.arctan2(np.linalg.norm(axis), source @ target)
    if np.abs(axis).sum() < SMALLEST_AXIS or abs(angle) < SMALLEST_ANGLE:
        return np.eye(3)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def _bone_direction(person: np.ndarray, start: int, end: int) -> np.ndarray | None:
    difference = (person[:, end] - person[:, start]).astype(np.float64)
    seen = ~np.isnan(difference[:, 0])
    return difference[int(seen.argmax())] if seen.any() else None


def _measured_scale(centred: np.ndarray, layout: SkeletonLayout, scale: str) -> float:
    """The length that becomes 1; 1 where nothing can be measured. `centred` is `(frames, joints, dims)`."""
    if scale == "none":
        return 1.0
    if scale == "extent":
        length = np.sqrt(mean_of_valid(np.square(centred).sum(-1)))
    else:
        # In official lists one joint is its own parent: no bone.
        child, parent = layout.bone_indices[layout.bone_indices[:, 0] != layout.bone_indices[:, 1]].T
        lengths = np.linalg.norm(centred[:, child] - centred[:, parent], axis=-1)
        length = mean_of_valid(_lower_medians(lengths))
    return float(length) if length > 0 else 1.0


def _lower_medians(values: np.ndarray) -> np.ndarray:
    """Of each column of `(frames, bones)` the median without NaN, of an even number the lower middle one."""
    count = (~np.isnan(values)).sum(0)
    middle = ((count - 1) // 2).clip(min=0)
    if not len(values):
        return np.full(values.shape[1], np.nan, values.dtype)
    return np.take_along_axis(np.sort(values, axis=0), middle[None], axis=0)[0]  # NaN come last
