"""The pre-training of ViA and LAC through the trainer: interrupted and resumed bit for bit, two processes are one."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_retargeting
from forked import in_processes
from helpers import read_json
from toy_retargeting import CutOff, pretrain
from toy_training import toy_recipe

from motionhub.objectives.joint_forward import JointForward, padded_alike


@pytest.mark.parametrize("stage", ["via-pairs", "via-cycle", "lac-pairs"])
def test_cut_off_in_the_second_epoch_and_resumed_equals_three_epochs_bit_for_bit(stage: str, tmp_path: Path) -> None:
    shape = {"epochs": 3, "milestones": [2], "checkpoint_updates": 2, "learning_rate": 0.02}
    whole = pretrain(stage, toy_recipe(tmp_path / "whole", **shape), 0.3)
    recipe = toy_recipe(tmp_path / "cut", **shape)
    with pytest.raises(CutOff):
        pretrain(stage, recipe, 0.3, cut_off=6)
    progress = read_json(tmp_path / "cut" / "last" / "state" / "progress.json")["progress"]
    assert (progress["epoch"], progress["epoch_updates"]) == (1, 1)
    resumed = pretrain(stage, recipe, 0.3)
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    if stage == "via-cycle":
        assert set(resumed["clusters"]) == {0, 1, 2}
        assert resumed["bank.seen"].all() and int(resumed["updates"]) == 9


@pytest.mark.slow
def test_two_processes_equal_one_with_the_same_clusters_and_queues_in_both(tmp_path: Path) -> None:
    shape = {"epochs": 2, "milestones": [], "learning_rate": 0.02}
    stages = ("via-pairs", "via-cycle", "lac-pairs", "lac-contrast")
    recipes = {stage: asdict(toy_recipe(tmp_path / "two" / stage, num_processes=2, **shape)) for stage in stages}
    order = {"recipes": recipes, "report": str(tmp_path)}
    ended = in_processes(lambda _: toy_retargeting.main(order))
    assert [process.status for process in ended] == [0, 0], ended
    for stage in stages:
        alone = pretrain(stage, toy_recipe(tmp_path / "one" / stage, **shape))
        with np.load(tmp_path / f"{stage}-0.npz") as first, np.load(tmp_path / f"{stage}-1.npz") as second:
            assert alone.keys() == set(first) == set(second)
            for name in alone:
                np.testing.assert_array_equal(first[name], second[name], err_msg=name)
                np.testing.assert_allclose(first[name], alone[name], rtol=0, atol=5e-6, err_msg=f"{stage} {name}")


def test_clips_stand_in_the_order_of_their_seeds_and_the_last_meets_the_first() -> None:
    everyone = JointForward(torch.tensor([30, 10, 20]))
    assert everyone.seeds.tolist() == [10, 20, 30] and len(everyone) == 3
    assert everyone.own.tolist() == [2, 0, 1]
    assert everyone.of_all(torch.tensor([3, 1, 2]))[everyone.later(1)].tolist() == [1, 2, 3]
    present = everyone.of_all(torch.tensor([[True], [False], [True]]))
    assert present.dtype == torch.bool and present[everyone.own].tolist() == [[True], [False], [True]]
    batch = {"attention_mask": torch.ones(1, 1, 4, dtype=torch.bool)}
    assert padded_alike(batch) is batch  # alone
