"""`python conversion/pyslowfast.py`: the kinds of files that PySlowFast writes, and what is refused."""

import pytest
import torch
from helpers import load_script
from official_slow_r50 import official_shapes
from official_unik import probe
from transformers import AutoModel, AutoModelForPreTraining, AutoProcessor

import motionhub
from motionhub.models.r3d import R3dForActionClassification, R3dForPreTraining, R3dModel


pyslowfast = load_script("conversion/pyslowfast.py")


def official(projection: tuple[int, ...] | None) -> dict[str, torch.Tensor]:
    return probe(official_shapes(projection, scale=16))


def converted(pyslowfast, content, tmp_path) -> str:
    torch.save(content, tmp_path / "checkpoint.pyth")
    assert pyslowfast.main([str(tmp_path / "checkpoint.pyth"), str(tmp_path / "out")]) == 0
    return str(tmp_path / "out")


@torch.no_grad()
def test_a_classifier_with_its_official_test_views(tmp_path, capsys):
    weights = official((5,))
    folder = converted(pyslowfast, {"model_state": weights, "epoch": 3, "cfg": "MODEL: ..."}, tmp_path)
    assert "R3dForActionClassification" in capsys.readouterr().out
    model = motionhub.AutoModelForActionClassification.from_pretrained(folder)
    assert type(model) is R3dForActionClassification and model.config.num_labels == 5
    clip = torch.rand(1, 2, 3, 40, 40)
    pooled = pyslowfast.reference_features(weights, clip.transpose(1, 2).double())
    expected = pooled @ weights["head.projection.weight"].double().T + weights["head.projection.bias"]
    torch.testing.assert_close(model(clip).logits.double(), expected, rtol=1e-4, atol=1e-4)
    processor = AutoProcessor.from_pretrained(folder)
    assert processor.views == 30 and processor.image_size == 256 and processor.image_mean == [0.45] * 3


@torch.no_grad()
def test_a_contrastive_file_gives_the_query_network(tmp_path):
    weights = official((128, 128, 16))
    slow = {f"backbone_hist.{key}": torch.zeros_like(value) for key, value in weights.items()}
    query = {f"backbone.{key}": value for key, value in weights.items()}
    state = {**query, **slow, "queue_x": torch.zeros(8, 16), "ptr": torch.zeros(1), "iter": torch.zeros(1)}
    folder = converted(pyslowfast, {"model_state": state}, tmp_path)
    model = AutoModelForPreTraining.from_pretrained(folder)
    assert type(model) is R3dForPreTraining and model.config.projection_sizes == [128, 128, 16]
    trunk, clip = AutoModel.from_pretrained(folder), torch.rand(1, 2, 3, 40, 40)
    assert type(trunk) is R3dModel
    expected = pyslowfast.reference_features(weights, clip.transpose(1, 2).double())
    torch.testing.assert_close(trunk(clip).pooler_output.double(), expected, rtol=1e-4, atol=1e-4)


def test_a_bare_trunk(tmp_path):
    assert type(AutoModel.from_pretrained(converted(pyslowfast, official(None), tmp_path))) is R3dModel


@pytest.mark.parametrize("change", ["missing", "unknown", "two pathways", "other"])
def test_damaged_and_foreign_files_are_reported(change, tmp_path, capsys):
    weights = official((5,))
    if change == "missing":
        del weights["s3.pathway0_res1.branch2.b_bn.running_var"]
    elif change == "unknown":
        weights["s3.pathway0_res1.branch2.d.weight"] = torch.ones(1)
    elif change == "two pathways":
        weights["s1.pathway1_stem.conv.weight"] = torch.ones(1)
    else:
        weights = {"conv1.weight": torch.ones(1)}
    torch.save({"model_state": weights}, tmp_path / "file.pyth")
    assert pyslowfast.main([str(tmp_path / "file.pyth"), str(tmp_path / "out")]) == 1
    says = {"missing": "are missing", "unknown": "others", "two pathways": "SlowFast", "other": "not a ResNet"}[change]
    assert says in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_class_names_must_be_as_many_as_classes(tmp_path, capsys):
    torch.save({"model_state": official((3,))}, tmp_path / "file.pyth")
    (tmp_path / "names.txt").write_text("sit\nstand\n")
    arguments = [str(tmp_path / "file.pyth"), str(tmp_path / "out"), "--class-names", str(tmp_path / "names.txt")]
    assert pyslowfast.main(arguments) == 1 and "3 classes, but 2 names" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("sit\nstand\nwalk\n")
    assert pyslowfast.main(arguments) == 0
    model = motionhub.AutoModelForActionClassification.from_pretrained(tmp_path / "out")
    assert model.config.id2label == {0: "sit", 1: "stand", 2: "walk"}
