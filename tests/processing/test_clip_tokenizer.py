"""CLIP's numbers for words: the official examples, and the rules on a vocabulary small enough to do by hand."""

import gzip
import importlib.util

import pytest
from transformers import AutoTokenizer

from motionhub.processing.clip_tokenizer import clip_tokenizer


@pytest.fixture
def tiny(tmp_path):
    """Three merges: tokens 512, 513, 514; start 515, end 516. Single bytes are 0 ("!") to 511."""
    path = tmp_path / "vocabulary.txt.gz"
    path.write_bytes(gzip.compress(b"#version\nw a\nwa l\nwal k</w>\n"))
    return path


@pytest.mark.towers("open_clip")
def test_official_numbers():
    tokenizer = clip_tokenizer()
    rows = tokenizer(["a person is drinking", "walk"], padding="max_length", truncation=True)["input_ids"]
    assert rows[0] == [49406, 320, 2533, 533, 5778, 49407] + 26 * [0]
    assert rows[1] == [49406, 2374, 49407] + 29 * [0]
    assert len(tokenizer) == 49408
    long = tokenizer("a " * 60, truncation=True)["input_ids"]
    assert len(long) == 32 and long[-1] == 49407


def test_merges_case_and_marks_by_hand(tiny):
    tokenizer = clip_tokenizer(tiny)
    letter = {character: ord(character) - ord("!") for character in "!<|>"}
    assert tokenizer("Walk")["input_ids"] == [515, 514, 516]
    assert tokenizer(" walk  WALK ")["input_ids"] == [515, 514, 514, 516]
    # The last letter of a word has a token of its own kind, 256 further on; "!" fills up and is a letter all the same.
    assert tokenizer("!!")["input_ids"] == [515, letter["!"], letter["!"] + 256, 516]
    # A text that spells the mark does not end there.
    assert 516 not in tokenizer("<|endoftext|>")["input_ids"][:-1]


def test_a_saved_tokenizer_is_the_same(tiny, tmp_path):
    tokenizer = clip_tokenizer(tiny, max_length=5)
    tokenizer.save_pretrained(tmp_path / "saved")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "saved")
    for text in ("walk", "walk! <|endoftext|> walk walk walk", ""):
        arguments = {"padding": "max_length", "truncation": True}
        rows = [one(text, **arguments)["input_ids"] for one in (tokenizer, loaded)]
        assert rows[0] == rows[1] and len(rows[0]) == 5


def test_another_file_is_told(tmp_path):
    (tmp_path / "file.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match="is not CLIP's"):
        clip_tokenizer(tmp_path / "file.gz")
    (tmp_path / "file.gz").write_bytes(gzip.compress(b"#version\none\n"))
    with pytest.raises(ValueError, match="two parts"):
        clip_tokenizer(tmp_path / "file.gz")


def test_without_the_file_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install open_clip_torch"):
        clip_tokenizer()
