"""Text vectors saved with a checkpoint, so that labels work without the text tower.

Phrases match by normalised spelling ("Sit_down" is "sit down"); others need the tower.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motionhub.runtime.phrases import SAME_MEANING, Phrases, checked_texts, normalised_spelling
from motionhub.towers.text_towers import (
    MissingTowerError,
    TextTower,
    TowerName,
    install_line,
    load_text_tower,
)


VECTORS = "text_bank.safetensors"
FACTS = "text_bank.json"
SCHEMA = 1
PROBE = "a person slowly raises the left arm"  # encoded with every bank, to identify its tower
SAME_TOWER = 0.999  # float16 changes a cosine by less than 1e-5, another network by far more


class TextBank:
    """Phrases and their unit vectors by one text tower.

    Args:
        phrases: distinct in normalised spelling, none blank.
        embeddings: (num_phrases, dim), each row of about length 1; kept in the given dtype (float16 halves the file).
        tower: of the vectors.
        probe: the tower's vector (dim) of `PROBE`.
        fingerprint: sha256 of the tower's weights, or None.
        aliases: other spellings -> phrase of the bank.
        learned: phrases that the checkpoint was trained with; empty: unknown.

    Raises:
        ValueError: the shapes disagree, two phrases are spelled alike, or an alias or learned phrase is unknown.
    """

    def __init__(
        self,
        phrases: Sequence[str],
        embeddings: Tensor,
        tower: Mapping[str, Any] | str | TowerName,
        probe: Tensor,
        fingerprint: str | None = None,
        aliases: Mapping[str, str] | None = None,
        learned: Sequence[str] = (),
    ) -> None:
        self.phrases = checked_texts(phrases)
        if embeddings.ndim != 2 or len(embeddings) != len(self.phrases) or probe.shape != embeddings.shape[1:]:
            found = f"{tuple(embeddings.shape)} for {len(self.phrases)} phrases and a probe {tuple(probe.shape)}"
            raise ValueError(f"Expected embeddings (num_phrases, dim) and a probe (dim), got {found}.")
        self.embeddings, self.probe, self.fingerprint = embeddings, probe, fingerprint
        self.tower = TowerName.parse(tower)
        self.aliases = dict(aliases or {})
        self._known = Phrases(self.phrases, self.aliases)
        self.learned = list(learned)
        if lacking := [phrase for phrase in self.learned if self._known.place(phrase) is None]:
            raise ValueError(f"Expected learned phrases of the bank, got {lacking[:5]}.")

    @classmethod
    def build(
        cls,
        phrases: Sequence[str],
        aliases: Mapping[str, str] | None = None,
        *,
        tower: Mapping[str, Any] | str | TextTower,
        dtype: torch.dtype = torch.float16,
    ) -> "TextBank":
        """Encodes phrases by a tower, merging those spelled alike.

        `TextBank.build(*bank_phrases(), tower=...)` is the bank of `data/datasets/class_phrases.py`.

        Raises:
            MissingTowerError: the tower's files are missing.
        """
        made_by = tower if isinstance(tower, TextTower) else load_text_tower(tower)
        different: dict[str, str] = {}
        for phrase in checked_texts(phrases):
            different.setdefault(normalised_spelling(phrase), phrase)
        vectors = made_by.encode([*different.values(), PROBE]).to(dtype)
        facts = (made_by.description, vectors[-1], made_by.fingerprint(), aliases)
        return cls(list(different.values()), vectors[:-1], *facts)

    def with_phrases(self, phrases: Sequence[str], tower: TextTower | None = None) -> "TextBank":
        """The bank with further phrases, encoded by its tower; those that it has change nothing.

        Raises:
            MissingTowerError: the tower's files are missing.
            ValueError: a blank phrase, or a tower of other weights.
        """
        new = [phrase for phrase in checked_texts(phrases) if phrase not in self]
        if not new:
            return self
        vectors = text_vectors(new, self, tower).to(self.embeddings.dtype)
        facts = (self.tower, self.probe, self.fingerprint, self.aliases, self.learned)
        return TextBank([*self.phrases, *new], torch.cat([self.embeddings, vectors]), *facts)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.embeddings.shape[1]

    def __len__(self) -> int:
        return len(self.phrases)

    def __contains__(self, phrase: object) -> bool:
        return isinstance(phrase, str) and self._known.place(phrase) is not None

    def lookup(self, phrases: Sequence[str]) -> Tensor:
        """Unit vectors (num_phrases, dim) float32 of phrases, by normalised spelling.

        Raises:
            ValueError: the bank lacks a phrase; the message has its tower's install command and the three known
                phrases of most similar spelling.
        """
        places = [self._known.place(phrase) for phrase in checked_texts(phrases)]
        unknown = [phrase for phrase, place in zip(phrases, places, strict=True) if place is None]
        if unknown:
            raise ValueError(self.unknown_message(unknown))
        rows = self.embeddings[torch.tensor([place for place in places if place is not None], dtype=torch.long)]
        return torch.nn.functional.normalize(rows.float(), dim=-1)

    def are_learned(self, vectors: Tensor) -> Tensor:
        """`(n,)` bool: whether the checkpoint was trained with a text near each vector `(n, dim)`."""
        if not self.learned:
            return torch.zeros(len(vectors), dtype=torch.bool)
        return (vectors.float() @ self.lookup(self.learned).mT > SAME_MEANING).any(1)

    def nearest(self, phrase: str, count: int = 3) -> list[str]:
        """Known phrases of most similar spelling, best first; empty if none is similar."""
        return self._known.nearest(phrase, count)

    def unknown_message(self, unknown: Sequence[str]) -> str:
        """The error for phrases that the bank lacks."""
        how = f"install the tower that reads any text: {install_line(self.tower)}"
        return self._known.unknown_message(unknown, how)

    def check_tower(self, tower: TextTower) -> None:
        """Raises ValueError unless the tower's vector of `PROBE` is the bank's."""
        probe = tower.encode([PROBE])[0]
        if probe.shape != self.probe.shape:
            wrong = f"with vectors of {self.dim} numbers, {tower.name!r} makes {len(probe)}"
        elif (cosine := float(probe @ torch.nn.functional.normalize(self.probe.float(), dim=0))) < SAME_TOWER:
            wrong = f"by other weights than {tower.name!r} has: their cosine on one sentence is {cosine:.3f}, not 1"
        else:
            return
        raise ValueError(
            f"This text bank was made by the tower {self.tower.name!r}, {wrong}. Build it again with "
            "TextBank.build(bank.phrases, bank.aliases, tower=...), or load the tower of the bank."
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes `text_bank.safetensors` and `text_bank.json` into a checkpoint's folder."""
        from safetensors.torch import save_file

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": self.embeddings.contiguous(), "probe": self.probe.contiguous()}, target / VECTORS)
        facts = {"schema": SCHEMA, "tower": self.tower.to_dict(), "fingerprint": self.fingerprint, "probe": PROBE}
        facts |= {"phrases": self.phrases, "aliases": self.aliases, "learned": self.learned}
        (target / FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, checkpoint: str | Path, revision: str | None = None) -> "TextBank | None":
        """The bank of a checkpoint (a folder or a Hub id), else None. Raises ValueError for broken files."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        from transformers.utils import cached_file

        quiet: dict[str, Any] = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
        about, vectors = (cached_file(str(checkpoint), name, **quiet) for name in (FACTS, VECTORS))
        if about is None or vectors is None:
            return None
        try:
            facts = json.loads(Path(about).read_text(encoding="utf-8"))
            tensors = load_file(vectors)
            if facts["schema"] > SCHEMA:
                raise ValueError(f"a newer schema {facts['schema']}; run: pip install --upgrade motionhub")
            made_by = (facts["tower"], tensors["probe"], facts["fingerprint"])
            return cls(facts["phrases"], tensors["embeddings"], *made_by, facts["aliases"], facts.get("learned", ()))
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ValueError(f"The text bank of {checkpoint} cannot be read: {error}.") from error


def text_vectors(
    texts: Sequence[str], bank: TextBank | None = None, tower: Mapping[str, Any] | str | TextTower | None = None
) -> Tensor:
    """Unit vectors (num_texts, dim) float32: from the bank if it has a text, else from the tower, loaded on demand.

    Raises:
        ValueError: there is neither a bank nor a tower; the bank is of another tower.
        MissingTowerError: the bank lacks a text, and the tower is not on this machine.
    """
    wanted = checked_texts(texts)
    loaded = tower if isinstance(tower, TextTower) or tower is None else load_text_tower(tower)
    if bank is None:
        if loaded is None:
            raise ValueError("Expected a text bank or a text tower to encode labels, got neither.")
        return loaded.encode(wanted)
    if loaded is not None and _identity(loaded.description) != _identity(bank.tower):
        bank.check_tower(loaded)
    unknown = [text for text in dict.fromkeys(wanted) if text not in bank]
    if not unknown:
        return bank.lookup(wanted) if wanted else torch.zeros(0, bank.dim)
    reader = loaded or load_text_tower(bank.tower)
    try:
        bank.check_tower(reader)
        made = dict(zip(unknown, reader.encode(unknown), strict=True))
    except MissingTowerError as error:
        raise MissingTowerError(f"{bank.unknown_message(unknown)} ({error})") from error
    return torch.stack([made[text] if text in made else bank.lookup([text])[0] for text in wanted])


def _identity(tower: TowerName) -> dict[str, Any]:
    return {key: value for key, value in tower.to_dict().items() if key != "dim"}
