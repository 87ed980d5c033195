"""The single-shot cross-view protocol (CV-MIM, tables 1 and 3): train on one camera, test on all.

A camera's score is the accuracy over the test clips of all cameras; the protocol's score is the mean over cameras.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from datasets import Dataset


# (training rows) -> class of every test row, (num_test,) integers
Fit = Callable[[Dataset], Any]


def single_shot(
    train_dataset: Dataset,
    test_dataset: Dataset,
    fit: Fit,
    *,
    camera_names: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """Trains once for each camera of the training rows.

    Args:
        train_dataset, test_dataset: labelled rows with `camera`.
        fit: called with the rows of one camera, see `Fit`.
        camera_names: names of the cameras in the report; their numbers by default.

    Returns:
        `top1`, the mean over cameras; `top1_known`, the same over the test clips of classes in that camera's training
        rows; and `cameras`: `top1`, `top1_known`, `same_camera`, `other_cameras` (None without such clips) and
        `num_clips` of each.

    Raises:
        ValueError: no rows, an unknown camera (-1) or label, or predictions that do not match the test rows.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=8, seed=0, actions=["wave", "squat"])
        >>> dataset = dataset.remove_columns("camera").add_column("camera", [0, 1] * 4)
        >>> report = motionhub.single_shot(dataset, dataset, lambda rows: [0] * len(dataset))
        >>> sorted(report["cameras"])
        ['0', '1']
    """
    cameras, labels = _known(train_dataset, "train_dataset")
    test_cameras, test_labels = _known(test_dataset, "test_dataset")
    report = {}
    for camera in np.unique(cameras):
        rows = train_dataset.select(np.flatnonzero(cameras == camera))
        predicted = np.asarray(fit(rows))
        if predicted.shape != test_labels.shape:
            raise ValueError(
                f"fit must return a class for {len(test_labels)} test clips, got an array {predicted.shape}."
            )
        right = predicted == test_labels
        trained = np.isin(test_labels, labels[cameras == camera])
        report[(camera_names or {}).get(int(camera), str(camera))] = {
            "top1": float(right.mean()),
            "top1_known": _mean(right[trained]),
            "same_camera": _mean(right[test_cameras == camera]),
            "other_cameras": _mean(right[test_cameras != camera]),
            "num_clips": len(rows),
        }
    known = [entry["top1_known"] for entry in report.values() if entry["top1_known"] is not None]
    return {
        "top1": float(np.mean([entry["top1"] for entry in report.values()])),
        "top1_known": _mean(np.array(known)),
        "cameras": report,
    }


def _known(dataset: Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    if not len(dataset):
        raise ValueError(f"{name} holds no clips.")
    cameras, labels = (
        np.asarray([-1 if value is None else value for value in dataset[column]]) for column in ("camera", "label")
    )
    unknown = int(((cameras < 0) | (labels < 0)).sum())
    if unknown:
        raise ValueError(
            f"{unknown} of {len(dataset)} clips of {name} have no camera or no label; leave them out with "
            "dataset.filter(lambda row: row['camera'] >= 0 and row['label'] >= 0)."
        )
    return cameras, labels


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
