"""Evaluation: model outputs of every clip, the report of `metrics`, and the saved files."""

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

from motionhub.data.datasets.splits import few_label_subset
from motionhub.metrics.classification import classification_report, fuse_streams
from motionhub.metrics.embeddings import effective_rank, linear_accuracy, spread
from motionhub.nn.precision import choose_precision
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.training.dataset import ClipDataset, ClipProcessor, check_labels, class_names_of, with_index


Compute = Callable[[dict[str, torch.Tensor]], torch.Tensor]
# Features below either have collapsed to a point or a line.
COLLAPSED_SPREAD, COLLAPSED_RANK = 1e-3, 1.1


def evaluate_streams(
    streams: Sequence[tuple[PreTrainedModel, ClipProcessor]],
    dataset: Dataset,
    *,
    weights: Sequence[float] | None = None,
    fusion: str = "logits",
    output_dir: str | Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Scores every clip with one checkpoint, or fuses the scores of several (joints and bones), and reports.

    Args:
        streams: `(model, processor)` of each; a model has `.logits` `(batch, num_labels)`, and all have the same
            classes in the same order.
        dataset: rows with labels in 0..num_labels-1.
        weights: one factor per stream, 1 by default.
        fusion: `"logits"` (official code) or `"softmax"` (UNIK paper), see `metrics.fuse_streams`.
        output_dir: folder for `metrics.json` and `scores.npz` (the fused scores).
        options: of `score_clips`.

    Returns:
        `metrics.classification_report` with `clips_per_second`, and for several streams with `streams`, the top-1
        accuracy of each.

    Raises:
        ValueError: no clips, a label that is no class, NaN scores, different classes, wrong weights or fusion.
    """
    names = [class_names_of(model.config) for model, _ in streams]
    if any(other != names[0] for other in names[1:]):
        raise ValueError(
            "Streams can be fused only when they have the same labels in the same order, but they differ: "
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
    processor: ClipProcessor,
    dataset: Dataset,
    *,
    batch_size: int = 64,
    mixed_precision: str = "no",
) -> tuple[np.ndarray, np.ndarray, float]:
    """Logits `(num_clips, num_labels)` and labels `(num_clips,)` in the order of `dataset`, and the seconds.

    Args:
        mixed_precision: `"no"` (the same report on every machine), `"bf16"` or `"auto"`, see `nn.precision`.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=8, seed=0, actions=["wave", "squat"])
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, normalization="centre")
        >>> config = motionhub.UnikConfig(in_channels=3, channels=[8], strides=[1], num_labels=2)
        >>> model = motionhub.UnikForActionClassification(config)
        >>> logits, labels, seconds = motionhub.score_clips(model, processor, dataset)
        >>> logits.shape
        (8, 2)
    """
    check_labels(dataset, model.config)
    precision = choose_precision(mixed_precision, model.device)
    clips = ClipDataset(dataset, processor, training=False)
    loader = evaluation_loader(clips, batch_size, model.config)
    was_training, started = model.training, time.perf_counter()
    with precision.autocast(model.device):
        logits, _ = outputs_of_clips(partial(_output, model.eval(), "logits"), loader, device=model.device)
    seconds = time.perf_counter() - started
    model.train(was_training)
    return logits, clips.labels, seconds


def evaluation_loader(clips: ClipDataset, batch_size: int, config: Any) -> DataLoader:
    """Batches of all clips, longest first, for `outputs_of_clips` of a model with this config."""
    collate = with_index(collate_skeletons, lengths=averages_padding(config))
    return DataLoader(clips, batch_size, sampler=clips.longest_first(), collate_fn=collate)


@torch.inference_mode()
def outputs_of_clips(
    compute: Compute, loader: Any, *, device: torch.device | None = None, accelerator: Accelerator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`compute(batch)` and the label of every clip in the order of the rows, `(num_clips, channels)`, `(num_clips,)`.

    With `accelerator` and a prepared loader, processes share the clips and all get the whole result; clips that
    accelerate repeats to fill the last batch count once. Batches with `num_frames` are computed by length, unpadded.

    Args:
        compute: a batch without `index`, `labels` and `num_frames` -> `(clips, channels)`.
        device: moves batches there.

    Raises:
        ValueError: there are no clips.
    """
    found: dict[int, tuple[np.ndarray, int]] = {}
    for batch in loader:
        if device is not None:
            batch = {name: value.to(device) for name, value in batch.items()}
        index, labels, lengths = batch.pop("index"), batch.pop("labels"), batch.pop("num_frames", None)
        outputs = compute(batch) if lengths is None else map_by_length(compute, batch, lengths)
        if accelerator is not None:
            index, labels, outputs = accelerator.gather_for_metrics((index, labels, outputs))
        rows = zip(index.tolist(), outputs.cpu().numpy(), labels.tolist(), strict=True)
        found.update({row: (output, label) for row, output, label in rows})
    if not found:
        raise ValueError("There are no clips to evaluate.")
    in_order = [found[row] for row in sorted(found)]
    return np.stack([output for output, _ in in_order]), np.array([label for _, label in in_order])


def map_by_length(compute: Compute, batch: dict[str, torch.Tensor], lengths: torch.Tensor) -> torch.Tensor:
    """`compute(batch)` of a padded batch, a row per clip, without the effect of padding.

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


def _output(model: torch.nn.Module, name: str, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    output: torch.Tensor = getattr(model(**batch), name)
    return output.float()


class ClassificationEvaluation:
    """An `evaluation` of classifiers, for `train` with an objective: scores all clips after an epoch and reports.

    Args:
        class_names: of the model, in order.

    Examples:
        >>> motionhub.ClassificationEvaluation(["wave", "squat"]).class_names
        ['wave', 'squat']
    """

    needs_lengths = True

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)

    def __call__(self, model: torch.nn.Module, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        compute = partial(self.scores, without_wrapper(model, accelerator))
        scores, labels = outputs_of_clips(compute, loader, accelerator=accelerator)
        return classification_report(scores, labels, self.class_names)

    def scores(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """`(clips, classes)`."""
        return _output(model, "logits", batch)


class MultiViewEvaluation(ClassificationEvaluation):
    """Evaluates video classifiers: sums probabilities over the views of a video (PySlowFast).

    Args:
        class_names: of the model, in order.
        views_at_once: clips of one forward pass.

    Examples:
        >>> evaluation = motionhub.MultiViewEvaluation(["wave", "squat"], views_at_once=2)
        >>> evaluation.class_names
        ['wave', 'squat']
    """

    needs_lengths = False

    def __init__(self, class_names: Sequence[str], views_at_once: int = 8) -> None:
        super().__init__(class_names)
        if views_at_once < 1:
            raise ValueError(f"views_at_once must be at least 1, got {views_at_once}.")
        self.views_at_once = views_at_once

    def scores(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """`(videos, classes)` of `pixel_values (videos, views, frames, 3, height, width)`, else a ValueError."""
        pixels = batch["pixel_values"]
        if pixels.dim() != 6:
            raise ValueError(
                "Expected pixel_values (videos, views, frames, 3, height, width), got "
                f"{tuple(pixels.shape)}; make them with VideoDataset(..., training=False)."
            )
        parts = pixels.flatten(0, 1).split(self.views_at_once)
        probabilities = torch.cat([model(part).logits.float().softmax(-1) for part in parts])
        return probabilities.unflatten(0, (-1, pixels.shape[1])).sum(1)


class EmbeddingProbe:
    """An `evaluation` for pre-training: a linear classifier on frozen features, and the rank of the features.

    The report has `probe_top1` (0..1), `effective_rank` and `spread` of the test features (`metrics.embeddings`),
    `num_clips`, and a `warning` when the features have collapsed. Choosing an epoch by `probe_top1` uses the labels:
    report the last epoch, or probe on clips that no result is reported on.

    Args:
        train_dataset: labelled rows to fit on; a small share of the clips is enough. `train` gets the rows to test on.
        processor: of the encoder; applied as at test time.
        batch_size: clips of one forward pass.

    Raises:
        ValueError: a row without a label.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, num_people=1)
        >>> probe = motionhub.EmbeddingProbe(dataset, processor)
        >>> len(probe.clips)
        4
    """

    needs_lengths = True

    def __init__(self, train_dataset: Dataset, processor: ClipProcessor, *, batch_size: int = 64) -> None:
        self.clips = ClipDataset(train_dataset, processor, training=False)
        self.batch_size = batch_size
        _check_labels(self.clips.labels)

    def __call__(self, model: torch.nn.Module, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        encoder = without_wrapper(model, accelerator)
        compute = partial(_output, encoder, "pooler_output")
        # Every process embeds all of the few training clips.
        own_loader = evaluation_loader(self.clips, self.batch_size, encoder.config)
        train, labels = outputs_of_clips(compute, own_loader, device=accelerator.device)
        test, test_labels = outputs_of_clips(compute, loader, accelerator=accelerator)
        _check_labels(test_labels)
        report: dict[str, Any] = {
            "probe_top1": linear_accuracy(train, labels, test, test_labels),
            "effective_rank": effective_rank(test),
            "spread": spread(test),
            "num_clips": len(test),
        }
        if report["spread"] < COLLAPSED_SPREAD or report["effective_rank"] < COLLAPSED_RANK:
            report["warning"] = (
                f"the encoder is collapsing: the features of {len(test)} clips have spread {report['spread']:.1e} and "
                f"effective rank {report['effective_rank']:.1f} (lower the learning rate, raise the temperature or "
                "the number of negatives)."
            )
        return report


def probed_by_labels(
    train_dataset: Dataset, eval_dataset: Dataset, processor: ClipProcessor, *, fraction: float, seed: int
) -> dict[str, Any]:
    """Arguments of `train` that probe an encoder with the labels of a share of the training clips.

    Args:
        train_dataset: the training clips; the probe is fitted on `fraction` of each class, see `few_label_subset`.
        eval_dataset: labelled rows to test on.
        processor: of the encoder.
        fraction: 0 for no probe; no label is read.
        seed: of the choice.

    Raises:
        ValueError: fraction is not in [0, 1], or there are no labels.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=8, seed=0, actions=["wave", "squat"])
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, num_people=1)
        >>> options = motionhub.probed_by_labels(dataset, dataset, processor, fraction=0.5, seed=0)
        >>> options["primary_metric"]
        'probe_top1'
    """
    if fraction == 0:
        return {"eval_dataset": None}
    probe = EmbeddingProbe(few_label_subset(train_dataset, fraction, seed), processor)
    return {"eval_dataset": eval_dataset, "evaluation": probe, "primary_metric": "probe_top1"}


def _check_labels(labels: np.ndarray) -> None:
    known = np.array([label is not None and label >= 0 for label in labels.tolist()], dtype=bool)
    if not len(known) or not known.all():
        raise ValueError(
            f"A probe needs labelled clips, but {int((~known).sum())} of {len(known)} have none; leave them out with "
            "dataset.filter(lambda row: row['label'] is not None and row['label'] >= 0)."
        )


def without_wrapper(model: torch.nn.Module, accelerator: Accelerator) -> torch.nn.Module:
    """The model without DDP, whose calls wait for all processes: they may have a different number of clip lengths.

    DDP broadcasts the batch-norm statistics of process 0 before each call; this does it once.
    """
    bare = accelerator.unwrap_model(model)
    if accelerator.num_processes > 1:
        for buffer in bare.buffers():
            broadcast(buffer)
    return bare


def save_report(folder: str | Path, report: dict[str, Any]) -> Path:
    """Writes a report as `metrics.json`; returns its path.

    Examples:
        >>> motionhub.save_report("runs/mine", {"top1": 0.9}).name
        'metrics.json'
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metrics.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return path


def save_scores(path: str | Path, clip_ids: Sequence[str], logits: np.ndarray, labels: np.ndarray) -> None:
    """Writes `clip_ids`, `logits` and `labels` to one `.npz`; a ValueError where clips share a name."""
    names = np.asarray(list(clip_ids), dtype=np.str_)
    if len(np.unique(names)) != len(names):
        raise ValueError("Scores are saved by clip_id, but some clips share one; make every clip_id unique.")
    np.savez(path, clip_ids=names, logits=np.asarray(logits, np.float32), labels=np.asarray(labels, np.int64))
