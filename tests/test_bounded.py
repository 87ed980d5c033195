"""JSON and YAML of strangers end in one line, soon, and never grow."""

import os

import pytest

from motionhub.bounded import load_yaml, read_json
from tests.helpers import error_of


LAUGHS = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("text", [LAUGHS, "a: &a [*a]", "[" * 60, "a: [1", "a: !!python/name:os.system x", "\x00"])
def test_yaml_with_anchors_tags_or_depth_is_refused(text):
    message = error_of(lambda: load_yaml(text))
    assert "\n" not in message and len(message) < 300


def test_plain_yaml_is_read():
    assert load_yaml("a: [1, {b: c}]") == {"a": [1, {"b": "c"}]} and load_yaml("") is None


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"[1]", b"{", b"9" * 5000])
def test_what_is_no_json_object_names_the_file(content, tmp_path):
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    message = error_of(lambda: read_json(path))
    assert message.startswith(f"{path}: ") and len(message) < 400


def test_a_large_file_or_a_pipe_is_not_read(tmp_path):
    path = tmp_path / "facts.json"
    path.write_text("{}")
    assert read_json(path) == {} and "more than 1" in error_of(lambda: read_json(path, most=1))
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in error_of(lambda: read_json(tmp_path / "pipe"))
