"""A plain UNIK written head by head from the paper and the official layer list: what the benchmarks compare with.

It knows nothing of motionhub; `(batch, dims, frames, joints, people)` in, logits out, absent people computed.
"""

import torch
from torch import Tensor, nn


WIDTHS = [64] * 4 + [128] * 3 + [256] * 3


class SpatialUnit(nn.Module):
    """One convolution triple per head, one matrix product per head, summed in a loop."""

    def __init__(self, in_channels: int, out_channels: int, joints: int, heads: int) -> None:
        super().__init__()
        self.inner = out_channels // 4
        self.matrix = nn.Parameter(torch.empty(heads, joints, joints).uniform_(-1 / joints, 1 / joints))
        self.conv_a = nn.ModuleList(nn.Conv2d(in_channels, self.inner, 1) for _ in range(heads))
        self.conv_b = nn.ModuleList(nn.Conv2d(in_channels, self.inner, 1) for _ in range(heads))
        self.conv_d = nn.ModuleList(nn.Conv2d(in_channels, out_channels, 1) for _ in range(heads))
        self.down: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.down = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames, joints = x.shape
        total = None
        for head, matrix in enumerate(self.matrix):
            a = self.conv_a[head](x).permute(0, 3, 1, 2).reshape(batch, joints, self.inner * frames)
            b = self.conv_b[head](x).view(batch, self.inner * frames, joints)
            weights = matrix + torch.softmax(a @ b / (self.inner * frames), dim=-2)
            mixed = x.reshape(batch, channels * frames, joints) @ weights.to(x.dtype)
            z = self.conv_d[head](mixed.view(batch, channels, frames, joints))
            total = z if total is None else total + z
        return torch.relu(self.bn(total) + self.down(x))


class Block(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, joints: int, heads: int, residual: bool) -> None:
        super().__init__()
        stride = 2 if residual and in_channels != out_channels else 1
        self.spatial = SpatialUnit(in_channels, out_channels, joints, heads)
        self.conv = nn.Conv2d(out_channels, out_channels, (9, 1), (stride, 1), (4, 0))
        self.bn = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module | None = nn.Identity() if residual else None
        if stride == 2:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn(self.conv(self.spatial(x)))
        return torch.relu(out if self.shortcut is None else out + self.shortcut(x))


class PlainUnik(nn.Module):
    """Ten blocks, three heads in each by default."""

    def __init__(self, joints: int, dims: int, people: int, labels: int, heads: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(people * joints * dims)
        self.blocks = nn.ModuleList(
            Block(before, after, joints, heads if index else 3, residual=index > 0)
            for index, (before, after) in enumerate(zip([dims, *WIDTHS], WIDTHS, strict=False))
        )
        self.fc = nn.Linear(WIDTHS[-1], labels)

    def forward(self, x: Tensor) -> Tensor:
        batch, dims, frames, joints, people = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(batch, people * joints * dims, frames))
        x = x.view(batch * people, joints, dims, frames).permute(0, 2, 3, 1).contiguous()
        for block in self.blocks:
            x = block(x)
        return self.fc(x.view(batch, people, x.shape[1], -1).mean(3).mean(1))


def official_state(model: PlainUnik) -> dict[str, Tensor]:
    """The weights under the official names, for the key map of conversion/unik.py."""
    names = {}
    for key, tensor in model.state_dict().items():
        parts = key.split(".")
        if parts[0] == "norm":
            name = ".".join(["data_bn", *parts[1:]])
        elif parts[0] == "fc":
            name = key
        else:
            block, rest = f"l{int(parts[1]) + 1}", ".".join(parts[2:])
            for ours, theirs in BLOCK_NAMES.items():
                rest = rest.replace(ours, theirs, 1) if rest.startswith(ours) else rest
            name = f"{block}.{rest}"
        names[name] = tensor
    return names


BLOCK_NAMES = {
    "spatial.matrix": "s_unit.DepM",
    "spatial.": "s_unit.",
    "conv.": "t_unit.conv.",
    "bn.": "t_unit.bn.",
    "shortcut.0": "residual.conv",
    "shortcut.1": "residual.bn",
}
