"""`motionhub predict`: names actions, by a classifier's own labels or by labels chosen now."""

from functools import partial
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.models import load_pipeline
from motionhub.cli.options import Clip, Fusion, Json, Second, SecondWeight, TopK, model_option, with_metadata
from motionhub.cli.report import save_json, who
from motionhub.cli.segment import duration_of, interval_line, save_intervals
from motionhub.hub.packaged import check_weights


ZERO_SHOT = "motionhub/tmor-small"
_LABELS = "Labels of your own (a zero-shot model)"
LabelOption = partial(Option, rich_help_panel=_LABELS)


@with_metadata
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
    metadata: dict[str, Any],
) -> None:
    """Name the action of every person in skeleton files or videos."""
    from transformers import pipeline

    from motionhub.auto import AutoModelForZeroShotActionClassification

    single = [name for name, path in {"gif": gif, "ribbon": ribbon, "intervals": intervals}.items() if path]
    if single and len(files) != 1:
        raise ValueError(f"--{single[0]} takes one file, got {len(files)}; call motionhub predict once per file.")
    if labels is None:
        pipe = _classifier(model)
        asked: dict[str, Any] = {"per_person": not clip}
        if second is not None:
            asked |= {"second": _classifier(second), "second_weight": second_weight, "fusion": fusion}
    else:
        if second is not None or clip:
            raise ValueError("--second and --clip are for models with labels of their own; omit them with --labels.")
        zero_shot = AutoModelForZeroShotActionClassification
        pipe = load_pipeline("zero-shot-action-classification", model or ZERO_SHOT, zero_shot)
        candidates = {"candidate_labels": labels, "hypothesis_template": template, "multi_label": multi_label}
        asked = candidates | ({"none_label": None} if no_none else {}) | _video_scores(video_tower, files, labels)
    clips = _clips(files, pipe.feature_extractor, metadata)
    results = pipe(clips, top_k=top_k, **asked, **metadata)
    for file, people in zip(files, results, strict=True):
        print(_table(file, people))
    if json:
        save_json(dict(zip(files, results, strict=True)), json)
    if labels is not None and len(files) == 1:
        both = {"model": pipe.model, "feature_extractor": pipe.feature_extractor}
        find = pipeline("zero-shot-action-segmentation", **both)
        limits = {"background": background or (), "none_label": not no_none}
        found = find(clips[0], return_scores=True, **candidates, **limits, **metadata)
        _print_intervals(found)
        save_intervals(found, files[0], intervals, ribbon)
    if gif:
        from motionhub.pipelines.skeleton_pipeline import as_sequence
        from motionhub.visualization.animate import animate

        sequence = as_sequence(clips[0], **metadata)
        if labels is None:
            shown = _best_labels(results[0], sequence)
        else:
            shown = {"frame_labels": labels_over_time(found["intervals"], sequence)}
        print(f"drawn: {animate(sequence, gif, **shown)}")


def _classifier(model: str | None) -> Any:
    from motionhub.auto import AutoModelForActionClassification
    from motionhub.training.tasks.segmentation import is_segmentation_model

    if model is None:
        raise ValueError('predict needs --model MODEL, or candidate labels: --labels "sit down, wave, fall down".')
    if is_segmentation_model(model):
        raise ValueError(f"{model} labels every frame: motionhub segment FILE --model {model}")
    return load_pipeline("action-classification", model, AutoModelForActionClassification)


def _video_scores(video_tower: str | None, files: list[str], labels: str) -> dict[str, Any]:
    """Arguments that make the pipeline fuse the motion's scores with those of a video-text model."""
    if video_tower is None:
        return {}
    from motionhub.pipelines.video_scores import VideoScores, scores_of_video
    from motionhub.runtime.zero_shot import checked_labels

    check_weights(video_tower)
    tower = VideoScores(video_tower)
    if len(files) > 1:
        return {"video_tower": tower}
    return {"video_scores": scores_of_video(files[0], list(checked_labels(labels)), tower=tower)}


def _clips(files: list[str], processor: Any, metadata: dict[str, Any]) -> list[Any]:
    """The files, for pipelines; the keypoints of a single video, which several of them read, are estimated once."""
    from motionhub.data.video.reader import is_video
    from motionhub.pipelines.skeleton_pipeline import as_sequence, dims_of

    if len(files) > 1 or not is_video(files[0]):
        return list(files)
    return [as_sequence(files[0], num_dims=dims_of(processor), **metadata)]


def _table(file: str, people: list[dict[str, Any]]) -> str:
    lines = [file]
    for person in people:
        lines.append(f"  {who(person['track_id'])}, {person['coverage']:.0%} of the joints visible")
        lines += [f"    {entry['score']:6.1%}  {entry['label']}" for entry in person["scores"]]
    return "\n".join(lines if people else [*lines, "  no person detected"])


def _print_intervals(found: dict[str, Any]) -> None:
    for row in found["intervals"]:
        print(f"  {who(row['track_id'])} {interval_line(row)}")
    if found["scores"] and not found["intervals"]:
        print(f"  no interval in {duration_of(found):.1f} s")


def _best_labels(people: list[dict[str, Any]], clip: Any) -> dict[str, Any]:
    """Arguments of `animate`: a label beside every person, and the scores of a single one."""
    scores = people[0]["scores"] if len(people) == 1 else None
    best = {person["track_id"]: person["scores"][0] for person in people}
    if None in best:  # one answer for all people
        return {"labels": None, "scores": scores}
    texts = {track: f"{entry['label']} {entry['score']:.0%}" for track, entry in best.items()}
    return {"labels": [texts.get(track, "not detected") for track in clip.track_ids or ()], "scores": scores}


def labels_over_time(rows: list[dict[str, Any]], clip: Any) -> list[str | None]:
    """The labels of each frame, `"0: sit down, 1: wave"`; None for a frame in no interval.

    Examples:
        >>> clip = motionhub.generate("wave", seed=0, num_frames=4, fps=2)
        >>> rows = [{"track_id": 0, "start_s": 0.0, "end_s": 1.0, "label": "wave"}]
        >>> motionhub.labels_over_time(rows, clip)
        ['wave', 'wave', None, None]
    """
    labels: list[str | None] = []
    for frame in range(clip.num_frames):
        time = (frame + 0.5) / clip.fps
        now = [row for row in rows if row["start_s"] <= time < row["end_s"]]
        several = clip.num_people > 1
        names = [f"{row['track_id']}: {row['label']}" if several else str(row["label"]) for row in now]
        labels.append(", ".join(names) or None)
    return labels
