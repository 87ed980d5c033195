"""What becomes of a dataset's rows before training: labels as a protocol numbers them, and a few of the labels."""

from typing import TYPE_CHECKING

import numpy as np

from motionhub.data.datasets.protocols import Protocol


if TYPE_CHECKING:  # it takes a second to import, and who lists protocols does not need it
    from datasets import Dataset


def relabel(dataset: "Dataset", protocol: Protocol) -> "Dataset":
    """The rows with labels numbered as the protocol does; a saved dataset keeps its own numbers.

    Raises:
        ValueError: a row has a label that takes no part in the protocol.
    """
    if protocol.class_names is None:
        return dataset
    from datasets import ClassLabel

    names, columns = dataset.features["label"].names, dataset.column_names
    number_of = {names.index(name): number for number, name in enumerate(protocol.class_names)}
    strangers = {label for label in dataset["label"] if label not in number_of}
    if strangers:
        raise ValueError(f"Labels {sorted(strangers)} take no part in protocol {protocol.name!r}; load its splits.")
    labels = [number_of[label] for label in dataset["label"]]
    feature = ClassLabel(names=list(protocol.class_names))
    return dataset.remove_columns("label").add_column("label", labels, feature=feature).select_columns(columns)


def few_label_subset(dataset: "Dataset", fraction: float, seed: int) -> "Dataset":
    """A share of every class, drawn with `seed`: `round(fraction * clips)` of each class, at least one.

    Rows without a label (-1) are left out. The rows keep their order. Where no clip has a label of its own, but frames
    or segments have, clips are taken until every class has that share of its actions.

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
    """`(clips, classes)` int64: the actions of each class in each clip.

    An action is a segment or, in clips with one class a frame, a run of frames of the same class.
    """
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
    """Clips in a random order, each of which has a class that lacked actions when it was taken; sorted.

    As a clip has actions of many classes, the frequent ones get more than is wanted, but none gets fewer.

    Args:
        counts: `(clips, classes)`, see `segment_counts`.
        wanted: `(classes,)` actions of each class, at most all there are.
    """
    chosen, lacking = [], wanted.copy()
    for clip in generator.permutation(len(counts)):
        if ((counts[clip] > 0) & (lacking > 0)).any():
            chosen.append(int(clip))
            lacking -= counts[clip]
    return sorted(chosen)
