"""Publishes a checkpoint or a saved dataset on the Hub, in one commit that is complete."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import DatasetCard, HfApi, ModelCard

from motionhub.atomic import disk_named
from motionhub.bounded import read_json
from motionhub.hub.cache import check_data_files
from motionhub.hub.card import load_card, read_card_facts, write_eval_results, write_model_card


# Published besides the config and the processor, which are written anew.
PARTS = (
    *("*.safetensors", "*.safetensors.index.json", "training.json", "metrics.json", "results.json", "card.yaml"),
    *("text_bank.json", "provenance.csv", "*.png"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "chat_template*", "LICENSE*"),
)
# Removed from the repository unless this push contains them.
STALE_MODEL = ["*.py", "*.safetensors", "*.safetensors.index.json", ".eval_results/*", "*.png"]
STALE_DATASET = ["*.parquet"]
IMAGE = "layout.png"

Facts = Mapping[str, Any]


def push(
    source: Any,
    repo_id: str,
    *,
    processor: Any = None,
    card: str | Path | Facts | None = None,
    recipe: str | Path | Facts | None = None,
    results: Sequence[Facts] | None = None,
    dataset: bool = False,
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
) -> str:
    """Uploads everything as one commit, creating the repository if needed; returns the commit's address.

    A model repository gets config, weights, processor, recipe (`training.json`), the card with the image of the joints
    (with the extra `viz`), `.eval_results`, and what `AutoModel.from_pretrained(..., trust_remote_code=True)` needs.
    Files of an earlier push that are no longer part of it are removed.

    Args:
        source: folder of a checkpoint, such as `runs/x/best`; or a model, with `processor`; or, with `dataset=True`,
            folder of a dataset that `motionhub dataset build` wrote (of clips that must not be redistributed: its
            folder `recipe`).
        repo_id: `owner/name`.
        processor: of a model that is passed as an object.
        card: the card's facts (a `card.yaml`, a folder that holds one, or a mapping), if `source` holds none.
        recipe, results: contents of `training.json` (or that file) and `results.json`, if `source` holds none.
        private: of a new repository; None is the owner's default.
        token: if it is not the one of `hf auth login`.
        revision: branch, created if needed.
        create_pr: as a pull request.
        commit_message: None states what was pushed.

    Raises:
        ValueError: a part, the licence or the provenance is missing (all of them are listed), or a file is a link that
            leads out of the folder; nothing was uploaded.

    Examples:
        >>> motionhub.push("runs/mine/last", "owner/my-encoder")  # doctest: +SKIP
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo_id):
        raise ValueError(f"Expected a repository 'owner/name', got {repo_id!r}.")
    kind = "dataset" if dataset else "model"
    with TemporaryDirectory(prefix="motionhub-push-") as staged:
        folder = Path(source) if dataset else Path(staged)
        if dataset:
            if is_closed(folder):
                raise ValueError(
                    f"{folder}: not pushed, only their authors may redistribute these clips (see its card). Push "
                    f"{folder / 'recipe'}, the card without clips that says how to make this dataset."
                )
            check_dataset_card(folder).validate()
            check_links(folder, folder.rglob("*"))
        else:
            facts = {"card.yaml": card, "training.json": recipe, "results.json": results}
            with disk_named(folder):
                stage_checkpoint(source, folder, repo_id, processor, facts)
            load_card(folder / "README.md", ModelCard).validate()
        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True).repo_id
        if revision is not None and not revision.startswith("refs/pr"):
            api.create_branch(repo_id, repo_type=kind, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type=kind,
            folder_path=folder,
            revision=revision,
            create_pr=create_pr,
            commit_message=commit_message or f"Add {'the dataset' if dataset else 'model, processor and card'}",
            delete_patterns=STALE_DATASET if dataset else STALE_MODEL,
            ignore_patterns=[".cache/*", "*.lock", "**/.ipynb_checkpoints/*"],
        )
    return str(commit.commit_url)


def is_closed(folder: Path) -> bool:
    """Whether the terms forbid to redistribute the clips; the card to publish instead is in `recipe`."""
    return (folder / "recipe" / "README.md").is_file()


def check_links(folder: Path, paths: Iterable[Path]) -> None:
    """Refuses links that lead out of the folder; those of a cache snapshot may lead to the repository's blobs."""
    folder = folder.resolve()
    homes = [folder, *([folder.parents[1] / "blobs"] if folder.parent.name == "snapshots" else [])]
    for path in paths:
        if not any(path.resolve().is_relative_to(home) for home in homes):
            raise ValueError(f"{path} is a link to {path.resolve()}, outside of {folder}: refused; copy it there.")


def check_dataset_card(folder: str | Path) -> DatasetCard:
    """The card of a saved dataset. Raises ValueError listing what is missing: licence, provenance, files."""
    path = Path(folder) / "README.md"
    if not path.is_file():
        raise ValueError(f"{folder} has no card (README.md); make the dataset with `motionhub dataset build`.")
    card: DatasetCard = load_card(path, DatasetCard)
    try:
        check_data_files(Path(folder))
    except ValueError as error:
        raise ValueError(f"{path}: {error}.") from None
    data = card.data.to_dict()
    clips = any(Path(folder).rglob("*.parquet")) or _has_lists(Path(folder), data.get("configs"))
    recipe = not clips and not data.get("configs")  # a card without clips, which says how to make the dataset
    absent = [name for name in ("license", "configs") if not data.get(name) and not (recipe and name == "configs")]
    if data.get("license") == "other":
        absent += [name for name in ("license_name", "license_link") if not data.get(name)]
    headings = " ".join(re.findall(r"^#+ (.*)$", card.text, flags=re.MULTILINE)).lower()
    sections = {"on the licence": "licen[cs]e", "that cites the source": "citation|provenance|source"}
    absent += [f"a section {what}" for what, pattern in sections.items() if not re.search(pattern, headings)]
    absent += [] if clips or recipe else ["parquet files"]
    if absent:
        hint = " Clips of your own: pass --licence (such as cc-by-4.0) to `motionhub dataset build folder`."
        raise ValueError(
            f"{path}: not pushed without {', '.join(absent)}: state what the clips are and who may use them."
            f"{hint if 'license' in absent else ''}"
        )
    return card


def _has_lists(folder: Path, configs: Any) -> bool:
    """Whether every file that the card's configs name is a CSV of the folder: lists of clips, as of a benchmark."""
    parts = [part for config in configs or () for part in config.get("data_files") or () if isinstance(part, dict)]
    paths = [str(part.get("path", "")) for part in parts]
    return bool(paths) and all(path.endswith(".csv") and (folder / path).is_file() for path in paths)


def stage_checkpoint(
    source: Any, staged: Path, repo_id: str, processor: Any = None, files: Facts | None = None
) -> None:
    """Writes what `push` publishes to `staged`; `files`: name -> content or path. Raises ValueError as `push`."""
    if isinstance(source, str | Path):
        _stage_folder(Path(source), staged)
    elif processor is None:
        raise ValueError("A model is pushed with its processor: push(model, repo_id, processor=processor, card=...).")
    else:
        source.save_pretrained(staged)
        processor.save_pretrained(staged)
    for name, given in (files or {}).items():
        if given is not None:
            (staged / name).unlink(missing_ok=True)  # it may be a link to the source's own file
            (staged / name).write_text(_text(given, name), encoding="utf-8")
    if not (staged / "card.yaml").is_file():
        raise ValueError(
            "Not published without card facts (card.yaml): licence of code, weights and data, provenance of the "
            f"weights, training data, limits. One command writes them: motionhub card {source} --licence LICENCE "
            '--data "NAME OF THE DATA" --data_licence LICENCE.'
        )
    facts = read_card_facts(staged)
    if str(facts["weights"]["status"]).lower().startswith("not included"):
        raise ValueError(
            f"card.yaml has weights.status: {facts['weights']['status']!r}, but this publishes weights: it is of a "
            f"recipe. motionhub card {source} --overwrite writes that of a run; or write 'included', and in "
            "weights.provenance where they come from."
        )
    write_cards(staged, facts, repo_id)


def _text(given: Any, name: str) -> str:
    """The text of a file, of the file `name` in a folder, or of the content itself."""
    if not isinstance(given, str | Path):
        return json.dumps(given, indent=2) + "\n"  # JSON is YAML too
    path = Path(given) / name if Path(given).is_dir() else Path(given)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{given}: cannot be read ({error.strerror}); pass {name} or its folder.") from None


def _stage_folder(folder: Path, staged: Path) -> None:
    from transformers import AutoConfig, AutoProcessor

    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    absent = [] if "config.json" in names else ["config.json"]
    absent += [] if {"preprocessor_config.json", "processor_config.json"} & {*names} else ["preprocessor_config.json"]
    absent += [] if any(name.endswith(".safetensors") for name in names) else ["model.safetensors"]
    if absent:
        raise ValueError(
            f"{folder} is not a complete checkpoint: no {', '.join(absent)}. A folder such as runs/x/best is."
        )
    parts = [name for name in names if any(fnmatch(name, part) for part in PARTS)]
    check_links(folder, (folder / name for name in names if name in parts or name.endswith("config.json")))
    # Written anew, which checks them and adds the auto_map of this version.
    AutoConfig.from_pretrained(folder, trust_remote_code=False).save_pretrained(staged)
    AutoProcessor.from_pretrained(folder, trust_remote_code=False).save_pretrained(staged)
    for name in parts:
        (staged / name).unlink(missing_ok=True)
        (staged / name).symlink_to((folder / name).resolve())
    index = staged / "model.safetensors.index.json"
    if index.is_file():
        wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        absent = sorted(name for name in wanted if not (staged / name).exists())
        if absent:
            raise ValueError(f"{index.name} names {absent}, which are not in the folder; save the checkpoint again.")


def write_cards(staged: Path, facts: Facts, repo_id: str | None) -> None:
    """Writes README.md, the image of the joints and `.eval_results` to the folder of a checkpoint."""
    from motionhub.skeletons.layouts import get_layout

    config = _read(staged / "config.json")
    processor = _read(staged / "preprocessor_config.json") or _read(staged / "processor_config.json")
    recipe, results = _read(staged / "training.json") or None, _read(staged / "results.json") or []
    name = processor.get("layout") or config.get("layout")
    about = {"joints": get_layout(name).joints, "image": draw_layout(name, staged)} if name else {"joints": ()}
    write_model_card(staged, config, processor, recipe, results, facts, repo=repo_id, **about)
    write_eval_results(staged, results, facts)


def draw_layout(name: str, folder: str | Path) -> str | None:
    """Draws the named joints of a layout on a synthetic pose; the file's name in `folder`, None without `viz`.

    Examples:
        >>> motionhub.draw_layout("coco-17", ".")
        'layout.png'
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return None
    from motionhub.data.synthetic.generate import generate
    from motionhub.visualization.draw import draw_frame

    clip = generate("wave", seed=1, layout=name)
    draw_frame(clip, clip.num_frames // 2, Path(folder) / IMAGE)
    return IMAGE


def _read(path: Path) -> Any:
    return read_json(path, (dict, list)) if path.is_file() else {}
