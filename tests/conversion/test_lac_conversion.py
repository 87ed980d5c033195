"""`python conversion/lac.py`: what the official code would save is converted, what its authors published is named."""

import pytest
import torch
from helpers import load_script
from official_unik import official_shapes, probe
from transformers import AutoModel, AutoProcessor, pipeline

import motionhub
from motionhub.models.lac import LacModel
from motionhub.models.unik import UnikForActionSegmentation, UnikModel


lac = load_script("conversion/lac.py")


def generator(rows=15):
    widths = {"mot_encoder": ((1, 64, 2 * rows), (4, 96, 64), (7, 160, 96)), "decoder": ((2, 128, 160), (7, 64, 128))}
    widths["decoder"] += ((12, 2 * rows, 64),)
    random = torch.Generator().manual_seed(0)
    entries = {"mot_encoder.v": torch.randn(160, 160, generator=random)}
    for module, layers in widths.items():
        for index, size, before in layers:
            kernel = 8 if module == "mot_encoder" else 7
            weight = torch.randn(size, before, kernel, generator=random) / (before * kernel) ** 0.5
            entries |= {f"{module}.model.{index}.weight": weight, f"{module}.model.{index}.bias": torch.zeros(size)}
    return entries


@torch.no_grad()
def test_a_generator_of_the_official_code_retargets_in_the_pipeline(tmp_path, capsys):
    torch.save(generator(), tmp_path / "model_epoch300.pth")
    assert lac.main([str(tmp_path / "model_epoch300.pth"), str(tmp_path / "out")]) == 0
    assert "generator, 13 entries, 427,678 parameters" in capsys.readouterr().out
    model = motionhub.AutoModelForMotionRetargeting.from_pretrained(tmp_path / "out")
    assert type(model) is LacModel
    mean = AutoProcessor.from_pretrained(tmp_path / "out").mean
    assert mean[0][1] == pytest.approx(-78.24853, abs=1e-5)  # the statistics of the official rows
    clip = motionhub.SkeletonSequence(
        100 + 20 * torch.randn(1, 30, 15, 2).numpy(), "lac-15", 30, "pixel", image_size=(640, 480)
    )
    made = pipeline("motion-retargeting", model=str(tmp_path / "out"))(clip, clip)
    made = made["sequence"] if isinstance(made, dict) else made
    assert made.keypoints.shape == clip.keypoints.shape


def test_another_number_of_rows_needs_its_layout(tmp_path, capsys):
    torch.save(generator(rows=17), tmp_path / "com17.pth")
    assert lac.main([str(tmp_path / "com17.pth"), str(tmp_path / "out")]) == 1
    assert "--layout" in capsys.readouterr().err
    assert lac.main([str(tmp_path / "com17.pth"), str(tmp_path / "out"), "--layout", "posetics-17"]) == 0
    assert "431,522 parameters" in capsys.readouterr().out


def test_the_published_file_is_recognised_as_another_network(shared, tmp_path, capsys):
    """The real file: LAC's `pretrained_generator.pth` is byte for byte this one."""
    source = shared("checkpoints/aberman2019/pretrained_view.pth")
    assert lac.main([str(source), str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "not LAC's generator" in said and "conversion/aberman2019.py" in said
    assert not (tmp_path / "out").exists()


def test_a_segmenter_and_a_pre_trained_encoder_without_unused_biases(tmp_path, capsys):
    official = probe(official_shapes(51, 17, 2, 1, 3, 2, unused_bias=False))
    torch.save(official, tmp_path / "tsu.pt")
    assert lac.main([str(tmp_path / "tsu.pt"), str(tmp_path / "tsu")]) == 0
    assert "segmenter, 352 entries, 3,456,601 parameters" in capsys.readouterr().out
    model = motionhub.AutoModelForActionSegmentation.from_pretrained(tmp_path / "tsu")
    assert type(model) is UnikForActionSegmentation and model.config.num_labels == 51
    moco = {f"module.encoder_q.{key}": value for key, value in official.items() if not key.startswith("fc.")}
    moco |= {f"module.encoder_k.{key}": value + 1 for key, value in official.items()}
    moco |= {"module.encoder_q.fc.0.weight": torch.zeros(256, 256), "module.queue": torch.zeros(128, 8, 30)}
    torch.save(moco, tmp_path / "moco.pt")
    assert lac.main([str(tmp_path / "moco.pt"), str(tmp_path / "moco")]) == 0
    encoder = AutoModel.from_pretrained(tmp_path / "moco")
    assert type(encoder) is UnikModel
    theirs = model.encoder.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize("change", ["missing", "unknown", "other"])
def test_damaged_and_foreign_files_are_reported(change, tmp_path, capsys):
    entries = generator()
    if change == "missing":
        del entries["decoder.model.7.weight"]
    elif change == "unknown":
        entries["decoder.model.9.weight"] = torch.zeros(3)
    else:
        entries = {"conv1.weight": torch.zeros(3)}
    torch.save(entries, tmp_path / "file.pth")
    assert lac.main([str(tmp_path / "file.pth"), str(tmp_path / "out")]) == 1
    assert {"missing": "lacks", "unknown": "others", "other": "Expected LAC's"}[change] in capsys.readouterr().err
