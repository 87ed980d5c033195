"""python conversion/pyslowfast.py SOURCE OUTPUT_DIR: a Slow-R50 of PySlowFast becomes a folder for `from_pretrained`.

Files of https://github.com/facebookresearch/SlowFast hold the weights under `model_state`. A classifier's
(`head.projection.*`) become R3dForActionClassification; those of the contrastive recipes (`backbone.*`, with the slow
copy `backbone_hist.*`, the queue and a projection) R3dForPreTraining; a bare trunk R3dModel. The trunk is loaded again
and compared with the official formulas on a fixed input.
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

import motionhub  # noqa: F401 (registers R3dModel)
from motionhub.models.r3d import R3dConfig, R3dForActionClassification, R3dForPreTraining, R3dModel
from motionhub.processing.video_clip import VideoClipProcessor


TOLERANCE = 1e-4
PARTS = {"a": "temporal", "b": "spatial", "c": "expansion"}
# What contrastive files hold besides the query network.
STATE = re.compile(r"(backbone_hist\.|queue_x|ptr|iter|knn_)")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The query network's tensors, without `backbone.`.

    Raises:
        ValueError: not a checkpoint, or not of a Slow pathway; a SlowFast checkpoint is named as such.
    """
    official = read_tensors(path, nested=("model_state",))
    official = {key.removeprefix("backbone."): value for key, value in official.items() if not STATE.match(key)}
    if any(".pathway1_" in key for key in official):
        raise ValueError(f"{path} is a SlowFast network of two pathways; this library has the slow one alone (R3D).")
    if "s1.pathway0_stem.conv.weight" not in official:
        raise ValueError(
            f"{path} is not a ResNet of PySlowFast: it has no s1.pathway0_stem.conv.weight, but "
            f"{', '.join(sorted(official)[:8])}..."
        )
    return official


def blocks_of(official: dict[str, Tensor]) -> list[str]:
    """`s2.pathway0_res0`, ... in order."""
    found = {match[0] for key in official if (match := re.match(r"s\d+\.pathway0_res\d+", key))}
    return sorted(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def build_config(official: dict[str, Tensor], class_names: list[str] | None = None) -> R3dConfig:
    """The config of the weights, from their shapes.

    Raises:
        ValueError: other class names than classes.
    """
    stages: dict[str, list[str]] = {}
    for block in blocks_of(official):
        stages.setdefault(block.split(".")[0], []).append(block)
    firsts = [blocks[0] for blocks in stages.values()]
    options: dict[str, Any] = {}
    if "head.projection.weight" in official:
        count = official["head.projection.weight"].shape[0]
        if class_names is not None and len(class_names) != count:
            raise ValueError(f"The file has {count} classes, but {len(class_names)} names were given.")
        options["id2label"] = dict(enumerate(class_names or [f"LABEL_{index}" for index in range(count)]))
    elif projection := projection_layers(official):
        options["projection_sizes"] = [official[f"{name}.weight"].shape[0] for name in projection]
    return R3dConfig(
        num_channels=official["s1.pathway0_stem.conv.weight"].shape[1],
        stem_channels=official["s1.pathway0_stem.conv.weight"].shape[0],
        depths=[len(blocks) for blocks in stages.values()],
        widths=[official[f"{first}.branch2.c.weight"].shape[0] for first in firsts],
        temporal_kernels=[official[f"{first}.branch2.a.weight"].shape[2] for first in firsts],
        **options,
    )


def projection_layers(official: dict[str, Tensor]) -> list[str]:
    """Names of the linear layers of a contrastive head, in order."""
    found = [
        key.removesuffix(".weight")
        for key in official
        if re.fullmatch(r"head\.projection\.projection\.\d+\.weight", key)
    ]
    return sorted(found, key=lambda name: int(name.rsplit(".", 1)[1]))


def convert_state_dict(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official entries as the state dict of a model with a head; of the bare trunk without `encoder.`.

    Raises:
        ValueError: an entry has no place (it lists them).
    """
    places = {block: f"encoder.blocks.{index}" for index, block in enumerate(blocks_of(official))}
    layers = {name: f"projection.{index}" for index, name in enumerate(projection_layers(official))}
    layers |= {"head.projection": "classifier"}
    converted, unknown = {}, []
    for key, tensor in official.items():
        whole, leaf = key.rsplit(".", 1)
        block = next((name for name in places if key.startswith(f"{name}.")), None)
        if whole in layers:
            name = layers[whole]
        elif whole.startswith("s1.pathway0_stem."):
            name = f"encoder.stem.{ {'conv': 'conv', 'bn': 'norm'}.get(whole.rsplit('.', 1)[1], '?') }"
        elif block is not None:
            name = f"{places[block]}.{part_name(whole.removeprefix(f'{block}.'))}"
        else:
            name = "?"
        if "?" in name:
            unknown.append(key)
        kept = tensor.detach().clone()
        converted[f"{name}.{leaf}"] = kept.float() if kept.is_floating_point() else kept
    if unknown:
        raise ValueError(f"Expected the entries of a Slow-R50, got {len(unknown)} others: {unknown[:10]}.")
    return converted


def part_name(official: str) -> str:
    """`branch2.a_bn` -> `temporal.norm`."""
    norm = official.endswith("_bn")
    branch = official.removesuffix("_bn")
    own = "shortcut" if branch == "branch1" else PARTS.get(branch.removeprefix("branch2."), "?")
    return f"{own}.{'norm' if norm else 'conv'}"


def build_model(official: dict[str, Tensor], config: R3dConfig) -> Any:
    """The model of the file's head with the official weights in it.

    Raises:
        ValueError: entries without a place, missing ones, or of other shapes; it lists them.
    """
    converted = convert_state_dict(official)
    if "head.projection.weight" in official:
        model: Any = R3dForActionClassification(config)
    elif projection_layers(official):
        model = R3dForPreTraining(config)
    else:
        model, converted = R3dModel(config), {key.removeprefix("encoder."): converted[key] for key in converted}
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(converted))
    wrong += [key for key in sorted(set(own) & set(converted)) if own[key].shape != converted[key].shape]
    if wrong:
        raise ValueError(
            f"The file does not fit R3D: {len(wrong)} entries are missing, too many or of another shape: {wrong[:10]}."
        )
    model.load_state_dict(converted)
    return model.eval()


def build_processor() -> VideoClipProcessor:
    """Eight frames, every eighth, at 30 fps; tested on 10 x 3 views of 256 pixels (the official test)."""
    grey, spread = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
    return VideoClipProcessor(
        num_frames=8,
        sampling="stride",
        frame_stride=8,
        fps=30.0,
        temporal_views=10,
        image_size=256,
        resize="shorter-side",
        spatial_crops=3,
        image_mean=grey,
        image_std=spread,
    )


@torch.no_grad()
def verify(official: dict[str, Tensor], folder: Path) -> float:
    """Load the folder again and compare pooled features with the official formulas in float64 (relative difference).

    Raises:
        ValueError: it is above 1e-4.
    """
    model = R3dModel.from_pretrained(folder).eval()
    place = torch.arange(4 * model.config.num_channels * 48 * 48, dtype=torch.float64)
    pixels = (place.mul(0.13).cos() + 0.3 * place.mul(0.017).sin()).view(1, 4, model.config.num_channels, 48, 48)
    expected = reference_features(official, pixels.transpose(1, 2))
    got = model(pixels.float()).pooler_output.double()
    difference = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if not difference <= TOLERANCE:
        raise ValueError(f"The converted model differs from the official formulas by {difference:.1e}; not usable.")
    return difference


def reference_features(official: dict[str, Tensor], clip: Tensor) -> Tensor:
    """Pooled features of clips `(batch, channels, frames, height, width)`; shares no code with the model."""
    weights = {key: value.double() for key, value in official.items()}

    def conv_norm(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = weights[f"{conv}.weight"]
        padding = [size // 2 for size in weight.shape[2:]]
        x = F.conv3d(x, weight, stride=(1, stride, stride), padding=padding)
        leaves = (weights[f"{norm}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *leaves, eps=1e-5)

    x = conv_norm(clip, "s1.pathway0_stem.conv", "s1.pathway0_stem.bn", 2).relu()
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for block in blocks_of(official):
        stride = 2 if block.endswith("res0") and not block.startswith("s2.") else 1
        inside = conv_norm(x, f"{block}.branch2.a", f"{block}.branch2.a_bn").relu()
        inside = conv_norm(inside, f"{block}.branch2.b", f"{block}.branch2.b_bn", stride).relu()
        inside = conv_norm(inside, f"{block}.branch2.c", f"{block}.branch2.c_bn")
        if f"{block}.branch1.weight" in weights:
            x = conv_norm(x, f"{block}.branch1", f"{block}.branch1_bn", stride)
        x = (x + inside).relu()
    return x.mean((2, 3, 4))


def convert(options: argparse.Namespace) -> list[str]:
    """Writes the folder after verification; returns the text to print. Raises ValueError or OSError."""
    official = read_checkpoint(options.source)
    names = None
    if options.class_names is not None:
        names = [line.strip() for line in options.class_names.read_text(encoding="utf-8").splitlines() if line.strip()]
    model = build_model(official, build_config(official, names))
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        build_processor().save_pretrained(folder)
        difference = verify(official, Path(folder))
        shutil.copytree(folder, options.output_dir, dirs_exist_ok=True)
    kind = type(model).__name__
    return [
        f"{options.source.name}: {kind}, {len(official)} entries, {model.num_parameters():,} parameters",
        f"verified against the official formulas: relative difference {difference:.1e}",
        f"saved to {options.output_dir}",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Convert a Slow-R50 made with PySlowFast.")
    parser.add_argument("source", type=Path, help="official file (.pyth)")
    parser.add_argument("output_dir", type=Path, help="folder for model and processor")
    parser.add_argument("--class-names", type=Path, help="text file with one name per line")
    try:
        print("\n".join(convert(parser.parse_args(arguments))))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
