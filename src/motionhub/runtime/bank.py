"""The text bank of an exported folder in NumPy: labels as vectors of the text tower."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.bounded import read_json
from motionhub.runtime.phrases import SAME_MEANING, Phrases
from motionhub.runtime.zero_shot import fill_templates, unit


VECTORS = "text_bank.safetensors"
BANK = "text_bank.json"
_TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


class ExportedBank:
    """Phrases and their unit vectors, as `TextBank` saves them.

    Args:
        folder: with `text_bank.json` and `text_bank.safetensors`.

    Raises:
        ValueError: a file is missing or broken.
    """

    def __init__(self, folder: Path) -> None:
        try:
            facts = read_json(folder / BANK)
            rows = read_safetensors(folder / VECTORS)["embeddings"]
            self.phrases = Phrases(facts["phrases"], facts["aliases"])
            learned = [self.phrases.place(phrase) for phrase in facts.get("learned", ())]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"{folder}: its text bank cannot be read ({reason}); export it again.") from None
        self.vectors = unit(rows.astype(np.float32))
        self._learned = self.vectors[[place for place in learned if place is not None]]

    def __contains__(self, phrase: str) -> bool:
        return self.phrases.place(phrase) is not None

    def lookup(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors `(texts, text_size)`; a ValueError with similar phrases for texts that it lacks."""
        places = [self.phrases.place(text) for text in texts]
        if unknown := [text for text, place in zip(texts, places, strict=True) if place is None]:
            how = "export the checkpoint with yours: motionhub export CHECKPOINT -o FOLDER --phrases PHRASE"
            raise ValueError(self.phrases.unknown_message(list(dict.fromkeys(unknown)), how))
        return self.vectors[[place for place in places if place is not None]]

    def are_learned(self, vectors: np.ndarray) -> np.ndarray:
        """`(n,)` bool: whether the checkpoint was trained with a text near each vector `(n, text_size)`."""
        if not len(self._learned):
            return np.zeros(len(vectors), bool)
        return np.asarray((vectors @ self._learned.T > SAME_MEANING).any(1))


def label_vectors(
    phrasings: Mapping[str, tuple[str, ...]], templates: str | Sequence[str], bank: ExportedBank, encode: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors `(labels, text_size)`, the mean over phrasings and templates, and which labels are new `(labels,)`.

    Args:
        encode: texts -> unit vectors.
    """
    vectors, new = [], []
    for phrases in phrasings.values():
        texts = [text for filled in fill_templates(phrases, templates) for text in filled]
        vectors.append(unit(unit(encode(texts)).sum(0)))
        new.append(bool(len(bank._learned)) and not bank.are_learned(encode(list(phrases))).any())
    return np.stack(vectors), np.array(new)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a safetensors file: eight bytes with the length of a JSON header, the header, the numbers."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = (begin + offset for offset in entry["data_offsets"])
        if not begin <= first <= last <= len(content):
            raise ValueError(f"{path.name} is cut short: expected {last} bytes, got {len(content)}")
        found[name] = np.frombuffer(content[first:last], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    return found
