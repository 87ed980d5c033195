r"""Pre-train a ViA by motion retargeting: made pairs of 3-D clips first, then real clips without pairs.

    python examples/pretrain_via.py --stage pairs --dataset bandai-namco --data_root bandai_namco_2_subset.zip \
        --protocol cross-style --model hub_configs/via-bandai-small --mode scratch --output_dir runs/via-pairs
    python examples/pretrain_via.py --stage cycle --dataset DATASET --model runs/via-pairs/last --mode finetune \
        --triplet_weight 0.05 --output_dir runs/via

Every field of `motionhub.TrainingRecipe` is an option. With `--probe_fraction 0.1` the labels of a tenth of the
training clips fit a linear classifier of the encoder's features between epochs, whose accuracy on the evaluation split
is logged, and a collapse of the features is told; nothing else looks at a label. OUTPUT_DIR/last retargets motions,
pipeline("motion-retargeting", model="OUTPUT_DIR/last"), and a ViA classifier starts from it,
examples/finetune_classification.py --model OUTPUT_DIR/last; OUTPUT_DIR/encoder is its UNIK alone, for every task of
UNIK. The thesis version of ViA is another pretext, on a plain UNIK: motionhub.objectives.lac_contrast.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import motionhub


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--stage", choices=("pairs", "cycle"), required=True)
    options.add_argument("--up", choices=("x", "y", "z"), default="y", help="pairs: the axis that points up")
    for name in ("azimuth", "elevation", "roll"):
        options.add_argument(f"--{name}", type=float, help="pairs: degrees either way")
    for name, kind in (("num_clusters", int), ("cluster_epochs", int), ("margin", float)):
        options.add_argument(f"--{name}", type=kind)
    for name in ("self_weight", "cycle_weight", "triplet_weight", "velocity_weight"):
        options.add_argument(f"--{name}", type=float)
    options.add_argument("--probe_fraction", type=float, default=0.0)
    arguments, recipe, known = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    chosen = vars(known)
    stage, up, fraction = chosen.pop("stage"), chosen.pop("up"), chosen.pop("probe_fraction")
    splits = motionhub.load_splits(arguments)
    clips: Any = splits["train"]
    auto = motionhub.AutoModelForMotionRetargeting
    model, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed, auto, anew="decoder.")
    motionhub.check_inputs(model.config, processor, clips)
    tested = splits[arguments.eval_split]
    probe = motionhub.probed_by_labels(clips, tested, processor, fraction=fraction, seed=recipe.seed)
    if stage == "pairs":
        ranges = motionhub.ViewRanges(
            **{name: chosen.pop(name) for name in ("azimuth", "elevation", "roll") if name in chosen}
        )
        objective: Any = motionhub.ViaPairs(motionhub.get_layout(model.config.layout), ranges=ranges, up=up, **chosen)
        solid = {**processor.to_dict(), "num_dims": 3, "num_people": 1, "normalization": "centre", "scale": "none"}
        clips = motionhub.ClipDataset(clips, type(processor).from_dict(solid), training=True, seed=recipe.seed)
    else:
        objective = motionhub.ViaCycle(**chosen)
    result = motionhub.train(model, processor, clips, recipe=recipe, objective=objective, **probe)
    if result.is_main_process:
        encoder = Path(recipe.output_dir) / "encoder"
        model.via.export_encoder(encoder)
        processor.save_pretrained(encoder)
        probed = f", linear probe {result.last_metrics['probe_top1']:.1%}" if fraction else ""
        print(
            f"{result.steps} updates in {result.seconds:.0f} s{probed}: {result.last_dir}; its UNIK alone: {encoder}"
        )


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
