"""`motionhub segment`: temporal segmentation of actions."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.models import check_kind, kind_of, load_pipeline, segmenters
from motionhub.cli.options import Clip, Clock, Labels, model_option, with_decoding, with_metadata
from motionhub.cli.recordings import check_files
from motionhub.cli.report import who


ZERO_SHOT = "motionhub/tmor-small"
BUNDLED = "motionhub/unik-daily-small"
_ZERO_SHOT_KIND = "ForZeroShotActionClassification"


@with_metadata
@with_decoding
def segment(
    file: Annotated[str, Argument(help="Any readable file, folder of OpenPose files, or a video")],
    *,
    model: Annotated[str | None, model_option("a model that labels every frame; by default unik-daily-small")] = None,
    labels: Labels = None,
    output: Annotated[str | None, Option("-o", "--output", help="Also write .csv, .json, .srt or .eaf (ELAN)")] = None,
    ribbon: Annotated[str | None, Option(help="Also draw a PNG: a bar per action over time")] = None,
    clock: Clock = None,
    background: Annotated[str | None, Option(help="Label of no action; by default 'background', if it is one")] = None,
    window: Annotated[int | None, Option(help="Frames per window; by default as in training")] = None,
    hop: Annotated[int | None, Option(help="Frames from window to window; by default half a window")] = None,
    clip: Clip = False,
    decoding: dict[str, Any],
    metadata: dict[str, Any],
) -> None:
    """Label the actions of each person over time in a skeleton file or video."""
    check_files([file])
    if labels is None:
        if model is None:
            _check_three_dims(file, metadata)
        label, chosen = _by_own_labels(model or BUNDLED, background, per_person=not clip, window=window, hop=hop)
    else:
        if clip or window is not None or hop is not None:
            raise ValueError("--clip, --window and --hop are for models with labels of their own; omit them here.")
        label, chosen = _by_given_labels(model or ZERO_SHOT, labels, background)
    found = label(file, return_scores=True, **chosen, **decoding, **metadata)
    print("\n".join([file, *intervals_table(found)]))
    save_intervals(found, file, output, ribbon, clock)


def _check_three_dims(file: str, metadata: dict[str, Any]) -> None:
    """Raises ValueError for a file with 2-D keypoints; of a video the pose estimator makes 3-D ones."""
    from motionhub.data.datasets.reading import read
    from motionhub.data.video.reader import is_video

    if not is_video(file) and any(clip.num_dims == 2 for clip in read(file, **metadata)):
        raise ValueError(
            f'{file}: {BUNDLED} labels 3-D keypoints, got 2-D; give --labels "sit down, walk", for labels of your '
            "own, or --model with a model of 2-D keypoints."
        )


def _by_own_labels(
    model: str, background: str | None, *, window: int | None, **options: Any
) -> tuple[Any, dict[str, Any]]:
    """The pipeline of a model that labels every frame, and the arguments of its call."""
    from motionhub.auto import AutoModelForActionSegmentation
    from motionhub.training.dataset import class_names_of
    from motionhub.training.tasks.segmentation import BACKGROUND

    wanted = f'--model with one that does: {segmenters()}; or --labels "sit down, walk", for labels of your own.'
    if kind_of(model) == _ZERO_SHOT_KIND:
        raise ValueError(f'{model} takes labels of your own: add --labels "sit down, wave, fall down".')
    check_kind(model, "ForActionSegmentation", f", but not frames; give {wanted}")
    pipe = load_pipeline("action-segmentation", model, AutoModelForActionSegmentation)
    own = BACKGROUND if BACKGROUND in class_names_of(pipe.model.config) else None
    return pipe, {**options, "background": background or own, **({} if window is None else {"window": window})}


def _by_given_labels(model: str, labels: str, background: str | None) -> tuple[Any, dict[str, Any]]:
    """The pipeline of a zero-shot model, and the arguments of its call."""
    from motionhub.auto import AutoModelForZeroShotActionClassification

    check_kind(model, _ZERO_SHOT_KIND, "; it has its own labels: omit --labels.")
    pipe = load_pipeline("zero-shot-action-segmentation", model, AutoModelForZeroShotActionClassification)
    return pipe, {"candidate_labels": labels, "background": background or ()}


def save_intervals(
    found: dict[str, Any], file: str, table: str | None, ribbon: str | None, clock: str | None = None
) -> None:
    """Writes the intervals of a segmentation pipeline as a table, and draws them, where a path is given."""
    from motionhub.intervals.table import write_intervals

    if table:
        print(f"written: {write_intervals(found['intervals'], table)}")
    if ribbon:
        from motionhub.visualization.plots import plot_ribbon

        title, duration = Path(file).name, duration_of(found)
        print(f"drawn: {plot_ribbon(found['intervals'], ribbon, duration=duration, title=title, clock=clock)}")


def interval_line(row: dict[str, Any]) -> str:
    """One action: its start, end, score and label."""
    return f"{row['start_s']:7.2f}s {row['end_s']:7.2f}s  {row['score']:6.1%}  {row['label']}"


def duration_of(found: dict[str, Any]) -> float:
    """Seconds for which a segmentation pipeline has scores."""
    return max((float(person["times"][-1]) for person in found["scores"]), default=0.0)


def intervals_table(found: dict[str, Any]) -> list[str]:
    """Lines: the intervals, then the total duration of each action."""
    from motionhub.intervals.table import summarise_intervals

    rows = found["intervals"]
    if not found["scores"]:
        return ["  no person detected"]
    if not rows:
        return [f"  no action in {duration_of(found):.1f} s"]
    lines = [f"  {'who':10s} {'start':>8s} {'end':>8s}  {'score':>6s}  action"]
    lines += [f"  {who(row['track_id']):10s} {interval_line(row)}" for row in rows]
    lines.append(f"in all, of {duration_of(found):.1f} s:")
    for entry in summarise_intervals(rows, duration_of(found)):
        share = f"{entry['total_s']:7.2f}s {entry['share']:6.1%}"
        lines.append(f"  {who(entry['track_id']):10s} {share}  {entry['count']} x {entry['label']}")
    return lines
