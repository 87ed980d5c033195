"""Checkpoints that a run starts from: checked, then loaded, with a one-line error for what is missing or broken."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from motionhub.data.datasets.datasets import DATASETS
from motionhub.hub.packaged import folder_of, packaged_folder, similar_ids, without_weights
from motionhub.hub.reachable import check_reachable
from motionhub.processing.skeleton import with_augmentation
from motionhub.runtime.checkpoint_fields import read_fields
from motionhub.training.arguments import read_recipe_file


# The files that `from_pretrained` looks for: one with all weights, or an index of several.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# Of weights with code in them, and of configs whose values fit no model.
_LOADING_ERRORS = (
    *(LookupError, OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError, StrictDataclassError),
    *(TypeError, AttributeError, OverflowError, MemoryError),
)
_HOLDS_CODE = "its weights (.bin) are damaged or hold code, which is not run; ask the authors for model.safetensors."
_LONGEST_LINE = 500


def has_weights(source: str | Path) -> bool:
    """Whether a folder or a packaged checkpoint holds weights; False for any other Hub id."""
    return any((folder_of(source) / name).is_file() for name in WEIGHTS)


def check_source(source: str | Path, *, weights: bool = True) -> None:
    """Raises a one-line ValueError when `from_pretrained` cannot load this folder or packaged checkpoint.

    Args:
        source: folder or Hub id (`owner/name`) of a checkpoint; ids that are not packaged pass.
        weights: False if `config.json` and `preprocessor_config.json` are enough.
    """
    folder = packaged_folder(source) or Path(source)
    # An id of the Hub; but the name of a folder beside others is that of a folder.
    if not folder.exists() and HUB_ID.fullmatch(str(source)) and not folder.parent.is_dir():
        check_reachable(str(source))
        return
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        beside = [str(folder.with_name(name)) for name in close_names(folder)]
        similar = beside or similar_ids(str(source))
        meant = f"; did you mean {' or '.join(similar)}?" if similar and not folder.exists() else "."
        wanted = "the folder of a checkpoint (config.json, ...) or a Hub id"
        raise ValueError(f"{source}: {what}; expected {wanted}{meant}")
    config = read_fields(folder / "config.json")
    if "model_type" not in config:
        raise ValueError(f"{folder / 'config.json'}: has no 'model_type'; restore the checkpoint's config.json.")
    read_fields(folder / "preprocessor_config.json")
    present = [folder / name for name in (*WEIGHTS, "model.onnx") if (folder / name).is_file()]
    if weights and not present and packaged_folder(source):
        raise ValueError(without_weights(str(source)))
    if weights and not present:
        raise ValueError(
            f"{source} holds no weights (model.safetensors), only {sorted(path.name for path in folder.iterdir())}; "
            "convert the authors' file (python conversion/unik.py SOURCE OUTPUT_DIR --like FOLDER) or train a model "
            "(motionhub train --mode scratch), then use that folder."
        )
    if weights and present[0].suffix == ".safetensors":
        _check_readable(present[0])


def close_names(path: Path) -> list[str]:
    """Names beside a path that are close to its own, best first."""
    names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return get_close_matches(path.name, names)


def check_dataset_folder(name: str) -> None:
    """Raises ValueError for a folder that does not exist where folders beside it do, or without an owner/name."""
    path = Path(name)
    if path.exists() or (HUB_ID.fullmatch(name) and not path.parent.is_dir()):
        return
    near = [str(path.with_name(each)) for each in close_names(path)] or get_close_matches(name, list(DATASETS))
    card = path.parent / "README.md"
    if card.is_file() and f"config_name: {path.name}\n" in card.read_text(encoding="utf-8", errors="replace"):
        near = [f"--dataset {path.parent} --protocol {path.name}"]
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"{name}: no such folder, expected a saved dataset (motionhub dataset build) or a Hub id{meant}")


def one_line(error: BaseException) -> str:
    """The message of an error in one line; of a quoted traceback only the last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        lines = lines[-1:]
    line = " ".join(" ".join(lines).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _check_readable(path: Path) -> None:
    try:
        with safe_open(path, framework="pt") as content:
            content.keys()
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: is corrupt or truncated ({one_line(error)}); download or convert it again."
        ) from None


def load_for_pretraining(
    source: str | Path, mode: str, seed: int, model_class: Any = AutoModel, *, anew: str = ""
) -> tuple[PreTrainedModel, Any]:
    """The model to pre-train, and its processor.

    Args:
        source: folder or Hub id.
        mode: `"scratch"` initialises the weights of the config; any other mode loads them.
        seed: of the random weights.
        model_class: an auto class of transformers.
        anew: prefix of the tensors that the weights may lack; "" for none.

    Raises:
        ValueError: a part is missing or broken, or the weights do not fit.

    Examples:
        >>> model, processor = motionhub.load_for_pretraining("motionhub/unik-posetics", mode="scratch", seed=0)
        >>> type(model).__name__
        'UnikModel'
    """
    check_source(source, weights=mode != "scratch")
    processor = load_processor(source)
    torch.manual_seed(seed)
    if mode == "scratch":
        return model_class.from_config(AutoConfig.from_pretrained(source)), processor
    model, unfit = load_weights(source, model_class)
    if wrong := [name for name in unfit if not (anew and name.startswith(anew))]:
        raise ValueError(f"The weights of {source} do not fit its config: {wrong[:3]}; use --mode scratch.")
    return model, processor


def load_checkpoint(source: str | Path, model_class: Any) -> tuple[PreTrainedModel, Any]:
    """The model, in evaluation mode, and the processor of a complete checkpoint.

    Args:
        source: folder or Hub id.
        model_class: has `from_pretrained`, e.g. `motionhub.AutoModelForActionClassification`.

    Raises:
        ValueError: a part is missing or broken, or the weights lack a tensor, e.g. of the head.

    Examples:
        >>> config = motionhub.UnikConfig(channels=[8], strides=[1], num_labels=2)
        >>> motionhub.UnikForActionClassification(config).save_pretrained("mine")
        >>> _ = motionhub.SkeletonProcessor(layout="coco-17").save_pretrained("mine")
        >>> model_class = motionhub.AutoModelForActionClassification
        >>> model, processor = motionhub.load_checkpoint("mine", model_class)
        >>> model.training
        False
    """
    check_source(source)
    processor = load_processor(source)
    model, unfit = load_weights(source, model_class)
    if unfit:
        raise ValueError(
            f"The weights of {source} do not fill a {type(model).__name__} of its config.json: {len(unfit)} tensors "
            f"are missing or have another shape ({', '.join(unfit[:3])}{', ...' if len(unfit) > 3 else ''}). Restore "
            "the checkpoint's config.json; train an encoder without a head first (motionhub train)."
        )
    return model.eval(), processor


def load_weights(source: str | Path, model_class: Any, **options: Any) -> tuple[PreTrainedModel, list[str]]:
    """The model in float32, and its tensors that are missing in the weights or have another shape there.

    `options` go to `from_pretrained`, whose errors become a ValueError.
    """
    try:
        with quiet_transformers():
            model, info = model_class.from_pretrained(
                str(source), dtype=torch.float32, ignore_mismatched_sizes=True, output_loading_info=True, **options
            )
    except UnpicklingError:
        raise ValueError(f"{source} cannot be loaded: {_HOLDS_CODE}") from None
    except _LOADING_ERRORS as error:
        raise ValueError(f"{source} cannot be loaded: {one_line(error)}") from None
    mismatched = [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]]
    return model, sorted({*mismatched, *info["missing_keys"]})


def load_processor(source: str | Path) -> Any:
    """The processor of a checkpoint, with the augmentation of the recipe beside it unless it has its own.

    Raises:
        ValueError: names the wrong field of its file or of the recipe.

    Examples:
        >>> motionhub.load_processor("motionhub/unik-posetics").layout
        'posetics-17'
    """
    try:
        processor = AutoFeatureExtractor.from_pretrained(str(source))
    except (OSError, ValueError, TypeError) as error:
        if not folder_of(source).exists() and isinstance(error, OSError):
            near = similar_ids(str(source))
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(
                f"{source}: no such folder, and no model of the Hub that can be reached from here.{meant}"
            ) from None
        raise ValueError(f"{source}: preprocessor_config.json cannot be used: {one_line(error)}") from None
    recipe = folder_of(source) / "training.json"
    if hasattr(processor, "augmentation") and not processor.augmentation.to_dict() and recipe.is_file():
        return with_augmentation(processor, read_recipe_file(recipe).get("augmentation"))
    return processor


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hides transformers' table of missing and mismatched tensors, which become one error here."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
