"""An exported folder of a stranger is data: it names no other file, and no number in it is taken on trust."""

import json

import pytest

from motionhub.runtime.bank import ExportedBank, read_safetensors
from motionhub.runtime.external_data import has_external_data
from motionhub.runtime.graph import ExportedGraph, read_facts, read_processor
from tests.helpers import error_of
from tests.runtime.test_broken_folders import bank, write


def part(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that has a length below 128."""
    return bytes([number << 3 | 2, len(content)]) + content


TENSOR = part(8, b"w") + part(13, part(1, b"location") + part(2, b"../../secret.bin"))
MODELS = {
    "an initializer": part(7, part(5, TENSOR)),
    "only its location": part(7, part(5, part(8, b"w") + b"\x70\x01")),
    "a constant": part(7, part(1, part(5, part(5, TENSOR)))),
    "a graph in a node": part(7, part(1, part(5, part(6, part(5, TENSOR))))),
    "a sparse one": part(7, part(15, part(1, TENSOR))),
}


@pytest.mark.parametrize("what", MODELS)
def test_a_graph_that_names_another_file_is_refused(what, tmp_path):
    (write(tmp_path) / "model.onnx").write_bytes(MODELS[what])
    message = error_of(lambda: ExportedGraph(tmp_path))
    assert message.startswith(f"{tmp_path / 'model.onnx'} keeps numbers in other files"), message


def test_a_graph_whose_numbers_are_inside_names_no_file():
    assert not has_external_data(part(7, part(5, part(8, b"w") + part(9, bytes(64)))))


@pytest.mark.parametrize("content", [b"\x3a\x7f", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x3f"])
def test_a_graph_that_is_no_message_is_one_line(content, tmp_path):
    (write(tmp_path) / "model.onnx").write_bytes(content)
    assert str(tmp_path / "model.onnx") in error_of(lambda: ExportedGraph(tmp_path))


WRONG = {
    **{"people": 10**9, "frames": "x", "joints": None, "dims": 4, "frame_stride": 0, "labels": {"0": "a"}},
    **{"tasks": [1], "exact_frames": 2, "exclusive": [], "schema": [1]},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_fact_of_another_kind_or_size_names_file_and_field(name, tmp_path):
    message = error_of(lambda: read_facts(write(tmp_path, **{name: WRONG[name]})))
    assert str(tmp_path / "export.json") in message and (name in message or name == "schema"), message


def test_people_times_frames_are_limited(tmp_path):
    assert "too many" in error_of(lambda: read_facts(write(tmp_path, people=256, frames=100_000)))


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "\x00", "9" * 5000])
def test_facts_that_are_no_object_are_one_line(content, tmp_path):
    (write(tmp_path) / "export.json").write_text(content)
    message = error_of(lambda: read_facts(tmp_path))
    assert str(tmp_path / "export.json") in message and len(message) < 800


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("arrays_of", 5),
        ("_check_fields", 1),
        ("num_frames", 10**9),
        ("vertical_bone", 5),
        ("layout", "../../etc/passwd"),
    ],
)
def test_a_processor_with_a_hostile_field_is_one_line(name, value, tmp_path):
    path = write(tmp_path) / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    assert len(error_of(lambda: read_processor(tmp_path))) < 2000


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", '{"phrases": 5, "aliases": {}}'])
def test_a_text_bank_of_another_form_is_one_line(content, tmp_path):
    (bank(tmp_path) / "text_bank.json").write_text(content)
    assert "text bank cannot be read" in error_of(lambda: ExportedBank(tmp_path))


@pytest.mark.parametrize("offsets", [[-100, 8], [8, 0], [0, 10**15]])
def test_numbers_outside_of_their_file_are_refused(offsets, tmp_path):
    header = json.dumps({"embeddings": {"dtype": "F32", "shape": [1, 2], "data_offsets": offsets}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match="cut short"):
        read_safetensors(path)
