"""`motionhub evaluate`: scores of a model on a split, as tables and images."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Option

from motionhub.cli.models import load
from motionhub.cli.options import BatchSize, Fusion, Second, SecondWeight, model_option
from motionhub.cli.report import optional_images


AlarmOption = partial(Option, rich_help_panel="Alarms on labelled days")
FrameOption = partial(Option, rich_help_panel="Models that label every frame")
_CONVENTION = "Ties in frame mAP: as scikit-learn (default), or ms-tct, the official code of TSU and Charades"
_EVENTS = "Matching of intervals in event mAP: as activitynet (default), or pku-mmd, as its official code"


def evaluate(
    model: Annotated[str, model_option("an action classifier")],
    dataset: Annotated[str, Option(help="A dataset's name with --data_root, else a saved dataset or Hub id")],
    data_root: Annotated[str | None, Option(help="Folder or zip file with the raw files")] = None,
    protocol: Annotated[str | None, Option(help="Such as cross-subject")] = None,
    eval_split: Annotated[str, Option(help="Split to evaluate on")] = "test",
    class_order: Annotated[Literal["dataset", "protocol"], Option(help="Numbering of the classes")] = "dataset",
    batch_size: BatchSize = 64,
    mixed_precision: Annotated[Literal["auto", "bf16", "no"], Option(help="auto: bf16 if it is fast here")] = "no",
    output_dir: Annotated[str | None, Option(help="For metrics.json, scores.npz and the images")] = None,
    second: Second = None,
    second_weight: SecondWeight = 1.0,
    fusion: Fusion = "logits",
    convention: Annotated[Literal["scikit-learn", "ms-tct"] | None, FrameOption(help=_CONVENTION)] = None,
    event_protocol: Annotated[Literal["activitynet", "pku-mmd"] | None, FrameOption(help=_EVENTS)] = None,
    task: Annotated[Literal["actions", "alarm"], AlarmOption(help="alarm: recall, false alarms")] = "actions",
    labels: Annotated[str | None, AlarmOption(metavar="A,B,C", help="Of a zero-shot model")] = None,
    background: Annotated[str | None, AlarmOption(metavar="A,B", help="Labels without events")] = None,
    alarm: Annotated[str | None, AlarmOption(metavar="RULE", help='Such as "fall down>0.6 for 0.5s"')] = None,
    positive: Annotated[str | None, AlarmOption(help="What should raise it; by default the label of the rule")] = None,
    hours: Annotated[float, AlarmOption(help="Of generated days")] = 2.0,
    falls_per_hour: Annotated[float, AlarmOption(help="Of generated days")] = 10.0,
    seed: Annotated[int, AlarmOption(help="Of generated days")] = 0,
    stride: Annotated[int | None, AlarmOption(help="Frames from score to score; by default 0.2 s")] = None,
    false_alarms: Annotated[float, AlarmOption(help="An hour, that the fitted probability may have")] = 1.0,
) -> None:
    """Score a classifier on a split, or an alarm on labelled days, with tables and images.

    --task alarm takes --dataset generated, or any dataset with labels per frame.
    """
    if task == "alarm":
        from motionhub.cli.alarms import evaluate_alarm

        days = {"dataset": dataset, "data_root": data_root, "protocol": protocol, "eval_split": eval_split}
        asked: dict[str, Any] = {"labels": labels, "background": background, "alarm": alarm, "positive": positive}
        asked |= {"hours": hours, "falls_per_hour": falls_per_hour, "seed": seed, "stride": stride}
        evaluate_alarm(model, days, most_false=false_alarms, output_dir=output_dir, **asked)
        return
    if alarm is not None or labels is not None:
        raise ValueError("--labels and --alarm are for --task alarm; add it.")
    from motionhub.training.arguments import RunArguments
    from motionhub.training.tasks.segmentation import is_segmentation_model

    frames = is_segmentation_model(model)
    if frames and (second is not None or mixed_precision != "no"):
        raise ValueError(
            "A model that labels every frame is evaluated alone and in float32: omit --second and --mixed_precision."
        )
    if not frames and (convention or event_protocol):
        raise ValueError(
            f"--convention and --event_protocol score models that label every frame, but {model} labels whole clips: "
            "omit them."
        )
    data = RunArguments(dataset, model, data_root, protocol, eval_split, class_order=class_order)
    if frames:
        rules = {"convention": convention, "protocol": event_protocol}
        given = {name: rule for name, rule in rules.items() if rule is not None}
        draw = _score_frames(data, batch_size=batch_size, output_dir=output_dir, **given)
    else:
        options = {"batch_size": batch_size, "output_dir": output_dir, "mixed_precision": mixed_precision}
        draw = _score_clips(data, second, weights=[1.0, second_weight], fusion=fusion, **options)
    if output_dir:
        print(f"saved: {output_dir}/metrics.json, scores.npz")
        with optional_images():
            draw(Path(output_dir))


def _score_clips(
    data: Any, second: str | None, *, weights: list[float], fusion: str, **options: Any
) -> Callable[[Path], None]:
    """Prints the report; returns the function that draws it into a folder."""
    from motionhub.auto import AutoModelForActionClassification
    from motionhub.metrics.classification import format_report
    from motionhub.training.dataset import with_labels
    from motionhub.training.evaluators import evaluate_streams
    from motionhub.training.start import load_splits

    names = [data.model] if second is None else [data.model, second]
    streams = [load(name, AutoModelForActionClassification) for name in names]
    clips = with_labels(load_splits(data)[data.eval_split], data.eval_split)
    report = evaluate_streams(streams, clips, weights=weights[: len(streams)], fusion=fusion, **options)
    print(format_report(report))
    if second is not None:
        alone = ", ".join(f"{name} {top1:.1%}" for name, top1 in zip(names, report["streams"], strict=True))
        print(f"top-1 of each stream alone: {alone}; fused by {fusion}")
    return partial(_draw_report, report)


def _draw_report(report: dict[str, Any], folder: Path) -> None:
    from motionhub.visualization.plots import plot_confusion_matrix, plot_per_class

    names = [row["name"] for row in report["per_class"]]
    plot_confusion_matrix(report["confusion_matrix"], names, folder / "confusion_matrix.png")
    plot_per_class(names, [row["accuracy"] for row in report["per_class"]], folder / "per_class.png")
    print(f"drawn: {folder}/confusion_matrix.png, per_class.png")


def _score_frames(data: Any, **options: Any) -> Callable[[Path], None]:
    """Prints the report; returns the function that draws its best and worst clip into a folder."""
    from motionhub.auto import AutoModelForActionSegmentation
    from motionhub.metrics.segmentation import format_segmentation_report
    from motionhub.training.start import load_splits
    from motionhub.training.tasks.segmentation import evaluate_segmentation

    model, processor = load(data.model, AutoModelForActionSegmentation)
    report, scores = evaluate_segmentation(model, processor, load_splits(data)[data.eval_split], **options)
    print(format_segmentation_report(report))
    return partial(_draw_extremes, report, scores, model)


def _draw_extremes(report: dict[str, Any], scores: Sequence[Any], model: Any, folder: Path) -> None:
    """Draws the clips with the best and the worst frame F1 as ribbons, with the true intervals as outlines."""
    from motionhub.intervals.decode import DecodingRule
    from motionhub.metrics.segmentation import true_intervals
    from motionhub.training.dataset import class_names_of
    from motionhub.training.tasks.segmentation import BACKGROUND
    from motionhub.visualization.plots import plot_ribbon

    names = class_names_of(model.config)
    background = names.index(BACKGROUND) if BACKGROUND in names else None
    decode = DecodingRule(exclusive=model.exclusive, background=background)
    scored = [clip for clip in report["per_clip"] if clip["frame_f1"] is not None]
    ranked = sorted(scored, key=lambda clip: clip["frame_f1"])
    by_name = {clip.name: clip for clip in scores}
    for rank, entry in (("worst", ranked[0]), ("best", ranked[-1])) if ranked else ():
        clip = by_name[entry["name"]]
        times = [frame / clip.fps for frame in range(len(clip.labels) + 1)]
        found = [_row(names, times, *interval) for interval in decode(clip.probabilities, times)]
        truth = [_row(names, times, *interval) for interval in true_intervals(clip.labels, background)]
        title = f"{clip.name}: frame F1 {entry['frame_f1']:.0%}, the {rank}; outlines are true"
        plot_ribbon(found, folder / f"ribbon_{rank}.png", duration=times[-1], truth=truth, title=title)
    print(f"drawn: {folder}/ribbon_worst.png, ribbon_best.png")


def _row(names: list[str], times: list[float], label: int, start: int, end: int, score: float = 1.0) -> dict[str, Any]:
    return {"track_id": None, "start_s": times[start], "end_s": times[end], "label": names[label], "score": score}
