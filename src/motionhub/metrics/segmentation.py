"""Metrics of temporal segmentation: average precision of frames and of events, segmental F1 and edit score, a report.

Intervals are half open, `[start, end)`, in frames or in seconds.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score


CONVENTIONS = ("scikit-learn", "ms-tct")
PROTOCOLS = ("activitynet", "pku-mmd")
OVERLAPS = (0.1, 0.25, 0.5)
Decode = Callable[[np.ndarray, np.ndarray], Sequence[tuple[int, int, int, float]]]


class Segment(NamedTuple):
    """One action of one clip, or of one person of a clip, identified by `clip`."""

    clip: Hashable
    label: Hashable
    start: float
    end: float
    score: float = 1.0


@dataclass(frozen=True)
class FrameScores:
    """Predictions and labels of one clip.

    Args:
        name: of the clip; unique.
        probabilities: `(frames, classes)` in 0..1.
        labels: `(frames, classes)` of 0 and 1; a frame with a negative one is unknown and not scored.
        fps: frames per second.
    """

    name: str
    probabilities: np.ndarray
    labels: np.ndarray
    fps: float


def frame_average_precision(
    scores: Any, labels: Any, class_names: Sequence[str] | None = None, convention: str = "scikit-learn"
) -> dict[str, Any]:
    """Average precision of every class over frames, and their mean (frame mAP).

    Classes without a positive frame are left out of the mean, as in the official TSU and Charades evaluation;
    scikit-learn's macro average would count them as 0.

    Args:
        scores: `(num_frames, num_classes)`, higher is more likely (logits or probabilities).
        labels: `(num_frames, num_classes)` of 0 and 1.
        class_names: one name per class; `"0"`, `"1"`, ... by default.
        convention: for frames with equal scores. `"scikit-learn"`: they enter together, independent of their order.
            `"ms-tct"`: one by one in the given order, as in the official TSU and Charades evaluation (MS-TCT); results
            differ where many scores are equal.

    Returns:
        `frame_map` in 0..1, `num_frames`, `absent_classes` (names), `per_class` (name, positives, average_precision,
        None for an absent class).

    Raises:
        ValueError: wrong shapes, no positive frame, NaN or infinite scores, labels other than 0 and 1.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {CONVENTIONS}, got {convention!r}.")
    average = average_precision_score if convention == "scikit-learn" else _one_by_one
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise ValueError(
            f"scores and labels must have one shape (num_frames, num_classes), got {scores.shape} and {labels.shape}."
        )
    if not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinite values: the model diverged, or padding was not left out.")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1 (several classes may be on in one frame); leave padding out.")
    names = [str(name) for name in (range(scores.shape[1]) if class_names is None else class_names)]
    if len(names) != scores.shape[1]:
        raise ValueError(f"class_names must name the {scores.shape[1]} columns of scores, got {len(names)} names.")
    positives = labels.sum(axis=0).astype(int)
    if not positives.any():
        raise ValueError("No frame has a label, so there is no average precision.")
    precisions = [
        float(average(labels[:, index], scores[:, index])) if positives[index] else None for index in range(len(names))
    ]
    return {
        "frame_map": float(np.mean([value for value in precisions if value is not None])),
        "num_frames": len(scores),
        "absent_classes": [name for name, count in zip(names, positives, strict=True) if not count],
        "per_class": [
            {"name": name, "positives": int(count), "average_precision": precision}
            for name, count, precision in zip(names, positives, precisions, strict=True)
        ],
    }


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
            with the highest IoU, or is false. `"pku-mmd"`: the official PKU-MMD evaluation: each interval belongs to
            the true one of highest IoU, taken or not, and a true interval counts once. Precision is made monotone from
            the lowest score upwards in both.

    Returns:
        `event_map@0.5` and so on in 0..1, the mean over classes with a true interval; `event_map`, the mean over the
        thresholds; `per_class` (name, positives, one average precision per threshold); `unknown_labels`: predicted
        labels without a true interval, which count for no class.

    Raises:
        ValueError: no true interval, an empty or infinite interval, an infinite score, thresholds outside 0..1, an
            unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {PROTOCOLS}, got {protocol!r}.")
    if not thresholds or not all(0 < threshold <= 1 for threshold in thresholds):
        raise ValueError(f"thresholds must be in 0..1, above 0, got {list(thresholds)}.")
    proposals, actions = _by_label(found, "found"), _by_label(truth, "truth")
    if not actions:
        raise ValueError("truth has no interval, so there is no average precision.")
    for segments in proposals.values():
        segments.sort(key=lambda segment: -segment.score)
    average = _activitynet if protocol == "activitynet" else _pku_mmd
    labels = sorted(actions, key=str)
    precisions = [
        [average(proposals.get(label, []), actions[label], threshold) for threshold in thresholds] for label in labels
    ]
    means = np.mean(precisions, axis=0)
    return {
        **{f"event_map@{threshold:g}": float(value) for threshold, value in zip(thresholds, means, strict=True)},
        "event_map": float(means.mean()),
        "per_class": [
            {"name": str(label), "positives": len(actions[label]), "average_precision": values}
            for label, values in zip(labels, precisions, strict=True)
        ],
        "unknown_labels": sorted(str(label) for label in set(proposals) - set(actions)),
    }


def segmental_scores(
    predicted: Sequence[Any], truth: Sequence[Any], *, background: int | None = None
) -> dict[str, float]:
    """Segmental F1@k, edit score and frame accuracy of clips with one class per frame (Lea et al. 2017).

    A run of equal classes is a segment, except background. F1@k: a predicted segment is right if the true segment of
    its class with the highest IoU reaches k and no earlier one took it; counts are summed over clips. Edit: 1 minus
    the Levenshtein distance of the class sequences over the longer length, averaged over clips. Frame accuracy
    includes background frames.

    Args:
        predicted, truth: a `(frames,)` integer array per clip; frames whose true class is negative (unknown) are left
            out of both.
        background: the class without an action; None: there is none.

    Returns:
        `f1@10`, `f1@25`, `f1@50` (percent of overlap), `edit`, `frame_accuracy`, all in 0..1.

    Raises:
        ValueError: numbers of clips or frames differ, or no frame has a known class.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"predicted and truth must have one array per clip, got {len(predicted)} and {len(truth)}.")
    counts = np.zeros((len(OVERLAPS), 3))  # right, wrong, missed
    edits, right, total = [], 0, 0
    for index, (own, other) in enumerate(zip(predicted, truth, strict=True)):
        ours, theirs = np.asarray(own).reshape(-1), np.asarray(other).reshape(-1)
        if ours.shape != theirs.shape:
            raise ValueError(f"Clip {index} has {theirs.size} true frames, but {ours.size} predicted ones.")
        ours, theirs = ours[theirs >= 0], theirs[theirs >= 0]
        right, total = right + int((ours == theirs).sum()), total + len(ours)
        found, true = ([run for run in runs(side) if run[0] != background] for side in (ours, theirs))
        counts += [_matches(found, true, overlap) for overlap in OVERLAPS]
        edits.append(_edit_score([run[0] for run in found], [run[0] for run in true]))
    if not total:
        raise ValueError("No frame has a known class, so there is nothing to score.")
    scores = {}
    for overlap, (hits, wrong, missed) in zip(OVERLAPS, counts, strict=True):
        scores[f"f1@{round(100 * overlap)}"] = float(2 * hits / max(2 * hits + wrong + missed, 1))
    return {**scores, "edit": float(np.mean(edits)), "frame_accuracy": right / total}


def segmentation_report(
    clips: Sequence[FrameScores],
    class_names: Sequence[str],
    decode: Decode,
    *,
    exclusive: bool,
    background: int | None = None,
    threshold: float = 0.5,
    convention: str = "scikit-learn",
    protocol: str = "activitynet",
) -> dict[str, Any]:
    """Frame mAP, segmental F1 and edit score, event mAP, and numbers per class and per clip.

    The background has no average precision and no segments. Segmental scores need one class per frame, so clips with
    overlapping actions have none. The class of a frame is its most probable one; without a background class, and
    unless `exclusive`, a frame without a probability of `threshold` has none.

    Args:
        decode: `(probabilities, times (frames + 1,) in seconds)` -> `(class, first frame, frame after the last,
            score)` of each interval, such as `intervals.decode.DecodingRule`.
        exclusive: one action at a time: a frame without any true class is unknown.
        convention: of `frame_average_precision`.
        protocol: of `event_average_precision`. True events are runs of frames of a class.

    Returns:
        `frame_map`, `event_map@0.1` / `@0.3` / `@0.5`, `event_map`; where no two classes overlap `f1@10`, `f1@25`,
        `f1@50`, `edit`, `frame_accuracy`; `convention`, `event_protocol`; `num_clips`, `num_frames` (scored),
        `absent_classes`; `per_class` (name, positives, average_precision, events, event_average_precision at IoU 0.5);
        `per_clip` (name, frames, frame_f1: F1 of all decisions on its frames, None without positives).

    Raises:
        ValueError: no clips, no true action, or as the metrics.
    """
    if not clips:
        raise ValueError("There are no clips to evaluate.")
    clips = [_known(clip, exclusive) for clip in clips]
    classes = [index for index in range(len(class_names)) if index != background]
    frames = frame_average_precision(
        np.concatenate([clip.probabilities[:, classes] for clip in clips]),
        np.concatenate([clip.labels[:, classes] for clip in clips]),
        [str(class_names[index]) for index in classes],
        convention=convention,
    )
    events = _events(clips, decode, background, protocol)
    segmental: dict[str, float] = {}
    if not any((clip.labels > 0).sum(axis=1).max(initial=0) > 1 for clip in clips):
        nothing = len(class_names) if background is None else background
        least = 0.0 if exclusive or background is not None else threshold
        truth = [_single(clip.labels, 0.5, nothing) for clip in clips]
        found = [_single(clip.probabilities, least, nothing) for clip in clips]
        segmental = segmental_scores(found, truth, background=nothing)
    of_class = {row["name"]: (row["positives"], row["average_precision"][-1]) for row in events["per_class"]}
    counts = [of_class.get(str(index), (0, None)) for index in classes]
    return {
        "frame_map": frames["frame_map"],
        **segmental,
        **{name: value for name, value in events.items() if name.startswith("event_map")},
        "convention": convention,
        "event_protocol": protocol,
        "num_clips": len(clips),
        "num_frames": frames["num_frames"],
        "absent_classes": frames["absent_classes"],
        "per_class": [
            {**row, "events": count, "event_average_precision": precision}
            for row, (count, precision) in zip(frames["per_class"], counts, strict=True)
        ],
        "per_clip": [
            {"name": clip.name, "frames": len(clip.labels), "frame_f1": _frame_f1(clip, exclusive, threshold, classes)}
            for clip in clips
        ],
    }


def format_segmentation_report(report: dict[str, Any]) -> str:
    """The report as lines for a terminal.

    Examples:
        >>> report = motionhub.train_segmentation(splits, arguments, recipe, model_class).report  # doctest: +SKIP
        >>> print(motionhub.format_segmentation_report(report))  # doctest: +SKIP
    """
    lines = [f"{report['num_clips']} clips, {report['num_frames']} frames", f"{'':24s}   frame AP  event AP@.5"]
    for row in report["per_class"]:
        cells = [_percent(row["average_precision"]), _percent(row["event_average_precision"])]
        lines.append(f"{row['name'][:24]:24s} {cells[0]:>10s}  {cells[1]:>11s}")
    absent = ", ".join(report["absent_classes"][:5])
    over = f" over the classes that occur (absent: {absent})" if absent else ""
    lines.append(f"frame mAP {report['frame_map']:.1%} ({report['convention']}){over}")
    if "edit" in report:
        overlaps = " / ".join(f"{report[f'f1@{round(100 * overlap)}']:.1%}" for overlap in OVERLAPS)
        lines.append(f"F1@10/25/50 {overlaps}, edit {report['edit']:.1%}, accuracy {report['frame_accuracy']:.1%}")
    else:
        lines.append("no segmental F1 and edit score: actions overlap")
    events = [f" {report[name]:.1%} at IoU {name[10:]}" for name in report if name.startswith("event_map@")]
    lines.append(f"event mAP ({report['event_protocol']})" + ", ".join(events))
    return "\n".join(lines)


def true_intervals(labels: np.ndarray, background: int | None = None) -> list[tuple[int, int, int]]:
    """`(class, first frame, frame after the last)` of each run of frames of a class in `labels (frames, classes)`."""
    found = [
        (index, start, end)
        for index in range(labels.shape[1])
        if index != background
        for value, start, end in runs(labels[:, index] > 0)
        if value
    ]
    return sorted(found, key=lambda interval: (interval[1], interval[0]))


def temporal_iou(first: Any, second: Any) -> np.ndarray:
    """Intersection over union of each interval of `first (n, 2)` with each of `second (m, 2)`: `(n, m)`."""
    first, second = np.asarray(first, np.float64).reshape(-1, 2), np.asarray(second, np.float64).reshape(-1, 2)
    shared = np.minimum(first[:, None, 1], second[:, 1]) - np.maximum(first[:, None, 0], second[:, 0])
    shared = shared.clip(min=0)
    lengths = (first[:, 1] - first[:, 0])[:, None] + (second[:, 1] - second[:, 0])
    return shared / (lengths - shared)


def _one_by_one(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean of the precision at each positive; equal scores are in the order of frames."""
    ordered = labels[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered == 1].mean())


def runs(labels: Any) -> list[tuple[int, int, int]]:
    """`(class, first frame, frame after the last)` of each run of equal classes in `labels (frames,)`."""
    labels = np.asarray(labels).reshape(-1)
    if not labels.size:
        return []
    borders = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    return [(int(labels[start]), start, end) for start, end in itertools.pairwise(borders)]


def _matches(predicted: list[tuple[int, int, int]], truth: list[tuple[int, int, int]], overlap: float) -> list[int]:
    """Numbers of right and wrong predicted segments, and of missed true ones."""
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
    """`(found, truth)` IoU, -1 across clips."""
    overlaps = temporal_iou([part[2:4] for part in found], [part[2:4] for part in truth])
    same = np.array([[part.clip == other.clip for other in truth] for part in found], dtype=bool)
    return np.where(same.reshape(overlaps.shape), overlaps, -1.0)


def _activitynet(found: list[Segment], truth: list[Segment], threshold: float) -> float:
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
    """Intervals are removed from the lowest score upwards, in the official order of operations.

    The step in recall that a removal causes is weighted with the highest precision so far, including the set without
    the interval (0 for the empty set).
    """
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


def _known(clip: FrameScores, exclusive: bool) -> FrameScores:
    """The clip without the frames whose classes are unknown."""
    known = (clip.labels >= 0).all(axis=1)
    if exclusive:
        known &= clip.labels.any(axis=1)
    return replace(clip, probabilities=clip.probabilities[known], labels=clip.labels[known])


def _single(scores: np.ndarray, least: float, nothing: int) -> np.ndarray:
    """The one class of each frame; `nothing` where none reaches `least`."""
    return np.where(scores.max(axis=1, initial=0) >= least, scores.argmax(axis=1), nothing)


def _events(clips: Sequence[FrameScores], decode: Decode, background: int | None, protocol: str) -> dict[str, Any]:
    found, truth = [], []
    for clip in clips:
        truth += [Segment(clip.name, *interval) for interval in true_intervals(clip.labels, background)]
        times = np.arange(len(clip.labels) + 1) / clip.fps
        found += [Segment(clip.name, *interval) for interval in decode(clip.probabilities, times)]
    return event_average_precision(found, truth, protocol=protocol)


def _frame_f1(clip: FrameScores, exclusive: bool, threshold: float, classes: Sequence[int]) -> float | None:
    found, truth = clip.probabilities >= threshold, clip.labels[:, classes] > 0
    if exclusive:
        found = clip.probabilities.argmax(axis=1)[:, None] == np.arange(clip.labels.shape[1])
    found = found[:, classes]
    total = int(found.sum() + truth.sum())
    return 2 * int((found & truth).sum()) / total if total else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
