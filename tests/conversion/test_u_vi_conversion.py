"""`python conversion/u_vi.py`: official files of any size become folders, others are refused in one line."""

import torch
from helpers import load_script
from official_u_vi import small_entries

from motionhub.models.u_vi import UViForActionClassification, UViModel


script_u_vi = load_script("conversion/u_vi.py")


def convert(script, folder, content):
    torch.save(content, folder / "official.pth")
    return script.main([str(folder / "official.pth"), str(folder / "out")])


def test_an_auto_encoder_keeps_every_entry_but_the_unused_norms(tmp_path, capsys):
    official = small_entries()
    assert convert(script_u_vi, tmp_path, {"state_dict": official}) == 0
    assert "5 points, 64 pixels a side" in capsys.readouterr().out
    model = UViModel.from_pretrained(tmp_path / "out")
    assert model.config.official
    used = [key for key in official if not key.startswith(("pose_encoder.bn",))]
    assert len(model.state_dict()) == len(used)
    entries = model.state_dict()
    assert torch.equal(entries["decoder.stages.0.0.weight"], official["decoder.dconv_up4.0.weight"])
    assert torch.equal(entries["decoder.stages.3.3.bias"], official["decoder.dconv_up1.3.bias"])
    assert torch.equal(entries["viewpoint_encoder.camera.weight"], official["view_encoder.lp2.weight"])


def test_a_classifier_keeps_its_head(tmp_path):
    official = small_entries(labels=4)
    assert convert(script_u_vi, tmp_path, official) == 0
    model = UViForActionClassification.from_pretrained(tmp_path / "out")
    assert model.config.num_labels == 4
    assert torch.equal(model.head.recurrent.weight_hh_l1_reverse, official["gru.weight_hh_l1_reverse"])
    assert torch.equal(model.projection.weight, official["lp4.weight"])


def test_other_files_are_refused_in_one_line(tmp_path, capsys):
    official = small_entries()
    missing = {key: value for key, value in official.items() if key != "decoder.dconv_up2.0.bias"}
    for content, reason in [
        ({"fc.weight": torch.zeros(2, 2)}, "This is no U-VI"),
        (missing, "does not fit U-VI"),
        ({**official, "attention.weight": torch.zeros(1)}, "are not U-VI's: attention.weight"),
        ({"state_dict": [1, 2]}, "expected tensors by name"),
    ]:
        assert convert(script_u_vi, tmp_path, content) == 1
        printed = capsys.readouterr()
        assert reason in printed.err and not printed.out
    assert not (tmp_path / "out").exists()
