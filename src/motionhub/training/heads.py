"""Fits a checkpoint to a dataset before training: its classes, its head, its joints.

It does not know model families: the class that makes the model (`AutoModelForActionClassification`) is an argument.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from datasets import ClassLabel, Dataset
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from motionhub.skeletons.layouts import layout_text, stated_layout
from motionhub.skeletons.rows import from_row
from motionhub.training.dataset import class_names_of
from motionhub.training.sources import check_source, has_weights, load_processor, load_weights, trainable_source


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

    The classes come from the dataset. A head whose classes differ from the checkpoint's is made anew; everything below
    it must fit. By default the processor converts the dataset's skeletons to the layout of the checkpoint.

    Args:
        source: folder or Hub id with config.json, preprocessor_config.json and, unless `mode="scratch"`, weights. Of a
            model around an encoder (T-MOR, LTN) the encoder is taken.
        dataset: rows of `motionhub.skeletons.rows` whose `label` is a ClassLabel.
        model_class: `motionhub.AutoModelForActionClassification` or a model class.
        mode: `"scratch"` makes random weights from the config; `"finetune"` and `"linear"` load them.
        layout: `"checkpoint"` keeps the layout of the checkpoint; `"dataset"` takes the dataset's, which changes the
            shape of the model and therefore needs `mode="scratch"`.
        seed: of the random weights.
        processor: instead of the checkpoint's own; must give what the model takes.

    Raises:
        ValueError: no ClassLabel, no weights to load, weights that do not fit, or joints that cannot be converted.
    """
    class_names = class_names_of_dataset(dataset)
    check_source(source, weights=mode != "scratch")
    if mode == "scratch" and has_weights(source):
        warnings.warn(
            f"mode 'scratch': the weights in {source} are not used; mode 'finetune' starts from them", stacklevel=2
        )
    with trainable_source(source, model_class) as found:
        return _prepared(found, dataset, class_names, model_class, mode, layout, seed, processor)


def _prepared(
    source: str,
    dataset: Dataset,
    class_names: list[str],
    model_class: Any,
    mode: str,
    layout: str,
    seed: int,
    processor: Any,
) -> tuple[PreTrainedModel, Any]:
    config = AutoConfig.from_pretrained(source)
    processor = load_processor(source) if processor is None else processor
    known_names = class_names_of(config)
    set_labels(config, class_names)
    if layout == "dataset":
        processor = _take_layout(config, processor, dataset, mode)
    elif layout != "checkpoint":
        raise ValueError(f"layout must be 'checkpoint' or 'dataset', got {layout!r}.")
    check_inputs(config, processor, dataset)
    torch.manual_seed(seed)
    if mode == "scratch":
        make = model_class.from_config if hasattr(model_class, "from_config") else model_class
        return make(config), processor
    return _load(source, config, model_class, keep_head=known_names == class_names), processor


def class_names_of_dataset(dataset: Dataset) -> list[str]:
    """The names of the ClassLabel column `label`."""
    feature = dataset.features.get("label")
    if not isinstance(feature, ClassLabel):
        raise ValueError(
            f"The dataset must have a ClassLabel column 'label', got {feature}; name the classes with "
            "dataset.cast_column('label', datasets.ClassLabel(names=[...]))."
        )
    return list(feature.names)


def set_labels(config: PreTrainedConfig, class_names: list[str]) -> None:
    """Write the classes into a config: num_labels, id2label, label2id."""
    config.id2label = dict(enumerate(class_names))
    config.label2id = {name: index for index, name in enumerate(class_names)}


def check_inputs(config: PreTrainedConfig, processor: Any, dataset: Dataset) -> None:
    """Raise a ValueError when the processor cannot turn the dataset into what the model takes."""
    row = dataset.with_format("numpy")[0]
    try:
        keypoints = processor.process(from_row(row))["keypoints"]
    except ValueError as error:
        raise ValueError(
            f"The processor of the checkpoint cannot read this dataset (layout {str(row['layout'])!r}, "
            f"{int(row['num_dims'])}-D, unit {str(row['unit'])!r}): {error} Either convert the data first "
            "(motionhub.convert_layout), or train a model of its own layout: mode='scratch' with layout='dataset'."
        ) from None
    expected = {name: config.to_dict().get(name) for name in ("num_joints", "in_channels")}
    for (name, wanted), got in zip(expected.items(), keypoints.shape[2:], strict=True):
        if wanted is not None and wanted != got:
            raise ValueError(
                f"The model takes {name}={wanted}, but its processor gives {got} for this dataset (layout "
                f"{str(row['layout'])!r}); make config.json and preprocessor_config.json agree."
            )


def _take_layout(config: PreTrainedConfig, processor: Any, dataset: Dataset, mode: str) -> Any:
    """The config and the processor changed to the dataset's own layout."""
    names = dataset.unique("layout")
    if mode != "scratch":
        raise ValueError(
            f"layout='dataset' (here {names}) changes the shape of the weights, so they cannot be loaded: use "
            "mode='scratch', or layout='checkpoint', which converts the skeletons."
        )
    if len(names) != 1:
        raise ValueError(f"layout='dataset' needs clips of one layout, got {names}; convert them to one.")
    layout = stated_layout(names[0])
    config.num_joints, config.layout = layout.num_joints, layout_text(layout)
    return type(processor).from_dict({**processor.to_dict(), "layout": names[0]})


def _load(source: str, config: PreTrainedConfig, model_class: Any, *, keep_head: bool) -> PreTrainedModel:
    model, unfit = load_weights(source, model_class, config=config)
    below_head = model.base_model_prefix + "."
    unfit = [name for name in unfit if name.startswith(below_head)]
    if unfit:
        raise ValueError(
            f"The weights of {source} do not fit its config: {len(unfit)} tensors below the head are missing or have "
            f"another shape ({', '.join(unfit[:3])}, ...). Restore the checkpoint's own config (num_joints, "
            "in_channels, channels), or use mode='scratch'."
        )
    if not keep_head:
        _renew_head(model, below_head)
    return model


def _renew_head(model: PreTrainedModel, below_head: str) -> None:
    """Random weights above the backbone: a head of other classes, even as many, has learned other things."""
    fresh = type(model)(model.config).state_dict()
    head = {name: value for name, value in fresh.items() if not name.startswith(below_head)}
    model.load_state_dict(head, strict=False)
