"""2s-AGCN and ST-GCN written plainly from their papers and layer lists, with the official names in the state dict.

One convolution per subset, matrices given by hand-written edge lists; absent people are computed. It does not know our
own models or graphs. `(batch, dims, frames, joints, people)` in, logits out.
"""

import numpy as np
import torch
from torch import Tensor, nn


WIDTHS = [64] * 4 + [128] * 3 + [256] * 3
# 2s-AGCN's inward edges of NTU-25, 1-based (child, parent); ST-GCN lists the same pairs.
NTU_EDGES = [(1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11)]
NTU_EDGES += [(13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8)]
NTU_EDGES += [(24, 25), (25, 12)]
NTU_CENTRE = 21 - 1


def agcn_graph(joints: int = 25, edges: list[tuple[int, int]] = NTU_EDGES) -> Tensor:
    """`[I, In, Out]`: edge (i, j) is entry [j, i]; columns of the last two divided by their sum."""
    inward = np.zeros((joints, joints))
    for child, parent in edges:
        inward[parent - 1, child - 1] = 1
    normed = [matrix / np.maximum(matrix.sum(axis=0), 1) for matrix in (inward, inward.T)]
    return torch.tensor(np.stack([np.eye(joints), *normed]), dtype=torch.float32)


def st_gcn_graph(joints: int = 25, edges: list[tuple[int, int]] = NTU_EDGES, centre: int = NTU_CENTRE) -> Tensor:
    """Spatial configuration, joint by joint: itself, neighbours farther from the centre, neighbours nearer to it."""
    near = {joint: {joint} for joint in range(joints)}
    for one, other in edges:
        near[one - 1].add(other - 1)
        near[other - 1].add(one - 1)
    hops, seen, ring = {}, {centre}, {centre}
    while ring:
        hops.update(dict.fromkeys(ring, len(hops) and max(hops.values()) + 1))
        ring = {joint for start in ring for joint in near[start]} - seen
        seen |= ring
    subsets = np.zeros((3, joints, joints))
    for taker in range(joints):
        for giver in near[taker]:
            subset = 0 if giver == taker else 1 if hops[giver] >= hops[taker] else 2
            subsets[subset, giver, taker] = 1 / len(near[taker])
    return torch.tensor(subsets, dtype=torch.float32)


class TemporalUnit(nn.Module):
    def __init__(self, size_in: int, size: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(size_in, size, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.bn = nn.BatchNorm2d(size)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class AdaptiveUnit(nn.Module):
    """Three subsets: given matrix + learned matrix + attention, one convolution triple each, summed in a loop."""

    def __init__(self, size_in: int, size: int, graph: Tensor) -> None:
        super().__init__()
        self.graph = graph  # not in the state dict, as in the official code
        self.inner = size // 4
        self.PA = nn.Parameter(torch.full_like(graph, 1e-6))
        self.conv_a, self.conv_b, self.conv_d = (
            nn.ModuleList(nn.Conv2d(size_in, width, 1) for _ in graph) for width in (self.inner, self.inner, size)
        )
        self.bn = nn.BatchNorm2d(size)
        if size_in != size:
            self.down = nn.Sequential(nn.Conv2d(size_in, size, 1), nn.BatchNorm2d(size))
        else:
            self.down = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames, joints = x.shape
        total = 0
        for subset, matrix in enumerate(self.graph.to(x.dtype) + self.PA):
            query = self.conv_a[subset](x).permute(0, 3, 1, 2).reshape(batch, joints, -1)
            key = self.conv_b[subset](x).reshape(batch, -1, joints)
            mixing = matrix + torch.softmax(query @ key / query.shape[-1], dim=-2)
            mixed = (x.reshape(batch, -1, joints) @ mixing).view(batch, channels, frames, joints)
            total = total + self.conv_d[subset](mixed)
        return torch.relu(self.bn(total) + self.down(x))


class AgcnBlock(nn.Module):
    def __init__(self, size_in: int, size: int, graph: Tensor, first: bool) -> None:
        super().__init__()
        stride = 1 if first or size_in == size else 2
        self.gcn1 = AdaptiveUnit(size_in, size, graph)
        self.tcn1 = TemporalUnit(size, size, 9, stride)
        self.residual = None if first else nn.Identity() if stride == 1 else TemporalUnit(size_in, size, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        out = self.tcn1(self.gcn1(x))
        return torch.relu(out if self.residual is None else out + self.residual(x))


class PlainAgcn(nn.Module):
    """Ten blocks `l1` ... `l10`; pass `graph (3, joints, joints)`."""

    def __init__(self, labels: int, people: int, dims: int, graph: Tensor) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(people * graph.shape[1] * dims)
        for index, (size_in, size) in enumerate(zip([dims, *WIDTHS], WIDTHS, strict=False)):
            setattr(self, f"l{index + 1}", AgcnBlock(size_in, size, graph, first=index == 0))
        self.fc = nn.Linear(WIDTHS[-1], labels)

    def forward(self, x: Tensor) -> Tensor:
        batch, dims, frames, joints, people = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(batch, -1, frames))
        x = x.view(batch * people, joints, dims, frames).permute(0, 2, 3, 1).contiguous()
        for index in range(len(WIDTHS)):
            x = getattr(self, f"l{index + 1}")(x)
        return self.fc(x.mean((2, 3)).view(batch, people, -1).mean(1))


class GraphUnit(nn.Module):
    """One wide convolution, split by subset, each part mixed by its matrix."""

    def __init__(self, size_in: int, size: int, subsets: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(size_in, subsets * size, 1)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        # n: person, k: subset, c: channel, t: frame, v: joint that gives, w: joint that takes
        parts = self.conv(x).unflatten(1, (len(graph), -1))
        return torch.einsum("nkctv,kvw->nctw", parts, graph)


class StGcnBlock(nn.Module):
    def __init__(self, size_in: int, size: int, subsets: int, stride: int, first: bool, dropout: float) -> None:
        super().__init__()
        self.gcn = GraphUnit(size_in, size, subsets)
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(size),
            nn.ReLU(),
            nn.Conv2d(size, size, (9, 1), (stride, 1), (4, 0)),
            nn.BatchNorm2d(size),
            nn.Dropout(0.0 if first else dropout),
        )
        self.residual: nn.Module | None = None if first else nn.Identity()
        if not first and (size_in != size or stride != 1):
            self.residual = nn.Sequential(nn.Conv2d(size_in, size, 1, (stride, 1)), nn.BatchNorm2d(size))

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        out = self.tcn(self.gcn(x, graph))
        return torch.relu(out if self.residual is None else out + self.residual(x))


class PlainStGcn(nn.Module):
    """`widths` one per block; blocks 4 and 7 halve the frames; `fc` names a linear classifier (CrosSCLR's)."""

    def __init__(
        self,
        labels: int,
        dims: int,
        graph: Tensor,
        widths: list[int] = WIDTHS,
        importance: bool = True,
        linear: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("A", graph.clone())
        self.data_bn = nn.BatchNorm1d(dims * graph.shape[1])
        self.st_gcn_networks = nn.ModuleList(
            StGcnBlock(size_in, size, len(graph), 2 if index in (4, 7) else 1, index == 0, dropout)
            for index, (size_in, size) in enumerate(zip([dims, *widths], widths, strict=False))
        )
        if importance:
            self.edge_importance = nn.ParameterList(torch.ones_like(graph) for _ in widths)
        if linear:
            self.fc = nn.Linear(widths[-1], labels)
        else:
            self.fcn = nn.Conv2d(widths[-1], labels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, dims, frames, joints, people = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(batch * people, joints * dims, frames))
        x = x.view(batch * people, joints, dims, frames).permute(0, 2, 3, 1).contiguous()
        factors = self.edge_importance if hasattr(self, "edge_importance") else [1.0] * len(self.st_gcn_networks)
        for block, factor in zip(self.st_gcn_networks, factors, strict=True):
            x = block(x, self.A * factor)
        pooled = x.mean((2, 3)).view(batch, people, -1).mean(1)
        return self.fc(pooled) if hasattr(self, "fc") else self.fcn(pooled[:, :, None, None]).flatten(1)
