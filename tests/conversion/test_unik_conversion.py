"""`python conversion/unik.py`: official files become folders with the official logits; wrong ones are refused."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import ROOT, load_script
from official_unik import official_shapes, probe, probe_input, to_keypoints
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoProcessor, pipeline

import motionhub


script = load_script("conversion/unik.py")
POSETICS = (320, 17, 2, 1, 3, 2)
NTU_TAU3 = (60, 25, 2, 3, 3, 3)
NTU_12_HEADS = (60, 25, 2, 1, 12, 3)
SMALL = (15, 17, 2, 1, 3, 2)


def official(sizes=SMALL, prefix="", half=False, unused_bias=True):
    weights = probe(official_shapes(*sizes, unused_bias=unused_bias))
    cast = {key: value.half() if half and value.is_floating_point() else value for key, value in weights.items()}
    return {prefix + key: value for key, value in cast.items()}


def convert(script, folder, weights, *flags):
    source = folder / "official.pt"
    torch.save(weights, source)
    return script.main([str(source), str(folder / "out"), *flags])


@torch.no_grad()
def logits(folder, keypoints, **changes):
    auto = motionhub.AutoModelForActionClassification
    return auto.from_pretrained(folder / "out", pooling="official", **changes).eval()(keypoints).logits


@pytest.mark.parametrize(
    ("sizes", "name", "shape"),
    [
        (POSETICS, "unik320_out", (2, 2, 32, 17, 2)),
        (NTU_TAU3, "unik60_tau3_out", (1, 3, 16, 25, 2)),
        (NTU_12_HEADS, "unik60_h12_out", (1, 3, 16, 25, 2)),
    ],
)
def test_converted_weights_give_the_golden_logits(tmp_path, shared, sizes, name, shape):
    golden = np.load(shared("golden/unik.npz"))[name]
    assert convert(script, tmp_path, official(sizes)) == 0
    np.testing.assert_allclose(logits(tmp_path, to_keypoints(probe_input(*shape))), golden, atol=1e-5)


def test_printed_probe_logits_without_the_golden_file(tmp_path):
    assert convert(script, tmp_path, official(POSETICS)) == 0
    result = logits(tmp_path, to_keypoints(probe_input(2, 2, 32, 17, 2)))
    np.testing.assert_allclose(result[0, :4], [0.019079, 1.251606, 2.202008, 2.663440], atol=2e-6)
    assert float(result.sum()) == pytest.approx(0.210706, abs=1e-4)


@pytest.mark.parametrize("prefix", ["", "module.", "model_action.", "module.model_action.", "model.module."])
def test_prefixes_make_no_difference(tmp_path, prefix):
    assert convert(script, tmp_path, official(prefix=prefix)) == 0
    result = load_file(tmp_path / "out" / "model.safetensors")
    expected = script.convert_state_dict(official())
    assert set(result) == set(expected)
    for key, value in expected.items():
        assert torch.equal(result[key], value)


def test_half_precision_and_a_file_without_the_unused_bias(tmp_path):
    assert convert(script, tmp_path, official(half=True, unused_bias=False)) == 0
    result = load_file(tmp_path / "out" / "model.safetensors")
    assert {value.dtype for value in result.values()} == {torch.float32, torch.int64}
    for key, value in script.convert_state_dict(official(unused_bias=False)).items():
        torch.testing.assert_close(result[key], value, atol=1e-3, rtol=1e-3)


def test_config_comes_from_the_shapes():
    for sizes, layout in ((POSETICS, "posetics-17"), (NTU_TAU3, "ntu-25"), (NTU_12_HEADS, "ntu-25")):
        config = script.build_config(official(sizes))
        found = (config.num_labels, config.num_joints, config.num_people, config.tau, config.num_heads)
        assert (*found, config.in_channels) == sizes
        assert (config.layout, config.first_block_heads, config.pooling) == (layout, 3, "official")
        assert config.channels == [64] * 4 + [128] * 3 + [256] * 3
        assert config.strides == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]


def test_everything_is_accounted_for(tmp_path, capsys):
    assert convert(script, tmp_path, official()) == 0
    assert "362 entries: 352 converted, 10 dropped" in capsys.readouterr().out


def test_folder_works_in_a_pipeline_with_the_given_names(tmp_path):
    assert convert(script, tmp_path, official(), "--class-names", "penn-action", "--data", "Penn Action") == 0
    pipe = pipeline("action-classification", model=str(tmp_path / "out"), device="cpu")
    keypoints = np.random.default_rng(0).uniform(0, 400, size=(1, 6, 17, 2))
    (person,) = pipe(keypoints, layout="posetics-17", fps=30, unit="pixel", top_k=None)
    assert {score["label"] for score in person["scores"]} == set(motionhub.READERS["penn-action"].class_names)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Penn Action" in card
    assert "Converted from official.pt" in card


def test_like_takes_processor_names_and_card_from_a_published_folder(tmp_path):
    assert convert(script, tmp_path, official(), "--like", str(ROOT / "hub_configs" / "unik-penn")) == 0
    stated = AutoProcessor.from_pretrained(ROOT / "hub_configs" / "unik-penn")
    assert AutoProcessor.from_pretrained(tmp_path / "out").to_dict() == stated.to_dict()
    assert "# UNIK on Penn Action" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    model = motionhub.AutoModelForActionClassification.from_pretrained(tmp_path / "out")
    assert model.config.id2label[3] == "bowl"


def test_weights_without_a_classifier_become_the_bare_encoder(tmp_path):
    weights = {key: value for key, value in official().items() if not key.startswith("fc.")}
    assert convert(script, tmp_path, weights) == 0
    assert type(AutoModel.from_pretrained(tmp_path / "out")) is motionhub.UnikModel


def test_verification_finds_a_single_wrong_weight(tmp_path):
    weights = official()
    assert convert(script, tmp_path, weights) == 0
    path = tmp_path / "out" / "model.safetensors"
    tensors = load_file(path)
    tensors["encoder.blocks.3.spatial.query.weight"] = tensors["encoder.blocks.3.spatial.query.weight"].flip(0)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="differs from the official formulas"):
        script.verify(weights, tmp_path / "out")


class Payload:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, capsys):
    trace = tmp_path / "ran"
    assert convert(script, tmp_path, {"fc.weight": Payload(trace)}) == 1
    assert "could run code" in capsys.readouterr().err
    assert not trace.exists()
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Payload(trace), protocol=2))
    assert script.main([str(tmp_path / "plain.pt"), str(tmp_path / "out")]) == 1
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"], ids=["empty", "text", "cut"])
def test_files_that_are_no_checkpoints(tmp_path, capsys, content):
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    assert script.main([str(path), str(tmp_path / "out")]) == 1
    assert f"{path} is not a PyTorch checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_truncated_and_absent_files(tmp_path, capsys):
    path = tmp_path / "cut.pt"
    torch.save(official(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert script.main([str(path), str(tmp_path / "out")]) == 1
    assert "not a PyTorch checkpoint" in capsys.readouterr().err
    assert script.main([str(tmp_path / "absent.pt"), str(tmp_path / "out")]) == 1
    assert "absent.pt cannot be read" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_reported_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    (tmp_path / "out").write_text("a file")
    assert convert(script, tmp_path, official()) == 1
    assert "error:" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "a file"

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(script.UnikForActionClassification, "save_pretrained", full)
    (tmp_path / "out").unlink()
    assert convert(script, tmp_path, official()) == 1
    assert "No space left" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def changed(**entries):
    """Official weights with entries replaced (None: taken out)."""
    weights = {**official(), **{key.replace("__", "."): value for key, value in entries.items()}}
    return {key: value for key, value in weights.items() if value is not None}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (lambda: {"conv1.weight": torch.zeros(3, 3)}, "not a UNIK checkpoint"),
        (lambda: {"epoch": 3, "state": "x"}, "dict of tensors"),
        (lambda: changed(l4__t_unit__conv__weight=None), "blocks.3.temporal.conv.weight"),
        (lambda: changed(encoder_q__v=torch.zeros(2)), "encoder_q.v"),
        (lambda: changed(l2__s_unit__bn__bias=torch.zeros(3)), r"spatial.norm.bias \(3,\) instead of \(64,\)"),
    ],
    ids=["another network", "no tensors", "missing", "unknown", "shape"],
)
def test_what_does_not_fit_is_listed(tmp_path, capsys, weights, expected):
    import re

    assert convert(script, tmp_path, weights()) == 1
    assert re.search(expected, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--heads", "12"], "num_heads"),
        (["--num-people", "1"], "num_people"),
        (["--tau", "3"], "tau"),
        (["--layout", "ntu-25"], "25 joints"),
        (["--layout", "postics-17"], "posetics-17"),
        (["--class-names", "n-ucla"], "15 classes"),
        (["--class-names", "nowhere.txt"], "nowhere.txt"),
        (["--like", "nowhere"], "nowhere"),
    ],
)
def test_flags_that_contradict_the_weights(tmp_path, capsys, flags, expected):
    assert convert(script, tmp_path, official(), *flags) == 1
    assert expected in capsys.readouterr().err


def test_joints_that_no_official_layout_has_need_a_name(tmp_path, capsys):
    weights = official((15, 13, 2, 1, 3, 2))
    assert convert(script, tmp_path, weights) == 1
    assert "--layout" in capsys.readouterr().err
    assert convert(script, tmp_path, weights, "--layout", "penn-13") == 0


@pytest.mark.slow
def test_it_runs_from_the_command_line(tmp_path):
    torch.save(official(), tmp_path / "official.pt")
    command = [
        sys.executable,
        str(ROOT / "conversion" / "unik.py"),
        str(tmp_path / "official.pt"),
        str(tmp_path / "out"),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "verified against the official formulas" in run.stdout
