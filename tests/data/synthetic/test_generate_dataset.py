"""The synthetic dataset: the same for the same seed, everything the mixture promises, readable by plain `datasets`."""

import numpy as np
import pytest
from datasets import load_dataset

from motionhub.cli.main import main
from motionhub.data.synthetic.dataset import Mixture, generate_dataset, generate_rows, save_generated
from motionhub.data.synthetic.generate import ACTIONS, Scene, crossing_people
from motionhub.skeletons.rows import COLUMNS, frame_labels_of, from_row
from motionhub.skeletons.tracking import track_people


def numbers_of(dataset) -> list[np.ndarray]:
    return [np.asarray(row["keypoints"], np.float32) for row in dataset]


def test_the_same_seed_gives_the_same_numbers_and_more_clips_begin_with_them():
    few, again, more = (generate_dataset(count, seed=5) for count in (6, 6, 8))
    for one, other, third in zip(numbers_of(few), numbers_of(again), numbers_of(more), strict=False):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)
    assert not np.array_equal(numbers_of(few)[0], numbers_of(generate_dataset(1, seed=6))[0], equal_nan=True)


def test_every_action_has_its_share_and_labels_name_it():
    alone = Mixture(pairs=0, crossings=0, compositions=0)
    dataset = generate_dataset(2 * len(ACTIONS), mixture=alone)
    assert len(ACTIONS) >= 16 and dataset.features["label"].names == list(ACTIONS)
    assert sorted(dataset["label"]) == sorted([*range(len(ACTIONS))] * 2)
    assert [ACTIONS[label] for label in dataset["label"]] == dataset["caption"][:]
    assert {*dataset["num_people"]} == {1} and {*dataset["camera"]} == {0, 1, 2}


def test_somebodys_bones_are_the_same_in_all_clips_and_differ_from_others():
    still = Mixture(0, 0, 0, noise=0, dropout=0, occlusion=0)
    arms: dict[int, list[float]] = {}
    for row in generate_rows(30, mixture=still, actions=["wave", "throw"]):
        clip = from_row(row)
        elbow, wrist = (clip.keypoints[0, :, clip.layout.index(f"right_{joint}")] for joint in ("elbow", "wrist"))
        arms.setdefault(row["subject"], []).append(float(np.linalg.norm(wrist - elbow, axis=-1).mean()))
    assert all(max(lengths) - min(lengths) < 1e-3 for lengths in arms.values())
    assert max(map(max, arms.values())) - min(map(min, arms.values())) > 0.02


def test_compositions_have_a_label_for_every_frame_in_the_order_of_the_caption():
    actions = ["clap", "wave", "bow"]
    for row in generate_rows(4, actions=actions, mixture=Mixture(0, 0, compositions=1)):
        labels = frame_labels_of(row)
        assert row["label"] == -1 and labels.shape == (row["num_frames"],) and {*labels} <= {-1, 0, 1, 2}
        starts = [label for label, before in zip(labels, [-1, *labels[:-1]], strict=True) if label >= 0 > before]
        assert [actions[label] for label in starts] == row["caption"].split(", then ")


def test_two_people_and_three_who_cross_are_in_the_clips():
    pairs = generate_dataset(3, mixture=Mixture(pairs=1, crossings=0, compositions=0))
    assert {*pairs["num_people"]} == {2}
    threes = generate_dataset(3, mixture=Mixture(0, crossings=1, compositions=0))
    assert {*threes["num_people"]} == {3} and {*threes["label"]} == {ACTIONS.index("walk around")}


@pytest.mark.parametrize("seed", range(3))
def test_three_crossing_people_walk_straight_through_the_middle_and_a_tracker_follows_them(seed):
    clip = crossing_people(seed=seed, scene=Scene(distance=5.0), num_frames=100)
    roots = clip.keypoints[:, :, clip.layout.index("mid_hip"), [0, 2]] - [0, 5.0]
    for path in roots:
        along = (path[-1] - path[0]) / np.linalg.norm(path[-1] - path[0])
        aside = (path - path[0]) @ np.array([-along[1], along[0]])
        assert np.abs(aside).max() < 0.1 and np.linalg.norm(path, axis=-1).min() < 0.75
    order = np.argsort(roots[:, :, 0], axis=0)  # from left to right in the image
    assert (order != order[:, :1]).any()
    frames = [
        people[np.random.default_rng(number).permutation(3)]
        for number, people in enumerate(clip.keypoints.swapaxes(0, 1))
    ]
    numbers = track_people(frames)
    for number, row in enumerate(numbers):
        shuffled = np.random.default_rng(number).permutation(3)
        assert [row[np.flatnonzero(shuffled == person)[0]] for person in range(3)] == [
            numbers[0][np.flatnonzero(np.random.default_rng(0).permutation(3) == person)[0]] for person in range(3)
        ]


def test_occlusion_hides_a_part_of_the_body_for_a_while():
    hidden = Mixture(0, 0, 0, noise=0, dropout=0, occlusion=1)
    shares = [from_row(row).joint_mask.mean(axis=(0, 2)) for row in generate_rows(6, mixture=hidden)]
    assert all(share.min() < 1 and share.max() == 1 for share in shares)


def test_a_saved_dataset_is_the_same_and_needs_only_datasets(tmp_path):
    folder = save_generated(tmp_path / "out", 5, seed=2, layout="coco-17", fps=20)
    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"), split="train")
    made = generate_dataset(5, seed=2, layout="coco-17", fps=20)
    assert loaded.column_names == list(COLUMNS) and loaded.features == made.features
    for one, other in zip(numbers_of(loaded), numbers_of(made), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {*loaded["layout"]} == {"coco-17"} and {*loaded["fps"]} == {20.0}
    assert "license: cc0-1.0" in (folder / "README.md").read_text()
    with pytest.raises(ValueError, match="not an empty folder"):
        save_generated(folder, 5)


def test_the_command_line_makes_the_same(tmp_path, capsys):
    words = ["dataset", "generate", "--out", str(tmp_path / "out"), "--num_clips", "2", "--seed", "7"]
    assert main(words) == 0
    assert "2 clips" in capsys.readouterr().out
    assert main(words) == 2
    assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_clips": 0},
        {"seed": -1},
        {"actions": ["dance"]},
        {"actions": []},
        {"actions": "wave"},
        {"fps": 0},
        {"layout": "x"},
    ],
)
def test_wrong_values_are_named_at_once(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        save_generated(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"pairs": -0.1}, {"pairs": 0.6, "compositions": 0.6}, {"occlusion": 2}, {"noise": -1}]
)
def test_shares_beyond_one_are_refused(wrong):
    with pytest.raises(ValueError):
        Mixture(**wrong)


def test_the_2d_dataset_is_the_images_of_the_3d_one(tmp_path, capsys):
    out = tmp_path / "pixels"
    assert main(["dataset", "generate", "--out", str(out), "--num_clips", "4", "--seed", "3", "--num_dims", "2"]) == 0
    rows = load_dataset(str(out), cache_dir=str(tmp_path / "cache"), split="train")
    for row, solid in zip(rows, generate_rows(4, seed=3), strict=True):
        picture, metres = from_row(row), from_row(solid)
        assert (picture.num_dims, picture.unit, picture.image_size) == (2, "pixel", (1920, 1080))
        assert row["label"] == solid["label"] and picture.num_frames == metres.num_frames
        shown = picture.joint_mask
        assert shown.mean() > 0.5 and not (shown & ~metres.joint_mask).any()
        x, y, z = np.moveaxis(metres.keypoints[shown].astype(np.float64), -1, 0)
        u, v = np.moveaxis(picture.keypoints[shown] - [960.0, 540.0], -1, 0)
        # A pinhole tilted by t has u (y sin t + z cos t) = -focal x: the two unknowns are linear.
        sine, cosine = np.linalg.lstsq(np.stack([u * y, u * z], axis=-1), -x, rcond=None)[0]
        focal = 1 / np.hypot(sine, cosine)
        assert 700 <= focal <= 1400
        np.testing.assert_allclose(u, -x / (sine * y + cosine * z), atol=0.1)
        np.testing.assert_allclose(v, -focal * (cosine * y - sine * z) / (sine * y + cosine * z), atol=0.1)
    assert "--num_dims 2" in (out / "README.md").read_text()
    with pytest.raises(ValueError, match="num_dims must be 2"):
        generate_rows(1, num_dims=4)


def test_parts_of_the_body_are_hidden_when_asked_for():
    bare = {"noise": 0, "dropout": 0, "occlusion": 0, "pairs": 0, "crossings": 0, "compositions": 0}
    for share, lost in ((0.0, 0), (1.0, 6)):
        rows = generate_rows(6, mixture=Mixture(**bare, hidden_parts=share))
        assert sum(not from_row(row).joint_mask.all() for row in rows) == lost
    with pytest.raises(ValueError, match="hidden_parts must be a probability"):
        Mixture(hidden_parts=2)
