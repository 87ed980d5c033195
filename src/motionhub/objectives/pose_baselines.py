"""Baselines of CV-MIM on the same encoder and images: reconstruction, direct information, Pr-VIPE.

- `CrossReconstruction`: auto-encoder, VAE and beta-VAE by eq. 12 of the CV-MIM paper: a decoder makes an image of its
  own vectors, and of its view vector with the pose vector of the other image.
- `DirectInformation`: eq. 2 of that paper by one estimator: InfoNCE, or Jensen-Shannon (there called DIM).
- `PrVipe`: probabilistic embeddings by triplets (Sun et al., "View-Invariant Probabilistic Embedding for Human Pose",
  ECCV 2020). It has no view vector; its encoder is `CvMimConfig(embedder="gaussian-elu", pose_size=16, view_size=0,
  dropout=0.3)`.

Batches and learning rate are as for `objectives.cv_mim.CvMim`. Where the papers are silent: VAE and beta-VAE
differ in `divergence_weight` alone, and the errors are summed over coordinates, as eq. 12 is written (the official
code averages); Pr-VIPE's moving average of the weights is left out, as are its additional inputs.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.geometry.alignment import procrustes_error
from motionhub.losses.mutual_information import fuse, mutual_information_loss, standard_normal_divergence
from motionhub.losses.probabilistic import active_triplet_loss, mean_distances, sample_distance, semi_hard_negatives
from motionhub.nn.keras_layers import ResidualTrunk
from motionhub.objectives.pose_views import PoseObjective, PoseViews, space_of
from motionhub.objectives.self_supervised import Model, Run


# Poses beyond the positive that are searched first for a negative.
COMPARED = 8


def generator_of(batch: dict[str, Tensor]) -> torch.Generator:
    """For what is drawn for a whole batch, decided by its seeds."""
    return torch.Generator().manual_seed(int(batch["seeds"].sum()) % 2**62)


class ReconstructionNetwork(nn.Module):
    """Encoder and decoder: all four images that two pairs of vectors make, and the divergence of the vectors."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        config = encoder.config
        self.encoder = encoder
        self.decoder = ResidualTrunk(
            config.width,
            config.num_blocks,
            config.num_joints * config.in_channels,
            float(config.dropout),
            in_features=config.pose_size + config.view_size,
        )

    def forward(self, images: Tensor, seen: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Images `(2 views, 2 sources of the pose, n, joints, dims)`, divergence, pose vectors `(2, n, pose)`."""
        config, drawn, poses, divergence = self.encoder.config, [], [], images.new_zeros(())
        noise = torch.randn(2, images.shape[1], config.pose_size + config.view_size, generator=generator)
        for image, there, one_noise in zip(images, seen, noise, strict=True):
            code = self.encoder.encode(image, there)
            vectors = torch.cat([code.pose, code.view], dim=1)
            if code.deviation is not None:
                divergence = divergence + standard_normal_divergence(vectors, code.deviation)
                vectors = vectors + code.deviation * one_noise.to(vectors)
            drawn.append(vectors.split([code.pose.shape[1], code.view.shape[1]], dim=1))
            poses.append(code.pose)
        made = [
            [self.decoder(torch.cat([drawn[source][0], drawn[view][1]], dim=1)) for source in (view, 1 - view)]
            for view in (0, 1)
        ]
        shaped = torch.stack([torch.stack(row) for row in made]).unflatten(-1, images.shape[-2:])
        return shaped, divergence, torch.stack(poses)


@dataclass(kw_only=True, eq=False, repr=False)
class CrossReconstruction(PoseObjective):
    """Eq. 12: `|x - G(z_p, z_v)|^2 + |x - G(z_p of the other image, z_v)|^2`, of both images.

    Args:
        divergence_weight: of the divergence of a Gaussian embedder from the standard normal distribution; with the
            default a VAE whose decoder has a standard deviation of 0.07 (a seventh of a trunk); larger: a beta-VAE.
            It has no effect on `embedder="point"`, the auto-encoder.
        layout, ranges, poses_per_clip, hidden_joints, up: see `PoseObjective`.

    Examples:
        >>> layout = motionhub.get_layout("coco-17")
        >>> motionhub.CrossReconstruction(layout, divergence_weight=0.1).poses_per_clip
        4
    """

    divergence_weight: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least(0, "divergence_weight")

    def network(self, model: Model, run: Run) -> nn.Module:
        if not model.config.view_size:
            raise ValueError("Cross reconstruction needs a view vector; set view_size above 0.")
        return ReconstructionNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        views: PoseViews = self.views(batch)
        made, divergence, poses = model(views.images, views.seen, generator_of(batch))
        errors = (made - views.images.unsqueeze(1)).masked_fill(~views.seen[:, None, ..., None], 0)
        own, crossed = errors.square().sum((-1, -2)).mean(-1).unbind(1)
        reconstruction, cross = own.sum(), crossed.sum()
        loss = reconstruction + cross + self.divergence_weight * divergence
        parts = {"reconstruction": reconstruction, "cross_reconstruction": cross, "divergence": divergence}
        return {"loss": loss, **{name: value.detach() for name, value in parts.items()}, **space_of(poses)}


class InformationNetwork(nn.Module):
    """Encoder and sub-encoder, as in CV-MIM."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        config = encoder.config
        self.encoder = encoder
        self.subencoder = ResidualTrunk(config.width, config.num_blocks, config.pose_size, float(config.dropout))

    def forward(self, images: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pose, view and sub-encoder vectors, `(2, n, size)` each."""
        codes = [self.encoder.encode(image, there) for image, there in zip(images, seen, strict=True)]
        sub = torch.stack([self.subencoder(code.first) for code in codes])
        return torch.stack([code.pose for code in codes]), torch.stack([code.view for code in codes]), sub


@dataclass(kw_only=True, eq=False, repr=False)
class DirectInformation(PoseObjective):
    """Eq. 2: information of an image and its own vectors, and of an image and its vectors across views.

    Args:
        estimator: `"infonce"`, or `"jsd"` (DIM).
        fusion, temperature: see `losses.mutual_information`.
        layout, ranges, poses_per_clip, hidden_joints, up: see `PoseObjective`.

    Examples:
        >>> layout = motionhub.get_layout("coco-17")
        >>> motionhub.DirectInformation(layout, temperature=0.2).estimator
        'infonce'
    """

    estimator: str = "infonce"
    fusion: str = "mixture"
    temperature: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_choices(fusion=("mixture", "product"))

    def network(self, model: Model, run: Run) -> nn.Module:
        if model.config.pose_size != model.config.view_size:
            raise ValueError("Fusing pose and view vectors needs pose_size and view_size to be equal.")
        return InformationNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        views: PoseViews = self.views(batch)
        pose, view, sub = model(views.images, views.seen)

        def information(source: int, target: int) -> Tensor:
            fused = fuse(pose[source], view[target], self.fusion)
            return mutual_information_loss(sub[target], fused, estimator=self.estimator, temperature=self.temperature)

        own, crossed = (information(0, 0) + information(1, 1), information(1, 0) + information(0, 1))
        return {"loss": own + crossed, "own": own.detach(), "across": crossed.detach(), **space_of(pose)}


class ProbabilisticNetwork(nn.Module):
    """An encoder of means and deviations, and the two numbers of the matching probability."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.raw_scale, self.shift = nn.Parameter(torch.tensor(-0.65)), nn.Parameter(torch.tensor(-0.5))

    def forward(self, images: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Means and deviations `(2, n, size)`; scale and shift."""
        codes = [self.encoder.encode(image, there) for image, there in zip(images, seen, strict=True)]
        means, deviations = (torch.stack(parts) for parts in zip(*((c.pose, c.deviation) for c in codes), strict=True))
        return means, deviations, nn.functional.elu(self.raw_scale) + 1, self.shift


@dataclass(kw_only=True, eq=False, repr=False)
class PrVipe(PoseObjective):
    """Pr-VIPE's triplets: an image is nearer to the same pose's other image than to those of other poses.

    Args:
        num_samples: drawn of every embedding.
        least_difference: Procrustes-aligned error (trunks of 1) from which on a pose counts as another.
        divergence_weight, positive_weight: of the divergence from the standard normal, of the positive distances.
        layout, ranges, poses_per_clip, hidden_joints, up: see `PoseObjective`.

    Examples:
        >>> layout = motionhub.get_layout("coco-17")
        >>> motionhub.PrVipe(layout, num_samples=10).positive_weight
        0.005
    """

    num_samples: int = 20
    least_difference: float = 0.1
    divergence_weight: float = 0.001
    positive_weight: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least(1, "num_samples")
        self.check_at_least(0, "least_difference", "divergence_weight", "positive_weight")

    def network(self, model: Model, run: Run) -> nn.Module:
        if model.config.embedder == "point" or model.config.view_size:
            raise ValueError("Pr-VIPE needs embedder='gaussian-elu' (or 'gaussian') and view_size=0.")
        return ProbabilisticNetwork(model)

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        views: PoseViews = self.views(batch)
        means, deviations, scale, shift = model(views.images, views.seen)
        with torch.no_grad():
            distances = mean_distances(means[0], means[1], scale, shift)
            chosen, has_negative = semi_hard_negatives(distances, self.others(views, distances))
        shape = (2, len(views.points), self.num_samples, means.shape[-1])
        noise = torch.randn(shape, generator=generator_of(batch)).to(means.device)
        anchors, positives = means.unsqueeze(2) + deviations.unsqueeze(2) * noise
        positive = sample_distance(anchors, positives, scale, shift)
        negative = sample_distance(anchors, positives[chosen], scale, shift)
        triplet = active_triplet_loss(positive[has_negative], negative[has_negative])
        divergence = sum(standard_normal_divergence(*pair) for pair in zip(means, deviations, strict=True))
        loss = triplet + self.divergence_weight * divergence + self.positive_weight * positive.mean()
        return {"loss": loss, "triplet": triplet.detach(), "positive": positive.mean().detach(), **space_of(means)}

    def others(self, views: PoseViews, distances: Tensor) -> Tensor:
        """`(n, n)` bool: poses that differ enough to be negatives of the anchors (rows), as far as that matters.

        Aligning all pairs takes most of an update, and the nearest pose beyond the positive is nearly always another
        one. So an anchor's nearest ones are compared, and all of them only where none of these is its negative.
        """
        count = len(distances)
        anchors = torch.arange(count, device=distances.device)
        beyond = distances.masked_fill(distances <= distances.diagonal().unsqueeze(1), math.inf)
        near = beyond.topk(min(COMPARED, count), largest=False)
        allowed = torch.zeros(count, count, dtype=torch.bool, device=distances.device)
        found = near.values.isfinite() & self._different(views, anchors[:, None], near.indices)
        allowed[anchors[:, None], near.indices] = found
        rest = anchors[~found.any(1)]
        allowed[rest] = self._different(views, rest[:, None], anchors)
        return allowed

    def _different(self, views: PoseViews, one: Tensor, other: Tensor) -> Tensor:
        """Bool for every pair of rows (which are broadcast); a pose is not another than itself."""
        one, other = torch.broadcast_tensors(one, other)
        both = views.visible[one] & views.visible[other]
        errors = procrustes_error(views.points[one], views.points[other], both)
        return (errors >= self.least_difference) & (one != other)
