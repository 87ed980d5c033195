"""The fully connected blocks of pose encoders after Martinez et al.: linear, batch norm, ReLU, dropout, and residuals.

They do not know what the rows are (poses, activations, codes) nor what is made of their output.
"""

from torch import Tensor, nn

from motionhub.nn.keras_layers import HeNormalLinear, KerasNorm


class LinearBlock(nn.Module):
    """`dropout(relu(norm(linear(rows) + added)))` over `(num_rows, channels)`."""

    def __init__(self, in_features: int, out_features: int, dropout: float) -> None:
        super().__init__()
        self.linear = HeNormalLinear(in_features, out_features)
        self.norm = KerasNorm(out_features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor, added: Tensor | None = None) -> Tensor:
        hidden = self.linear(rows)
        return self.dropout(self.norm(hidden if added is None else hidden + added).relu())


class ResidualBlock(nn.Module):
    """Two `LinearBlock`s and the input added; no ReLU after the sum."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([LinearBlock(width, width, dropout), LinearBlock(width, width, dropout)])

    def forward(self, rows: Tensor) -> Tensor:
        hidden = rows
        for layer in self.layers:
            hidden = layer(hidden)
        return rows + hidden


class ResidualTrunk(nn.Module):
    """Residual blocks, then a linear layer: `(num_rows, width)` -> `(num_rows, out_features)`.

    With `in_features` a `LinearBlock` comes first: the whole network, as a decoder has it.
    """

    def __init__(
        self, width: int, num_blocks: int, out_features: int, dropout: float, in_features: int | None = None
    ) -> None:
        super().__init__()
        self.first = None if in_features is None else LinearBlock(in_features, width, dropout)
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in range(num_blocks))
        self.last = HeNormalLinear(width, out_features)

    def forward(self, rows: Tensor) -> Tensor:
        if self.first is not None:
            rows = self.first(rows)
        for block in self.blocks:
            rows = block(rows)
        embedded: Tensor = self.last(rows)
        return embedded
