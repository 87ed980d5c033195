"""python conversion/unik.py SOURCE OUTPUT_DIR: official UNIK weights become a folder that `from_pretrained` loads.

Official code: https://github.com/YangDi666/UNIK. Sizes come from the shapes of the tensors; layout, class names and
stream from options. The result is loaded again and compared with the official formulas on a fixed input.
"""

import argparse
import pickle
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from official_weights import fill, layout_and_labels, relative_difference
from torch import Tensor
from transformers import AutoConfig, AutoModel

import motionhub
from motionhub.data.datasets.datasets import DATASETS
from motionhub.hub.card import read_card_facts, write_model_card
from motionhub.hub.packaged import folder_of
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikModel
from motionhub.processing.skeleton import SkeletonProcessor


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


# Layouts of the official code; another one with the same number of joints must be passed as --layout.
OFFICIAL_LAYOUTS = {17: "posetics-17", 18: "openpose-18", 25: "ntu-25"}
OFFICIAL_STRIDES = {5: 2, 8: 2}  # block number -> temporal stride; shapes do not tell it


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of an official `.pt`, without the prefixes `module.` and `model_action.`.

    Raises:
        ValueError: no such file, not a checkpoint, one that holds code or other objects, or not a dict of tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, AttributeError) as error:
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise ValueError(
                f"{path} holds more than tensors ({code[1]}) and is refused, because unpickling it could run code. "
                "Where you trust it, save its tensors alone: torch.save(model.state_dict(), path)."
            ) from None
        raise ValueError(f"{path} is not a PyTorch checkpoint, or is damaged; download it again.") from None
    tensors = isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())
    if not tensors or not content:
        held = list(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path}: expected a dict of tensors as UNIK saves it, got {held}.")
    stripped = {strip_prefix(key): tensor for key, tensor in content.items()}
    if len(stripped) != len(content):
        raise ValueError(
            f"{path}: several entries have one name once the prefixes are gone; convert one model at a time."
        )
    return stripped


def strip_prefix(key: str) -> str:
    """DataParallel adds `module.`, the official transfer wrapper `model_action.`."""
    return key.rsplit("module.", 1)[-1].removeprefix("model_action.")


def read_sizes(official: dict[str, Tensor]) -> dict[str, Any]:
    """The sizes of `UnikConfig` that the shapes tell (`num_labels` None without a classifier).

    Raises:
        ValueError: the entries that are needed for it are not there; it lists what was found.
    """
    needed = ["data_bn.weight", "l1.s_unit.DepM", "l1.s_unit.conv_a.0.weight", "l1.t_unit.conv.weight"]
    absent = [name for name in needed if name not in official]
    if absent:
        found = ", ".join(sorted(official)[:12])
        raise ValueError(
            f"This is not a UNIK checkpoint: {absent} are not in it; it has {len(official)} entries: {found}..."
        )
    blocks = range(1, 1 + max(split_block(key)[0] + 1 for key in official))
    depth = {number: f"l{number}.s_unit" for number in blocks}
    tau = official["l1.s_unit.out_conv.weight"].shape[3] if "l1.s_unit.out_conv.weight" in official else 1
    num_joints = official["l1.s_unit.DepM"].shape[-1] // tau
    in_channels = official["l1.s_unit.conv_a.0.weight"].shape[1]
    channels = [official[f"{depth[number]}.bn.weight"].shape[0] for number in blocks]
    return {
        "num_joints": num_joints,
        "in_channels": in_channels,
        "num_people": official["data_bn.weight"].shape[0] // (num_joints * in_channels),
        "channels": channels,
        "strides": [OFFICIAL_STRIDES.get(number, 1) for number in blocks],
        "first_block_heads": official["l1.s_unit.DepM"].shape[0],
        "num_heads": official[f"{depth[blocks[-1]]}.DepM"].shape[0],
        "key_ratio": channels[0] // official["l1.s_unit.conv_a.0.weight"].shape[0],
        "tau": tau,
        "temporal_kernel": official["l1.t_unit.conv.weight"].shape[2],
        "num_labels": official["fc.weight"].shape[0] if "fc.weight" in official else None,
    }


def build_config(
    official: dict[str, Tensor],
    *,
    layout: str | None = None,
    class_names: list[str] | None = None,
    pooling: str = "official",
    **given: int | None,
) -> UnikConfig:
    """The config of the weights. `given` sizes (`num_heads`, `num_people`, `tau`) must agree with the shapes.

    Raises:
        ValueError: a given size, the layout or the number of class names contradicts the weights.
    """
    sizes = read_sizes(official)
    wrong = {name: value for name, value in given.items() if value is not None and sizes[name] != value}
    if wrong:
        shapes = {name: sizes[name] for name in wrong}
        raise ValueError(f"The weights say {shapes}, but {wrong} was asked for; leave the flag out.")
    layout = layout or OFFICIAL_LAYOUTS.get(sizes["num_joints"])
    facts = layout_and_labels(layout, sizes["num_joints"], class_names, sizes.pop("num_labels"))
    return UnikConfig(pooling=pooling, **sizes, **facts)


def build_model(official: dict[str, Tensor], config: UnikConfig) -> UnikForActionClassification | UnikModel:
    """The model with the official weights in it: with a head, or the bare encoder when there is no `fc`.

    Raises:
        ValueError: an official entry has no place, or a weight of ours stays empty; it lists them.
    """
    converted = convert_state_dict(official)
    if "classifier.weight" in converted:
        model: UnikForActionClassification | UnikModel = UnikForActionClassification(config)
    else:
        model, converted = UnikModel(config), {key.removeprefix("encoder."): value for key, value in converted.items()}
    fill(model, converted, "UNIK")
    return model


def reference_features(official: dict[str, Tensor], keypoints: Tensor, config: UnikConfig) -> Tensor:
    """The official formulas, head by head, straight from the official entries: `(B, channels)` pooled features.

    `keypoints (B, M, T, V, C)`. Shares no code with the model.
    """
    weights = {key: tensor.double() if tensor.is_floating_point() else tensor for key, tensor in official.items()}

    def norm(x: Tensor, name: str) -> Tensor:
        leaves = [weights[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *leaves, eps=1e-5)

    def conv(x: Tensor, name: str, **options: Any) -> Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)

    def spatial(x: Tensor, name: str) -> Tensor:  # x (people, channels, frames, joints)
        batch, channels, frames, joints = x.shape
        if config.tau > 1:
            x = F.unfold(x, (config.tau, 1), padding=(config.tau // 2, 0))
            x = (
                x.view(batch, channels, config.tau, frames, joints)
                .transpose(2, 3)
                .reshape(batch, channels, frames, -1)
            )
        window, total = x.shape[-1], torch.zeros(())
        for head in range(weights[f"{name}.DepM"].shape[0]):
            query = conv(x, f"{name}.conv_a.{head}").permute(0, 3, 1, 2).reshape(batch, window, -1)
            key = conv(x, f"{name}.conv_b.{head}").reshape(batch, -1, window)
            attention = (query @ key / query.shape[-1]).softmax(dim=-2)
            mixed = x.reshape(batch, -1, window) @ (weights[f"{name}.DepM"][head] + attention)
            total = total + conv(mixed.view(batch, channels, frames, window), f"{name}.conv_d.{head}")
        down = norm(conv(x, f"{name}.down.0"), f"{name}.down.1") if f"{name}.down.0.weight" in weights else x
        y = (norm(total, f"{name}.bn") + down).relu()
        if config.tau == 1:
            return y
        y = y.view(batch, -1, frames, config.tau, joints)
        y = F.conv3d(y, weights[f"{name}.out_conv.weight"], weights[f"{name}.out_conv.bias"]).squeeze(3)
        return norm(y, f"{name}.out_bn")

    batch, people, frames, joints, dims = keypoints.shape
    x = norm(keypoints.double().permute(0, 1, 3, 4, 2).reshape(batch, -1, frames), "data_bn")
    x = x.view(batch * people, joints, dims, frames).permute(0, 2, 3, 1)
    assert config.strides is not None
    for index, stride in enumerate(config.strides):
        block, padding = f"l{index + 1}", config.temporal_kernel // 2
        y = conv(spatial(x, f"{block}.s_unit"), f"{block}.t_unit.conv", stride=(stride, 1), padding=(padding, 0))
        y = norm(y, f"{block}.t_unit.bn")
        if f"{block}.residual.conv.weight" in weights:
            y = y + norm(conv(x, f"{block}.residual.conv", stride=(stride, 1)), f"{block}.residual.bn")
        elif index:
            y = y + x
        x = y.relu()
    return x.mean(dim=(2, 3)).view(batch, people, -1).mean(dim=1)


def probe_keypoints(config: UnikConfig, frames: int = 16) -> Tensor:
    """The fixed input of SPECS section 0, in our axis order `(1, people, frames, joints, dims)`."""
    shape = (1, config.in_channels, frames, config.num_joints, config.num_people)
    position = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (position.mul(0.13).cos() + 0.3 * position.mul(0.017).sin()).float().reshape(shape).permute(0, 4, 2, 3, 1)


@torch.no_grad()
def verify(official: dict[str, Tensor], folder: Path) -> float:
    """Load the folder again and compare it with the official formulas; the largest difference, relative to the result.

    Raises:
        ValueError: it is above 1e-4.
    """
    # What a user calls, so that it is known to find the folder; parity needs the official average.
    auto = motionhub.AutoModelForActionClassification if "fc.weight" in official else AutoModel
    config = AutoConfig.from_pretrained(folder)
    model = auto.from_pretrained(folder, pooling="official").eval()
    keypoints = probe_keypoints(config)
    expected = reference_features(official, keypoints, config)
    if "fc.weight" in official:
        expected = F.linear(expected, official["fc.weight"].double(), official["fc.bias"].double())
        got = model(keypoints).logits
    else:
        got = model(keypoints).pooler_output
    return relative_difference((got, expected))


def build_processor(config: UnikConfig, stream: str) -> SkeletonProcessor:
    """2-D: the official screen coordinates of a 640 x 480 image. 3-D: the alignment of 2s-AGCN, usual for NTU.

    UNIK's own NTU script turns other joints (`normalization="unik-3d"`) and pads to 300 frames; a checkpoint that was
    trained with those needs `--like` a folder with that preprocessor_config.json.
    """
    fields: dict[str, Any] = {"normalization": "agcn-3d"}
    if config.in_channels == 2:
        fields = {"normalization": "screen", "default_image_size": [640, 480]}
    return SkeletonProcessor(
        layout=config.layout, num_dims=config.in_channels, num_people=config.num_people, stream=stream, **fields
    )


def card_facts(source: Path, config: UnikConfig, difference: float, options: argparse.Namespace) -> dict[str, Any]:
    """Facts for the card of converted weights; with `--like`, the others come from that checkpoint's card."""
    weights = {
        "status": "converted",
        "provenance": f"Converted from {source.name} (official code: https://github.com/YangDi666/UNIK) by "
        f"conversion/unik.py; relative difference from the official formulas on a fixed input {difference:.0e}.",
    }
    licence = options.licence or "the official authors publish none; ask them before redistributing"
    if options.like:
        facts = read_card_facts(options.like)
        return {**facts, "weights": weights, "licence": {**facts["licence"], "weights": licence}}
    data = options.data or "the data of the official checkpoint (the file does not say which)"
    code = "Apache-2.0 (this library); the official repository publishes no licence text"
    return {
        "name": f"unik-{config.layout}",
        "title": f"UNIK, converted from {source.name}",
        "summary": f"{config.num_labels} classes, {config.layout}, {config.in_channels}-D, {config.num_heads} heads.",
        "task": "action-classification",
        "papers": ["yang2021unik"],
        "licence": {"hub": "other", "code": code, "weights": licence, "data": f"terms of {data}"},
        "weights": weights,
        "training_data": [{"name": data}],
        "limits": ["Clips must be normalised and padded as in training; the processor follows the official code."],
    }


def read_class_names(source: str | None) -> list[str] | None:
    """Names from a text file (one per line), or of a dataset that the library reads, for example `penn-action`."""
    if source is None:
        return None
    if source in DATASETS:
        return list(DATASETS[source].class_names)
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(
            f"--class-names {source}: {error.strerror}; give a text file or one of {sorted(DATASETS)}."
        ) from None
    return [line.strip() for line in lines if line.strip()]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Convert official UNIK weights.")
    parser.add_argument("source", type=Path, help="official .pt file (plain, module. or model_action. names)")
    parser.add_argument("output_dir", type=Path, help="folder for model, processor and card")
    parser.add_argument(
        "--like", type=folder_of, help="folder or packaged name: layout, class names, processor and card facts"
    )
    parser.add_argument("--layout", help=f"joint layout; default by the number of joints: {OFFICIAL_LAYOUTS}")
    for size in ("--heads", "--num-people", "--tau"):
        parser.add_argument(size, type=int, help="checked against the weights")
    parser.add_argument("--class-names", help="text file with one name per line, or a dataset that the library reads")
    parser.add_argument(
        "--stream", default="joint", choices=("joint", "bone"), help="what the weights were trained on"
    )
    parser.add_argument(
        "--pooling", default="official", choices=("official", "masked"), help="written into the config"
    )
    parser.add_argument("--data", help="training data named on the card, for example Posetics")
    parser.add_argument("--licence", help="licence of the weights named on the card")
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> list[str]:
    """Writes the folder after verification; returns the text to print. Raises ValueError or OSError."""
    official = read_checkpoint(options.source)
    layout, names = options.layout, read_class_names(options.class_names)
    if options.like:
        read_card_facts(options.like)  # an absent folder would be looked for on the Hub
        like = UnikConfig.from_pretrained(options.like)
        layout, names = layout or like.layout, names or list(like.id2label.values())
    given = {"num_heads": options.heads, "num_people": options.num_people, "tau": options.tau}
    config = build_config(official, layout=layout, class_names=names, pooling=options.pooling, **given)
    model, processor = build_model(official, config), build_processor(config, options.stream)
    if options.like:
        processor = SkeletonProcessor.from_pretrained(options.like, stream=options.stream, layout=config.layout)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        difference = verify(official, Path(folder))
        facts = card_facts(options.source, config, difference, options)
        joints = motionhub.get_layout(config.layout).joints
        write_model_card(folder, config.to_dict(), processor.to_dict(), None, None, facts, joints=joints)
        shutil.copytree(folder, options.output_dir, dirs_exist_ok=True)
    unused = sum(split_block(key)[1] in UNUSED for key in official)
    return [
        f"{len(official)} entries: {len(official) - unused} converted, {unused} dropped (registered but never used)",
        f"layout {config.layout}, {config.num_labels} classes, {config.num_heads} heads, tau {config.tau}",
        f"verified against the official formulas: relative difference {difference:.1e}",
        f"saved to {options.output_dir}",
    ]


def main(arguments: list[str] | None = None) -> int:
    try:
        print("\n".join(convert(parse_arguments(arguments))))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
