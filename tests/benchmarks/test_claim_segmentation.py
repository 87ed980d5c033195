"""The claim on segmentation: arms differ in what the table says and in nothing else, and the readout converges."""

from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import torch
from helpers import load_script, read_json

import motionhub
from motionhub.models.unik import UnikConfig, UnikForActionClassification
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.tasks.segmentation import FrameLabelDataset


NAMES = ["rest", "move"]


@pytest.fixture(scope="module")
def claim():
    return load_script("benchmarks/claims/segmentation.py")


def config(**changes):
    sizes = {"channels": [8, 8], "strides": [1, 2], "key_ratio": 4, "num_people": 1, "in_channels": 3}
    return UnikConfig(layout="kinect-20", num_joints=20, **sizes, **changes)


@pytest.fixture
def model(tmp_path):
    """A folder of config and processor, without weights."""
    folder = tmp_path / "model"
    config(architectures=["UnikForActionSegmentation"], problem_type="single_label_classification").save_pretrained(
        folder
    )
    motionhub.SkeletonProcessor(
        layout="kinect-20",
        normalization="centre",
        num_dims=3,
        num_people=1,
        num_frames=16,
        train_sampling="random-window",
        test_sampling="all",
    ).save_pretrained(folder)
    (folder / "training.json").write_text("{}")
    return str(folder)


@pytest.fixture
def splits():
    """Two recordings, in whose second half a wrist is far from the body."""
    rows = []
    for name in ("a", "b"):
        points = np.random.default_rng(0).normal(size=(1, 32, 20, 3)).astype(np.float32)
        points[:, 16:, 6] += 20
        labels = np.repeat([0, 1], 16)
        sequence = SkeletonSequence(points, layout=motionhub.get_layout("kinect-20"), fps=30.0, unit="metre")
        rows.append(to_row(sequence, clip_id=name, label=0, frame_labels=labels))
    made = datasets.Dataset.from_list(rows).cast_column("label", datasets.ClassLabel(names=NAMES))
    return {"train": made, "test": made}


def test_arms_of_a_seed_share_the_head_and_differ_in_the_encoder(claim, model, splits, tmp_path):
    torch.manual_seed(7)
    other = UnikForActionClassification(config(num_labels=5))
    other.save_pretrained(tmp_path / "encoder")
    arms = {"scratch": claim.Arm(model), "pre-trained": claim.Arm(model, str(tmp_path / "encoder"))}
    states = {}
    for name, arm in arms.items():
        folder = claim.starting_point(splits, arm, 3, tmp_path / name)
        loaded = motionhub.AutoModelForActionSegmentation.from_pretrained(folder)
        assert loaded.exclusive  # the loss is that of the model's folder, not of the encoder's
        states[name] = loaded.state_dict()
    scratch, started = states["scratch"], states["pre-trained"]
    torch.testing.assert_close(scratch["classifier.weight"], started["classifier.weight"], rtol=0, atol=0)
    for name, value in other.encoder.state_dict().items():
        torch.testing.assert_close(started[f"encoder.{name}"], value, rtol=0, atol=0)
    assert not torch.equal(
        scratch["encoder.blocks.0.temporal.conv.weight"], started["encoder.blocks.0.temporal.conv.weight"]
    )


def test_features_are_those_the_head_scores_with_the_class_of_their_frame(claim, model, splits, tmp_path):
    start = claim.starting_point(splits, claim.Arm(model), 0, tmp_path / "start")
    network, processor = claim.load_checkpoint(start, motionhub.AutoModelForActionSegmentation)
    windows = FrameLabelDataset(splits["train"], processor, training=True, seed=0)
    features, classes = claim.coarse_features(network, windows, 1)
    item = windows[0]
    with torch.no_grad():
        logits = network(item["keypoints"][None], attention_mask=item["attention_mask"][None]).logits[0, ::2]
        scored = network.classifier(torch.from_numpy(features[: len(logits)]))
    torch.testing.assert_close(scored, logits, rtol=1e-4, atol=1e-4)
    assert classes[: len(logits)].tolist() == item["labels"][::2].argmax(-1).tolist()


def test_the_readout_does_not_depend_on_the_scale_and_place_of_a_feature(claim):
    draw = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 100)
    features = draw.normal(size=(300, 4))
    features[np.arange(300), classes] += 8
    heads = []
    for scale, place in ((1.0, 0.0), (1e-3, 50.0)):
        head = torch.nn.Linear(4, 3).double()
        claim.fit_head(head, features * scale + place, classes)
        heads.append(head(torch.from_numpy(features * scale + place)))
    assert (heads[0].argmax(1).numpy() == classes).mean() > 0.99
    torch.testing.assert_close(*heads, rtol=1e-3, atol=1e-3)


def test_a_class_without_frames_is_never_answered(claim):
    features, head = np.eye(3, 4).repeat(20, axis=0), torch.nn.Linear(4, 5)
    claim.fit_head(head, features, np.array([0, 2, 3]).repeat(20))
    answers = head(torch.tensor(features, dtype=torch.float32)).argmax(-1)
    assert answers.tolist() == [0] * 20 + [2] * 20 + [3] * 20
    with pytest.raises(ValueError, match="three classes or more"):
        claim.fit_head(head, np.eye(4), np.array([0, 1, 0, 1]))


def test_augmentation_is_changed_in_a_copy(claim, model, tmp_path):
    before = read_json(Path(model) / "preprocessor_config.json")
    copied = claim.changed(model, tmp_path / "copy", mirror_probability=0.5)
    after = read_json(Path(copied) / "preprocessor_config.json")
    assert {name for name in after if before.get(name) != after[name]} == {"mirror_probability"}
    assert motionhub.SkeletonProcessor.from_pretrained(copied).augmentation.mirror_probability == 0.5


def test_a_generator_of_unit_extent_composes_clips_of_metres(claim):
    class Doubling:
        config = SimpleNamespace()

        def eval(self):
            return self

        def requires_grad_(self, wanted):
            return self

        def encode(self, rows):
            assert float(rows.max()) == 1.0
            return rows

        def decode(self, motion, static):
            return motion + static

    generator = claim.InMetres(Doubling(), 0.5)
    rows = torch.full((2, 3, 4), 0.5)
    assert torch.equal(generator.decode(generator.encode(rows), torch.zeros(2, 3, 1)), rows)


def test_what_one_hand_does_is_on_a_mirror_image_what_the_other_does(claim, model):
    layout, rows = motionhub.get_layout("kinect-20"), []
    for name in ("a", "b"):
        points = np.random.default_rng(0).normal(scale=0.01, size=(1, 60, 20, 3)).astype(np.float32)
        points[:, 20:40, layout.index("left_wrist"), 1] += 2
        points[:, 40:, layout.index("right_wrist"), 1] += 2
        sequence = SkeletonSequence(points, layout=layout, fps=30.0, unit="metre")
        rows.append(to_row(sequence, clip_id=name, label=0, frame_labels=np.repeat([0, 1, 2], 20)))
    names = datasets.ClassLabel(names=["rest", "left up", "right up"])
    made = datasets.Dataset.from_list(rows).cast_column("label", names)
    controls = claim.Controls({"train": made, "test": made}, claim.load_processor(model))
    answers = {line.split(" | ")[0].strip("| "): line.split(" | ")[2] for line in controls.mirror_images()[2:]}
    assert answers == {"rest": "rest", "left up": "right up", "right up": "left up"}
    reports = controls.rows(ablations=True)
    assert reports["ridge on half a second of joints"]["frame_map"] > 0.95
    assert reports["ridge, fitted on mirror images too"]["frame_map"] < 0.9
