"""Alarms on labelled recordings: every recording is scored once, then a rule is applied at every threshold."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motionhub.data.synthetic.days import generate_day
from motionhub.live.alarms import AlarmRule, AlarmTimer
from motionhub.live.events import LiveEvents
from motionhub.metrics.alarms import AlarmCounts, alarm_report, counted, operating_point
from motionhub.skeletons.sequence import SkeletonSequence


THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.025), 3).tolist())
HOUR = 3600.0
QUARTER = 0.25  # hours


@dataclass(frozen=True)
class Recording:
    """A part of a labelled day.

    Args:
        day: of what it is a part; days are fitted on or reported on as a whole.
        unit: number of the quarter of an hour, or of the recording; what the bootstrap draws.
        start: second of the unit.
        sequence: keypoints.
        intervals: start and end in seconds of the unit, and name, of what happens.
        seconds: up to the next part, the time in which nobody is seen included.
    """

    day: str
    unit: int
    start: float
    sequence: SkeletonSequence
    intervals: tuple[tuple[float, float, str], ...]
    seconds: float


@dataclass
class Trace:
    """The scores of one unit.

    Args:
        day, unit: see `Recording`.
        seconds: that were watched.
        events: start and end of what happened.
        steps: per score: person, begin, end, probabilities of the rule's labels.
    """

    day: str
    unit: int
    seconds: float = 0.0
    events: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    steps: list[tuple[Any, float, float, np.ndarray]] = dataclasses.field(default_factory=list)


def generated_recordings(hours: float, seed: int = 0, **options: Any) -> Iterator[Recording]:
    """The episodes of `data.synthetic.days.generate_day`, a quarter of an hour to a person and a camera."""
    for number in range(int(np.ceil(hours / QUARTER - 1e-9))):
        name, length = f"person {number}", min(QUARTER, hours - number * QUARTER)
        held = None
        for episode in generate_day(length, seed=(seed, number), **options):
            if held is not None:
                yield Recording(name, number, held.start, held.sequence, held.intervals, episode.start - held.start)
            held = episode
        if held is not None:
            rest = max(length * HOUR - held.start, held.sequence.duration)
            yield Recording(name, number, held.start, held.sequence, held.intervals, rest)


def labelled_recordings(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Iterator[Recording]:
    """Dataset rows with frame labels, a day to a subject; an axis that is not stated is that of standing people."""
    from motionhub.data.formats.upright import body_axis
    from motionhub.skeletons.rows import from_row

    for number, row in enumerate(rows):
        if row.get("frame_labels") is None:
            raise ValueError(
                "The alarm task needs a dataset with labels per frame, such as precog; this one has none."
            )
        sequence, labels = from_row(row), np.asarray(row["frame_labels"])
        if sequence.num_dims == 3 and sequence.up is None:
            sequence = sequence.replace(up=body_axis(sequence.layout.joints, sequence.keypoints))
        borders = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1, append=labels[-1] - 1))
        spans = [
            (first / sequence.fps, last / sequence.fps, names[labels[first]])
            for first, last in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
            if labels[first] >= 0
        ]
        subject = row.get("subject", -1)
        day = f"subject {subject}" if subject is not None and subject >= 0 else f"recording {number}"
        yield Recording(day, number, 0.0, sequence, tuple(spans), sequence.duration)


def traces_of(
    recordings: Iterable[Recording],
    live: Callable[[SkeletonSequence], LiveEvents],
    rule: AlarmRule,
    positive: str,
    note: Callable[[str], None] = lambda text: None,
) -> list[Trace]:
    """The scores of recordings, an entry for every unit; of the keypoints nothing is kept.

    Args:
        live: makes the stream of a recording.
        rule: whose labels are kept.
        positive: name of the intervals that should raise the alarm.
        note: gets a line after each unit.

    Raises:
        ValueError: no recording.
    """
    traces: dict[tuple[str, int], Trace] = {}
    for number, recording in enumerate(recordings):
        key = (recording.day, recording.unit)
        if traces and key not in traces:
            last = next(reversed(traces.values()))
            note(f"{last.day}: {last.seconds / HOUR:.2f} h, {len(last.events)} x {positive}")
        trace = traces.setdefault(key, Trace(*key))
        trace.seconds += recording.seconds
        trace.events += [(start, end) for start, end, name in recording.intervals if name == positive]
        stream = live(recording.sequence)
        columns = [stream.scorer.labels.index(label) for label in rule.above]
        for person, begin, end, probabilities in stream.score(recording.sequence):
            kept = np.full(len(columns), np.nan) if probabilities is None else probabilities[columns]
            trace.steps.append(((number, person), recording.start + begin, recording.start + end, kept))
    if not traces:
        raise ValueError("There is no recording to evaluate.")
    return list(traces.values())


def alarms_of(trace: Trace, rule: AlarmRule, max_gap: float) -> list[float]:
    """The seconds at which a rule raises alarms."""
    timer, least = AlarmTimer(rule, max_gap), np.array(list(rule.above.values()))
    found = []
    for person, begin, end, probabilities in trace.steps:
        if timer.update(person, begin, end, bool((probabilities > least).all())) is not None:
            found.append(end)
    return found


def with_threshold(rule: AlarmRule, threshold: float) -> AlarmRule:
    """The rule with another probability for its first label."""
    first = next(iter(rule.above))
    return dataclasses.replace(rule, above={**rule.above, first: threshold})


def counts_of(traces: Sequence[Trace], rule: AlarmRule, max_gap: float) -> list[AlarmCounts]:
    """The counts of each unit."""
    return [
        counted(f"{each.day} {each.unit}", each.seconds / HOUR, alarms_of(each, rule, max_gap), each.events)
        for each in traces
    ]


def evaluate_alarms(
    traces: Sequence[Trace], rule: AlarmRule, *, max_gap: float = 0.4, most_false: float = 1.0, seed: int = 0
) -> dict[str, Any]:
    """Fits the probability of the rule's first label on half of the days, and reports on the others.

    Args:
        traces: of `traces_of`; every second day is fitted on.
        rule: its probability is reported as it stands, too.
        max_gap: seconds of interruption that do not end what holds.
        most_false: false alarms per hour that the fitted threshold may have on its own days.
        seed: of the bootstrap.

    Returns:
        `fitted` and `stated`: `alarm_report`s of the days that were not fitted on, with `threshold`; `curve`: reports
        of these days at every threshold; `fit_days`, `days`.

    Raises:
        ValueError: fewer than two days, or none with an event among those that are fitted on.
    """
    days = sorted({trace.day for trace in traces}, key=lambda name: (len(name), name))
    fit = [trace for trace in traces if trace.day in days[::2]]
    held = [trace for trace in traces if trace.day not in days[::2]]
    if not held or not any(trace.events for trace in fit):
        raise ValueError(
            "A threshold is fitted on some days and reported on others: expected two days or more with events in the "
            f"first, got {len(days)} days and {sum(len(trace.events) for trace in traces)} events."
        )

    def report(part: Sequence[Trace], threshold: float, resamples: int = 2000) -> dict[str, Any]:
        counts = counts_of(part, with_threshold(rule, threshold), max_gap)
        return {"threshold": threshold, **alarm_report(counts, resamples=resamples, seed=seed)}

    chosen = operating_point([report(fit, each, 1) for each in THRESHOLDS], most_false)["threshold"]
    return {
        "rule": str(rule),
        "fitted": report(held, chosen),
        "stated": report(held, next(iter(rule.above.values()))),
        "curve": [report(held, each, 1) for each in THRESHOLDS],
        "fit_days": days[::2],
        "days": days[1::2],
    }


def format_alarm_report(report: dict[str, Any]) -> str:
    """The operating points as a table."""
    lines = [f"fitted on {len(report['fit_days'])} days, reported on {len(report['days'])} others"]
    lines.append(f"  {'threshold':18s} {'recall':>22s} {'false alarms an hour':>24s} {'seconds to alarm':>18s}")
    for name in ("stated", "fitted"):
        each = report[name]
        recall = f"{each['recall']:.0%} {_range(each['recall_interval'], '.0%')}"
        false = f"{each['false_alarms_per_hour']:.2f} {_range(each['false_alarms_per_hour_interval'], '.2f')}"
        delay = f"{each['median_delay_s']:.1f} (p90 {each['p90_delay_s']:.1f})"
        lines.append(f"  {name} {each['threshold']:<11.3g} {recall:>22s} {false:>24s} {delay:>18s}")
    each = report["fitted"]
    lines.append(f"  {each['events']} events in {each['hours']:.2f} h; 95 % intervals by a bootstrap over recordings")
    return "\n".join(lines)


def _range(interval: tuple[float, float], form: str) -> str:
    return f"[{interval[0]:{form}}, {interval[1]:{form}}]"
