"""`motionhub evaluate --task alarm`: an alarm on labelled days."""

from pathlib import Path
from typing import Any

from motionhub.cli.report import note, optional_images, save_json


def evaluate_alarm(
    model: str,
    data: dict[str, Any],
    *,
    labels: str | None,
    background: str | None,
    alarm: str | None,
    positive: str | None,
    hours: float,
    falls_per_hour: float,
    seed: int,
    stride: int | None,
    most_false: float,
    output_dir: str | None,
) -> None:
    """Prints the report; with `output_dir` also alarms.json and alarms.png."""
    from motionhub.hub.packaged import model_id
    from motionhub.live import evaluation
    from motionhub.live.alarms import AlarmRule
    from motionhub.live.events import LiveEvents
    from motionhub.live.scorers import loaded, scorer_of

    if alarm is None:
        raise ValueError('--task alarm needs the rule: --alarm "fall down>0.6 for 0.5s".')
    if data["dataset"] == "generated" and not hours > evaluation.QUARTER:
        raise ValueError(
            f"--hours must be above {evaluation.QUARTER}, got {hours:g}: a person is watched for a quarter of an "
            "hour, and a threshold is fitted on some persons and reported on others."
        )
    rule, pipe = AlarmRule.parse(alarm), loaded(model)
    if rule.inactive or not rule.above:
        raise ValueError("inactivity has no probability to fit; evaluate a rule of labels.")
    asked: dict[str, Any] = {"labels": labels, "background": background or ()}
    scorer = scorer_of(pipe, **asked)
    rule.check(scorer.labels, scorer.exclusive)
    generated = data["dataset"] == "generated"
    wanted = positive or ("fall" if generated else next(iter(rule.above)))
    if generated:
        recordings = evaluation.generated_recordings(hours, seed, falls_per_hour=falls_per_hour)
    else:
        recordings = evaluation.labelled_recordings(*_rows(model_id(model), data, wanted))

    def live(sequence: Any) -> LiveEvents:
        facts = {name: getattr(sequence, name) for name in ("fps", "layout", "unit", "image_size", "up")}
        return LiveEvents(pipe, **asked, **facts, stride=stride)

    traces = evaluation.traces_of(recordings, live, rule, wanted, note)
    report = evaluation.evaluate_alarms(traces, rule, most_false=most_false, seed=seed)
    print(evaluation.format_alarm_report(report))
    if output_dir is None:
        return
    folder = Path(output_dir)
    save_json(report, folder / "alarms.json")
    print(f"saved: {folder}/alarms.json")
    with optional_images():
        from motionhub.visualization.plots import plot_alarm_curve

        points = {name: report[name] for name in ("stated", "fitted")}
        title = f"{rule}: {report['fitted']['events']} events in {report['fitted']['hours']:.1f} h"
        print(f"drawn: {plot_alarm_curve(report['curve'], points, folder / 'alarms.png', title)}")


def _rows(model: str, data: dict[str, Any], positive: str) -> tuple[Any, list[str]]:
    """The rows of a split, and the names of its frame labels."""
    from motionhub.training.arguments import RunArguments
    from motionhub.training.start import class_names_of_dataset, load_splits

    fields = (data["dataset"], model, data["data_root"], data["protocol"], data["eval_split"])
    rows = load_splits(RunArguments(*fields))[data["eval_split"]]
    names = class_names_of_dataset(rows)
    if positive not in names:
        raise ValueError(f"--positive: {positive!r} is none of the dataset's {names[:12]}.")
    return rows, names
