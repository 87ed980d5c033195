"""Alarms against events that happened: recall, false alarms per hour, time to alarm, and a threshold for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


LATE = 5.0  # seconds after the end of an event in which an alarm still belongs to it


@dataclass(frozen=True)
class AlarmCounts:
    """What the alarms of one recording were.

    Args:
        name: of the recording, or of the hour of a day; the unit of the bootstrap.
        hours: length.
        events: that happened.
        found: of them with an alarm.
        false: alarms that belong to no event.
        delays: seconds from the start of each found event to its first alarm.
    """

    name: str
    hours: float
    events: int
    found: int
    false: int
    delays: tuple[float, ...]


def match_alarms(
    alarms: Sequence[float], events: Sequence[tuple[float, float]], late: float = LATE
) -> tuple[list[float | None], list[float]]:
    """The delay of each event's first alarm, None for a missed event; and the times of false alarms.

    An alarm belongs to the last event that began before it, up to `late` seconds after its end. Further alarms of one
    event are neither found nor false.

    Args:
        alarms: seconds.
        events: start and end in seconds.

    Raises:
        ValueError: an event that ends before it starts.
    """
    if any(end < start for start, end in events):
        raise ValueError("Events must end after they start.")
    delays: list[float | None] = [None] * len(events)
    false = []
    for alarm in sorted(alarms):
        owners = [index for index, (start, end) in enumerate(events) if start <= alarm <= end + late]
        if not owners:
            false.append(alarm)
            continue
        owner = max(owners, key=lambda index: events[index][0])
        if delays[owner] is None:
            delays[owner] = alarm - events[owner][0]
    return delays, false


def counted(
    name: str, hours: float, alarms: Sequence[float], events: Sequence[tuple[float, float]], late: float = LATE
) -> AlarmCounts:
    """The counts of one recording, see `match_alarms`."""
    delays, false = match_alarms(alarms, events, late)
    found = tuple(delay for delay in delays if delay is not None)
    return AlarmCounts(name, hours, len(events), len(found), len(false), found)


def alarm_report(counts: Sequence[AlarmCounts], *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Recall, false alarms per hour and time to alarm, with 95 % intervals from a bootstrap over the recordings.

    Returns:
        `recall` (NaN without events), `false_alarms_per_hour`, each with `..._interval` (NaN of fewer than two
        recordings), `events`, `found`, `false_alarms`, `hours`, `median_delay_s`, `p90_delay_s` (NaN without any).

    Raises:
        ValueError: no recording, or no length.
    """
    if not counts or sum(each.hours for each in counts) <= 0:
        raise ValueError("Alarms are reported of one recording or more, with a length above 0.")
    table = np.array([(each.found, each.events, each.false, each.hours) for each in counts], np.float64)
    delays = [delay for each in counts for delay in each.delays]
    recall, rate = _rates(table.sum(axis=0))
    report = {
        "recall": float(recall),
        "false_alarms_per_hour": float(rate),
        "recall_interval": (np.nan, np.nan),
        "false_alarms_per_hour_interval": (np.nan, np.nan),
        "events": int(table[:, 1].sum()),
        "found": int(table[:, 0].sum()),
        "false_alarms": int(table[:, 2].sum()),
        "hours": float(table[:, 3].sum()),
        "median_delay_s": float(np.median(delays)) if delays else np.nan,
        "p90_delay_s": float(np.quantile(delays, 0.9)) if delays else np.nan,
    }
    if len(counts) > 1:
        drawn = np.random.default_rng(seed).integers(len(counts), size=(resamples, len(counts)))
        recalls, rates = _rates(table[drawn].sum(axis=1))
        report["recall_interval"] = _interval(recalls)
        report["false_alarms_per_hour_interval"] = _interval(rates)
    return report


def operating_point(curve: Sequence[dict[str, Any]], most_false: float) -> dict[str, Any]:
    """The entry of a curve with the greatest recall among those of at most `most_false` false alarms per hour.

    Of equal ones that with the fewest false alarms, then with the higher `threshold`. If none is that quiet, the
    quietest.
    """
    quiet = [point for point in curve if point["false_alarms_per_hour"] <= most_false + 1e-9]
    if not quiet:
        return min(curve, key=lambda point: (point["false_alarms_per_hour"], -point["recall"]))
    return max(quiet, key=lambda point: (point["recall"], -point["false_alarms_per_hour"], point["threshold"]))


def _rates(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found, events, false, hours = np.moveaxis(sums, -1, 0)
    return np.where(events > 0, found / np.maximum(events, 1), np.nan), false / hours


def _interval(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return float(low), float(high)
