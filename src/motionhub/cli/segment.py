"""`motionhub segment`, and what `train` and `evaluate` do with a model that labels every frame.

It computes nothing itself. Every import that costs time is inside the command that needs it.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from motionhub.hub.packaged import A_MODEL, model_id


def add_segment(
    commands: Any,
    add_read_options: Callable[[argparse.ArgumentParser], None],
    read_options: Callable[[argparse.Namespace], dict[str, Any]],
) -> None:
    """Adds the command to the subparsers of `motionhub`.

    Args:
        add_read_options, read_options: of all commands that read files: declare, and take as keywords of `read`.
    """
    segment = commands.add_parser("segment", help="say who does what from when to when in a skeleton file or video")
    segment.add_argument("file", metavar="FILE", help="any readable file, folder of OpenPose files, or a video")
    segment.add_argument("--model", type=model_id, required=True, help=f"{A_MODEL} of a model that labels every frame")
    segment.add_argument(
        "-o", "--output", metavar="OUT", help="also write the table: .csv, .json, .srt or .eaf (ELAN)"
    )
    segment.add_argument("--ribbon", metavar="PNG", help="also draw it: a bar per action over time")
    segment.add_argument("--min_duration", type=float, default=0.0, metavar="SECONDS", help="drop shorter actions")
    segment.add_argument("--max_gap", type=float, default=0.0, metavar="SECONDS", help="join over shorter pauses")
    segment.add_argument("--threshold", type=float, default=0.5, help="probability an action must reach (default 0.5)")
    segment.add_argument("--low_threshold", type=float, default=None, help="around it, reach as far as this holds")
    segment.add_argument(
        "--background",
        default=None,
        metavar="LABEL",
        help="label of no action; default: 'background', if there is one",
    )
    segment.add_argument("--window", type=int, default=None, help="frames seen at once; default: as in training")
    segment.add_argument("--hop", type=int, default=None, help="frames from window to window; default: half a window")
    segment.add_argument("--clip", action="store_true", help="one answer for all people of a clip together")
    add_read_options(segment)
    segment.set_defaults(run=lambda arguments: _segment(arguments, read_options(arguments)))


def _segment(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    from transformers import pipeline
    from transformers.utils.logging import disable_progress_bar

    from motionhub.auto import AutoModelForActionSegmentation
    from motionhub.intervals.table import write_intervals
    from motionhub.training.dataset import class_names_of
    from motionhub.training.start import load_checkpoint
    from motionhub.training.tasks.segmentation import BACKGROUND, is_segmentation_model

    disable_progress_bar()
    model, processor = load_checkpoint(arguments.model, AutoModelForActionSegmentation)
    if not is_segmentation_model(arguments.model):
        print(f"motionhub: note: {arguments.model} was trained to name whole clips, not frames", file=sys.stderr)
    background = arguments.background or (BACKGROUND if BACKGROUND in class_names_of(model.config) else None)
    names = ("threshold", "low_threshold", "min_duration", "max_gap", "hop")
    rule = {name: getattr(arguments, name) for name in names} | {"background": background}
    if arguments.window is not None:
        rule["window"] = arguments.window
    label = pipeline("action-segmentation", model=model, feature_extractor=processor)
    found = label(arguments.file, per_person=not arguments.clip, return_scores=True, **rule, **options)
    print(_table(arguments.file, found))
    if arguments.output:
        print(f"written: {write_intervals(found['intervals'], arguments.output)}")
    if arguments.ribbon:
        from motionhub.visualization.ribbon import plot_ribbon

        title = Path(arguments.file).name
        print(f"drawn: {plot_ribbon(found['intervals'], arguments.ribbon, duration=_duration(found), title=title)}")
    return 0


def _table(file: str, found: dict[str, Any]) -> str:
    """The intervals, then how long each action took in all."""
    from motionhub.intervals.table import summarise_intervals

    rows = found["intervals"]
    if not found["scores"]:
        return f"{file}\n  nobody was seen"
    if not rows:
        return f"{file}\n  no action in {_duration(found):.1f} s"
    lines = [file, f"  {'who':10s} {'start':>8s} {'end':>8s}  {'score':>6s}  action"]
    for row in rows:
        times = f"{row['start_s']:7.2f}s {row['end_s']:7.2f}s"
        lines.append(f"  {_who(row):10s} {times}  {row['score']:6.1%}  {row['label']}")
    lines.append(f"in all, of {_duration(found):.1f} s:")
    for entry in summarise_intervals(rows, _duration(found)):
        lines.append(
            f"  {_who(entry):10s} {entry['total_s']:7.2f}s {entry['share']:6.1%}  {entry['count']} x {entry['label']}"
        )
    return "\n".join(lines)


def _who(row: dict[str, Any]) -> str:
    return "all people" if row["track_id"] is None else f"person {row['track_id']}"


def _duration(found: dict[str, Any]) -> float:
    return max((float(person["times"][-1]) for person in found["scores"]), default=0.0)


def labels_frames(model: str) -> bool:
    """Whether a checkpoint labels every frame."""
    from motionhub.training.tasks.segmentation import is_segmentation_model

    return is_segmentation_model(model)


def train_frames(arguments: Any, recipe: Any, options: Any) -> int:
    """`motionhub train` of a model that labels every frame."""
    from motionhub.auto import AutoModelForActionSegmentation
    from motionhub.metrics.segmentation_report import format_segmentation_report
    from motionhub.training.start import load_splits
    from motionhub.training.tasks.segmentation import train_segmentation

    splits = load_splits(arguments)
    result = train_segmentation(splits, arguments, recipe, AutoModelForActionSegmentation, options)
    if result.is_main_process:
        print(format_segmentation_report(result.last_metrics))
        print(f"{result.steps} updates in {result.seconds:.0f} s; last: {result.last_dir}, best: {result.best_dir}")
    return 0


def add_evaluate_options(evaluate: argparse.ArgumentParser) -> None:
    """Adds what `motionhub evaluate` has to know of a model that labels every frame only."""
    frames = evaluate.add_argument_group("models that label every frame")
    frames.add_argument(
        "--convention",
        choices=("scikit-learn", "ms-tct"),
        help="of frame mAP, where frames have equal scores; ms-tct: one by one, as the official code of TSU and "
        "Charades (default scikit-learn: together)",
    )
    frames.add_argument(
        "--event_protocol",
        choices=("activitynet", "pku-mmd"),
        help="of event mAP, how found intervals are matched with true ones; pku-mmd: as that data set's official code "
        "(default activitynet)",
    )


def evaluate_frames(arguments: argparse.Namespace) -> int:
    """`motionhub evaluate` of a model that labels every frame."""
    from transformers.utils.logging import disable_progress_bar

    from motionhub.auto import AutoModelForActionSegmentation
    from motionhub.metrics.segmentation_report import format_segmentation_report
    from motionhub.training.arguments import RunArguments
    from motionhub.training.start import load_checkpoint, load_splits
    from motionhub.training.tasks.segmentation import evaluate_segmentation

    if arguments.second is not None or arguments.mixed_precision != "no":
        raise ValueError("A model that labels every frame is evaluated alone and in float32: leave out --second ...")
    disable_progress_bar()
    model, processor = load_checkpoint(arguments.model, AutoModelForActionSegmentation)
    names = ("dataset", "model", "data_root", "protocol", "eval_split", "class_order")
    clips = load_splits(RunArguments(**{name: getattr(arguments, name) for name in names}))[arguments.eval_split]
    chosen = {"convention": arguments.convention, "protocol": arguments.event_protocol}
    options: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    report, scores = evaluate_segmentation(
        model, processor, clips, batch_size=arguments.batch_size, output_dir=arguments.output_dir, **options
    )
    print(format_segmentation_report(report))
    if arguments.output_dir:
        print(f"saved: {arguments.output_dir}/metrics.json, scores.npz")
        try:
            draw_extremes(report, scores, model, Path(arguments.output_dir))
        except ImportError as error:  # the numbers are there; pictures are an extra
            print(f"motionhub: note: no pictures: {error}", file=sys.stderr)
    return 0


def draw_extremes(report: dict[str, Any], scores: Sequence[Any], model: Any, folder: Path) -> None:
    """Ribbons of the clips with the best and the worst frame F1, with what is true as outlines."""
    from motionhub.intervals.decode import DecodingRule
    from motionhub.metrics.segmentation_report import true_intervals
    from motionhub.training.dataset import class_names_of
    from motionhub.training.tasks.segmentation import BACKGROUND
    from motionhub.visualization.ribbon import plot_ribbon

    names = class_names_of(model.config)
    background = names.index(BACKGROUND) if BACKGROUND in names else None
    decode = DecodingRule(exclusive=model.exclusive, background=background)
    ranked = sorted(
        (clip for clip in report["per_clip"] if clip["frame_f1"] is not None), key=lambda clip: clip["frame_f1"]
    )
    by_name = {clip.name: clip for clip in scores}
    for word, entry in (("worst", ranked[0]), ("best", ranked[-1])) if ranked else ():
        clip = by_name[entry["name"]]
        times = [frame / clip.fps for frame in range(len(clip.labels) + 1)]
        found = [_row(names, times, *interval) for interval in decode(clip.probabilities, times)]
        truth = [_row(names, times, *interval) for interval in true_intervals(clip.labels, background)]
        title = f"{clip.name}: frame F1 {entry['frame_f1']:.0%}, the {word}; outlines are true"
        plot_ribbon(found, folder / f"ribbon_{word}.png", duration=times[-1], truth=truth, title=title)
    print(f"drawn: {folder}/ribbon_worst.png, ribbon_best.png")


def _row(names: list[str], times: list[float], label: int, start: int, end: int, score: float = 1.0) -> dict[str, Any]:
    return {"track_id": None, "start_s": times[start], "end_s": times[end], "label": names[label], "score": score}
