"""A folder that cannot be used is refused in one sentence that says what to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motionhub import SkeletonProcessor, SkeletonSequence
from motionhub.runtime.bank import ExportedBank
from motionhub.runtime.graph import ExportedGraph, ExportedProcessor, read_facts, read_processor
from motionhub.runtime.predictor import Predictor
from motionhub.runtime.skeleton_steps import SkeletonSteps
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.towers.text_bank import TextBank


def processor(**options: Any) -> SkeletonProcessor:
    fields = {"layout": "coco-17", "num_dims": 2, "num_people": 1, "num_frames": 16, "test_sampling": "resize"}
    return SkeletonProcessor(**{**fields, "normalization": "centre", "scale": "extent", **options})


def facts(**options: Any) -> dict[str, Any]:
    made = {"schema": 1, "format": "onnx", "tasks": ["action-classification"], "labels": ["a", "b"]}
    sizes = {
        "people": 1,
        "frames": 16,
        "joints": 17,
        "dims": 2,
        "frame_stride": 2,
        "hidden_size": 8,
        "exact_frames": False,
    }
    return {**made, **sizes, "exclusive": False, "projection_size": None, "outputs": ["logits"], **options}


def write(folder: Path, **options: Any) -> Path:
    """Facts and processor, without a graph."""
    folder.mkdir(exist_ok=True)
    processor().save_pretrained(folder)
    (folder / "export.json").write_text(json.dumps({"motionhub": facts(**options)}))
    return folder


def bank(folder: Path) -> Path:
    vectors = torch.eye(4)[:2]
    TextBank(["sit down", "wave"], vectors, "sentence-transformers:none", torch.ones(4)).save_pretrained(folder)
    return folder


def test_a_folder_that_was_not_exported(tmp_path):
    with pytest.raises(ValueError, match=r"with export.json, found none; make it with: motionhub export"):
        Predictor(tmp_path)


def test_a_folder_of_a_newer_version(tmp_path):
    write(tmp_path, schema=99, versions={"motionhub": "9.1"})
    with pytest.raises(ValueError, match="by motionhub 9.1 .schema 99., this one reads schema 1; run: pip install"):
        Predictor(tmp_path)


def test_an_export_of_another_program(tmp_path):
    (tmp_path / "export.json").write_text('{"schema_version": 1}')
    with pytest.raises(ValueError, match="is not of motionhub export"):
        read_facts(tmp_path)


def test_a_folder_without_its_graph(tmp_path):
    with pytest.raises(ValueError, match=r"has no model\.onnx; copy the whole folder, or export it again"):
        ExportedGraph(write(tmp_path))


def test_a_truncated_graph(tmp_path):
    (write(tmp_path) / "model.onnx").write_bytes(b"\x08\x0a" + bytes(range(200)))
    with pytest.raises(ValueError, match=r"model\.onnx cannot be read .*; copy it again whole, or export it again"):
        ExportedGraph(tmp_path)


def test_a_folder_without_its_processor(tmp_path):
    (write(tmp_path) / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match=r"has no preprocessor_config\.json; copy the checkpoint's own file there"):
        read_processor(tmp_path)


def test_a_processor_that_lacks_a_field_of_this_version(tmp_path):
    path = write(tmp_path) / "preprocessor_config.json"
    fields = json.loads(path.read_text())
    del fields["stream"]
    path.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match="stream.*motionhub export of this version"):
        read_processor(tmp_path)


def test_a_processor_of_images(tmp_path):
    (write(tmp_path) / "preprocessor_config.json").write_text('{"feature_extractor_type": "VideoClipProcessor"}')
    with pytest.raises(ValueError, match="expected the file of a SkeletonProcessor, got 'VideoClipProcessor'"):
        read_processor(tmp_path)


def test_a_text_bank_cut_short(tmp_path):
    bank(tmp_path)
    assert ExportedBank(tmp_path).lookup(["Sit_down"]).tolist() == [[1, 0, 0, 0]]
    path = tmp_path / "text_bank.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match="text bank cannot be read .*cut short.*export it again"):
        ExportedBank(tmp_path)


def test_a_label_that_the_bank_lacks_names_the_nearest(tmp_path):
    bank(tmp_path)
    with pytest.raises(ValueError, match="lacks 'sit dwn' .similar known phrases: 'sit down'"):
        ExportedBank(tmp_path).lookup(["sit dwn"])


def test_an_array_of_a_layout_that_the_processor_cannot_convert():
    steps = ExportedProcessor({**processor().to_dict(), "feature_extractor_type": "SkeletonProcessor"})
    other = SkeletonLayout("two points", ("x1", "x2"), bones=(), root="x1")
    with pytest.raises(ValueError, match=r"layout"):
        steps.arrays_of(SkeletonSequence(np.zeros((1, 4, 2, 2)), other, fps=30, unit="pixel"))


def test_the_processor_without_torch_is_the_processor():
    """One implementation: both call `SkeletonSteps.arrays_of`."""
    assert SkeletonProcessor.arrays_of is SkeletonSteps.arrays_of
    assert SkeletonProcessor.measured is SkeletonSteps.measured


def test_the_predictor_imports_neither_torch_nor_transformers():
    code = "import motionhub, sys; motionhub.Predictor; bad = {'torch', 'transformers', 'scipy', 'datasets'}"
    call = [sys.executable, "-c", code + "; print(sorted(bad & set(sys.modules)))"]
    made = subprocess.run(call, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"
