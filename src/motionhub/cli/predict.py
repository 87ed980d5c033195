"""`motionhub predict`: names actions, by a classifier's own labels or by labels chosen now."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.models import labels_frames, load_pipeline
from motionhub.cli.options import (
    Clip,
    Fps,
    Fusion,
    ImageSize,
    Json,
    Layout,
    Second,
    SecondWeight,
    TopK,
    Unit,
    model_option,
)
from motionhub.cli.report import save_json, who
from motionhub.hub.packaged import check_weights


ZERO_SHOT = "motionhub/tmor-small"
_LABELS = "Labels of your own (a zero-shot model)"
LabelOption = partial(Option, rich_help_panel=_LABELS)


def predict(
    files: Annotated[list[str], Argument(metavar="FILE", help="Any readable file, or a video")],
    *,
    model: Annotated[str | None, model_option("an action classifier; not needed with --labels")] = None,
    top_k: TopK = 5,
    clip: Clip = False,
    second: Second = None,
    second_weight: SecondWeight = 1.0,
    fusion: Fusion = "logits",
    json: Json = None,
    gif: Annotated[str | None, Option(help="Also draw the (single) file with its labels")] = None,
    labels: Annotated[str | None, LabelOption(metavar="A,B,C", help='Such as "sit down, wave, fall down"')] = None,
    background: Annotated[
        str | None, LabelOption(metavar="A,B", help='Without interval, such as "stand still"')
    ] = None,
    template: Annotated[str, LabelOption(help='A sentence around each label, such as "a person is {}"')] = "{}",
    multi_label: Annotated[bool, LabelOption(help="Several labels may be true at once")] = False,
    video_tower: Annotated[str | None, model_option("a ViCLIP, CLIP or SigLIP to score videos, too", _LABELS)] = None,
    no_none: Annotated[bool, LabelOption(help='Never answer "none of these"')] = False,
    intervals: Annotated[str | None, LabelOption(help="Also write .csv, .json, .srt or .eaf (ELAN)")] = None,
    ribbon: Annotated[str | None, LabelOption(help="Also draw a PNG: a bar per action over time")] = None,
    layout: Layout = None,
    fps: Fps = None,
    unit: Unit = None,
    image_size: ImageSize = None,
) -> None:
    """Name the action of every person in skeleton files or videos."""
    options = {"layout": layout, "fps": fps, "unit": unit, "image_size": image_size}
    outputs = {"gif": gif} if labels is None else {"gif": gif, "ribbon": ribbon, "intervals": intervals}
    _check_one_file(files, outputs)
    if labels is None:
        pipe = _classifier(model)
        how = {"per_person": not clip, **_second_stream(second, second_weight, fusion)}
    else:
        if second is not None or clip:
            raise ValueError(
                "--second and --clip belong to models with labels of their own; leave them out with --labels."
            )
        pipe = _zero_shot("classification", model)
        sentences = {"hypothesis_template": template, "multi_label": multi_label}
        none: dict[str, Any] = {"none_label": None} if no_none else {}
        how = {"candidate_labels": labels, **sentences, **none, **_video_scores(video_tower, files, labels)}
    clips = _clips(files, pipe.feature_extractor, options)
    results = pipe(clips, top_k=top_k, **how, **options)
    for file, people in zip(files, results, strict=True):
        print(_table(file, people))
    if json:
        save_json(dict(zip(files, results, strict=True)), json)
    if labels is None and gif:
        _draw(clips[0], results[0], gif, options)
    elif labels is not None and len(files) == 1:
        find = _zero_shot("segmentation", pipe=pipe)
        asked = {"candidate_labels": labels, "background": background or (), "none_label": not no_none}
        found = find(clips[0], **asked, return_scores=True, **sentences, **options)
        _report_intervals(found, file=files[0], clip=clips[0], options=options, **outputs)


def _check_one_file(files: list[str], outputs: dict[str, str | None]) -> None:
    given = [f"--{name}" for name, path in outputs.items() if path]
    if given and len(files) != 1:
        raise ValueError(f"{given[0]} is about one file, got {len(files)}; call motionhub predict once per file.")


def _classifier(model: str | None) -> Any:
    from motionhub.auto import AutoModelForActionClassification

    if model is None:
        raise ValueError('predict needs --model MODEL, or candidate labels: --labels "sit down, wave, fall down".')
    if labels_frames(model):
        raise ValueError(f"{model} labels every frame: motionhub segment FILE --model {model}")
    return load_pipeline("action-classification", model, AutoModelForActionClassification)


def _second_stream(second: str | None, weight: float, fusion: str) -> dict[str, Any]:
    if second is None:
        return {}
    return {"second": _classifier(second), "second_weight": weight, "fusion": fusion}


def _zero_shot(task: str, model: str | None = None, pipe: Any = None) -> Any:
    """The zero-shot pipeline of "classification" or "segmentation", with the model of another one if there is one."""
    from transformers import pipeline

    from motionhub.auto import AutoModelForZeroShotActionClassification

    name: Any = f"zero-shot-action-{task}"
    if pipe is None:
        return load_pipeline(name, model or ZERO_SHOT, AutoModelForZeroShotActionClassification)
    return pipeline(name, model=pipe.model, feature_extractor=pipe.feature_extractor)


def _video_scores(video_tower: str | None, files: list[str], labels: str) -> dict[str, Any]:
    """What has the pipeline fuse the motion's scores with those of a video-text model."""
    if video_tower is None:
        return {}
    from motionhub.pipelines.video_scores import VideoScores, scores_of_video
    from motionhub.pipelines.zero_shot_action_classification import checked_labels

    check_weights(video_tower)
    tower = VideoScores(video_tower)
    if len(files) > 1:
        return {"video_tower": tower}
    return {"video_scores": scores_of_video(files[0], list(checked_labels(labels)), tower=tower)}


def _clips(files: list[str], processor: Any, options: dict[str, Any]) -> list[Any]:
    """The files, for pipelines; a single video, which several of them read, is turned into keypoints once."""
    from motionhub.data.video.reader import is_video
    from motionhub.pipelines.skeleton_pipeline import as_sequence, dims_of

    if len(files) > 1 or not is_video(files[0]):
        return list(files)
    return [as_sequence(files[0], num_dims=dims_of(processor), **options)]


def _table(file: str, people: list[dict[str, Any]]) -> str:
    lines = [file]
    for person in people:
        lines.append(f"  {who(person['track_id'])}, {person['coverage']:.0%} of the joints seen")
        lines += [f"    {entry['score']:6.1%}  {entry['label']}" for entry in person["scores"]]
    return "\n".join(lines if people else [*lines, "  no person detected"])


def _draw(clip: Any, people: list[dict[str, Any]], path: str, options: dict[str, Any]) -> None:
    from motionhub.pipelines.skeleton_pipeline import as_sequence
    from motionhub.visualization.animate import animate

    sequence = as_sequence(clip, **options)
    tracks, labels = list(sequence.track_ids or ()), ["not seen"] * sequence.num_people
    for person in people:
        if person["track_id"] is not None:
            best = person["scores"][0]
            labels[tracks.index(person["track_id"])] = f"{best['label']} {best['score']:.0%}"
    scores = people[0]["scores"] if len(people) == 1 else None
    animate(sequence, path, labels=None if people and people[0]["track_id"] is None else labels, scores=scores)
    print(f"drawn: {path}")


def _report_intervals(
    found: dict[str, Any],
    *,
    file: str,
    clip: Any,
    options: dict[str, Any],
    gif: str | None,
    ribbon: str | None,
    intervals: str | None,
) -> None:
    """The intervals as a table, as a file, as a ribbon and over the skeletons."""
    rows = found["intervals"]
    end = max((float(person["times"][-1]) for person in found["scores"]), default=0.0)
    for row in rows:
        times = f"{row['start_s']:7.2f}s {row['end_s']:7.2f}s"
        print(f"  person {row['track_id']} {times}  {row['score']:6.1%}  {row['label']}")
    if not rows and found["scores"]:
        print(f"  no interval in {end:.1f} s")
    if intervals:
        from motionhub.intervals.table import write_intervals

        print(f"written: {write_intervals(rows, intervals)}")
    if ribbon:
        from motionhub.visualization.ribbon import plot_ribbon

        print(f"drawn: {plot_ribbon(rows, ribbon, duration=end, title=Path(file).name)}")
    if gif:
        from motionhub.pipelines.skeleton_pipeline import as_sequence
        from motionhub.visualization.animate import animate

        sequence = as_sequence(clip, **options)
        print(f"drawn: {animate(sequence, gif, frame_labels=labels_over_time(rows, sequence))}")


def labels_over_time(rows: list[dict[str, Any]], clip: Any) -> list[str | None]:
    """For each frame what the people do, `"0: sit down, 1: wave"`; None where nobody does anything."""
    labels: list[str | None] = []
    for frame in range(clip.num_frames):
        time = (frame + 0.5) / clip.fps
        now = [row for row in rows if row["start_s"] <= time < row["end_s"]]
        several = clip.num_people > 1
        names = [f"{row['track_id']}: {row['label']}" if several else str(row["label"]) for row in now]
        labels.append(", ".join(names) or None)
    return labels
