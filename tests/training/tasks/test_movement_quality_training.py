"""Leaving one subject out: no fold trains on its held-out subject, reports are of held-out scores, bad labels fail."""

import math

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset

import motionhub
from motionhub.data.formats.schema import features
from motionhub.models.movement_quality import MovementQualityConfig, SkeletonForMovementQuality
from motionhub.models.unik import UnikConfig
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.tasks.movement_quality import (
    ScoredClips,
    ScoredRows,
    collate_scored,
    evaluate_movement_quality,
    folds,
    format_quality_report,
    frozen_features,
    held_out_report,
    leave_one_subject_out,
    scored_rows,
    scores_of_clips,
)


LAYOUT = motionhub.get_layout("lac-15")
ENCODER = UnikConfig(layout="lac-15", num_joints=15, in_channels=3, num_people=1, channels=[8], strides=[2])
PROCESSOR = SkeletonProcessor(layout="lac-15", num_dims=3, num_people=1, num_frames=8, normalization="none")


def clip(height):
    random = np.random.default_rng(int(1000 * height) + 7)
    return SkeletonSequence(
        (random.normal(scale=0.05, size=(1, 8, 15, 3)) + [0, height, 0]).astype("f4"), LAYOUT, 30.0, "metre"
    )


def dataset_of(scores, subjects, labels=None, names=("squat", "lunge"), source="ui-prmd"):
    """Rows whose `setup` is the score, which shows in the height of the body."""
    labels = [0] * len(scores) if labels is None else labels
    rows = [
        to_row(clip(2.0 * score), label=label, subject=subject, setup=score, clip_id=f"c{row}", source=source)
        for row, (score, subject, label) in enumerate(zip(scores, subjects, labels, strict=True))
    ]
    return Dataset.from_list(rows, features=features(names))


def rows_of(truth, subjects, movements=None):
    movements = ["squat"] * len(truth) if movements is None else movements
    return ScoredRows(np.asarray(truth, dtype=float), np.asarray(subjects), np.asarray(movements))


def recipe(tmp_path, **changes):
    settings = {"mode": "linear", "optimizer": "adamw", "learning_rate": 0.02, "schedule": "cosine", "epochs": 12}
    settings |= {"batch_size": 4, "output_dir": str(tmp_path), "cpu": True, "progress_bar": False}
    return TrainingRecipe(**settings | changes)


def make_model(**options):
    return SkeletonForMovementQuality(MovementQualityConfig(encoder_config=ENCODER, recurrent_size=8, **options))


def test_no_fold_sees_the_subject_or_another_movement_and_every_clip_is_judged_once():
    subjects, movements = [1, 1, 2, 2, 3, 1, 2], ["a"] * 5 + ["b"] * 2
    rows = rows_of([0, 1] * 3 + [1], subjects, movements)
    judged = []
    for trained, tested in folds(rows):
        assert not set(rows.subjects[trained]) & set(rows.subjects[tested])
        assert len(set(rows.movements[np.concatenate([trained, tested])])) == 1
        judged += tested.tolist()
    assert sorted(judged) == list(range(7))


def test_what_a_fit_says_stands_at_the_rows_it_was_asked_about():
    rows = rows_of([0, 1, 0, 1, 1], [3, 1, 2, 1, 2])
    held_out = leave_one_subject_out(rows, lambda trained, tested: 10.0 * tested + len(trained))
    assert held_out.tolist() == [4.0, 13.0, 23.0, 33.0, 43.0]


def test_one_class_of_a_subject_is_judged_and_a_movement_without_incorrect_clips_has_no_numbers():
    # Subject 1 does the squat correctly only; no subject does the lunge incorrectly.
    rows = rows_of([1, 1, 0, 1, 0, 1, 1, 1], [1, 1, 2, 2, 3, 3, 1, 2], ["squat"] * 6 + ["lunge"] * 2)
    held_out = leave_one_subject_out(rows, lambda trained, tested: rows.truth[tested])
    assert np.isnan(held_out).tolist() == [False] * 6 + [True] * 2
    report = held_out_report(rows, held_out, resamples=50)
    assert report["movements"]["squat"]["auc"]["value"] == 1
    assert report["movements"]["lunge"] == {"reason": "no fold could be learned"}
    assert (report["num_clips"], report["num_unscored"], report["mean"]["auc"]["value"]) == (6, 2, 1)
    assert "no fold could be learned" in format_quality_report(report)


def test_a_fold_whose_other_subjects_are_all_alike_scores_nothing():
    rows = rows_of([1, 0, 1, 1], [1, 1, 2, 2])
    held_out = leave_one_subject_out(rows, lambda trained, tested: np.zeros(len(tested)))
    assert np.isnan(held_out).tolist() == [True, True, False, False]
    report = held_out_report(rows, held_out, resamples=20)
    assert report["movements"]["squat"] == {"reason": "all true scores are alike"} and report["mean"] == {}


def test_the_mean_is_over_movements_whatever_their_numbers_of_clips():
    # Perfect on 8 clips of one movement, reversed on 4 of the other: a mean of 1 and 0.
    rows = rows_of([0, 1] * 6, [1, 1, 2, 2] * 3, ["a"] * 8 + ["b"] * 4)
    scores = np.where(rows.movements == "a", rows.truth, 1 - rows.truth)
    mean = held_out_report(rows, scores, resamples=30)["mean"]
    assert (mean["auc"]["value"], mean["spearman"]["value"]) == (0.5, pytest.approx(0))
    # Every draw of subjects has both movements, so it has the same mean.
    assert (mean["auc"]["lower"], mean["auc"]["upper"]) == (0.5, 0.5)


def test_scores_come_from_the_column_that_has_them():
    data = dataset_of([1, 0], [4, 5], labels=[1, 0])
    assert scored_rows(data).truth.tolist() == [1, 0]
    assert scored_rows(data).movements.tolist() == ["lunge", "squat"]
    graded = data.add_column("score", [2.5, 3.0])
    assert scored_rows(graded).truth.tolist() == [2.5, 3.0] and scored_rows(graded, "setup").truth.tolist() == [1, 0]
    # A table whose labels are scores: labels.csv with file,label,subject.
    tabled = dataset_of([0, 0], [4, 5], labels=[1, 0], names=("0.5", "3"), source="mine")
    assert scored_rows(tabled).truth.tolist() == [3, 0.5] and set(scored_rows(tabled).movements) == {"movement"}
    assert isinstance(tabled.features["label"], ClassLabel)


def test_rows_that_cannot_be_judged_say_why():
    data = dataset_of([1, 0, 1], [1, 2, 3])
    with pytest.raises(ValueError, match="1 of 3 clips have no score, the first in rows \\[1\\]"):
        scored_rows(data.add_column("score", [1.0, math.nan, 0.0]))
    with pytest.raises(ValueError, match="1 of 3 clips have no subject"):
        scored_rows(dataset_of([1, 0, 1], [1, None, 3]))
    with pytest.raises(ValueError, match="are not scores"):
        scored_rows(dataset_of([1, 0], [1, 2], source="mine"))
    with pytest.raises(ValueError, match="no 'grade'"):
        scored_rows(data, "grade")
    with pytest.raises(ValueError, match="got none"):
        scored_rows(data.select([]))


def test_what_cannot_be_left_out_says_why():
    one = rows_of([0, 1], [1, 1])
    with pytest.raises(ValueError, match="needs two subjects, got only subject 1"):
        leave_one_subject_out(one, lambda trained, tested: tested)
    with pytest.raises(ValueError, match="nothing to learn"):
        leave_one_subject_out(rows_of([1, 1], [1, 2]), lambda trained, tested: tested)
    with pytest.raises(ValueError, match="Expected 1 finite scores"):
        leave_one_subject_out(rows_of([0, 1, 0], [1, 2, 3]), lambda trained, tested: [math.nan])


def test_fractions_and_high_grades_are_refused_before_anything_is_trained(tmp_path):
    data = dataset_of([1, 0], [1, 2])
    for values, message in (([2.5, 0.0], "with fractions"), ([3.0, 0.0], "max_score=3")):
        with pytest.raises(ValueError, match=message):
            evaluate_movement_quality(make_model, PROCESSOR, data.add_column("score", values), recipe(tmp_path))


@torch.no_grad()
def test_frozen_features_give_the_scores_of_the_clips():
    torch.manual_seed(0)
    model, data = make_model(max_score=2).eval(), dataset_of([0, 1, 2], [1, 2, 3])
    truth, rows = np.array([0.0, 1.0, 2.0]), np.array([2, 0])
    clips = motionhub.training.dataset.ClipDataset(data, PROCESSOR, training=False)
    whole = scores_of_clips(model, ScoredClips(clips, rows, truth))
    kept = scores_of_clips(model, ScoredClips(frozen_features(model, PROCESSOR, data), rows, truth))
    np.testing.assert_allclose(kept, whole, rtol=1e-5)


def test_features_of_different_lengths_are_padded_and_labels_keep_fractions():
    items = [
        {"frame_features": torch.ones(length, 4), "labels": torch.tensor(label, dtype=torch.float64)}
        for length, label in ((3, 1.0), (5, 2.5))
    ]
    batch = collate_scored(items)
    assert batch["frame_features"].shape == (2, 5, 4) and float(batch["frame_features"][0, 3:].sum()) == 0
    assert batch["feature_lengths"].tolist() == [3, 5] and batch["labels"].tolist() == [1.0, 2.5]
    assert collate_scored(items[:1])["labels"].dtype == torch.int64


@pytest.mark.parametrize(("mode", "kind"), [("linear", "grades"), ("finetune", "value")])
def test_heights_that_are_the_score_are_learned_for_people_never_seen(mode, kind, tmp_path):
    data = dataset_of([0, 1] * 6, [1] * 4 + [2] * 4 + [3] * 4)
    settings = recipe(tmp_path, mode=mode)
    report, held_out = evaluate_movement_quality(
        lambda: make_model(scores=kind), PROCESSOR, data, settings, resamples=20
    )
    assert report["mean"]["auc"]["value"] == 1 and report["num_clips"] == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"squat without {name}" for name in (1, 2, 3)]
    # Done folds are loaded, not trained again, and say the same.
    again = evaluate_movement_quality(lambda: make_model(scores=kind), PROCESSOR, data, settings, resamples=20)[1]
    np.testing.assert_array_equal(again, held_out)


def test_a_new_head_takes_the_encoder_of_a_checkpoint(tmp_path):
    torch.manual_seed(0)
    first = make_model()
    first.encoder.save_pretrained(tmp_path)
    loaded = SkeletonForMovementQuality.from_encoder(tmp_path, recurrent_size=4)
    random = SkeletonForMovementQuality.from_encoder(tmp_path, recurrent_size=4, pretrained=False)
    ours, theirs, others = (model.encoder.state_dict() for model in (first, loaded, random))
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert not all(torch.equal(tensor, others[name]) for name, tensor in ours.items())
    with pytest.raises(ValueError, match="keypoints"):
        loaded()


def test_one_movement_is_kept_and_a_wrong_name_lists_those_that_are_there():
    dataset = motionhub.generate_dataset(num_clips=8, seed=0, actions=["squat", "bow"])
    kept = motionhub.only_movement(dataset, "bow")
    assert 0 < len(kept) < 8 and set(kept["label"]) == {1}
    assert motionhub.only_movement(dataset, None) is dataset
    with pytest.raises(ValueError, match=r"one of the movements \['bow', 'squat'\], got 'lunge'"):
        motionhub.only_movement(dataset, "lunge")
