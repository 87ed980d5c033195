"""`python conversion/via.py`: a file of the official encoder becomes a folder with its codes, others are refused."""

import numpy as np
import torch
from helpers import load_script
from official_unik import probe_input, to_keypoints
from official_via import official_entries
from transformers import AutoModel, AutoProcessor


via = load_script("conversion/via.py")


def convert(via, folder, entries, *flags):
    torch.save(entries, folder / "official.pt")
    return via.main([str(folder / "official.pt"), str(folder / "out"), *flags])


@torch.no_grad()
def test_a_converted_file_gives_the_golden_codes(tmp_path, shared, capsys):
    golden = np.load(shared("golden/via.npz"))
    wrapped = {f"module.mot_encoder.{key}": value for key, value in official_entries().items()}
    assert convert(via, tmp_path, {**wrapped, "module.decoder.model.2.weight": torch.zeros(1)}) == 0
    assert "361 entries, layout lac-15, 64 directions" in capsys.readouterr().out
    model = AutoModel.from_pretrained(tmp_path / "out")
    motion = model(to_keypoints(probe_input(2, 2, 64, 15, 1))).motion
    np.testing.assert_allclose(motion[:, 0].transpose(1, 2), golden["ViA_m"], atol=1e-5)
    assert AutoProcessor.from_pretrained(tmp_path / "out").layout == "lac-15"
    card = (tmp_path / "out" / "README.md").read_text()
    assert "The decoder is not in the file" in card and "15 joints" in card


def test_the_number_of_directions_is_read_from_the_file(tmp_path, capsys):
    assert convert(via, tmp_path, official_entries(directions=32, joints=17), "--coordinate-order", "official") == 0
    config = AutoModel.from_pretrained(tmp_path / "out").config
    assert (config.num_directions, config.layout, config.coordinate_order) == (32, "posetics-17", "official")
    assert "verified" in capsys.readouterr().out


def test_other_files_are_refused_in_one_line(tmp_path, capsys):
    entries = official_entries()
    aberman = {
        "mot_encoder.model.1.weight": torch.zeros(64, 30, 8),
        "decoder.model.2.weight": torch.zeros(128, 160, 7),
    }
    without = {key: value for key, value in entries.items() if key != "v"}
    incomplete = {key: value for key, value in entries.items() if key != "l3.t_unit.conv.weight"}
    for file, reason in [
        (aberman, "conversion/aberman2019.py"),
        (without, "no directions 'v'"),
        (incomplete, "1 weights not in the file: encoder.blocks.2.temporal.conv.weight"),
    ]:
        assert convert(via, tmp_path, file) == 1
        said = capsys.readouterr().err
        assert reason in said and said.count("\n") == 1
        assert not (tmp_path / "out").exists()
    assert convert(via, tmp_path, entries, "--layout", "ntu-25") == 1
    assert "15 joints" in capsys.readouterr().err
