"""Time stamps and frame numbers of a recording: positions in a clip of constant frame rate."""

import math
import re
from datetime import datetime
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import ReadOptions, rate_of


# Seconds per unit of a time stamp.
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# The shortest and longest plausible time between two frames, in seconds.
_SHORTEST, _LONGEST = 1e-3, 3.0
# Of a frame; cameras are late by less.
_UNEVEN = 0.25
# The rate of the caller may differ by this much from the one of the time stamps.
_TOLERANCE = 0.05
# Of a frame; stamps that fit an even rate so well state it, and are not rounded to a whole one.
_EXACT = 1e-4
# How fast the expected time of the next frame follows the time stamps.
_FOLLOW = 0.2
# Frames without people between two others; a longer absence is another recording.
_MOST_MISSING = 100_000


_LONGEST_STAMP = 40
# Seconds; nanoseconds since 1970 that are taken for seconds are less.
_LATEST = 1e20
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")


def clock_seconds(text: str) -> float | None:
    """Seconds of 00:01:02.5, 01:02.5 or a date with a time; None for anything else."""
    if len(text) > _LONGEST_STAMP:
        return None
    if clock := _CLOCK.fullmatch(text):
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))
    if len(text) < 16 or not text[:4].isdigit() or text[4] != "-":
        return None
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
    except ValueError:
        return None


def seconds_per_stamp(stamps: np.ndarray, name: str = "") -> float:
    """The unit of time stamps in seconds: of the name (`time_ms`, `timestamp_usec`), else one with plausible steps.

    Without a unit in the name, a step of 33 between two frames is milliseconds, one of 33,333 microseconds.
    """
    words = name.lower().replace("[", "_").replace("(", "_").rstrip("])").split("_")
    units = {"msec": "ms", "millis": "ms", "milliseconds": "ms", "usec": "us", "micros": "us", "microseconds": "us"}
    units |= {"nsec": "ns", "nanoseconds": "ns", "sec": "s", "secs": "s", "seconds": "s", **{u: u for u in TIME_UNITS}}
    if "ticks" in words or "100ns" in words:  # of Windows and Kinect
        return 1e-7
    named = next((units[word] for word in reversed(words) if word in units), None)
    if named is not None:
        return TIME_UNITS[named]
    steps = np.diff(np.unique(stamps))
    step = float(np.median(steps)) if len(steps) else 0.0
    return next((unit for unit in TIME_UNITS.values() if _SHORTEST <= step * unit <= _LONGEST), 1.0)


def place_stamps(path: Path, seconds: np.ndarray, options: ReadOptions) -> tuple[np.ndarray, float | None]:
    """Positions in the clip of ascending, unique time stamps `(frames,)`, and the frame rate; missing frames are gaps.

    The rate is that of the shortest usual step. A single stamp states no rate: None.

    Raises:
        ValueError: stamps that are no times or do not ascend, far apart, or the caller states another rate.
    """
    if not (np.abs(seconds) < _LATEST).all() or (np.diff(seconds) <= 0).any():
        raise bad_file(path, "time", "expected time stamps that ascend from frame to frame.")
    if len(seconds) < 2:
        return np.zeros(len(seconds), np.int64), None
    positions = _counted(seconds)
    if np.diff(positions).max() > _MOST_MISSING:
        gap = np.diff(seconds).max()
        raise bad_file(path, "time", f"a gap of {gap:g} s between two frames; these are several recordings.")
    with np.errstate(over="ignore"):
        rate = positions[-1] / (seconds[-1] - seconds[0])
    if not np.isfinite(rate):
        raise bad_file(path, "time", "expected time stamps that ascend from frame to frame.")
    if np.abs((seconds - seconds[0]) * rate - positions).max() > _EXACT:
        rate = _round_rate(rate, len(seconds))
    else:
        rate = rate_of(1 / rate)
    if options.fps is not None:
        if abs(options.fps / rate - 1) > _TOLERANCE:
            reason = f"the time stamps state {rate:.4g} frames per second, but fps {options.fps:g} was given"
            raise bad_file(path, "time", f"{reason}; leave fps out, and change it afterwards if the file is wrong.")
        rate = options.fps
    late = np.abs(seconds - seconds[0] - positions / rate).max()
    if late > _UNEVEN / rate:
        text = f"uneven time stamps: frames are placed at {rate:.4g} per second, up to {late:.2g} s from their stamp."
        note(path, "time", text)
    return positions, rate


def _counted(seconds: np.ndarray) -> np.ndarray:
    """Frames since the first time stamp, which may come early or late.

    At the usual step where the stamps fit it; else, as where most frames are absent, at the shortest usual step.
    """
    steps = np.diff(seconds)
    usual = _at_step(seconds, float(np.mean(steps[steps <= 1.5 * np.median(steps)])))
    even = (seconds - seconds[0]) * usual[-1] / (seconds[-1] - seconds[0])
    if np.abs(even - usual).max() <= _UNEVEN:
        return usual
    return _at_step(seconds, float(np.mean(steps[steps <= 1.5 * np.quantile(steps, 0.3)])))


def _at_step(seconds: np.ndarray, step: float) -> np.ndarray:
    positions, on_time = [0], float(seconds[0])
    for now in seconds[1:].tolist():
        count = max(round(min((now - on_time) / step, 2 * _MOST_MISSING)), 1)
        on_time += count * step
        on_time += _FOLLOW * (now - on_time)  # follows a rate that is not exactly `step`
        positions.append(positions[-1] + count)
    return np.array(positions, np.int64)


def _round_rate(rate: float, length: int) -> float:
    """A rate close to a whole one is that one: stamps are printed with few digits, and cameras are not exact."""
    whole = float(round(rate))
    near = max(2e-4, 0.1 / length)
    return whole if whole and math.isclose(rate, whole, rel_tol=near) else rate
