"""`motionhub segment`: who does what from when to when."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.models import labels_frames, load_pipeline
from motionhub.cli.options import Clip, Fps, ImageSize, Layout, Unit, model_option
from motionhub.cli.report import note, who


def segment(
    file: Annotated[str, Argument(help="Any readable file, folder of OpenPose files, or a video")],
    *,
    model: Annotated[str, model_option("a model that labels every frame")],
    output: Annotated[str | None, Option("-o", "--output", help="Also write .csv, .json, .srt or .eaf (ELAN)")] = None,
    ribbon: Annotated[str | None, Option(help="Also draw a PNG: a bar per action over time")] = None,
    min_duration: Annotated[float, Option(metavar="SECONDS", help="Drop shorter actions")] = 0.0,
    max_gap: Annotated[float, Option(metavar="SECONDS", help="Join over shorter pauses")] = 0.0,
    threshold: Annotated[float, Option(help="Probability an action must reach")] = 0.5,
    low_threshold: Annotated[float | None, Option(help="Around it, reach as far as this holds")] = None,
    background: Annotated[str | None, Option(help="Label of no action; by default 'background', if it is one")] = None,
    window: Annotated[int | None, Option(help="Frames seen at once; by default as in training")] = None,
    hop: Annotated[int | None, Option(help="Frames from window to window; by default half a window")] = None,
    clip: Clip = False,
    layout: Layout = None,
    fps: Fps = None,
    unit: Unit = None,
    image_size: ImageSize = None,
) -> None:
    """Say who does what from when to when in a skeleton file or video."""
    from motionhub.auto import AutoModelForActionSegmentation
    from motionhub.training.dataset import class_names_of
    from motionhub.training.tasks.segmentation import BACKGROUND

    label = load_pipeline("action-segmentation", model, AutoModelForActionSegmentation)
    if not labels_frames(model):
        note(f"{model} was trained to name whole clips, not frames")
    found = label(
        file,
        per_person=not clip,
        return_scores=True,
        threshold=threshold,
        low_threshold=low_threshold,
        min_duration=min_duration,
        max_gap=max_gap,
        hop=hop,
        background=background or (BACKGROUND if BACKGROUND in class_names_of(label.model.config) else None),
        layout=layout,
        fps=fps,
        unit=unit,
        image_size=image_size,
        **({} if window is None else {"window": window}),
    )
    print(_table(file, found))
    save_intervals(found, file, output, ribbon)


def save_intervals(found: dict[str, Any], file: str, table: str | None, ribbon: str | None) -> None:
    """Writes the intervals of a segmentation pipeline as a table, and draws them, where a path is given."""
    from motionhub.intervals.table import write_intervals

    if table:
        print(f"written: {write_intervals(found['intervals'], table)}")
    if ribbon:
        from motionhub.visualization.plots import plot_ribbon

        title, duration = Path(file).name, duration_of(found)
        print(f"drawn: {plot_ribbon(found['intervals'], ribbon, duration=duration, title=title)}")


def interval_line(row: dict[str, Any]) -> str:
    """One action of one person: when, how sure, and what."""
    return f"{row['start_s']:7.2f}s {row['end_s']:7.2f}s  {row['score']:6.1%}  {row['label']}"


def duration_of(found: dict[str, Any]) -> float:
    """Seconds that a segmentation pipeline has scores for."""
    return max((float(person["times"][-1]) for person in found["scores"]), default=0.0)


def _table(file: str, found: dict[str, Any]) -> str:
    """The intervals, then how long each action took in all."""
    from motionhub.intervals.table import summarise_intervals

    rows = found["intervals"]
    if not found["scores"]:
        return f"{file}\n  no person detected"
    if not rows:
        return f"{file}\n  no action in {duration_of(found):.1f} s"
    lines = [file, f"  {'who':10s} {'start':>8s} {'end':>8s}  {'score':>6s}  action"]
    lines += [f"  {who(row['track_id']):10s} {interval_line(row)}" for row in rows]
    lines.append(f"in all, of {duration_of(found):.1f} s:")
    for entry in summarise_intervals(rows, duration_of(found)):
        share = f"{entry['total_s']:7.2f}s {entry['share']:6.1%}"
        lines.append(f"  {who(entry['track_id']):10s} {share}  {entry['count']} x {entry['label']}")
    return "\n".join(lines)
