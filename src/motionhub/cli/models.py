"""How commands load the checkpoint that `--model` names."""

from typing import Any


def load(source: str, auto_class: Any = None) -> tuple[Any, Any]:
    """The model and the processor of a checkpoint, in one line of error where a part is absent.

    Args:
        auto_class: an Auto class of `motionhub.auto`; None: `transformers.AutoModel`.
    """
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar

    import motionhub.auto  # noqa: F401  (registers the models)
    from motionhub.training.start import load_checkpoint

    disable_progress_bar()
    return load_checkpoint(source, auto_class or AutoModel)


def load_pipeline(task: str, source: str, auto_class: Any = None) -> Any:
    """A pipeline of a checkpoint; its processor is `pipe.feature_extractor`."""
    from transformers import pipeline

    model, processor = load(source, auto_class)
    return pipeline(task, model=model, feature_extractor=processor)


def labels_frames(source: str) -> bool:
    """Whether a checkpoint labels every frame, not whole clips."""
    from motionhub.training.tasks.segmentation import is_segmentation_model

    return bool(is_segmentation_model(source))
