"""Models that label every frame, through the one loop: they learn, resume, and several processes equal one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from forked import in_processes
from helpers import read_json
from toy_frames import frames_dataset, frames_model, frames_processor, frames_run, one_of_two
from toy_training import weights

from motionhub.models.unik import UnikForActionSegmentation
from motionhub.training.arguments import RunArguments, TrainingRecipe
from motionhub.training.dataset import with_index
from motionhub.training.tasks.segmentation import (
    FrameLabelDataset,
    SegmentationEvaluation,
    SegmentationOptions,
    collate_frames,
    evaluate_segmentation,
    frame_processor,
    is_segmentation_model,
    train_segmentation,
)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("frames")
    model, result = frames_run(folder)
    return folder, model, result


def test_what_shows_in_a_frame_is_learned(whole_run):
    folder, _, result = whole_run
    report = result.last_metrics
    assert report["frame_map"] > 0.9 and report["frame_accuracy"] > 0.8
    assert report["num_clips"] == 3 and report["num_frames"] == 20 + 23 + 26
    saved = read_json(folder / "last" / "metrics.json")
    assert saved["primary_metric"] == "frame_map" and saved["per_clip"] == report["per_clip"]
    assert is_segmentation_model(folder / "last")


def test_killed_and_resumed_equals_uninterrupted(whole_run, tmp_path):
    _, model, _ = whole_run
    frames_run(tmp_path, epochs=2)
    resumed, result = frames_run(tmp_path)
    assert result.steps == whole_run[2].steps
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, weights(resumed)[name], err_msg=name)


@pytest.mark.slow
def test_two_processes_score_every_clip_once_and_alike(tmp_path):
    ended = in_processes(lambda _: one_of_two(tmp_path))
    assert [process.status for process in ended] == [0, 0], ended
    reports = [read_json(tmp_path / f"rank{rank}.json") for rank in (0, 1)]
    assert [report["num_processes"] for report in reports] == [2, 2]
    assert reports[0]["history"] == reports[1]["history"]
    final = read_json(tmp_path / "two" / "last" / "metrics.json")
    model = UnikForActionSegmentation.from_pretrained(tmp_path / "two" / "last")
    alone, _ = evaluate_segmentation(model, frames_processor(), frames_dataset(3, seed=9))
    for name in ("frame_map", "edit", "event_map", "num_frames", "num_clips"):
        assert final[name] == pytest.approx(alone[name], abs=1e-6), name


def test_evaluation_again_gives_the_numbers_of_training_and_saves_them(whole_run, tmp_path):
    _, model, result = whole_run
    report, scores = evaluate_segmentation(
        model, frames_processor(), frames_dataset(3, seed=9), batch_size=1, output_dir=tmp_path
    )
    for name in ("frame_map", "f1@50", "edit", "event_map@0.3"):
        assert report[name] == pytest.approx(result.last_metrics[name], abs=1e-6), name
    with np.load(tmp_path / "scores.npz") as saved:
        assert saved["ends"].tolist() == [20, 43, 69] and saved["probabilities"].shape == (69, 3)
    assert read_json(tmp_path / "metrics.json")["edit"] == report["edit"]
    # softmax: one action at a time
    np.testing.assert_allclose(scores[0].probabilities.sum(1), 1, atol=1e-5)


def test_a_window_longer_than_the_clip_is_the_whole_clip():
    model, rows = frames_model(None).eval(), frames_dataset(2)
    _, windows = evaluate_segmentation(model, frames_processor(), rows, window=100)
    _, whole = evaluate_segmentation(model, frames_processor(num_frames=None), rows)
    _, parts = evaluate_segmentation(model, frames_processor(), rows, window=6, hop=3)
    np.testing.assert_allclose(windows[1].probabilities, whole[1].probabilities, atol=1e-6)
    assert np.abs(parts[1].probabilities - whole[1].probabilities).max() > 1e-6
    assert whole[1].probabilities.sum(1).max() > 1.01  # sigmoid: each for itself


def test_frames_without_a_person_have_no_action():
    rows = frames_dataset(2)
    empty = rows.map(lambda row: {"keypoints": [float("nan")] * len(row["keypoints"])})
    clips = FrameLabelDataset(empty, frames_processor(), training=False)
    evaluation = SegmentationEvaluation(clips)
    scores = evaluation.scores(frames_model(None).eval(), [with_index(collate_frames)([clips[0]])])
    assert scores[0].probabilities.shape == (20, 3) and not scores[0].probabilities.any()


def checkpoint(folder: Path, **changes) -> Path:
    frames_model(None).config.save_pretrained(folder)
    frames_processor(**changes).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("labels", "kind"), [("exclusive", "single"), ("overlapping", "multi"), ("auto", None)])
def test_options_choose_the_loss_and_the_background(tmp_path, labels, kind):
    splits = {"train": frames_dataset(4, names=["x", "low", "high"]), "test": frames_dataset(2, names=["x", "a", "b"])}
    splits["test"] = splits["test"].cast(splits["train"].features)
    recipe = TrainingRecipe(
        mode="scratch", epochs=1, batch_size=8, cpu=True, progress_bar=False, output_dir=str(tmp_path / "run")
    )
    arguments = RunArguments("toy", str(checkpoint(tmp_path / "start")))
    options = SegmentationOptions(labels=labels, add_background=True)
    train_segmentation(splits, arguments, recipe, UnikForActionSegmentation, options)
    config = read_json(tmp_path / "run" / "last" / "config.json")
    assert config.get("problem_type") == (kind and f"{kind}_label_classification")
    assert list(config["id2label"].values()) == ["x", "low", "high", "background"]


def test_what_cannot_be_trained_is_refused(tmp_path):
    rows = frames_dataset(4)
    both = rows.map(lambda row: {"segment_labels": [1, 2], "segment_starts": [0, 0], "segment_ends": [9, 9]})
    splits = {"train": both, "test": both}
    recipe = TrainingRecipe(mode="scratch", epochs=1, batch_size=4, cpu=True, output_dir=str(tmp_path / "run"))
    arguments = RunArguments("toy", str(checkpoint(tmp_path / "start")))
    with pytest.raises(ValueError, match="--labels overlapping"):
        train_segmentation(splits, arguments, recipe, UnikForActionSegmentation, SegmentationOptions("exclusive"))
    with pytest.raises(ValueError, match="label_smoothing"):
        train_segmentation(splits, arguments, recipe.replace(label_smoothing=0.1), UnikForActionSegmentation)
    clips = FrameLabelDataset(rows, frames_processor(), training=True)
    with pytest.raises(ValueError, match="training=False"):
        SegmentationEvaluation(clips)
    tested = FrameLabelDataset(rows, frames_processor(), training=False)
    with pytest.raises(ValueError, match=r"hop must be in 1\.\.12"):
        SegmentationEvaluation(tested, hop=13)
    model = frames_model()
    model.config.id2label = dict(enumerate("abc"))
    with pytest.raises(ValueError, match="but the model"):
        evaluate_segmentation(model, frames_processor(), rows)
    assert not is_segmentation_model(tmp_path / "nothing")


def test_the_loss_of_overlapping_actions_trains_too(tmp_path):
    model = frames_model(None)
    clips = FrameLabelDataset(frames_dataset(2), frames_processor(), training=True)
    item = clips[0]
    loss = model(
        item["keypoints"][None], attention_mask=item["attention_mask"][None], labels=item["labels"][None]
    ).loss
    loss.backward()
    assert torch.isfinite(loss) and model.classifier.weight.grad.any()


def test_a_processor_that_squeezes_clips_keeps_their_frames_and_another_stays_as_it_is():
    squeezing = type(frames_processor()).from_dict(
        {**frames_processor().to_dict(), "test_sampling": "resize", "train_sampling": "resize", "num_frames": 8}
    )
    kept = frame_processor(squeezing, 16)
    assert (kept.test_sampling, kept.train_sampling, kept.num_frames) == ("all", "random-window", 16)
    assert squeezing.test_sampling == "resize" and frame_processor(squeezing).num_frames == 8
    own = frames_processor()
    assert frame_processor(own) is own and frame_processor(own, 5).to_dict() == {**own.to_dict(), "num_frames": 5}
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        frame_processor(own, 0)
