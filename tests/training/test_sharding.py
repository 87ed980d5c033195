"""FSDP2 on two CPU processes: losses, weights, momentum encoder, queue and bank are those of one process."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_sharding
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env
from forked import in_processes
from helpers import read_json
from test_pretraining import assert_same
from torch import nn
from toy_pretraining import PoseEncoder, memory, pretrain
from toy_training import toy_recipe

from motionhub.objectives.momentum import MomentumEncoder, whole
from motionhub.training.processes import build_accelerator


CONFIG = Path(__file__).parents[2] / "examples" / "accelerate" / "fsdp2.yaml"


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.slow
def test_sharded_weights_and_every_memory_beside_them_are_those_of_one_process(tmp_path: Path) -> None:
    launched = launch_command_parser().parse_args(["--config_file", str(CONFIG), "script.py"])
    environment = prepare_multi_gpu_env(_validate_launch_command(launched)[0])
    chosen = {name: value for name, value in environment.items() if "FSDP" in name}
    recipe = toy_recipe(tmp_path / "two", epochs=2, num_processes=2, max_grad_norm=1.0, log_updates=1)
    order = {"recipe": asdict(recipe), "report": str(tmp_path), "environment": chosen}
    ended = in_processes(lambda _: toy_sharding.main(order))
    assert [process.status for process in ended] == [0, 0], ended
    shares = [read_json(tmp_path / f"rank{rank}.json") for rank in (0, 1)]
    assert sum(share["here"] for share in shares) == shares[0]["total"] and shares[1]["here"] > 0
    model, objective, _ = pretrain(toy_recipe(tmp_path / "one", epochs=2, max_grad_norm=1.0, log_updates=1))
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5)
    with np.load(tmp_path / "rank0.npz") as first, np.load(tmp_path / "rank1.npz") as second:
        assert_same(dict(first), dict(second))
        assert_same(memory(model, objective), dict(first), tolerance=3e-6)
    saved = PoseEncoder.from_pretrained(tmp_path / "two" / "last")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(saved.state_dict()[name], value, rtol=0, atol=3e-6)


def test_a_momentum_encoder_follows_the_whole_of_a_weight_that_is_shared_out() -> None:
    class SharedOut(torch.Tensor):
        """Half of a weight, as a process has it; `full_tensor` has all of it."""

        def full_tensor(self) -> torch.Tensor:
            half = self.as_subclass(torch.Tensor)
            return torch.cat([half, half + 1])

    half = torch.ones(2).as_subclass(SharedOut)
    assert whole(half).tolist() == [1, 1, 2, 2] and whole(torch.ones(2)).tolist() == [1, 1]
    slow, fast = MomentumEncoder(nn.Linear(1, 4, bias=False), 0.5), nn.Module()
    before = slow.network.weight.clone()
    fast.parameters = lambda: iter([torch.ones(2, 1).as_subclass(SharedOut)])  # type: ignore[method-assign]
    slow.update(fast)
    torch.testing.assert_close(slow.network.weight, (before + torch.tensor([[1.0], [1], [2], [2]])) / 2)


def test_fsdp_that_accelerate_would_leave_out_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="does not shard on CPUs"):
        build_accelerator(toy_recipe(tmp_path))
