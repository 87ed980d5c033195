"""From official UNIK weights to motionhub's: the key map.

It knows the official names (https://github.com/YangDi666/UNIK) and ours, and nothing of training.
"""

import re

import torch
from torch import Tensor


# official module path -> ours, {} is the block's index from 0; official blocks are l1, l2, ...
MODULES = {
    "data_bn": "encoder.input_norm",
    "fc": "classifier",
    "l{}.s_unit.bn": "encoder.blocks.{}.spatial.norm",
    "l{}.s_unit.down.0": "encoder.blocks.{}.spatial.shortcut",
    "l{}.s_unit.down.1": "encoder.blocks.{}.spatial.shortcut_norm",
    "l{}.s_unit.out_conv": "encoder.blocks.{}.spatial.window_merge",
    "l{}.s_unit.out_bn": "encoder.blocks.{}.spatial.window_norm",
    "l{}.t_unit.conv": "encoder.blocks.{}.temporal.conv",
    "l{}.t_unit.bn": "encoder.blocks.{}.temporal.norm",
    "l{}.residual.conv": "encoder.blocks.{}.residual.conv",
    "l{}.residual.bn": "encoder.blocks.{}.residual.norm",
}
# one official convolution per head -> one layer of ours with the heads stacked
STACKED = {
    "l{}.s_unit.conv_a": "encoder.blocks.{}.spatial.query",
    "l{}.s_unit.conv_b": "encoder.blocks.{}.spatial.key",
    "l{}.s_unit.conv_d": "encoder.blocks.{}.spatial.value",
}
PARAMETERS = {"l{}.s_unit.DepM": "encoder.blocks.{}.spatial.dependency"}
UNUSED = ["l{}.s_unit.bias"]  # registered by the official code and never used


def convert_state_dict(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official UNIK entries (no prefix: `l1.s_unit.DepM`, ...) as the state dict of a model with a head.

    The tensors are copies in float32 (counters stay integers). Heads of a block are concatenated in their order.

    Raises:
        ValueError: an entry has no place in the map (it lists them).
    """
    converted: dict[str, Tensor] = {}
    heads: dict[str, dict[int, Tensor]] = {}
    unknown = []
    for key, tensor in official.items():
        number, name = split_block(key)
        module, _, leaf = name.rpartition(".")
        stem, _, head = module.rpartition(".")
        if name in UNUSED:
            continue
        if name in PARAMETERS:
            converted[PARAMETERS[name].format(number)] = as_float(tensor)
        elif module in MODULES:
            target = MODULES[module].format(number) + "." + leaf
            converted[target] = reshape_weight(target, as_float(tensor))
        elif stem in STACKED and head.isdigit():
            target = STACKED[stem].format(number) + "." + leaf
            heads.setdefault(target, {})[int(head)] = as_float(tensor).flatten(1 if leaf == "weight" else 0)
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(f"Expected the entries of an official UNIK, got {len(unknown)} others: {unknown[:20]}.")
    for target, parts in heads.items():
        converted[target] = torch.cat([parts[head] for head in sorted(parts)])
    return converted


def split_block(key: str) -> tuple[int, str]:
    """`l3.s_unit.DepM` -> `(2, "l{}.s_unit.DepM")`; names outside the blocks come back as they are."""
    match = re.match(r"l(\d+)\.(.+)", key)
    return (int(match[1]) - 1, "l{}." + match[2]) if match else (0, key)


def reshape_weight(target: str, tensor: Tensor) -> Tensor:
    """Temporal kernels are (out, in, 1, frames) here; 1x1 convolutions and the window's Conv3d are linear layers."""
    if tensor.dim() < 2:
        return tensor
    if target.endswith(".conv.weight"):
        return tensor.transpose(2, 3).contiguous()
    if "window_merge" in target:
        return tensor.squeeze(4).squeeze(2).transpose(1, 2).flatten(1) if tensor.dim() == 5 else tensor
    return tensor.flatten(1)


def as_float(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().float() if tensor.is_floating_point() else tensor.detach().clone()
