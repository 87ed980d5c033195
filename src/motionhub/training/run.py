"""What `motionhub train`, `motionhub evaluate` and the example share: data and checkpoint named on a command line.

It does not know model families nor how to train (`trainer.py`); it turns words into arguments, splits and a recipe.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset, DatasetDict, load_dataset
from transformers import HfArgumentParser, PreTrainedModel

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_dataset, get_protocol
from motionhub.data.datasets.splits import relabel
from motionhub.hub.packaged import folder_of, model_id
from motionhub.training.arguments import MACHINE_FIELDS, TrainingRecipe, read_recipe_file
from motionhub.training.heads import prepare_model
from motionhub.training.sources import check_source, has_weights, load_processor
from motionhub.training.streaming import ShardedRows, require_cache


@dataclass
class RunArguments:
    """The data and the model; how to train is a TrainingRecipe."""

    dataset: str = field(metadata={"help": "A reader (n-ucla, ...) with --data_root, else a saved dataset or Hub id."})
    model: str = field(
        metadata={"help": "Folder, Hub id or packaged name of a checkpoint; for --mode scratch, configs are enough."}
    )
    data_root: str | None = field(default=None, metadata={"help": "Folder or zip file with the raw files."})
    protocol: str | None = field(default=None, metadata={"help": "Split, e.g. cross-subject; the first by default."})
    eval_split: str = field(default="test", metadata={"help": "Split to evaluate on."})
    layout: str = field(default="checkpoint", metadata={"help": "'dataset' (with scratch) keeps the data's joints."})
    recipe: str | None = field(
        default=None,
        metadata={
            "help": "training.json, or a folder or packaged name with one, to follow instead of the model's own; the "
            "folder's preprocessor_config.json prepares the clips, in the model's layout."
        },
    )
    class_order: Literal["dataset", "protocol"] = field(
        default="dataset",
        metadata={
            "help": "'protocol' numbers the classes as the protocol does (Smarthome's cv1 and cv2: 19 classes in an "
            "order of their own), 'dataset' as the data set does."
        },
    )
    stream: bool = field(
        default=False,
        metadata={"help": "Read a saved dataset from its shards, a few at a time: for sets larger than memory."},
    )

    def __post_init__(self) -> None:
        self.model = model_id(self.model)


def parse_training(words: Sequence[str], description: str, *further: type) -> tuple[Any, ...]:
    """`--dataset ... --model ...` and any recipe field; a training.json gives the defaults of the rest.

    That is the one of `--recipe`, else the one in the model's folder; where and how a run is done (MACHINE_FIELDS) is
    never taken from it. Without `--mode`, weights that are there are used: see `_default_mode`.

    Args:
        further: dataclasses whose fields are options too.

    Returns:
        A `RunArguments`, a `TrainingRecipe`, and one object of each class of `further`.

    Raises:
        ValueError: no recipe at `--recipe`, or a mode that needs weights and a model folder without.
    """
    parser = HfArgumentParser([RunArguments, TrainingRecipe, *further], description=description)
    chosen = _first_look(words)
    defaults: dict[str, Any] = {}
    if chosen.recipe or chosen.model and (folder_of(chosen.model) / "training.json").is_file():
        content = read_recipe_file(chosen.recipe or chosen.model)
        defaults = {name: value for name, value in content.items() if name not in MACHINE_FIELDS}
    if chosen.model:
        defaults["mode"] = _default_mode(chosen.model, defaults.get("mode", "finetune"), bool(chosen.recipe))
    parser.set_defaults(**defaults)
    arguments, recipe, *others = parser.parse_args_into_dataclasses(list(words))
    if recipe.mode != "scratch" and folder_of(arguments.model).is_dir() and not has_weights(arguments.model):
        raise ValueError(
            f"mode {recipe.mode!r} starts from weights, but {arguments.model} has none (model.safetensors): give "
            "--mode scratch to train from random ones, or the folder of a checkpoint (conversion/unik.py makes one "
            "of the authors' file)."
        )
    return arguments, recipe, *others


def parse_own(
    options: argparse.ArgumentParser,
    words: Sequence[str],
    description: str,
    shown: Sequence[type] = (RunArguments, TrainingRecipe),
) -> tuple[argparse.Namespace, list[str]]:
    """The options that only one script has, and the words left for `parse_training`; `--help` shows both and ends.

    Args:
        options: without help of its own, `argparse.ArgumentParser(add_help=False, ...)`.
        shown: dataclasses of what the other words set, for the help.
    """
    if {"-h", "--help"} & set(words):  # before options that are required are asked for
        others = HfArgumentParser(shown, add_help=False)
        helper = argparse.ArgumentParser(
            description=description,
            parents=[others, options],
            conflict_handler="resolve",  # a script's own --momentum, of its queue, is what is read: that one is shown
            formatter_class=others.formatter_class,
        )
        helper.parse_args(["--help"])
    return options.parse_known_args(words)


def model_named_in(words: Sequence[str]) -> str:
    """The `--model` of a command line that `parse_training` will read; "" when there is none."""
    return _first_look(words).model or ""


def _first_look(words: Sequence[str]) -> argparse.Namespace:
    """The model and the recipe, which decide what the other options are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--model", type=model_id)
    parser.add_argument("--recipe")
    return parser.parse_known_args(list(words))[0]


def _default_mode(model: str, written: str, named: bool) -> str:
    """The mode when none is given: weights are used when there are some, whatever the recipe that made them did.

    Args:
        model: a folder, or the id of a checkpoint on the Hub (which has weights).
        written: the mode in the recipe.
        named: whether the recipe was named by itself (`--recipe`): then its `"linear"` holds.
    """
    if folder_of(model).is_dir() and not has_weights(model):
        return written
    return "linear" if named and written == "linear" else "finetune"


def prepare_start(
    arguments: RunArguments, recipe: TrainingRecipe, dataset: Dataset, model_class: Any
) -> tuple[PreTrainedModel, Any]:
    """The model and the processor that training starts from (see `prepare_model`), after one line that names them."""
    if os.environ.get("RANK", "0") == "0":
        weights = "random weights" if recipe.mode == "scratch" else f"the weights of {arguments.model}"
        source = f", recipe of {arguments.recipe}" if arguments.recipe else ""
        print(f"motionhub: mode {recipe.mode}, from {weights}{source}.", file=sys.stderr)
    return prepare_model(
        arguments.model,
        dataset,
        model_class,
        mode=recipe.mode,
        layout=arguments.layout,
        seed=recipe.seed,
        processor=None if arguments.recipe is None else _recipe_processor(arguments.recipe, arguments.model),
    )


def _recipe_processor(recipe: str, model: str) -> Any:
    """The processor beside a recipe, with the model's own layout: skeletons are converted to what its weights know."""
    folder = folder_of(recipe)
    if not (folder / "preprocessor_config.json").is_file():
        return None
    check_source(model, weights=False)
    processor, own = load_processor(folder), load_processor(model)
    people = min(processor.num_people, own.num_people)
    return type(processor).from_dict({**processor.to_dict(), "layout": own.layout, "num_people": people})


def load_splits(arguments: RunArguments) -> Mapping[str, Any]:
    """Raw files through their reader when `data_root` is given, else a saved dataset or one of the Hub.

    With `stream`, the two splits that training needs as `ShardedRows`, else a `DatasetDict`.
    """
    if arguments.stream:
        return _open_shards(arguments)
    if arguments.data_root is None:
        splits = _load_saved(arguments)
    else:
        protocol = arguments.protocol or get_dataset(arguments.dataset).protocols[0].name
        splits = build_dataset(arguments.dataset, arguments.data_root, protocol)
    if arguments.eval_split not in splits:
        raise ValueError(
            f"{arguments.dataset} has the splits {list(splits)}, not --eval_split {arguments.eval_split}."
        )
    return _in_protocol_order(arguments, splits) if arguments.class_order == "protocol" else splits


def _in_protocol_order(arguments: RunArguments, splits: DatasetDict) -> DatasetDict:
    """The labels as the protocol numbers its classes. Raises ValueError when the data set has no such protocol."""
    some = splits[arguments.eval_split]
    if arguments.data_root is not None:
        reader = get_dataset(arguments.dataset).name
        default = get_dataset(reader).protocols[0].name
    else:
        reader, default = str(some[0]["source"]), str(some.info.config_name)
    protocol = get_protocol(reader, arguments.protocol or default)
    return DatasetDict({name: relabel(split, protocol) for name, split in splits.items()})


def _open_shards(arguments: RunArguments) -> dict[str, ShardedRows]:
    if arguments.data_root is not None or arguments.class_order != "dataset":
        raise ValueError(
            "--stream reads the shards of a saved dataset as they are: make one with motionhub dataset build, then "
            "give its folder as --dataset, without --data_root and --class_order."
        )
    names = dict.fromkeys(("train", arguments.eval_split))
    return {name: ShardedRows.from_saved(arguments.dataset, arguments.protocol, name) for name in names}


def _load_saved(arguments: RunArguments) -> DatasetDict:
    name = arguments.dataset
    if name in DATASETS and not Path(name).exists():
        raise ValueError(f"{name!r} is a reader of raw files: say where they are with --data_root FOLDER_OR_ZIP.")
    if Path(name).is_file():
        raise ValueError(
            f"{name}: is a file; give the folder of a saved dataset, or --dataset READER --data_root FILE."
        )
    require_cache()
    return load_dataset(name, arguments.protocol)
