"""Loads a checkpoint to use it as it is, and says in one line what a folder lacks where transformers takes fifty.

It does not know model families (the class that makes the model is an argument) nor datasets; to train a checkpoint on
other classes see `heads.py`.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from motionhub.hub.packaged import folder_of, packaged_folder, similar_ids, without_weights
from motionhub.processing.skeleton import with_augmentation
from motionhub.training.arguments import read_recipe_file


# What `from_pretrained` looks for: one file, or the list of the files that hold a share each.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def check_source(source: str | Path, *, weights: bool = True) -> None:
    """Raises a one-line ValueError when `source` is no folder that `from_pretrained` can load; ids of the Hub pass.

    Args:
        source: folder or Hub id (`owner/name`) of a checkpoint; one that is packaged is checked as a folder.
        weights: whether weights are needed; without, `config.json` and `preprocessor_config.json` are enough.
    """
    folder = packaged_folder(source) or Path(source)
    if not folder.exists() and _HUB_ID.fullmatch(str(source)):
        return
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        similar = similar_ids(str(source))
        meant = f"; did you mean {' or '.join(similar)}?" if similar and not folder.exists() else "."
        wanted = "the folder of a checkpoint (config.json, ...) or a Hub id"
        raise ValueError(f"{source}: {what}; expected {wanted}{meant}")
    config = _read_object(folder / "config.json")
    if "model_type" not in config:
        raise ValueError(f"{folder / 'config.json'}: has no 'model_type'; restore the checkpoint's own config.json.")
    _read_object(folder / "preprocessor_config.json")
    present = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if weights and not present and packaged_folder(source):
        raise ValueError(without_weights(str(source)))
    if weights and not present:
        raise ValueError(
            f"{source} holds no weights (model.safetensors), only {sorted(path.name for path in folder.iterdir())}; "
            "convert the authors' file (python conversion/unik.py SOURCE OUTPUT_DIR --like FOLDER), or train some "
            "(motionhub train --mode scratch), then name the folder made so."
        )
    if weights and present[0].suffix == ".safetensors":
        _check_readable(present[0])


def has_weights(source: str | Path) -> bool:
    """Whether a folder, or what is packaged under an id, holds weights; False for any other Hub id."""
    return any((folder_of(source) / name).is_file() for name in WEIGHTS)


def load_checkpoint(source: str | Path, model_class: Any) -> tuple[PreTrainedModel, Any]:
    """The model, in evaluation mode, and the processor of a complete checkpoint.

    Args:
        source: folder or Hub id.
        model_class: has `from_pretrained`, e.g. `motionhub.AutoModelForActionClassification`.

    Raises:
        ValueError: a part is absent or broken, or the weights do not fill the model exactly: nothing is filled with
            random numbers, as `from_pretrained` itself does for a head that the checkpoint lacks.
    """
    check_source(source)
    processor = load_processor(source)
    model, unfit = load_weights(source, model_class)
    if unfit:
        raise ValueError(
            f"The weights of {source} do not fill a {type(model).__name__} of its config.json: {len(unfit)} tensors "
            f"are absent or have another shape ({', '.join(unfit[:3])}{', ...' if len(unfit) > 3 else ''}). Restore "
            "the checkpoint's own config.json; an encoder without a head is trained first (motionhub train)."
        )
    return model.eval(), processor


def load_weights(source: str | Path, model_class: Any, **options: Any) -> tuple[PreTrainedModel, list[str]]:
    """The model in float32, and the names of its tensors that the weights do not fill (absent, or another shape).

    Args:
        options: more of `from_pretrained`, e.g. `config`.

    Raises:
        ValueError: nothing can be loaded.
    """
    try:
        with _quiet():
            model, info = model_class.from_pretrained(
                str(source), dtype=torch.float32, ignore_mismatched_sizes=True, output_loading_info=True, **options
            )
    except (LookupError, OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{source} cannot be loaded: {one_line(error)}") from None
    mismatched = [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]]
    return model, sorted({*mismatched, *info["missing_keys"]})


def start_pretext(
    source: str | Path, mode: str, seed: int, model_class: Any, *, anew: str = ""
) -> tuple[PreTrainedModel, Any]:
    """The model that a pretext trains, and its processor.

    Args:
        source: folder or Hub id.
        mode: `"scratch"` makes random weights from the config; any other loads them.
        seed: of the random weights.
        model_class: of transformers' auto classes.
        anew: tensors whose names begin so may be absent from the weights; "": none.

    Raises:
        ValueError: a part is absent or broken, or the weights do not fit.
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


@contextmanager
def trainable_source(source: str | Path, model_class: Any) -> Iterator[str]:
    """The checkpoint itself; of one that has no such head (T-MOR, LTN), the encoder inside, in a folder for a while.

    Args:
        source: folder or Hub id that passes `check_source`.
        model_class: of transformers' auto classes, or a model class, which takes the checkpoint as it is.
    """
    config = AutoConfig.from_pretrained(source)
    inside, known = getattr(config, "encoder_config", None), getattr(model_class, "_model_mapping", None)
    has_head = known is None or _has_model(known, config)
    if has_head or not isinstance(inside, PreTrainedConfig) or not _has_model(known, inside):
        yield str(source)
        return
    with TemporaryDirectory() as folder:
        if not folder_of(source).is_dir() or has_weights(source):
            model: Any = load_checkpoint(source, AutoModel)[0]
            with _quiet():
                model.encoder.save_pretrained(folder)
        else:
            inside.save_pretrained(folder)
        load_processor(source).save_pretrained(folder)
        yield folder


def _has_model(known: Any, config: PreTrainedConfig) -> bool:
    """Whether an auto class has a model for this config, and not only a refusal."""
    found = known.get(type(config), None)
    return isinstance(found, type) and issubclass(found, PreTrainedModel)


def load_processor(source: str | Path) -> Any:
    """The processor of a checkpoint; where it names no augmentation, with that of the recipe beside it.

    Raises:
        ValueError: says which field of its file, or of the recipe, is wrong.
    """
    try:
        processor = AutoFeatureExtractor.from_pretrained(str(source))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{source}: preprocessor_config.json cannot be used: {one_line(error)}") from None
    recipe = folder_of(source) / "training.json"
    if hasattr(processor, "augmentation") and not processor.augmentation.to_dict() and recipe.is_file():
        return with_augmentation(processor, read_recipe_file(recipe).get("augmentation"))
    return processor


def one_line(error: BaseException) -> str:
    """The message of an error without its line breaks; of a quoted traceback only the end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        lines = lines[-1:]
    return " ".join(lines)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); a checkpoint needs this file.") from None
    except ValueError as error:  # not JSON, or not even text
        raise ValueError(f"{path}: not valid JSON ({error}); restore the checkpoint's own file.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, got a {type(content).__name__}.")
    return content


def _check_readable(path: Path) -> None:
    try:
        with safe_open(path, framework="pt") as content:
            content.keys()
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: is corrupt or cut off ({one_line(error)}); download or convert it again.") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the table of missing and misfit tensors that transformers logs: they become one error here."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
