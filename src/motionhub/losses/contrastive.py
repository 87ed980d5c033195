"""InfoNCE in every form the papers use, and alignment and uniformity of the embedding space.

Computed at least in float32. Keys of the same batch are negatives as well: `negatives=keys` with a `negative_mask`
that leaves a query's own out. With cosine similarities s / temperature, positives p and negatives n of a query:

    standard   -log( e^p / (e^p + sum_n e^n) )     N equal similarities give log N
    printed    -log( e^p / sum_n e^n )             as OR-VPE eq. 3, LAC and LTN print it: unbounded below

Several positives: "each" averages the loss over them, each against the negatives only (MoCo of several clips);
"sum" puts their sum in place of e^p (LAC's formula).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


DENOMINATORS = ("standard", "printed")
SEVERAL_POSITIVES = ("each", "sum")
# Similarities of 64 queries to so many keys are 2 MB.
KEYS_AT_ONCE = 8192


def info_nce(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    temperature: Tensor | float,
    negative_mask: Tensor | None = None,
    **forms: str,
) -> Tensor:
    """Mean loss of queries against their own positives and given negatives (a queue, a bank).

    Args:
        queries: `(batch, channels)`; lengths do not matter, similarities are cosines.
        positives: `(batch, channels)` or `(batch, num_positives, channels)`.
        negatives: `(num_negatives, channels)`, the same for all, or `(batch, num_negatives, channels)`.
        temperature: above 0.
        negative_mask: `(batch, num_negatives)` bool, False leaves that negative out (e.g. the clip's own old key).
        forms: `denominator` ("standard") and `several` ("each"), see the module.

    Raises:
        ValueError: shapes or options do not fit; with "printed", a query without a negative.
    """
    positives = positives.unsqueeze(1) if positives.ndim == 2 else positives
    _check_shapes(queries, positives, negatives)
    queries, positives, negatives = _units(queries), _units(positives), _units(negatives)
    attraction = torch.einsum("bc,bpc->bp", queries, positives)
    formula = "bc,nc->bn" if negatives.ndim == 2 else "bc,bnc->bn"
    repulsion = torch.einsum(formula, queries, negatives)
    return info_nce_of_similarities(
        attraction, repulsion, temperature=temperature, negative_mask=negative_mask, **forms
    )


def frame_info_nce(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    temperature: float,
    over_frames: str = "sum",
    negative_mask: Tensor | None = None,
    **forms: str,
) -> Tensor:
    """InfoNCE whose similarity of two clips adds up the cosines of their frames, first with first and so on.

    Args:
        queries: `(batch, frames, channels)`.
        positives: `(batch, frames, channels)` or `(batch, num_positives, frames, channels)`.
        negatives: `(num_negatives, frames, channels)`.
        over_frames: "sum" (LAC; with 30 frames and temperature 0.07 the logits span +-428) or "mean".
        temperature, negative_mask, forms: as in `info_nce`.
    """
    if over_frames not in ("sum", "mean"):
        raise ValueError(f"over_frames must be 'sum' or 'mean', got {over_frames!r}.")
    positives = positives.unsqueeze(1) if positives.ndim == 3 else positives
    frames = {part.shape[-2] for part in (queries, positives, negatives)}
    if len(frames) != 1 or queries.ndim != 3 or positives.ndim != 4 or negatives.ndim != 3:
        raise ValueError(
            "Frame-level InfoNCE expects (batch, frames, channels) with one number of frames, got "
            f"{tuple(queries.shape)}, {tuple(positives.shape)}, {tuple(negatives.shape)}; resample or cut the clips."
        )
    heat = temperature if over_frames == "mean" else temperature / queries.shape[1]
    # The cosine of all frames side by side, each of length 1, is the mean of their cosines.
    queries, positives, negatives = (_units(part).flatten(-2) for part in (queries, positives, negatives))
    return info_nce(queries, positives, negatives, temperature=heat, negative_mask=negative_mask, **forms)


def info_nce_of_similarities(
    positives: Tensor,
    negatives: Tensor,
    *,
    temperature: Tensor | float,
    negative_mask: Tensor | None = None,
    denominator: str = "standard",
    several: str = "each",
) -> Tensor:
    """The loss from similarities: `positives (batch, num_positives)`, `negatives (batch, num_negatives)`."""
    if several not in SEVERAL_POSITIVES:
        raise ValueError(f"several must be one of {SEVERAL_POSITIVES}, got {several!r}.")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature!r}.")
    positives, negatives = positives / temperature, negatives / temperature
    if negative_mask is not None:
        negatives = negatives.masked_fill(~negative_mask, float("-inf"))
    if several == "sum":
        positives = positives.logsumexp(1, keepdim=True)
    return _contrast(positives, negatives.logsumexp(1, keepdim=True), denominator)


def _contrast(attraction: Tensor, repulsion: Tensor, denominator: str) -> Tensor:
    """Mean loss from the logits of positives, and from the logarithm of the sum over negatives."""
    if denominator not in DENOMINATORS:
        raise ValueError(f"denominator must be one of {DENOMINATORS}, got {denominator!r}.")
    if denominator == "standard":
        return (torch.logaddexp(attraction, repulsion) - attraction).mean()
    if bool(repulsion.isneginf().any()):
        raise ValueError("The printed denominator needs a negative for every query, got none; use 'standard'.")
    return (repulsion - attraction).mean()


def info_nce_of_queue(
    queries: Tensor,
    positives: Tensor,
    keys: Tensor,
    *,
    temperature: Tensor | float,
    negative_mask: Tensor | None = None,
    denominator: str = "standard",
) -> Tensor:
    """As `info_nce` of unit vectors, for keys that do not learn: in less memory, and in two thirds of the time.

    The similarities to the keys are never all in memory at once; the gradient is computed along the way.

    Args:
        queries, positives: `(batch, channels)` of length 1.
        keys: `(num, channels)` of length 1; in bfloat16 the products are too (added up in float32), twice as fast.
        temperature: above 0; a tensor may learn.
        negative_mask: `(batch, num)` bool, False leaves that key out.
        denominator: see the module.

    Raises:
        ValueError: an unknown denominator; with "printed", a query without a negative.
    """
    queries, heat = queries.float(), torch.as_tensor(temperature, dtype=torch.float32, device=queries.device)
    attraction = (queries * positives.float()).sum(1) / heat
    repulsion: Tensor = _LogSumExp.apply(queries, heat, keys, negative_mask)
    return _contrast(attraction, repulsion, denominator)


class _LogSumExp(torch.autograd.Function):
    """`(queries @ keys.mT / temperature).logsumexp(1)` of some keys, with gradients to queries and temperature.

    The gradient is the mean key, weighted by the softmax of the similarities: summed up beside the exponentials, so
    that a stretch of keys is read once and its similarities stay in the processor's cache.
    """

    @staticmethod
    def forward(context: Any, queries: Tensor, temperature: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        scaled = (queries / temperature).to(keys.dtype)
        highest = queries.new_full((len(queries), 1), torch.finfo(torch.float32).min)
        total, drawn = torch.zeros_like(highest), torch.zeros_like(queries)
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = slice(start, start + KEYS_AT_ONCE)
            shares = (scaled @ keys[some].mT).float()
            if mask is not None:
                shares.masked_fill_(~mask[:, some], -torch.inf)
            before, highest = highest, torch.maximum(highest, shares.amax(1, keepdim=True))
            fading = (before - highest).exp()
            shares.sub_(highest).exp_()
            total = total * fading + shares.sum(1, keepdim=True)
            drawn = drawn * fading + (shares.to(keys.dtype) @ keys[some]).float()
        context.save_for_backward(queries, temperature, drawn / total.clamp(min=torch.finfo(torch.float32).tiny))
        return (highest + total.log()).squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        queries, temperature, mean = context.saved_tensors
        pulled = gradient[:, None] * mean / temperature
        return pulled, -(pulled * queries).sum() / temperature, None, None


def alignment(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared distance of the unit vectors of two views `(batch, channels)`: 0 (same) to 4 (opposite)."""
    return (_units(first) - _units(second)).square().sum(-1).mean()


def uniformity(embeddings: Tensor) -> Tensor:
    """Log of the mean over pairs of exp(-2 squared distance) of unit vectors `(batch, channels)`.

    0 when all are the same (collapsed), about -4 when spread evenly over a sphere of many dimensions (Wang and Isola
    2020). A single vector gives 0.
    """
    units = _units(embeddings)
    if len(units) < 2:
        return units.new_zeros(())
    first, second = torch.triu_indices(len(units), len(units), offset=1, device=units.device)
    distances = 2 - 2 * (units @ units.mT)[first, second]
    return (-2 * distances).exp().mean().log()


def _units(vectors: Tensor) -> Tensor:
    exact = vectors if vectors.dtype == torch.float64 else vectors.float()
    return functional.normalize(exact, dim=-1)


def _check_shapes(queries: Tensor, positives: Tensor, negatives: Tensor) -> None:
    batch, channels = queries.shape if queries.ndim == 2 else (None, None)
    fits = positives.ndim == 3 and (positives.shape[0], positives.shape[-1]) == (batch, channels)
    fits = fits and positives.shape[1] > 0 and negatives.shape[-1] == channels
    fits = fits and (negatives.ndim == 2 or (negatives.ndim == 3 and negatives.shape[0] == batch))
    if not fits or not batch:
        raise ValueError(
            "InfoNCE expects queries (batch, channels), positives (batch, channels) or (batch, num_positives, "
            f"channels) and negatives (num_negatives, channels); got {tuple(queries.shape)}, {tuple(positives.shape)} "
            f"and {tuple(negatives.shape)}."
        )
