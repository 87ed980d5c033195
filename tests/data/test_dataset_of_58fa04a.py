"""A dataset that commit 58fa04a wrote loads, trains and reads as it did then.

`written_at_58fa04a` was made by that commit: `motionhub dataset build folder` on `generate(action, seed=seed, num_frames=12,
layout="coco-17")` for wave and squat, seeds 0 and 1; the layout's image was removed.
"""

from pathlib import Path

import datasets
import numpy as np
import pytest

import motionhub


FOLDER = Path(__file__).resolve().parent / "written_at_58fa04a"


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> datasets.DatasetDict:
    return datasets.load_dataset(str(FOLDER), "split", cache_dir=str(tmp_path_factory.mktemp("cache")))


def test_its_protocols_and_labels(splits):
    assert {name: len(split) for name, split in splits.items()} == {"train": 2, "test": 2}
    names = splits["train"].features["label"].names
    assert sorted(names) == ["squat", "wave"]
    assert {(names[row["label"]], row["subject"]) for row in splits["test"]} == {("squat", 2), ("wave", 2)}


def test_its_clips_are_the_generated_ones(splits):
    names = splits["train"].features["label"].names
    for row in splits["train"]:
        expected = motionhub.generate(names[row["label"]], seed=0, num_frames=12, layout="coco-17")
        assert (row["layout"], row["fps"], row["unit"]) == ("coco-17", 30.0, "metre")
        np.testing.assert_allclose(
            np.reshape(row["keypoints"], expected.keypoints.shape), expected.keypoints, atol=1e-6
        )


def test_a_processor_and_a_parquet_reader_take_it(splits):
    (path,) = (FOLDER / "data" / "train-train-train").glob("*.parquet")
    clips = motionhub.read(path)
    assert len(clips) == 2 and clips[0].layout.name == "coco-17"
    processor = motionhub.SkeletonProcessor(layout="coco-17", fps=30, num_frames=12, normalization="centre")
    inputs = processor(list(splits["train"]), return_tensors="np")
    assert np.isfinite(inputs["keypoints"]).all() and inputs["keypoints"].shape[0] == 2
