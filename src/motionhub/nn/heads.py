"""Losses that skip unknown labels and padding, scores at the input frame rate, and a recurrent scoring network."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionhub.nn.people import frames_within


def clip_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy over the clips whose label is known; 0 when none is."""
    if labels.is_floating_point() or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"A classification loss expects integer labels of shape ({logits.shape[0]},), got {labels.dtype} "
            f"{tuple(labels.shape)}; drop clips without a label or give them -1."
        )
    known = labels >= 0
    loss = F.cross_entropy(logits.float(), labels.long().where(known, -100), ignore_index=-100, reduction="sum")
    return loss / known.sum().clamp(min=1)


def check_grades(labels: Tensor, max_score: int, config: str) -> None:
    """ValueError for a label above `max_score`; `config` names the class that sets it."""
    if bool((labels > max_score).any()):
        highest = int(labels.max())
        raise ValueError(
            f"Expected scores of 0..{max_score}, got {highest}; build the model with {config}(max_score={highest})."
        )


def expected_grade(logits: Tensor) -> Tensor:
    """`(B, grades)` -> `(B,)`: the mean grade under the softmax."""
    return logits.softmax(1) @ torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)


def frame_loss(logits: Tensor, labels: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean binary cross entropy over known labels (not negative, not NaN) of the frames within each clip, else 0."""
    _check_frame_labels(logits, labels)
    known = labels >= 0
    counted = known.to(torch.float32)
    targets = labels.to(torch.float32).where(known, 0.0)
    if lengths is not None:
        counted = counted * frames_within(lengths, logits.shape[1]).unsqueeze(-1)
    loss = F.binary_cross_entropy_with_logits(logits.float(), targets, weight=counted, reduction="sum")
    return loss / counted.sum().clamp(min=1)


def frame_cross_entropy(logits: Tensor, labels: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean cross entropy over the frames within each clip that have a class, else 0: one action at a time.

    `labels (batch, frames, num_labels)` are 1 at the frame's class, 0 elsewhere (as for `frame_loss`); frames that are
    0 everywhere, or negative or NaN somewhere, are unknown. A frame with several classes counts once for each.
    """
    _check_frame_labels(logits, labels)
    known = (labels >= 0).all(-1, keepdim=True)
    targets = labels.to(torch.float32).where(known, 0.0)
    if lengths is not None:
        targets = targets * frames_within(lengths, logits.shape[1]).unsqueeze(-1)
    return -(targets * F.log_softmax(logits.float(), dim=-1)).sum() / targets.sum().clamp(min=1)


def _check_frame_labels(logits: Tensor, labels: Tensor) -> None:
    if labels.shape != logits.shape:
        raise ValueError(
            f"A segmentation loss expects labels (batch, frames, num_labels) = {tuple(logits.shape)}, got "
            f"{tuple(labels.shape)}; build them at the input frame rate."
        )


def to_frame_rate(coarse: Tensor, frames: int, stride: int, mode: str, lengths: Tensor | None) -> Tensor:
    """`(B, T', labels)` -> `(B, frames, labels)`; coarse score k stands at frame `k * stride`.

    Positions stop at the last score of each clip (`lengths (B,)` frames), so padding has no influence.
    """
    batch, _, labels = coarse.shape
    position = torch.arange(frames, device=coarse.device).expand(batch, frames)
    length = torch.full((batch, 1), frames, device=coarse.device) if lengths is None else lengths.view(batch, 1)
    last = (length - 1).clamp(min=0) // stride
    left = torch.minimum(position // stride, last)
    held = coarse.gather(1, left.unsqueeze(-1).expand(-1, -1, labels))
    if mode == "repeat":
        return held
    right = torch.minimum(left + 1, last)
    following = coarse.gather(1, right.unsqueeze(-1).expand(-1, -1, labels))
    return torch.lerp(held, following, ((position % stride) / stride).unsqueeze(-1).to(coarse.dtype))


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
        if torch.compiler.is_compiling():  # a graph's shapes must not depend on data
            hidden = over_padded(self.recurrent, features, lengths)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
            hidden, _ = nn.utils.rnn.pad_packed_sequence(self.recurrent(packed)[0], True, total_length=frames)
        weights = frames_within(lengths.to(features.device), frames).unsqueeze(-1).to(hidden.dtype)
        return (self.classifier(hidden) * weights).sum(1) / weights.sum(1)


def over_padded(network: nn.RNNBase, features: Tensor, lengths: Tensor) -> Tensor:
    """A bidirectional GRU or LSTM over `(B, T, C)` as over packed sequences: up to `lengths (B,)` the same outputs.

    The backward direction reads every sequence from its own end: turned round within its length, and back.
    """
    places = torch.arange(features.shape[1], device=features.device)
    turned = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)[..., None]
    start = features.new_zeros(1, features.shape[0], network.hidden_size)
    for layer in range(network.num_layers):
        directions = []
        for suffix in ("", "_reverse"):
            kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [getattr(network, f"{kind}_l{layer}{suffix}") for kind in kinds]
            order = turned.expand_as(features)
            given = features.gather(1, order) if suffix else features
            # has biases, one layer, no dropout, not training, one direction, batch first
            how = (True, 1, 0.0, False, False, True)
            if isinstance(network, nn.LSTM):
                made = torch.lstm(given, (start, start), weights, *how)[0]
            else:
                made = torch.gru(given, start, weights, *how)[0]
            directions.append(made.gather(1, turned.expand_as(made)) if suffix else made)
        features = torch.cat(directions, dim=-1)
    return features


def clip_features(frame_features: Tensor, feature_lengths: Tensor) -> Tensor:
    """`(B, 2 C)`: mean and standard deviation over the frames of each clip, without padding."""
    places = torch.arange(frame_features.shape[1], device=frame_features.device)
    real = (places < feature_lengths.to(places.device)[:, None]).unsqueeze(-1).to(frame_features.dtype)
    count = real.sum(1).clamp(min=1)
    mean = (frame_features * real).sum(1) / count
    variance = ((frame_features - mean[:, None]).square() * real).sum(1) / count
    return torch.cat([mean, variance.sqrt()], dim=1)
