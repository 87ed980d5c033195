"""A few clips of data labelled per frame or by segments, until every class has its share of annotated actions.

It does not know data of one label a clip (`splits.few_label_subset` does, and comes here for the others).
"""

from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from datasets import Dataset


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
