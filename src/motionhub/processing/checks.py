"""Which values the fields of a `SkeletonProcessor` may have.

It does not know sequences: whether a clip fits the fields is seen when it is processed.
"""

from collections.abc import Mapping
from typing import Any

from motionhub.processing.filling import FILLS
from motionhub.processing.normalization import CENTRINGS, SCALES
from motionhub.skeletons.layouts import get_layout, stated_layout
from motionhub.skeletons.sequence import UNITS


CHOICES: dict[str, tuple[Any, ...]] = {
    "num_dims": (2, 3),
    "unit": (None, *UNITS),
    "stream": ("joint", "bone", "velocity"),
    "normalization": ("none", "screen", "centre", "torso", "agcn-3d", "unik-3d"),
    "centring": (None, *CENTRINGS),
    "scale": SCALES,
    "people_selection": ("energy", "first"),
    "train_sampling": ("random-window", "uniform-random", "resize", "all"),
    "test_sampling": ("all", "centre-window", "uniform", "resize"),
    "padding": ("mask", "replay"),
    "fill": FILLS,
}
NEEDS_NUM_FRAMES = ("uniform-random", "uniform", "resize", "centre-window")


def check_fields(processor: Any) -> None:
    """Raise the `ValueError` that names the first field whose value cannot be used, and what can."""
    for name, choices in CHOICES.items():
        if getattr(processor, name) not in choices:
            raise ValueError(f"{name} must be one of {choices}, got {getattr(processor, name)!r}.")
    for name in ("num_people", "num_frames", "test_num_frames"):
        value = getattr(processor, name)
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be a positive integer or None, got {value!r}.")
    if processor.fps is not None and not processor.fps > 0:
        raise ValueError(f"fps must be positive or None, got {processor.fps!r}.")
    for name in ("train_crop_fraction", "joint_drop_probability", "mirror_probability"):
        if not 0 <= getattr(processor, name) <= 1:
            raise ValueError(f"{name} must be between 0 and 1, got {getattr(processor, name)!r}.")
    for name, length in (
        ("rotation_degrees", 3),
        ("vertical_bone", 2),
        ("lateral_bone", 2),
        ("default_image_size", 2),
    ):
        value = getattr(processor, name)
        switched_off = name == "lateral_bone" and value == []
        if value is not None and not switched_off and (isinstance(value, str) or len(value) != length):
            raise ValueError(f"{name} must be a list of {length}, got {value!r}.")
    layout = get_layout(processor.layout)
    for joint in (processor.centre_joint, *(processor.vertical_bone or ()), *(processor.lateral_bone or ())):
        if joint is not None:
            layout.index(joint)
    _check_sampling(processor)


def check_carried(stored: Mapping[str, Any]) -> None:
    """Raises a ValueError unless a saved processor holds its layout: a path means nothing on another machine."""
    if "layout" not in stored:
        return
    try:
        stated_layout(stored["layout"])
    except ValueError as error:
        raise ValueError(
            f"preprocessor_config.json does not carry its layout: {error} From a file, once: "
            "SkeletonProcessor.from_pretrained(folder, layout='my_layout.yaml').save_pretrained(folder)."
        ) from None


def _check_sampling(processor: Any) -> None:
    test_frames = processor.test_num_frames or processor.num_frames
    for name, frames in (("train_sampling", processor.num_frames), ("test_sampling", test_frames)):
        if getattr(processor, name) in NEEDS_NUM_FRAMES and frames is None:
            raise ValueError(
                f"{name}={getattr(processor, name)!r} needs num_frames, got None; pass num_frames=100, say."
            )
