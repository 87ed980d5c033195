"""A model of a layout declared in YAML: trained, pushed, and loaded where the YAML is not."""

import numpy as np
import pytest
from datasets import Dataset, load_dataset
from transformers import AutoFeatureExtractor, pipeline

import motionhub
from motionhub.auto import AutoModelForActionClassification
from motionhub.data.formats.schema import features
from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.rows import from_row, to_row
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.start import prepare_model
from motionhub.training.trainer import train


pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ARMS = """\
name: arms-7
root: neck
joints: [neck, left_shoulder, left_elbow, left_wrist, right_shoulder, right_elbow, right_wrist]
"""


def test_unik_trains_on_a_declared_layout_and_answers_where_the_file_is_not(hub, tmp_path):
    path = tmp_path / "arms.yaml"
    path.write_text(ARMS)
    layout = motionhub.load_layout(path)

    def clip(left, seed, into=layout):
        return generate("wave", seed=seed, left_handed=bool(left), num_frames=10, fps=10, layout=into)

    rows = [to_row(clip(left, seed), label=left, clip_id=f"{left}-{seed}") for seed in range(8) for left in (0, 1)]
    Dataset.from_list(rows, features=features(["right", "left"])).push_to_hub("tester/arms")
    dataset = load_dataset("tester/arms", split="train")
    assert from_row(dataset[0]).layout == layout
    path.unlink()

    start = tmp_path / "start"
    config = motionhub.UnikConfig(num_joints=17, in_channels=3, channels=[8, 8], strides=[1, 1], num_heads=1)
    config.save_pretrained(start)
    processor = motionhub.SkeletonProcessor("coco-17", num_dims=3, num_people=1, normalization="centre")
    processor.save_pretrained(start)
    model, processor = prepare_model(
        start, dataset, AutoModelForActionClassification, mode="scratch", layout="dataset"
    )
    assert (model.config.num_joints, motionhub.get_layout(model.config.layout)) == (7, layout)
    recipe = TrainingRecipe(
        mode="scratch", epochs=12, batch_size=8, learning_rate=0.05, cpu=True, output_dir=str(tmp_path / "run")
    )
    train(model, processor, dataset, dataset, recipe)
    model.push_to_hub("tester/arms-unik")
    processor.push_to_hub("tester/arms-unik")

    loaded = AutoFeatureExtractor.from_pretrained("tester/arms-unik")
    assert motionhub.get_layout(loaded.layout) == layout
    classify = pipeline(
        "action-classification",
        model=AutoModelForActionClassification.from_pretrained("tester/arms-unik"),
        feature_extractor=loaded,
    )
    # Kinect's twenty joints: converted by the names the config carries.
    unseen = [clip(left, seed, "kinect-20") for seed in range(20, 24) for left in (0, 1)]
    answers = [people[0]["scores"][0]["label"] for people in classify(unseen)]
    assert np.mean([answer == name for answer, name in zip(answers, ["right", "left"] * 4, strict=True)]) >= 0.75
