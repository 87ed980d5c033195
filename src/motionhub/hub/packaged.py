"""The checkpoints and recipes that come with the library: `motionhub/NAME` loads without a network or a cache.

transformers asks the Hub for every id that is no local folder; `answer_packaged_ids` makes it read the folder in
hub_configs, which is part of the wheel, instead.
"""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any


OWNER = "motionhub"
# In the help of options that take a model.
A_MODEL = "folder, Hub id or packaged name"
SAFETENSORS = "model.safetensors"
REINSTALL = "reinstall it: pip install --force-reinstall --no-deps motionhub"
_PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel, and in a clone of the repository.
_PLACES = (_PACKAGE / "hub_configs", _PACKAGE.parents[1] / "hub_configs")
_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
# Any file of weights that transformers asks for: other formats, variants, lists of shards.
_WEIGHT_FILE = re.compile(r"(pytorch_)?model\..+")


def packaged_root() -> Path | None:
    """The folder of all packaged checkpoints; None where only the Python files were copied."""
    return next((place for place in _PLACES if (place / "tmor-small").is_dir()), None)


def packaged_names() -> list[str]:
    """The names of all packaged checkpoints and recipes, without `motionhub/`."""
    root = packaged_root()
    return [] if root is None else sorted(path.parent.name for path in root.glob("*/config.json"))


def packaged_folder(source: str | os.PathLike[str]) -> Path | None:
    """The folder of a packaged id such as `motionhub/tmor-small`; None for any other id, and for local folders.

    As in transformers, a folder `motionhub/tmor-small` in the current directory has priority.
    """
    root, text = packaged_root(), os.fspath(source)
    owner, _, name = text.partition("/")
    if root is None or owner != OWNER or not _NAME.fullmatch(name) or os.path.isdir(text):
        return None
    return root / name if (root / name).is_dir() else None


def model_id(source: str) -> str:
    """The id that a command line option names: `tmor-small` is `motionhub/tmor-small`, unless it is a local path.

    So is `hub_configs/tmor-small`, a folder of the repository, where there is no such folder.
    """
    name = source.removeprefix("hub_configs/").rstrip("/")
    if os.path.exists(source) or packaged_folder(f"{OWNER}/{name}") is None:
        return source
    return f"{OWNER}/{name}"


def folder_of(source: str | os.PathLike[str]) -> Path:
    """The folder of a packaged id or name; else `source` as a path.

    Example:
        >>> folder_of("unik-penn").name, folder_of("motionhub/unik-penn").name, folder_of("runs/mine").name
        ('unik-penn', 'unik-penn', 'mine')
    """
    return packaged_folder(model_id(os.fspath(source))) or Path(source)


def check_weights(source: str) -> None:
    """Raises OSError when a packaged `source` has no weights or broken ones; other sources pass."""
    folder = packaged_folder(source)
    if folder is None:
        return
    if not (folder / SAFETENSORS).is_file():
        raise OSError(without_weights(source))
    _check_readable(folder / SAFETENSORS)


def without_weights(source: str) -> str:
    """Why a packaged recipe has no weights, and the command that makes them (both from its card.yaml), in one line."""
    folder = folder_of(source)
    try:
        import yaml

        weights = yaml.safe_load((folder / "card.yaml").read_text(encoding="utf-8"))["weights"]
        reason, command = re.split(r"[.;]\s", weights["provenance"])[0], weights["command"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        return f"{source} has no weights, and its card.yaml cannot be read ({type(error).__name__}); {REINSTALL}."
    command = " ".join(command.replace("hub_configs/", f"{OWNER}/").split())
    return f"{source} has no weights: {reason.rstrip('.')}. In a clone of the repository of motionhub: {command}"


def similar_ids(source: str) -> list[str]:
    """Packaged ids whose names are close to that of `source`, best first."""
    name = source.rpartition("/")[2]
    return [f"{OWNER}/{found}" for found in difflib.get_close_matches(name, packaged_names())]


def answer_packaged_ids() -> None:
    """From now on transformers reads packaged ids (`motionhub/NAME`) from the packaged folder.

    Replaces two names of `transformers.utils.hub`, through which all loaders find files: `cached_files`, and `HfApi`,
    which resolves revisions and knows the tasks of models. The packaged files, which match the installed version, have
    priority over downloaded ones; `revision=` (other than "main") or `force_download=True` asks the Hub.
    """
    from transformers.utils import hub

    if hub.cached_files.__module__ != __name__:
        hub.cached_files = _cached_files(hub.cached_files)
        hub.HfApi = _api(hub.HfApi)  # type: ignore[misc]
        hub._hf_api = None  # an object of the replaced class


def _cached_files(original: Any) -> Any:
    def cached_files(path_or_repo_id: str | os.PathLike[str], filenames: list[str], **options: Any) -> Any:
        source = str(path_or_repo_id)
        if not _is_packaged(source, options) or options.get("force_download"):
            return _or_similar(original, source, filenames, options)
        _check_asked(source, filenames, options)
        return original(str(packaged_folder(source)), filenames, **options)

    return cached_files


def _check_asked(source: str, filenames: list[str], options: dict[str, Any]) -> None:
    """Raises OSError when the files are damaged, or are weights that are not packaged.

    A pipeline asks for its config first and collects the tracebacks of later failures, so weights are checked then.
    """
    weights = [name for name in filenames if _WEIGHT_FILE.fullmatch(name)]
    if weights or ("config.json" in filenames and "using_pipeline" in (options.get("user_agent") or {})):
        check_weights(source)
    folder = folder_of(source) / (options.get("subfolder") or "")
    if others := [name for name in weights if not (folder / name).is_file()]:
        raise OSError(f"{source} is packaged as {SAFETENSORS}, not {others[0]}; omit variant= and similar options.")
    for path in (folder / name for name in filenames):
        if path.suffix == ".json" and path.is_file():
            _check_readable(path)


def _api(original: Any) -> Any:
    from huggingface_hub import ModelInfo
    from huggingface_hub.errors import RevisionResolutionError

    class PackagedApi(original):
        """The client of the Hub, which answers for packaged ids itself."""

        def resolve_revision(self, repo_id: str, **options: Any) -> Any:
            if _is_packaged(repo_id, options):  # the caller then uses the revision as it is
                raise RevisionResolutionError(f"{repo_id} is packaged with motionhub and has no revisions.")
            return super().resolve_revision(repo_id, **options)

        def model_info(self, repo_id: str, *arguments: Any, **options: Any) -> Any:
            if _is_packaged(repo_id, options):
                return ModelInfo(id=repo_id, pipeline_tag=_task(repo_id), library_name="transformers")
            return super().model_info(repo_id, *arguments, **options)

    return PackagedApi


def _is_packaged(source: str, options: dict[str, Any]) -> bool:
    """Whether the packaged files answer; `revision="main"`, the default of some loaders, counts as none."""
    default = options.get("revision") in (None, "main") and options.get("repo_type") in (None, "model")
    return default and packaged_folder(source) is not None


def _task(source: str) -> str:
    import yaml

    return str(yaml.safe_load((folder_of(source) / "card.yaml").read_text(encoding="utf-8"))["task"])


def _or_similar(original: Any, source: str, filenames: list[str], options: dict[str, Any]) -> Any:
    """The answer of the Hub; if one of our ids is unknown or the Hub is unreachable, an error with similar ids.

    A name without an owner counts as ours when it is similar to a packaged one; errors about other ids stay unchanged.
    """
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return original(source, filenames, **options)
    except OSError as error:
        reasons = {
            GatedRepoError: None,
            RepositoryNotFoundError: "the Hub does not know it",
            LocalEntryNotFoundError: "the Hub is unreachable",
        }
        reason = next((text for kind, text in reasons.items() if isinstance(error.__cause__, kind)), None)
        similar = similar_ids(source)
        ours = source.startswith(f"{OWNER}/") or (similar and "/" not in source)
        if reason is None or not ours or packaged_folder(source) is not None:
            raise
        packaged = ", ".join(packaged_names()) or f"none: hub_configs is absent, {REINSTALL}"
        known = f"did you mean {' or '.join(similar)}?" if similar else f"packaged are {packaged}."
        raise OSError(f"{source}: no folder, not packaged with motionhub, and {reason}; {known}") from error


def _check_readable(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        else:
            safe_open(path, framework="pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise OSError(f"{path} is damaged ({' '.join(str(error).split())}); {REINSTALL}.") from None
