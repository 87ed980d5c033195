"""python conversion/via.py SOURCE OUTPUT_DIR: an official ViA encoder becomes a folder that `from_pretrained` loads.

No weights of ViA were published, only the code of its encoder (`UNIK_Encoder`, with LAC). This converts its files: a
UNIK without `fc` (see `unik.py`) and the directions `v (channels, K)`, without the decoder. The result is loaded again
and compared with the official formulas on a fixed input.
"""

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import unik
from official_weights import fill, relative_difference
from torch import Tensor
from transformers import AutoModel

import motionhub
from motionhub.hub.card import read_card_facts, write_model_card
from motionhub.hub.packaged import folder_of
from motionhub.models.unik import UnikConfig
from motionhub.models.via import ViaConfig, ViaModel
from motionhub.processing.skeleton import SkeletonProcessor


DIRECTIONS = "v"
PREFIX = "mot_encoder."  # LAC's name for its motion encoder
OFFICIAL_LAYOUTS = {**unik.OFFICIAL_LAYOUTS, 15: "lac-15"}


def encoder_entries(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries of the encoder, without the prefix under which a larger model holds it.

    Raises:
        ValueError: no directions among them; for those of Aberman et al. it names the script that converts them.
    """
    if f"{PREFIX}{DIRECTIONS}" in official:
        official = {key.removeprefix(PREFIX): value for key, value in official.items() if key.startswith(PREFIX)}
    if DIRECTIONS in official and official[DIRECTIONS].dim() == 2:
        return official
    if any(key.startswith(f"{PREFIX}model.") for key in official):
        raise ValueError(
            "These are the weights of Aberman et al. (LAC's release holds them under its own name), not ViA's; use "
            "conversion/aberman2019.py."
        )
    found = ", ".join(sorted(official)[:8])
    raise ValueError(
        f"This is no ViA encoder: it has no directions {DIRECTIONS!r} (channels, K); there are {len(official)} "
        f"entries: {found}... A UNIK without them is converted by conversion/unik.py."
    )


def build_config(official: dict[str, Tensor], *, layout: str | None = None, **options: Any) -> ViaConfig:
    """The config of the weights: sizes from shapes, K from the directions, the rest from `options`.

    Raises:
        ValueError: the layout does not fit, or is needed.
    """
    sizes = unik.read_sizes(official)
    sizes.pop("num_labels")
    layout = layout or OFFICIAL_LAYOUTS.get(sizes["num_joints"])
    if layout is None or motionhub.get_layout(layout).num_joints != sizes["num_joints"]:
        raise ValueError(
            f"The weights have {sizes['num_joints']} joints, layout {layout!r} does not; name theirs with --layout."
        )
    directions = official[DIRECTIONS].shape[1]
    return ViaConfig(encoder_config=UnikConfig(layout=layout, **sizes), num_directions=directions, **options)


def convert_state_dict(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official entries as the state dict of `ViaModel`."""
    trunk = {key: tensor for key, tensor in official.items() if key != DIRECTIONS}
    return {**unik.convert_state_dict(trunk), "basis.directions": official[DIRECTIONS].detach().clone().float()}


def build_model(official: dict[str, Tensor], config: ViaConfig) -> ViaModel:
    """The encoder with the official weights in it.

    Raises:
        ValueError: entries without a place, or missing ones; it lists them.
    """
    model, converted = ViaModel(config), convert_state_dict(official)
    fill(model, converted, "ViA")
    return model


@torch.no_grad()
def verify(official: dict[str, Tensor], folder: Path) -> float:
    """Load the folder again and compare characters and mean motions with the official formulas (relative difference).

    Raises:
        ValueError: it is above 1e-4.
    """
    model = AutoModel.from_pretrained(folder).eval()
    config = model.config
    keypoints = unik.probe_keypoints(config.encoder_config, frames=32)[:, :1]  # one person: nothing to average
    single = UnikConfig(**{**config.encoder_config.to_dict(), "num_people": 1})
    entries = config.num_joints * config.in_channels
    first = {key: tensor[:entries] if key.startswith("data_bn.") and tensor.dim() else tensor
             for key, tensor in official.items()}  # fmt: skip
    mean = unik.reference_features(first, model.in_order(keypoints), single)
    directions = torch.linalg.qr(official[DIRECTIONS].double() + 1e-8).Q
    character = mean @ directions / directions.square().sum(0) @ directions.mT
    outputs = model(keypoints)
    motion = outputs.motion.sum(2) / outputs.motion.shape[2]
    return relative_difference((outputs.character[:, 0], character), (motion[:, 0], mean - character))


def card_facts(source: Path, config: ViaConfig, difference: float, options: argparse.Namespace) -> dict[str, Any]:
    """Facts for the card of converted weights; with `--like`, the others come from that checkpoint's card."""
    weights = {
        "status": "converted",
        "provenance": f"Converted from {source.name} by conversion/via.py; relative difference from the official "
        f"formulas on a fixed input {difference:.0e}. The decoder is not in the file: retargeting needs training.",
    }
    licence = options.licence or "the authors publish none; ask them before redistributing"
    if options.like:
        facts = read_card_facts(options.like)
        return {**facts, "weights": weights, "licence": {**facts["licence"], "weights": licence}}
    data = options.data or "the data of the official checkpoint (the file does not say which)"
    return {
        "name": f"via-{config.layout}",
        "title": f"ViA's encoder, converted from {source.name}",
        "summary": f"{config.num_directions} directions, {config.layout}, {config.in_channels}-D.",
        "task": "skeleton-feature-extraction",
        "papers": ["yang2024via"],
        "licence": {
            "hub": "other",
            "code": "Apache-2.0 (this library, written anew); the official code publishes no licence text",
            "weights": licence,
            "data": f"terms of {data}",
        },
        "weights": weights,
        "training_data": [{"name": data}],
        "limits": ["Clips must be normalised as in training, which the file does not tell."],
    }


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Convert the weights of an official ViA encoder.")
    parser.add_argument("source", type=Path, help="official .pt file")
    parser.add_argument("output_dir", type=Path, help="folder for model, processor and card")
    parser.add_argument("--like", type=folder_of, help="folder or packaged name: processor and card facts")
    parser.add_argument("--layout", help=f"joint layout; default by the number of joints: {OFFICIAL_LAYOUTS}")
    parser.add_argument(
        "--coordinate-order",
        default="joint-major",
        choices=("joint-major", "official"),
        help="official: the weights were trained on the official code's flat input (N, 30, T)",
    )
    parser.add_argument("--data", help="training data named on the card, for example Mixamo")
    parser.add_argument("--licence", help="licence of the weights named on the card")
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> list[str]:
    """Writes the folder after verification; returns the text to print. Raises ValueError or OSError."""
    official = encoder_entries(unik.read_checkpoint(options.source))
    config = build_config(official, layout=options.layout, coordinate_order=options.coordinate_order)
    model, processor = build_model(official, config), unik.build_processor(config.encoder, "joint")
    if options.like:
        processor = SkeletonProcessor.from_pretrained(options.like, layout=config.layout)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        difference = verify(official, Path(folder))
        facts = card_facts(options.source, config, difference, options)
        joints = motionhub.get_layout(config.layout).joints
        write_model_card(folder, config.to_dict(), processor.to_dict(), None, None, facts, joints=joints)
        shutil.copytree(folder, options.output_dir, dirs_exist_ok=True)
    return [
        f"{len(official)} entries, layout {config.layout}, {config.num_directions} directions",
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
