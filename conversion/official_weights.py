"""Shared by all conversions: facts of the config, filling of the model, and comparison with official formulas."""

from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

import motionhub


TOLERANCE = 1e-4  # of float32 results, relative


def layout_and_labels(
    layout: str | None, num_joints: int, class_names: list[str] | None, num_labels: int | None
) -> dict[str, Any]:
    """The config fields besides sizes: layout, id2label, label2id. `num_labels` is None without a classifier.

    Raises:
        ValueError: no layout, or layout or class names contradict the weights.
    """
    if layout is None:
        raise ValueError(
            f"The weights have {num_joints} joints, which no official layout has; name theirs with --layout."
        )
    joints = motionhub.get_layout(layout).num_joints
    if joints != num_joints:
        raise ValueError(f"Layout {layout!r} has {joints} joints, the weights have {num_joints}.")
    if class_names is not None and num_labels is not None and len(class_names) != num_labels:
        raise ValueError(f"The weights have {num_labels} classes, but {len(class_names)} class names were given.")
    names = class_names or [f"class {index}" for index in range(num_labels or 2)]
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    return {"layout": layout, **labels}


def fill(model: PreTrainedModel, converted: dict[str, Tensor], title: str) -> None:
    """Put the converted weights into a model, which is in evaluation mode then.

    Raises:
        ValueError: entries without a place, weights that stay empty, other shapes; it lists them.
    """
    own = model.state_dict()
    report = {
        "entries without a place": sorted(set(converted) - set(own)),
        "weights not in the file": sorted(set(own) - set(converted)),
        "other shapes": [
            f"{key} {tuple(converted[key].shape)} instead of {tuple(own[key].shape)}"
            for key in sorted(set(own) & set(converted))
            if converted[key].shape != own[key].shape
        ],
    }
    problems = [f"{len(keys)} {what}: {', '.join(keys[:10])}" for what, keys in report.items() if keys]
    if problems:
        raise ValueError(f"The file does not fit {title}. " + "; ".join(problems) + ".")
    model.load_state_dict(converted)
    model.eval()


def relative_difference(*pairs: tuple[Tensor, Tensor]) -> float:
    """The largest difference of results (converted, official), relative to the largest official number.

    Raises:
        ValueError: it is above 1e-4.
    """
    difference = max(
        float((got.double() - official).abs().max() / official.abs().max().clamp(min=1e-12)) for got, official in pairs
    )
    if not difference <= TOLERANCE:
        raise ValueError(
            f"The converted model differs from the official formulas by {difference:.1e} (relative); not usable."
        )
    return difference
