r"""Pre-train an encoder without labels by OR-VPE: a motion with other joints hidden is still the same motion.

    accelerate launch examples/pretrain_or_vpe.py --dataset n-ucla --data_root nucla_views12.zip \
        --protocol cross-view-1-to-2 --model hub_configs/unik-nucla-small --mode scratch --probe_fraction 1 \
        --recipe hub_configs/or-vpe-ntu120-3d --optimizer adamw --learning_rate 0.001 --schedule cosine --epochs 40 \
        --batch_size 16 --mapping none --temperature 0.1 --output_dir runs/or-vpe

The processor is the model's own; `--recipe` gives the numbers of training. Every field of it is an option, and so are
those of `OrVpe`. With `--probe_fraction 0.1` the labels of a tenth of the training clips fit a linear classifier
between epochs, whose accuracy on the evaluation split is logged; nothing else looks at a label. What is left in
OUTPUT_DIR/last is the encoder alone, for `examples/finetune_classification.py --model OUTPUT_DIR/last` with
`--mode linear` (a new Linear on the frozen encoder) or `--mode finetune`.
"""

import argparse
import sys

import motionhub


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for name, kind in (("embedding_size", int), ("num_negatives", int), ("num_views", int), ("temperature", float)):
        options.add_argument(f"--{name}", type=kind)
    for name in ("mapping", "denominator", "bank_start"):
        options.add_argument(f"--{name}")
    options.add_argument("--spatial_masks", action=argparse.BooleanOptionalAction)
    options.add_argument("--probe_fraction", type=float, default=0.0)
    arguments, recipe, chosen = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    fraction = vars(chosen).pop("probe_fraction")
    splits = motionhub.load_splits(arguments)
    encoder, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed)
    motionhub.check_inputs(encoder.config, processor, splits["train"])
    objective = motionhub.OrVpe(motionhub.get_layout(encoder.config.layout), **vars(chosen))
    tested = splits[arguments.eval_split]
    probe = motionhub.probed_by_labels(splits["train"], tested, processor, fraction=fraction, seed=recipe.seed)
    result = motionhub.train(encoder, processor, splits["train"], recipe=recipe, objective=objective, **probe)
    if result.is_main_process:
        probed = f", linear probe {result.last_metrics['probe_top1']:.1%}" if fraction else ""
        print(f"{result.steps} updates in {result.seconds:.0f} s{probed}; the encoder is in {result.last_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
