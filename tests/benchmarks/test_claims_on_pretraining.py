"""The claims on pre-training and occlusion: what is compared is what the tables say, and the scripts run."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import read_json


CLAIMS = Path(__file__).resolve().parents[2] / "benchmarks" / "claims"


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The folder of the scripts, from which they import each other."""
    threads = torch.get_num_threads()
    sys.path.insert(0, str(CLAIMS))
    yield
    sys.path.remove(str(CLAIMS))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def motions(scripts):
    import motions

    return motions


def clips_of(motions, keypoints, labels, **columns):
    number = len(keypoints)
    given = {name: torch.tensor(columns.get(name, [-1] * number)) for name in ("subjects", "cameras", "setups")}
    return motions.Clips(keypoints, torch.ones(keypoints.shape[:3], dtype=torch.bool), torch.tensor(labels), **given)


def counted(motions, number=3, dims=2):
    """Clips whose every coordinate is the number of the frame."""
    frames = torch.arange(float(motions.STORED))[None, :, None, None]
    return clips_of(motions, frames.expand(number, -1, motions.LAYOUT.num_joints, dims), list(range(number)))


def a_body(motions, number=1, dims=3):
    return torch.randn(number, motions.STORED, motions.LAYOUT.num_joints, dims)


@pytest.fixture(scope="module")
def tiny(motions, tmp_path_factory):
    """A cache in which the datasets are random motions."""
    torch.manual_seed(0)
    folder, number = tmp_path_factory.mktemp("cache"), 28
    cycle = torch.arange(number)
    columns = {
        "bandai-namco": {"setups": (cycle % 7).tolist()},
        "utd-mhad": {},
        "n-ucla": {"cameras": (1 + cycle % 2).tolist(), "subjects": (cycle % 10).tolist()},
        "penn-action": {},
    }
    for name, given in columns.items():
        dims = 2 if name == "penn-action" else 3
        clips = clips_of(motions, a_body(motions, number, dims), (cycle % 3).tolist(), **given)
        torch.save(vars(clips), folder / f"{name}.pt")
    return folder


def test_test_windows_are_spread_over_the_clip_and_training_windows_are_ordered_parts_of_it(motions):
    clips = counted(motions)
    frames = motions.windows(clips, torch.tensor([2]), None)["keypoints"][0, 0, :, 0, 0]
    assert frames.tolist() == list(range(1, 64, 2))
    drawn = motions.windows(clips, torch.arange(3), torch.Generator().manual_seed(0))["keypoints"][:, 0, :, 0, 0]
    assert (drawn.diff(dim=1) > 0).all()
    assert (drawn[:, -1] - drawn[:, 0] >= 0.7 * 64 * 31 / 32 - 1).all()
    assert len(drawn.unique(dim=0)) == 3


def test_photographs_put_the_root_in_the_middle_or_else_the_mean_of_what_is_seen(motions):
    clips = clips_of(motions, 5 + a_body(motions, 2, 2), [0, 1])
    clips.seen[1, :, motions.ROOT] = False
    made = motions.photographs(motions.windows(clips, torch.arange(2), None))["keypoints"]
    torch.testing.assert_close(made[0, :, :, motions.ROOT], torch.zeros(1, 32, 2))
    others = [joint for joint in range(motions.LAYOUT.num_joints) if joint != motions.ROOT]
    torch.testing.assert_close(made[1][:, :, others].mean(2), torch.zeros(1, 32, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(made[1][:, :, others].square().sum(-1).mean(), torch.tensor(1.0))


def test_who_faces_a_kinect_has_the_left_hand_at_the_right_of_the_image_and_the_head_above(motions):
    points = torch.zeros(1, motions.STORED, motions.LAYOUT.num_joints, 3)
    points[..., 2] = 3.0  # metres before the camera; its x points to its left, where a person's right is
    points[:, :, motions.LAYOUT.index("left_wrist"), 0] = -1.0
    points[:, :, motions.LAYOUT.index("head"), 1] = 1.0
    batch = motions.windows(clips_of(motions, points, [0]), torch.tensor([0]), None)
    seen = motions.kinect_camera(batch)["keypoints"][0, 0, 0]
    assert seen[motions.LAYOUT.index("left_wrist"), 0] > 0.5
    assert seen[motions.LAYOUT.index("head"), 1] < -0.5


def test_few_rows_are_a_share_of_every_class_and_at_least_one(motions):
    labels = torch.tensor([0] * 40 + [1] * 3)
    rows = motions.few_rows(labels, 0.1, seed=0)
    assert labels[rows].bincount().tolist() == [4, 1]
    assert len(rows.unique()) == 5


def test_the_papers_probe_does_not_see_small_features_and_the_logistic_regression_does(motions):
    labels = torch.arange(200) % 4
    batch = {"labels": labels}

    def accuracies(scale):
        def features(_):
            return (scale * torch.eye(4)[labels]).numpy()

        return motions.probe(features, [batch], [batch])[0], motions.plain_probe(features, batch, batch, seed=0)

    assert accuracies(1.0) == (1.0, 1.0)
    logistic, plain = accuracies(1e-4)
    assert logistic == 1.0
    assert plain < 0.6


def test_labels_of_joined_datasets_do_not_meet(motions):
    both = motions.joined(counted(motions, 3), counted(motions, 2))
    assert both.labels.tolist() == [0, 1, 2, 3, 4]


def test_a_pool_gives_3d_and_2d_clips_in_the_order_asked_for(motions):
    import captioned_clips

    torch.manual_seed(0)
    solid, flat = (clips_of(motions, a_body(motions, 4, dims), [0, 1, 0, 1]) for dims in (3, 2))
    pool = captioned_clips.Pool([(flat, ["walk", "jump"]), (solid, ["jump", "sit down"])])
    rows = torch.tensor([5, 0, 7, 1])
    single = [pool.batch(rows[place : place + 1])["keypoints"] for place in range(4)]
    torch.testing.assert_close(pool.batch(rows)["keypoints"], torch.cat(single))
    part = captioned_clips.Part(pool, rows, [2, 0, 1])  # walk is 2, jump 0, sit down 1
    shown = captioned_clips.seen(part, torch.arange(4), torch.Generator().manual_seed(0))
    assert shown["labels"].tolist() == [1, 1, 1, 2]


def test_test_styles_views_and_clips_are_in_no_training_part(motions, tiny):
    import pretraining

    data = pretraining.Data(Path("nowhere"), tiny)
    held = {2, 4, 6}  # exhausted, masculine, youthful
    assert set(data.styles.setups.tolist()) == {0, 1, 3, 5}
    assert set(data.held_styles.setups.tolist()) == held
    assert not held & set(data.unlabelled.setups.tolist())
    train, test, _ = data.tasks["N-UCLA"]
    assert (set(train.cameras.tolist()), set(test.cameras.tolist())) == ({1}, {2})


def test_numbers_are_chosen_without_any_clip_that_results_are_reported_on(motions, tiny):
    import pretraining

    data, chosen = (pretraining.Data(Path("nowhere"), tiny, develop=develop) for develop in (False, True))
    used = {float(clip.sum()) for clip in chosen.held_styles.keypoints}
    assert used and not used & {float(clip.sum()) for clip in data.held_styles.keypoints}
    for task, parts in chosen.tasks.items():
        reported = {float(clip.sum()) for clip in data.tasks[task][1].keypoints}
        assert not reported & {float(clip.sum()) for part in parts[:2] for clip in part.keypoints}


def test_contrast_of_other_clips_wants_what_contrast_of_views_forbids(motions):
    import pretraining

    apart = torch.eye(4).repeat(2, 1)  # both views of each clip alike, clips at right angles
    losses = [float(pretraining.Views(shuffled)(lambda batch: apart, {})["loss"]) for shuffled in (False, True)]
    other = np.log(np.exp(10) + 6)
    np.testing.assert_allclose(losses, [other - 10, other], atol=1e-5)


def test_a_gate_compares_seeds_in_pairs(motions):
    import pretraining

    column = {"random weights": [0.2, 0.4, 0.3], "contrast of views": [0.35, 0.55, 0.45], "ViA pairs": [0.7, 0.2, 0.6]}
    results = {
        arm: {str(seed): {"any side": value} for seed, value in enumerate(values)} for arm, values in column.items()
    }
    results["random weights"]["7"] = {"any side": 0.9}  # a seed that the others do not have
    via, contrast = pretraining.gate_lines(results, pretraining.GATES)
    assert contrast.endswith(
        "+15.0 (standard error 0.0, 2 seeds would tell), needed above 10.0: holds"
    )  # the spread of the seeds is common to both arms
    assert via.endswith("FAILS")  # +50, -20, +30


def test_hiding_a_share_takes_that_many_joints_of_each_clip_for_all_its_frames(motions):
    import occlusion

    batch = motions.windows(clips_of(motions, 1 + a_body(motions, 4).abs(), [0] * 4), torch.arange(4), None)
    for share, left in ((0.0, 15), (0.3, 11), (0.7, 5)):  # 4.5 rounds to 4, 10.5 to 10
        made = occlusion.share_hidden(batch, share, torch.Generator().manual_seed(0))
        seen = (made["keypoints"] != 0).all(-1)
        assert (seen == made["joint_mask"]).all()
        assert (seen.sum(-1) == left).all()
        assert (seen == seen[:, :, :1]).all()


def test_occlusions_hide_the_same_from_every_arm_and_none_is_clean(motions):
    import occlusion

    batch = motions.windows(clips_of(motions, a_body(motions, 2), [0, 1]), torch.arange(2), None)
    first, second = occlusion.occlusions(batch), occlusion.occlusions(batch)
    assert torch.equal(first["none"]["keypoints"], batch["keypoints"])
    assert all(torch.equal(first[name]["keypoints"], second[name]["keypoints"]) for name in first)
    legs = [index for index, joint in enumerate(motions.LAYOUT.joints) if joint.endswith(("hip", "knee", "ankle"))]
    assert first["lower"]["keypoints"][..., legs, :].abs().max() == 0
    assert list(first)[6:] == ["10 %", "30 %", "50 %", "70 %"]


def test_a_cell_of_fewer_seeds_than_its_arm_names_them(motions):
    import pretraining

    results = {"labels": {"0": {"Penn 5 %": 0.5, "front": 0.25}, "1": {"front": 0.75}}}
    header, _, line = pretraining.table(results)
    assert header == "| arm | seeds | Penn 5 % | front |"
    assert line == "| labels | 0, 1 | 50.0 (seed 0) | 50.0 ± 35.4 |"


def test_training_shows_every_clip_once_an_epoch_and_again_in_every_view(motions, monkeypatch):
    shown = []

    class Objective(torch.nn.Module):
        num_views = 2

        def prepare(self, model, run):
            return model

        def ready(self):
            return True

        def settings(self):
            return {}

        def after_update(self, network):
            """Nothing to keep."""

        def forward(self, network, batch):
            shown.append(
                (batch["index"].tolist(), batch["keypoints"][:, 0, 0, 0, 0].tolist(), batch["seeds"].tolist())
            )
            return {"loss": network(**motions.inputs_of(batch)).pooler_output.square().mean()}

    def show(clips, rows, generator):
        return motions.windows(clips, rows, generator)

    clips = clips_of(motions, torch.arange(8.0)[:, None, None, None].expand(8, 64, 15, 2), [0] * 8)
    torch.manual_seed(0)
    motions.pretrained(motions.small_encoder(), Objective(), clips, show, epochs=2, seed=0, batch_size=4)
    assert len(shown) == 4
    for index, numbers, seeds in shown:
        assert index[:4] == index[4:] == [int(number) for number in numbers[:4]] and numbers[:4] == numbers[4:]
        assert len(set(seeds)) == 8
    assert sorted(shown[0][0][:4] + shown[1][0][:4]) == list(range(8))


@pytest.mark.slow
def test_a_run_again_replaces_its_numbers_and_keeps_the_others(motions, tiny, tmp_path, capsys):
    import pretraining

    words = ["--data", "nowhere", "--cache", str(tiny), "--quick", "--output", str(tmp_path / "numbers.json")]
    words += ["--encoders", str(tmp_path / "encoders")]
    assert pretraining.main([*words, "--seeds", "0"]) == 0
    first = read_json(tmp_path / "numbers.json")
    again = ["--seeds", "0", "1", "--arms", "random weights", "ViA pairs", "--shares", "0.05"]
    assert pretraining.main([*words, *again]) == 0
    printed = capsys.readouterr().out
    assert all(f"| {arm} |" in printed for arm in (*pretraining.ARMS, "raw coordinates"))
    numbers = read_json(tmp_path / "numbers.json")
    assert {arm: {"0": seeds["0"]} for arm, seeds in numbers.items()} == first  # encoders of files are the same
    assert "Penn 100 %" in first["ViA pairs"]["0"] and "Penn 100 %" not in numbers["ViA pairs"]["1"]
    assert set(numbers["OR-VPE"]) == {"0"}


@pytest.mark.slow
def test_the_tables_on_occlusion_have_every_arm(motions, tiny, capsys):
    import occlusion

    assert occlusion.main(["--data", "nowhere", "--cache", str(tiny), "--quick", "--seeds", "0"]) == 0
    printed = capsys.readouterr().out
    assert all(printed.count(f"| {arm} |") == 4 for arm in (*occlusion.ARMS, "raw coordinates"))
    assert "SubG-DA - no hiding, mean of parts" in printed
