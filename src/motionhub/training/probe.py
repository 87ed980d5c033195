"""What a pre-training run tells of itself between epochs: a linear classifier on frozen features, and their rank.

It does not know how the encoder is trained. Choosing an epoch by the probe uses its labels: report the last epoch, or
probe on clips that no result is reported on.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch.utils.data import DataLoader

from motionhub.data.datasets.splits import few_label_subset
from motionhub.metrics.embeddings import effective_rank, linear_accuracy, spread
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.training.dataset import ClipDataset, with_index
from motionhub.training.evaluators import by_length, without_wrapper


# Below either, the features are a point or a line whatever the clips show.
COLLAPSED_SPREAD, COLLAPSED_RANK = 1e-3, 1.1


class EmbeddingProbe:
    """An `evaluation` for `train`: give it labelled rows to fit on, and `train` the rows to test on.

    The report has `probe_top1` (0..1), `effective_rank` and `spread` of the test features (`metrics.embeddings`),
    `num_clips`, and a `warning` when the features have collapsed.

    Args:
        train_dataset: labelled rows, a small share of the classes' clips is enough.
        processor: the encoder's; the clips are taken as at test time.
        batch_size: clips of one forward pass.

    Raises:
        ValueError: a row without a label.
    """

    def __init__(self, train_dataset: Dataset, processor: Any, *, batch_size: int = 64) -> None:
        self.clips = ClipDataset(train_dataset, processor, training=False)
        self.batch_size = batch_size
        _check_labels(self.clips.labels)

    def __call__(self, model: torch.nn.Module, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        encoder = without_wrapper(model, accelerator)
        own_loader = DataLoader(
            self.clips,
            self.batch_size,
            sampler=self.clips.by_length(),
            collate_fn=with_index(collate_skeletons, lengths=averages_padding(encoder.config)),
        )
        # Every process embeds all the training clips: they are few.
        train, labels = embeddings_of(encoder, own_loader, device=accelerator.device)
        test, test_labels = embeddings_of(encoder, loader, accelerator=accelerator)
        _check_labels(test_labels)
        report: dict[str, Any] = {
            "probe_top1": linear_accuracy(train, labels, test, test_labels),
            "effective_rank": effective_rank(test),
            "spread": spread(test),
            "num_clips": len(test),
        }
        if report["spread"] < COLLAPSED_SPREAD or report["effective_rank"] < COLLAPSED_RANK:
            report["warning"] = (
                f"the encoder is collapsing: of the features of {len(test)} clips only {report['spread']:.1e} is "
                f"difference between clips, over {report['effective_rank']:.1f} directions (lower the learning rate, "
                "raise the temperature or the number of negatives)."
            )
        return report


def probed_by_labels(
    train_dataset: Dataset, eval_dataset: Dataset, processor: Any, *, fraction: float, seed: int
) -> dict[str, Any]:
    """What `train` needs besides its pretext: a probe fitted on the labels of a share of the training clips.

    Args:
        train_dataset: the clips that are trained on; of each class `fraction` are chosen, see `few_label_subset`.
        eval_dataset: labelled rows to test on.
        processor: the encoder's.
        fraction: 0: no probe, and no label is looked at.
        seed: of the choice.

    Raises:
        ValueError: fraction is not in [0, 1], or there are no labels.
    """
    if fraction == 0:
        return {"eval_dataset": None}
    probe = EmbeddingProbe(few_label_subset(train_dataset, fraction, seed), processor)
    return {"eval_dataset": eval_dataset, "evaluation": probe, "primary_metric": "probe_top1"}


@torch.inference_mode()
def embeddings_of(
    encoder: torch.nn.Module,
    loader: Any,
    *,
    device: torch.device | None = None,
    accelerator: Accelerator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`pooler_output` and labels of all clips in row order, `(num_clips, channels)` and `(num_clips,)`.

    With `accelerator` and a prepared loader every process computes a share and all get the whole, each clip once.
    Batches that tell the length of their clips (`num_frames`) go through the encoder by length, without padding.
    """
    found: dict[int, tuple[np.ndarray, int]] = {}
    for batch in loader:
        if device is not None:
            batch = {name: value.to(device) for name, value in batch.items()}
        index, labels, lengths = batch.pop("index"), batch.pop("labels"), batch.pop("num_frames", None)
        compute = partial(_pooled, encoder)
        features = compute(batch) if lengths is None else by_length(compute, batch, lengths)
        if accelerator is not None:
            index, labels, features = accelerator.gather_for_metrics((index, labels, features))
        rows = zip(index.tolist(), features.cpu().numpy(), labels.tolist(), strict=True)
        found.update({row: (feature, label) for row, feature, label in rows})
    if not found:
        raise ValueError("There are no clips to embed.")
    rows_in_order = sorted(found)
    return np.stack([found[row][0] for row in rows_in_order]), np.array([found[row][1] for row in rows_in_order])


def _pooled(encoder: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    features: torch.Tensor = encoder(**batch).pooler_output
    return features.float()


def _check_labels(labels: np.ndarray) -> None:
    known = np.array([label is not None and label >= 0 for label in labels.tolist()], dtype=bool)
    if not len(known) or not known.all():
        raise ValueError(
            f"A probe needs labelled clips, but {int((~known).sum())} of {len(known)} have none; leave them out with "
            "dataset.filter(lambda row: row['label'] is not None and row['label'] >= 0)."
        )
