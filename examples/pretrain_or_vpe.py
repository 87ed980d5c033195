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
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModel

import motionhub
from motionhub.cli import reported
from motionhub.data.splits import few_label_subset
from motionhub.objectives.or_vpe import OrVpe
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.heads import check_inputs
from motionhub.training.probe import EmbeddingProbe
from motionhub.training.run import RunArguments, load_splits, parse_training
from motionhub.training.sources import check_source, load_processor, load_weights
from motionhub.training.trainer import train


def start(arguments: RunArguments, recipe: TrainingRecipe, dataset: Dataset) -> tuple[Any, Any]:
    """The encoder and its processor; the classes in its config stay as they are."""
    check_source(arguments.model, weights=recipe.mode != "scratch")
    processor = load_processor(arguments.model)
    torch.manual_seed(recipe.seed)
    if recipe.mode == "scratch":
        encoder = AutoModel.from_config(AutoConfig.from_pretrained(arguments.model))
    else:
        encoder, unfit = load_weights(arguments.model, AutoModel)
        if unfit:
            raise ValueError(
                f"The weights of {arguments.model} do not fit its config: {unfit[:3]}; use --mode scratch."
            )
    check_inputs(encoder.config, processor, dataset)
    return encoder, processor


def main(words: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for name, kind in (("embedding_size", int), ("num_negatives", int), ("num_views", int), ("temperature", float)):
        options.add_argument(f"--{name}", type=kind)
    for name in ("mapping", "denominator", "bank_start"):
        options.add_argument(f"--{name}")
    options.add_argument("--spatial_masks", action=argparse.BooleanOptionalAction)
    options.add_argument("--probe_fraction", type=float, default=0.0)
    chosen, rest = options.parse_known_args(words)
    arguments, recipe = parse_training(rest, __doc__.split("\n")[0])
    fraction = vars(chosen).pop("probe_fraction")
    splits = load_splits(arguments)
    encoder, processor = start(arguments, recipe, splits["train"])
    objective = OrVpe(motionhub.get_layout(encoder.config.layout), **vars(chosen))
    probing: dict[str, Any] = {}
    if fraction:
        labelled = few_label_subset(splits["train"], fraction, recipe.seed)
        probing = {"evaluation": EmbeddingProbe(labelled, processor), "primary_metric": "probe_top1"}
    tested = splits[arguments.eval_split] if fraction else None
    result = train(encoder, processor, splits["train"], tested, recipe, objective=objective, **probing)
    if result.is_main_process:
        probed = f", linear probe {result.last_metrics['probe_top1']:.1%}" if fraction else ""
        print(f"{result.steps} updates in {result.seconds:.0f} s{probed}; the encoder is in {result.last_dir}")


if __name__ == "__main__":
    sys.exit(reported(lambda: main(sys.argv[1:])))
