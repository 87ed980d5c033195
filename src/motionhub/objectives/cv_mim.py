"""CV-MIM: an encoder of single poses learns vectors of pose and view by mutual information across cameras.

Paper: Zhao et al., CVPR 2021, https://arxiv.org/abs/2012.01405; official code google-research, poem/cv_mim.

Of each pose there are two images a and p (`objectives.pose_views`). With z = (z_p, z_v) of an image the encoder and
the sub-encoder minimise (SPECS 9.2; weights as official)

    MI(sub(x), fusion(z_p, z_v)) of a and of p        the vectors identify the image
    + 5 * 2 * MI(z_p of a, z_p of p)                   the pose vectors are those of one pose
    + softplus(-D(sigmoid z)) of a and of p            the vectors look uniform to a discriminator
    + 0.5 * (CLUB(z_p -> z_v) of a + of p)             pose carries nothing of the view
    + 0.5 * 2 * CLUB(z_v of a -> z_v of p)             in the official code, not in the paper: `inter_view=True`

the likelihood estimators behind CLUB maximise their likelihood, the discriminator separates uniform samples from
vectors. These three are updated by three optimizers in each step, from one forward pass: in the loss of one, the
weights of the others are constants. With several processes the negatives are those of one process.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from motionhub.losses.mutual_information import (
    ESTIMATORS,
    FUSIONS,
    club_loss,
    discriminator_loss,
    fuse,
    gaussian_log_likelihood,
    gradient_penalty,
    mutual_information_loss,
    paired_log_likelihood,
    prior_loss,
    standard_normal_divergence,
)
from motionhub.nn.keras_layers import GlorotLinear, KerasNorm, ResidualTrunk
from motionhub.objectives.pose_views import PoseObjective, PoseViews, keras_adagrad, space_of
from motionhub.objectives.self_supervised import Model, Run


PARTS = ("encoder", "estimator", "discriminator")


class LikelihoodEstimator(nn.Module):
    """q(y | x): mean and log variance (through tanh) of a Gaussian, each by Dense, batch norm, ELU, Dense."""

    def __init__(self, size: int, target_size: int) -> None:
        super().__init__()
        self.mean, self.log_variance = (
            nn.Sequential(GlorotLinear(size, size), KerasNorm(size), nn.ELU(), GlorotLinear(size, target_size))
            for _ in range(2)
        )

    def forward(self, given: Tensor, targets: Tensor, paired: bool = False) -> Tensor:
        """Log likelihoods `(batch, batch)` of every target under every given vector, or `(batch,)` of its own."""
        likelihood = paired_log_likelihood if paired else gaussian_log_likelihood
        return likelihood(self.mean(given), self.log_variance(given).tanh(), targets)


class CvMimNetwork(nn.Module):
    """The encoder with everything that learns beside it; its forward is the whole loss (DDP needs that)."""

    def __init__(self, encoder: Any, objective: "CvMim") -> None:
        super().__init__()
        config, self.objective = encoder.config, [objective]  # in a list: the objective is no part of the network
        both = config.pose_size + config.view_size
        fused = both if objective.fusion == "concatenation" else config.pose_size
        self.encoder = encoder
        self.subencoder = ResidualTrunk(config.width, config.num_blocks, fused, float(config.dropout))
        self.intra = self.inter = self.discriminator = None
        if objective.disentangle_weight:
            self.intra = LikelihoodEstimator(config.pose_size, config.view_size)
            if objective.inter_view:
                self.inter = LikelihoodEstimator(config.view_size, config.view_size)
        if objective.prior_weight:
            layers = [GlorotLinear(both, 64), nn.ReLU(), GlorotLinear(64, 32), nn.ReLU(), GlorotLinear(32, 1)]
            self.discriminator = nn.Sequential(*layers)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """What each of the three optimizers updates; a part that the options switch off is left out."""
        modules = {
            "encoder": [self.encoder, self.subencoder],
            "estimator": [self.intra, self.inter],
            "discriminator": [self.discriminator],
        }
        found = {
            name: [weight for module in owners if module is not None for weight in module.parameters()]
            for name, owners in modules.items()
        }
        return {name: weights for name, weights in found.items() if weights}

    def forward(self, images: Tensor, seen: Tensor, uniform: Tensor) -> dict[str, Tensor]:
        """`images (2, n, joints, 2)`, `seen (2, n, joints)`, `uniform (2, n, pose + view)` prior samples."""
        codes = [self.encoder.encode(image, there) for image, there in zip(images, seen, strict=True)]
        kept = [(code.pose, code.view) for code in codes]
        divergence = images.new_zeros(())
        for index, code in enumerate(codes):
            if code.deviation is not None:
                divergence = divergence + standard_normal_divergence(torch.cat(kept[index], 1), code.deviation)
                noise = torch.special.ndtri(uniform[index].clamp(1e-6, 1 - 1e-6))  # uniform -> standard normal
                drawn = torch.cat(kept[index], 1) + code.deviation * noise
                kept[index] = drawn.split([code.pose.shape[1], code.view.shape[1]], dim=1)
        (pose, view), (other_pose, other_view) = kept
        subcodes = [self.subencoder(code.first) for code in codes]
        objective = self.objective[0]
        losses = {
            "representation": sum(
                objective.information(sub, fuse(*vectors, objective.fusion))
                for sub, vectors in zip(subcodes, kept, strict=True)
            ),
            "cross_view": 2 * objective.information(pose, other_pose),
            "divergence": divergence,
        }
        if self.discriminator is not None:
            losses |= self._prior([torch.cat(vectors, 1) for vectors in kept], uniform)
        if self.intra is not None:
            losses |= self._disentangled([(pose, view), (other_pose, other_view)])
        total = losses["representation"] + objective.view_weight * losses["cross_view"] + divergence
        total = total + objective.prior_weight * losses.get("prior", 0)
        total = total + objective.disentangle_weight * (losses.get("intra", 0) + 2 * losses.get("inter", 0))
        loss = total + losses.get("estimator", 0) + losses.get("discriminator", 0)
        parts = {name: value.detach() for name, value in losses.items() if isinstance(value, Tensor)}
        return {"loss": loss, "encoder": total.detach(), **parts, **space_of(torch.stack([pose, other_pose]))}

    def _prior(self, vectors: list[Tensor], uniform: Tensor) -> dict[str, Tensor]:
        assert self.discriminator is not None
        matched = torch.zeros((), device=uniform.device)
        separated = torch.zeros((), device=uniform.device)
        for vector, samples in zip(vectors, uniform, strict=True):
            matched = matched + prior_loss(constant(self.discriminator, vector.sigmoid()))
            real, fake = samples.requires_grad_(), vector.detach().sigmoid().requires_grad_()
            real_scores, fake_scores = self.discriminator(real), self.discriminator(fake)
            penalty = gradient_penalty(real_scores, real) + gradient_penalty(fake_scores, fake)
            separated = separated + discriminator_loss(real_scores, fake_scores) + penalty / 2
        return {"prior": matched, "discriminator": separated}

    def _disentangled(self, vectors: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        assert self.intra is not None
        pairs = [(self.intra, *vector) for vector in vectors]
        losses = {"intra": sum(club_loss(constant(*pair)) for pair in pairs)}
        likelihood = sum(module(one.detach(), two.detach(), True).mean() for module, one, two in pairs)
        if self.inter is not None:
            views = (vectors[0][1], vectors[1][1])
            losses["inter"] = club_loss(constant(self.inter, *views))
            likelihood = likelihood + 2 * self.inter(*(view.detach() for view in views), True).mean()
        return {**losses, "estimator": -likelihood}


def constant(module: nn.Module, *inputs: Tensor) -> Tensor:
    """`module(*inputs)` with its weights as constants: gradients reach the inputs only."""
    frozen = {name: weight.detach() for name, weight in module.named_parameters()}
    return functional_call(module, frozen, inputs)


@dataclass(kw_only=True, eq=False, repr=False)
class CvMim(PoseObjective):
    """The objective of CV-MIM, for `motionhub.training.trainer.train`; the defaults are the official ones.

    Args:
        fusion: `"mixture"` (paper), `"product"` or `"concatenation"` (default of the official code).
        estimator, negative_weight, temperature: see `losses.mutual_information`.
        view_weight, disentangle_weight, prior_weight: lambda 1 to 3; 0 leaves a regulariser out.
        inter_view: the official code's second CLUB term, which the paper does not have.
        layout, ranges, poses_per_clip, hidden_joints, up: see `PoseObjective`.

    Raises:
        ValueError: an option has no such value.

    Examples:
        >>> layout = motionhub.get_layout("coco-17")
        >>> objective = motionhub.CvMim(layout, poses_per_clip=8)
        >>> objective.fusion, objective.estimator
        ('mixture', 'jsd')
    """

    fusion: str = "mixture"
    estimator: str = "jsd"
    negative_weight: float = 1.0
    temperature: float = 0.1
    view_weight: float = 5.0
    disentangle_weight: float = 0.5
    prior_weight: float = 1.0
    inter_view: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_choices(fusion=FUSIONS, estimator=ESTIMATORS)
        self.check_at_least(0, "view_weight", "disentangle_weight", "prior_weight")
        self.check_above_zero("negative_weight", "temperature")

    def information(self, first: Tensor, second: Tensor) -> Tensor:
        """The chosen bound, as a loss."""
        return mutual_information_loss(
            first, second, estimator=self.estimator, negative_weight=self.negative_weight, temperature=self.temperature
        )

    def network(self, model: Model, run: Run) -> nn.Module:
        """The network around `model`.

        Raises:
            ValueError: its vectors cannot be fused.
        """
        config = model.config
        if not config.view_size or (self.fusion != "concatenation" and config.pose_size != config.view_size):
            raise ValueError(
                f"CV-MIM with fusion={self.fusion!r} needs pose and view vectors of one size, got "
                f"{config.pose_size} and {config.view_size}; set both, or fusion='concatenation'."
            )
        # As many uniform numbers as the prior has dimensions.
        self.views = replace(self.views, num_noise=config.pose_size + config.view_size)
        return CvMimNetwork(model, self)

    def optimizers(self, network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
        """Adagrad for encoder, estimators and discriminator, as Keras has it."""
        assert isinstance(network, CvMimNetwork)
        return [keras_adagrad(weights, learning_rate) for weights in network.parts().values()]

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of a batch of clips (see `training.objective.PretrainingObjective`)."""
        views: PoseViews = self.views(batch)
        return model(views.images, views.seen, views.noise.transpose(0, 1).contiguous())
