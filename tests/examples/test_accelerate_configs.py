"""examples/accelerate: every config is one that Accelerate loads, and sets what its first lines say."""

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_multi_gpu_env


FOLDER = Path(__file__).parents[2] / "examples" / "accelerate"
KINDS = {"ddp": "MULTI_GPU", "ddp_two_nodes": "MULTI_GPU", "fsdp2": "FSDP", "deepspeed_zero2": "DEEPSPEED"}


def test_every_config_has_its_row_here():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_config_is_loaded_by_accelerate_with_its_kind(name):
    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    assert config.distributed_type == DistributedType(KINDS[name])
    assert config.num_processes % config.num_machines == 0
    assert config.mixed_precision == "bf16" and not config.use_cpu


def test_two_machines_meet_at_one_address():
    config = load_config_from_file(str(FOLDER / "ddp_two_nodes.yaml"))
    assert (config.num_machines, config.rdzv_backend) == (2, "c10d")
    assert config.main_process_ip and config.main_process_port


def test_fsdp_is_version_2_and_saves_whole_weights():
    config = load_config_from_file(str(FOLDER / "fsdp2.yaml")).fsdp_config
    assert (config["fsdp_version"], config["fsdp_state_dict_type"]) == (2, "FULL_STATE_DICT")
    options = [f"--{name}={value}" for name, value in config.items()]
    few = ["--use_fsdp", "--num_processes=2", "--num_machines=1", "--mixed_precision=bf16"]
    parsed = launch_command_parser().parse_args([*few, *options, "script.py"])
    environment = prepare_multi_gpu_env(parsed)
    assert environment["ACCELERATE_USE_FSDP"] == "true" and environment["FSDP_VERSION"] == "2"
    assert environment["FSDP_RESHARD_AFTER_FORWARD"] == "true"


def test_deepspeed_shares_out_gradients_and_optimizer_but_not_weights():
    assert load_config_from_file(str(FOLDER / "deepspeed_zero2.yaml")).deepspeed_config["zero_stage"] == 2
