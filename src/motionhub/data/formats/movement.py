"""Exchange with the package `movement`: xarray datasets of poses, which it reads of many animal-pose programs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motionhub.data.formats.format import ReadOptions, layout_of_names
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


if TYPE_CHECKING:
    import xarray


_DIMS = ("time", "space", "keypoints", "individuals")
# Errors of a dataset in memory name it so.
_NAME = Path("dataset")


def to_movement(sequence: SkeletonSequence) -> "xarray.Dataset":
    """The sequence as a dataset of poses of the package `movement`.

    Returns:
        variables `position` (time, space, keypoints, individuals), NaN where missing, and `confidence` (time,
        keypoints, individuals), NaN without; `time` in seconds; attributes `fps`, `unit`, `layout`, `up`.

    Raises:
        ImportError: xarray is not installed; the message has the command that does it.

    Examples:
        >>> dataset = motionhub.to_movement(motionhub.generate("wave", seed=0))  # doctest: +SKIP
        >>> dataset.position.dims  # doctest: +SKIP
        ('time', 'space', 'keypoints', 'individuals')
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError('to_movement needs xarray: pip install "motionhub[movement]"') from error

    confidence = sequence.confidence
    scores = np.full(sequence.keypoints.shape[:3], np.nan, np.float32) if confidence is None else confidence
    assert sequence.track_ids is not None
    return xarray.Dataset(
        {
            "position": (_DIMS, sequence.keypoints.transpose(1, 3, 2, 0)),
            "confidence": (("time", "keypoints", "individuals"), scores.transpose(1, 2, 0)),
        },
        coords={
            "time": np.arange(sequence.num_frames) / sequence.fps,
            "space": ["x", "y", "z"][: sequence.num_dims],
            "keypoints": list(sequence.layout.joints),
            "individuals": [f"id_{track}" for track in sequence.track_ids],
        },
        attrs={
            "fps": sequence.fps,
            "time_unit": "seconds",
            "source_software": "motionhub",
            "ds_type": "poses",
            "unit": sequence.unit,
            "layout": sequence.layout.name,
            "up": sequence.up or "",
        },
    )


def from_movement(
    dataset: "xarray.Dataset",
    *,
    layout: str | SkeletonLayout | None = None,
    fps: float | None = None,
    unit: str | None = None,
) -> SkeletonSequence:
    """The sequence in a dataset of poses of the package `movement`, or of `to_movement`.

    Args:
        dataset: with a variable `position` of (time, space, keypoints, individuals) in any order, and perhaps
            `confidence`.
        layout: selects its joints among the keypoints; by default they are the joints.
        fps: frames per second, where the dataset has none.
        unit: of the positions; by default that of the dataset, else pixels for two coordinates.

    Raises:
        ValueError: other dimensions, a unit or rate that the dataset lacks or contradicts.

    Examples:
        >>> dataset = motionhub.to_movement(motionhub.generate("wave", seed=0))  # doctest: +SKIP
        >>> motionhub.from_movement(dataset).num_people  # doctest: +SKIP
        1
    """
    options = ReadOptions(layout=layout, fps=fps, unit=unit)
    position = _array(dataset, "position", _DIMS)
    names = [str(name) for name in _coordinate(dataset, "keypoints", position.shape[2])]
    people = [str(name) for name in _coordinate(dataset, "individuals", position.shape[3])]
    space = [str(name) for name in _coordinate(dataset, "space", position.shape[1])]
    if space != ["x", "y", "z"][: len(space)] or len(space) < 2:
        raise ValueError(f"{_NAME}: space: expected x, y or x, y, z, got {space}.")
    confidence = None
    if "confidence" in dataset:
        scores = _array(dataset, "confidence", tuple(name for name in _DIMS if name != "space"))
        confidence = None if np.isnan(scores).all() else np.nan_to_num(scores).transpose(2, 0, 1)
    attrs = dict(dataset.attrs)
    found, order = layout_of_names(_NAME, names, options)
    points = position.transpose(3, 0, 2, 1)[:, :, order]
    numbers = [int(end) if re.fullmatch(r"\d{1,18}", end := name.rpartition("_")[2]) else -1 for name in people]
    unique = len(set(numbers)) == len(numbers) and min(numbers, default=0) >= 0
    stated = attrs.get("unit")
    return options.sequence(
        _NAME,
        points,
        found,
        fps=_rate(attrs),
        unit=options.unit_of(_NAME, stated or None, assumed="pixel" if len(space) == 2 else None),
        confidence=None if confidence is None else confidence[:, :, order],
        track_ids=tuple(numbers) if unique else None,
        up=str(attrs.get("up") or "") or None,
    )


def _array(dataset: Any, name: str, dims: tuple[str, ...]) -> np.ndarray:
    """A variable with its dimensions in this order; older and newer versions say keypoint or keypoints."""
    try:
        variable = dataset[name]
    except (KeyError, TypeError):
        raise ValueError(f"{_NAME}: {name}: expected a variable of this name, got {type(dataset).__name__}.") from None
    own = [each if each in _DIMS else f"{each}s" for each in map(str, variable.dims)]
    if sorted(own) != sorted(dims):
        raise ValueError(f"{_NAME}: {name}: expected the dimensions {dims}, got {tuple(variable.dims)}.")
    return np.asarray(variable.values, np.float64).transpose([own.index(each) for each in dims])


def _coordinate(dataset: Any, name: str, length: int) -> list[Any]:
    for own in (name, name.removesuffix("s")):
        if own in dataset.coords:
            return list(np.asarray(dataset.coords[own].values))
    return [f"{name.removesuffix('s')}_{number}" for number in range(length)]


def _rate(attrs: dict[str, Any]) -> float | None:
    """The rate that the dataset states, or None."""
    rate = attrs.get("fps")
    return float(rate) if isinstance(rate, int | float | np.number) and float(rate) > 0 else None
