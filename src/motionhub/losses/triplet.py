"""The triplet loss: what belongs together is nearer than what does not. It does not know where codes come from."""

import torch
from torch import Tensor


def triplet_loss(
    anchors: Tensor, positives: Tensor, negatives: Tensor, *, margin: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """Mean of `max(0, |anchor - positive| - |anchor - negative| + margin)` (ViA eq. 6; Aberman et al.).

    Distances are Euclidean, of whole codes as one long vector: they grow with the number of frames and channels, and
    with them what a margin of 1 means.

    Args:
        anchors, positives, negatives: `(batch, ...)` of one shape.
        mask: `(batch,)` bool; False leaves a row out. Without any row the loss is 0.

    Raises:
        ValueError: the shapes differ.
    """
    if not anchors.shape == positives.shape == negatives.shape:
        raise ValueError(
            "Anchors, positives and negatives must have one shape (batch, ...), got "
            f"{tuple(anchors.shape)}, {tuple(positives.shape)} and {tuple(negatives.shape)}."
        )
    near, far = (torch.linalg.vector_norm((anchors - others).flatten(1), dim=1) for others in (positives, negatives))
    losses = (near - far + margin).clamp(min=0)
    if mask is None:
        return losses.mean()
    return (losses * mask.to(losses.dtype)).sum() / mask.sum().clamp(min=1)
