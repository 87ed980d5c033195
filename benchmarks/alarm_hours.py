"""Fall alarms on generated hours with hard negatives, and on real recordings without a fall (PRECOG).

    python benchmarks/alarm_hours.py --output_dir alarm_hours --precog precog2016_s1-8.zip

Four persons, each before another camera, are watched for a quarter of an hour each hour. The threshold is fitted on
every second hour and reported on the others. Every hour is saved as it ends, so an interrupted run is continued by the
same command.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionhub.atomic import write_text
from motionhub.cli.main import handle_cli_errors
from motionhub.live.alarms import AlarmRule
from motionhub.live.evaluation import (
    HOUR,
    Recording,
    Trace,
    alarms_of,
    evaluate_alarms,
    format_alarm_report,
    generated_recordings,
    labelled_recordings,
    traces_of,
    with_threshold,
)
from motionhub.live.events import LiveEvents
from motionhub.live.scorers import loaded
from motionhub.metrics.alarms import match_alarms
from motionhub.skeletons.sequence import SkeletonSequence


LABELS = "fall down, lie down, lying on the floor, walking, sitting down, standing up, picking something up"
RULE, FALL, MAX_GAP = "fall down>0.6 for 0.5s", "fall", 0.4


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="hub_configs/tmor-small")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--falls_per_hour", type=float, default=10.0)
    parser.add_argument("--stride", type=int, default=6, help="frames at 15 a second from score to score")
    parser.add_argument("--false_alarms", type=float, default=1.0, help="an hour, that the fitted threshold may have")
    parser.add_argument("--precog", help="the archive of PRECOG-2016")
    parser.add_argument("--output_dir", type=Path, default=Path("alarm_hours"))
    chosen = parser.parse_args(argv)
    torch.set_num_threads(1)
    chosen.output_dir.mkdir(parents=True, exist_ok=True)
    rule, pipe = AlarmRule.parse(RULE), loaded(chosen.model)

    def live(sequence: SkeletonSequence) -> LiveEvents:
        facts = {name: getattr(sequence, name) for name in ("fps", "layout", "unit", "image_size", "up")}
        stride = max(1, round(chosen.stride * sequence.fps / 15))
        return LiveEvents(pipe, labels=LABELS, **facts, stride=stride)

    hours = []
    for hour in range(chosen.hours):
        asked = {"model": chosen.model, "falls_per_hour": chosen.falls_per_hour, "stride": chosen.stride}
        hours.append(saved(chosen.output_dir / f"hour_{hour:02d}.json", asked, made(hour, chosen, live, rule)))
    traces = [trace for each, _ in hours for trace in each]
    spans = {key: value for _, each in hours for key, value in each.items()}
    report = evaluate_alarms(traces, rule, max_gap=MAX_GAP, most_false=chosen.false_alarms)
    print(format_alarm_report(report))
    held = [trace for trace in traces if trace.day in report["days"]]
    for name in ("stated", "fitted"):
        print(false_table(held, spans, with_threshold(rule, report[name]["threshold"]), name))
    if chosen.precog:
        report["precog"] = precog(chosen.precog, chosen.output_dir, live, rule, report)
    write_text(chosen.output_dir / "alarms.json", json.dumps(report, indent=1, default=float))


Spans = dict[tuple[str, int], list[tuple[float, float, str]]]
Kept = tuple[list[Trace], Spans]


def made(
    hour: int, chosen: argparse.Namespace, live: Callable[..., LiveEvents], rule: AlarmRule
) -> Callable[[], Kept]:
    """The traces of an hour, and what its persons did."""

    def make() -> Kept:
        spans: Spans = {}
        recordings = generated_recordings(1.0, seed=1000 + hour, falls_per_hour=chosen.falls_per_hour)
        return traces_of(noted(recordings, f"hour {hour:02d}", spans), live, rule, FALL), spans

    return make


def noted(recordings: Iterable[Recording], day: str, spans: Spans) -> Iterator[Recording]:
    """The recordings under the name of the day; what happens in them goes into `spans`."""
    for recording in recordings:
        spans.setdefault((day, recording.unit), []).extend(recording.intervals)
        yield dataclasses.replace(recording, day=day)


def saved(path: Path, asked: dict[str, Any], make: Callable[[], Kept]) -> Kept:
    """What `make` returns, from the file if it is there; a file of other options is an error."""
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["asked"] != asked:
            raise ValueError(f"{path} was made with {found['asked']}, not {asked}; pass another --output_dir.")
    else:
        begin = time.process_time()
        traces, spans = make()
        seconds = time.process_time() - begin
        rows = [
            {"day": each.day, "unit": each.unit, "seconds": each.seconds, "events": each.events, "spans": spans[key],
             "steps": [(*person, begin, end, row.round(4).tolist()) for person, begin, end, row in each.steps]}
            for each in traces for key in [(each.day, each.unit)]
        ]  # fmt: skip
        found = {"asked": asked, "cpu_seconds": seconds, "units": rows}
        write_text(path, json.dumps(found))
        hours, events = sum(each.seconds for each in traces) / HOUR, sum(len(each.events) for each in traces)
        print(f"{path.name}: {hours:.2f} h, {events} falls, {seconds:.0f} s of CPU", flush=True)
    traces, spans = [], {}
    for row in found["units"]:
        steps = [
            ((number, person), begin, end, np.array(values)) for number, person, begin, end, values in row["steps"]
        ]
        events = [(start, end) for start, end in row["events"]]
        traces.append(Trace(row["day"], row["unit"], row["seconds"], events, steps))
        spans[row["day"], row["unit"]] = [(start, end, name) for start, end, name in row["spans"]]
    return traces, spans


def false_table(traces: Sequence[Trace], spans: Spans, rule: AlarmRule, name: str) -> str:
    """Of each motion how often it happened, and how many false alarms were raised in it or right after it."""
    happened: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for trace in traces:
        done = spans[trace.day, trace.unit]
        happened.update(motion for *_, motion in done)
        for alarm in match_alarms(alarms_of(trace, rule, MAX_GAP), trace.events)[1]:
            false[max((start, motion) for start, _, motion in done if start <= alarm)[1]] += 1
    lines = [f"false alarms of {rule} ({name}), by what was done"]
    lines += [f"  {motion:24s} {false[motion]:4d} of {count}" for motion, count in happened.most_common()]
    return "\n".join(lines)


def precog(
    archive: str, folder: Path, live: Callable[..., LiveEvents], rule: AlarmRule, report: dict[str, Any]
) -> dict[str, Any]:
    """False alarms on PRECOG, in which nobody falls, at both thresholds."""
    from motionhub.data.build.build import build_dataset
    from motionhub.training.start import class_names_of_dataset

    splits = build_dataset("precog", archive)
    found: dict[str, Any] = {"hours": 0.0, "stated": 0, "fitted": 0}
    for rows in splits.values():
        for trace in traces_of(labelled_recordings(rows, class_names_of_dataset(rows)), live, rule, FALL):
            found["hours"] += trace.seconds / HOUR
            for name in ("stated", "fitted"):
                alarms = alarms_of(trace, with_threshold(rule, report[name]["threshold"]), MAX_GAP)
                found[name] += len(alarms)
    print(f"PRECOG, {found['hours']:.2f} h without a fall: {found['stated']} false alarms, fitted {found['fitted']}")
    return found


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
