"""`motionhub predict FILE --labels "a,b,c"`: names actions in words that are chosen now, and when each is done.

It computes nothing itself. Every import that costs time is inside the command that needs it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from motionhub.hub.packaged import check_weights, model_id


ZERO_SHOT = "motionhub/tmor-small"


def add_zero_shot_options(predict: argparse.ArgumentParser) -> None:
    """Adds to `predict` what only a model that reads labels needs."""
    words = predict.add_argument_group("labels of your own (a zero-shot model)")
    words.add_argument("--labels", metavar="A,B,C", help='what it may be: "sit down, wave, fall down"')
    words.add_argument(
        "--background", metavar="A,B", help='what is of no interest, such as "stand still": no interval'
    )
    words.add_argument("--template", default="{}", help='a sentence around each label, such as "a person is {}"')
    words.add_argument("--multi_label", action="store_true", help="several labels may be true at once")
    words.add_argument(
        "--video_tower", type=model_id, metavar="MODEL", help="a ViCLIP, CLIP or SigLIP that looks at videos, too"
    )
    words.add_argument("--no_none", action="store_true", help='never answer "none of these"')
    words.add_argument("--intervals", metavar="OUT", help="write who does what when: .csv, .json, .srt or .eaf (ELAN)")
    words.add_argument("--ribbon", metavar="PNG", help="draw it: a bar per action over time")


def default_model(arguments: argparse.Namespace) -> str:
    """The checkpoint to use; with --labels there is one that needs not be named.

    Raises:
        ValueError: neither a model nor labels.
    """
    if arguments.model is not None:
        return str(arguments.model)
    if arguments.labels is None:
        raise ValueError(
            'predict needs --model FOLDER, or words to choose from: --labels "sit down, wave, fall down".'
        )
    return ZERO_SHOT


def predict_labels(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    """Prints, for every file, what each person does, and for single files when.

    Args:
        options: keywords of `motionhub.read`.
    """
    from transformers import pipeline
    from transformers.utils.logging import disable_progress_bar

    from motionhub.auto import AutoModelForZeroShotActionClassification
    from motionhub.training.start import load_checkpoint

    _check(arguments)
    disable_progress_bar()
    model, processor = load_checkpoint(default_model(arguments), AutoModelForZeroShotActionClassification)
    given = {"model": model, "feature_extractor": processor}
    how = {"hypothesis_template": arguments.template, "multi_label": arguments.multi_label, **options}
    name = pipeline("zero-shot-action-classification", **given)
    none = {"none_label": None} if arguments.no_none else {}
    labels = {"candidate_labels": arguments.labels, **none, "top_k": arguments.top_k}
    labels |= _asked_of_video(arguments)
    clips = clips_to_ask(arguments.files, processor, options)
    results = name(clips, **labels, **how)
    for file, people in zip(arguments.files, results, strict=True):
        print(_scores_table(file, people))
    if arguments.json:
        named = dict(zip(map(str, arguments.files), results, strict=True))
        Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
        Path(arguments.json).write_text(json.dumps(named, indent=2) + "\n", encoding="utf-8")
    if len(arguments.files) == 1:
        find = pipeline("zero-shot-action-segmentation", **given)
        found = find(
            clips[0],
            candidate_labels=arguments.labels,
            background=arguments.background or (),
            none_label=not arguments.no_none,
            return_scores=True,
            **how,
        )
        _tell_when(arguments, found, clips[0], options)
    return 0


def _asked_of_video(arguments: argparse.Namespace) -> dict[str, Any]:
    """What has the pipeline fuse the motion's scores with those of a video-text model."""
    if arguments.video_tower is None:
        return {}
    from motionhub.pipelines.video_scores import VideoScores, scores_of_video
    from motionhub.pipelines.zero_shot_action_classification import checked_labels

    check_weights(arguments.video_tower)
    tower = VideoScores(arguments.video_tower)
    if len(arguments.files) > 1:
        return {"video_tower": tower}
    told = list(checked_labels(arguments.labels))
    return {"video_scores": scores_of_video(str(arguments.files[0]), told, tower=tower)}


def clips_to_ask(files: list[str], processor: Any, options: dict[str, Any]) -> list[Any]:
    """The files, for pipelines; a single video, which is asked several times, is looked at once and then poses."""
    from motionhub.data.video.reader import is_video
    from motionhub.pipelines.skeleton_pipeline import as_sequence, dims_of

    if len(files) > 1 or not is_video(files[0]):
        return list(files)
    return [as_sequence(files[0], num_dims=dims_of(processor), **options)]


def _check(arguments: argparse.Namespace) -> None:
    if arguments.second is not None or arguments.clip:
        raise ValueError(
            "--second and --clip belong to models with labels of their own; leave them out with --labels."
        )
    one_only = [f"--{name}" for name in ("gif", "ribbon", "intervals") if getattr(arguments, name)]
    if one_only and len(arguments.files) != 1:
        what = f"{one_only[0]} is about one file, got {len(arguments.files)}"
        raise ValueError(f"{what}; call motionhub predict once per file.")


def _scores_table(file: str, people: list[dict[str, Any]]) -> str:
    lines = [str(file)]
    for person in people:
        lines.append(f"  person {person['track_id']}, {person['coverage']:.0%} of the joints seen")
        lines += [f"    {entry['score']:6.1%}  {entry['label']}" for entry in person["scores"]]
    return "\n".join(lines if people else [*lines, "  nobody was seen"])


def _tell_when(arguments: argparse.Namespace, found: dict[str, Any], asked: Any, options: dict[str, Any]) -> None:
    """The intervals as a table, as a file, as a ribbon and over the skeletons."""
    rows, file = found["intervals"], arguments.files[0]
    end = max((float(person["times"][-1]) for person in found["scores"]), default=0.0)
    for row in rows:
        times = f"{row['start_s']:7.2f}s {row['end_s']:7.2f}s"
        print(f"  person {row['track_id']} {times}  {row['score']:6.1%}  {row['label']}")
    if not rows and found["scores"]:
        print(f"  no interval in {end:.1f} s")
    if arguments.intervals:
        from motionhub.intervals.table import write_intervals

        print(f"written: {write_intervals(rows, arguments.intervals)}")
    if arguments.ribbon:
        from motionhub.visualization.ribbon import plot_ribbon

        print(f"drawn: {plot_ribbon(rows, arguments.ribbon, duration=end, title=Path(file).name)}")
    if arguments.gif:
        from motionhub.pipelines.skeleton_pipeline import as_sequence
        from motionhub.visualization.animate import animate

        clip = as_sequence(asked, **options)
        print(f"drawn: {animate(clip, arguments.gif, frame_labels=labels_over_time(rows, clip))}")


def labels_over_time(rows: list[dict[str, Any]], clip: Any) -> list[str | None]:
    """For each frame what the people do, `"0: sit down, 1: wave"`; None where nobody does anything."""
    told: list[str | None] = []
    for frame in range(clip.num_frames):
        time = (frame + 0.5) / clip.fps
        now = [row for row in rows if row["start_s"] <= time < row["end_s"]]
        several = clip.num_people > 1
        names = [f"{row['track_id']}: {row['label']}" if several else str(row["label"]) for row in now]
        told.append(", ".join(names) or None)
    return told
