"""Random text models of a few kilobytes, saved as real checkpoints are, and a made-up tower without files."""

import json
from pathlib import Path

import torch
from torch import Tensor

from motionhub.towers.text_towers import TextTower, TowerName


WORDS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]


def save_sentence_encoder(folder: Path, *, pooling: str = "mean", dim: int = 8, max_length: int = 6) -> Path:
    """A BERT of one layer with the files of sentence-transformers beside it."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = BertTokenizer(vocab={token: number for number, token in enumerate(tokens)})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": dim, "intermediate_size": dim, "num_attention_heads": 2, "num_hidden_layers": 1}
    BertModel(BertConfig(vocab_size=len(tokens), **sizes)).save_pretrained(folder)
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [
        {"idx": place, "name": str(place), "path": f"{place}_{kind}" if place else "", "type": f"s.models.{kind}"}
        for place, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    flags = {f"pooling_mode_{name}_token{'s' * (name != 'cls')}": name == pooling for name in ("mean", "cls", "max")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_length}))
    return folder


def save_clip(folder: Path, dim: int = 12) -> Path:
    """A CLIP of one layer a tower, with a tokenizer of letters."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=[])
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    text = {"vocab_size": len(tokens), "max_position_embeddings": 10, "eos_token_id": len(tokens) - 1, **sizes}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=text, vision_config={"image_size": 8, "patch_size": 4, **sizes}, projection_dim=dim
    )
    CLIPModel(config).save_pretrained(folder)
    return folder


class MadeUpTower(TextTower):
    """A tower whose vector of a text counts its letters; `calls` are the texts it was really asked for."""

    def __init__(self, name: str = "made-up", turn: int = 0, dim: int = 26) -> None:
        super().__init__(TowerName("sentence-transformers", name, dim=dim))
        self.turn, self.calls = turn, list[str]()

    def _encode(self, texts: list[str], batch_size: int, device: object) -> list[Tensor]:
        self.calls += texts
        counts = torch.zeros(len(texts), self.dim)
        for row, text in enumerate(texts):
            for letter in text.casefold():
                counts[row, (ord(letter) + self.turn) % self.dim] += 1
        return list(torch.nn.functional.normalize(counts, dim=-1))

    def fingerprint(self) -> str:
        return f"made-up-{self.turn}"
