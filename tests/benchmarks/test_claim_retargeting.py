"""The claim on retargeting: arms are what their names say, and gates compare the seeds that both arms have."""

import pytest
import torch
from helpers import load_script

from motionhub.augment.view_params import draw_views
from motionhub.models.via import ViaForMotionRetargeting
from motionhub.objectives.joint_forward import JointForward
from motionhub.objectives.via import ViaPairs
from motionhub.skeletons.layouts import get_layout


LAYOUT = get_layout("smarthome-15")


@pytest.fixture(scope="module")
def retargeting():
    return load_script("benchmarks/claims/retargeting.py")


@pytest.fixture
def task(retargeting):
    return retargeting.Task(LAYOUT, 2, None, {})


def loss_of_the_right_answers(objective, clips):
    """What an objective says of a model that retargets without error."""
    number, frames, joints = clips.shape[:3]
    batch = {
        "keypoints": clips.unsqueeze(1),
        "joint_mask": torch.ones(number, 1, frames, joints, dtype=torch.bool),
        "attention_mask": torch.ones(number, 1, frames, dtype=torch.bool),
        "seeds": torch.arange(number),
    }
    looks = draw_views(JointForward(batch["seeds"]).seeds, objective.ranges)
    objective.num_dims = 2

    def model(keypoints, attention_mask, everyone, partners):
        return keypoints, objective._seen(batch, looks.of(partners))[0]

    return float(objective(model, batch)["loss"])


def test_right_answers_have_no_error_but_where_partners_are_wrong(retargeting):
    torch.manual_seed(0)
    clips = torch.randn(4, 8, 15, 3)
    assert loss_of_the_right_answers(ViaPairs(LAYOUT), clips) == pytest.approx(0, abs=1e-6)
    assert loss_of_the_right_answers(retargeting.WrongPartner(LAYOUT), clips) > 0.1


def test_partners_are_wrong_in_their_motion_alone(retargeting):
    torch.manual_seed(0)
    same = torch.randn(1, 8, 15, 3).expand(4, -1, -1, -1)
    assert loss_of_the_right_answers(retargeting.WrongPartner(LAYOUT), same) == pytest.approx(0, abs=1e-6)


def test_directions_are_learned_orthogonal_or_neither(retargeting, task):
    torch.manual_seed(0)
    bases = {
        arm: retargeting.untrained(arm, task)[0].via.basis for arm in ("ViA K=32", retargeting.FREE, retargeting.FIXED)
    }
    for arm, basis in bases.items():
        columns = basis().detach()
        apart = float((columns.T @ columns - torch.eye(32)).abs().max())
        assert (apart < 1e-5) == (arm != retargeting.FREE)
        assert basis.directions.requires_grad == (arm != retargeting.FIXED)
    assert retargeting.untrained("no decomposition", task)[0].via.basis is None


def test_an_untrained_model_is_that_of_its_seed(retargeting, task):
    model = retargeting.learned(task, retargeting.UNTRAINED, 3, 100, "no")
    torch.manual_seed(3)
    again = ViaForMotionRetargeting(retargeting.small_config(LAYOUT, 2, 32))
    for name, value in again.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)


def with_errors(**errors):
    return {
        arm: {str(seed): {"cross MSE": value} for seed, value in enumerate(values)} for arm, values in errors.items()
    }


def test_ratios_are_of_the_seeds_that_both_arms_have(retargeting):
    results = with_errors(**{"ViA K=32": [0.1, 0.1], "no decomposition": [0.15, 0.18, 9.0]})
    assert retargeting.gates(results) == ["- no decomposition / ViA K=32 = 1.65 (seeds 0, 1), at least 1.6: holds"]
    results["ViA K=2"] = {"1": {"cross MSE": 0.11}}
    assert retargeting.gates(results)[1].endswith("= 1.10 (seed 1), at least 1.15: FAILS")


def test_the_table_has_mean_deviation_and_ratio(retargeting):
    lines = retargeting.table(with_errors(**{"ViA K=32": [0.1, 0.2], "copy the source": [0.3]}))
    assert lines[2:] == ["| ViA K=32 | 0, 1 | 0.1500 | 0.0707 | 1.00 |", "| copy the source | 0 | 0.3000 | - | 2.00 |"]
