"""Losses of generated motions and of their codes: reconstruction, velocity, triplets."""

from torch import Tensor


VELOCITIES = ("difference", "distance")


def reconstruction_loss(made: Tensor, true: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error over the coordinates of visible joints (ViA eq. 4; 0 where none is).

    Args:
        made, true: `(..., joints, dims)`.
        mask: `(..., joints)` bool; False leaves a joint out. None counts all.

    Raises:
        ValueError: the shapes differ.
    """
    if made.shape != true.shape or (mask is not None and mask.shape != true.shape[:-1]):
        raise ValueError(
            "Expected two tensors of one shape (..., joints, dims) and a mask (..., joints), got "
            f"{tuple(made.shape)}, {tuple(true.shape)} and {None if mask is None else tuple(mask.shape)}; cut both to "
            "the same frames."
        )
    errors = made - true
    if mask is None:
        return errors.square().mean()
    # Filled before the square, not multiplied: a missing joint may hold NaN.
    errors = errors.masked_fill(~mask.unsqueeze(-1), 0)
    return errors.square().sum() / (mask.sum() * true.shape[-1]).clamp(min=1)


def velocity_loss(made: Tensor, true: Tensor, mask: Tensor | None = None, *, velocity: str = "difference") -> Tensor:
    """Squared differences of velocities, added up over joints, mean over frames and clips (ViA eq. 7 without lambda).

    Args:
        made, true: `(..., frames, joints, dims)`; a single frame has no velocity and gives 0.
        mask: `(..., frames, joints)` bool; a joint counts where it is there in a frame and in the next. Frames in
            which none does are left out of the mean.
        velocity: `"difference"` of positions, a vector, or `"distance"`, its length ("can be calculated by the
            distance" in the paper), which ignores direction.

    Raises:
        ValueError: the shapes differ, or no such velocity.
    """
    if made.shape != true.shape or velocity not in VELOCITIES:
        raise ValueError(
            f"Expected two tensors of one shape (..., frames, joints, dims) and a velocity of {VELOCITIES}, got "
            f"{tuple(made.shape)}, {tuple(true.shape)} and {velocity!r}."
        )
    if true.shape[-3] < 2:
        return (made * 0).sum()
    steps, wanted = (motion[..., 1:, :, :] - motion[..., :-1, :, :] for motion in (made, true))
    both = None if mask is None else mask[..., 1:, :] & mask[..., :-1, :]
    if both is not None:
        steps, wanted = (motion.masked_fill(~both.unsqueeze(-1), 0) for motion in (steps, wanted))
    if velocity == "distance":
        errors = (steps.norm(dim=-1) - wanted.norm(dim=-1)).square()
    else:
        errors = (steps - wanted).square().sum(-1)
    return errors.sum(-1).mean() if both is None else errors.sum() / both.any(-1).sum().clamp(min=1)


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
    near, far = ((anchors - others).flatten(1).norm(dim=1) for others in (positives, negatives))
    losses = (near - far + margin).clamp(min=0)
    if mask is None:
        return losses.mean()
    return (losses * mask.to(losses.dtype)).sum() / mask.sum().clamp(min=1)
