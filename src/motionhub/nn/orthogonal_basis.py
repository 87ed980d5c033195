"""A learned orthonormal basis: K directions in a feature space, orthonormalised by QR each time they are used.

ViA's motion dictionary, LAC's linear action decomposition and LTN's time directions are this.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


EPSILON = 1e-8  # the official codes add it to every entry before the QR


class OrthogonalBasis(nn.Module):
    """`directions (num_channels, num_directions)`, of which `forward()` gives the orthonormal columns Q.

    Of features x, channels last, `x @ Q` are the coordinates (the official codes also divide by the squared length of
    each column, which is 1), `x @ Q @ Q.mT` is the projection. Projections `Q Q^T x` do not depend on the signs of Q's
    columns, coordinates `Q^T x` and everything built from predicted coordinates do. Householder QR does not
    fix these signs: a small step of training may flip one.

    Args:
        num_channels: size of the feature space.
        num_directions: columns of the basis, at most `num_channels`.
        signs: "positive" makes the diagonal of R positive, so that Q depends on the directions smoothly and column k
            points along direction k (what coordinates that are shown, compared or predicted need). "householder"
            takes `torch.linalg.qr`'s, as the official codes do: only for parity with their coordinates.
    """

    def __init__(self, num_channels: int, num_directions: int, *, signs: str = "positive") -> None:
        super().__init__()
        if not 1 <= num_directions <= num_channels:
            raise ValueError(
                f"A basis of a space of {num_channels} channels has 1 to {num_channels} directions, got "
                f"{num_directions}; lower num_directions."
            )
        if signs not in ("positive", "householder"):
            raise ValueError(f"signs must be 'positive' or 'householder', got {signs!r}.")
        self.signs = signs
        self.directions = nn.Parameter(torch.empty(num_channels, num_directions))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Orthogonal, as ViA and LAC; `_init_weights` of a model calls this."""
        nn.init.orthogonal_(self.directions)

    def forward(self) -> Tensor:
        """Q `(num_channels, num_directions)`, orthonormal columns, in the type of the directions."""
        constant = self._buffers.get("constant")
        if constant is not None:
            return constant
        return orthonormal_columns(self.directions, positive_diagonal=self.signs == "positive")

    def extra_repr(self) -> str:
        return f"{self.directions.shape[0]}, {self.directions.shape[1]}, signs={self.signs!r}"


@contextmanager
def constant_bases(model: nn.Module) -> Iterator[None]:
    """Within it every basis of the model has the columns that it has now: graphs of other runtimes have no QR."""
    bases = [module for module in model.modules() if isinstance(module, OrthogonalBasis)]
    for basis in bases:
        basis.register_buffer("constant", basis().detach(), persistent=False)
    try:
        yield
    finally:
        for basis in bases:
            del basis.constant


def orthonormal_columns(directions: Tensor, *, positive_diagonal: bool = True) -> Tensor:
    """Q of the QR decomposition of `directions + 1e-8` `(C, K)`, K <= C, at least in float32.

    With `positive_diagonal` this is Gram-Schmidt: the sign of column k follows direction k.
    """
    exact = directions if directions.dtype == torch.float64 else directions.float()
    basis, triangle = torch.linalg.qr(exact + EPSILON)
    if positive_diagonal:
        diagonal = triangle.detach().diagonal()
        basis = basis * torch.where(diagonal < 0, -1.0, 1.0).to(basis.dtype)
    return basis.to(directions.dtype)
