"""Changes of a dataset's rows before training: labels of a protocol, a share of the labels, repeated rare classes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from motionhub.data.datasets.dataset import Published
from motionhub.data.datasets.protocols import Protocol


if TYPE_CHECKING:  # a slow import
    from datasets import Dataset


# Clips of each class, all cameras and performers (Das et al., ICCV 2019; UNIK's data generation).
SMARTHOME_CLIPS = Published("smarthome").clips
ENOUGH = 1000
# As in UNIK, for the cross-view protocols: name -> class -> copies of each training clip in an epoch.
REPETITIONS: dict[str, dict[str, int]] = {
    "smarthome-cross-view": {
        name: round(ENOUGH / clips) if clips < ENOUGH else 1 for name, clips in SMARTHOME_CLIPS.items()
    }
}


def relabel(dataset: "Dataset", protocol: Protocol) -> "Dataset":
    """The rows with labels in the numbering of the protocol.

    Raises:
        ValueError: the label of a row is not part of the protocol.
    """
    if protocol.class_names is None:
        return dataset
    from datasets import ClassLabel

    names, columns = dataset.features["label"].names, dataset.column_names
    number_of = {names.index(name): number for number, name in enumerate(protocol.class_names)}
    strangers = {label for label in dataset["label"] if label not in number_of}
    if strangers:
        raise ValueError(f"Labels {sorted(strangers)} are not part of protocol {protocol.name!r}; load its splits.")
    labels = [number_of[label] for label in dataset["label"]]
    feature = ClassLabel(names=list(protocol.class_names))
    return dataset.remove_columns("label").add_column("label", labels, feature=feature).select_columns(columns)


def few_label_subset(dataset: "Dataset", fraction: float, seed: int) -> "Dataset":
    """`round(fraction * clips)` rows of every class, at least one, drawn with `seed`, in their order.

    Rows without a label (-1) are left out. Where only frames or segments have labels, clips are drawn until every
    class has that fraction of its actions.

    Raises:
        ValueError: fraction is not in (0, 1], or no row has a label.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], for example 0.05 for 5 %, got {fraction}.")
    labels = np.asarray(dataset["label"])
    generator = np.random.default_rng(seed)
    if not (labels >= 0).any():
        counts = segment_counts(dataset)
        if not counts.any():
            raise ValueError("few_label_subset needs labels, but every label is -1, and no frame or segment has one.")
        total = counts.sum(axis=0)
        wanted = np.minimum(total, np.maximum(1, np.round(fraction * total).astype(np.int64)))
        return dataset.select(clips_with_enough(counts, wanted, generator))
    chosen: list[int] = []
    for label in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == label)
        chosen += generator.permutation(rows)[: max(1, round(fraction * len(rows)))].tolist()
    return dataset.select(sorted(chosen))


def segment_counts(dataset: "Dataset") -> np.ndarray:
    """`(clips, classes)` int64: the actions (segments, or runs of frames) of each class in each clip."""
    found = []
    columns = [name for name in ("frame_labels", "segment_labels") if name in dataset.column_names]
    for row in dataset.select_columns(columns).with_format("numpy") if columns else []:
        frames, segments = (np.asarray(row.get(name, ()), np.int64) for name in ("frame_labels", "segment_labels"))
        starts = np.flatnonzero(np.diff(frames, prepend=-1)) if frames.size else np.zeros(0, np.int64)
        labels = np.concatenate([frames[starts], segments])
        found.append(np.bincount(labels[labels >= 0]))
    counts = np.zeros((len(found), max((len(each) for each in found), default=0)), np.int64)
    for row, each in zip(counts, found, strict=True):
        row[: len(each)] = each
    return counts


def clips_with_enough(counts: np.ndarray, wanted: np.ndarray, generator: np.random.Generator) -> list[int]:
    """Clips drawn until every class has its `(classes,)` wanted actions, sorted; frequent classes get more."""
    chosen, lacking = [], wanted.copy()
    for clip in generator.permutation(len(counts)):
        if ((counts[clip] > 0) & (lacking > 0)).any():
            chosen.append(int(clip))
            lacking -= counts[clip]
    return sorted(chosen)


def repeated_rows(labels: Sequence[int], class_names: Sequence[str], times: Mapping[str, int]) -> np.ndarray:
    """`(rows,)` int64: the position of each row, repeated as often as `times` states for its class.

    Raises ValueError for a row without label, or of a class that `times` lacks.
    """
    numbers = np.asarray(labels, dtype=np.int64)
    strangers = sorted({class_names[label] if label >= 0 else "no label" for label in np.unique(numbers)} - set(times))
    if strangers:
        raise ValueError(f"No repetition is known for rows of {strangers[:5]}; the classes are {list(times)[:8]}, ...")
    copies = np.array([times.get(name, 0) for name in class_names], dtype=np.int64)
    return np.repeat(np.arange(len(numbers)), copies[numbers])


def repeat_classes(dataset: "Dataset", name: str) -> "Dataset":
    """The training rows with those of rare classes repeated as in `REPETITIONS[name]`.

    Raises:
        ValueError: unknown name, the labels have no names, or as `repeated_rows`.
    """
    if name not in REPETITIONS:
        raise ValueError(f"No repetition is called {name!r}; there are {list(REPETITIONS)}.")
    feature = dataset.features["label"]
    if not hasattr(feature, "names"):
        raise ValueError(f"Repeating classes needs labels with names (ClassLabel), but column 'label' is {feature}.")
    return dataset.select(repeated_rows(dataset["label"], feature.names, REPETITIONS[name]))
