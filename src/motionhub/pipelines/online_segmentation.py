"""Segmentation of a stream in constant memory: frames come in chunks, logits and intervals are returned once final.

Frames are model input; a normalisation over the whole clip ("extent") cannot be used, one per frame can.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from motionhub.intervals.decode import DecodingRule, FrameInterval
from motionhub.models.streaming import StreamingSegmenter


class OnlineSegmenter:
    """Logits of a stream, equal to `model.predict_windows` of the whole clip with the same window and hop.

    A frame's logits are final once `window` frames follow it, as the last window of the stream might still include
    it. At most `window + hop` frames are kept.

    Args:
        model: a segmentation model (`UnikForActionSegmentation`, ...), in evaluation mode.
        window, hop: frames per forward pass, and from window to window (default: the window).
        present: `(people,)` bool, the people present throughout the stream; None: all.
        recompute: False computes every frame once, with `window` as the context of the attention, see
            `StreamingSegmenter`; hop has no effect.

    Raises:
        ValueError: hop is not in 1..window, or the model is in training mode.

    Example:
        >>> import torch
        >>> from motionhub import OnlineSegmenter, UnikConfig, UnikForActionSegmentation
        >>> model = UnikForActionSegmentation(UnikConfig(num_people=1, num_labels=2, channels=[8], strides=[1])).eval()
        >>> online = OnlineSegmenter(model, window=64, hop=32)
        >>> camera = torch.randn(1, 100, model.config.num_joints, 2).split(30, dim=1)  # as the processor makes them
        >>> [len(online.add(frames)) for frames in camera]  # logits of (frames, labels), one window late
        [0, 0, 26, 10]
        >>> len(online.finish())
        64
    """

    def __init__(
        self, model: Any, *, window: int, hop: int | None = None, present: Tensor | None = None, recompute: bool = True
    ) -> None:
        hop = window if hop is None else hop
        if window < 1 or not 1 <= hop <= window:
            raise ValueError(f"Windows expect window >= 1 and 1 <= hop <= window, got window={window}, hop={hop}.")
        if model.training:
            raise ValueError("The model is in training mode, so a forward pass would change it; call model.eval().")
        self.model, self.window, self.hop, self.present = model, window, hop, present
        self._stream = None if recompute else StreamingSegmenter(model, context=window, present=present)
        self._begin()

    def _begin(self) -> None:
        parameter = next(self.model.parameters())
        self._frames: Tensor | None = None  # the last ones, from frame `_first` on
        self._first = self._next = self._received = self._given = 0
        # For the frames from `_given` on: sums of the windows' logits, and in the last column how many windows.
        self._sums = torch.zeros(0, self.model.config.num_labels + 1, dtype=parameter.dtype, device=parameter.device)

    def add(self, keypoints: Tensor) -> Tensor:
        """The logits `(frames, num_labels)` that became final with `keypoints (people, frames, joints, dims)`.

        Raises:
            ValueError: the shape differs from that of earlier frames.
        """
        if self._stream is not None:
            return self._stream.add(keypoints)
        before = None if self._frames is None else tuple(self._frames.shape)
        changed = before and (*keypoints.shape[:1], *keypoints.shape[2:]) != (before[0], *before[2:])
        if keypoints.dim() != 4 or changed:
            raise ValueError(
                f"A stream expects (people, frames, joints, dims) with constant people and joints; got "
                f"{tuple(keypoints.shape)} after {before}. Pass absent people as zeros."
            )
        done = [self._step(part) for part in keypoints.split(self.hop, dim=1) if part.shape[1]]
        return torch.cat(done) if done else self._take(self._given)

    def finish(self) -> Tensor:
        """The logits of the remaining frames, at the end of the stream; a new stream can follow."""
        if self._stream is not None:
            return self._stream.finish()
        if not self._received:
            return self._take(0)
        last = max(self._received - self.window, 0)
        if self._next - self.hop != last or not self._next:
            self._run(last, self._received)
        rest = self._take(self._received)
        self._begin()
        return rest

    def _step(self, keypoints: Tensor) -> Tensor:
        self._frames = keypoints if self._frames is None else torch.cat([self._frames, keypoints], dim=1)
        self._received += keypoints.shape[1]
        while self._next + self.window <= self._received:
            self._run(self._next, self._next + self.window)
            self._next += self.hop
        # Kept: the frames of the next window, and of the last one if the stream ends here.
        kept = max(min(self._next, self._received - self.window), 0)
        self._frames = self._frames[:, kept - self._first :].clone()
        self._first = kept
        return self._take(max(self._received - self.window, self._given))

    @torch.no_grad()
    def _run(self, start: int, end: int) -> None:
        assert self._frames is not None
        part = self._frames[None, :, start - self._first : end - self._first]
        mask = None if self.present is None else self.present[None, :, None].expand(part.shape[:3])
        logits = self.model(part, attention_mask=mask).logits[0]
        counted = torch.cat([logits, torch.ones_like(logits[:, :1])], dim=1)
        added = max(end - self._given - len(self._sums), 0)
        self._sums = functional.pad(self._sums.to(counted), (0, 0, 0, added))
        self._sums[start - self._given : end - self._given] += counted

    def _take(self, end: int) -> Tensor:
        number = end - self._given
        done = self._sums[:number, :-1] / self._sums[:number, -1:]
        self._sums, self._given = self._sums[number:].clone(), end
        return done


@dataclass
class _Piece:
    """A run of one label in `start:end`: sum and maximum of its probabilities, and the sum since (`gap`)."""

    start: int
    end: int
    total: float
    peak: float
    gap: float = 0.0


class OnlineIntervals:
    """The intervals of a stream of probabilities, equal to `rule` on the whole; each is returned once it is final.

    Args:
        rule: threshold, hysteresis, shortest duration, longest gap, background.
        fps: frames per second.

    Raises:
        ValueError: fps is not above 0.

    Example:
        >>> from motionhub import OnlineIntervals
        >>> from motionhub.intervals.decode import DecodingRule
        >>> intervals = OnlineIntervals(DecodingRule(threshold=0.5), fps=10)
        >>> intervals.add([[0.0], [0.75], [0.75]])  # probabilities (frames, classes): the action has not ended
        []
        >>> intervals.add([[0.0]])
        [FrameInterval(label=0, start=1, end=3, score=0.75)]
        >>> intervals.finish()
        []
    """

    def __init__(self, rule: DecodingRule, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"fps must be above 0, got {fps!r}.")
        self.rule, self.fps, self.frames = rule, fps, 0
        self._low = rule.threshold if rule.low_threshold is None else rule.low_threshold
        self._runs: dict[int, _Piece] = {}  # not ended
        self._held: dict[int, _Piece] = {}  # ended, but may be joined to a later run

    def add(self, probabilities: Any) -> list[FrameInterval]:
        """The intervals that became final with `probabilities (frames, classes)`."""
        values = np.asarray(probabilities, np.float64)
        if values.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"Expected probabilities (frames, classes) in 0..1 without NaN, got {values.shape}.")
        return _sorted(found for row in values for found in self._frame(row))

    def finish(self) -> list[FrameInterval]:
        """The remaining intervals, at the end of the stream; a new stream can follow."""
        found = []
        for label in sorted({*self._runs, *self._held}):
            found += list(self._end_run(label))
            if label in self._held:
                found += self._made(label, self._held.pop(label))
        self.frames = 0
        return _sorted(found)

    def _frame(self, row: np.ndarray) -> Iterator[FrameInterval]:
        best = int(row.argmax())
        for label, probability in enumerate(row.tolist()):
            if label == self.rule.background:
                continue
            run = self._runs.get(label)
            if probability >= self._low and (not self.rule.exclusive or label == best):
                if run is None:
                    run = self._runs[label] = _Piece(self.frames, self.frames, 0.0, 0.0)
                run.end, run.total, run.peak = self.frames + 1, run.total + probability, max(run.peak, probability)
                continue
            yield from self._end_run(label)
            held = self._held.get(label)
            if held is not None:
                held.gap += probability
                if self._seconds(held.end, self.frames + 1) > self.rule.max_gap + 1e-9:
                    yield from self._made(label, self._held.pop(label))
        self.frames += 1

    def _end_run(self, label: int) -> Iterator[FrameInterval]:
        """The label's run becomes the held piece, is joined to it, or dropped."""
        run, held = self._runs.pop(label, None), self._held.get(label)
        if run is None:
            return
        if run.peak < self.rule.threshold:  # it belongs to the gap
            if held is not None:
                held.gap += run.total
            return
        if held is not None and self._seconds(held.end, run.start) <= self.rule.max_gap + 1e-9:
            run = _Piece(held.start, run.end, held.total + held.gap + run.total, max(held.peak, run.peak))
        elif held is not None:
            yield from self._made(label, held)
        self._held[label] = run

    def _made(self, label: int, piece: _Piece) -> list[FrameInterval]:
        if self._seconds(piece.start, piece.end) < self.rule.min_duration - 1e-9:
            return []
        return [FrameInterval(label, piece.start, piece.end, piece.total / (piece.end - piece.start))]

    def _seconds(self, start: int, end: int) -> float:
        return end / self.fps - start / self.fps


def _sorted(found: Iterable[FrameInterval]) -> list[FrameInterval]:
    return sorted(found, key=lambda each: (each.start, each.label))
