"""`python conversion/agcn.py` and `st_gcn.py`: official files become folders with their logits, others are refused."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import ROOT, load_script
from official_graph_models import PlainAgcn, PlainStGcn, agcn_graph, st_gcn_graph
from official_unik import probe, probe_input, to_keypoints
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoProcessor, pipeline

import motionhub


scripts = {name: load_script(f"conversion/{name}.py") for name in ("agcn", "st_gcn")}


def official(name="agcn", labels=60, **options):
    """Official entries with the deterministic fill; ST-GCN's graph is the real one."""
    graph = agcn_graph() if name == "agcn" else st_gcn_graph()
    plain = PlainAgcn(labels, 2, 3, graph) if name == "agcn" else PlainStGcn(labels, 3, graph, **options)
    weights = probe({key: tuple(value.shape) for key, value in plain.state_dict().items()})
    return weights if name == "agcn" else {**weights, "A": graph}


def convert(script, folder, weights, *flags):
    source = folder / "official.pt"
    torch.save(weights, source)
    return script.main([str(source), str(folder / "out"), *flags])


@torch.no_grad()
def logits(folder, keypoints):
    auto = motionhub.AutoModelForActionClassification
    return auto.from_pretrained(folder / "out", pooling="official").eval()(keypoints).logits


def test_converted_agcn_weights_give_the_golden_logits(tmp_path, shared, capsys):
    golden = np.load(shared("golden/agcn.npz"))["AGCN"]
    assert convert(scripts["agcn"], tmp_path, official()) == 0
    assert "352 entries converted" in capsys.readouterr().out
    np.testing.assert_allclose(logits(tmp_path, to_keypoints(probe_input(2, 3, 32, 25, 2))), golden, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("linear", [False, True], ids=["fcn", "fc"])
def test_converted_st_gcn_weights_give_the_logits_of_the_published_equations(tmp_path, linear):
    weights = official("st_gcn", 7, linear=linear)
    assert convert(scripts["st_gcn"], tmp_path, weights) == 0
    plain = PlainStGcn(7, 3, st_gcn_graph(), linear=linear).eval()
    plain.load_state_dict(weights)
    inputs = probe_input(2, 3, 32, 25, 2)
    torch.testing.assert_close(logits(tmp_path, to_keypoints(inputs)), plain(inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "prefix"), [("agcn", "module."), ("st_gcn", "module."), ("st_gcn", "encoder_q.")])
def test_wrappers_of_the_official_code_make_no_difference(tmp_path, name, prefix):
    weights = official(name, 5)
    wrapped = {prefix + key: value for key, value in weights.items()}
    if prefix == "encoder_q.":  # a momentum-contrast file holds more
        wrapped |= {"encoder_k." + key: value + 1 for key, value in weights.items()}
        wrapped |= {"queue": torch.zeros(8, 4), "queue_ptr": torch.zeros(1, dtype=torch.long)}
    assert convert(scripts[name], tmp_path, weights) == 0
    plain = load_file(tmp_path / "out" / "model.safetensors")
    assert convert(scripts[name], tmp_path, wrapped) == 0
    result = load_file(tmp_path / "out" / "model.safetensors")
    assert result.keys() == plain.keys() and all(torch.equal(result[key], plain[key]) for key in plain)


@pytest.mark.parametrize("name", ["agcn", "st_gcn"])
def test_folder_works_in_a_pipeline_with_the_given_names(tmp_path, name):
    flags = ("--class-names", "ntu-rgbd", "--data", "NTU RGB+D 120")
    assert convert(scripts[name], tmp_path, official(name, 120), *flags) == 0
    pipe = pipeline("action-classification", model=str(tmp_path / "out"), device="cpu")
    keypoints = np.random.default_rng(0).normal(size=(1, 6, 25, 3))
    (person,) = pipe(keypoints, layout="ntu-25", fps=30, unit="metre", top_k=None)
    assert {score["label"] for score in person["scores"]} == set(motionhub.READERS["ntu-rgbd"].class_names)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "NTU RGB+D 120" in card and f"conversion/{name}.py" in card


@pytest.mark.parametrize(("name", "folder"), [("agcn", "agcn-ntu60"), ("st_gcn", "st-gcn-ntu60")])
def test_like_takes_processor_names_and_card_from_a_published_folder(tmp_path, name, folder):
    assert convert(scripts[name], tmp_path, official(name), "--like", folder) == 0
    stated = AutoProcessor.from_pretrained(ROOT / "hub_configs" / folder)
    assert AutoProcessor.from_pretrained(tmp_path / "out").to_dict() == stated.to_dict()
    model = motionhub.AutoModelForActionClassification.from_pretrained(tmp_path / "out")
    assert model.config.id2label[42] == "falling"


def test_weights_without_a_classifier_become_the_bare_encoder(tmp_path):
    weights = {key: value for key, value in official().items() if not key.startswith("fc.")}
    assert convert(scripts["agcn"], tmp_path, weights) == 0
    assert type(AutoModel.from_pretrained(tmp_path / "out")) is motionhub.AgcnModel


def test_verification_finds_a_single_wrong_weight(tmp_path):
    weights = official()
    assert convert(scripts["agcn"], tmp_path, weights) == 0
    path = tmp_path / "out" / "model.safetensors"
    tensors = load_file(path)
    tensors["encoder.blocks.3.spatial.value.weight"] = tensors["encoder.blocks.3.spatial.value.weight"].flip(0)
    save_file(tensors, path, metadata={"format": "pt"})
    verify = sys.modules["graph_models"].verify
    with pytest.raises(ValueError, match="differs from the official formulas"):
        verify(scripts["agcn"].AGCN, weights, tmp_path / "out")


def changed(name, **entries):
    """Official weights with entries replaced (None: taken out)."""
    weights = {**official(name, 5), **{key.replace("__", "."): value for key, value in entries.items()}}
    return {key: value for key, value in weights.items() if value is not None}


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("agcn", lambda: {"conv1.weight": torch.zeros(3, 3)}, "not a 2s-AGCN checkpoint"),
        ("agcn", lambda: official("st_gcn", 5), "not a 2s-AGCN checkpoint"),
        ("st_gcn", lambda: official("agcn", 5), "not a ST-GCN checkpoint"),
        ("agcn", lambda: changed("agcn", l4__tcn1__conv__weight=None), "blocks.3.temporal.conv.weight"),
        ("agcn", lambda: changed("agcn", l2__gcn1__bn__weight=None), "l2.gcn1.bn.weight"),
        ("agcn", lambda: changed("agcn", l4__gcn1__DepM=torch.zeros(2)), "l4.gcn1.DepM"),
        ("st_gcn", lambda: changed("st_gcn", st_gcn_networks__4__gcn__conv__bias=None), "blocks.4.spatial.value.bias"),
        ("st_gcn", lambda: changed("st_gcn", edge_importance__3=None), "blocks.3.spatial.importance"),
        ("st_gcn", lambda: changed("st_gcn", A=st_gcn_graph().flip(1)), "not the spatial configuration of layout"),
    ],
)
def test_what_does_not_fit_is_listed(tmp_path, capsys, name, weights, expected):
    assert convert(scripts[name], tmp_path, weights()) == 1
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--num-people", "1"], "num_people"),
        (["--layout", "posetics-17"], "17 joints"),
        (["--class-names", "n-ucla"], "60 classes"),
        (["--like", "nowhere"], "nowhere"),
    ],
)
def test_flags_that_contradict_the_weights(tmp_path, capsys, flags, expected):
    assert convert(scripts["agcn"], tmp_path, official(), *flags) == 1
    assert expected in capsys.readouterr().err


@pytest.mark.slow
def test_it_runs_from_the_command_line(tmp_path):
    torch.save(official("st_gcn", 5), tmp_path / "official.pt")
    command = [sys.executable, str(ROOT / "conversion" / "st_gcn.py"), str(tmp_path / "official.pt")]
    run = subprocess.run([*command, str(tmp_path / "out")], capture_output=True, text=True, check=True)
    assert "verified against the official formulas" in run.stdout
