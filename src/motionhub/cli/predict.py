"""`motionhub predict`: names actions, by a classifier's own labels or by labels chosen now."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.models import check_kind, load_pipeline, segmenters
from motionhub.cli.options import (
    LABELS,
    Clip,
    Clock,
    Fusion,
    Json,
    Labels,
    Second,
    SecondWeight,
    TopK,
    model_option,
    with_decoding,
    with_metadata,
)
from motionhub.cli.recordings import check_files
from motionhub.cli.report import save_json, who
from motionhub.cli.segment import duration_of, interval_line, intervals_table, save_intervals
from motionhub.hub.packaged import check_weights


ZERO_SHOT = "motionhub/tmor-small"
NONE = "none of these"
# Seconds: a longer recording shows several actions, and gets intervals but no single label.
LONGEST_CLIP = 30.0
LabelOption = partial(Option, rich_help_panel=LABELS)


@with_metadata
@with_decoding
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
    labels: Labels = None,
    background: Annotated[
        str | None, LabelOption(metavar="A,B", help='Without interval, such as "stand still"')
    ] = None,
    template: Annotated[str, LabelOption(help='A sentence around each label, such as "a person is {}"')] = "{}",
    multi_label: Annotated[bool, LabelOption(help="Several labels may be true at once")] = False,
    video_tower: Annotated[str | None, model_option("a ViCLIP, CLIP or SigLIP to score videos, too", LABELS)] = None,
    no_none: Annotated[bool, LabelOption(help='Never answer "none of these"')] = False,
    intervals: Annotated[str | None, LabelOption(help="Also write .csv, .json, .srt or .eaf (ELAN)")] = None,
    ribbon: Annotated[str | None, LabelOption(help="Also draw a PNG: a bar per action over time")] = None,
    clock: Clock = None,
    decoding: dict[str, Any],
    metadata: dict[str, Any],
) -> None:
    """Name the action of every person in skeleton files or videos."""
    single = [name for name, path in {"gif": gif, "ribbon": ribbon, "intervals": intervals}.items() if path]
    if single and len(files) != 1:
        raise ValueError(f"--{single[0]} takes one file, got {len(files)}; call motionhub predict once per file.")
    check_files(files)
    from transformers import pipeline

    from motionhub.auto import AutoModelForZeroShotActionClassification

    if labels is None:
        _check_no_times({"intervals": intervals, "ribbon": ribbon, "background": background, **decoding})
        pipe = _classifier(model)
        asked: dict[str, Any] = {"per_person": not clip}
        if second is not None:
            asked |= {"second": _classifier(second), "second_weight": second_weight, "fusion": fusion}
    else:
        if second is not None or clip:
            raise ValueError("--second and --clip are for models with labels of their own; omit them with --labels.")
        check_kind(model or ZERO_SHOT, "ForZeroShotActionClassification", "; it has its own labels: omit --labels.")
        zero_shot = AutoModelForZeroShotActionClassification
        pipe = load_pipeline("zero-shot-action-classification", model or ZERO_SHOT, zero_shot)
        candidates = {"candidate_labels": labels, "hypothesis_template": template, "multi_label": multi_label}
        asked = candidates | ({"none_label": None} if no_none else {}) | _video_scores(video_tower, files, labels)
    clips = list(_clips(files, pipe.feature_extractor, metadata))
    results = [_scores(pipe, each, top_k=top_k, **asked) for each in clips]
    for file, each, people in zip(files, clips, results, strict=True):
        print(_too_long(file, each, labels) if people is None else _table(file, people))
    if json:
        save_json(dict(zip(files, results, strict=True)), json)
    if labels is not None and len(files) == 1:
        both = {"model": pipe.model, "feature_extractor": pipe.feature_extractor}
        find = pipeline("zero-shot-action-segmentation", **both)
        limits = {"background": background or (), "none_label": not no_none}
        found = find(clips[0], return_scores=True, **candidates, **limits, **decoding)
        _print_intervals(found, results[0])
        save_intervals(found, files[0], intervals, ribbon, clock)
    if gif:
        from motionhub.visualization.animate import animate

        if labels is None:
            shown = _best_labels(results[0] or [], clips[0])
        else:
            rows = found["intervals"]
            several = clips[0].num_people > 1
            shown = {"intervals": rows} if several else {"frame_labels": labels_over_time(rows, clips[0])}
        print(f"drawn: {animate(clips[0], gif, **shown)}")


def _classifier(model: str | None) -> Any:
    from motionhub.auto import AutoModelForActionClassification

    if model is None:
        raise ValueError('predict needs --model MODEL, or candidate labels: --labels "sit down, wave, fall down".')
    check_kind(model, "ForActionClassification")
    return load_pipeline("action-classification", model, AutoModelForActionClassification)


def _check_no_times(given: dict[str, Any]) -> None:
    """Raises ValueError for options on intervals, which a classifier of whole clips does not give."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f'--{name} needs intervals: give --labels "sit down, wave", or call motionhub segment FILE with a '
                f"model that labels every frame: {segmenters()}."
            )


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


def _clips(files: list[str], processor: Any, metadata: dict[str, Any]) -> Iterator[Any]:
    """The files as sequences, read once; keypoints of a video, which several pipelines use, are estimated once."""
    from motionhub.pipelines.skeleton_pipeline import as_sequence, dims_of

    for file in files:
        yield as_sequence(file, num_dims=dims_of(processor), **metadata)


def _scores(pipe: Any, clip: Any, **asked: Any) -> list[dict[str, Any]] | None:
    """The answer for a whole clip; None if it is too long for one."""
    return None if clip.duration > LONGEST_CLIP else pipe(clip, **asked)


def _too_long(file: str, clip: Any, labels: str | None) -> str:
    how = (
        "its actions over time:"
        if labels is not None
        else f'call motionhub segment {file} --labels "sit down, walk", or --model with one of {segmenters()}.'
    )
    return f"{file}\n  {clip.duration:.0f} s, which is too long for a single label (over {LONGEST_CLIP:g} s): {how}"


def _table(file: str, people: list[dict[str, Any]]) -> str:
    lines = [file]
    for person in people:
        lines.append(f"  {who(person['track_id'])}, {person['coverage']:.0%} of the joints visible")
        lines += [f"    {entry['score']:6.1%}  {entry['label']}" for entry in person["scores"]]
    return "\n".join(lines if people else [*lines, "  no person detected"])


def _print_intervals(found: dict[str, Any], people: list[dict[str, Any]] | None) -> None:
    """The intervals, each person's after a word on those whose clip as a whole is none of the labels."""
    if people is None:
        print("\n".join(intervals_table(found)))
        return
    nothing = {person["track_id"] for person in people if person["scores"][0]["label"] == NONE}
    for track in dict.fromkeys(person["track_id"] for person in found["scores"]):
        rows = [row for row in found["intervals"] if row["track_id"] == track]
        if rows and track in nothing:
            print(f"  {who(track)}: {_parts(rows, duration_of(found))}")
        for row in rows:
            print(f"  {who(track)} {interval_line(row)}")
    if found["scores"] and not found["intervals"]:
        print(f"  no interval in {duration_of(found):.1f} s")


def _parts(rows: list[dict[str, Any]], duration: float) -> str:
    """How intervals go with an answer of "none of these" for the clip that they are in."""
    share = sum(row["end_s"] - row["start_s"] for row in rows) / max(duration, 1e-9)
    if share < 0.5:
        return f"none of these as a whole, but for {share:.0%} of its {duration:.1f} s:"
    return "uncertain, since the clip as a whole is none of these:"


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
