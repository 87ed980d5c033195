"""examples/accelerate: what `accelerate launch --config_file` makes of every config."""

from argparse import Namespace
from pathlib import Path

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env


FOLDER = Path(__file__).parents[2] / "examples" / "accelerate"
KINDS = {"ddp": "multi_gpu", "ddp_two_nodes": "multi_gpu", "fsdp2": "use_fsdp", "deepspeed_zero2": "use_deepspeed"}


def launched(name: str) -> Namespace:
    """The arguments of a launch, which Accelerate checks before it starts anything."""
    given = launch_command_parser().parse_args(["--config_file", str(FOLDER / f"{name}.yaml"), "script.py"])
    return _validate_launch_command(given)[0]


def test_every_config_has_its_row_here():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_config_launches_its_kind_and_no_other(name):
    found = launched(name)
    assert {kind for kind in set(KINDS.values()) if getattr(found, kind)} == {KINDS[name]}
    assert found.num_processes % found.num_machines == 0
    assert prepare_multi_gpu_env(found)["ACCELERATE_MIXED_PRECISION"] == "bf16"


def test_two_machines_meet_at_one_address():
    found = launched("ddp_two_nodes")
    assert (found.num_machines, found.rdzv_backend) == (2, "static")
    assert found.main_process_ip and found.main_process_port


def test_fsdp_is_version_2_and_saves_whole_weights():
    environment = prepare_multi_gpu_env(launched("fsdp2"))
    assert (environment["ACCELERATE_USE_FSDP"], environment["FSDP_VERSION"]) == ("true", "2")
    assert environment["FSDP_STATE_DICT_TYPE"] == "FULL_STATE_DICT"
    assert environment["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "false"  # would leave weights of other processes empty


def test_deepspeed_shares_out_gradients_and_optimizer_but_not_weights():
    assert int(launched("deepspeed_zero2").zero_stage) == 2
