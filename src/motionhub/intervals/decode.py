"""Decodes frame probabilities `(frames, classes)` of one person to intervals, with hysteresis and least duration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


# How a model without fitted values decodes, and how labels of a call are decoded, unless the call says otherwise. On
# joined recordings of N-UCLA, UI-PRMD and the generator (8 minutes, labels of the recordings and five nobody does,
# tmor-small), threshold 0 gave 497, 191 and 763 intervals an hour of labels that nobody does; these give 0, 27 and 0.
PLAIN: dict[str, Any] = {"threshold": 0.5, "low_threshold": None, "min_duration": 0.0, "max_gap": 0.0}
ZERO_SHOT: dict[str, Any] = {"threshold": 0.5, "low_threshold": 0.3, "min_duration": 0.4, "max_gap": 0.3}


class FrameInterval(NamedTuple):
    """Class `label` from frame `start` up to, not including, frame `end`; `score` is its mean probability there."""

    label: int
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class DecodingRule:
    """How probabilities become intervals.

    Args:
        threshold: an interval needs a frame of at least this probability.
        low_threshold: it extends over neighbouring frames of at least this probability (hysteresis); None:
            `threshold`.
        min_duration: seconds; shorter intervals are dropped (after gaps are closed).
        max_gap: seconds; intervals of one class with a gap of at most this are merged.
        exclusive: one action at a time: each frame has its most probable class. Otherwise every class is decided
            independently and actions may overlap.
        background: the class without an action; it has no intervals, and with `exclusive` takes the frames where it is
            most probable.

    Raises:
        ValueError: thresholds outside 0..1 or in the wrong order, negative seconds.
    """

    threshold: float = 0.5
    low_threshold: float | None = None
    min_duration: float = 0.0
    max_gap: float = 0.0
    exclusive: bool = False
    background: int | None = None

    def __post_init__(self) -> None:
        low = self.threshold if self.low_threshold is None else self.low_threshold
        if not 0 <= low <= self.threshold <= 1:
            raise ValueError(
                "Expected 0 <= low_threshold <= threshold <= 1, got threshold="
                f"{self.threshold} and low_threshold={self.low_threshold}."
            )
        for name in ("min_duration", "max_gap"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be seconds, 0 or more, got {getattr(self, name)!r}.")

    def __call__(self, probabilities: Any, times: Any) -> list[FrameInterval]:
        """The intervals of `probabilities (frames, classes)`, by start, then by class.

        Args:
            times: `(frames + 1,)` seconds, never falling: the start of each frame, and the end of the last.

        Raises:
            ValueError: wrong shapes, or probabilities outside 0..1.
        """
        probabilities, times = _checked(probabilities, times)
        low = self.threshold if self.low_threshold is None else self.low_threshold
        allowed = np.ones(probabilities.shape, dtype=bool)
        if self.exclusive:
            allowed = probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])
        found = []
        for index in range(probabilities.shape[1]):
            if index == self.background:
                continue
            scores = np.where(allowed[:, index], probabilities[:, index], -1.0)
            pieces = _reaching(scores, self.threshold, low)
            for start, end in _joined(pieces, times, self.max_gap):
                if times[end] > times[start] and times[end] - times[start] >= self.min_duration - 1e-9:
                    found.append(FrameInterval(index, start, end, float(probabilities[start:end, index].mean())))
        return sorted(found, key=lambda interval: (interval.start, interval.label))


def decoding_of(
    stated: Mapping[str, Any] | None, given: Mapping[str, Any], otherwise: Mapping[str, Any] = PLAIN
) -> dict[str, Any]:
    """The arguments of a `DecodingRule`: those of a call, else those that the checkpoint states, else `otherwise`.

    Args:
        stated: the checkpoint's `config.decoding`, what was fitted on left-out recordings, such as
            `{"threshold": 0.6, "min_duration": 0.3}`.
        given: what the call gives; a threshold below the low one that stands lowers that too.

    Raises:
        ValueError: `config.decoding` has other names.
    """
    stated = stated or {}
    if unknown := sorted(set(stated) - set(PLAIN)):
        raise ValueError(f"config.json: decoding has {unknown}; there are {list(PLAIN)}.")
    chosen = {**otherwise, **stated, **given}
    if "low_threshold" not in given and chosen["low_threshold"] is not None:
        chosen["low_threshold"] = min(chosen["low_threshold"], chosen["threshold"])
    return chosen


def _checked(probabilities: Any, times: Any) -> tuple[np.ndarray, np.ndarray]:
    probabilities, times = np.asarray(probabilities, np.float64), np.asarray(times, np.float64)
    if probabilities.ndim != 2 or times.shape != (len(probabilities) + 1,):
        raise ValueError(
            "Expected probabilities (frames, classes) and times (frames + 1,), got "
            f"{probabilities.shape} and {times.shape}."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("Expected probabilities in 0..1 without NaN; apply a sigmoid or softmax to logits.")
    if (np.diff(times) < 0).any():
        raise ValueError("times must never fall.")
    return probabilities, times


def _reaching(scores: np.ndarray, high: float, low: float) -> list[tuple[int, int]]:
    """Runs of frames with at least `low` that reach `high` somewhere."""
    borders = np.flatnonzero(np.diff(scores >= low, prepend=False, append=False)).reshape(-1, 2).tolist()
    return [(start, end) for start, end in borders if scores[start:end].max() >= high]


def _joined(pieces: list[tuple[int, int]], times: np.ndarray, max_gap: float) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in pieces:
        if joined and times[start] - times[joined[-1][1]] <= max_gap + 1e-9:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
