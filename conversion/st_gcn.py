"""python conversion/st_gcn.py SOURCE OUTPUT_DIR: official ST-GCN weights become a folder that `from_pretrained` loads.

It knows the official names and formulas (https://github.com/yysijie/st-gcn) and ours. The graph in the file must be
that of the layout ("spatial" strategy, one hop). CrosSCLR files hold several encoders; `encoder_q.` (joints) is taken.
How many people the weights saw is not in them (they share one norm): `--num-people`, 2 by default.
"""

import sys
from typing import Any

import torch
from graph_models import OfficialModel, batch_norm, convolution, run
from torch import Tensor

from motionhub.models.st_gcn import StGcnConfig, StGcnForActionClassification, StGcnModel
from motionhub.skeletons.graph import spatial_configuration
from motionhub.skeletons.layouts import get_layout


OFFICIAL_STRIDES = {4: 2, 7: 2}  # block number from 0 -> temporal stride; shapes do not tell it
BLOCK = "st_gcn_networks"


def query_encoder(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a momentum-contrast file the encoder that was trained; any other file as it is."""
    chosen = {key.removeprefix("encoder_q."): value for key, value in official.items() if key.startswith("encoder_q.")}
    return chosen or official


def read_sizes(official: dict[str, Tensor]) -> dict[str, Any]:
    """The sizes of `StGcnConfig` that the shapes tell."""
    blocks = range(ST_GCN.num_blocks(official))
    absent = [f"{BLOCK}.{index}.tcn.0.weight" for index in blocks if f"{BLOCK}.{index}.tcn.0.weight" not in official]
    if absent:
        raise ValueError(f"The file does not fit ST-GCN: {absent} are not in it.")
    return {
        "num_joints": official["A"].shape[-1],
        "in_channels": official[f"{BLOCK}.0.gcn.conv.weight"].shape[1],
        "channels": [official[f"{BLOCK}.{index}.tcn.0.weight"].shape[0] for index in blocks],
        "strides": [OFFICIAL_STRIDES.get(index, 1) for index in blocks],
        "temporal_kernel": official[f"{BLOCK}.0.tcn.2.weight"].shape[2],
        "edge_importance": any(key.startswith("edge_importance.") for key in official),
    }


def check_graph(official: dict[str, Tensor], config: StGcnConfig) -> None:
    """ValueError unless the file's graph is the one that the layout gives."""
    expected = torch.from_numpy(spatial_configuration(get_layout(config.layout), config.centre_joint))
    given = official["A"].float()
    if given.shape != expected.shape or not torch.allclose(given, expected, atol=1e-5):
        raise ValueError(
            f"The graph in the file, {tuple(given.shape)}, is not the spatial configuration of layout "
            f"{config.layout!r}, {tuple(expected.shape)}: name the layout with --layout; other partition strategies "
            "are not supported."
        )


def reference_features(weights: dict[str, Tensor], keypoints: Tensor, config: Any) -> Tensor:
    """The official formulas; `keypoints (B, M, T, V, C)` in double precision."""
    batch, people, frames, joints, dims = keypoints.shape
    x = batch_norm(weights, keypoints.permute(0, 1, 3, 4, 2).reshape(batch * people, -1, frames), "data_bn")
    x = x.view(batch * people, joints, dims, frames).permute(0, 2, 3, 1)
    for index, stride in enumerate(config.strides):
        name = f"{BLOCK}.{index}"
        graph = weights["A"] * weights.get(f"edge_importance.{index}", torch.ones(()))
        parts = convolution(weights, x, f"{name}.gcn.conv").unflatten(1, (len(graph), -1))
        # n: person, k: subset, c: channel, t: frame, v: joint that gives, w: joint that takes
        y = torch.einsum("nkctv,kvw->nctw", parts, graph)
        y = convolution(weights, batch_norm(weights, y, f"{name}.tcn.0").relu(), f"{name}.tcn.2", stride)
        y = batch_norm(weights, y, f"{name}.tcn.3")
        if f"{name}.residual.0.weight" in weights:
            y = y + batch_norm(weights, convolution(weights, x, f"{name}.residual.0", stride), f"{name}.residual.1")
        elif index:
            y = y + x
        x = y.relu()
    return x.mean(dim=(2, 3)).view(batch, people, -1).mean(dim=1)


ST_GCN = OfficialModel(
    title="ST-GCN",
    paper="yan2018stgcn",
    homepage="https://github.com/yysijie/st-gcn",
    script="st_gcn.py",
    config=StGcnConfig,
    encoder=StGcnModel,
    classifier=StGcnForActionClassification,
    block=rf"(?:{BLOCK}|edge_importance)\.(\d+)",
    first_block=0,
    modules={
        "data_bn": "encoder.input_norm",
        "fcn": "classifier",  # official: a 1x1 convolution
        "fc": "classifier",  # CrosSCLR: a linear layer
        f"{BLOCK}.{{}}.gcn.conv": "encoder.blocks.{}.spatial.value",
        f"{BLOCK}.{{}}.tcn.0": "encoder.blocks.{}.spatial.norm",
        f"{BLOCK}.{{}}.tcn.2": "encoder.blocks.{}.temporal.conv",
        f"{BLOCK}.{{}}.tcn.3": "encoder.blocks.{}.temporal.norm",
        f"{BLOCK}.{{}}.residual.0": "encoder.blocks.{}.residual.conv",
        f"{BLOCK}.{{}}.residual.1": "encoder.blocks.{}.residual.norm",
    },
    parameters={"A": "encoder.graph.subsets", "edge_importance.{}": "encoder.blocks.{}.spatial.importance"},
    needed=("A", "data_bn.weight", f"{BLOCK}.0.gcn.conv.weight", f"{BLOCK}.0.tcn.2.weight"),
    read_sizes=read_sizes,
    reference=reference_features,
    check=check_graph,
)


def main(arguments: list[str] | None = None) -> int:
    return run(ST_GCN, arguments, query_encoder)


if __name__ == "__main__":
    sys.exit(main())
