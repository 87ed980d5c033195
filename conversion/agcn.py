"""python conversion/agcn.py SOURCE OUTPUT_DIR: official 2s-AGCN weights become a folder that `from_pretrained` loads.

It knows the official names and formulas (https://github.com/lshiwjx/2s-AGCN, one convolution per subset) and ours. The
graph is not in official files: it is built from the layout. Joint and bone weights are two files (`--stream`).
"""

import sys
from typing import Any

import torch
from graph_models import OfficialModel, batch_norm, convolution, run
from torch import Tensor

from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification, AgcnModel
from motionhub.skeletons.graph import adjacency_subsets
from motionhub.skeletons.layouts import get_layout


OFFICIAL_STRIDES = {5: 2, 8: 2}  # block number -> temporal stride; shapes do not tell it


def read_sizes(official: dict[str, Tensor]) -> dict[str, Any]:
    """The sizes of `AgcnConfig` that the shapes tell."""
    num_joints = official["l1.gcn1.PA"].shape[-1]
    in_channels = official["l1.gcn1.conv_a.0.weight"].shape[1]
    blocks = range(1, 1 + AGCN.num_blocks(official))
    absent = [f"l{number}.gcn1.bn.weight" for number in blocks if f"l{number}.gcn1.bn.weight" not in official]
    if absent:
        raise ValueError(f"The file does not fit 2s-AGCN: {absent} are not in it.")
    channels = [official[f"l{number}.gcn1.bn.weight"].shape[0] for number in blocks]
    return {
        "num_joints": num_joints,
        "in_channels": in_channels,
        "num_people": official["data_bn.weight"].shape[0] // (num_joints * in_channels),
        "channels": channels,
        "strides": [OFFICIAL_STRIDES.get(number, 1) for number in blocks],
        "key_ratio": channels[0] // official["l1.gcn1.conv_a.0.weight"].shape[0],
        "temporal_kernel": official["l1.tcn1.conv.weight"].shape[2],
    }


def reference_features(weights: dict[str, Tensor], keypoints: Tensor, config: Any) -> Tensor:
    """The official formulas, subset by subset; `keypoints (B, M, T, V, C)` in double precision."""
    graph = torch.from_numpy(adjacency_subsets(get_layout(config.layout))).double()
    batch, people, frames, joints, dims = keypoints.shape
    x = batch_norm(weights, keypoints.permute(0, 1, 3, 4, 2).reshape(batch, -1, frames), "data_bn")
    x = x.view(batch * people, joints, dims, frames).permute(0, 2, 3, 1)
    for number, stride in enumerate(config.strides, start=1):
        total, unit = torch.zeros(()), f"l{number}.gcn1"
        for subset, matrix in enumerate(graph + weights[f"{unit}.PA"]):
            query = convolution(weights, x, f"{unit}.conv_a.{subset}").permute(0, 3, 1, 2).flatten(2)
            key = convolution(weights, x, f"{unit}.conv_b.{subset}").flatten(1, 2)
            mixing = matrix + (query @ key / query.shape[-1]).softmax(dim=-2)
            mixed = (x.flatten(1, 2) @ mixing).view(x.shape)
            total = total + convolution(weights, mixed, f"{unit}.conv_d.{subset}")
        down = x
        if f"{unit}.down.0.weight" in weights:
            down = batch_norm(weights, convolution(weights, x, f"{unit}.down.0"), f"{unit}.down.1")
        y = (batch_norm(weights, total, f"{unit}.bn") + down).relu()
        y = batch_norm(weights, convolution(weights, y, f"l{number}.tcn1.conv", stride), f"l{number}.tcn1.bn")
        if f"l{number}.residual.conv.weight" in weights:
            residual = convolution(weights, x, f"l{number}.residual.conv", stride)
            y = y + batch_norm(weights, residual, f"l{number}.residual.bn")
        elif number > 1:
            y = y + x
        x = y.relu()
    return x.mean(dim=(2, 3)).view(batch, people, -1).mean(dim=1)


AGCN = OfficialModel(
    title="2s-AGCN",
    paper="shi2019agcn",
    homepage="https://github.com/lshiwjx/2s-AGCN",
    script="agcn.py",
    config=AgcnConfig,
    encoder=AgcnModel,
    classifier=AgcnForActionClassification,
    block=r"l(\d+)\.",
    first_block=1,
    modules={
        "data_bn": "encoder.input_norm",
        "fc": "classifier",
        "l{}.gcn1.bn": "encoder.blocks.{}.spatial.norm",
        "l{}.gcn1.down.0": "encoder.blocks.{}.spatial.shortcut",
        "l{}.gcn1.down.1": "encoder.blocks.{}.spatial.shortcut_norm",
        "l{}.tcn1.conv": "encoder.blocks.{}.temporal.conv",
        "l{}.tcn1.bn": "encoder.blocks.{}.temporal.norm",
        "l{}.residual.conv": "encoder.blocks.{}.residual.conv",
        "l{}.residual.bn": "encoder.blocks.{}.residual.norm",
    },
    stacked={
        "l{}.gcn1.conv_a": "encoder.blocks.{}.spatial.query",
        "l{}.gcn1.conv_b": "encoder.blocks.{}.spatial.key",
        "l{}.gcn1.conv_d": "encoder.blocks.{}.spatial.value",
    },
    parameters={"l{}.gcn1.PA": "encoder.blocks.{}.spatial.dependency"},
    needed=("data_bn.weight", "l1.gcn1.PA", "l1.gcn1.conv_a.0.weight", "l1.tcn1.conv.weight"),
    read_sizes=read_sizes,
    reference=reference_features,
)


def main(arguments: list[str] | None = None) -> int:
    return run(AGCN, arguments)


if __name__ == "__main__":
    sys.exit(main())
