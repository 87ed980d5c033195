r"""Pre-train a ViA by motion retargeting: made pairs of 3-D clips first, then real clips without pairs.

    python examples/pretrain_via.py --stage pairs --dataset bandai-namco --data_root bandai_namco_2_subset.zip \
        --protocol cross-style --model hub_configs/via-bandai-small --mode scratch --output_dir runs/via-pairs
    python examples/pretrain_via.py --stage cycle --dataset DATASET --model runs/via-pairs/last --mode finetune \
        --triplet_weight 0.05 --output_dir runs/via

Every field of `motionhub.TrainingRecipe` is an option. No label is looked at. OUTPUT_DIR/last retargets motions,
pipeline("motion-retargeting", model="OUTPUT_DIR/last"), and a ViA classifier starts from it,
examples/finetune_classification.py --model OUTPUT_DIR/last; OUTPUT_DIR/encoder is its UNIK alone, for every task of
UNIK. The thesis version of ViA is another pretext, on a plain UNIK: motionhub.objectives.lac_contrast.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

import motionhub
from motionhub.augment.looks import LookRanges
from motionhub.cli import reported
from motionhub.objectives.via import ViaCycle, ViaPairs
from motionhub.training.dataset import ClipDataset
from motionhub.training.heads import check_inputs
from motionhub.training.run import load_splits, parse_training
from motionhub.training.sources import check_source, load_processor, load_weights
from motionhub.training.trainer import train


def start(source: str, mode: str, seed: int) -> tuple[Any, Any]:
    """The model and its processor; weights, where there are some, may lack the decoder only."""
    check_source(source, weights=mode != "scratch")
    torch.manual_seed(seed)
    auto = motionhub.AutoModelForMotionRetargeting
    if mode == "scratch":
        return auto.from_config(AutoConfig.from_pretrained(source)), load_processor(source)
    model, unfit = load_weights(source, auto)
    if encoder := [name for name in unfit if not name.startswith("decoder.")]:
        raise ValueError(f"The weights of {source} do not fit its config: {encoder[:3]}; use --mode scratch.")
    return model, load_processor(source)


def main(words: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--stage", choices=("pairs", "cycle"), required=True)
    options.add_argument("--up", choices=("x", "y", "z"), default="y", help="pairs: the axis that points up")
    for name in ("azimuth", "elevation", "roll"):
        options.add_argument(f"--{name}", type=float, help="pairs: degrees either way")
    for name, kind in (("num_clusters", int), ("cluster_epochs", int), ("margin", float)):
        options.add_argument(f"--{name}", type=kind)
    for name in ("self_weight", "cycle_weight", "triplet_weight", "velocity_weight"):
        options.add_argument(f"--{name}", type=float)
    known, rest = options.parse_known_args(words)
    chosen = vars(known)
    stage, up = chosen.pop("stage"), chosen.pop("up")
    arguments, recipe = parse_training(rest, __doc__.split("\n")[0])
    clips: Any = load_splits(arguments)["train"]
    model, processor = start(arguments.model, recipe.mode, recipe.seed)
    check_inputs(model.config, processor, clips)
    if stage == "pairs":
        ranges = LookRanges(**{name: chosen.pop(name) for name in ("azimuth", "elevation", "roll") if name in chosen})
        objective: Any = ViaPairs(motionhub.get_layout(model.config.layout), ranges=ranges, up=up, **chosen)
        solid = {**processor.to_dict(), "num_dims": 3, "num_people": 1, "normalization": "centre", "scale": "none"}
        clips = ClipDataset(clips, type(processor).from_dict(solid), training=True, seed=recipe.seed)
    else:
        objective = ViaCycle(**chosen)
    result = train(model, processor, clips, None, recipe, objective=objective)
    if result.is_main_process:
        encoder = Path(recipe.output_dir) / "encoder"
        model.via.export_encoder(encoder)
        processor.save_pretrained(encoder)
        print(f"{result.steps} updates in {result.seconds:.0f} s: {result.last_dir}; its UNIK alone: {encoder}")


if __name__ == "__main__":
    sys.exit(reported(lambda: main(sys.argv[1:])))
