"""Rare classes of Smarthome's cross-view training: round(1000 / clips) times, by name, and only on demand."""

import typing
from dataclasses import replace

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from helpers import write_json

from motionhub.data.build.build import rows_to_dataset, save_dataset
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.smarthome import CV_CLASSES
from motionhub.data.datasets.splits import REPETITIONS, SMARTHOME_CLIPS, repeat_classes, repeated_rows
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import RunArguments, TrainingRecipe
from motionhub.training.dataset import as_clips
from motionhub.training.start import load_splits


NAME = "smarthome-cross-view"


def test_the_table_has_every_class_and_every_clip_of_the_dataset():
    assert list(SMARTHOME_CLIPS) == list(DATASETS["smarthome"].class_names)
    assert sum(SMARTHOME_CLIPS.values()) == 16_115


def test_rare_classes_are_seen_a_thousand_over_their_clips_times():
    expected = {"Cutbread": 22, "Usetablet": 20, "Cook.Cut": 6, "Usetelephone": 2, "Eat.Attable": 2, "Readbook": 1}
    assert {name: REPETITIONS[NAME][name] for name in expected} == expected
    assert {REPETITIONS[NAME][name] for name in ("Walk", "Drink.Fromcup", "Sitdown")} == {1}


def test_rows_repeat_side_by_side_by_name_whatever_the_numbering():
    times = {"a": 3, "b": 1}
    assert repeated_rows([0, 1, 0], ["a", "b"], times).tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert repeated_rows([0, 1, 0], ["b", "a"], times).tolist() == [0, 1, 1, 1, 2]
    assert repeated_rows([], ["a"], times).tolist() == []
    for labels, stranger in (([0, 2], "c"), ([-1], "no label")):
        with pytest.raises(ValueError, match=f"rows of \\['{stranger}'\\]"):
            repeated_rows(labels, ["a", "b", "c"], times)


def test_a_dataset_keeps_its_clips_and_repeats_them():
    names = list(DATASETS["smarthome"].class_names)
    labels = [names.index("Walk"), names.index("Usetablet"), names.index("Usetelephone")]
    features = Features({"label": ClassLabel(names=names), "clip_id": Value("string")})
    dataset = Dataset.from_dict({"label": labels, "clip_id": ["w", "t", "p"]}, features=features)
    found, times = np.unique(repeat_classes(dataset, NAME)["clip_id"][:], return_counts=True)
    assert dict(zip(found.tolist(), times.tolist(), strict=True)) == {"p": 2, "t": 20, "w": 1}
    with pytest.raises(ValueError, match="No repetition is called 'cv1'"):
        repeat_classes(dataset, "cv1")
    with pytest.raises(ValueError, match="labels with names"):
        repeat_classes(Dataset.from_dict({"label": [0]}), NAME)


def test_the_recipe_repeats_only_when_asked():
    names = list(DATASETS["smarthome"].class_names)
    clip = SkeletonSequence(np.ones((1, 4, 13, 2)), get_layout("lcrnet-13"), 20, "pixel", image_size=(640, 480))
    dataset = rows_to_dataset([to_row(clip, label=names.index("Usetablet"), clip_id=name) for name in "ab"], names)
    processor = SkeletonProcessor(layout="lcrnet-13")
    repeated = TrainingRecipe(repeat_classes=NAME)
    for recipe, training, expected in ((TrainingRecipe(), True, 2), (repeated, True, 40), (repeated, False, 2)):
        assert len(as_clips(dataset, processor, recipe, None, training=training)) == expected
    # Half of the clips first, then their repetition.
    assert len(as_clips(dataset, processor, repeated.replace(label_fraction=0.5), None, training=True)) == 20
    with pytest.raises(ValueError, match="repeat_classes must be one of"):
        TrainingRecipe(repeat_classes="often")
    with pytest.raises(ValueError, match="repeat the clips first"):
        as_clips([], processor, repeated, None, training=True)
    choices = typing.get_args(typing.get_type_hints(TrainingRecipe)["repeat_classes"])
    assert set(choices) == {"none", *REPETITIONS}


@pytest.mark.filterwarnings("ignore:smarthome")
def test_the_order_of_a_protocols_classes_is_an_option_of_a_run(tmp_path):
    clip = {"frames": [[{"pose2d": list(range(1, 27)), "pose3d": list(range(1, 40))}]]}
    for name in ("Usetelephone", "Usetablet", "Cook.Cut"):
        for camera in (1, 2):
            write_json(tmp_path / f"{name}_p03_r00_v01_c0{camera}.json", clip)
    own = RunArguments("smarthome", "model", str(tmp_path), "cv1")
    official = replace(own, class_order="protocol")
    for arguments, names, numbers in (
        (own, DATASETS["smarthome"].class_names, [27, 28]),
        (official, CV_CLASSES, [16, 17]),
    ):
        for split in load_splits(arguments).values():
            assert tuple(split.features["label"].names) == names and sorted(split["label"]) == numbers
    save_dataset("smarthome", tmp_path, tmp_path / "saved")
    saved = replace(official, dataset=str(tmp_path / "saved"), data_root=None)
    for arguments in (saved, replace(saved, protocol=None)):
        assert tuple(load_splits(arguments)["test"].features["label"].names) == CV_CLASSES
    with pytest.raises(ValueError, match="has no protocol 'full'"):
        load_splits(replace(saved, protocol="full", eval_split="full"))
