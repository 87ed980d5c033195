"""Everything that is said about a segmentation model's scores on a set of clips, in one dictionary and one table.

It does not know models, datasets nor files; how scores become intervals is decided by the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motionhub.metrics.segmentation import frame_average_precision
from motionhub.metrics.segments import Segment, event_average_precision, runs, segmental_scores


HEADLINES = ("frame_map", "f1@10", "f1@25", "f1@50", "edit", "frame_accuracy")


@dataclass(frozen=True)
class FrameScores:
    """What a model says of one clip, and what is true.

    Args:
        name: of the clip; different for every clip.
        probabilities: `(frames, classes)` in 0..1.
        labels: `(frames, classes)` of 0 and 1; a frame with a negative one is unknown and not scored.
        fps: frames per second.
    """

    name: str
    probabilities: np.ndarray
    labels: np.ndarray
    fps: float


Decode = Callable[[np.ndarray, np.ndarray], Sequence[tuple[int, int, int, float]]]


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

    The background is no class here: it has no average precision and makes no segment. Segmental scores need one class
    per frame, so a set in which two are true at once has none. The class of a frame is its most probable one; without
    a background class, and unless `exclusive`, a frame without a probability of `threshold` has none.

    Args:
        decode: `(probabilities, times (frames + 1,) in seconds)` -> `(class, first frame, frame after the last,
            score)` of each interval, such as `intervals.decode.DecodingRule`.
        exclusive: one action at a time: a frame without any true class is unknown.
        convention: of `frame_average_precision`.
        protocol: of `event_average_precision`. True events are runs of frames of a class.

    Returns:
        `frame_map`, `event_map@0.1` / `@0.3` / `@0.5`, `event_map`; where no two classes overlap `f1@10`, `f1@25`,
        `f1@50`, `edit`, `frame_accuracy`; `convention`, `event_protocol` (as given); `num_clips`, `num_frames`
        (scored), `absent_classes`; `per_class` (name, positives, average_precision, events, event_average_precision at
        IoU 0.5); `per_clip` (name, frames, frame_f1: F1 of all decisions on its frames, None where there is nothing to
        find).

    Raises:
        ValueError: no clips, nothing is true, or what the metrics raise.
    """
    if not clips:
        raise ValueError("There are no clips to evaluate.")
    known = [_known(clip.labels, exclusive) for clip in clips]
    classes = [index for index in range(len(class_names)) if index != background]
    names = [str(class_names[index]) for index in classes]
    frames = frame_average_precision(
        np.concatenate([clip.probabilities[:, classes] for clip in clips]),
        np.concatenate([clip.labels[:, classes] for clip in clips]).clip(min=0),
        names,
        mask=np.concatenate(known),
        convention=convention,
    )
    events = _events(clips, known, decode, background, protocol)
    report: dict[str, Any] = {"frame_map": frames["frame_map"]}
    if not any((clip.labels > 0).sum(axis=1).max(initial=0) > 1 for clip in clips):
        nothing = len(class_names) if background is None else background
        least = 0.0 if exclusive or background is not None else threshold
        truth = [_single(clip.labels, 0.5, nothing) for clip in clips]
        for labels, mask in zip(truth, known, strict=True):
            labels[~mask] = -1
        found = [_single(clip.probabilities, least, nothing) for clip in clips]
        report |= segmental_scores(found, truth, background=nothing)
    report |= {name: value for name, value in events.items() if name.startswith("event_map")}
    report |= {"convention": convention, "event_protocol": protocol}
    report |= {"num_clips": len(clips), "num_frames": frames["num_frames"], "absent_classes": frames["absent_classes"]}
    by_name = {row["name"]: row for row in events["per_class"]}
    report["per_class"] = [_with_events(row, by_name.get(str(index))) for row, index in _zip(frames, classes)]
    report["per_clip"] = [
        {
            "name": clip.name,
            "frames": int(mask.sum()),
            "frame_f1": _frame_f1(clip, mask, exclusive, threshold, classes),
        }
        for clip, mask in zip(clips, known, strict=True)
    ]
    return report


def format_segmentation_report(report: dict[str, Any]) -> str:
    """The report as lines for a terminal."""
    lines = [f"{report['num_clips']} clips, {report['num_frames']} frames", f"{'':24s}   frame AP  event AP@.5"]
    for row in report["per_class"]:
        cells = [_percent(row["average_precision"]), _percent(row["event_average_precision"])]
        lines.append(f"{row['name'][:24]:24s} {cells[0]:>10s}  {cells[1]:>11s}")
    lines.append(f"frame mAP {report['frame_map']:.1%} ({report['convention']})" + _absent(report["absent_classes"]))
    if "edit" in report:
        overlaps = " / ".join(f"{report[name]:.1%}" for name in HEADLINES[1:4])
        lines.append(f"F1@10/25/50 {overlaps}, edit {report['edit']:.1%}, accuracy {report['frame_accuracy']:.1%}")
    else:
        lines.append("no segmental F1 and edit score: two actions are true at once")
    found = {name: value for name, value in report.items() if name.startswith("event_map@")}
    lines.append(
        f"event mAP ({report['event_protocol']})"
        + ", ".join(f" {value:.1%} at IoU {name[10:]}" for name, value in found.items())
    )
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


def _known(labels: np.ndarray, exclusive: bool) -> np.ndarray:
    known = (labels >= 0).all(axis=1)
    return np.logical_and(known, labels.any(axis=1)) if exclusive else np.asarray(known)


def _single(scores: np.ndarray, least: float, nothing: int) -> np.ndarray:
    """The one class of each frame; `nothing` where none reaches `least`."""
    return np.where(scores.max(axis=1, initial=0) >= least, scores.argmax(axis=1), nothing)


def _events(
    clips: Sequence[FrameScores],
    known: Sequence[np.ndarray],
    decode: Decode,
    background: int | None,
    protocol: str,
) -> dict[str, Any]:
    found, truth = [], []
    for clip, mask in zip(clips, known, strict=True):
        kept = np.flatnonzero(mask)  # unknown frames are cut out of both sides
        probabilities, labels = clip.probabilities[kept], clip.labels[kept]
        truth += [Segment(clip.name, index, start, end) for index, start, end in true_intervals(labels, background)]
        times = np.arange(len(kept) + 1) / clip.fps
        found += [Segment(clip.name, *interval) for interval in decode(probabilities, times)]
    return event_average_precision(found, truth, protocol=protocol)


def _zip(frames: dict[str, Any], classes: Sequence[int]) -> Any:
    return zip(frames["per_class"], classes, strict=True)


def _with_events(row: dict[str, Any], events: dict[str, Any] | None) -> dict[str, Any]:
    count, precision = (0, None) if events is None else (events["positives"], events["average_precision"][-1])
    return {**row, "events": count, "event_average_precision": precision}


def _frame_f1(
    clip: FrameScores, known: np.ndarray, exclusive: bool, threshold: float, classes: Sequence[int]
) -> float | None:
    scores, truth = clip.probabilities[known], clip.labels[known] > 0
    said = scores >= threshold
    if exclusive:
        said = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    said, truth = said[:, classes], truth[:, classes]
    total = int(said.sum() + truth.sum())
    return 2 * int((said & truth).sum()) / total if total else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _absent(names: Sequence[str]) -> str:
    return f" over the classes that occur (absent: {', '.join(names[:5])})" if names else ""
