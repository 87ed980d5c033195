"""Frozen text encoders behind one small interface: a plain dict names the tower, `encode` makes unit vectors of texts.

It does not know skeletons, labels or training. Nothing is imported or read from disk before the first `encode`, each
tower is loaded once per process, and it never learns: no gradients, eval mode, no dropout. How each kind of model is
loaded is `text_tower_models.py`.

A text longer than the tower's context is cut there, as the tower was trained, and a warning says so. A text's vector
may differ in its last bit (1e-7) with the texts it is batched with, as padding changes the order of sums.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from motionhub.nn.weights import weights_hash


if TYPE_CHECKING:
    from motionhub.towers.text_tower_models import LoadedTower

KINDS = ("sentence-transformers", "transformers-clip", "open-clip", "viclip")
# A real sentence encoder of 22 M parameters that a package index carries, so it also works without the Hub.
MINILM = "all-MiniLM-L6-v2"
# 10,000 vectors of 384 numbers are 15 MB.
MAX_CACHED_TEXTS = 10_000

logger = logging.getLogger(__name__)


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
    """A frozen text encoder, loaded at its first use; get one from `load_text_tower`.

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
    def module(self) -> torch.nn.Module:
        """The network itself, loaded: in eval mode, without gradients."""
        return self._load().module

    def encode(self, texts: Sequence[str], batch_size: int = 64, device: str | torch.device | None = None) -> Tensor:
        """Unit vectors of texts. A text that was encoded before, or stands there twice, is not encoded again.

        Args:
            texts: in any language and script; the tower decides what it makes of them. None may be blank.
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
        new = [text for text in dict.fromkeys(wanted) if text not in self._known]
        made = dict(zip(new, self._encode(new, batch_size, device), strict=True)) if new else {}
        vectors = [made[text] if text in made else self._known[text] for text in wanted]
        self._remember(made)
        return torch.stack(vectors) if vectors else torch.zeros(0, self.dim)

    def fingerprint(self) -> str:
        """sha256 of the tower's weights, by name and value: equal where two towers are the same network."""
        return weights_hash(self.module)

    def _load(self) -> "LoadedTower":
        if self._loaded is None:
            from motionhub.towers.text_tower_models import load_tower

            loaded = load_tower(self.description)
            expected = self.description.dim
            if expected is not None and loaded.dim != expected:
                what = f"The text tower {self.name!r} makes vectors of {loaded.dim} numbers, but dim says {expected}"
                raise ValueError(f"{what}. Use the tower that the checkpoint was trained with, or its own dim.")
            loaded.module.eval().requires_grad_(False)
            self._loaded = loaded
        return self._loaded

    def _encode(self, texts: list[str], batch_size: int, device: str | torch.device | None) -> list[Tensor]:
        loaded, prompt = self._load(), self.description.prompt or "{}"
        if batch_size < 1:
            raise ValueError(f"Expected a batch_size of at least 1, got {batch_size}.")
        if device is not None:
            loaded.module.to(device)
        told = [prompt.replace("{}", text.strip()) for text in texts]
        lengths = loaded.num_tokens(told)
        self._warn_of_cut(told, lengths)
        # Neighbours of one length, so that little of a batch is padding.
        order = sorted(range(len(told)), key=lambda index: -lengths[index])
        vectors: list[Tensor] = [torch.empty(0)] * len(told)
        for batch in batches_of(order, batch_size):
            # Not inference mode: its tensors may not take part in a backward pass, and these are training targets.
            with torch.no_grad():
                rows = loaded.embed([told[index] for index in batch]).float()
                rows = torch.nn.functional.normalize(rows, dim=-1).cpu()
            for index, row in zip(batch, rows, strict=True):
                vectors[index] = row.clone()
        return vectors

    def _warn_of_cut(self, texts: list[str], lengths: list[int]) -> None:
        limit = self._load().max_tokens
        cut = [text for text, length in zip(texts, lengths, strict=True) if length > limit]
        if cut:
            what = "%d of %d texts are longer than the %d tokens %s reads and are cut there; the first: %.60r"
            logger.warning(what, len(cut), len(texts), limit, self.name, cut[0])

    def _remember(self, made: dict[str, Tensor]) -> None:
        self._known.update(made)
        for text in list(self._known)[: max(0, len(self._known) - MAX_CACHED_TEXTS)]:
            del self._known[text]


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


def batches_of(order: Sequence[int], batch_size: int) -> Iterator[Sequence[int]]:
    """Neighbouring stretches of at most `batch_size`."""
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
