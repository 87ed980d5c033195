"""The pre-training of ViA and LAC on the toy's clips, with models without batch norm, so that one process is two.

`main` is one process of a run, alone or of two.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from toy_pretraining import memory
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from motionhub.data.formats.schema import features
from motionhub.models.lac import LacConfig, LacModel
from motionhub.objectives.lac import LacPairs
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.objectives.via import ViaCycle, ViaPairs
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.dataset import ClipDataset
from motionhub.training.trainer import train


FRAMES = 8


class CutOff(Exception):
    """In the middle of an update, without a word to anybody."""


class SwapConfig(PreTrainedConfig):
    model_type = "motionhub_toy_swap"
    hidden_size = 5
    num_joints = 15
    in_channels = 2
    frame_stride = 1


class SwapModel(PreTrainedModel):
    """Codes by one linear map: the mean is the character, the rest the motion. An encoder and a retargeting model."""

    config_class = SwapConfig

    def __init__(self, config: SwapConfig) -> None:
        super().__init__(config)
        self.encoder, self.decoder, self.dropout = nn.Linear(30, 5), nn.Linear(5, 30), nn.Dropout(0.0)
        self.post_init()

    def via(self, keypoints: torch.Tensor, attention_mask: torch.Tensor) -> ModelOutput:
        codes = self.encoder(self.dropout(keypoints.flatten(3))) * attention_mask.unsqueeze(-1)
        frames = attention_mask.sum(-1)
        character = codes.sum(2) / frames.clamp(min=1).unsqueeze(-1)
        motion = torch.tanh(codes - character.unsqueeze(2))
        return ModelOutput(motion=motion, character=character, num_frames=frames, pooler_output=character.mean(1))

    def decode(self, motion: torch.Tensor, character: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return self.decoder(motion + character.unsqueeze(2)).unflatten(3, (15, 2))

    def forward(self, keypoints: torch.Tensor, attention_mask: torch.Tensor) -> ModelOutput:
        codes = self.encoder(self.dropout(keypoints.flatten(3)))
        return ModelOutput(last_hidden_state=codes.unsqueeze(3), pooler_output=codes.mean((1, 2)))


def swap_model(dropout: float, decoder: bool = True) -> SwapModel:
    model = SwapModel(SwapConfig())
    if not decoder:
        del model.decoder
    for weight in model.parameters():  # transformers' default init is close to zero for so small a model
        nn.init.normal_(weight, std=0.2)
    model.dropout.p = dropout
    return model


def generator(dropout: float) -> LacModel:
    sizes = {"encoder_channels": [8, 8, 12], "decoder_channels": [8, 8], "dropout": dropout}
    return LacModel(LacConfig(num_motion_directions=7, num_static_directions=5, **sizes))


def clips(num_dims: int) -> Dataset:
    random, rows = np.random.default_rng(0), []
    for index in range(24):
        keypoints = random.normal(size=(1, FRAMES + index % 3, 15, num_dims)).astype(np.float32)
        sequence = SkeletonSequence(keypoints, layout="lac-15", fps=30.0, unit="normalised")
        rows.append(to_row(sequence, label=-1, clip_id=f"clip{index:03d}", source="toy", licence="none"))
    return Dataset.from_list(rows, features=features(["none"]))


def pretrain(stage: str, recipe: TrainingRecipe, dropout: float = 0.0, cut_off: int = 0) -> dict[str, np.ndarray]:
    """All that is left of a run: weights and the objective's state. It may break off in an update (1-based)."""
    torch.manual_seed(0)
    layout = get_layout("lac-15")
    model, objective = {
        "via-pairs": lambda: (swap_model(dropout), ViaPairs(layout)),
        "via-cycle": lambda: (swap_model(dropout), ViaCycle(num_clusters=3, cluster_epochs=1)),
        "lac-pairs": lambda: (generator(dropout), LacPairs(layout, triplet_weight=0.5)),
        "lac-contrast": lambda: (
            swap_model(dropout, decoder=False),
            LacContrast(generator(0.0), FRAMES, queue_size=11, projection_size=4, num_positives=2),
        ),
    }[stage]()
    if cut_off:
        _cut_off(objective, cut_off)
    processor = SkeletonProcessor("lac-15", num_people=1, num_frames=FRAMES, normalization="centre", scale="extent")
    solid = SkeletonProcessor("lac-15", num_dims=3, num_people=1, num_frames=FRAMES, normalization="centre")
    made = stage.endswith("pairs")
    data = ClipDataset(clips(3 if made else 2), solid if made else processor, training=True, seed=recipe.seed)
    train(model, processor, data, None, recipe, objective=objective)
    return memory(model, objective)


def _cut_off(objective: nn.Module, update: int) -> None:
    calls = iter(range(1, update))

    def count(*_: Any) -> None:
        if next(calls, None) is None:
            raise CutOff

    objective.register_forward_pre_hook(count)


def main(order: dict[str, Any]) -> None:
    for stage, recipe in order["recipes"].items():
        left = pretrain(stage, TrainingRecipe(**recipe))
        np.savez(Path(order["report"]) / f"{stage}-{os.environ.get('RANK', '0')}.npz", **left)
