"""Probabilities of the labels of short windows, by any model that names actions."""

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from motionhub.hub.packaged import model_id
from motionhub.pipelines.action_classification import ActionClassificationPipeline
from motionhub.pipelines.action_segmentation import ActionSegmentationPipeline
from motionhub.pipelines.zero_shot import ZeroShotPipeline, checked_labels
from motionhub.skeletons.sequence import SkeletonSequence


WINDOW = 2.0  # seconds, where a checkpoint states none
_TASKS = {
    "ForZeroShotActionClassification": "zero-shot-action-segmentation",
    "ForActionSegmentation": "action-segmentation",
    "ForActionClassification": "action-classification",
}


class Scorer(Protocol):
    """What a stream asks of a model.

    Args:
        labels: names of the columns of the probabilities.
        seconds: length of a window.
        exclusive: whether the probabilities have a sum of 1 at most.
        pipe: the pipeline.
    """

    labels: list[str]
    seconds: float
    exclusive: bool
    pipe: Any

    def __call__(self, windows: Sequence[SkeletonSequence]) -> np.ndarray:
        """`(windows, labels)` of windows of one person each."""


def scorer_of(
    model: Any,
    labels: Any = None,
    *,
    background: Any = (),
    window: float | None = None,
    multi_label: bool = False,
) -> Scorer:
    """The scorer of a checkpoint, or of a pipeline that is already loaded.

    Args:
        model: a checkpoint (folder, Hub id, packaged name), or a pipeline.
        labels: of a zero-shot model, any; of a model with labels of its own, those that are reported (None: all).
        background: further labels of a zero-shot model that are not reported.
        window: seconds; None: those of the checkpoint, else 2.
        multi_label: True: a zero-shot model scores every label independently.

    Raises:
        ValueError: a zero-shot model without labels, labels that a model does not have, or a model for another task.
    """
    pipe = loaded(model) if isinstance(model, str | os.PathLike) else model
    if isinstance(pipe, ZeroShotPipeline):
        return _ZeroShotScorer(pipe, labels, background, window, multi_label)
    kinds: dict[type, type[_ModelScorer]] = {
        ActionSegmentationPipeline: _FrameScorer,
        ActionClassificationPipeline: _ClipScorer,
    }
    kind = kinds.get(type(pipe))
    if kind is None:
        raise ValueError(
            "model must name actions: a zero-shot model, a classifier or a segmentation model, or a pipeline of one; "
            f"got {type(pipe).__name__}."
        )
    if len(background) or multi_label:
        raise ValueError("background and multi_label are for zero-shot models; leave them out.")
    return kind(pipe, labels, window)


def loaded(model: str | os.PathLike[str]) -> Any:
    """The pipeline of a checkpoint that names actions, by the class that its config states."""
    from transformers import AutoConfig, pipeline
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    source = model_id(os.fspath(model))
    classes = AutoConfig.from_pretrained(source).architectures or []
    for end, task in _TASKS.items():
        if any(str(name).endswith(end) for name in classes):
            return pipeline(task, model=source)
    raise ValueError(
        f"{source} names no actions ({', '.join(map(str, classes)) or 'no head'}); expected a classifier."
    )


class _ZeroShotScorer:
    def __init__(self, pipe: Any, labels: Any, background: Any, window: float | None, multi_label: bool) -> None:
        from motionhub.pipelines.zero_shot_action_segmentation import ZeroShotActionSegmentationPipeline

        if labels is None or not len(labels):
            raise ValueError('A zero-shot model needs labels, such as labels="fall down, walking, sitting".')
        if not isinstance(pipe, ZeroShotActionSegmentationPipeline):  # its scores are those of windows
            both = {"model": pipe.model, "feature_extractor": pipe.feature_extractor}
            towers = {"text_bank": pipe.text_bank, "text_tower": pipe.text_tower}
            pipe = ZeroShotActionSegmentationPipeline(**both, **towers)
        self.pipe, self.labels, self.exclusive = _unchecked(pipe), list(checked_labels(labels)), not multi_label
        self.seconds = float(window or pipe.model.config.window_seconds)
        self._asked = {"candidate_labels": labels, "background": background, "multi_label": multi_label}

    def __call__(self, windows: Sequence[SkeletonSequence]) -> np.ndarray:
        whole = {"window": self.seconds + 1.0, "hop": self.seconds + 1.0, "return_scores": True}
        found = _results(self.pipe, list(windows), **self._asked, **whole)
        return np.stack([_of_the_middle(each["scores"])[: len(self.labels)] for each in found])


class _ModelScorer(ABC):
    def __init__(self, pipe: Any, labels: Any, window: float | None) -> None:
        names = [str(name) for _, name in sorted(pipe.model.config.id2label.items())]
        chosen = names if labels is None else list(checked_labels(labels))
        if unknown := [label for label in chosen if label not in names]:
            raise ValueError(
                f"labels: {unknown[:3]} are none of the model's {names[:12]}; a zero-shot model takes any."
            )
        self.pipe, self._columns = _unchecked(pipe), [names.index(label) for label in chosen if label != "background"]
        self.labels, self.seconds = [names[column] for column in self._columns], float(window or WINDOW)
        self.exclusive = pipe.model.config.problem_type in (None, "single_label_classification")

    @abstractmethod
    def __call__(self, windows: Sequence[SkeletonSequence]) -> np.ndarray: ...


class _FrameScorer(_ModelScorer):
    def __init__(self, pipe: Any, labels: Any, window: float | None) -> None:
        super().__init__(pipe, labels, window)
        self.exclusive = pipe.model.config.problem_type == "single_label_classification"

    def __call__(self, windows: Sequence[SkeletonSequence]) -> np.ndarray:
        found = _results(self.pipe, list(windows), return_scores=True, window=None)
        return np.stack([_of_the_middle(each["scores"])[self._columns] for each in found])


class _ClipScorer(_ModelScorer):
    def __call__(self, windows: Sequence[SkeletonSequence]) -> np.ndarray:
        rows = []
        for people in _results(self.pipe, list(windows), top_k=None):
            scores = {entry["label"]: entry["score"] for entry in people[0]["scores"]}
            rows.append([scores[label] for label in self.labels])
        return np.array(rows)


def _of_the_middle(scores: list[dict[str, Any]]) -> np.ndarray:
    """Mean of the probabilities `(frames, labels)` of the middle fifth of a window."""
    probabilities = scores[0]["probabilities"]
    middle, half = len(probabilities) // 2, max(len(probabilities) // 10, 1)
    return np.asarray(probabilities[max(middle - half, 0) : middle + half].mean(axis=0), np.float64)


def _unchecked(pipe: Any) -> Any:
    """The pipeline without its checks: a warning about a window would come five times a second.

    A copy, as other streams and threads may use the same pipeline.
    """
    quiet = copy.copy(pipe)
    quiet.checks = False
    return quiet


def _results(pipe: Any, windows: list[SkeletonSequence], **options: Any) -> list[Any]:
    return list(pipe(windows, batch_size=max(len(windows), 1), **options))
