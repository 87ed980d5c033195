"""Prepares a run: arguments -> data, model and processor, with a one-line error for anything incomplete."""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import ClassLabel, Dataset, DatasetDict, load_dataset
from transformers import AutoConfig, AutoModel, HfArgumentParser, PreTrainedConfig, PreTrainedModel

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import DATASETS, get_dataset, get_protocol
from motionhub.data.datasets.splits import relabel
from motionhub.hub.packaged import folder_of
from motionhub.hub.reachable import check_reachable
from motionhub.processing.skeleton import with_augmentation
from motionhub.skeletons.layouts import layout_text, stated_layout
from motionhub.skeletons.rows import from_row
from motionhub.training.arguments import MACHINE_FIELDS, RunArguments, TrainingRecipe, read_recipe_file
from motionhub.training.dataset import ClipProcessor, class_names_of
from motionhub.training.sources import (
    HUB_ID,
    check_dataset_folder,
    check_source,
    has_weights,
    load_checkpoint,
    load_processor,
    load_weights,
    one_line,
    quiet_transformers,
)
from motionhub.training.streaming import ShardedRows, require_cache


_NOT_GIVEN = object()


def parse_training(
    argv: Sequence[str],
    description: str = "",
    *further: type,
    own: argparse.ArgumentParser | None = None,
    prog: str | None = None,
) -> tuple[Any, ...]:
    """Parses `--dataset ... --model ...` and any recipe field.

    Defaults come from the training.json of `--recipe` or of the model's folder, without its MACHINE_FIELDS. Without
    `--mode`, existing weights are used.

    Args:
        further: dataclasses whose fields are options too.
        own: options of one script, see `parse_own`.
        prog: name of the program in its help; by default that of the script.

    Returns:
        A `RunArguments`, a `TrainingRecipe`, an object of each class in `further`, and the Namespace of `own`.

    Raises:
        ValueError: no recipe at `--recipe`, or no weights for a mode that needs them.

    Examples:
        >>> argv = ["--dataset", "data/waves", "--model", "unik-posetics", "--mode", "scratch", "--epochs", "3"]
        >>> arguments, recipe = motionhub.parse_training(argv)
        >>> arguments.dataset, recipe.epochs
        ('data/waves', 3)
    """
    kinds: Any = (RunArguments, TrainingRecipe, *further)
    of_script = []
    if own is not None:
        parsed, argv = parse_own(own, argv, description, kinds)
        of_script.append(parsed)
    parser = HfArgumentParser(kinds, description=description, prog=prog)
    of_run, of_recipe, *others = _given_options(parser, argv, kinds)
    arguments = RunArguments(**of_run)
    recipe = TrainingRecipe(**{**_defaults_of_recipe(arguments), **of_recipe})
    if recipe.mode != "scratch" and folder_of(arguments.model).is_dir() and not has_weights(arguments.model):
        raise ValueError(
            f"mode {recipe.mode!r} starts from weights, but {arguments.model} has none (model.safetensors): use "
            "--mode scratch to train from random ones, or the folder of a checkpoint (conversion/unik.py converts the "
            "authors' file)."
        )
    return arguments, recipe, *(kind(**given) for kind, given in zip(further, others, strict=True)), *of_script


def _given_options(parser: argparse.ArgumentParser, argv: Sequence[str], kinds: Sequence[Any]) -> list[dict[str, Any]]:
    """For each dataclass, the fields that the command line sets: argparse keeps the `_NOT_GIVEN` of all others."""
    names = [list(kind.__dataclass_fields__) for kind in kinds]
    unset = argparse.Namespace(**{name: _NOT_GIVEN for fields in names for name in fields})
    parsed = vars(parser.parse_args(list(argv), unset))
    return [{name: parsed[name] for name in fields if parsed[name] is not _NOT_GIVEN} for fields in names]


def _defaults_of_recipe(arguments: RunArguments) -> dict[str, Any]:
    """The fields of training.json without those of its machine, and the default mode.

    Where weights exist, that is `"finetune"`, or the `"linear"` of an explicit `--recipe`.
    """
    folder = folder_of(arguments.model)
    written = {}
    if arguments.recipe or (folder / "training.json").is_file():
        written = read_recipe_file(arguments.recipe or arguments.model)
    mode = written.get("mode", "finetune")
    if not folder.is_dir() or has_weights(arguments.model):
        mode = "linear" if arguments.recipe and mode == "linear" else "finetune"
    return {name: value for name, value in written.items() if name not in MACHINE_FIELDS} | {"mode": mode}


def parse_own(
    options: argparse.ArgumentParser,
    argv: Sequence[str],
    description: str,
    shown: Any = (RunArguments, TrainingRecipe),
) -> tuple[argparse.Namespace, list[str]]:
    """The options of one script, and the remaining arguments for `parse_training`; `--help` shows both and exits.

    Args:
        options: an `argparse.ArgumentParser(add_help=False, ...)`.
        shown: dataclasses of the other options, for the help.

    Examples:
        >>> from argparse import ArgumentParser
        >>> own = ArgumentParser(add_help=False)
        >>> _ = own.add_argument("--views", type=int, default=1)
        >>> motionhub.parse_own(own, ["--views", "2", "--epochs", "3"], "Train.")
        (Namespace(views=2), ['--epochs', '3'])
    """
    if {"-h", "--help"} & set(argv):  # before argparse complains about missing options
        others = HfArgumentParser(shown, add_help=False)
        helper = argparse.ArgumentParser(
            description=description,
            parents=[others, options],
            conflict_handler="resolve",  # a script's --momentum, of its queue, replaces the recipe's
            formatter_class=others.formatter_class,
        )
        helper.parse_args(["--help"])
    return options.parse_known_args(argv)


def load_splits(arguments: RunArguments) -> Mapping[str, Any]:
    """The splits of the raw files in `data_root`, else of a saved or Hub dataset; with `stream` as `ShardedRows`.

    Raises:
        ValueError: no such dataset, protocol or split.

    Examples:
        >>> for seed in range(4):
        ...     path = motionhub.write(motionhub.generate("wave", seed=seed), f"clips/wave/{seed}.npz")
        >>> arguments = motionhub.RunArguments("folder", "unik-posetics", "clips", "random-80-20")
        >>> sorted(motionhub.load_splits(arguments))
        ['test', 'train']
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
            f"{arguments.dataset} has the splits {list(splits)}, not --eval_split {arguments.eval_split}; name one of "
            "them, or build the dataset with a protocol that leaves some out (motionhub dataset build)."
        )
    return _in_protocol_order(arguments, splits) if arguments.class_order == "protocol" else splits


def _in_protocol_order(arguments: RunArguments, splits: DatasetDict) -> DatasetDict:
    """The splits with labels numbered as in the protocol, else a ValueError."""
    if arguments.data_root is not None:
        source = get_dataset(arguments.dataset)
        name, default = source.name, source.protocols[0].name
    else:
        some = splits[arguments.eval_split]
        name, default = str(some[0]["source"]), str(some.info.config_name)
    protocol = get_protocol(name, arguments.protocol or default)
    return DatasetDict({name: relabel(split, protocol) for name, split in splits.items()})


def _open_shards(arguments: RunArguments) -> dict[str, ShardedRows]:
    if arguments.data_root is not None or arguments.class_order != "dataset":
        raise ValueError(
            "--stream reads the shards of a saved dataset: build one with motionhub dataset build, then pass its "
            "folder as --dataset, without --data_root and --class_order."
        )
    names = dict.fromkeys(("train", arguments.eval_split))
    return {name: ShardedRows.from_saved(arguments.dataset, arguments.protocol, name) for name in names}


def _load_saved(arguments: RunArguments) -> DatasetDict:
    name = arguments.dataset
    if name in DATASETS and not Path(name).exists():
        raise ValueError(f"{name!r} is a reader of raw files: pass them as --data_root FOLDER_OR_ZIP.")
    if Path(name).is_file():
        raise ValueError(
            f"{name}: is a file; pass the folder of a saved dataset, or --dataset READER --data_root FILE."
        )
    check_dataset_folder(name)
    if not Path(name).exists() and HUB_ID.fullmatch(name):
        check_reachable(name, "dataset")
    require_cache()
    try:
        return load_dataset(name, arguments.protocol)
    except ConnectionError as error:
        raise ValueError(f"{name}: no such folder, and the Hub is unreachable ({one_line(error)}).") from None


def prepare_start(
    arguments: RunArguments, recipe: TrainingRecipe, dataset: Dataset, model_class: Any
) -> tuple[PreTrainedModel, Any]:
    """`prepare_model` with the arguments of a run, after a line on stderr that names the weights.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0, layout="coco-17", num_dims=2)
        >>> arguments = motionhub.RunArguments("data/waves", "unik-posetics")
        >>> recipe = motionhub.TrainingRecipe(mode="scratch")
        >>> model_class = motionhub.AutoModelForActionClassification
        >>> model, processor = motionhub.prepare_start(arguments, recipe, dataset, model_class)
    """
    if os.environ.get("RANK", "0") == "0":
        weights = "random weights" if recipe.mode == "scratch" else f"the weights of {arguments.model}"
        source = f", recipe of {arguments.recipe}" if arguments.recipe else ""
        print(f"motionhub: mode {recipe.mode}, from {weights}{source}.", file=sys.stderr)
    model, processor = prepare_model(
        arguments.model,
        dataset,
        model_class,
        mode=recipe.mode,
        layout=arguments.layout,
        seed=recipe.seed,
        processor=None if arguments.recipe is None else _recipe_processor(arguments.recipe, arguments.model),
    )
    return model, with_augmentation(processor, recipe.augmentation)


def _recipe_processor(recipe: str, model: str) -> Any:
    """The processor beside a recipe, if there is one, in the layout of the model."""
    folder = folder_of(recipe)
    if not (folder / "preprocessor_config.json").is_file():
        return None
    check_source(model, weights=False)
    processor, own = load_processor(folder), load_processor(model)
    people = min(processor.num_people, own.num_people)
    return type(processor).from_dict({**processor.to_dict(), "layout": own.layout, "num_people": people})


def prepare_model(
    source: str | Path,
    dataset: Dataset,
    model_class: Any,
    *,
    mode: str = "finetune",
    layout: str = "checkpoint",
    seed: int = 0,
    processor: Any = None,
) -> tuple[PreTrainedModel, Any]:
    """A model and a processor that are ready to train on `dataset`.

    The model gets the classes of the dataset, with a new head unless the checkpoint has the same ones. By default the
    processor converts skeletons to the layout of the checkpoint.

    Args:
        source: folder or Hub id with config.json, preprocessor_config.json and, unless `mode="scratch"`, weights. Of a
            model around an encoder (T-MOR, LTN) the encoder is used.
        dataset: rows of `motionhub.skeletons.rows` whose `label` is a ClassLabel.
        model_class: `motionhub.AutoModelForActionClassification` or a model class.
        mode: `"scratch"` initialises the weights of the config; `"finetune"` and `"linear"` load them.
        layout: `"checkpoint"`, or `"dataset"` for the layout of the dataset, which needs `mode="scratch"`.
        seed: of the random weights.
        processor: replaces that of the checkpoint; must produce the model's inputs.

    Raises:
        ValueError: no ClassLabel, no weights to load, weights that do not fit, or joints that cannot be converted.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0, layout="coco-17", num_dims=2)
        >>> model_class = motionhub.AutoModelForActionClassification
        >>> model, processor = motionhub.prepare_model("motionhub/unik-posetics", dataset, model_class, mode="scratch")
        >>> type(model).__name__
        'UnikForActionClassification'
    """
    class_names = class_names_of_dataset(dataset)
    check_source(source, weights=mode != "scratch")
    if mode == "scratch" and has_weights(source):
        warnings.warn(
            f"mode 'scratch': the weights in {source} are not used; mode 'finetune' starts from them", stacklevel=2
        )
    with _trainable_source(source, model_class) as (found, config):
        processor = load_processor(found) if processor is None else processor
        keep_head = class_names_of(config) == class_names
        config.id2label = dict(enumerate(class_names))
        config.label2id = {name: index for index, name in enumerate(class_names)}
        if layout == "dataset":
            processor = _take_layout(config, processor, dataset, mode)
        elif layout != "checkpoint":
            raise ValueError(f"layout must be 'checkpoint' or 'dataset', got {layout!r}.")
        check_inputs(config, processor, dataset)
        torch.manual_seed(seed)
        if mode == "scratch":
            make = model_class.from_config if hasattr(model_class, "from_config") else model_class
            return make(config), processor
        return _load_below_head(found, config, model_class, keep_head=keep_head), processor


def class_names_of_dataset(dataset: Dataset) -> list[str]:
    """The class names of the column `label`, which must be a ClassLabel.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=2, actions=["wave", "squat"])
        >>> motionhub.class_names_of_dataset(dataset)
        ['wave', 'squat']
    """
    feature = dataset.features.get("label")
    if not isinstance(feature, ClassLabel):
        raise ValueError(
            f"The dataset must have a ClassLabel column 'label', got {feature}; name the classes with "
            "dataset.cast_column('label', datasets.ClassLabel(names=[...]))."
        )
    return list(feature.names)


def check_inputs(config: PreTrainedConfig, processor: ClipProcessor, dataset: Dataset) -> None:
    """Raises ValueError when the processor cannot turn the dataset into inputs of the model.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, normalization="centre")
        >>> motionhub.check_inputs(motionhub.UnikConfig(num_joints=17, in_channels=3), processor, dataset)
    """
    row = dataset.with_format("numpy")[0]
    try:
        keypoints = processor.process(from_row(row))["keypoints"]
    except ValueError as error:
        raise ValueError(
            f"The processor of the checkpoint cannot read this dataset (layout {str(row['layout'])!r}, "
            f"{int(row['num_dims'])}-D, unit {str(row['unit'])!r}): {error} Either convert the clips first "
            "(motionhub.convert_layout), or train a model in their layout: mode='scratch' with layout='dataset'."
        ) from None
    for name, got in zip(("num_joints", "in_channels"), keypoints.shape[2:], strict=True):
        wanted = config.to_dict().get(name)
        if wanted is not None and wanted != got:
            raise ValueError(
                f"The model takes {name}={wanted}, but its processor gives {got} for this dataset (layout "
                f"{str(row['layout'])!r}); make config.json and preprocessor_config.json agree."
            )


def _take_layout(config: PreTrainedConfig, processor: Any, dataset: Dataset, mode: str) -> Any:
    """Sets the layout of the dataset in the config; returns the processor with it."""
    names = dataset.unique("layout")
    if mode != "scratch":
        raise ValueError(
            f"layout='dataset' (here {names}) changes the shape of the weights, so they cannot be loaded: use "
            "mode='scratch', or layout='checkpoint' to convert the skeletons."
        )
    if len(names) != 1:
        raise ValueError(f"layout='dataset' needs clips of one layout, got {names}; convert them to one.")
    layout = stated_layout(names[0])
    config.num_joints, config.layout = layout.num_joints, layout_text(layout)
    return type(processor).from_dict({**processor.to_dict(), "layout": names[0]})


def _load_below_head(source: str, config: PreTrainedConfig, model_class: Any, *, keep_head: bool) -> PreTrainedModel:
    """The model with the checkpoint's weights, and a new random head unless `keep_head`."""
    model, unfit = load_weights(source, model_class, config=config)
    below_head = model.base_model_prefix + "."
    unfit = [name for name in unfit if name.startswith(below_head)]
    if unfit:
        raise ValueError(
            f"The weights of {source} do not fit its config: {len(unfit)} tensors below the head are missing or have "
            f"another shape ({', '.join(unfit[:3])}, ...). Restore the checkpoint's config (num_joints, in_channels, "
            "channels), or use mode='scratch'."
        )
    if not keep_head:
        fresh = type(model)(model.config).state_dict()
        head = {name: value for name, value in fresh.items() if not name.startswith(below_head)}
        model.load_state_dict(head, strict=False)
    return model


@contextmanager
def _trainable_source(source: str | Path, model_class: Any) -> Iterator[tuple[str, PreTrainedConfig]]:
    """A checkpoint and its config; of a model without this head (T-MOR, LTN), its encoder in a temporary folder."""
    config = AutoConfig.from_pretrained(source)
    inside, known = getattr(config, "encoder_config", None), getattr(model_class, "_model_mapping", None)
    has_head = known is None or _has_model(known, config)
    if has_head or not isinstance(inside, PreTrainedConfig) or not _has_model(known, inside):
        yield str(source), config
        return
    with TemporaryDirectory() as folder:
        if not folder_of(source).is_dir() or has_weights(source):
            model: Any = load_checkpoint(source, AutoModel)[0]
            with quiet_transformers():
                model.encoder.save_pretrained(folder)
        else:
            inside.save_pretrained(folder)
        load_processor(source).save_pretrained(folder)
        yield folder, AutoConfig.from_pretrained(folder)


def _has_model(known: Any, config: PreTrainedConfig) -> bool:
    """Whether an auto class has a model for this config, rather than a refusal."""
    found = known.get(type(config), None)
    return isinstance(found, type) and issubclass(found, PreTrainedModel)
