"""Repeating the training clips of rare classes, as UNIK's code does for the cross-view protocols of Smarthome.

Nothing here is a default: the caller asks for the repetition by name.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from datasets import ClassLabel, Dataset

from motionhub.data.datasets.dataset import listed_clips


# Clips of each class in Toyota Smarthome, all cameras and performers (Das et al., ICCV 2019; UNIK's data generation).
SMARTHOME_CLIPS = listed_clips("smarthome")
ENOUGH = 1000
# Name of a repetition -> class -> how often each of its training clips is seen in an epoch.
REPETITIONS: dict[str, dict[str, int]] = {
    "smarthome-cross-view": {
        name: round(ENOUGH / clips) if clips < ENOUGH else 1 for name, clips in SMARTHOME_CLIPS.items()
    }
}


def repeated_rows(labels: Sequence[int], class_names: Sequence[str], times: Mapping[str, int]) -> np.ndarray:
    """`(rows,)` int64: the position of each row, as often as its class is to be seen, copies side by side.

    Args:
        labels: of the training rows, numbers in `class_names`.
        times: class name -> how often.

    Raises:
        ValueError: a row has no label, or one of a class that `times` lacks.
    """
    numbers = np.asarray(labels, dtype=np.int64)
    strangers = sorted({class_names[label] if label >= 0 else "no label" for label in np.unique(numbers)} - set(times))
    if strangers:
        raise ValueError(f"No repetition is known for rows of {strangers[:5]}; the classes are {list(times)[:8]}, ...")
    often = np.array([times.get(name, 0) for name in class_names], dtype=np.int64)
    return np.repeat(np.arange(len(numbers)), often[numbers])


def repeat_classes(dataset: Dataset, name: str) -> Dataset:
    """The training rows with those of rare classes repeated.

    Args:
        name: in `REPETITIONS`.

    Raises:
        ValueError: there is no such repetition, the labels have no names, or as `repeated_rows`.
    """
    if name not in REPETITIONS:
        raise ValueError(f"No repetition is called {name!r}; there are {list(REPETITIONS)}.")
    feature = dataset.features["label"]
    if not isinstance(feature, ClassLabel):
        raise ValueError(f"Repeating classes needs labels with names (ClassLabel), but column 'label' is {feature}.")
    return dataset.select(repeated_rows(dataset["label"], feature.names, REPETITIONS[name]))
