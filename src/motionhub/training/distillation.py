"""What a distillation run needs of its data: the teacher's answers, and further clips without labels."""

from functools import partial
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets

from motionhub.training.dataset import ClipDataset, ClipProcessor
from motionhub.training.evaluators import ClassificationEvaluation, evaluation_loader, outputs_of_clips


def soft_targets(teacher: Any, processor: ClipProcessor, dataset: Dataset, *, batch_size: int = 64) -> torch.Tensor:
    """The teacher's logits `(num_clips, classes)` of every row, labelled or not, without augmentation.

    Args:
        teacher: a classifier of clips.
        processor: of the teacher.
        dataset: rows of `motionhub.skeletons.rows`.
        batch_size: clips of one forward pass.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
        >>> from transformers import AutoFeatureExtractor
        >>> model = motionhub.UnikForActionClassification.from_pretrained("motionhub/unik-nucla-small")
        >>> processor = AutoFeatureExtractor.from_pretrained("motionhub/unik-nucla-small")
        >>> motionhub.soft_targets(model, processor, dataset).shape
        torch.Size([4, 10])
    """
    clips = ClipDataset(dataset, processor, training=False)
    loader = evaluation_loader(clips, batch_size, teacher.config)
    answer = partial(ClassificationEvaluation([]).scores, teacher.eval())
    found, _ = outputs_of_clips(answer, loader, device=teacher.device)
    return torch.from_numpy(found)


def with_unlabelled(dataset: Dataset, others: Dataset) -> Dataset:
    """The rows of both; those of `others` get the label -1, which is none.

    Args:
        dataset: rows with labels.
        others: rows with the same columns, whose labels mean something else.

    Examples:
        >>> own = motionhub.generate_dataset(num_clips=2, seed=0, actions=["wave", "squat"])
        >>> both = motionhub.with_unlabelled(own, motionhub.generate_dataset(num_clips=2, seed=1))
        >>> both["label"][2:]
        [-1, -1]
    """
    named = set(dataset.column_names)
    if missing := named - set(others.column_names):
        raise ValueError(f"others lacks the columns {sorted(missing)} of the dataset; make its rows with to_row.")
    kept = others.select_columns([name for name in others.column_names if name in named - {"label"}])
    unlabelled = kept.add_column("label", [-1] * len(kept)).select_columns(dataset.column_names)
    return concatenate_datasets([dataset, unlabelled.cast(dataset.features)])
