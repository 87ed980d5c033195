"""The tensors in files with more than a model: `{"model": {...}, "optimizer": ..., "epoch": 7}`."""

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor


def read_tensors(path: Path, nested: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors of a file, from under the first of the names `nested` that it has, without the prefix `module.`.

    Raises:
        ValueError: no such file, not a checkpoint, one that holds code, or no dict of tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, AttributeError) as error:
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise ValueError(
                f"{path} holds more than tensors ({code[1]}) and is refused, because unpickling it could run code. "
                f"Where you trust it, save its tensors alone: torch.save(torch.load(path, weights_only=False)"
                f"[{nested[0]!r}], new_path)."
            ) from None
        raise ValueError(f"{path} is not a PyTorch checkpoint, or is damaged; download it again.") from None
    inside = next((content[name] for name in nested if isinstance(content, dict) and name in content), content)
    tensors = isinstance(inside, dict) and all(isinstance(value, Tensor) for value in inside.values())
    if not tensors or not inside:
        held = [str(key) for key in inside][:8] if isinstance(inside, dict) else type(inside).__name__
        raise ValueError(f"{path}: expected tensors by name, alone or under one of {nested}, got {held}.")
    return {key.removeprefix("module."): tensor for key, tensor in inside.items()}
