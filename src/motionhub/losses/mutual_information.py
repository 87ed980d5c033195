"""Bounds of the mutual information of two vectors, from a batch: below (Jensen-Shannon, InfoNCE) and above (CLUB).

And from CV-MIM: fusing two vectors, matching a uniform prior. Row i of one tensor belongs to row i of the
other, all other rows are its negatives.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


ESTIMATORS = ("jsd", "infonce")
FUSIONS = ("mixture", "product", "concatenation")


def mutual_information_loss(
    first: Tensor, second: Tensor, *, estimator: str = "jsd", negative_weight: float = 1.0, temperature: float = 0.1
) -> Tensor:
    """Minimised, it maximises a lower bound of the mutual information of `first` and `second (batch, channels)`.

    Args:
        estimator: `"jsd"`: `negative_weight * mean E-(s_ij) - mean E+(s_ii)` of the dot products s (Hjelm et al.;
            CV-MIM eq. 6 with the official constants). `"infonce"`: the mean over both directions of
            `-log softmax(cos / temperature)`.
        negative_weight: of the "jsd" negatives; 1 as official.

    Raises:
        ValueError: no such estimator, shapes that differ, or a batch without negatives.
    """
    if estimator not in ESTIMATORS or first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise ValueError(
            f"Expected an estimator of {ESTIMATORS} and two tensors (batch of 2 or more, channels), got "
            f"{estimator!r}, {tuple(first.shape)} and {tuple(second.shape)}."
        )
    if estimator == "infonce":
        similarity = F.normalize(first.float(), dim=1) @ F.normalize(second.float(), dim=1).mT / temperature
        rows = torch.arange(len(similarity), device=similarity.device)
        return (F.cross_entropy(similarity, rows) + F.cross_entropy(similarity.mT, rows)) / 2
    similarity = first @ second.mT
    positive, _ = jsd_expectations(similarity.diagonal())
    _, negative = jsd_expectations(similarity)
    return negative_weight * mean_of_others(negative) - positive.mean()


def mean_of_others(values: Tensor) -> Tensor:
    """Mean of a square matrix without its diagonal."""
    # zeros instead of a choice of elements, which is many times slower
    others = values.masked_fill(torch.eye(len(values), dtype=torch.bool, device=values.device), 0)
    return others.sum() / (len(values) * (len(values) - 1))


def jsd_expectations(scores: Tensor) -> tuple[Tensor, Tensor]:
    """`E+ = log 2 - softplus(-s)` and `E- = softplus(-s) + s - log 2`, elementwise."""
    below = F.softplus(-scores)
    return math.log(2) - below, below + scores - math.log(2)


def gaussian_log_likelihood(means: Tensor, log_variances: Tensor, values: Tensor) -> Tensor:
    """`ll[i, j]` of `values[j]` under Gaussian i, mean over channels, without the constant: `(batch, batch)`.

    Args:
        means, log_variances, values: `(batch, channels)`.
    """
    # (mu - y)^2 / v written out, so that all pairs are three matrix products.
    precision = (-log_variances).exp()
    own = (precision * means.square() + log_variances).sum(-1, keepdim=True)
    crossed = 2 * (precision * means) @ values.mT - precision @ values.square().mT
    return (crossed - own) / (2 * means.shape[-1])


def paired_log_likelihood(means: Tensor, log_variances: Tensor, values: Tensor) -> Tensor:
    """Its diagonal `(batch,)`: of `values[i]` under Gaussian i."""
    distance = (means - values).square()
    return (-distance * (-log_variances).exp() / 2 - log_variances / 2).mean(-1)


def club_loss(log_likelihoods: Tensor) -> Tensor:
    """CLUB (Cheng et al. 2020; CV-MIM eq. 7): an upper bound to minimise, of `gaussian_log_likelihood`, at least 0."""
    return (log_likelihoods.diagonal().mean() - mean_of_others(log_likelihoods)).clamp(min=0)


def fuse(pose: Tensor, view: Tensor, fusion: str) -> Tensor:
    """Pose and view vectors as one: `"mixture"` of experts (their mean), `"product"`, or `"concatenation"`.

    Raises:
        ValueError: no such fusion, or a mixture or product of vectors of two sizes.
    """
    if fusion not in FUSIONS or (fusion != "concatenation" and pose.shape != view.shape):
        raise ValueError(
            f"fusion must be one of {FUSIONS}, and all but the last take vectors of one size; got {fusion!r} of "
            f"{tuple(pose.shape)} and {tuple(view.shape)}."
        )
    if fusion == "mixture":
        return (pose + view) / 2
    return pose * view if fusion == "product" else torch.cat([pose, view], dim=-1)


def prior_loss(fake_scores: Tensor) -> Tensor:
    """The encoder's adversarial loss against the discriminator of the prior: `mean softplus(-D)`."""
    return F.softplus(-fake_scores).mean()


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """The discriminator's loss: half of the softplus losses of prior samples and of encoded vectors."""
    return (F.softplus(-real_scores).mean() + (F.softplus(-fake_scores) + fake_scores).mean()) / 2


def gradient_penalty(scores: Tensor, inputs: Tensor) -> Tensor:
    """Mean squared length of the gradient of `scores (batch, 1)` by `inputs (batch, channels)`; differentiable."""
    (slopes,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return slopes.square().sum(-1).mean()


def standard_normal_divergence(means: Tensor, deviations: Tensor) -> Tensor:
    """KL divergence of Gaussians `(batch, channels)` from the standard one, sum over channels, mean over the batch."""
    variances = deviations.square().clamp(min=1e-12)
    return -0.5 * (variances.log() - means.square() - variances + 1).sum(-1).mean()
