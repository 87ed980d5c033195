r"""Pre-train by LAC: a generator learns to compose motions, then an encoder learns from what it composes.

    python examples/pretrain_lac.py --stage generator --dataset bandai-namco --data_root bandai_namco_2_subset.zip \
        --protocol cross-style --model hub_configs/lac-generator-posetics --mode scratch --output_dir runs/generator
    python examples/pretrain_lac.py --stage contrast --generator runs/generator/last --dataset DATASET \
        --model hub_configs/lac-posetics --mode scratch --output_dir runs/lac
    python examples/pretrain_lac.py --stage views --generator runs/generator/last --dataset DATASET \
        --model hub_configs/via-thesis-posetics --mode scratch --output_dir runs/via-thesis
    python examples/pretrain_lac.py --stage supervised --generator runs/generator/last --dataset DATASET \
        --model hub_configs/lac-posetics-supervised --mode scratch --output_dir runs/lac

Every field of `motionhub.TrainingRecipe` is an option; `--probe_fraction 0.1` logs a linear probe (not supervised).
Stage views is ViA as in the thesis, without composition. The generator needs 3-D clips, the supervised stage labels.
Use OUTPUT_DIR/last with pipeline("motion-retargeting"), that of other stages with examples/finetune_segmentation.py.
"""

import argparse
import sys
from typing import Any

import motionhub


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--stage", choices=("generator", "contrast", "views", "supervised"), required=True)
    options.add_argument("--generator", default="", help="all but the first: folder of the first stage")
    options.add_argument("--up", choices=("x", "y", "z"), help="generator: which axis points up")
    for name in ("num_positives", "queue_size", "projection_size", "frame_sampling"):
        options.add_argument(f"--{name}", type=int)
    for name in ("triplet_weight", "sequence_weight", "frame_weight", "temperature", "momentum"):
        options.add_argument(f"--{name}", type=float)
    options.add_argument("--probe_fraction", type=float, default=0.0)
    arguments, recipe, known = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    chosen = vars(known)
    stage, generator, fraction = (chosen.pop(name) for name in ("stage", "generator", "probe_fraction"))
    if (stage == "generator") == bool(generator):
        raise ValueError(f"--stage {stage}: --generator, the folder of the first stage, is for all other stages.")
    if stage == "supervised" and fraction:
        raise ValueError("--probe_fraction is for stages without labels; leave it out of the supervised stage.")
    splits = motionhub.load_splits(arguments)
    clips: Any = splits["train"]
    made = None
    if stage != "generator":
        made, _ = motionhub.load_checkpoint(generator, motionhub.AutoModelForMotionRetargeting)
    if stage == "supervised":
        model, processor = motionhub.prepare_start(
            arguments, recipe, clips, motionhub.AutoModelForActionClassification
        )
        objective: Any = motionhub.ComposedLabels(made, processor.num_frames)
    else:
        model, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed)
    chosen = {"num_positives": 1, "frame_weight": 0.0, **chosen, "compose": False} if stage == "views" else chosen
    if stage in ("contrast", "views"):
        motionhub.check_inputs(model.config, processor, clips)
        objective = motionhub.LacContrast(made, processor.num_frames, **chosen)
    elif stage == "generator":
        layout, plain = motionhub.get_layout(model.config.layout), isinstance(processor, motionhub.SkeletonProcessor)
        rows: Any = (
            motionhub.JointRows(layout) if plain else motionhub.VelocityRows(layout, processor.mean, processor.std)
        )
        objective = motionhub.LacPairs(layout, rows=rows, **chosen)
        solid = motionhub.SkeletonProcessor(layout, 3, 1, 64, normalization="centre", centring="first-frame")
        clips = motionhub.ClipDataset(clips, solid, training=True, seed=recipe.seed)
    tested = splits[arguments.eval_split]
    probe = motionhub.probed_by_labels(splits["train"], tested, processor, fraction=fraction, seed=recipe.seed)
    result = motionhub.train(model, processor, clips, recipe=recipe, objective=objective, **probe)
    if result.is_main_process:
        probed = f", linear probe {result.last_metrics['probe_top1']:.1%}" if fraction else ""
        print(f"{result.steps} updates in {result.seconds:.0f} s{probed}: {result.last_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
