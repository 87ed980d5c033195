"""Checkpoints of commit 58fa04a load: the same names and shapes in every state dict, and the same outputs."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel

import motionhub.auto as classes


WRITTEN = Path(__file__).parent / "written_at_58fa04a"
FAMILIES = json.loads((WRITTEN / "families.json").read_text(encoding="utf-8"))


def wave(shape: list[int], start: int = 0) -> Tensor:
    return (torch.arange(float(torch.Size(shape).numel())) + start).sin().reshape(shape)


def stand_in(place: int, name: str, shape: list[int]) -> Tensor:
    """What `write.py` put in the place of a weight."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    made = wave(shape, place)
    return made.abs() + 0.5 if name.endswith("running_var") else made / 2


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_an_earlier_state_dict_loads_completely_and_gives_the_same_output(family, tmp_path):
    written = FAMILIES[family]
    entries = [entry.split(" ") for entry in written["state_dict"]]
    weights = {name: stand_in(place, name, [*map(int, shape)]) for place, (name, *shape) in enumerate(entries)}
    (tmp_path / "config.json").write_text(json.dumps(written["config"]), encoding="utf-8")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    model_class = getattr(classes, *written["config"]["architectures"])
    model, report = model_class.from_pretrained(tmp_path, output_loading_info=True)
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
        name: tensor.shape for name, tensor in weights.items()
    }
    assert not any(report.values()), report
    made = model.eval()(**{name: wave(shape) for name, shape in written["inputs"].items()})[written["output"]]
    torch.testing.assert_close(made.flatten()[:6], torch.tensor(written["expected"]), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_whose_class_has_another_name_today_loads():
    folder = WRITTEN / "retarget_net"
    assert AutoConfig.from_pretrained(folder).architectures == ["RetargetNet"]
    model, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    assert model.num_parameters() > 1000
