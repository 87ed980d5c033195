"""Models that answer: the pipelines of a checkpoint, or the predictors of an exported folder, behind one interface."""

import os
import re
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from motionhub.hub.packaged import model_id
from motionhub.runtime.predictor import Predictor
from motionhub.serving.gate import Refused
from motionhub.serving.notes import collected_warnings
from motionhub.skeletons.sequence import SkeletonSequence


Kind = Literal["labels", "intervals", "embeddings"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_FEATURES = "skeleton-feature-extraction"
# End of a model's class -> the pipeline of each answer.
_HEADS: dict[str, dict[str, str]] = {
    "ForZeroShotActionClassification": {
        "labels": "zero-shot-action-classification",
        "intervals": "zero-shot-action-segmentation",
    },
    "ForActionSegmentation": {"intervals": "action-segmentation"},
    "ForActionClassification": {"labels": "action-classification"},
}
# Options that only a zero-shot model has.
OF_ZERO_SHOT = ("candidate_labels", "hypothesis_template", "multi_label", "none", "background")


@dataclass(frozen=True)
class Prepared:
    """A request that is ready for the model.

    Args:
        item: what the network computes.
        forward: arguments of that computation; items with equal ones may be one batch.
        finishing: arguments that make an answer of its output.
    """

    item: Any
    forward: Mapping[str, Any]
    finishing: Mapping[str, Any]


class ServedModel(ABC):
    """One model, and the three steps of its answers. `prepare` and `finish` run in any thread, `compute` in one.

    Args:
        name: in addresses.
        kinds: of `KINDS`, those it gives.
        labels: of its own; None: the client's (zero-shot), or none.
        zero_shot: whether clients give the labels.
        layout: name of the joints it takes, others are converted; None: any.
        num_dims: coordinates it takes; of a video, 3 means metres.
    """

    name: str
    kinds: tuple[Kind, ...]
    labels: list[str] | None
    zero_shot: bool
    layout: str | None
    num_dims: int

    @abstractmethod
    def prepare(self, kind: str, clip: SkeletonSequence, options: Mapping[str, Any]) -> Prepared:
        """Raises ValueError for a clip or options that the model does not take."""

    @abstractmethod
    def compute(self, kind: str, forward: Mapping[str, Any], items: list[Any]) -> Sequence[Any]:
        """Outputs of prepared items with one key."""

    @abstractmethod
    def finish(self, kind: str, prepared: Prepared, output: Any) -> Any:
        """What the pipeline of this kind returns for one clip."""

    def checked(self, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options in the words of the pipelines. Raises Refused for options of other models."""
        given = dict(options)
        if kind == "embeddings":
            return given
        if not self.zero_shot:
            if wrong := [name for name in OF_ZERO_SHOT if name in given]:
                raise Refused(422, f"{self.name} has labels of its own, got {wrong}; leave them out.")
            return given
        if "candidate_labels" not in given:
            raise Refused(422, f'{self.name} needs candidate_labels, such as ["sit down", "wave"].')
        none = given.pop("none", True)
        if kind == "intervals":
            return {**given, "none_label": none}
        return given if none else {**given, "none_label": None}


class TorchModel(ServedModel):
    """The pipelines of a checkpoint, which share one network.

    Args:
        source: folder, Hub id or packaged name.

    Raises:
        ValueError: the checkpoint cannot be loaded, or takes no skeletons.
    """

    def __init__(self, source: str) -> None:
        from transformers import AutoConfig, pipeline
        from transformers.utils.logging import disable_progress_bar

        import motionhub.auto  # noqa: F401  (registers the models)
        from motionhub.training.sources import check_source

        disable_progress_bar()
        checkpoint = model_id(source)
        check_source(checkpoint)
        classes = [str(each) for each in AutoConfig.from_pretrained(checkpoint).architectures or []]
        heads = next((tasks for end, tasks in _HEADS.items() if any(each.endswith(end) for each in classes)), {})
        first = pipeline(next(iter(heads.values()), _FEATURES), model=checkpoint)
        shared = {"model": first.model, "feature_extractor": first.feature_extractor}
        self.pipes = {kind: pipeline(task, **shared) for kind, task in list(heads.items())[1:]}
        self.pipes |= dict.fromkeys(list(heads)[:1], first)
        encoder = first.model.base_model if heads else first.model
        self.pipes["embeddings"] = pipeline(_FEATURES, **{**shared, "model": encoder})
        self.name = Path(source).name
        self.kinds = tuple(kind for kind in KINDS if kind in self.pipes)
        self.zero_shot = len(heads) > 1
        names = first.model.config.id2label if heads and not self.zero_shot else None
        self.labels = None if names is None else [str(label) for _, label in sorted(names.items())]
        self.layout = _layout_of(first.feature_extractor)
        self.num_dims = int(getattr(first.feature_extractor, "num_dims", 2))
        self._lock = threading.Lock()  # a text tower is loaded once

    def prepare(self, kind: str, clip: SkeletonSequence, options: Mapping[str, Any]) -> Prepared:
        pipe = self.pipes[kind]
        with self._lock:
            preparing, forward, finishing = pipe._sanitize_parameters(**options)
        item = pipe.preprocess(clip, **preparing)
        return Prepared(item, forward, finishing)

    def compute(self, kind: str, forward: Mapping[str, Any], items: list[Any]) -> Sequence[Any]:
        from motionhub.processing.collate import averages_padding

        pipe = self.pipes[kind]
        if averages_padding(pipe.model.config):
            return [pipe.outputs_of([item], **forward)[0] for item in items]
        found: Sequence[Any] = pipe.outputs_of(items, **forward)
        return found

    def finish(self, kind: str, prepared: Prepared, output: Any) -> Any:
        return self.pipes[kind].answer_of(prepared.item, output, **prepared.finishing)


class ExportedModel(ServedModel):
    """The predictors of a folder that `motionhub export` wrote: NumPy and ONNX Runtime, no torch.

    Args:
        source: the folder.

    Raises:
        ValueError: the folder is broken, or has none of the tasks.
        ImportError: onnxruntime is not installed.
    """

    def __init__(self, source: str) -> None:
        first = Predictor(source)
        tasks = first.facts["tasks"]
        wanted = [*_HEADS.values(), {"embeddings": _FEATURES}]
        found = {kind: task for heads in wanted for kind, task in heads.items() if task in tasks}
        if not found:
            raise ValueError(
                f"{source}: its tasks are {tasks}, none of which is served: labels, intervals, embeddings."
            )
        self.predictors = {kind: Predictor(source, task) for kind, task in found.items()}
        self.name = Path(source).resolve().name
        self.kinds = tuple(kind for kind in KINDS if kind in found)
        self.zero_shot = any(task.startswith("zero-shot") for task in found.values())
        self.labels = None if self.zero_shot or "embeddings" in self.kinds[:1] else first.labels
        self.layout = _layout_of(first.processor)
        self.num_dims = int(first.processor.num_dims)

    def prepare(self, kind: str, clip: SkeletonSequence, options: Mapping[str, Any]) -> Prepared:
        return Prepared((clip, options), {}, {})

    def compute(self, kind: str, forward: Mapping[str, Any], items: list[Any]) -> Sequence[Any]:
        answers = []
        for clip, options in items:
            with collected_warnings() as notes:
                answers.append((self.predictors[kind](clip, **options), notes))
        return answers

    def finish(self, kind: str, prepared: Prepared, output: Any) -> Any:
        answer, notes = output
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return answer


def served(sources: Sequence[str]) -> dict[str, ServedModel]:
    """The models by name, in the order of the sources.

    Raises:
        ValueError: no source, two of one name, a name that is no part of an address, a source that cannot be loaded.
    """
    models: dict[str, ServedModel] = {}
    for source in sources:
        exported = os.path.isfile(os.path.join(source, "export.json"))
        model = ExportedModel(source) if exported else TorchModel(source)
        if not re.fullmatch(r"[\w.-]+", model.name):
            raise ValueError(f"{source}: its name goes into addresses; name the folder by letters, digits, . _ and -.")
        if model.name in models:
            raise ValueError(f"{source}: two models are named {model.name!r}; rename one of the folders.")
        models[model.name] = model
    if not models:
        raise ValueError("Expected one model at least, such as tmor-small.")
    return models


def _layout_of(processor: Any) -> str | None:
    """The name of the joints that a processor converts to; None where it takes any."""
    layout = getattr(processor, "layout", None)
    return None if layout is None else str(getattr(layout, "name", layout))
