"""`motionhub watch`: events and alarms of a camera, a video or a stream of keypoints, while they happen."""

import io
import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import model_option, with_metadata
from motionhub.cli.report import counted, note


_SOURCE = "Number of a camera, rtsp://..., a video, a file of keypoints, or - for JSON lines on stdin"
_ALARM = '"LABEL>PROBABILITY for SECONDS", such as "fall down>0.6 for 0.5s"; or "inactive for 60s"'
_LINES = 'A line is {"time": SECONDS, "people": [{"id": 0, "keypoints": [[x, y], ...]}]}; it needs --layout and --fps'
_OPTIONS = "Options of the estimator, such as num_people=2"
EventOption = partial(Option, rich_help_panel="Events and alarms")
OutputOption = partial(Option, rich_help_panel="Where events go")
VideoOption = partial(Option, rich_help_panel="Videos and cameras")


@with_metadata
def watch(
    source: Annotated[str, Argument(help=f"{_SOURCE}. {_LINES}")],
    *,
    model: Annotated[
        str, model_option("a zero-shot model, a classifier, or a model that labels frames")
    ] = "tmor-small",
    labels: Annotated[str | None, EventOption(metavar="A,B,C", help="What to look for")] = None,
    background: Annotated[str | None, EventOption(metavar="A,B", help="Labels without events")] = None,
    alarm: Annotated[list[str] | None, EventOption(metavar="RULE...", help=_ALARM)] = None,
    cooldown: Annotated[str, EventOption(help="Silence of a rule after its alarm")] = "20s",
    threshold: Annotated[float, EventOption(help="Probability an event must reach")] = 0.5,
    min_duration: Annotated[float, EventOption(metavar="SECONDS", help="Drop shorter events")] = 0.4,
    min_coverage: Annotated[float, EventOption(help="Share of the joints that must be detected")] = 0.5,
    window: Annotated[float | None, EventOption(metavar="SECONDS", help="That the model sees at once")] = None,
    stride: Annotated[int | None, EventOption(metavar="FRAMES", help="From score to score; by default 0.2 s")] = None,
    out: Annotated[Path | None, OutputOption("-o", "--out", help="JSON lines; - for stdout, instead of text")] = None,
    csv: Annotated[Path | None, OutputOption(help="A table")] = None,
    webhook: Annotated[str | None, OutputOption(metavar="URL", help="http(s)://... that gets every event")] = None,
    mqtt: Annotated[str | None, OutputOption(metavar="URL", help="mqtt://host/topic that gets every event")] = None,
    pictures: Annotated[Path | None, OutputOption(help="Folder for an image of each alarm")] = None,
    privacy: Annotated[bool, OutputOption(help="No picture is stored or sent; what could is an error")] = False,
    estimator: Annotated[str, VideoOption(help="mediapipe, rtmlib or vitpose; auto: the first installed")] = "auto",
    options: Annotated[list[str] | None, VideoOption(metavar="KEY=VALUE...", help=_OPTIONS)] = None,
    min_confidence: Annotated[float, VideoOption(help="Joints below are missing")] = 0.3,
    attempts: Annotated[int | None, VideoOption(help="To open a stream again; by default without end")] = None,
    seconds: Annotated[float | None, Option(help="Stop after this time")] = None,
    up: Annotated[str | None, Option(help="Axis that points up in JSON lines in metres, such as y")] = None,
    metadata: dict[str, Any],
) -> int:
    """Report actions and raise alarms while they happen; Ctrl-C ends with the totals."""
    from motionhub.live.sources import check_source

    check_source(source)  # before torch and a model are loaded
    from motionhub.live.alarms import AlarmRule, seconds_of
    from motionhub.live.events import LiveEvents
    from motionhub.live.scorers import loaded, scorer_of
    from motionhub.live.watch import open_source
    from motionhub.live.watch import watch as run
    from motionhub.pipelines.skeleton_pipeline import dims_of
    from motionhub.poses.estimators import parse_option
    from motionhub.visualization.canvas import need

    if privacy and pictures is not None:
        raise ValueError("--privacy stores no picture, and --pictures does; omit one of them.")
    if source == "-" and isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a byte that is no UTF-8 spoils its line, not the stream
    if pictures is not None:
        need("PIL.Image")  # now, not at the first alarm
    rules = [AlarmRule.parse(text, seconds_of(cooldown, "--cooldown")) for text in alarm or ()]
    pipe = loaded(model)
    asked: dict[str, Any] = {"background": background or (), "window": window}
    scorer = scorer_of(pipe, labels, **asked)
    for rule in rules:
        rule.check(scorer.labels, scorer.exclusive)
    opened = open_source(
        source,
        num_dims=dims_of(pipe.feature_extractor),
        metadata={**metadata, "up": up},
        estimator=estimator,
        estimator_options=dict(map(parse_option, options or ())),
        min_confidence=min_confidence,
        attempts=attempts,
        privacy=privacy,
        lines=sys.stdin,
        note=note,
    )
    for rule in rules:
        rule.check(scorer.labels, scorer.exclusive, opened.seconds if seconds is None else seconds)
    asked |= {"threshold": threshold, "min_duration": min_duration, "min_coverage": min_coverage, "stride": stride}
    live = LiveEvents(pipe, labels, alarms=rules, **asked, **opened.facts)
    outputs = _outputs(out, csv, webhook, mqtt)
    events = run(opened.frames, live, outputs, seconds=seconds, pictures=pictures, note=note)
    _follow(events, opened, live, outputs, None if str(out) == "-" else source)
    return 0


def _follow(events: Iterator[Any], opened: Any, live: Any, outputs: list[Any], source: str | None) -> None:
    """Takes all events and prints them, with the totals; without the name of the source it prints nothing."""
    from motionhub.live.watch import last_events

    if source is not None:
        print(f"{source}: actions are known {live.delay_s:g} s after they begin", flush=True)
    with suppress(KeyboardInterrupt), _stopped_like_interrupted():
        for event in events:
            if source is not None and event.event != "update":
                print(_line(event), flush=True)
    rest, totals = last_events(live, outputs)
    if source is not None:
        print("\n".join([*map(_line, rest), *_summary(totals, opened)]))


def _outputs(out: Path | None, csv: Path | None, webhook: str | None, mqtt: str | None) -> list[Any]:
    from motionhub.live import outputs

    made: list[Any] = []
    if out is not None:
        made.append(Stdout() if str(out) == "-" else outputs.JsonLines(out))
    made += [outputs.Csv(csv)] if csv is not None else []
    made += [outputs.webhook(webhook)] if webhook is not None else []
    made += [outputs.mqtt(mqtt)] if mqtt is not None else []
    return made


class Stdout:
    """JSON lines on stdout."""

    def write(self, message: Any) -> None:
        print(json.dumps(message, ensure_ascii=False), flush=True)

    def close(self) -> dict[str, int]:
        return {}


@contextmanager
def _stopped_like_interrupted() -> Iterator[None]:
    """A service that is stopped ends like Ctrl-C. Only the main thread may set it."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _line(event: Any) -> str:
    kind = event.event.upper() if event.event == "alarm" else event.event
    text = f"{event.time_s:8.1f}s  person {event.person}  {kind:5s}  {event.label}  {event.probability:.0%}"
    if event.event == "close":
        return f"{text}  {event.start_s:.1f} to {event.end_s:.1f} s"
    return f"{text}  since {event.start_s:.1f} s"


_FAULTS = {
    "dropped": "frames dropped that came too late",
    "thinned_out": "frames thinned out, as more came than --fps",
    "out_of_order": "frames out of order",
    "clock_set_back": "times the clock was set back",
    "holes": "holes in the stream",
    "too_brief": "people seen too briefly to say what they did",
    "ids_reused": "ids reused for another person",
    "unreadable": "frames that could not be read",
    "refused": "windows that the model refused",
    "alarms_in_cooldown": "alarms held back by the cooldown",
}


def _summary(totals: dict[str, Any], opened: Any) -> list[str]:
    counts = ", ".join(counted(totals[name], name) for name in ("frames", "people", "alarms"))
    lines = [f"in all, {totals['seconds']:.1f} s: {counts}"]
    for hour, labels in totals["hours"].items():
        clock = "" if opened.seconds else f"{hour.replace('T', ' ')} h "  # of a recording it says when it was watched
        for label, entry in sorted(labels.items()):
            lines.append(f"  {clock}{entry['count']:4d} x {label}, {entry['seconds']:.1f} s")
    lines += [f"  {counted(totals[name], text)}" for name, text in _FAULTS.items() if totals[name]]
    if opened.video is not None and opened.video.reconnects:
        lines.append(f"  {counted(opened.video.reconnects, 'times')} the stream was opened again")
    sent = ("failed", "given up", "sent")
    return [*lines, *(f"  {count} {name}" for name, count in totals.items() if name.endswith(sent) and count)]
