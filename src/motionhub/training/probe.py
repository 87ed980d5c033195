"""What a pre-training run reports between epochs: a linear classifier on frozen features, and their rank.

Choosing an epoch by the probe uses its labels: report the last epoch, or probe on clips that no result is reported on.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset

from motionhub.data.datasets.splits import few_label_subset
from motionhub.metrics.embeddings import effective_rank, linear_accuracy, spread
from motionhub.training.dataset import ClipDataset
from motionhub.training.evaluators import evaluation_loader, outputs_of_clips, without_wrapper


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

    needs_lengths = True

    def __init__(self, train_dataset: Dataset, processor: Any, *, batch_size: int = 64) -> None:
        self.clips = ClipDataset(train_dataset, processor, training=False)
        self.batch_size = batch_size
        _check_labels(self.clips.labels)

    def __call__(self, model: torch.nn.Module, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        encoder = without_wrapper(model, accelerator)
        compute = partial(_pooled, encoder)
        # Every process embeds all the training clips: they are few.
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
