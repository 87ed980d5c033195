"""How far made motions are from the true ones. Tensors in, a scalar out; it does not know what made them."""

from torch import Tensor


def reconstruction_loss(made: Tensor, true: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error over the coordinates of joints that are there (ViA eq. 4; 0 where none is).

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
    # Before the square, and no product: what stands in the place of a missing joint may be no number.
    errors = errors.masked_fill(~mask.unsqueeze(-1), 0)
    return errors.square().sum() / (mask.sum() * true.shape[-1]).clamp(min=1)
