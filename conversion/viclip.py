"""python conversion/viclip.py SOURCE OUTPUT_DIR: an official ViCLIP file becomes a folder for `from_pretrained`.

The official file (https://github.com/OpenGVLab/InternVideo, Data/InternVid, `ViCLIP-L_InternVid-FLT-10M.pth`, ...)
holds the weights under `model`: `vision_encoder.*`, `text_encoder.*` and `temp`. Sizes come from the shapes. With
`--vocabulary` (`bpe_simple_vocab_16e6.txt.gz`; found automatically if open_clip is installed) the tokenizer is saved
with the model. The result is loaded again and compared with the official formulas on a fixed input.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from nested_tensors import read_tensors
from torch import Tensor
from transformers import AutoModel

import motionhub  # noqa: F401 (registers ViClipModel)
from motionhub.models.vi_clip import ViClipConfig, ViClipModel
from motionhub.processing.clip_tokenizer import clip_tokenizer
from motionhub.processing.video_clip import VideoClipProcessor


TOLERANCE = 1e-4
# Official name -> ours, within a tower and within one of its layers.
VISION = {
    "conv1.weight": "patch_embedding.weight",
    "class_embedding": "class_embedding",
    "positional_embedding": "position_embedding",
    "temporal_positional_embedding": "temporal_embedding",
    "ln_pre": "input_norm",
    "ln_post": "output_norm",
    "proj": "projection",
}
TEXT = {
    "token_embedding": "token_embedding",
    "positional_embedding": "position_embedding",
    "ln_final": "output_norm",
    "text_projection": "projection",
}
LAYER = {
    "attn.in_proj_weight": "attention.query_key_value.weight",
    "attn.in_proj_bias": "attention.query_key_value.bias",
    "attn.out_proj": "attention.output",
    "ln_1": "attention_norm",
    "ln_2": "mlp_norm",
    "mlp.c_fc": "mlp_in",
    "mlp.c_proj": "mlp_out",
}
TOWERS = {"vision_encoder": ("vision_tower", VISION), "text_encoder": ("text_tower", TEXT)}
HEAD_CHANNELS = 64  # of both sizes, in both towers; shapes do not tell


def our_name(key: str) -> str | None:
    """The name of an official entry in `ViClipModel`, None where it has none."""
    if key == "temp":
        return "temperature"
    tower, _, rest = key.partition(".")
    if tower not in TOWERS:
        return None
    place, names = TOWERS[tower]
    layer = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", rest)
    if layer:
        place, names, rest = f"{place}.layers.{layer[1]}", LAYER, layer[2]
    whole, leaf = (rest, "") if rest in names else rest.rsplit(".", 1) if "." in rest else (rest, "")
    if whole not in names:
        return None
    return ".".join(part for part in (place, names[whole], leaf) if part)


def convert_state_dict(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official entries as the state dict of `ViClipModel`.

    Raises:
        ValueError: an entry has no place (it lists them).
    """
    if unknown := sorted(key for key in official if our_name(key) is None):
        raise ValueError(
            f"Expected the entries of ViCLIP (vision_encoder.*, text_encoder.*, temp), got {len(unknown)} others: "
            f"{unknown[:10]}."
        )
    converted = {our_name(key) or "": tensor.detach().clone().float() for key, tensor in official.items()}
    patches = converted["vision_tower.patch_embedding.weight"]
    if patches.dim() == 5:  # of kernels (1, patch, patch)
        converted["vision_tower.patch_embedding.weight"] = patches.squeeze(2)
    times = "vision_tower.temporal_embedding"
    converted[times] = converted[times].flatten(0, -2)
    return converted


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of an official file, out of `model` (or `module`) where they are nested.

    Raises:
        ValueError: not a checkpoint, or not ViCLIP's.
    """
    official = read_tensors(path, nested=("model", "module"))
    needed = ("vision_encoder.conv1.weight", "vision_encoder.proj", "text_encoder.text_projection", "temp")
    if absent := [key for key in needed if key not in official]:
        raise ValueError(
            f"{path} is not ViCLIP's: it has no {', '.join(absent)}; it holds {', '.join(sorted(official)[:8])}..."
        )
    return official


def build_config(official: dict[str, Tensor]) -> ViClipConfig:
    """The config of the weights, from their shapes."""
    width, channels = official["vision_encoder.conv1.weight"].shape[:2]
    patch = official["vision_encoder.conv1.weight"].shape[-1]
    places = official["vision_encoder.positional_embedding"].shape[0] - 1
    vocabulary, text_width = official["text_encoder.token_embedding.weight"].shape
    vision: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": _depth(official, "vision_encoder"),
        "num_attention_heads": max(width // HEAD_CHANNELS, 1),
        "num_channels": channels,
        "image_size": round(places**0.5) * patch,
        "patch_size": patch,
        "num_frames": official["vision_encoder.temporal_positional_embedding"].shape[-2],
        "projection_dim": official["vision_encoder.proj"].shape[1],
    }
    text: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": text_width,
        "num_hidden_layers": _depth(official, "text_encoder"),
        "num_attention_heads": max(text_width // HEAD_CHANNELS, 1),
        "max_position_embeddings": official["text_encoder.positional_embedding"].shape[0],
        "projection_dim": official["text_encoder.text_projection"].shape[1],
    }
    return ViClipConfig(vision_config=vision, text_config=text)


def _depth(official: dict[str, Tensor], tower: str) -> int:
    return len([key for key in official if key.startswith(f"{tower}.") and key.endswith(".ln_1.weight")])


def build_model(official: dict[str, Tensor], config: ViClipConfig) -> ViClipModel:
    """The model with the official weights in it.

    Raises:
        ValueError: entries without a place, missing ones, or of other shapes; it lists them.
    """
    model, converted = ViClipModel(config), convert_state_dict(official)
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(converted))
    wrong += [key for key in sorted(set(own) & set(converted)) if own[key].shape != converted[key].shape]
    if wrong:
        raise ValueError(
            f"The file does not fit ViCLIP: {len(wrong)} entries are missing, too many or of another shape: "
            f"{wrong[:10]}."
        )
    model.load_state_dict(converted)
    return model.eval()


@torch.no_grad()
def verify(official: dict[str, Tensor], folder: Path) -> float:
    """Load the folder again and compare both towers with the official formulas in float64; the largest difference.

    Relative to the largest number of an embedding.

    Raises:
        ValueError: it is above 1e-4.
    """
    model = AutoModel.from_pretrained(folder).eval()
    vision, text = model.config.vision, model.config.text
    count = 2 * vision.num_channels * vision.image_size**2
    place = torch.arange(count, dtype=torch.float64)
    pixels = (place.mul(0.13).cos() + 0.3 * place.mul(0.017).sin()).view(
        1, 2, vision.num_channels, vision.image_size, -1
    )
    tokens = torch.arange(text.vocab_size - 6, text.vocab_size)[None]
    pairs = [
        (model.get_video_features(pixels.float()), reference_video(official, pixels, vision.num_attention_heads)),
        (model.get_text_features(tokens), reference_text(official, tokens, text.num_attention_heads)),
    ]
    difference = max(float((got - true).abs().max() / true.abs().max().clamp(min=1e-12)) for got, true in pairs)
    if not difference <= TOLERANCE:
        raise ValueError(f"The converted model differs from the official formulas by {difference:.1e}; not usable.")
    return difference


def reference_video(official: dict[str, Tensor], pixels: Tensor, heads: int) -> Tensor:
    """The official formulas for clips `(batch, 2 frames, channels, height, width)`; shares no code with the model."""
    weights = {key.removeprefix("vision_encoder."): value.double() for key, value in official.items()
               if key.startswith("vision_encoder.")}  # fmt: skip
    size = weights["conv1.weight"].shape[-1]
    patches = F.conv3d(pixels.transpose(1, 2), weights["conv1.weight"], stride=(1, size, size))
    patches = patches.flatten(3).permute(0, 3, 2, 1)  # (batch, places, frames, width)
    times = F.interpolate(weights["temporal_positional_embedding"].mT, size=pixels.shape[1], mode="linear")
    patches = patches + weights["positional_embedding"][1:, None] + times.mT
    first = (weights["class_embedding"] + weights["positional_embedding"][0]).expand(len(patches), 1, -1)
    tokens = _norm(torch.cat([first, patches.flatten(1, 2)], 1), weights, "ln_pre")
    tokens = _transformer(tokens, weights, heads, None)
    return _norm(tokens, weights, "ln_post")[:, 0] @ weights["proj"]


def reference_text(official: dict[str, Tensor], tokens: Tensor, heads: int) -> Tensor:
    """The official formulas for texts whose last token is the end."""
    weights = {key.removeprefix("text_encoder."): value.double() for key, value in official.items()
               if key.startswith("text_encoder.")}  # fmt: skip
    length = tokens.shape[1]
    states = weights["token_embedding.weight"][tokens] + weights["positional_embedding"][:length]
    future = torch.full((length, length), float("-inf"), dtype=torch.float64).triu(1)
    states = _norm(_transformer(states, weights, heads, future), weights, "ln_final")
    return states[:, -1] @ weights["text_projection"]


def _norm(values: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def _transformer(states: Tensor, weights: dict[str, Tensor], heads: int, mask: Tensor | None) -> Tensor:
    depth = len([key for key in weights if key.endswith(".ln_1.weight")])
    for block in (f"transformer.resblocks.{index}." for index in range(depth)):
        own = {key.removeprefix(block): value for key, value in weights.items() if key.startswith(block)}
        normed = _norm(states, own, "ln_1")
        attended, _ = F.multi_head_attention_forward(
            *(normed.transpose(0, 1),) * 3, normed.shape[-1], heads, own["attn.in_proj_weight"],
            own["attn.in_proj_bias"], None, None, False, 0.0, own["attn.out_proj.weight"],
            own["attn.out_proj.bias"], attn_mask=mask, need_weights=False,
        )  # fmt: skip
        states = states + attended.transpose(0, 1)
        hidden = F.linear(_norm(states, own, "ln_2"), own["mlp.c_fc.weight"], own["mlp.c_fc.bias"])
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        states = states + F.linear(hidden, own["mlp.c_proj.weight"], own["mlp.c_proj.bias"])
    return states


def tokenizer_beside(model: ViClipModel, vocabulary: Path | None) -> Any | None:
    """The tokenizer of the model, None where no vocabulary was named and open_clip is not installed."""
    try:
        return clip_tokenizer(vocabulary, model.config.text.max_position_embeddings)
    except ValueError:
        if vocabulary is not None:
            raise
        return None


def convert(options: argparse.Namespace) -> list[str]:
    """Writes the folder after verification; returns the text to print. Raises ValueError or OSError."""
    official = read_checkpoint(options.source)
    config = build_config(official)
    model = build_model(official, config)
    processor = VideoClipProcessor(num_frames=config.vision.num_frames, image_size=config.vision.image_size)
    tokenizer = tokenizer_beside(model, options.vocabulary)
    with TemporaryDirectory() as folder:
        for part in (model, processor, *([tokenizer] if tokenizer else [])):
            part.save_pretrained(folder)
        difference = verify(official, Path(folder))
        shutil.copytree(folder, options.output_dir, dirs_exist_ok=True)
    said = "with its tokenizer" if tokenizer else "without a tokenizer: name CLIP's file with --vocabulary"
    return [
        f"{options.source.name}: {len(official)} entries, {model.num_parameters():,} parameters",
        f"verified against the official formulas: relative difference {difference:.1e}",
        f"saved to {options.output_dir}, {said}",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Convert weights made with ViCLIP's official code.")
    parser.add_argument("source", type=Path, help="official file (.pth)")
    parser.add_argument("output_dir", type=Path, help="folder for model, processor and tokenizer")
    parser.add_argument("--vocabulary", type=Path, help="CLIP's bpe_simple_vocab_16e6.txt.gz")
    try:
        print("\n".join(convert(parser.parse_args(arguments))))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
