"""`AugmentationPolicy`, the augmentations that a recipe asks for in training, and their transforms.

Keypoints are `(people, frames, joints, dims)`, normalised or centred: the origin is inside the body. NaN stays NaN.
"""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from motionhub.geometry.rotations import axis_angle_matrix, plane_matrix
from motionhub.skeletons.layout import SkeletonLayout


# The values UNIK's feeder draws from (SPECS 2.4): degrees, factor, shift in units of the (normalised) coordinates.
MOVE_ANGLES = (-10.0, -5.0, 0.0, 5.0, 10.0)
MOVE_SCALES = (0.9, 1.0, 1.1)
MOVE_SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)


@dataclass(frozen=True)
class AugmentationPolicy:
    """Augmentations of training clips, in this order; the defaults change nothing.

    Args:
        train_crop_fraction: smallest share of the clip that is kept, at a random place, before it is sampled or
            resized to a number of frames. 1: the whole clip.
        mirror_probability: left/right swap with x negated.
        rotation_degrees: rotation about x, y, z, each uniform in plus or minus this; 2-D data only about z.
        scale_jitter: factor per axis, uniform in 1 plus or minus this.
        shear: each factor uniform in plus or minus this.
        random_move: UNIK's moving view (its shifts suit coordinates of about -1..1).
        joint_drop_probability: probability of hiding each joint of a clip.

    Raises:
        ValueError: a value out of range.
    """

    train_crop_fraction: float = 1.0
    mirror_probability: float = 0.0
    rotation_degrees: Sequence[float] = (0.0, 0.0, 0.0)
    scale_jitter: float = 0.0
    shear: float = 0.0
    random_move: bool = False
    joint_drop_probability: float = 0.0

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("train_crop_fraction", "joint_drop_probability", "mirror_probability"), 1.0)
        for name, most in {**shares, "scale_jitter": math.inf, "shear": math.inf}.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise ValueError(f"{name} must be between 0 and {most:g}, got {value!r}.")
        degrees = self.rotation_degrees
        if np.shape(degrees) != (3,) or not all(isinstance(limit, int | float) for limit in degrees):
            raise ValueError(f"rotation_degrees must be a list of 3 numbers, got {degrees!r}.")
        object.__setattr__(self, "rotation_degrees", tuple(self.rotation_degrees))

    @classmethod
    def of(cls, given: "AugmentationPolicy | Mapping[str, Any] | str | None") -> "AugmentationPolicy":
        """The policy of a dictionary or its JSON text, as in a recipe; None: the policy that changes nothing."""
        if isinstance(given, cls):
            return given
        try:
            content = json.loads(given) if isinstance(given, str) else dict(given or {})  # type: ignore[arg-type]
            unknown = sorted(set(content) - set(POLICY_FIELDS))
        except (TypeError, ValueError, RecursionError) as error:
            got = str(given)[:200]
            raise ValueError(
                f'augmentation must be a dictionary such as {{"mirror_probability": 0.5}}, got {got!r}: {error}.'
            ) from None
        if unknown:
            near = difflib.get_close_matches(unknown[0], POLICY_FIELDS, n=3, cutoff=0.7)
            hint = f"did you mean {' or '.join(near)}?" if near else f"the fields are {list(POLICY_FIELDS)}."
            raise ValueError(f"AugmentationPolicy has no field {unknown[0]!r}; {hint}")
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """The fields that differ from the default, as JSON holds them."""
        plain = AugmentationPolicy()
        content = {name: value for name, value in asdict(self).items() if value != getattr(plain, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in content.items()}

    def crop(self, num_frames: int, generator: Generator | None = None) -> tuple[int, int]:
        """Begin and length of the random part of a clip that a training sample is taken from."""
        if self.train_crop_fraction >= 1:
            return 0, num_frames
        share, place = torch.rand(2, generator=generator).tolist()
        kept = self.train_crop_fraction + (1 - self.train_crop_fraction) * share
        length = min(max(round(kept * num_frames), 1), num_frames)
        return int(place * (num_frames - length + 1)), length

    def __call__(self, keypoints: Tensor, layout: SkeletonLayout, generator: Generator | None = None) -> Tensor:
        """The clip augmented, all people alike. Draws come from `generator`, or from torch's global one."""
        if self.mirror_probability > 0 and float(torch.rand((), generator=generator)) < self.mirror_probability:
            keypoints = mirror(keypoints, layout)
        if any(self.rotation_degrees):
            keypoints = random_rotation(keypoints, self.rotation_degrees, generator)
        if self.scale_jitter > 0:
            keypoints = random_scale(keypoints, self.scale_jitter, generator)
        if self.shear > 0:
            keypoints = random_shear(keypoints, self.shear, generator)
        if self.random_move:
            keypoints = move(keypoints, draw_move_nodes(generator))
        if self.joint_drop_probability > 0:
            keypoints = drop_joints(keypoints, self.joint_drop_probability, generator)
        return keypoints


POLICY_FIELDS = tuple(field.name for field in fields(AugmentationPolicy))


def mirror(keypoints: Tensor, layout: SkeletonLayout) -> Tensor:
    """Mirror image of `(..., joints, dims)`: `left_*` and `right_*` swapped, x negated."""
    swapped = keypoints.index_select(-2, torch.from_numpy(layout.mirror))
    swapped[..., 0].neg_()
    return swapped


def random_rotation(keypoints: Tensor, degrees: Sequence[float], generator: Generator | None = None) -> Tensor:
    """Rotate about the origin by angles uniform in `[-degrees, degrees]`, about x, y, then z; 2-D: only about z."""
    limits = torch.tensor(list(degrees), dtype=torch.float64)
    angles = torch.deg2rad(limits * _symmetric(3, generator))
    if keypoints.shape[-1] == 2:
        matrix = plane_matrix(angles[2])
    else:
        about = axis_angle_matrix(torch.eye(3, dtype=torch.float64), angles)
        matrix = about[2] @ about[1] @ about[0]
    return keypoints @ matrix.T.to(keypoints.dtype)


def random_scale(keypoints: Tensor, jitter: float, generator: Generator | None = None) -> Tensor:
    """Multiply every axis by its own factor, uniform in `[1 - jitter, 1 + jitter]`."""
    return keypoints * (1 + jitter * _symmetric(keypoints.shape[-1], generator)).to(keypoints.dtype)


def random_shear(keypoints: Tensor, limit: float, generator: Generator | None = None) -> Tensor:
    """Add to every axis each other axis times a factor uniform in `[-limit, limit]`."""
    dims = keypoints.shape[-1]
    matrix = limit * _symmetric(dims * dims, generator).reshape(dims, dims)
    matrix.fill_diagonal_(1.0)
    return keypoints @ matrix.T.to(keypoints.dtype)


def draw_move_nodes(generator: Generator | None = None) -> Tensor:
    """First and last angle (degrees), scale, x shift and y shift of UNIK's moving view (SPECS 2.4): `(4, 2)`."""
    choices = (MOVE_ANGLES, MOVE_SCALES, MOVE_SHIFTS, MOVE_SHIFTS)
    picks = [torch.randint(len(values), (2,), generator=generator) for values in choices]
    return torch.stack(
        [torch.tensor(values, dtype=torch.float64)[pick] for values, pick in zip(choices, picks, strict=True)]
    )


def move(keypoints: Tensor, nodes: Tensor) -> Tensor:
    """Rotate, scale and shift x and y (not z): `xy' = scale * R(angle) xy + shift`, the same for all people.

    Args:
        nodes: `(4, 2)` of `draw_move_nodes`; values change linearly from the first frame to the last.
    """
    share = torch.linspace(0, 1, keypoints.shape[1], dtype=torch.float64)
    angle, scale, shift_x, shift_y = nodes[:, :1] + (nodes[:, 1:] - nodes[:, :1]) * share
    matrix = (plane_matrix(torch.deg2rad(angle)) * scale[:, None, None]).to(keypoints.dtype)
    shift = torch.stack([shift_x, shift_y], dim=-1)[:, None].to(keypoints.dtype)
    moved = keypoints[..., :2] @ matrix.mT + shift
    return moved if keypoints.shape[-1] == 2 else torch.cat([moved, keypoints[..., 2:]], dim=-1)


def drop_joints(keypoints: Tensor, probability: float, generator: Generator | None = None) -> Tensor:
    """A copy in which each joint of a person is missing (NaN) over the whole clip with `probability`."""
    people, _, joints, _ = keypoints.shape
    drawn = torch.rand((people, 1, joints, 1), generator=generator)
    return keypoints.masked_fill(drawn < probability, torch.nan)


def _symmetric(count: int, generator: Generator | None) -> Tensor:
    return 2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1
