"""Train an action classifier: fine-tune, linear evaluation, few labels or from scratch, on one process or many.

    accelerate launch examples/finetune_classification.py --dataset n-ucla --data_root nucla_views12.zip \
        --protocol cross-subject --model hub_configs/unik-nucla --mode scratch --output_dir runs/nucla
    torchrun --nproc-per-node 2 examples/finetune_classification.py ... --cpu --num_processes 2

Every field of `motionhub.TrainingRecipe` is an option; the training.json of the model's folder gives their defaults.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from datasets import DatasetDict, load_dataset
from transformers import HfArgumentParser

import motionhub
from motionhub.metrics.classification import format_report
from motionhub.training.arguments import TrainingRecipe, read_recipe_file
from motionhub.training.heads import prepare_model
from motionhub.training.trainer import train


@dataclass
class Arguments:
    """The data and the model; how to train is a TrainingRecipe."""

    dataset: str = field(metadata={"help": "A reader (n-ucla, ...) with --data_root, else a saved dataset or Hub id."})
    model: str = field(
        metadata={"help": "Folder or Hub id of a checkpoint; with --mode scratch its configs are enough."}
    )
    data_root: str | None = field(default=None, metadata={"help": "Folder or zip file with the raw files."})
    protocol: str | None = field(default=None, metadata={"help": "Split, e.g. cross-subject; the first by default."})
    eval_split: str = field(default="test", metadata={"help": "Split to evaluate on after each epoch."})
    layout: str = field(default="checkpoint", metadata={"help": "'dataset' (with scratch) keeps the data's joints."})


def load_splits(arguments: Arguments) -> DatasetDict:
    if arguments.data_root is None:
        return load_dataset(arguments.dataset, arguments.protocol)
    return motionhub.build_dataset(arguments.dataset, arguments.data_root, arguments.protocol)


def main(command_line: list[str] | None = None) -> None:
    parser = HfArgumentParser([Arguments, TrainingRecipe], description=__doc__.split("\n")[0])
    words = sys.argv[1:] if command_line is None else command_line
    recipe_file = Path(words[words.index("--model") + 1] if "--model" in words[:-1] else "") / "training.json"
    if recipe_file.is_file():
        parser.set_defaults(**read_recipe_file(recipe_file))
    arguments, recipe = parser.parse_args_into_dataclasses(words)

    splits = load_splits(arguments)
    model, processor = prepare_model(
        arguments.model,
        splits["train"],
        motionhub.AutoModelForActionClassification,
        mode=recipe.mode,
        layout=arguments.layout,
        seed=recipe.seed,
    )
    result = train(model, processor, splits["train"], splits[arguments.eval_split], recipe)
    print(format_report(result.last_metrics))
    print(f"{result.steps} updates in {result.seconds:.0f} s; best top-1 {result.best_metric:.1%} in epoch ", end="")
    print(f"{result.best_epoch}; checkpoints: {result.last_dir} (last epoch), {result.best_dir} (best)")


if __name__ == "__main__":
    main()
