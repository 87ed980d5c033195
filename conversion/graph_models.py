"""What converting official 2s-AGCN and ST-GCN weights have in common: tables applied, sizes checked, result verified.

It does not know any official name (`agcn.py`, `st_gcn.py`: a table each); files, class names and processors are read
and made as for UNIK (`unik.py`). The result is loaded again and compared with the official formulas on a fixed input.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from official_weights import fill, layout_and_labels, relative_difference
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel
from unik import (
    as_float,
    build_processor,
    probe_keypoints,
    read_checkpoint,
    read_class_names,
    reshape_weight,
)

import motionhub
from motionhub.hub.card import read_card_facts, write_model_card
from motionhub.hub.packaged import folder_of
from motionhub.models.skeleton_encoder import SkeletonEncoderConfig
from motionhub.processing.skeleton import SkeletonProcessor


# Layouts that the official codes themselves have; another one must be told by --layout.
OFFICIAL_LAYOUTS = {18: "openpose-18", 25: "ntu-25"}


@dataclass(frozen=True)
class OfficialModel:
    """One official repository: its names and formulas.

    Args:
        title, paper, homepage: for messages and cards; `paper` is a key of `motionhub.PAPERS`.
        script: file name of the conversion.
        config, encoder, classifier: our classes.
        block: pattern at the start of a block's name, whose one group is its number; `first_block` is the lowest.
        modules, stacked, parameters: official name -> ours, `{}` the block; stacked ones are one per subset.
        needed: without these it is another network.
        read_sizes: official entries -> fields of the config, without layout and labels.
        reference: official entries, keypoints, config -> pooled features `(B, channels)` by the official formulas.
        check: raises ValueError where the entries contradict the config.
    """

    title: str
    paper: str
    homepage: str
    script: str
    config: type[SkeletonEncoderConfig]
    encoder: type[PreTrainedModel]
    classifier: type[PreTrainedModel]
    block: str
    first_block: int
    modules: dict[str, str]
    needed: tuple[str, ...]
    read_sizes: Callable[[dict[str, Tensor]], dict[str, Any]]
    reference: Callable[[dict[str, Tensor], Tensor, Any], Tensor]
    stacked: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    check: Callable[[dict[str, Tensor], Any], None] = lambda official, config: None

    def split_block(self, key: str) -> tuple[int, str]:
        """`l3.gcn1.PA` -> `(2, "l{}.gcn1.PA")`; names outside the blocks come back as they are."""
        match = re.match(self.block, key)
        if not match:
            return 0, key
        return int(match[1]) - self.first_block, key[: match.start(1)] + "{}" + key[match.end(1) :]

    def num_blocks(self, official: dict[str, Tensor]) -> int:
        return 1 + max(self.split_block(key)[0] for key in official)

    def convert_state_dict(self, official: dict[str, Tensor]) -> dict[str, Tensor]:
        """Official entries (no prefix) as the state dict of a model with a head, as float32 copies.

        Raises:
            ValueError: an entry has no place in the tables (it lists them).
        """
        converted: dict[str, Tensor] = {}
        subsets: dict[str, dict[int, Tensor]] = {}
        unknown = []
        for key, tensor in official.items():
            number, name = self.split_block(key)
            module, _, leaf = name.rpartition(".")
            stem, _, subset = module.rpartition(".")
            if name in self.parameters:
                converted[self.parameters[name].format(number)] = as_float(tensor)
            elif module in self.modules:
                target = self.modules[module].format(number) + "." + leaf
                converted[target] = reshape_weight(target, as_float(tensor))
            elif stem in self.stacked and subset.isdigit():
                target = self.stacked[stem].format(number) + "." + leaf
                subsets.setdefault(target, {})[int(subset)] = as_float(tensor).flatten(1 if leaf == "weight" else 0)
            else:
                unknown.append(key)
        if unknown:
            raise ValueError(
                f"Expected the entries of an official {self.title}, got {len(unknown)} others: {unknown[:20]}."
            )
        for target, parts in subsets.items():
            converted[target] = torch.cat([parts[subset] for subset in sorted(parts)])
        return converted

    def has_head(self, official: dict[str, Tensor]) -> bool:
        return any(self.modules.get(key.rpartition(".")[0]) == "classifier" for key in official)

    def head(self, official: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Weight `(labels, channels)` and bias of the classifier, in double precision."""
        names = [name for name, target in self.modules.items() if target == "classifier"]
        name = next(name for name in names if f"{name}.weight" in official)
        return official[f"{name}.weight"].flatten(1).double(), official[f"{name}.bias"].double()


def build_config(
    model: OfficialModel,
    official: dict[str, Tensor],
    *,
    layout: str | None = None,
    class_names: list[str] | None = None,
    pooling: str = "official",
    **told: int | None,
) -> Any:
    """The config of the weights; `told` sizes must agree with the shapes, or say what shapes do not.

    Raises:
        ValueError: another network; or a told size, the layout or the class names contradict the weights.
    """
    absent = [name for name in model.needed if name not in official]
    if absent:
        found = ", ".join(sorted(official)[:12])
        raise ValueError(
            f"This is not a {model.title} checkpoint: {absent} are not in it; it has {len(official)} entries: "
            f"{found}..."
        )
    sizes = model.read_sizes(official)
    wrong = {name: value for name, value in told.items() if value is not None and sizes.get(name, value) != value}
    if wrong:
        shapes = {name: sizes[name] for name in wrong}
        raise ValueError(f"The weights say {shapes}, but {wrong} was asked for; leave the flag out.")
    sizes = {**{name: value for name, value in told.items() if value is not None}, **sizes}
    num_labels = len(model.head(official)[1]) if model.has_head(official) else None
    layout = layout or OFFICIAL_LAYOUTS.get(sizes["num_joints"])
    facts = layout_and_labels(layout, sizes["num_joints"], class_names, num_labels)
    config = model.config(pooling=pooling, **sizes, **facts)
    model.check(official, config)
    return config


def build_model(model: OfficialModel, official: dict[str, Tensor], config: Any) -> PreTrainedModel:
    """The model with the official weights in it: with a head, or the bare encoder when there is no classifier.

    Raises:
        ValueError: an official entry has no place, or a weight of ours stays empty; it lists them.
    """
    converted = model.convert_state_dict(official)
    if model.has_head(official):
        ours = model.classifier(config)
        graph = "encoder.graph.subsets"
    else:
        ours, converted = model.encoder(config), {key.removeprefix("encoder."): v for key, v in converted.items()}
        graph = "graph.subsets"
    # from the layout; `check` compared it with the file's, where there is one
    converted[graph] = ours.state_dict()[graph]
    fill(ours, converted, model.title)
    return ours


@torch.no_grad()
def verify(model: OfficialModel, official: dict[str, Tensor], folder: Path) -> float:
    """Load the folder again and compare it with the official formulas; the largest difference, relative to the result.

    Raises:
        ValueError: it is above 1e-4.
    """
    config = AutoConfig.from_pretrained(folder)
    keypoints = probe_keypoints(config)
    weights = {key: tensor.double() if tensor.is_floating_point() else tensor for key, tensor in official.items()}
    expected = model.reference(weights, keypoints.double(), config)
    if model.has_head(official):
        expected = F.linear(expected, *model.head(official))
        auto = motionhub.AutoModelForActionClassification
        got = auto.from_pretrained(folder, pooling="official").eval()(keypoints).logits
    else:
        got = AutoModel.from_pretrained(folder, pooling="official").eval()(keypoints).pooler_output
    return relative_difference((got, expected))


def batch_norm(weights: dict[str, Tensor], x: Tensor, name: str) -> Tensor:
    """The official batch norm `name` in evaluation."""
    leaves = [weights[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *leaves, eps=1e-5)


def convolution(weights: dict[str, Tensor], x: Tensor, name: str, stride: int = 1) -> Tensor:
    """The official convolution `name` over `(people, channels, frames, joints)`, padded to keep the frames."""
    weight = weights[f"{name}.weight"]
    padding = (weight.shape[2] // 2, 0)
    return F.conv2d(x, weight, weights[f"{name}.bias"], stride=(stride, 1), padding=padding)


def card_facts(
    model: OfficialModel, source: Path, config: Any, difference: float, options: argparse.Namespace
) -> dict[str, Any]:
    """What the card says about converted weights; with `--like`, what that checkpoint's card says about the rest."""
    weights = {
        "status": "converted",
        "provenance": f"Converted from {source.name} (official code: {model.homepage}) by conversion/{model.script}; "
        f"relative difference from the official formulas on a fixed input {difference:.0e}.",
    }
    licence = options.licence or "see the official repository; ask its authors before redistributing"
    if options.like:
        facts = read_card_facts(options.like)
        return {**facts, "weights": weights, "licence": {**facts["licence"], "weights": licence}}
    data = options.data or "the data of the official checkpoint (the file does not say which)"
    code = "Apache-2.0 (this library, written anew); for the official code see its repository"
    return {
        "name": f"{model.script.removesuffix('.py').replace('_', '-')}-{config.layout}",
        "title": f"{model.title}, converted from {source.name}",
        "summary": f"{config.num_labels} classes, {config.layout}, {config.in_channels} channels.",
        "task": "action-classification",
        "papers": [model.paper],
        "licence": {"hub": "other", "code": code, "weights": licence, "data": f"terms of {data}"},
        "weights": weights,
        "training_data": [{"name": data}],
        "limits": ["Clips must be normalised and padded as in training; the processor follows 2s-AGCN's code."],
    }


def parse_arguments(model: OfficialModel, arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Convert official {model.title} weights.")
    parser.add_argument("source", type=Path, help="official .pt file")
    parser.add_argument("output_dir", type=Path, help="folder for model, processor and card")
    parser.add_argument(
        "--like", type=folder_of, help="folder or packaged name: layout, class names, processor and card facts"
    )
    parser.add_argument("--layout", help=f"joint layout; default by the number of joints: {OFFICIAL_LAYOUTS}")
    parser.add_argument("--num-people", type=int, help="checked against the weights where they tell it")
    parser.add_argument("--class-names", help="text file with one name per line, or a data set the library reads")
    parser.add_argument(
        "--stream", default="joint", choices=("joint", "bone"), help="what the weights were trained on"
    )
    parser.add_argument(
        "--pooling", default="official", choices=("official", "masked"), help="written into the config"
    )
    parser.add_argument("--data", help="training data named on the card")
    parser.add_argument("--licence", help="licence of the weights named on the card")
    return parser.parse_args(arguments)


def convert(model: OfficialModel, official: dict[str, Tensor], options: argparse.Namespace) -> list[str]:
    """Writes the folder only when it has been verified; returns what to print. Raises ValueError or OSError."""
    layout, names = options.layout, read_class_names(options.class_names)
    if options.like:
        read_card_facts(options.like)  # an absent folder would be looked for on the Hub
        like = model.config.from_pretrained(options.like)
        layout, names = layout or like.layout, names or list(like.id2label.values())
    told = {"num_people": options.num_people}
    config = build_config(model, official, layout=layout, class_names=names, pooling=options.pooling, **told)
    ours, processor = build_model(model, official, config), build_processor(config, options.stream)
    if options.like:
        processor = SkeletonProcessor.from_pretrained(options.like, stream=options.stream, layout=config.layout)
    with TemporaryDirectory() as folder:
        ours.save_pretrained(folder)
        processor.save_pretrained(folder)
        difference = verify(model, official, Path(folder))
        facts = card_facts(model, options.source, config, difference, options)
        joints = motionhub.get_layout(config.layout).joints
        write_model_card(folder, config.to_dict(), processor.to_dict(), None, None, facts, joints=joints)
        shutil.copytree(folder, options.output_dir, dirs_exist_ok=True)
    return [
        f"{len(official)} entries converted",
        f"layout {config.layout}, {config.num_labels} classes, channels {config.channels}",
        f"verified against the official formulas: relative difference {difference:.1e}",
        f"saved to {options.output_dir}",
    ]


def run(
    model: OfficialModel,
    arguments: list[str] | None,
    clean: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda official: official,
) -> int:
    """The whole command; `clean` takes out what a wrapper of the official code added to the entries."""
    options = parse_arguments(model, arguments)
    try:
        print("\n".join(convert(model, clean(read_checkpoint(options.source)), options)))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
