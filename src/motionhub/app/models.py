"""The models of the page: which tasks a checkpoint does, and its pipelines, loaded once and on first use."""

from functools import cached_property
from threading import RLock
from typing import Any

from motionhub.app.recordings import Refused
from motionhub.hub.packaged import check_weights, model_id


ZERO_SHOT = "tmor-small"
# End of the class in config.json -> the task of the page.
_NAMING = {
    "ForZeroShotActionClassification": "zero-shot-action-segmentation",
    "ForActionSegmentation": "action-segmentation",
}
_QUALITY = "ForMovementQuality"


class Models:
    """Args:
        naming: a zero-shot checkpoint, or one that labels every frame by labels of its own.
        quality: a checkpoint of movement quality, or None.

    Raises:
        ValueError: a checkpoint for another task. No weights are loaded.
    """

    def __init__(self, naming: str = ZERO_SHOT, quality: str | None = None) -> None:
        self.naming_source = model_id(naming)
        self.quality_source = None if quality is None else model_id(quality)
        self._lock = RLock()
        names = _classes(self.naming_source)
        self.task = next((task for end, task in _NAMING.items() if any(name.endswith(end) for name in names)), "")
        if not self.task:
            expected = "one that takes labels (tmor-small) or labels every frame"
            raise ValueError(f"--model {naming}: expected {expected}, got {', '.join(names) or 'no head'}.")
        if self.quality_source is not None and not any(
            name.endswith(_QUALITY) for name in _classes(self.quality_source)
        ):
            raise ValueError(f"--quality {quality}: expected a model of movement quality, see movement_quality.md.")

    @property
    def takes_labels(self) -> bool:
        """Whether the visitor says which labels there are."""
        return self.task == _NAMING["ForZeroShotActionClassification"]

    @property
    def own_labels(self) -> list[str]:
        """The labels of a model that has its own."""
        from motionhub.training.dataset import class_names_of

        return [] if self.takes_labels else list(class_names_of(self.intervals.model.config))

    @cached_property
    def intervals(self) -> Any:
        """The pipeline that finds intervals."""
        return self._loaded(self.task, self.naming_source)

    @cached_property
    def whole(self) -> Any:
        """The zero-shot pipeline of whole clips, with the weights of `intervals`."""
        return self._pipeline("zero-shot-action-classification", **_parts(self.intervals))

    @cached_property
    def features(self) -> Any:
        """The pipeline that embeds clips in the space of texts."""
        if not self.takes_labels:
            raise Refused("Search by text needs a model of motions and texts: start the page with --model tmor-small.")
        return self._loaded("skeleton-feature-extraction", self.naming_source)

    @cached_property
    def quality(self) -> Any:
        """The pipeline of movement quality."""
        if self.quality_source is None:
            raise Refused(
                "No model of movement quality is loaded, and none comes with the library: its training data may not "
                "be published. Train one (docs/how_to/movement_quality.md) and start the page with --quality FOLDER; "
                "or give three correct repetitions to compare with."
            )
        return self._loaded("movement-quality", self.quality_source)

    def _loaded(self, task: str, source: str) -> Any:
        check_weights(source)
        return self._pipeline(task, model=source)

    def _pipeline(self, task: str, **parts: Any) -> Any:
        from transformers import pipeline
        from transformers.utils.logging import disable_progress_bar

        with self._lock:
            disable_progress_bar()
            return pipeline(task, **parts)


def _parts(pipe: Any) -> dict[str, Any]:
    return {"model": pipe.model, "feature_extractor": pipe.feature_extractor}


def _classes(source: str) -> list[str]:
    from transformers import AutoConfig

    check_weights(source)
    return [str(name) for name in AutoConfig.from_pretrained(source).architectures or []]
