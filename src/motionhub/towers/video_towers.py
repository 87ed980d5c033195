"""Frozen video encoders ("video towers"): a folder or Hub id names one, `embed` computes unit vectors of clips.

`processing/video_clip.py` prepares the pixels; the text encoder is a text tower of the same name (`text_towers.py`).

    "viclip"             video features of a model with `get_video_features`
    "transformers-clip"  mean over the frames of the image features of CLIP, SigLIP, ...
    "open-clip"          the same for a model of open_clip, named "open-clip:NAME@WEIGHTS" (a tag or file; else random)
    "video-encoder"      `pooler_output` of a video encoder of this library (R3D, torchvision, timm): no text encoder
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.towers.text_towers import TowerName, missing, open_clip_model


KINDS = ("viclip", "transformers-clip", "open-clip", "video-encoder")


@dataclass
class VideoTower:
    """A video network in evaluation mode, without gradients, from `load_video_tower`.

    Attributes:
        kind: one of `KINDS`.
        name: a folder, a Hub id, or a model's name in open_clip.
        dim: of the vectors.
        pixels: preprocessing (`image_size`, `image_mean`, `image_std`), if the tower defines it; empty if the
            checkpoint has a `VideoClipProcessor`.
    """

    kind: str
    name: str
    dim: int
    module: nn.Module
    features: Callable[[Tensor], Tensor]
    pixels: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """What a checkpoint stores as `video_tower`."""
        return {"kind": self.kind, "name": self.name, "dim": self.dim}

    @property
    def text_tower(self) -> dict[str, Any]:
        """The text encoder, for `load_text_tower`. Raises ValueError if there is none."""
        if self.kind == "video-encoder":
            raise ValueError(f"{self.name} has no text encoder; use a ViCLIP, a CLIP or a SigLIP.")
        name, _, revision = self.name.partition("@") if self.kind == "open-clip" else (self.name, "", "")
        return {"kind": self.kind, "name": name, **({"revision": revision} if revision else {})}

    @torch.no_grad()
    def embed(self, pixel_values: Tensor) -> Tensor:
        """`(clips, frames, 3, height, width)` -> unit vectors `(clips, dim)` float32 on the CPU."""
        made = self.features(pixel_values.to(next(self.module.parameters()).device)).float()
        return nn.functional.normalize(made, dim=-1).cpu()


def load_video_tower(source: str | Mapping[str, Any], device: str | torch.device = "cpu") -> VideoTower:
    """The tower, in float32.

    Args:
        source: folder or Hub id of a checkpoint, "open-clip:NAME@WEIGHTS", or the dict of `VideoTower.config`.
        device: to move it to.

    Raises:
        MissingTowerError: its files are missing and could not be fetched.
        ValueError: the checkpoint has no video features, or its weights are incomplete.
    """
    name = str(source["name"]) if isinstance(source, Mapping) else str(source)
    kind = str(source.get("kind", "")) if isinstance(source, Mapping) else ""
    if kind == "open-clip" or name.startswith("open-clip:"):
        tower = _open_clip(name.removeprefix("open-clip:"))
    else:
        tower = _of_checkpoint(name)
    tower.module.eval().requires_grad_(False).to(device)
    stated = source.get("dim") if isinstance(source, Mapping) else None
    if stated not in (None, tower.dim):
        raise ValueError(f"The video tower {name!r} makes vectors of {tower.dim} numbers, but dim says {stated}.")
    return tower


def _of_checkpoint(name: str) -> VideoTower:
    from transformers import AutoModel

    try:
        module, info = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
    except (OSError, ValueError, ImportError) as error:
        if Path(name).is_dir():
            raise ValueError(f"{name} cannot be loaded as a video tower: {str(error).strip()[:200]}") from None
        raise missing(TowerName("transformers-clip", name), error, what="video") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        absent = sorted(info["missing_keys"]) or sorted(str(key) for key in info["mismatched_keys"])
        raise ValueError(f"{name}: the weights do not fill the model of its config.json: {absent[:3]}.")
    if hasattr(module, "get_video_features") and hasattr(module, "vision_tower"):
        module.text_tower = None  # half of the memory, unused here
        return VideoTower("viclip", name, module.config.projection_dim, module, module.get_video_features)
    if hasattr(module, "get_image_features"):
        module.text_model = None

        def features(images: Tensor) -> Tensor:
            made = module.get_image_features(pixel_values=images)
            return getattr(made, "pooler_output", made)

        return _of_images("transformers-clip", name, module, features, _image_facts(name))
    if "video" in getattr(module, "input_modalities", ()) and hasattr(module.config, "hidden_size"):
        return VideoTower(
            "video-encoder", name, int(module.config.hidden_size), module, lambda pixels: module(pixels).pooler_output
        )
    raise ValueError(f"{name} is a {type(module).__name__}, which has no video features; use one of {KINDS}.")


def _image_facts(name: str) -> dict[str, Any]:
    """Size and normalisation of a checkpoint's images, from its preprocessor_config.json."""
    from transformers.image_processing_base import ImageProcessingMixin

    config, _ = ImageProcessingMixin.get_image_processor_dict(name)
    size = config.get("crop_size") or config["size"]
    side = size if isinstance(size, int) else size.get("height") or size["shortest_edge"]
    stretched = not config.get("do_center_crop", False)
    return {
        "image_size": int(side),
        "resize": "stretch" if stretched else "shorter-side",
        "image_mean": list(config["image_mean"]),
        "image_std": list(config["image_std"]),
    }


def _open_clip(name: str) -> VideoTower:
    model, _, revision = name.partition("@")
    library, module = open_clip_model(TowerName("open-clip", model, revision or None), what="video")
    size = module.visual.image_size
    facts = {
        "image_size": int(size if isinstance(size, int) else size[0]),
        "resize": "shorter-side",
        "image_mean": list(module.visual.image_mean or library.OPENAI_DATASET_MEAN),
        "image_std": list(module.visual.image_std or library.OPENAI_DATASET_STD),
    }
    return _of_images("open-clip", name, module, module.encode_image, facts)


def _of_images(
    kind: str, name: str, module: nn.Module, features: Callable[[Tensor], Tensor], facts: dict[str, Any]
) -> VideoTower:
    """A tower of an image encoder: the mean of the frames' unit vectors."""

    def of_clips(pixel_values: Tensor) -> Tensor:
        made = nn.functional.normalize(features(pixel_values.flatten(0, 1)).float(), dim=-1)
        return made.unflatten(0, pixel_values.shape[:2]).mean(1)

    with torch.no_grad():
        dim = features(torch.zeros(1, 3, facts["image_size"], facts["image_size"])).shape[-1]
    return VideoTower(kind, name, int(dim), module, of_clips, facts)
