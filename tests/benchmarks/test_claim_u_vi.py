"""The claim on U-VI: what trains is never tested, every arm learns what its name says, gates by hand."""

import sys

import numpy as np
import pytest
import torch
from helpers import load_script


@pytest.fixture(scope="module")
def claim():
    return load_script("benchmarks/claims/u_vi.py")


@pytest.fixture
def drawn():
    """What `load` gives, of noise: a clip of each style of Bandai-Namco."""
    generator = torch.Generator().manual_seed(0)

    def clips(count):
        return torch.randint(256, (count, 16, 64, 64), generator=generator, dtype=torch.uint8)

    grades = torch.arange(5)
    return {
        "bandai": {view: clips(7) for view in ("front", "side", "between")},
        "bandai labels": torch.arange(7) % 2,
        "bandai setups": torch.arange(7),
        "utd": {view: clips(2) for view in ("front", "side")},
        "utd labels": torch.tensor([0, 1]),
        "real": clips(2),
        "real labels": torch.tensor([0, 1]),
        "real subjects": torch.tensor([1, 2]),
        **{f"{name} train": ({"front": clips(5)}, grades) for name in ("squat", "sit down")},
        **{f"{name} test": ({"front": clips(5), "side": clips(5)}, grades) for name in ("squat", "sit down")},
    }


def test_styles_that_test_never_train_and_choosing_sees_nothing_recorded(claim, drawn):
    measured, chosen = claim.split(drawn, False), claim.split(drawn, True)
    names = ("active", "elderly", "exhausted", "feminine", "masculine", "normal", "youthful")
    styles = {name: number for number, name in enumerate(names)}
    held = [styles[name] for name in ("exhausted", "masculine", "youthful")]
    assert torch.equal(measured["test"]["side"], drawn["bandai"]["side"][held])
    assert torch.equal(chosen["test"]["side"], drawn["bandai"]["side"][[styles["elderly"]]])
    assert len(measured["train"]["front"]) == 4 and len(chosen["train"]["front"]) == 3
    assert measured["takes"].shape == (4 + 2, 2, 16, 64, 64)
    assert torch.equal(measured["takes"][0, 1], measured["train"]["side"][0])
    assert not any(name.startswith(("real", "squat", "sit down")) for name in chosen)


@pytest.mark.slow
def test_every_arm_trains_two_updates_and_is_judged_in_every_column(claim, drawn, monkeypatch):
    monkeypatch.setattr(claim, "HEAD_UPDATES", 1)
    data = claim.split(drawn, False)
    weights = {}
    for arm in claim.ARMS:
        model = claim.trained(arm, data["takes"], 2, 0)
        weights[arm] = model.pose_encoder.points.weight.detach()
    assert len({tuple(weight.flatten().tolist()) for weight in weights.values()}) == len(weights)
    again = claim.trained("U-VI", data["takes"], 2, 0)
    assert torch.equal(again.pose_encoder.points.weight, weights["U-VI"])
    assert set(claim.scores_of(again, data, 0)) == set(claim.COLUMNS)
    assert set(claim.scores_with_labels(again, data, 1, 0)) == {"front", "side"}


def test_the_recorded_clips_of_a_person_are_named_by_what_the_others_taught(claim, monkeypatch):
    taught = []

    def by_mark(train, labels, tests, seed):
        taught.append(train.flatten().tolist())
        return [nn_one_hot(tests[0])]

    def nn_one_hot(clips):
        return torch.nn.functional.one_hot(clips.flatten().long() % 2, 2).float()

    monkeypatch.setattr(claim, "probed", by_mark)
    clips, subjects = torch.tensor([10.0, 11.0, 20.0, 21.0])[:, None, None], torch.tensor([1, 1, 2, 2])
    assert claim.other_person(clips, torch.tensor([0, 1, 0, 0]), subjects, 0) == 0.75
    assert taught == [[20.0, 21.0], [10.0, 11.0]]


def test_raw_images_are_averages_of_four_by_four_pixels(claim):
    image = torch.arange(64 * 64).view(64, 64) % 200
    made = claim.features(None, image.to(torch.uint8)[None, None])
    assert made.shape == (1, 1, 256)
    torch.testing.assert_close(made[0, 0, 17], image[4:8, 4:8].float().mean() / 255)


def test_gates_by_hand(claim):
    columns = {
        "U-VI": {"side": [0.5, 0.6], "code": [0.3, 0.3]},
        "rec": {"side": [0.3, 0.4], "code": [0.9, 0.9]},
        "rec + equiv": {"code": [0.5, 0.7]},
    }
    results = {
        arm: {str(seed): {name: values[seed] for name, values in given.items()} for seed in range(2)}
        for arm, given in columns.items()
    }
    lines = claim.gates(results)
    assert lines[0].startswith("- U-VI - rec, side (seeds 0, 1): +20.0 (standard error 0.0, ")
    assert lines[0].endswith("needed above 10.0: holds")
    assert lines[1] == "- U-VI against rec + equiv: codes of two cameras 50 % nearer, needed 50 %: holds"
    assert "| U-VI | - | 55.0 ± 7.1 |" in claim.table(results)[2]
    assert claim.table(results)[2].endswith("| 67.5 | 74.8 |") and "paper, depth" in claim.table(results)[0]


def test_the_pose_encoder_learns_at_half_the_rate_and_every_weight_once(claim):
    network = claim.SlowPoses().prepare(claim.UViModel(claim.UViConfig(**claim.SIZES)), None)
    (optimizer,) = claim.SlowPoses().optimizers(network, 0.1)
    slow, others = optimizer.param_groups
    assert (slow["lr"], others["lr"]) == (0.05, 0.1)
    assert {id(weight) for weight in slow["params"]} == {id(w) for w in network.model.pose_encoder.parameters()}
    owned = [id(weight) for group in (slow, others) for weight in group["params"]]
    assert sorted(owned) == sorted(id(weight) for weight in network.parameters())


def test_a_shorter_clip_gives_frames_more_than_once_and_cameras_stand_where_they_are_said(claim):
    clips = sys.modules["u_vi_clips"]
    assert sys.modules["motions"].spread(32, 16)[:2] == [1, 3] and sys.modules["motions"].spread(4, 8) == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    cameras = clips.cameras_at([0.0, 90.0], np.random.default_rng(0))
    assert abs(cameras[0].azimuth) <= 15 and abs(cameras[1].azimuth - 90) <= 15
