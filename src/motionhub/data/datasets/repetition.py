"""Repeating the training clips of rare classes, as UNIK's code does for the cross-view protocols of Smarthome.

It does not know who trains: the caller gives the rows, and asks for the repetition by name. Nothing here is a default.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from datasets import ClassLabel, Dataset


# Clips of each class in Toyota Smarthome, all cameras and performers (Das et al., ICCV 2019; UNIK's data generation).
SMARTHOME_CLIPS: dict[str, int] = {
    "Cook.Cleandishes": 378,
    "Cook.Cleanup": 380,
    "Cook.Cut": 178,
    "Cook.Stir": 579,
    "Cook.Usestove": 96,
    "Cutbread": 45,
    "Drink.Frombottle": 341,
    "Drink.Fromcan": 325,
    "Drink.Fromcup": 2241,
    "Drink.Fromglass": 65,
    "Eat.Attable": 617,
    "Eat.Snack": 216,
    "Enter": 444,
    "Getup": 833,
    "Laydown": 181,
    "Leave": 416,
    "Makecoffee.Pourgrains": 64,
    "Makecoffee.Pourwater": 76,
    "Maketea.Boilwater": 62,
    "Maketea.Insertteabag": 56,
    "Pour.Frombottle": 276,
    "Pour.Fromcan": 59,
    "Pour.Fromkettle": 107,
    "Readbook": 942,
    "Sitdown": 1116,
    "Takepills": 344,
    "Uselaptop": 396,
    "Usetelephone": 451,
    "Usetablet": 49,
    "Walk": 4070,
    "WatchTV": 712,
}
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
