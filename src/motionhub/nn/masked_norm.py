"""Batch normalisation whose training statistics use valid positions only; features have their channels last."""

import torch
from torch import Tensor, nn


class ChannelNorm(nn.BatchNorm2d):
    """Batch norm over `(people, joints, frames, channels)`.

    With `valid (people, frames)` the training statistics (and the running ones) are those of the valid frames alone,
    as if there were no padded frames. In evaluation, and without padding, this is plain `nn.BatchNorm2d`.
    A model's initialisation sets the weight to `initial_scale`.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, initial_scale: float = 1.0) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.initial_scale = initial_scale

    def forward(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        if not self.training or valid is None:
            return super().forward(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        weight = valid[:, None, :, None].to(features.dtype)
        count = weight.float().sum() * features.shape[1]
        mean, variance = _moments(features, weight, count, dims=(0, 1, 2))
        _update_running(self, mean, variance, count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias - mean * scale, features, scale).to(features.dtype)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Per channel, what evaluation multiplies by and adds."""
        assert self.running_mean is not None and self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale

    @torch.no_grad()
    def fold_into(self, layer: nn.Linear | nn.Conv2d, stacks: int = 1) -> None:
        """Inference only: this norm becomes part of the layer before it, whose stacks of outputs are added up."""
        scale, shift = self.scale_and_shift()
        scale = scale.repeat(stacks)
        assert layer.bias is not None
        layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.dim() - 1)))
        layer.bias.mul_(scale)
        layer.bias[: len(shift)] += shift  # once, in the first stack


class PersonNorm(nn.BatchNorm1d):
    """Batch norm of the raw keypoints: one feature per person slot, joint and channel (in this order).

    With `valid (batch, people, frames)` the training statistics of a slot come from its valid frames; a slot that is
    empty in this batch keeps its running statistics.
    """

    def __init__(self, num_people: int, num_joints: int, num_channels: int, eps: float, momentum: float) -> None:
        super().__init__(num_people * num_joints * num_channels, eps=eps, momentum=momentum)
        self.slots = (num_people, num_joints, num_channels)

    def forward(self, keypoints: Tensor, valid: Tensor | None = None) -> Tensor:
        """`(batch, people, frames, joints, channels)` in and out."""
        if not self.training:
            assert self.running_mean is not None and self.running_var is not None
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            return self._affine(keypoints, scale, self.bias - self.running_mean * scale)
        if valid is None:
            features = keypoints.permute(0, 1, 3, 4, 2).flatten(1, 3)
            normed = super().forward(features)
            return normed.unflatten(1, self.slots).permute(0, 1, 4, 2, 3)
        weight = valid[..., None, None].to(keypoints.dtype)
        _, num_joints, num_channels = self.slots
        count = valid.sum((0, 2)).float().repeat_interleave(num_joints * num_channels)
        mean, variance = _moments(keypoints, weight, count.view(self.slots), dims=(0, 2))
        mean, variance = mean.flatten(), variance.flatten()
        _update_running(self, mean, variance, count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return self._affine(keypoints, scale, self.bias - mean * scale)

    def _affine(self, keypoints: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        scale, shift = (value.view(self.slots).unsqueeze(1) for value in (scale, shift))
        return torch.addcmul(shift, keypoints, scale).to(keypoints.dtype)


def _moments(features: Tensor, weight: Tensor, count: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and biased variance in float32 over `dims`, counting positions where `weight` is 1."""
    count = count.clamp(min=1)
    mean = (features * weight).sum(dims, dtype=torch.float32) / count
    # keepdim form of the mean, so that it broadcasts against the features again
    shape = [1 if axis in dims else size for axis, size in enumerate(features.shape)]
    centred = (features - mean.view(shape)) * weight
    return mean, centred.square().sum(dims, dtype=torch.float32) / count


@torch.no_grad()
def _update_running(norm: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: Tensor) -> None:
    """The running update of `nn.BatchNorm` (unbiased variance), skipped where no position is valid."""
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    momentum = torch.where(count > 0, norm.momentum or 0.0, 0.0).to(norm.running_mean.dtype).expand_as(mean)
    unbiased = variance * count / (count - 1).clamp(min=1)
    norm.running_mean.lerp_(mean.to(momentum.dtype), momentum)
    norm.running_var.lerp_(unbiased.to(momentum.dtype), momentum)
