"""Where the frames of a stream come from: a camera, a network stream, a video, a file of keypoints, lines of JSON."""

import itertools
import json
import math
import threading
import time as clock_of
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.video.reader import Video, VideoFrame
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame
from motionhub.skeletons.sequence import SkeletonSequence


LATE = 0.5  # seconds behind the stream from which frames are dropped
STALLED = 10.0  # seconds without a frame after which a live video is opened again
MOST_PEOPLE, MOST_CHARACTERS = 256, 2**22  # of a line
BACKOFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # seconds between attempts; the last is repeated


def check_source(source: str) -> None:
    """Raises ValueError for a file that is not there."""
    if source != "-" and not is_live(source) and not Path(source).exists():
        raise ValueError(
            f"{source}: no such file; expected a video, a file of keypoints, the number of a camera, an address such "
            "as rtsp://..., or - for JSON lines."
        )


def is_live(source: str) -> bool:
    """Whether a source is a camera or an address."""
    return (source.isdigit() and not Path(source).exists()) or "://" in source


@dataclass(frozen=True)
class LiveFrame:
    """One frame of a source.

    Args:
        keypoints: `(people, joints, dims)`, NaN where missing.
        time: seconds on the clock of the source; None: frame after frame.
        ids: of the people, where the source tracks them.
        image: of videos, `(height, width, 3)` RGB.
        dropped: frames before this one that were left out because their turn came too late.
        problem: why a line could not be read; such a frame has no people and is not used.
    """

    keypoints: np.ndarray
    time: float | None = None
    ids: list[int] | None = None
    image: np.ndarray | None = None
    dropped: int = 0
    problem: str | None = None


class Newest:
    """Hands objects from one thread to another: the newest wins, and those that it replaces are counted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: Any = None
        self._full = self._ended = False
        self._replaced = 0

    def put(self, value: Any) -> None:
        with self._changed:
            self._replaced += self._full
            self._kept, self._full = value, True
            self._changed.notify()

    def end(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def get(self, timeout: float) -> tuple[Any, int] | None:
        """The newest object, and how many it replaced; None at the end.

        Raises:
            TimeoutError: nothing came in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._full or self._ended, timeout):
                raise TimeoutError
            if not self._full:
                return None
            value, replaced = self._kept, self._replaced
            self._kept, self._full, self._replaced = None, False, 0
            return value, replaced


class LiveVideo:
    """The frames of a camera or network stream: always the newest, opened again when it stops.

    Args:
        opened: opens the video.
        note: gets a sentence when the stream stops and comes back.
        attempts: consecutive failures to open it after which it ends with the error; None: never.
        wait: sleeps for seconds.
        stalled: seconds without a frame that count as a stop.
    """

    def __init__(
        self,
        opened: Callable[[], Video],
        note: Callable[[str], None],
        attempts: int | None = None,
        wait: Callable[[float], None] = clock_of.sleep,
        stalled: float = STALLED,
    ) -> None:
        self.video = opened()  # the first failure is the user's to see
        self.reconnects = 0
        self._opened, self._note, self._attempts, self._wait, self._stalled = opened, note, attempts, wait, stalled

    def frames(self) -> Iterator[tuple[VideoFrame, int]]:
        """Each frame, with the seconds of this machine's clock, and how many were dropped before it."""
        started = clock_of.monotonic()
        while True:
            why = "ended"
            try:
                for frame, dropped in self._run():
                    yield VideoFrame(frame.index, clock_of.monotonic() - started, frame.image), dropped
            except TimeoutError:
                why = f"sent nothing for {self._stalled:g} s"
            except ValueError as error:
                why = str(error)
            self._note(f"the stream stopped ({why}); opening it again")
            self._open_again()

    def _run(self) -> Iterator[tuple[VideoFrame, int]]:
        newest = Newest()
        failed: list[Exception] = []

        def read(video: Video) -> None:
            try:
                for frame in video.frames():
                    newest.put(frame)
            except Exception as error:  # told by the thread that waits
                failed.append(error)
            finally:
                newest.end()

        threading.Thread(target=read, args=(self.video,), daemon=True).start()
        while (got := newest.get(self._stalled)) is not None:
            yield got
        if failed:
            raise failed[0]

    def _open_again(self) -> None:
        for attempt in itertools.count():
            self._wait(BACKOFF[min(attempt, len(BACKOFF) - 1)])
            try:
                self.video = self._opened()
            except ValueError:
                if self._attempts is not None and attempt + 1 >= self._attempts:
                    raise
            else:
                self.reconnects += 1
                self._note("the stream is back")
                return


def frames_of_video(
    frames: Iterable[tuple[VideoFrame, int]], estimator: Estimator, min_confidence: float, world: bool
) -> Iterator[LiveFrame]:
    """The people that a pose estimator finds in each frame.

    Args:
        frames: with how many were dropped before each.
        min_confidence: joints below are missing.
        world: metres, y up, of estimators that lift, instead of pixels; people are then numbered by their pixels.
    """
    from motionhub.skeletons.tracking import PeopleTracker

    tracker = PeopleTracker()
    for count, (frame, dropped) in enumerate(frames):
        people = [PersonInFrame(*person) for person in estimator(frame)]
        pixels = _stacked([_seen(each.keypoints, each.confidence, min_confidence) for each in people])
        if not world or not people:
            yield LiveFrame(pixels, frame.time, image=frame.image, dropped=dropped)
            continue
        if any(each.world is None for each in people):
            raise ValueError("The model takes metres, and this estimator gives pixels: --estimator mediapipe lifts.")
        numbers = tracker(pixels, count)
        metres = [np.asarray(each.world) * [1, -1, -1] for each in people]
        points = _stacked(
            [np.where(np.isnan(flat), np.nan, place) for flat, place in zip(pixels[..., :1], metres, strict=True)]
        )
        known = numbers >= 0
        yield LiveFrame(points[known], frame.time, numbers[known].tolist(), frame.image, dropped)


def _seen(keypoints: np.ndarray, confidence: np.ndarray, least: float) -> np.ndarray:
    return np.where(np.asarray(confidence)[:, None] >= least, keypoints, np.nan)


def _stacked(people: list[np.ndarray]) -> np.ndarray:
    return np.stack(people).astype(np.float32) if people else np.zeros((0, 0, 2), np.float32)


def frames_of_sequence(sequence: SkeletonSequence) -> Iterator[LiveFrame]:
    """The frames of a file of keypoints, as fast as they are taken; people who are absent are left out."""
    ids = np.array(sequence.track_ids)
    for index in range(sequence.num_frames):
        points = sequence.keypoints[:, index]
        present = ~np.isnan(points).any(axis=-1).all(axis=-1)
        yield LiveFrame(points[present], index / sequence.fps, ids[present].tolist())


def frames_of_lines(
    lines: Iterable[str], fps: float, late: float = LATE, clock: Callable[[], float] = clock_of.monotonic
) -> Iterator[LiveFrame]:
    """The frames of lines of JSON, see `people_of`. Those that come later than the stream goes are dropped.

    A line that cannot be read is a frame with a `problem`. Lines without a time are `fps` to the second.

    Args:
        late: seconds by which a frame may lag behind the first; a recording that is piped in is ahead of its time.
    """
    started: tuple[float, float] | None = None
    dropped = 0
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            if len(line) > MOST_CHARACTERS:
                raise ValueError(f"has {len(line)} characters, more than {MOST_CHARACTERS}")
            keypoints, ids, time = people_of(json.loads(line))
        except (ValueError, RecursionError) as error:
            parsed = not isinstance(error, json.JSONDecodeError | RecursionError)
            reason = " ".join(str(error).split())[:200] if parsed else "no JSON"
            yield LiveFrame(np.zeros((0, 0, 2)), problem=f"line {number + 1}: {reason}")
            continue
        due = number / fps if time is None else time
        started = started or (clock(), due)
        lag = (clock() - started[0]) - (due - started[1])
        if not -1e6 < lag < 3600:  # the clock of the source was set
            started = (clock(), due)
        elif lag > late:
            dropped += 1
            continue
        yield LiveFrame(keypoints, due, ids, dropped=dropped)
        dropped = 0


def people_of(message: Mapping[str, Any]) -> tuple[np.ndarray, list[int] | None, float | None]:
    """Keypoints, ids and time of one line of JSON: `{"time": 1.2, "people": [{"id": 0, "keypoints": [[x, y], ...]}]}`.

    A third number of a 2-D keypoint is its score, and a keypoint of null is missing.

    Raises:
        ValueError: anything else.
    """
    people = message.get("people") if isinstance(message, Mapping) else None
    if not isinstance(people, list):
        raise ValueError('expected {"time": SECONDS, "people": [{"id": 0, "keypoints": [[x, y], ...]}]}')
    if len(people) > MOST_PEOPLE:
        raise ValueError(f"{len(people)} people are more than {MOST_PEOPLE}")
    time = message.get("time")
    if time is not None and (isinstance(time, bool) or not isinstance(time, int | float) or not abs(time) < 1e15):
        raise ValueError(f'expected seconds as "time", got {str(time)[:40]}')
    rows: list[Any] = []
    ids: list[Any] = []
    for person in people:
        points = person.get("keypoints") if isinstance(person, Mapping) else None
        if not isinstance(points, list) or not points:
            raise ValueError('expected "keypoints" of every person, a list of [x, y] or [x, y, z]')
        width = max((len(point) for point in points if isinstance(point, list)), default=2)
        rows.append([point if isinstance(point, list) else [math.nan] * width for point in points])
        ids.append(person.get("id"))
    try:
        keypoints = np.array(rows, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("the keypoints are no table of numbers with one row per joint") from None
    given = [number for number in ids if number is not None]
    if given and (len(given) != len(ids) or not all(isinstance(number, int) for number in given)):
        raise ValueError('expected a whole number "id" of every person, or of none')
    return keypoints, given or None, None if time is None else float(time)
