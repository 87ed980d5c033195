"""Arrays with their metadata as `SkeletonSequence`s, for processors and pipelines."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

from motionhub.skeletons.checks import quick_checks
from motionhub.skeletons.rows import from_row
from motionhub.skeletons.sequence import SkeletonSequence


@runtime_checkable
class Tensor(Protocol):
    """A torch tensor by its methods, so that torch is not imported for arrays."""

    ndim: int

    def detach(self) -> Any:
        """Without its graph."""

    def cpu(self) -> Any:
        """On the CPU."""


ARRAYS = (np.ndarray, Tensor)
_LISTS = (list, tuple)


def sequence_of(
    array: Any, *, layout: Any, fps: Any, unit: Any, image_size: Any = None, confidence: Any = None, call: str = "pipe"
) -> SkeletonSequence:
    """One clip `(people, frames, joints, dims)` or `(frames, joints, dims)` as a sequence; nothing is inferred.

    Args:
        array: NumPy, torch (any device and float type), or nested lists.
        layout, fps, unit, image_size, confidence: as in `SkeletonSequence`; the first three are required.
        call: the function that the error names.
    """
    needed = {"layout": layout, "fps": fps, "unit": unit}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise ValueError(
            f"An array needs layout, fps and unit, but got none for {missing}; call "
            f'{call}(array, layout="coco-17", fps=30, unit="pixel") with what the array really is.'
        )
    return SkeletonSequence(_on_cpu(array), layout, fps, unit, confidence=_on_cpu(confidence), image_size=image_size)


def clips_of(
    inputs: Any, *, layout: Any, fps: Any, unit: Any, image_size: Any, confidence: Any
) -> list[SkeletonSequence | Mapping[str, Any]]:
    """The clips of a processor's input; arrays become sequences with their share of the metadata.

    A list of arrays, sequences or rows, and an array of five axes, are batches; any other list is one array.
    """
    items = list(inputs) if _is_batch(inputs) else [inputs]
    if not items:
        kind = "list" if isinstance(inputs, _LISTS) else "array"
        raise ValueError(f"A batch needs at least one SkeletonSequence, row or array, got an empty {kind}.")
    facts = {
        "layout": _shared(layout, len(items), "layout", _is_row(layout)),
        "fps": _shared(fps, len(items), "fps", _is_row(fps)),
        "unit": _shared(unit, len(items), "unit", _is_row(unit)),
        "image_size": _shared(image_size, len(items), "image_size", _are_sizes(image_size)),
        "confidence": _shared(confidence, len(items), "confidence", _is_row(confidence) and _is_batch(inputs)),
    }
    pairs = [(item, {name: values[index] for name, values in facts.items()}) for index, item in enumerate(items)]
    return each_of(pairs, lambda pair: _clip(*pair))


def checked_sequence(clip: Any) -> SkeletonSequence:
    """A clip, from a row if necessary; a ValueError for anything else."""
    if isinstance(clip, Mapping):
        clip = from_row(clip)
    if not isinstance(clip, SkeletonSequence):
        raise ValueError(
            f"Expected a SkeletonSequence (or a row of a motionhub dataset), got {type(clip).__name__}; call "
            'motionhub.SkeletonSequence(array, layout="coco-17", fps=30, unit="pixel"), or motionhub.read(path).'
        )
    return clip


def image_size_of(
    sequence: SkeletonSequence, default: Sequence[float] | None, who: str, others: str
) -> Sequence[float]:
    """(width, height) of a clip in pixels, or the default; errors say `who` needs it and which `others` do not."""
    if sequence.unit != "pixel":
        raise ValueError(
            f"{who} needs keypoints in pixels, got unit {sequence.unit!r}; give pixels together with image_size, or "
            f"use {others}."
        )
    size = sequence.image_size or default
    if size is None:
        raise ValueError(
            f"{who} needs the image size, but the sequence has none; call sequence.replace(image_size=(width, "
            f"height)), set default_image_size=[640, 480] (official files), or use {others}."
        )
    return size


def each_of(items: Sequence[Any], function: Callable[[Any], Any]) -> list[Any]:
    """`function` of every clip; the `ValueError` of one among several states its position."""
    results = []
    for index, item in enumerate(items):
        try:
            results.append(function(item))
        except ValueError as error:
            if len(items) == 1:
                raise
            raise ValueError(f"sequences[{index}] of {len(items)}: {error}") from None
    return results


def warn_of_findings(sequence: SkeletonSequence, name: str) -> None:
    """A warning for each likely mistake in the numbers, such as scores read as coordinates."""
    for finding in quick_checks(sequence):
        warnings.warn(f"{name}: {finding}.", stacklevel=3)


def check_choices(fields: Any, choices: Mapping[str, tuple[Any, ...]]) -> None:
    """Raises a `ValueError` unless each named attribute of `fields` has one of its values."""
    for name, known in choices.items():
        if getattr(fields, name) not in known:
            raise ValueError(f"{name} must be one of {known}, got {getattr(fields, name)!r}.")


def describe(sequence: SkeletonSequence) -> str:
    """A sequence in a few words, for warnings."""
    return f"a {sequence.layout.name} sequence (people {sequence.num_people}, frames {sequence.num_frames})"


def _clip(item: Any, facts: Mapping[str, Any]) -> Any:
    if not isinstance(item, (*ARRAYS, *_LISTS)):
        return item  # sequences and rows keep their own metadata
    sequence = sequence_of(item, call="processor", **facts)
    warn_of_findings(sequence, describe(sequence))
    if not sequence.joint_mask.any():
        warnings.warn(f"{describe(sequence)}: no valid keypoints, all masks are False.", stacklevel=2)
    return sequence


def _is_batch(inputs: Any) -> bool:
    """Whether these are several clips: an array of five axes, or a list of clips."""
    if not isinstance(inputs, _LISTS):
        return isinstance(inputs, ARRAYS) and inputs.ndim == 5
    nested = all(isinstance(entry, (*_LISTS, Real)) for entry in inputs)
    return not inputs or not nested or _levels(inputs) == 5


def _levels(nested: Any) -> int:
    """Axes of the array that nested lists make, by the first entries."""
    levels = 0
    while isinstance(nested, _LISTS) and nested:
        nested, levels = nested[0], levels + 1
    return levels + (nested.ndim if isinstance(nested, ARRAYS) else 0)


def _shared(value: Any, count: int, name: str, one_per_clip: bool) -> list[Any]:
    """The value for each of the clips."""
    if not one_per_clip:
        return [value] * count
    if len(value) != count:
        clips = "1 clip" if count == 1 else f"{count} clips"
        raise ValueError(f"{name} has {len(value)} entries for {clips}; give one for all clips, or one for each.")
    return list(value)


def _is_row(value: Any) -> bool:
    return isinstance(value, _LISTS) or (isinstance(value, ARRAYS) and value.ndim > 0)


def _are_sizes(value: Any) -> bool:
    """Whether these are several image sizes, not one (width, height)."""
    if isinstance(value, ARRAYS):
        return value.ndim == 2
    return isinstance(value, _LISTS) and len(value) > 0 and not any(isinstance(side, Real) for side in value)


def _on_cpu(array: Any) -> Any:
    """float32, as NumPy has no bfloat16."""
    return array.detach().cpu().float().numpy() if isinstance(array, Tensor) else array
