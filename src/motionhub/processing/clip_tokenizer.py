"""CLIP's tokenizer from the byte-pair file in the open_clip package, without importing open_clip and without the Hub.

`clip_tokenizer().save_pretrained(folder)` beside a model's weights makes `AutoTokenizer.from_pretrained(folder)` work.
"""

import gzip
import importlib.util
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode


VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
# Of the file's 262,145 lines: with 2 x 256 bytes and two marks they make 49,408 tokens.
NUM_MERGES = 49152 - 256 - 2
START, END = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizer(vocabulary: str | Path | None = None, max_length: int = 32) -> CLIPTokenizer:
    """ViCLIP's tokenizer: `tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")`.

    Token ids are CLIP's: 49406 begins a text, 49407 ends it, also a truncated one, 0 is padding.

    Args:
        vocabulary: CLIP's file `bpe_simple_vocab_16e6.txt.gz`; None: the one inside an installed open_clip.
        max_length: tokens of a text, with the two marks.

    Raises:
        ValueError: no such file, or another one.
    """
    path = _of_open_clip() if vocabulary is None else Path(vocabulary)
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not CLIP's {VOCABULARY}: {error}.") from None
    merges: Any = [tuple(line.split()) for line in lines[1 : NUM_MERGES + 1] if line]
    if not merges or any(len(merge) != 2 for merge in merges):
        raise ValueError(f"{path} is not CLIP's {VOCABULARY}: expected two parts of a word on every line.")
    letters = bytes_to_unicode().values()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge) for merge in merges), START, END]
    numbers = {token: number for number, token in enumerate(tokens)}
    options: dict[str, Any] = {"pad_token": "!", "model_max_length": max_length, "split_special_tokens": True}
    return CLIPTokenizer(vocab=numbers, merges=merges, **options)


def _of_open_clip() -> Path:
    """The file inside the package, which is not imported, as that needs torchvision."""
    spec = importlib.util.find_spec("open_clip")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = next((Path(folder) / VOCABULARY for folder in folders if (Path(folder) / VOCABULARY).is_file()), None)
    if found is None:
        raise ValueError(
            f"CLIP's vocabulary {VOCABULARY} was not found: install open_clip (pip install open_clip_torch), or give "
            "the file's path. A converted ViCLIP has its tokenizer beside it: AutoTokenizer.from_pretrained(folder)."
        )
    return found
