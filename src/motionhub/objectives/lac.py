"""LAC's first stage: the generator learns to swap bodies and views on exact pairs.

Paper: Yang et al., "LAC: Latent Action Composition for Skeleton-based Action Segmentation", ICCV 2023. Each motion is
decoded with its own static part and with that of another clip; both are compared with their targets (the paper's
loss, L_self + L_target). The official code adds triplets on the codes (`triplet_weight=1`; its weight, margin 1).

Pairs are those of `objectives.body_pairs`: over them this is the sum of the code's four errors, halved.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.losses.motion import reconstruction_loss, triplet_loss
from motionhub.nn.people import continue_clips, frames_of_people
from motionhub.objectives.body_pairs import BodyPairs
from motionhub.objectives.joint_forward import JointForward
from motionhub.objectives.self_supervised import Model, Run
from motionhub.skeletons.layout import SkeletonLayout


class GeneratorNetwork(nn.Module):
    """What is optimised: every clip decoded with its own static and with that of its partner; codes of more clips."""

    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, motions: Tensor, everyone: JointForward, partners: Tensor, others: Tensor | None
    ) -> dict[str, Tensor]:
        """Network tensors `motions (B, channels, frames)` and `others`, which are encoded only; partners of all."""
        codes = self.generator.encode(motions)
        static = everyone.of_all(codes.static)[partners]
        made = {
            "own": self.generator.decode(codes.motion, codes.static),
            "crossed": self.generator.decode(codes.motion, static),
        }
        if others is not None:
            again = self.generator.encode(others)
            made |= {"motion": codes.motion, "static": codes.static, "partner_static": static}
            made |= {"partner_motion": everyone.of_all(codes.motion)[partners]}
            made |= {"other_motion": again.motion, "other_static": again.static}
        return made


class JointRows:
    """Rows as `SkeletonProcessor(normalization="centre", scale="extent")` gives them: the layout's joints.

    Examples:
        >>> motionhub.JointRows(motionhub.get_layout("lac-15")).num_rows
        15
    """

    name = "joints"
    centred = True

    def __init__(self, layout: SkeletonLayout) -> None:
        self.num_rows = layout.num_joints

    def __call__(self, keypoints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        return keypoints, seen


class VelocityRows:
    """Rows as `RetargetProcessor(scale="body", smoothing=0)` gives them: joints, then the root's velocity.

    A missing joint gets its mean position, as `RetargetProcessor` gives a joint that is never detected.

    Args:
        layout: of the keypoints; it has a joint "neck".
        mean, std: `(joints, 2)` statistics of the rows.

    Examples:
        >>> import numpy as np
        >>> layout = motionhub.get_layout("lac-15")
        >>> rows = motionhub.VelocityRows(layout, mean=np.zeros((15, 2)), std=np.ones((15, 2)))
        >>> rows.num_rows
        15
    """

    name = "velocity"
    centred = False

    def __init__(self, layout: SkeletonLayout, mean: Any, std: Any) -> None:
        self.mean, self.std = torch.as_tensor(mean), torch.as_tensor(std)
        self.num_rows = layout.num_joints
        if self.mean.shape != (self.num_rows, 2) or self.std.shape != (self.num_rows, 2):
            raise ValueError(
                f"mean and std must be {(self.num_rows, 2)}, the joints of {layout.name!r} without its root and the "
                f"velocity, got {tuple(self.mean.shape)} and {tuple(self.std.shape)}."
            )
        self.root, self.neck = layout.index(layout.root), layout.index("neck")
        self.others = [joint for joint in range(layout.num_joints) if joint != self.root]

    def __call__(self, keypoints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, M, T, joints, 2)` images -> rows of as many, and which of them are known."""
        centre = keypoints[..., self.root : self.root + 1, :]
        trunk = (keypoints[..., self.neck, :] - centre[..., 0, :]).norm(dim=-1)
        trunk = trunk.masked_fill(~(seen[..., self.neck] & seen[..., self.root]), float("nan"))
        length = trunk.nanquantile(0.5, dim=-1).nan_to_num(0.0)
        wanted = self.mean[self.others.index(self.neck)].norm().to(length)
        scale = torch.where(length > 0, wanted / length.clamp(min=1e-12), 1.0)[..., None, None, None]
        steps = torch.cat([torch.zeros_like(centre[:, :, :1]), centre.diff(dim=2)], dim=2)
        rows = torch.cat([keypoints[..., self.others, :] - centre, steps], dim=-2) * scale
        rows = (rows - self.mean.to(rows)) / self.std.to(rows)
        here = seen[..., self.root]
        moved = here & torch.cat([here[:, :, :1], here[:, :, :-1]], dim=2)
        known = torch.cat([seen[..., self.others] & here.unsqueeze(-1), moved.unsqueeze(-1)], dim=-1)
        return rows.masked_fill(~known.unsqueeze(-1), 0), known


@dataclass(kw_only=True, eq=False, repr=False)
class LacPairs(BodyPairs):
    """The objective, for `motionhub.training.trainer.train` with a LacModel; the defaults are the paper's.

    Its batches hold 3-D clips of one person: a `SkeletonProcessor(num_dims=3, num_people=1, normalization="centre",
    centring="first-frame")`. Save the generator with the processor that its rows are named after.

    Args:
        layout: of the joints.
        rows: what the generator takes; None: `JointRows(layout)`.
        ranges, up: see `BodyPairs`.
        triplet_weight: of both triplets: the motion of a clip in another body and view is nearer to its own than to
            the partner's, and its static to the partner's. 0: none, as in the paper; 1: the code.
        margin: of the triplets.

    Raises:
        ValueError: a weight below 0.

    Examples:
        >>> layout = motionhub.get_layout("lac-15")
        >>> motionhub.LacPairs(layout, triplet_weight=1.0).rows.name
        'joints'
    """

    rows: Any = None
    triplet_weight: float = 0.0
    margin: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least(0, "triplet_weight", "margin")
        self.rows = self.rows or JointRows(self.layout)

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        return {**super().settings(), "rows": self.rows.name}

    def network(self, model: Model, run: Run) -> nn.Module:
        """The network around `model`.

        Raises:
            ValueError: the model takes other rows.
        """
        config = model.config
        self.num_dims, self.multiple, self.least = config.in_channels, config.frame_stride, config.min_frames
        if config.num_joints != self.rows.num_rows or (self.num_dims == 3 and not self.rows.centred):
            raise ValueError(
                f"The generator takes {config.num_joints} rows of {self.num_dims} coordinates, but {self.rows.name} "
                f"of layout {self.layout.name!r} are {self.rows.num_rows} (velocity rows: of 2 coordinates); give the "
                "layout of its joints."
            )
        return GeneratorNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch (see `training.objective.PretrainingObjective`) and its parts."""
        pairs = self.pairs_of(batch)
        (true, known), (target, target_known) = pairs.source, pairs.target
        others = self._tensors(target) if self.triplet_weight else None
        made = model(self._tensors(true), pairs.everyone, pairs.partners, others)
        losses = {
            "self": reconstruction_loss(self._motions(made["own"], true), true, known),
            "target": reconstruction_loss(self._motions(made["crossed"], true), target, target_known),
        }
        total = losses["self"] + losses["target"]
        if self.triplet_weight:
            losses |= self._triplets(made)
            total = total + self.triplet_weight * (losses["triplet_motion"] + losses["triplet_static"])
        return {"loss": total, **{name: value.detach() for name, value in losses.items()}}

    def _triplets(self, made: dict[str, Tensor]) -> dict[str, Tensor]:
        """Distances are of whole codes, the static one once per coarse frame, as in the code."""
        motion = made["motion"]
        own, partner, other = (made[name].expand_as(motion) for name in ("static", "partner_static", "other_static"))
        return {
            "triplet_motion": triplet_loss(made["other_motion"], motion, made["partner_motion"], margin=self.margin),
            "triplet_static": triplet_loss(other, partner, own, margin=self.margin),
        }

    def _seen(self, batch: dict[str, Tensor], views: Any, **options: Any) -> tuple[Tensor, Tensor]:
        """Rows `(B, 1, T, rows, dims)` of the clips with these views, frames after the end as the last one."""
        rows, known = self.rows(*super()._seen(batch, views, centred=self.rows.centred))
        return continue_clips(rows, frames_of_people(rows, batch["attention_mask"]), rows.shape[2]), known

    def _tensors(self, rows: Tensor) -> Tensor:
        """Network tensors `(B, rows * dims, frames)`, the last frame repeated as far as the network needs."""
        frames = rows.shape[2]
        wanted = max(-(-frames // self.multiple) * self.multiple, self.least)
        return nn.functional.pad(rows.squeeze(1).flatten(2).mT, (0, wanted - frames), mode="replicate")

    def _motions(self, made: Tensor, like: Tensor) -> Tensor:
        return made[..., : like.shape[2]].mT.reshape(like.shape)
