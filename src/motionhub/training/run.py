"""What `motionhub train`, `motionhub evaluate` and the example share: data and checkpoint named on a command line.

It does not know model families nor how to train (`trainer.py`); it turns words into arguments, splits and a recipe.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasets import DatasetDict, load_dataset
from transformers import HfArgumentParser

from motionhub.data.build import build_dataset
from motionhub.data.splits import PROTOCOLS
from motionhub.training.arguments import TrainingRecipe, read_recipe_file


@dataclass
class RunArguments:
    """The data and the model; how to train is a TrainingRecipe."""

    dataset: str = field(metadata={"help": "A reader (n-ucla, ...) with --data_root, else a saved dataset or Hub id."})
    model: str = field(
        metadata={"help": "Folder or Hub id of a checkpoint; with --mode scratch its configs are enough."}
    )
    data_root: str | None = field(default=None, metadata={"help": "Folder or zip file with the raw files."})
    protocol: str | None = field(default=None, metadata={"help": "Split, e.g. cross-subject; the first by default."})
    eval_split: str = field(default="test", metadata={"help": "Split to evaluate on."})
    layout: str = field(default="checkpoint", metadata={"help": "'dataset' (with scratch) keeps the data's joints."})


def parse_training(words: Sequence[str], description: str) -> tuple[RunArguments, TrainingRecipe]:
    """`--dataset ... --model ...` and any recipe field; the training.json in the model's folder gives the defaults."""
    parser = HfArgumentParser([RunArguments, TrainingRecipe], description=description)
    first_look = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first_look.add_argument("--model")
    model = first_look.parse_known_args(list(words))[0].model
    recipe_file = Path(model or "") / "training.json"
    if model and recipe_file.is_file():
        parser.set_defaults(**read_recipe_file(recipe_file))
    arguments, recipe = parser.parse_args_into_dataclasses(list(words))
    return arguments, recipe


def load_splits(arguments: RunArguments) -> DatasetDict:
    """Raw files through their reader when `data_root` is given, else a saved dataset or one of the Hub."""
    if arguments.data_root is None:
        splits = _load_saved(arguments)
    else:
        protocol = arguments.protocol or next(iter(PROTOCOLS.get(arguments.dataset, ())), None)
        splits = build_dataset(arguments.dataset, arguments.data_root, protocol)
    if arguments.eval_split not in splits:
        raise ValueError(
            f"{arguments.dataset} has the splits {list(splits)}, not --eval_split {arguments.eval_split}."
        )
    return splits


def _load_saved(arguments: RunArguments) -> DatasetDict:
    name = arguments.dataset
    if name in PROTOCOLS and not Path(name).exists():
        raise ValueError(f"{name!r} is a reader of raw files: say where they are with --data_root FOLDER_OR_ZIP.")
    if Path(name).is_file():
        raise ValueError(
            f"{name}: is a file; give the folder of a saved dataset, or --dataset READER --data_root FILE."
        )
    return load_dataset(name, arguments.protocol)
