"""The folder of an exported model: graph, config, processor, text bank, facts, measurements and card."""

import json
import re
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from motionhub.atomic import write_text
from motionhub.export.graphs import (
    exported,
    people_of,
    sample_inputs,
    save_graph,
    save_label_graph,
    save_stream,
    takes_any_frames,
)
from motionhub.export.parity import CLIPS, compare, parity_clips
from motionhub.runtime.graph import FACTS, GRAPH, LEAST_STEPS, SCHEMA, TASKS, whole_steps
from motionhub.runtime.skeleton_steps import SkeletonSteps
from motionhub.version import __version__


PARITY = "parity.json"
CARD = "README.md"
EDGE = "## Edge"
MOST_FRAMES = 128  # of a graph whose processor states no number
_PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "openvino", "executorch")
_LEVELS = ("rejection_threshold", "window_rejection_threshold", "score_temperature", "calibrated_stacking")


def export_checkpoint(
    model: Any,
    processor: Any,
    folder: str | Path,
    *,
    to: str = "onnx",
    tasks: Sequence[str] = (),
    frames: int | None = None,
    bank: Any = None,
    source: Path | None = None,
    clips: Sequence[str | Path] = (),
    num_clips: int = CLIPS,
    stream: int | None = None,
) -> dict[str, Any]:
    """Writes the folder and returns what `parity.json` says (nothing for formats other than ONNX).

    Args:
        model: of a family of skeletons, with a head or without.
        processor: its `SkeletonProcessor`.
        folder: new or empty, or one that was exported earlier.
        to: one of `export.graphs.FORMATS`.
        tasks: of `pipeline`, the first is the predictor's default.
        frames: of the graph, which takes shorter clips too; None: what the processor makes, or 128. Some families'
            graphs take longer ones as well (`export.graphs.ANY_FRAMES`).
        bank: `TextBank` of a zero-shot model.
        source: the checkpoint's folder, whose card and licence are copied.
        clips: files of real clips for the comparison.
        num_clips: of the comparison.
        stream: of a segmentation model: frames of the attention's context; writes `stream.onnx` too.

    Raises:
        ValueError: the processor is not of skeletons, the task takes two clips, or the exporter refuses the model.
        ImportError: a package of the format is missing.
    """
    check_task(model)
    if not isinstance(processor, SkeletonSteps):
        raise ValueError(
            f"Export takes models of skeletons with a SkeletonProcessor, got {type(processor).__name__}; images and "
            "videos have exporters of their own in transformers."
        )
    target = Path(folder)
    if target.exists() and any(target.iterdir()) and not (target / FACTS).is_file():
        raise ValueError(f"{target} is not empty and no exported folder; pass a new folder with -o.")
    network = getattr(model, "t_mor", model).eval()  # of a zero-shot model what embeds motions
    length = frames or processor.test_num_frames or processor.num_frames or MOST_FRAMES
    if stream is not None and (to != "onnx" or not type(model).__name__.endswith("Segmentation")):
        raise ValueError(
            f"A stream is exported of a segmentation model to onnx, got {type(model).__name__} to {to}; leave "
            "--stream out, or export a segmentation checkpoint such as unik-precog-small."
        )
    any_frames = takes_any_frames(network.config, to)
    if any_frames:
        length = whole_steps(length, getattr(network.config, "frame_stride", 1))
    made = exported(network, sample_inputs(network.config, length), to, dynamic_frames=any_frames)
    target.mkdir(parents=True, exist_ok=True)
    save_graph(made, target)
    model.config.save_pretrained(target)
    processor.save_pretrained(target)
    facts = facts_of(model, processor, length, list(tasks), to)
    if facts["projection_size"] and to == "onnx":
        save_label_graph(network, target)
    if stream is not None:
        facts["stream"] = save_stream(model, stream, target)
    if bank is not None:
        bank.save_pretrained(target)
    if to == "onnx":
        import onnx

        graph = onnx.load(str(target / GRAPH), load_external_data=False).graph
        facts["outputs"] = [made.name for made in graph.output]
    write_facts(target, facts)
    measured: dict[str, Any] = {}
    if to == "onnx":
        measured = compare(network, processor, target, parity_clips(num_clips, processor.num_dims, clips))
        measured |= {"bytes": (target / GRAPH).stat().st_size, "versions": facts["versions"]}
        write_text(target / PARITY, json.dumps(measured, indent=2) + "\n")
    write_card(target, source, facts, measured, to)
    return measured


def check_task(model: Any) -> None:
    """Raises a ValueError for a model whose task is more than a forward pass of one clip."""
    if type(model).__name__.endswith("ForMotionRetargeting"):
        raise ValueError(
            f"{type(model).__name__} moves one clip onto the body of another, and an exported folder takes one clip; "
            'run pipeline("motion-retargeting"), or make the graph of its forward pass alone with '
            "motionhub.export.graphs.exported(model, sample_inputs(model.config, frames), 'onnx')."
        )


def facts_of(model: Any, processor: Any, frames: int, tasks: list[str], to: str) -> dict[str, Any]:
    """What a reader without torch needs of the model's config."""
    config = model.config
    zero_shot = bool(getattr(config, "projection_size", None))
    labelled = not zero_shot and type(model).__name__.endswith(("Classification", "Segmentation"))
    names = [config.id2label[index] for index in range(len(config.id2label))] if labelled else []
    facts = {
        "schema": SCHEMA,
        "format": to,
        "tasks": tasks,
        "labels": names,
        "exclusive": config.problem_type == "single_label_classification",
        "decoding": getattr(config, "decoding", None),
        "people": people_of(config),
        "frames": frames,
        "any_frames": takes_any_frames(config, to),
        "exact_frames": getattr(getattr(config, "encoder", config), "pooling", None) == "official",
        "joints": config.num_joints,
        "dims": config.in_channels,
        "frame_stride": getattr(config, "frame_stride", 1),
        "hidden_size": getattr(config, "hidden_size", None),
        "projection_size": config.projection_size if zero_shot else None,
        "outputs": [],
        "versions": versions(),
    }
    if zero_shot:
        facts |= {name: getattr(config, name) for name in (*_LEVELS, "window_seconds")}
    return facts


def versions() -> dict[str, str]:
    """Of the packages that made the folder."""
    found = {"motionhub": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Adds `motionhub` to the manifest of transformers."""
    path = folder / FACTS
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_text(path, json.dumps({**manifest, "motionhub": facts}, indent=2) + "\n")


def write_card(folder: Path, source: Path | None, facts: dict[str, Any], measured: dict[str, Any], to: str) -> None:
    """The checkpoint's card with a section "Edge"; its licence file too."""
    text = f"# {folder.name}\n"
    if source is not None:
        if (source / CARD).is_file():
            text = (source / CARD).read_text(encoding="utf-8")
        for name in ("LICENSE", "LICENCE", "card.yaml"):
            if (source / name).is_file():
                shutil.copy(source / name, folder / name)
    text = re.sub(rf"\n{EDGE}\n.*?(?=\n## |\Z)", "", text, flags=re.DOTALL)
    lines = [f"Exported to {to} by motionhub {__version__} (`motionhub export`)."]
    if measured:
        lines = edge_lines(facts, measured)
    write_text(folder / CARD, text.rstrip() + f"\n\n{EDGE}\n\n" + "\n".join(lines) + "\n")


def edge_lines(facts: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """The section of an ONNX folder: how it is used, what it takes, and what was measured."""
    size = measured["bytes"] / 1e6
    rows = [f"| {threads} | {ms['torch']} | {ms['onnxruntime']} |" for threads, ms in measured["milliseconds"].items()]
    return [
        *(use_lines() if set(facts["tasks"]) & set(TASKS) else graph_lines(facts)),
        f"It takes `(batch, {facts['people']}, {facts['frames']}, {facts['joints']}, {facts['dims']})` keypoints with "
        f"both masks, {sizes_of(facts)}.",
        f"Size {size:.1f} MB. On {measured['clips']} clips the largest difference from PyTorch is "
        f"{measured['largest_difference']:.1e}, and {measured['same_first_answer']:.0%} have the same first answer.",
        "",
        "| one clip | torch, ms | ONNX Runtime, ms |",
        "|---|---|---|",
        *rows,
        *(stream_lines(facts["stream"]) if "stream" in facts else []),
    ]


def sizes_of(facts: dict[str, Any]) -> str:
    """Which sizes of its input a graph leaves open."""
    if not facts["any_frames"]:
        return "any batch; shorter clips are padded with masks False"
    stride = facts["frame_stride"]
    which = f"multiple of {stride}" if stride > 1 else "number"
    return f"any batch and any {which} of frames, {LEAST_STEPS * stride} or more"


def use_lines() -> list[str]:
    """How a folder is used whose task needs one forward pass."""
    return [
        "`model.onnx` runs on ONNX Runtime without torch; `motionhub.Predictor(folder)` adds the processor's steps:",
        "",
        "```python",
        "from motionhub import Predictor",
        "",
        'predictor = Predictor("FOLDER")',
        'predictor(keypoints, layout="coco-17", fps=30, unit="pixel", image_size=(640, 480))',
        "```",
        "",
    ]


def graph_lines(facts: dict[str, Any]) -> list[str]:
    """How a folder of another task is used."""
    outputs = ", ".join(f"`{name}`" for name in facts["outputs"])
    return [
        "`model.onnx` runs on ONNX Runtime without torch (`onnxruntime.InferenceSession`, or "
        f"`transformers.exporters.ExportedModel.from_pretrained`) and gives {outputs}.",
        "",
    ]


def stream_lines(stream: dict[str, Any]) -> list[str]:
    """What the stream of a segmenter computes, and when."""
    return [
        "",
        f"`stream.onnx` is the model frame by frame, {stream['frames']} frames a step "
        f"(`motionhub.ExportedStream(folder)`): logits come {stream['delay']} frames after their frame and depend on "
        f"{stream['receptive_field']} frames; the attention is "
        f"that of the last {stream['context']} frames at the rate of each block.",
    ]
