"""Evaluation of classifiers: scores of every clip once, the report of `metrics`, and the files they are saved in.

It does not know how the model was trained nor draw pictures (`motionhub.visualization` does, from the saved report).
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from motionhub.metrics.classification import classification_report, fuse_streams
from motionhub.nn.precision import choose_precision
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.training.dataset import ClipDataset, check_labels, check_workers, class_names_of, with_index


def evaluate(
    model: PreTrainedModel,
    processor: Any,
    dataset: Dataset,
    *,
    batch_size: int = 64,
    mixed_precision: str = "no",
    device: str | torch.device | None = None,
    num_workers: int = 0,
    output_dir: str | Path | None = None,
) -> dict[str, Any]:
    """Score every clip of `dataset` and report (see `metrics.classification_report`), with `clips_per_second`.

    Args:
        model: gives `.logits` `(batch, num_labels)`; its `config.id2label` names the classes.
        processor: turns rows into its inputs, see `ClipDataset`.
        dataset: rows with labels in 0..num_labels-1.
        mixed_precision: `"no"`, `"bf16"` (autocast) or `"auto"`, see `nn.precision`. Float32 by default, so that a
            report does not depend on the machine.
        device: where to compute; the model's own device by default.
        output_dir: when given, `metrics.json` and `scores.npz` are written there.

    Raises:
        ValueError: no clips, a label that is no class, NaN scores.
    """
    logits, labels, seconds = score_clips(
        model,
        processor,
        dataset,
        batch_size=batch_size,
        mixed_precision=mixed_precision,
        device=device,
        num_workers=num_workers,
    )
    report = classification_report(logits, labels, class_names_of(model.config))
    report["clips_per_second"] = len(labels) / seconds
    if output_dir is not None:
        save_report(output_dir, report)
        save_scores(Path(output_dir) / "scores.npz", dataset["clip_id"], logits, labels)
    return report


def evaluate_streams(
    streams: Sequence[tuple[PreTrainedModel, Any]],
    dataset: Dataset,
    *,
    weights: Sequence[float] | None = None,
    fusion: str = "logits",
    output_dir: str | Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Score every clip by several checkpoints (joints and bones) and report on their fused scores.

    Args:
        streams: `(model, processor)` of each; all tell the same labels in the same order.
        weights: one factor per stream, 1 by default.
        fusion: `"logits"` (official code) or `"softmax"` (UNIK paper), see `metrics.fuse_streams`.
        output_dir: when given, `metrics.json` and `scores.npz` (the fused scores) are written there.
        options: of `score_clips`.

    Returns:
        The report, as of `evaluate`; of several streams, `streams` in it is the top-1 accuracy of each alone.

    Raises:
        ValueError: labels that differ, wrong weights or fusion, and what `evaluate` raises.
    """
    names = [class_names_of(model.config) for model, _ in streams]
    if any(other != names[0] for other in names[1:]):
        raise ValueError(
            "Streams can be fused only when they tell the same labels in the same order, but they differ: "
            f"{[each[:5] for each in names]}..."
        )
    scored = [score_clips(model, processor, dataset, **options) for model, processor in streams]
    labels, logits = scored[0][1], [each[0] for each in scored]
    fused = fuse_streams(*logits, weights=weights, mode=fusion)
    report = classification_report(fused, labels, names[0])
    report["clips_per_second"] = len(labels) / sum(seconds for _, _, seconds in scored)
    if len(scored) > 1:
        report["streams"] = [classification_report(each, labels, names[0])["top1"] for each in logits]
    if output_dir is not None:
        save_report(output_dir, report)
        save_scores(Path(output_dir) / "scores.npz", dataset["clip_id"], fused, labels)
    return report


def score_clips(
    model: PreTrainedModel,
    processor: Any,
    dataset: Dataset,
    *,
    batch_size: int = 64,
    mixed_precision: str = "no",
    device: str | torch.device | None = None,
    num_workers: int = 0,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Logits `(num_clips, num_labels)` and labels `(num_clips,)` in the order of `dataset`, and the seconds."""
    check_labels(dataset, model.config)
    check_workers(num_workers)
    place = next(model.parameters()).device if device is None else torch.device(device)
    precision = choose_precision(mixed_precision, place)
    clips = ClipDataset(dataset, processor, training=False)
    loader = DataLoader(
        clips,
        batch_size,
        sampler=clips.by_length(),
        num_workers=num_workers,
        collate_fn=with_index(collate_skeletons, lengths=averages_padding(model.config)),
    )
    was_training = model.training
    model.to(place).eval()
    started = time.perf_counter()
    with precision.autocast(place):
        logits = collect_logits(model, loader, len(clips), device=place)
    seconds = time.perf_counter() - started
    model.train(was_training)
    return logits, clips.labels, seconds


@torch.inference_mode()
def collect_logits(
    model: torch.nn.Module,
    loader: Any,
    num_clips: int,
    *,
    device: torch.device | None = None,
    accelerator: Accelerator | None = None,
) -> np.ndarray:
    """The logits of all clips, `(num_clips, num_labels)` float32 in the order of the dataset.

    Several processes (with `accelerator` and a prepared loader) each compute a share and all get the whole; the clips
    that accelerate repeats to fill the last batch are told by their `index` and counted once. Batches that tell the
    length of their clips (`num_frames`) go through the model by length, without padding.
    """
    scores: np.ndarray | None = None
    for batch in loader:
        if device is not None:
            batch = {name: value.to(device) for name, value in batch.items()}
        index = batch.pop("index")
        batch.pop("labels", None)
        lengths = batch.pop("num_frames", None)
        compute = partial(_logits, model)
        logits = compute(batch) if lengths is None else by_length(compute, batch, lengths)
        if accelerator is not None:
            index, logits = accelerator.gather_for_metrics((index, logits))
        if scores is None:
            scores = np.full((num_clips, logits.shape[1]), np.nan, dtype=np.float32)
        scores[index.cpu().numpy()] = logits.cpu().numpy()
    if scores is None:
        raise ValueError("There are no clips to evaluate.")
    return scores


def by_length(
    compute: Callable[[dict[str, torch.Tensor]], torch.Tensor], batch: dict[str, torch.Tensor], lengths: torch.Tensor
) -> torch.Tensor:
    """`compute(batch)` of a padded batch, a row per clip, as if every clip had been alone in it.

    Args:
        batch: tensors `(clips, people, frames, ...)`.
        lengths: `(clips,)` frames before padding.
    """
    parts, places = [], []
    for length in lengths.unique().tolist():
        chosen = lengths == length
        parts.append(compute({name: value[chosen][:, :, :length] for name, value in batch.items()}))
        places.append(chosen.nonzero().squeeze(1))
    return torch.cat(parts)[torch.cat(places).argsort()]


def _logits(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    logits: torch.Tensor = model(**batch).logits
    return logits.float()


class ClassificationEvaluation:
    """What the training loop runs after an epoch: all logits, then the report.

    Args:
        labels: `(num_clips,)` class of each clip of the evaluation set.
        class_names: one per class.
    """

    def __init__(self, labels: np.ndarray, class_names: Sequence[str]) -> None:
        self.labels, self.class_names = labels, list(class_names)

    def __call__(self, model: torch.nn.Module, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        bare = without_wrapper(model, accelerator)
        logits = collect_logits(bare, loader, len(self.labels), accelerator=accelerator)
        return classification_report(logits, self.labels, self.class_names)


def without_wrapper(model: torch.nn.Module, accelerator: Accelerator) -> torch.nn.Module:
    """Without DDP, whose every call waits for all processes: they may hold clips of differently many lengths.

    DDP also hands out the batch-norm statistics of process 0 before each call; that is done here, once.
    """
    bare = accelerator.unwrap_model(model)
    if accelerator.num_processes > 1:
        for buffer in bare.buffers():
            broadcast(buffer)
    return bare


def save_report(folder: str | Path, report: dict[str, Any]) -> Path:
    """Write a report as `metrics.json` and return its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metrics.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return path


def save_scores(path: str | Path, clip_ids: Sequence[str], logits: np.ndarray, labels: np.ndarray) -> None:
    """Write the logits of every clip, with its name and label, as one `.npz`.

    Raises:
        ValueError: two clips have the same name.
    """
    names = np.asarray(list(clip_ids), dtype=np.str_)
    if len(np.unique(names)) != len(names):
        raise ValueError("Scores are saved by clip_id, but some clips share one; give every clip its own clip_id.")
    np.savez(path, clip_ids=names, logits=np.asarray(logits, np.float32), labels=np.asarray(labels, np.int64))


def load_scores(path: str | Path) -> dict[str, np.ndarray]:
    """`{clip_id: logits (num_labels,)}` from a file of `save_scores`."""
    with np.load(path, allow_pickle=False) as content:
        return dict(zip(content["clip_ids"].tolist(), content["logits"], strict=True))


def fuse_score_files(
    first: str | Path, second: str | Path, *, weight: float = 1.0, mode: str = "logits", class_names: Any = None
) -> dict[str, Any]:
    """The report of two streams (joint and bone) added up from their score files: first + weight * second.

    Args:
        mode: `"logits"` (official code) or `"softmax"` (UNIK paper), see `metrics.fuse_streams`.

    Raises:
        ValueError: the files do not score the same clips.
    """
    streams = [load_scores(first), load_scores(second)]
    names = list(streams[0])
    if set(names) != set(streams[1]):
        odd = sorted(set(names) ^ set(streams[1]))
        raise ValueError(
            f"{first} and {second} must score the same clips; {len(odd)} are in one only, e.g. {odd[:3]}."
        )
    with np.load(first, allow_pickle=False) as content:
        labels = content["labels"]
    logits = [np.stack([stream[name] for name in names]) for stream in streams]
    return classification_report(fuse_streams(*logits, weights=[1.0, weight], mode=mode), labels, class_names)
