"""A recurrent head over frames: GRU or LSTM in both directions, one linear layer per frame, the mean over the clip.

It does not know what the features are nor what the outputs mean.
"""

from typing import Literal

import torch
from torch import Tensor, nn


class RecurrentHead(nn.Module):
    """Features of frames `(B, T, C)` -> `(B, outputs)` (U-VI section 4 and its official code).

    Args:
        in_features: C.
        size, layers: of each direction of the recurrent network.
        outputs: of the linear layer.
        kind: `"gru"` or `"lstm"`.
    """

    def __init__(
        self, in_features: int, size: int, layers: int, outputs: int, kind: Literal["gru", "lstm"] = "gru"
    ) -> None:
        super().__init__()
        network = nn.GRU if kind == "gru" else nn.LSTM
        self.recurrent = network(in_features, size, layers, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(2 * size, outputs)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Frames from `lengths (B,)` on, at least 1 each, are padding: neither direction sees them."""
        frames = features.shape[1]
        packed = nn.utils.rnn.pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = nn.utils.rnn.pad_packed_sequence(self.recurrent(packed)[0], True, total_length=frames)
        inside = torch.arange(frames, device=features.device) < lengths[:, None].to(features.device)
        weights = inside.unsqueeze(-1).to(hidden.dtype)
        return (self.classifier(hidden) * weights).sum(1) / weights.sum(1)
