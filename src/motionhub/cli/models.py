"""Loads the checkpoint that `--model` names, and says which command a checkpoint is for."""

from typing import Any

from motionhub.hub.packaged import OWNER, packaged_root


# Kind of a model, as the end of its class in config.json -> the command or call for it.
_KINDS = {
    "ForActionSegmentation": ("labels every frame", "motionhub segment FILE --model {model}"),
    "ForActionClassification": ("labels whole clips", "motionhub predict FILE --model {model}"),
    "ForZeroShotActionClassification": (
        "takes labels of your own",
        'motionhub predict FILE --model {model} --labels "sit down, wave, fall down" (or segment, for the times)',
    ),
    "ForMovementQuality": (
        "scores the quality of a movement",
        "motionhub quality FILE --model {model}",
    ),
    "ForMotionRetargeting": (
        "moves a motion to another body",
        'in Python, pipeline("motion-retargeting", model="{model}")',
    ),
}


def load(source: str, auto_class: Any = None) -> tuple[Any, Any]:
    """The model, by an Auto class of `motionhub.auto` (None: `AutoModel`), and the processor of a checkpoint."""
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar

    import motionhub.auto  # noqa: F401  (registers the models)
    from motionhub.training.sources import load_checkpoint

    disable_progress_bar()
    return load_checkpoint(source, auto_class or AutoModel)


def load_pipeline(task: str, source: str, auto_class: Any = None) -> Any:
    """A pipeline of a checkpoint; its processor is `pipe.feature_extractor`."""
    from transformers import pipeline

    model, processor = load(source, auto_class)
    return pipeline(task, model=model, feature_extractor=processor)


def kind_of(source: str) -> str:
    """The key of `_KINDS` that a checkpoint's class ends with; empty for encoders and what cannot be read."""
    from transformers import AutoConfig

    import motionhub.auto  # noqa: F401
    from motionhub.training.sources import check_source

    try:
        check_source(source, weights=False)
        names = AutoConfig.from_pretrained(source).architectures or []
    except (OSError, ValueError, TypeError):
        return ""
    return next((kind for name in names for kind in _KINDS if str(name).endswith(kind)), "")


def segmenters() -> str:
    """The packaged models that label every frame, as ids with commas."""
    root = packaged_root()
    found = sorted(root.glob("*/model.safetensors")) if root else []
    folders = [path.parent for path in found if "ForActionSegmentation" in (path.parent / "config.json").read_text()]
    return ", ".join(f"{OWNER}/{folder.name}" for folder in folders) or "a model of your own (motionhub train)"


def check_kind(source: str, wanted: str, otherwise: str = "") -> None:
    """Raises ValueError when a checkpoint is of another known kind than `wanted`, with the command for it."""
    kind = kind_of(source)
    if kind in ("", wanted):
        return
    what, call = _KINDS[kind]
    raise ValueError(f"{source} {what}: {call.format(model=source)}{otherwise}")
