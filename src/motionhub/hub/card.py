"""The README.md of a published model: the template `templates/model_card.md`, filled from the checkpoint's files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from motionhub.atomic import write_text
from motionhub.bounded import load_yaml
from motionhub.papers import get_paper


REQUIRED = ("name", "title", "summary", "task", "papers", "licence", "weights", "training_data", "limits")
OPTIONAL = ("repo", "paper_results", "notes", "benchmarks", "call", "code", "pictures")
LICENCES = ("code", "weights", "data")
# Config fields that say what goes in.
INPUT_SIZES = {"num_joints": "joints", "in_channels": "coordinates", "num_people": "people at most"}
TEMPLATE = Path(__file__).with_name("templates") / "model_card.md"

Facts = Mapping[str, Any]


def read_card_facts(path: str | Path) -> dict[str, Any]:
    """The facts of a `card.yaml` (or of the folder that holds one), checked; raises ValueError for bad ones.

    Examples:
        >>> facts = motionhub.read_card_facts("hub_configs/unik-posetics")  # doctest: +SKIP
        >>> facts["licence"]  # doctest: +SKIP
    """
    path = Path(path)
    path = path / "card.yaml" if path.is_dir() else path
    try:
        facts = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: no card facts ({error.strerror}); copy another checkpoint's.") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    check_facts(facts)
    return dict(facts)


def load_card(path: Path, kind: Any) -> Any:
    """The card in a README.md, `kind` being `ModelCard` or `DatasetCard`.

    Raises:
        ValueError: its front matter has anchors, is nested too deeply, or is no YAML; names the file.
    """
    try:
        front = REGEX_YAML_BLOCK.search(path.read_text(encoding="utf-8"))
        load_yaml(front[2] if front else "")
        return kind.load(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def check_facts(facts: Any) -> None:
    """Raises ValueError when a required fact is absent or empty, or one has an unknown name."""
    if not isinstance(facts, Mapping):
        raise ValueError(f"Card facts must be a mapping with {list(REQUIRED)}, got {type(facts).__name__}.")
    absent = [name for name in REQUIRED if not facts.get(name)]
    licence, weights = facts.get("licence") or {}, facts.get("weights") or {}
    absent += [f"licence.{name}" for name in LICENCES if not licence.get(name)]
    absent += [f"weights.{name}" for name in ("status", "provenance") if not weights.get(name)]
    absent += ["training_data.name" for entry in facts.get("training_data") or () if not entry.get("name")]
    if absent:
        raise ValueError(f"No card without {absent}: state the licence and where weights and data come from.")
    for picture in facts.get("pictures") or ():
        if not re.fullmatch(r"[\w-]+\.png", str(picture.get("file"))) or not picture.get("caption"):
            raise ValueError(f"A picture of a card is a PNG beside it (file) with a caption, got {picture}.")
    unknown = sorted(set(facts) - set(REQUIRED) - set(OPTIONAL))
    if unknown:
        raise ValueError(f"Unknown card facts {unknown}; there are {[*REQUIRED, *OPTIONAL]}.")


def render_model_card(
    config: Facts,
    processor: Facts,
    recipe: Facts | None,
    results: Sequence[Facts] | None,
    facts: Facts,
    *,
    joints: Sequence[str],
    repo: str | None = None,
    image: str | None = None,
) -> str:
    """The card's text; raises ValueError as `check_facts`.

    Args:
        config, processor: contents of `config.json` and `preprocessor_config.json`.
        recipe: contents of `training.json`; None if the weights were not trained by a recipe of this library.
        results: one mapping per measured number: `benchmark`, `metric`, `value` (per cent), and optionally `spread`,
            `runs`, `command`, `time`. Compared with the entries of `facts["paper_results"]` (`benchmark`, `metric`,
            `value`, `setting`) of the same benchmark and metric. Numbers of another method on the same data are marked
            `control`; they are in the table, but not among the model's scores in the metadata.
        facts: contents of `card.yaml`, see `REQUIRED` and `OPTIONAL`. `benchmarks` maps a benchmark to its dataset on
            the Hub: `dataset` (its id), `config`, `split`. `pictures` are shown with the results: `file`, a PNG beside
            the card, and `caption`. `code` replaces the lines that show a pipeline; `MODEL` in
            it stands for the checkpoint's path or id.
        joints: names of the processor's layout in order; none, no table.
        repo: the Hub id of the published weights; None for a local folder.
        image: file beside the card that shows the joints, or None.
    """
    import jinja2

    check_facts(facts)
    language = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    language.filters |= {"cell": _cell, "paper": get_paper}
    results = results or ()
    # Only a network with a head has labels, although an encoder's config may list some.
    encoder = all("For" not in name for name in config.get("architectures") or ("For",))
    labels = [] if encoder else [str(name) for name in (config.get("id2label") or {}).values()]
    sizes = {**(config.get("encoder_config") or {}), **config}  # a composed model has its encoder's input
    commands = [(entry["benchmark"], entry["command"]) for entry in results if entry.get("command")]
    return language.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=_metadata(config, results, facts),
        facts=facts,
        papers=[get_paper(key) for key in facts["papers"]],
        labels=labels,
        numbered=len(labels) > 1 and all(re.fullmatch(r"(class |LABEL_)\d+", name) for name in labels),
        repo=repo,
        place=repo or facts["weights"].get("folder", facts.get("repo") or facts["name"]),
        sizes={key: f"{sizes[key]} {what}" for key, what in INPUT_SIZES.items() if sizes.get(key) is not None},
        processor=processor,
        joints=joints,
        image=image,
        recipe=recipe,
        rows=_compared(results, facts.get("paper_results") or ()),
        commands=dict.fromkeys(commands),
    )


def write_model_card(folder: str | Path, *arguments: Any, **options: Any) -> Path:
    """Writes `render_model_card(*arguments, **options)` to `folder/README.md`.

    Examples:
        >>> facts = motionhub.read_card_facts("runs/mine/last")  # doctest: +SKIP
        >>> motionhub.write_model_card(  # doctest: +SKIP
        ...     "runs/mine/last", config, processor, recipe, results, facts, joints=layout.joints
        ... )
    """
    path = Path(folder) / "README.md"
    write_text(path, render_model_card(*arguments, **options))
    return path


def write_eval_results(folder: str | Path, results: Sequence[Facts], facts: Facts) -> list[Path]:
    """Writes `.eval_results/*.yaml`, a file per dataset, from which the Hub fills the leaderboard of a benchmark.

    Only benchmarks with a Hub dataset in `facts["benchmarks"]` have an entry, and of each only the first metric: the
    format has one value per task.
    """
    import yaml

    entries: dict[str, dict[str, EvalResultEntry]] = {}
    for result in _scores(results):
        place = (facts.get("benchmarks") or {}).get(result["benchmark"])
        if place is None:
            continue
        task = str(place.get("config", "default"))
        notes = f"{result['metric']}, per cent: {_measured(result)}. {result.get('command') or ''}".strip()
        entry = EvalResultEntry(dataset_id=place["dataset"], task_id=task, value=result["value"], notes=notes)
        entries.setdefault(place["dataset"], {}).setdefault(task, entry)
    written = []
    for dataset, tasks in entries.items():
        path = Path(folder) / ".eval_results" / f"{_slug(dataset)}.yaml"
        path.parent.mkdir(exist_ok=True)
        content = yaml.safe_dump(eval_result_entries_to_yaml([*tasks.values()]), sort_keys=False, allow_unicode=True)
        write_text(path, content)
        written.append(path)
    return written


def _scores(results: Sequence[Facts]) -> list[Facts]:
    """The results of this model, without those of other methods."""
    return [entry for entry in results if not entry.get("control")]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _metadata(config: Facts, results: Sequence[Facts], facts: Facts) -> str:
    """The YAML header for the Hub; `library_name` is transformers, whose `pipeline` loads the model."""
    places = facts.get("benchmarks") or {}
    measured = [
        EvalResult(
            task_type=facts["task"],
            dataset_type=places.get(entry["benchmark"], {}).get("dataset", _slug(str(entry["benchmark"]))),
            dataset_name=entry["benchmark"],
            dataset_config=places.get(entry["benchmark"], {}).get("config"),
            dataset_split=places.get(entry["benchmark"], {}).get("split"),
            metric_type=_slug(entry["metric"]),
            metric_name=f"{entry['metric']} (per cent)",
            metric_value=entry["value"],
        )
        for entry in _scores(results)
    ]
    data = ModelCardData(
        license=facts["licence"].get("hub", "other"),
        license_name=facts["licence"].get("hub_name"),
        license_link=facts["licence"].get("hub_link"),
        library_name="transformers",
        pipeline_tag=facts["task"],
        tags=["motionhub", "skeleton", "human-motion", str(config.get("model_type", ""))],
        datasets=sorted({place["dataset"] for place in places.values()}) or None,
        model_name=facts["name"] if measured else None,
        eval_results=measured or None,
    )
    return data.to_yaml().strip()


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _compared(results: Sequence[Facts], paper: Sequence[Facts]) -> list[tuple[str, ...]]:
    """A row per benchmark and metric: both names, the paper's value, the measured value, the difference."""
    measured = {(entry["benchmark"], entry["metric"]): entry for entry in results}
    published = {(entry["benchmark"], entry["metric"]): entry for entry in paper}
    rows: list[tuple[str, ...]] = []
    for key in {**published, **measured}:
        theirs, ours = published.get(key), measured.get(key)
        gap = f"{float(ours['value']) - float(theirs['value']):+.1f}" if theirs and ours else "-"
        rows.append((*key, _published(theirs), _measured(ours), gap))
    return rows


def _published(entry: Facts | None) -> str:
    if entry is None:
        return "-"
    return f"{float(entry['value']):.1f}" + (f" ({entry['setting']})" if entry.get("setting") else "")


def _measured(entry: Facts | None) -> str:
    if entry is None:
        return "not measured here"
    text = f"{float(entry['value']):.1f}"
    if entry.get("spread") is not None:
        text += f" ± {float(entry['spread']):.1f}"
    runs = int(entry.get("runs") or 0)
    details = [f"{runs} run{'s' if runs > 1 else ''}" if runs else "", str(entry.get("time") or "")]
    return text + (f" ({', '.join(filter(None, details))})" if any(details) else "")
