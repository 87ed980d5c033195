"""The official UNIK's state dict by names and shapes (SPECS 2.1), and the deterministic fill of the golden files."""

import numpy as np
import torch
from torch import Tensor


def official_shapes(
    num_labels: int, joints: int, people: int, tau: int, heads: int, dims: int, unused_bias: bool = True
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, size: int) -> None:
        shapes.update({f"{name}.{leaf}": (size,) for leaf in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    def conv(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    norm("data_bn", people * joints * dims)
    widths = [64] * 4 + [128] * 3 + [256] * 3
    for number, (size_in, size) in enumerate(zip([dims, *widths], widths, strict=False), start=1):
        spatial = f"l{number}.s_unit"
        count = 3 if number == 1 else heads
        shapes[f"{spatial}.DepM"] = (count, joints * tau, joints * tau)
        if unused_bias:
            shapes[f"{spatial}.bias"] = (joints * tau,)
        for head in range(count):
            conv(f"{spatial}.conv_a.{head}", size // 4, size_in, 1, 1)
            conv(f"{spatial}.conv_b.{head}", size // 4, size_in, 1, 1)
            conv(f"{spatial}.conv_d.{head}", size, size_in, 1, 1)
        norm(f"{spatial}.bn", size)
        if size_in != size:
            conv(f"{spatial}.down.0", size, size_in, 1, 1)
            norm(f"{spatial}.down.1", size)
        if tau > 1:
            conv(f"{spatial}.out_conv", size, size, 1, tau, 1)
            norm(f"{spatial}.out_bn", size)
        conv(f"l{number}.t_unit.conv", size, size, 9, 1)
        norm(f"l{number}.t_unit.bn", size)
        if number in (5, 8):
            conv(f"l{number}.residual.conv", size, size_in, 1, 1)
            norm(f"l{number}.residual.bn", size)
    conv("fc", num_labels, 256)
    return shapes


def probe(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """SPECS section 0: entry i of the sorted names is filled with sines of i and the flat position."""
    filled = {}
    for index, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        if name.endswith("num_batches_tracked"):
            filled[name] = torch.zeros(shape, dtype=torch.long)
            continue
        count = int(np.prod(shape))
        value = np.sin(0.37 * np.arange(count) + 0.91 * index)
        if name.endswith("running_var"):
            value = 1 + 0.5 * value
        elif name.endswith("running_mean"):
            value = 0.1 * value
        elif len(shape) == 1 and name.endswith("weight"):
            value = 1 + 0.1 * value
        elif len(shape) > 1:
            value = value / np.sqrt(count / shape[0])
        else:
            value = 0.1 * value
        filled[name] = torch.from_numpy(value.astype(np.float32)).reshape(shape)
    return filled


def probe_input(*shape: int) -> Tensor:
    """Official input order `(batch, dims, frames, joints, people)`."""
    position = np.arange(int(np.prod(shape)))
    value = np.cos(0.13 * position) + 0.3 * np.sin(0.017 * position)
    return torch.from_numpy(value.astype(np.float32)).reshape(shape)


def to_keypoints(official_input: Tensor) -> Tensor:
    """`(batch, dims, frames, joints, people)` -> `(batch, people, frames, joints, dims)`."""
    return official_input.permute(0, 4, 2, 3, 1)
