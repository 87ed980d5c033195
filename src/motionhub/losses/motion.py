"""Losses of how joints move from frame to frame. Tensors in, a scalar out; it does not know skeletons."""

from torch import Tensor


VELOCITIES = ("difference", "distance")


def velocity_loss(made: Tensor, true: Tensor, mask: Tensor | None = None, *, velocity: str = "difference") -> Tensor:
    """Squared differences of velocities, added up over joints, mean over frames and clips (ViA eq. 7 without lambda).

    Args:
        made, true: `(..., frames, joints, dims)`; a single frame has no velocity and gives 0.
        mask: `(..., frames, joints)` bool; a joint counts where it is there in a frame and in the next. Frames in
            which none does are left out of the mean.
        velocity: `"difference"` of positions, a vector, or `"distance"`, its length ("can be calculated by the
            distance" in the paper), which does not tell directions apart.

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
