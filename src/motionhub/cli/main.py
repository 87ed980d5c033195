"""`motionhub COMMAND ...`: parses words, calls the library, prints for people (or JSON for programs).

It computes nothing itself. Every import that costs time is inside the command that needs it: `--help` is quick.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from motionhub.cli.convert import add_convert
from motionhub.cli.dataset import add_dataset
from motionhub.cli.features import add_command as add_features
from motionhub.cli.help_tables import in_units, list_of_layouts
from motionhub.cli.hub import add_commands as add_hub_commands
from motionhub.cli.poses import add_command as add_poses
from motionhub.cli.predict import add_zero_shot_options, clips_to_ask, default_model, predict_labels
from motionhub.cli.refine import add_command as add_refine
from motionhub.cli.search import add_commands as add_retrieval_commands
from motionhub.cli.segment import add_evaluate_options, add_segment, evaluate_frames, labels_frames, train_frames
from motionhub.hub.packaged import A_MODEL, model_id
from motionhub.version import __version__


# What `motionhub convert` calls the arguments that a writer's error names, where it is not `--argument`.
_WRITE_FLAGS = {"format": "--to", "person": "--person INDEX", "project": "--project AZIMUTH ELEVATION"}


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status. Bad input is one line on stderr and status 2, not a traceback."""
    words = list(sys.argv[1:] if words is None else words)
    if words[:1] == ["train"] and "--help" not in words and "-h" not in words:
        return reported(lambda: _train(words[1:]))
    with _readers_may_leave():
        arguments = build_parser().parse_args(words)
    return reported(lambda: arguments.run(arguments), arguments.input_flags)


def reported(run: Callable[[], int | None], input_flags: Mapping[str, str] = MappingProxyType({})) -> int:
    """Runs what a command does; its exit status. The scripts in `examples/` use it too, to fail as quietly.

    Args:
        input_flags: what the command calls the keywords of `motionhub.read`, where it is not `--keyword`.
    """
    warnings.showwarning = _show_warning
    try:
        with _readers_may_leave():
            return run() or 0
    except (ValueError, OSError, ImportError) as error:
        print(f"motionhub: {' '.join(str(error).split())}{_flag_hint(error, input_flags)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # training has said by then how to go on
        print("motionhub: stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if not _refuses_config(error):
            raise
        print(f"motionhub: config.json: {' '.join(str(error.__cause__ or error).split())}", file=sys.stderr)
        return 2


def _refuses_config(error: Exception) -> bool:
    """Values of a config.json do not fit: transformers wraps the config's own error in one that is no ValueError."""
    from huggingface_hub.errors import StrictDataclassError

    return isinstance(error, StrictDataclassError)


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """Ends the program without a word when whoever reads its output has enough of it, as `| head` does."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # what is held back fails here, not when Python ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest, if any, goes nowhere
        raise SystemExit(141) from None  # as a shell reports a program that SIGPIPE ended


def _flag_hint(error: Exception, input_flags: Mapping[str, str]) -> str:
    """Readers speak of Python keywords; here the same is a flag."""
    from motionhub.data.formats.format import UnstatedFact
    from motionhub.data.formats.writing import WriteOption

    if isinstance(error, WriteOption):
        return f" In a shell: {_WRITE_FLAGS.get(error.option, f'--{error.option}')}."
    if not isinstance(error, UnstatedFact):
        return ""
    return f" In a shell: {input_flags.get(error.option, f'--{error.option}')}."


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """Our own warnings are for the person who typed the command: no source line, and flags for keywords."""
    own = "motionhub" in Path(filename).parts
    if own:
        message = str(message).replace("strict=True", "--strict").replace("exclude=LIST", "--exclude LIST")
    text = (
        f"motionhub: note: {message}\n" if own else warnings.formatwarning(message, category, filename, lineno, line)
    )
    (file or sys.stderr).write(text)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. `train` is listed here and parsed by its own recipe."""
    parser = argparse.ArgumentParser(prog="motionhub", description="Encoders of human motion, from the command line.")
    parser.add_argument("--version", action="version", version=f"motionhub {__version__}")
    parser.set_defaults(input_flags={})
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    about = (
        "Without FILE: this machine. With FILE: what the motion is and what is probably wrong with it, each finding "
        "with its fix. Exit status: 0 nothing or notes only, 1 at least one problem, 2 a file that cannot be read."
    )
    summary = "this machine, or a skeleton file: each problem with its fix"
    doctor = commands.add_parser("doctor", help=summary, description=about)
    doctor.add_argument("file", nargs="?", metavar="FILE", help="any readable file, or folder of OpenPose files")
    doctor.add_argument("--output", metavar="DIR", help="also draw the first good frame with joint names, as PNG")
    doctor.add_argument("--json", action="store_true", help="the findings as JSON, for programs")
    _add_read_options(doctor)
    doctor.set_defaults(run=_doctor)

    info = commands.add_parser("info", help="what is in a skeleton file: people, frames, layout, missing joints")
    info.add_argument("files", nargs="*", metavar="FILE")
    info.add_argument("--layouts", action="store_true", help="list the joint layouts there are")
    _add_read_options(info)
    info.set_defaults(run=_info)

    add_convert(commands, _add_unit_options)

    predict = commands.add_parser("predict", help="name the action of every person in skeleton files or videos")
    predict.add_argument("files", nargs="+", metavar="FILE", help="any readable file, or a video")
    predict.add_argument("--model", type=model_id, help=f"{A_MODEL} of an action classifier; with --labels not needed")
    predict.add_argument("--top_k", type=int, default=5, help="labels per person (default 5)")
    predict.add_argument("--clip", action="store_true", help="one answer for all people of a clip together")
    _add_second_stream(predict)
    predict.add_argument("--json", metavar="OUT", help="also write the results as JSON")
    predict.add_argument("--gif", metavar="OUT", help="also draw the (single) file with its labels")
    add_zero_shot_options(predict)
    _add_read_options(predict)
    predict.set_defaults(run=_predict)

    add_dataset(commands)
    add_features(commands)

    train = commands.add_parser(
        "train", help="fine-tune, linear evaluation, few labels or from scratch", add_help=False
    )
    train.add_argument("-h", "--help", action="store_true")
    train.set_defaults(run=lambda arguments: _train(["--help"]))

    evaluate = commands.add_parser("evaluate", help="score a classifier on a split, with tables and pictures")
    evaluate.add_argument("--model", type=model_id, required=True, help=f"{A_MODEL} of an action classifier")
    evaluate.add_argument("--dataset", required=True, help="a reader with --data_root, else a saved dataset or Hub id")
    evaluate.add_argument("--data_root", default=None, help="folder or zip file with the raw files")
    evaluate.add_argument("--protocol", default=None, help="such as cross-subject")
    evaluate.add_argument("--eval_split", default="test", help="split to evaluate on (default test)")
    order = ("dataset", "protocol")
    evaluate.add_argument("--class_order", choices=order, default=order[0], help="whose numbers the classes have")
    evaluate.add_argument("--batch_size", type=int, default=64)
    evaluate.add_argument("--mixed_precision", choices=("auto", "bf16", "no"), default="no")
    evaluate.add_argument("--output_dir", default=None, help="for metrics.json, scores.npz and the pictures")
    _add_second_stream(evaluate)
    add_evaluate_options(evaluate)
    evaluate.set_defaults(run=_evaluate)

    add_poses(commands)
    add_refine(commands, _add_read_options)
    add_segment(commands, _add_read_options, _read_options)
    add_retrieval_commands(commands, _add_read_options, _read_options)
    add_hub_commands(commands)
    return parser


def _add_second_stream(command: argparse.ArgumentParser) -> None:
    command.add_argument("--second", type=model_id, help=f"{A_MODEL} of a second stream (bones) to fuse with")
    command.add_argument("--second_weight", type=float, default=1.0, help="what it counts, the first counting 1")
    command.add_argument("--fusion", choices=("logits", "softmax"), default="logits", help="what is added up")


def _add_read_options(command: argparse.ArgumentParser) -> None:
    """For files that do not say it themselves; see `motionhub.read`."""
    command.add_argument("--layout", default=None, help="joint layout, such as coco-17, if the file does not say it")
    command.add_argument("--fps", type=float, default=None, help="frames per second, if the file does not say it")
    _add_unit_options(command)


def _add_unit_options(command: argparse.ArgumentParser) -> None:
    units = "pixel, normalised, metre, centimetre or millimetre"
    command.add_argument("--unit", default=None, help=f"{units}, if the file does not say it")
    size = ("WIDTH", "HEIGHT")
    command.add_argument("--image_size", type=int, nargs=2, default=None, metavar=size, help="in pixels, likewise")


def _read_options(arguments: argparse.Namespace) -> dict[str, Any]:
    size = None if arguments.image_size is None else tuple(arguments.image_size)
    return {"layout": arguments.layout, "fps": arguments.fps, "unit": arguments.unit, "image_size": size}


def _doctor(arguments: argparse.Namespace) -> int:
    from motionhub.cli.doctor import examine, examine_file, print_report

    if arguments.file is None:
        return print_report(examine())
    return examine_file(arguments.file, _read_options(arguments), output=arguments.output, as_json=arguments.json)


def _info(arguments: argparse.Namespace) -> int:
    from motionhub.data.datasets.datasets import DATASETS
    from motionhub.data.datasets.raw_files import about_zip, starts_like_zip
    from motionhub.data.datasets.reading import find_format
    from motionhub.data.formats.format import ReadOptions

    if arguments.layouts:
        print(list_of_layouts())
    elif not arguments.files:
        raise ValueError("info needs a file: motionhub info FILE ..., or motionhub info --layouts.")
    options = ReadOptions(**_read_options(arguments))
    for file in arguments.files:
        try:
            form = find_format(file)
        except ValueError:
            if starts_like_zip(Path(file)):
                raise ValueError(about_zip(Path(file))) from None
            raise
        sequences, dataset = form.read(Path(file), options), DATASETS.get(form.name)
        try:
            facts = None if dataset is None else dataset.annotate(Path(file))
        except ValueError as error:  # a renamed recording: its motion is whole, only its label is not known
            facts = None
            print(f"motionhub: note: label unknown: {error}", file=sys.stderr)
        for sequence in sequences:
            print(f"{file}: {form.title}")
            print(f"  people {sequence.num_people}, frames {sequence.num_frames}, {sequence.duration:.2f} s", end="")
            print(
                f" at {sequence.fps:g} fps, {sequence.num_dims}-D in {in_units(sequence.unit)}, layout "
                f"{sequence.layout.name}"
            )
            if dataset is not None and facts is not None and facts.label is not None:
                print(f"  label {dataset.class_names[facts.label]!r}, subject {facts.subject}, camera {facts.camera}")
            seen = sequence.joint_mask
            if seen.size:
                print(f"  seen {seen.mean():.1%} of the joints{_least_seen(sequence)}")
    return 0


def _least_seen(sequence: Any) -> str:
    share = sequence.joint_mask.mean(axis=(0, 1))
    worst = int(share.argmin())
    return "" if share[worst] == 1 else f"; least: {sequence.layout.joints[worst]} {share[worst]:.0%}"


def _predict(arguments: argparse.Namespace) -> int:
    arguments.model = default_model(arguments)
    if arguments.labels is not None:
        return predict_labels(arguments, _read_options(arguments))
    if arguments.gif and len(arguments.files) != 1:
        raise ValueError(f"--gif draws one file, got {len(arguments.files)}; call motionhub predict once per file.")
    from transformers import pipeline
    from transformers.utils.logging import disable_progress_bar

    from motionhub.auto import AutoModelForActionClassification
    from motionhub.training.sources import load_checkpoint

    if labels_frames(arguments.model):
        raise ValueError(f"{arguments.model} labels every frame: motionhub segment FILE --model {arguments.model}")
    disable_progress_bar()
    model, processor = load_checkpoint(arguments.model, AutoModelForActionClassification)
    classify = pipeline("action-classification", model=model, feature_extractor=processor)
    fusion: dict[str, Any] = {}
    if arguments.second is not None:
        other, other_processor = load_checkpoint(arguments.second, AutoModelForActionClassification)
        second = pipeline("action-classification", model=other, feature_extractor=other_processor)
        fusion = {"second": second, "second_weight": arguments.second_weight, "fusion": arguments.fusion}
    options = _read_options(arguments)
    clips = clips_to_ask(arguments.files, processor, options)
    results = classify(clips, top_k=arguments.top_k, per_person=not arguments.clip, **fusion, **options)
    for file, people in zip(arguments.files, results, strict=True):
        print(file)
        if not people:
            print("  nobody was seen")
        for person in people:
            who = "all people" if person["track_id"] is None else f"person {person['track_id']}"
            print(f"  {who}, {person['coverage']:.0%} of the joints seen")
            for entry in person["scores"]:
                print(f"    {entry['score']:6.1%}  {entry['label']}")
    if arguments.json:
        named = dict(zip(map(str, arguments.files), results, strict=True))
        Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
        Path(arguments.json).write_text(json.dumps(named, indent=2) + "\n", encoding="utf-8")
    if arguments.gif:
        _draw_prediction(clips[0], results[0], arguments.gif, options)
    return 0


def _draw_prediction(asked: Any, people: list[dict[str, Any]], path: str, options: dict[str, Any]) -> None:
    from motionhub.pipelines.skeleton_pipeline import as_sequence
    from motionhub.visualization.animate import animate

    clip = as_sequence(asked, **options)
    tracks, labels = list(clip.track_ids or ()), ["not seen"] * clip.num_people
    for person in people:
        if person["track_id"] is not None:
            best = person["scores"][0]
            labels[tracks.index(person["track_id"])] = f"{best['label']} {best['score']:.0%}"
    scores = people[0]["scores"] if len(people) == 1 else None
    animate(clip, path, labels=None if people and people[0]["track_id"] is None else labels, scores=scores)
    print(f"drawn: {path}")


def _train(words: Sequence[str]) -> int:
    from motionhub.auto import AutoModelForActionClassification
    from motionhub.metrics.classification import format_report
    from motionhub.training.run import load_splits, parse_training, prepare_start
    from motionhub.training.trainer import train

    if labels_frames(words):
        return train_frames(words)
    arguments, recipe = parse_training(words, "motionhub train: fine-tune, linear, few labels or from scratch")
    splits = load_splits(arguments)
    model, processor = prepare_start(arguments, recipe, splits["train"], AutoModelForActionClassification)
    result = train(model, processor, splits["train"], splits[arguments.eval_split], recipe)
    if not result.is_main_process:
        return 0
    print(format_report(result.last_metrics))
    print(f"{result.steps} updates in {result.seconds:.0f} s; last epoch: {result.last_dir}, best: {result.best_dir}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from transformers.utils.logging import disable_progress_bar

    from motionhub.auto import AutoModelForActionClassification
    from motionhub.metrics.classification import format_report
    from motionhub.training.evaluators import evaluate_streams
    from motionhub.training.run import RunArguments, load_splits
    from motionhub.training.sources import load_checkpoint

    if labels_frames(arguments.model):
        return evaluate_frames(arguments)
    if arguments.convention or arguments.event_protocol:
        raise ValueError(
            f"--convention and --event_protocol score models that label every frame, but {arguments.model} names "
            "whole clips: leave them out."
        )
    disable_progress_bar()
    data = RunArguments(
        arguments.dataset,
        arguments.model,
        arguments.data_root,
        arguments.protocol,
        arguments.eval_split,
        class_order=arguments.class_order,
    )
    names = [name for name in (arguments.model, arguments.second) if name is not None]
    streams = [load_checkpoint(name, AutoModelForActionClassification) for name in names]
    clips = load_splits(data)[arguments.eval_split]
    report = evaluate_streams(
        streams,
        clips,
        weights=[1.0, arguments.second_weight][: len(streams)],
        fusion=arguments.fusion,
        batch_size=arguments.batch_size,
        mixed_precision=arguments.mixed_precision,
        output_dir=arguments.output_dir,
    )
    print(format_report(report))
    if arguments.second is not None:
        alone = ", ".join(f"{name} {top1:.1%}" for name, top1 in zip(names, report["streams"], strict=True))
        print(f"top-1 of each stream alone: {alone}; fused by {arguments.fusion}")
    if arguments.output_dir:
        print(f"saved: {arguments.output_dir}/metrics.json, scores.npz")
        try:
            _draw_report(report, Path(arguments.output_dir))
        except ImportError as error:  # the numbers are there; pictures are an extra
            print(f"motionhub: note: no pictures: {error}", file=sys.stderr)
    return 0


def _draw_report(report: dict[str, Any], folder: Path) -> None:
    from motionhub.visualization.plots import plot_confusion_matrix, plot_per_class

    names = [row["name"] for row in report["per_class"]]
    plot_confusion_matrix(report["confusion_matrix"], names, folder / "confusion_matrix.png")
    plot_per_class(names, [row["accuracy"] for row in report["per_class"]], folder / "per_class.png")
    print(f"drawn: {folder}/confusion_matrix.png, per_class.png")
