"""An exported folder as the model of a pipeline: same calls, same outputs, computed by ONNX Runtime."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import ModelOutput

from motionhub.nn.people import frames_of_clip
from motionhub.runtime.graph import FACTS, INPUTS, ExportedGraph, check_tasks


class ExportedMotionModel(nn.Module):
    """What the pipelines call of a model; it has no weights of its own and cannot be trained.

    Args:
        folder: of `motionhub export --to onnx`.

    Raises:
        ValueError: a file of the folder is missing, broken, or of a newer version.
    """

    main_input_name = INPUTS[0]
    input_modalities = ("time",)
    generation_config = None
    hf_device_map = None

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self.graph = ExportedGraph(folder)
        check_tasks(self.graph)
        self.config = AutoConfig.from_pretrained(folder)
        self.name_or_path = os.fspath(folder)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Always the CPU."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Always float32."""
        return torch.float32

    @property
    def base_model(self) -> "ExportedMotionModel":
        """Itself."""
        return self

    def can_generate(self) -> bool:
        """No."""
        return False

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing to move: a graph of ONNX Runtime stays on the CPU, where a pipeline sends it inputs."""
        return self

    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_dict: bool = True,
    ) -> ModelOutput:
        """The graph's outputs by name; inputs as the model's."""
        given = (keypoints, joint_mask, attention_mask)
        arrays = {name: value.cpu().numpy() for name, value in zip(INPUTS, given, strict=True) if value is not None}
        return ModelOutput({name: torch.from_numpy(value) for name, value in self.graph(**arrays).items()})

    def get_skeleton_features(self, **inputs: Tensor) -> BaseModelOutputWithPooling:
        """`pooler_output (B, projection_size)` of a zero-shot model."""
        return BaseModelOutputWithPooling(pooler_output=self(**inputs).motion_embeds)

    def get_text_features(self, text_features: Tensor) -> BaseModelOutputWithPooling:
        """The vectors as they are; `similarities` projects them."""
        return BaseModelOutputWithPooling(pooler_output=text_features)

    def similarities(self, motion_embeds: Tensor, text_features: Tensor) -> Tensor:
        """`(n, m)`; texts as `get_text_features` gives them."""
        return torch.from_numpy(self.graph.similarities(motion_embeds.cpu().numpy(), text_features.cpu().numpy()))

    def predict_windows(self, keypoints: Tensor, attention_mask: Tensor | None = None, **windows: Any) -> Tensor:
        """As `SkeletonForActionSegmentation.predict_windows`, one window at a time."""
        mask = frames_of_clip(attention_mask)
        rows = torch.ones(keypoints.shape[:3], dtype=torch.bool) if mask is None else mask
        window, hop = windows["window"], windows.get("hop") or windows["window"]
        made = [
            self.graph.frame_logits(clip.cpu().numpy(), valid.cpu().numpy(), window=window, hop=hop)
            for clip, valid in zip(keypoints, rows, strict=True)
        ]
        return torch.stack([torch.from_numpy(logits) for logits in made])

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Raises ValueError: the folder is what is saved."""
        raise ValueError(f"An exported model is its folder; copy {self.name_or_path}.")


def exported_model(source: Any) -> ExportedMotionModel | None:
    """The model of an exported folder; None for checkpoints and Hub ids."""
    folder = Path(str(source))
    if not (folder / FACTS).is_file() or (folder / "model.safetensors").is_file():
        return None
    return ExportedMotionModel(folder)
