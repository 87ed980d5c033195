"""The card of a finished run: what its files say, and the licences that only its owner knows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motionhub.atomic import disk_named, write_text
from motionhub.bounded import read_json
from motionhub.hub.card import check_facts
from motionhub.hub.push import write_cards


# End of a model's class -> its task.
_TASKS = {
    "ForActionClassification": "action-classification",
    "ForActionSegmentation": "action-segmentation",
    "ForZeroShotActionClassification": "zero-shot-action-classification",
    "ForMovementQuality": "movement-quality",
    "ForMotionRetargeting": "motion-retargeting",
}
_PAPERS = {
    "unik": "yang2021unik",
    "agcn": "shi2019agcn",
    "st_gcn": "yan2018stgcn",
    "via": "yang2024via",
    "lac": "yang2023lac",
    "cv_mim": "zhao2021cvmim",
    "u_vi": "sardari2021uvi",
    "movement_quality": "sardari2021uvi",
    "retarget_net": "aberman2019retargeting",
    "ltn": "yang2023ltn",
    "t_mor": "yang2024thesis",
}
# Of metrics.json -> as cards call it.
_METRICS = {
    "top1": "top-1",
    "mean_class_accuracy": "mean per-class accuracy",
    "frame_map": "frame mAP",
    "edit": "edit score",
    **{f"f1@{overlap}": f"segmental F1@{overlap}" for overlap in (10, 25, 50)},
    "event_map@0.5": "event mAP@0.5",
}


def write_run_card(
    folder: str | Path,
    *,
    licence: str,
    data: str,
    data_licence: str,
    title: str | None = None,
    summary: str | None = None,
    limits: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Writes `card.yaml`, `results.json` and `README.md` to the folder of a checkpoint; returns the card.

    Task, papers, labels, recipe and scores come from the run. `motionhub.push` and `motionhub bundle create` then take
    the folder.

    Args:
        folder: such as `runs/x/last`, with config.json, preprocessor_config.json and weights.
        licence: of the weights, as the Hub names it (such as "cc-by-4.0", "other").
        data: what the model was trained on.
        data_licence: the terms of its authors.
        title, summary: by default from the model and the data.
        limits: what is known not to work; by default that nothing else was measured.
        overwrite: replaces a card.yaml that exists.

    Raises:
        ValueError: no checkpoint, an empty text, or a card that exists.

    Examples:
        >>> config = motionhub.UnikConfig(channels=[8], strides=[1], num_labels=2, layout="coco-17")
        >>> motionhub.UnikForActionClassification(config).save_pretrained("mine")
        >>> _ = motionhub.SkeletonProcessor(layout="coco-17").save_pretrained("mine")
        >>> card = motionhub.write_run_card("mine", licence="mit", data="my clips", data_licence="mine, unpublished")
        >>> card.name, motionhub.read_card_facts("mine")["task"]
        ('card.yaml', 'action-classification')
    """
    import yaml

    folder = Path(folder)
    path = folder / "card.yaml"
    config = _read(folder / "config.json")
    if config is None or not any(folder.glob("*.safetensors")):
        raise ValueError(f"{folder} is not a complete checkpoint (config.json, weights); runs/x/last is one.")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists; edit it, or replace it with --overwrite (overwrite=True).")
    for name, text in {"licence": licence, "data": data, "data_licence": data_licence}.items():
        if not text.strip():
            raise ValueError(f"{name} is empty; say what it is, or that it is unknown.")
    name = folder.parent.name if folder.name in ("last", "best") else folder.name
    classes = config.get("architectures") or [""]
    if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
        raise ValueError(
            f"{folder / 'config.json'}: architectures must be a list of names, got {str(classes)[:60]!r}."
        )
    class_name = classes[0]
    task = next((task for end, task in _TASKS.items() if class_name.endswith(end)), "skeleton-feature-extraction")
    facts = {
        "name": name,
        "title": title or f"{class_name or 'A model'} trained on {data}",
        "summary": summary or f"{class_name or 'A model'} for {task}, trained on {data} with motionhub.",
        "task": task,
        "papers": _papers(config),
        "licence": {"hub": licence, "code": "Apache-2.0 (motionhub)", "weights": licence, "data": data_licence},
        "weights": {"status": "included", "provenance": f"Trained with motionhub on {data}; the recipe is beside it."},
        "training_data": [{"name": data, "licence": data_licence}],
        "limits": list(limits) or [f"Measured on {data} only; other sensors, people and viewpoints were not."],
    }
    check_facts(facts)
    try:
        results = _results(_read(folder / "metrics.json") or {}, data)
    except TypeError as error:
        raise ValueError(f"{folder / 'metrics.json'}: a score is no number ({error}).") from None
    if results and (overwrite or not (folder / "results.json").exists()):
        write_text(folder / "results.json", json.dumps(results, indent=2) + "\n")
    write_text(path, yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))
    with disk_named(folder):
        write_cards(folder, facts, None)
    return path


def _papers(config: dict[str, Any]) -> list[str]:
    encoder = config.get("encoder_config")
    kinds = [config.get("model_type", ""), encoder.get("model_type", "") if isinstance(encoder, dict) else ""]
    names = [_PAPERS.get(str(kind).removeprefix("motionhub_")) for kind in kinds]
    return [*dict.fromkeys(name for name in names if name)] or ["yang2024thesis"]


def _results(metrics: dict[str, Any], data: str) -> list[dict[str, Any]]:
    """The scores of the run's last evaluation, in per cent."""
    found = {_METRICS[name]: value for name, value in metrics.items() if name in _METRICS}
    if wrong := [value for value in found.values() if isinstance(value, bool) or not isinstance(value, int | float)]:
        raise TypeError(f"got {str(wrong[0])[:60]!r}")
    return [
        {"benchmark": f"{data}, held-out split", "metric": metric, "value": round(100 * float(value), 1), "runs": 1}
        for metric, value in found.items()
    ]


def _read(path: Path) -> Any:
    return read_json(path) if path.is_file() else None
