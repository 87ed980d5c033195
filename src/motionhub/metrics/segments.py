"""Metrics of actions in time: intervals that were found against intervals that are true, as a dictionary of numbers.

They do not know models, frame rates nor how intervals were made out of scores. Intervals are half open,
`[start, end)`, in frames or in seconds, as long as both sides use the same.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np


PROTOCOLS = ("activitynet", "pku-mmd")
OVERLAPS = (0.1, 0.25, 0.5)


class Segment(NamedTuple):
    """One action of one clip (or of one person of a clip: whatever `clip` tells apart)."""

    clip: Hashable
    label: Hashable
    start: float
    end: float
    score: float = 1.0


def temporal_iou(first: Any, second: Any) -> np.ndarray:
    """Intersection over union of each interval of `first (n, 2)` with each of `second (m, 2)`: `(n, m)`.

    The union of intervals that do not touch is the sum of their lengths, so their value is 0.
    """
    first, second = np.asarray(first, np.float64).reshape(-1, 2), np.asarray(second, np.float64).reshape(-1, 2)
    shared = np.minimum(first[:, None, 1], second[:, 1]) - np.maximum(first[:, None, 0], second[:, 0])
    shared = shared.clip(min=0)
    lengths = (first[:, 1] - first[:, 0])[:, None] + (second[:, 1] - second[:, 0])
    return shared / (lengths - shared)


def event_average_precision(
    found: Iterable[Sequence[Any]],
    truth: Iterable[Sequence[Any]],
    thresholds: Sequence[float] = (0.1, 0.3, 0.5),
    protocol: str = "activitynet",
) -> dict[str, Any]:
    """Average precision of every class over its intervals in all clips, and its mean (event mAP@IoU).

    Args:
        found: `Segment`s, or `(clip, label, start, end, score)`.
        truth: `Segment`s, or `(clip, label, start, end)`.
        thresholds: least IoU of a match.
        protocol: `"activitynet"`: from the highest score down, each interval takes the free true interval of its clip
            with the highest IoU; one that finds none is false. `"pku-mmd"`: as the official PKU-MMD evaluation: each
            interval belongs to the true one of highest IoU, taken or not, and a true interval counts once.
            Precision is made monotone from the lowest score upwards in both.

    Returns:
        `event_map@0.5` and so on in 0..1, the mean over classes with a true interval; `event_map`, the mean over the
        thresholds; `per_class` (name, positives, one average precision per threshold); `unknown_labels`: labels found
        that are nowhere true, whose intervals therefore count for no class.

    Raises:
        ValueError: nothing is true, an interval that is empty or not finite, a score that is not, thresholds outside
            0..1, an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {PROTOCOLS}, got {protocol!r}.")
    if not thresholds or not all(0 < threshold <= 1 for threshold in thresholds):
        raise ValueError(f"thresholds must be in 0..1, above 0, got {list(thresholds)}.")
    proposals, actions = _by_label(found, "found"), _by_label(truth, "truth")
    if not actions:
        raise ValueError("truth has no interval, so there is no average precision.")
    average = _activitynet if protocol == "activitynet" else _pku_mmd
    labels = sorted(actions, key=str)
    precisions = [
        [average(proposals.get(label, []), actions[label], threshold) for threshold in thresholds] for label in labels
    ]
    means = np.mean(precisions, axis=0)
    report: dict[str, Any] = {
        f"event_map@{threshold:g}": float(value) for threshold, value in zip(thresholds, means, strict=True)
    }
    report["event_map"] = float(means.mean())
    report["per_class"] = [
        {"name": str(label), "positives": len(actions[label]), "average_precision": values}
        for label, values in zip(labels, precisions, strict=True)
    ]
    report["unknown_labels"] = sorted(str(label) for label in set(proposals) - set(actions))
    return report


def segmental_scores(
    predicted: Sequence[Any],
    truth: Sequence[Any],
    *,
    background: int | None = None,
    overlaps: Sequence[float] = OVERLAPS,
) -> dict[str, float]:
    """Segmental F1@k, edit score and frame accuracy of clips whose frames have one class each (Lea et al. 2017).

    A run of equal classes is a segment; those of the background do not count. F1@k: a predicted segment is right when
    the true segment of its class with the highest IoU reaches k and no earlier one took it; counts are added up over
    all clips. Edit: 1 minus the Levenshtein distance of the two orders of classes over the longer one, the mean over
    clips. Frame accuracy counts every frame, of the background too.

    Args:
        predicted, truth: a `(frames,)` integer array per clip; frames whose true class is negative (unknown) are left
            out on both sides.
        background: the class that is no action; None: every class is one.
        overlaps: the ks.

    Returns:
        `f1@10`, `f1@25`, `f1@50` (percent of the overlap), `edit`, `frame_accuracy`, all in 0..1.

    Raises:
        ValueError: clips or frames do not fit, or no frame has a known class.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"predicted and truth must have one array per clip, got {len(predicted)} and {len(truth)}.")
    counts = np.zeros((len(overlaps), 3))  # right, wrong, missed
    edits, right, total = [], 0, 0
    for index, (own, other) in enumerate(zip(predicted, truth, strict=True)):
        ours, theirs = np.asarray(own).reshape(-1), np.asarray(other).reshape(-1)
        if ours.shape != theirs.shape:
            raise ValueError(f"Clip {index} has {theirs.size} true frames, but {ours.size} predicted ones.")
        ours, theirs = ours[theirs >= 0], theirs[theirs >= 0]
        right, total = right + int((ours == theirs).sum()), total + len(ours)
        segments = _runs(ours, background), _runs(theirs, background)
        counts += [_matches(*segments, overlap) for overlap in overlaps]
        edits.append(_edit_score(*[[label for label, _, _ in side] for side in segments]))
    if not total:
        raise ValueError("No frame has a known class, so there is nothing to score.")
    scores = {}
    for overlap, (hits, wrong, missed) in zip(overlaps, counts, strict=True):
        scores[f"f1@{round(100 * overlap)}"] = float(2 * hits / max(2 * hits + wrong + missed, 1))
    return {**scores, "edit": float(np.mean(edits)), "frame_accuracy": right / total}


def runs(labels: Any) -> list[tuple[int, int, int]]:
    """`(class, first frame, frame after the last)` of each run of equal classes in `labels (frames,)`."""
    labels = np.asarray(labels).reshape(-1)
    if not labels.size:
        return []
    borders = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    return [(int(labels[start]), start, end) for start, end in zip(borders[:-1], borders[1:], strict=True)]


def _runs(labels: np.ndarray, background: int | None) -> list[tuple[int, int, int]]:
    return [run for run in runs(labels) if run[0] != background]


def _matches(predicted: list[tuple[int, int, int]], truth: list[tuple[int, int, int]], overlap: float) -> list[int]:
    """How many predicted segments are right, how many wrong, and how many true ones are missed."""
    taken: set[int] = set()
    for label, start, end in predicted:
        same = [index for index, other in enumerate(truth) if other[0] == label]
        if not same:
            continue
        overlaps = temporal_iou([(start, end)], [truth[index][1:] for index in same])[0]
        best = int(overlaps.argmax())
        if overlaps[best] >= overlap:
            taken.add(same[best])  # a second one on the same true segment is wrong
    return [len(taken), len(predicted) - len(taken), len(truth) - len(taken)]


def _edit_score(predicted: list[int], truth: list[int]) -> float:
    """1 - Levenshtein distance / length of the longer; 1 when both are empty."""
    if not predicted and not truth:
        return 1.0
    row = list(range(len(truth) + 1))
    for count, label in enumerate(predicted, start=1):
        before, row[0] = row[0], count
        for index, other in enumerate(truth, start=1):
            before, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, before + (label != other))
    return 1 - row[-1] / max(len(predicted), len(truth))


def _by_label(segments: Iterable[Sequence[Any]], name: str) -> dict[Hashable, list[Segment]]:
    grouped: dict[Hashable, list[Segment]] = defaultdict(list)
    for given in segments:
        segment = Segment(*given)
        numbers = (segment.start, segment.end, segment.score)
        if not np.isfinite(numbers).all() or segment.end <= segment.start:
            raise ValueError(f"{name} must hold (clip, label, start, end, score) with start < end, got {given!r}.")
        grouped[segment.label].append(segment)
    return grouped


def _overlaps(found: list[Segment], truth: list[Segment]) -> np.ndarray:
    """`(found, truth)` IoU, -1 across clips; `found` in the order of falling scores (of equals, as they come)."""
    overlaps = temporal_iou([part[2:4] for part in found], [part[2:4] for part in truth])
    same = np.array([[part.clip == other.clip for other in truth] for part in found], dtype=bool)
    return np.where(same.reshape(overlaps.shape), overlaps, -1.0)


def _ordered(found: list[Segment]) -> list[Segment]:
    return sorted(found, key=lambda segment: -segment.score)


def _activitynet(found: list[Segment], truth: list[Segment], threshold: float) -> float:
    found = _ordered(found)
    overlaps = _overlaps(found, truth)
    hits = np.zeros(len(found))
    free = np.ones(len(truth), dtype=bool)
    for index in range(len(found)):
        candidates = np.where(free, overlaps[index], -1.0)
        best = int(candidates.argmax())
        if candidates[best] >= threshold:
            hits[index], free[best] = 1, False
    recall = np.cumsum(hits) / len(truth)
    precision = np.cumsum(hits) / np.arange(1, len(found) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * highest).sum())


def _pku_mmd(found: list[Segment], truth: list[Segment], threshold: float) -> float:
    """Intervals leave from the lowest score upwards; precision after each that mattered, never lower than before.

    The official evaluation, with its order of operations: the step in recall that an interval's leaving causes is
    weighted with the highest precision up to and including the set without it (0 for the empty set).
    """
    found = _ordered(found)
    if not found:
        return 0.0
    overlaps = _overlaps(found, truth)
    owner = np.where(overlaps.max(axis=1) >= threshold, overlaps.argmax(axis=1), -1)
    members = np.bincount(owner[owner >= 0], minlength=len(truth))
    positive, remaining = int((members > 0).sum()), len(found)
    highest, recall, area = positive / remaining, positive / len(truth), 0.0
    for index in reversed(range(len(found))):
        remaining -= 1
        if owner[index] < 0:
            continue
        members[owner[index]] -= 1
        positive -= int(members[owner[index]] == 0)
        highest = max(highest, positive / remaining if remaining else 0.0)
        area += highest * (recall - positive / len(truth))
        recall = positive / len(truth)
    return area
