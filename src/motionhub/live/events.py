"""Events of a stream of keypoints: who does what, from its start on, while it happens, and alarms.

Every `stride` frames a model scores the last seconds of each person. A score describes the middle of its window, so
that an event is known half a window, and a stride, after it began. All buffers have a fixed size.
"""

import dataclasses
import math
import time as clock_of
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from motionhub.data.formats.results import from_results, is_frame_result
from motionhub.intervals.decode import DecodingRule, FrameInterval
from motionhub.live.alarms import AlarmRule, AlarmTimer
from motionhub.live.event import LiveEvent
from motionhub.live.scorers import scorer_of
from motionhub.live.totals import Totals
from motionhub.live.track import Track
from motionhub.pipelines.online_segmentation import OnlineIntervals
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.skeletons.tracking import PeopleTracker


FEWEST_FRAMES = 4  # of a window
AT_ONCE = 64  # windows of a recording that are scored together
LONGEST = 20 * 366 * 86400.0  # seconds of a stream; a frame after that is a clock that was set, too
JUMP_BACK = 1.0  # seconds: a frame that is older than the last by more is a clock that was set back


@dataclass
class _Person:
    """What is known of a person beside the track."""

    track: Track
    intervals: OnlineIntervals
    origin: float | None = None  # second at which step 0 begins
    steps: int = 0  # given to `intervals`
    scored: float = -math.inf
    coverage: float = 0.0
    opened: dict[tuple[int, int], float] = dataclasses.field(default_factory=dict)  # (label, start): last report


class LiveEvents:
    """Turns frames of keypoints into events, as they come.

    Args:
        model: a checkpoint, or a pipeline: zero-shot, a classifier, or a segmentation model.
        labels: of a zero-shot model, those to look for; of others some of their own (None: all).
        fps: usual frames per second of the stream. More are thinned out; fewer are interpolated.
        layout, unit, image_size, up: of the keypoints, as in `SkeletonSequence`. `up` is "-y" for pixels. Frames that
            are `SkeletonSequence`s or results of a pose estimator have their own.
        background: labels of a zero-shot model that give no events, such as "stand still".
        alarms: rules, or their texts, such as "fall down>0.6 for 0.5s".
        cooldown: seconds of silence of a rule that is given as a text, after its alarm.
        window: seconds that the model sees; None: as the checkpoint.
        stride: frames from one score to the next; None: a fifth of a second.
        threshold, low_threshold, min_duration, max_gap: of events, see `intervals.decode.DecodingRule`.
        min_coverage: share of the joints that must be detected in a window; less is not scored.
        min_seen: seconds for which a person must have been seen; None: half a window.
        max_absence: seconds after which a person is gone.
        max_windows: that are scored at once; of more people the longest waiting come first.
        update_every: seconds between the updates of an open event.
        multi_label: True: a zero-shot model scores every label independently.
        started: wall clock of the first frame; None: now.

    What the stream does wrong is counted in `totals()`: frames out of order (dropped), a clock set back (the seconds
    go on from the last frame, and everybody is a new person), holes of more than `max_absence`, an id that is
    somewhere else in the next frame (a new person).

    Raises:
        ValueError: labels or a rule that do not fit the model, a number out of its range.

    Examples:
        >>> live = motionhub.LiveEvents("motionhub/unik-nucla-small", fps=30, layout="kinect-20", unit="metre")
        >>> clip = motionhub.generate("sit down", seed=0, num_frames=90)
        >>> events = [event for frame in range(90) for event in live.push(clip.keypoints[:, frame])]
        >>> events += live.finish()
        >>> {event.label for event in events if event.event == "close"}
        {'sit down'}
        >>> live.delay_s, live.totals()["people"]
        (1.4, 1)
    """

    def __init__(
        self,
        model: Any = "motionhub/tmor-small",
        labels: Any = None,
        *,
        fps: float,
        layout: Any = None,
        unit: str = "pixel",
        image_size: tuple[int, int] | None = None,
        up: str | None = None,
        background: Any = (),
        alarms: Iterable[AlarmRule | str] = (),
        cooldown: float = 20.0,
        window: float | None = None,
        stride: int | None = None,
        threshold: float = 0.5,
        low_threshold: float | None = None,
        min_duration: float = 0.4,
        max_gap: float = 0.4,
        min_coverage: float = 0.5,
        min_seen: float | None = None,
        max_absence: float = 1.0,
        max_windows: int = 8,
        update_every: float = 1.0,
        multi_label: bool = False,
        started: datetime | None = None,
    ) -> None:
        _check_positive(fps=fps, max_absence=max_absence, max_windows=max_windows, window=window, stride=stride)
        if not 0 <= min_coverage <= 1:
            raise ValueError(f"min_coverage must be a share in 0..1, got {min_coverage!r}.")
        self.scorer = scorer_of(model, labels, background=background, window=window, multi_label=multi_label)
        self.fps, self.layout, self.unit, self.image_size = float(fps), layout and get_layout(layout), unit, image_size
        self.up = up or ("-y" if unit == "pixel" else None)
        if self.up is None and getattr(self.scorer.pipe.feature_extractor, "upright", False):
            raise ValueError(
                f'Keypoints in {unit}s need the axis that points up, such as up="y", to tell lying people.'
            )
        self.stride = max(round(fps / 5), 1) if stride is None else stride
        self.window, self.hop = self.scorer.seconds, self.stride / fps
        nothing = len(self.scorer.labels) if self.scorer.exclusive else None  # the column of "none of these"
        self.rule = DecodingRule(threshold, low_threshold, min_duration, max_gap, nothing is not None, nothing)
        rules = [AlarmRule.parse(rule, cooldown) if isinstance(rule, str) else rule for rule in alarms]
        for rule in rules:
            rule.check(self.scorer.labels, self.scorer.exclusive)
        self._timers = [AlarmTimer(rule, max_gap) for rule in rules]
        self.min_coverage, self.max_absence, self.max_windows = min_coverage, max_absence, max_windows
        self.min_seen = self.window / 2 if min_seen is None else min_seen
        self.update_every, self.started = update_every, started
        self._behind = (self.window - self.hop) / 2 - 1 / fps
        self._length = max(round(self.window * fps), FEWEST_FRAMES)
        self._received = np.full(self._length, -1, np.int64)
        self._people: dict[int, _Person] = {}  # by their number
        self._tracker = PeopleTracker(max_gap=math.ceil(max_absence * fps))
        self._epoch = self._count = 0
        self._first: float | None = None  # of the source's clock, moved on when that is set back
        self._now, self._slot, self._stepped = 0.0, -1, -math.inf
        self._due_now = False
        self._totals = Totals()

    @property
    def delay_s(self) -> float:
        """Seconds from the start of an action until it is reported: half a window, and strides of `min_duration`."""
        strides = max(math.ceil(self.rule.min_duration / self.hop - 1e-6), 1)
        return round(self.window / 2 + strides * self.hop, 3)

    def push(self, frame: Any, time: float | None = None, ids: Sequence[int] | None = None) -> list[LiveEvent]:
        """The events that one more frame brings.

        Args:
            frame: `(people, joints, dims)` or `(joints, dims)` keypoints, NaN for missing joints; a
                `SkeletonSequence` of one frame; or the result of a pose estimator, as `from_results` takes it.
            time: seconds on any clock; None: frame after frame at `fps`.
            ids: a number per person, of the tracker of another program; None: people are tracked here.

        Raises:
            ValueError: keypoints of another shape than the layout has, an id twice, a time that is no number.
        """
        points, own_ids = self._keypoints(frame)
        ids = own_ids if ids is None else ids
        if ids is not None and (len(ids) != len(points) or len({*ids}) != len(ids)):
            raise ValueError(f"ids must be {len(points)} different numbers, one per person, got {list(ids)[:10]}.")
        events = self._receive(points, time, ids)
        due = list(self._due())
        scores = iter(self._scores([window for _, window in due if window is not None]))
        for person, window in due:
            events += self._add(person, None if window is None else next(scores))
        return events

    def score(self, sequence: SkeletonSequence) -> Iterator[tuple[int, float, float, np.ndarray | None]]:
        """The scores that `push` would make of every frame of a recording, many windows at once; for evaluations.

        Yields:
            number of the person, begin and end in seconds of what a score stands for (as it arrives), and the
            probabilities of `scorer.labels`; None where too little was detected.
        """
        waiting: list[tuple[int, float, float, SkeletonSequence | None]] = []
        for frame in range(sequence.num_frames):
            self._receive(sequence.keypoints[:, frame], frame / sequence.fps, sequence.track_ids)
            for person, window in self._due():
                new = self._new_steps(person, window is not None)
                if new:
                    waiting.append((person.track.number, self._now - new * self.hop, self._now, window))
            if len(waiting) >= AT_ONCE:
                yield from self._scored(waiting)
                waiting = []
        yield from self._scored(waiting)

    def _scored(self, waiting: list[Any]) -> Iterator[tuple[int, float, float, np.ndarray | None]]:
        scores = iter(self._scores([window for *_, window in waiting if window is not None]))
        for number, begin, end, window in waiting:
            yield number, begin, end, None if window is None else next(scores)

    def _receive(self, points: np.ndarray, time: float | None, ids: Sequence[int] | None) -> list[LiveEvent]:
        """Moves the clock and the people; the events of those who have gone."""
        self._due_now = False
        if not self._advance(time):
            return []
        self._totals.frames += 1
        events = self._leave()
        numbers: Any = ids
        if ids is None:
            numbers = self._tracker(points, self._slot) if len(points) else ()
        for place, number in zip(points, numbers, strict=True):
            if np.isfinite(place).all(axis=-1).any():
                events += self._see(self._key(int(number)), int(number), place)
        if self._now - self._stepped >= self.hop - 0.5 / self.fps:
            self._stepped, self._due_now = self._now, True
        return events

    def finish(self) -> list[LiveEvent]:
        """The remaining events, at the end of the stream."""
        return [event for key in list(self._people) for event in self._gone(key)]

    def drop(self, frames: int = 1) -> None:
        """Counts frames that were left out because their turn came too late."""
        self._totals.dropped += frames

    def refuse_frame(self) -> None:
        """Counts a frame that could not be read."""
        self._totals.unreadable += 1

    @property
    def seconds(self) -> float:
        """Of the stream so far."""
        return self._now

    def totals(self) -> dict[str, Any]:
        """JSON values: counts of frames, people, alarms and faults of the stream, and what each hour held."""
        suppressed = sum(timer.suppressed for timer in self._timers)
        return {"seconds": round(self._now, 3), **self._totals.to_dict(), "alarms_in_cooldown": suppressed}

    def _keypoints(self, frame: Any) -> tuple[np.ndarray, Sequence[int] | None]:
        ids: Sequence[int] | None = None
        if not isinstance(frame, np.ndarray) and is_frame_result(frame):
            frame = from_results([frame], fps=self.fps, layout=self.layout, image_size=self.image_size)
        if isinstance(frame, SkeletonSequence):
            if frame.num_frames != 1:
                raise ValueError(f"push takes one frame, got a sequence of {frame.num_frames}; push them one by one.")
            self.layout, self.unit = frame.layout, frame.unit
            self.up, self.image_size = frame.up or self.up, frame.image_size or self.image_size
            # 0, 1, 2 ... is the order of the detections where nobody has tracked them.
            ids = None if frame.track_ids == tuple(range(frame.num_people)) else frame.track_ids
            frame = frame.keypoints[:, 0]
        if self.layout is None:
            raise ValueError('Keypoints in an array need their layout: LiveEvents(..., layout="coco-17").')
        points = np.asarray(frame, np.float32)
        points = points[None] if points.ndim == 2 and points.size else points
        if not points.size:
            return np.zeros((0, self.layout.num_joints, 2), np.float32), None
        if points.ndim != 3 or points.shape[1] != self.layout.num_joints or points.shape[2] not in (2, 3):
            raise ValueError(
                f"A frame of layout {self.layout.name!r} must have shape (people, {self.layout.num_joints}, 2 or 3), "
                f"got {np.shape(frame)}."
            )
        finite = np.isfinite(points).all(axis=-1, keepdims=True)
        return np.where(finite, points, np.float32(np.nan)), ids

    def _advance(self, time: float | None) -> bool:
        """Moves the clock to a frame; False if the frame is not used."""
        if time is None:
            time = 0.0 if self._first is None else self._first + self._now + 1 / self.fps
        number = isinstance(time, int | float | np.number) and not isinstance(time, bool)
        if not number or not abs(time) < 1e15:
            raise ValueError(f"time must be seconds, got {time!r}.")
        if self._first is None:
            self._first = time
            self.started = self.started or datetime.fromtimestamp(clock_of.time()).astimezone()
        now = float(time - self._first)
        if self._slot >= 0 and (now <= self._now or now > LONGEST):
            if 0 <= self._now - now < JUMP_BACK:
                self._totals.out_of_order += 1
                return False
            self._totals.clock_set_back += 1
            self._first, now = time - self._now - 1 / self.fps, self._now + 1 / self.fps
            self._epoch += 1
            for person in self._people.values():  # gone at the next frame
                person.track.last = -math.inf
        if self._slot >= 0 and now - self._now > self.max_absence:
            self._totals.holes += 1
        slot = round(now * self.fps)
        if slot <= self._slot:
            self._totals.thinned_out += 1
            return False
        self._now, self._slot = now, slot
        self._received[slot % self._length] = slot
        return True

    def _key(self, number: int) -> int:
        """Of a person of the tracker or of an id: unlike those before the clock was set back."""
        return number * 2**20 + self._epoch

    def _see(self, key: int, number: int, points: np.ndarray) -> list[LiveEvent]:
        person, events = self._people.get(key), []
        if person is not None and person.track.jumps_to(points, self._slot - person.track.last_slot):
            self._totals.ids_reused += 1
            events, person = self._gone(key), None
        if person is None:
            self._count += 1
            track = Track(self._count, number, self._slot, self._now, points.shape, self._length)
            person = self._people[key] = _Person(track, OnlineIntervals(self.rule, 1 / self.hop))
            self._totals.people += 1
        person.track.see(self._slot, self._now, points)
        return events

    def _leave(self) -> list[LiveEvent]:
        gone = [key for key, each in self._people.items() if self._now - each.track.last > self.max_absence]
        return [event for key in gone for event in self._gone(key)]

    def _gone(self, key: int) -> list[LiveEvent]:
        person = self._people.pop(key)
        if person.origin is None:
            self._totals.too_brief += 1
        for timer in self._timers:
            timer.forget(person.track.number)
        last = person.steps
        found = person.intervals.finish()
        return [self._closed(person, each, person.track.last if each.end == last else None) for each in found]

    def _due(self) -> Iterator[tuple[_Person, SkeletonSequence | None]]:
        """At the end of a stride: whose turn it is, with the window, or with None where too little was detected."""
        if not self._due_now:
            return
        least = self.min_seen - 1 / self.fps - 1e-6
        seen = [each for each in self._people.values() if each.track.last - each.track.first >= least]
        windows = 0
        for person in sorted(seen, key=lambda each: each.scored):
            if windows == self.max_windows:
                return
            window, person.coverage = self._window(person.track)
            windows += window is not None
            if window is not None:
                person.scored = self._now
            yield person, window

    def _window(self, track: Track) -> tuple[SkeletonSequence | None, float]:
        """The last seconds of a person in the model's joints, None where too little was detected; and the coverage."""
        assert self.layout is not None
        wanted = np.arange(self._slot - self._length + 1, self._slot + 1)
        received = self._received[wanted % self._length] == wanted
        points, _ = track.window(self._slot, received)
        target = getattr(self.scorer.pipe.feature_extractor, "layout", None) or self.layout
        sequence = SkeletonSequence(
            points[None], self.layout, self.fps, self.unit, image_size=self.image_size, up=self.up
        )
        sequence = convert_layout(sequence, target)
        arrived = received[-len(points) :]
        seen = sequence.joint_mask[0][arrived]
        coverage = float(seen.mean()) if seen.size else 0.0
        enough = coverage > 0 and coverage >= self.min_coverage and arrived.sum() >= FEWEST_FRAMES
        return (sequence if enough else None), coverage

    def _scores(self, windows: list[SkeletonSequence]) -> list[np.ndarray | None]:
        """Of each window; None, counted, where the model refuses it."""
        if not windows:
            return []
        try:
            return list(self.scorer(windows))
        except ValueError as error:
            if len(windows) > 1:
                return [score for window in windows for score in self._scores([window])]
            if not self._totals.refused:
                warnings.warn(f"A window could not be scored: {error}", stacklevel=4)
            self._totals.refused += 1
            return [None]

    def _add(self, person: _Person, probabilities: np.ndarray | None) -> list[LiveEvent]:
        """The events of a step: its probabilities, or None where there are none."""
        new = self._new_steps(person, probabilities is not None)
        if not new:
            return []
        row = np.zeros(len(self.scorer.labels)) if probabilities is None else np.clip(probabilities, 0, 1)
        if self.rule.exclusive:
            row = np.append(row, max(1 - row.sum(), 0))
        final = person.intervals.add(np.tile(row, (new, 1)))
        events = [self._closed(person, each) for each in final]
        for each in person.intervals.under_way():
            events += self._under_way(person, each)
        return events + self._alarms(person, probabilities, new)

    def _new_steps(self, person: _Person, scored: bool) -> int:
        """Strides since the last one that was taken into account; 0 before the first score."""
        if person.origin is None:
            if not scored:
                return 0
            person.origin = self._now - self.hop
        new = max(round((self._now - person.origin) / self.hop) - person.steps, 0)
        person.steps += new
        return new

    def _under_way(self, person: _Person, found: FrameInterval) -> list[LiveEvent]:
        key = (found.label, found.start)
        before = person.opened.get(key)
        if before is not None and self._now - before < self.update_every - 1e-6:
            return []
        person.opened[key] = self._now
        return [self._event("open" if before is None else "update", person, found)]

    def _closed(self, person: _Person, found: FrameInterval, end: float | None = None) -> LiveEvent:
        person.opened.pop((found.label, found.start), None)
        event = self._event("close", person, found, end)
        self._totals.add(event.label, event.clock[:13], event.end_s - event.start_s)
        return event

    def _event(self, kind: str, person: _Person, found: FrameInterval, end: float | None = None) -> LiveEvent:
        begin_s, end_s = self._second(person, found.start), self._second(person, found.end)
        end_s = end_s if end is None or not math.isfinite(end) else max(end, begin_s)
        since = end_s if kind == "close" else begin_s
        label = self.scorer.labels[found.label]
        return self._made(kind, person, label, found.score, (begin_s, end_s), self._now - since)

    def _made(
        self,
        kind: str,
        person: _Person,
        label: str,
        score: float,
        span: tuple[float, float],
        delay: float,
        rule: Any = None,
    ) -> LiveEvent:
        assert self.started is not None
        clock = (self.started + timedelta(seconds=span[0])).isoformat(timespec="milliseconds")
        facts = (kind, person.track.person, label, float(score), person.coverage, *span, self._now, clock)
        return LiveEvent(*facts, max(delay, 0.0), rule)

    def _second(self, person: _Person, step: int) -> float:
        """When a step begins: its score is that of the middle of a window, which ends with the newest frame."""
        assert person.origin is not None
        return max(person.origin + step * self.hop - self._behind, person.track.first)

    def _alarms(self, person: _Person, probabilities: np.ndarray | None, new: int) -> list[LiveEvent]:
        events = []
        still = self._now - person.track.still_since
        for timer in self._timers:
            above = timer.rule.above
            likely = (
                {} if probabilities is None else dict(zip(self.scorer.labels, probabilities.tolist(), strict=True))
            )
            begin, holds = self._now - new * self.hop, all(likely.get(label, 0.0) > above[label] for label in above)
            if not above:  # it holds since the last movement, which ends it
                begin, holds = self._now - still, still >= new * self.hop - 1e-6
            since = timer.update(person.track.number, begin, self._now, holds, still)
            if since is None:
                continue
            self._totals.alarms += 1
            begin = max(since - self._behind, person.track.first)
            if not above:
                begin = person.track.still_since
            span, score = (begin, self._now), min((likely[label] for label in above), default=1.0)
            rule = str(timer.rule)
            events.append(self._made("alarm", person, timer.rule.name, score, span, self._now - begin, rule))
        return events


def _check_positive(**values: Any) -> None:
    for name, value in values.items():
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf
        ):
            raise ValueError(f"{name} must be a number above 0, got {value!r}.")
