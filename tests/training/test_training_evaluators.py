"""Evaluation: every clip once, files that load again, streams that add up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy_training import CLASS_NAMES, toy_dataset, toy_model, toy_processor, toy_recipe

from motionhub.data.formats.schema import features
from motionhub.models.unik import UnikConfig, UnikForActionClassification
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.evaluators import evaluate_streams, load_scores, save_scores
from motionhub.training.trainer import train


def evaluate(model: Any, processor: Any, dataset: Dataset, **options: Any) -> dict[str, Any]:
    return evaluate_streams([(model, processor)], dataset, **options)


def test_report_and_scores_do_not_depend_on_the_batch_size(tmp_path: Path) -> None:
    model, dataset = toy_model(), toy_dataset(13)
    one = evaluate(model, toy_processor(), dataset, batch_size=1, output_dir=tmp_path / "one")
    all_at_once = evaluate(model, toy_processor(), dataset, batch_size=5, output_dir=tmp_path / "five")
    assert one["num_clips"] == 13
    assert one["confusion_matrix"] == all_at_once["confusion_matrix"]
    assert json.loads((tmp_path / "one" / "metrics.json").read_text()) == one
    scores, others = load_scores(tmp_path / "one" / "scores.npz"), load_scores(tmp_path / "five" / "scores.npz")
    assert list(scores) == [f"clip{index:03d}" for index in range(13)]
    for name, row in scores.items():
        np.testing.assert_allclose(row, others[name], atol=1e-5)
    expected = np.mean([row.argmax() == index % 3 for index, row in enumerate(scores.values())])
    assert one["top1"] == pytest.approx(expected)


def ragged_dataset(num_clips: int) -> Dataset:
    """Clip i has class i % 3 and 4 + i % 5 frames."""
    random = np.random.default_rng(0)
    rows = []
    for index in range(num_clips):
        keypoints = random.normal(size=(1, 4 + index % 5, 13, 2)).astype(np.float32)
        sequence = SkeletonSequence(keypoints=keypoints, layout="penn-13", fps=30.0, unit="normalised")
        rows.append(to_row(sequence, label=index % 3, clip_id=f"clip{index:03d}", source="toy", licence="none"))
    return Dataset.from_list(rows, features=features(CLASS_NAMES))


def test_official_pooling_of_ragged_clips_does_not_depend_on_the_batch_size(tmp_path: Path) -> None:
    sizes = {"num_joints": 13, "num_people": 1, "channels": [8, 8], "strides": [1, 1], "num_heads": 1}
    torch.manual_seed(0)
    config = UnikConfig(layout="penn-13", pooling="official", id2label=dict(enumerate(CLASS_NAMES)), **sizes)
    model, dataset = UnikForActionClassification(config).eval(), ragged_dataset(17)
    torch.nn.init.normal_(model.classifier.weight)
    processor = SkeletonProcessor(layout="penn-13", num_people=1, num_frames=None, normalization="none")
    for size in (1, 6):
        evaluate(model, processor, dataset, batch_size=size, output_dir=tmp_path / str(size))
    alone, together = (load_scores(tmp_path / size / "scores.npz") for size in ("1", "6"))
    for name, row in alone.items():
        np.testing.assert_allclose(together[name], row, atol=1e-5)
    recipe = toy_recipe(tmp_path / "run", epochs=1, learning_rate=1e-30, weight_decay=0.0, eval_batch_size=6)
    train(model, processor, dataset, dataset, recipe)  # the evaluation inside the loop, after a batch-norm update
    inside = json.loads((tmp_path / "run" / "last" / "metrics.json").read_text())["confusion_matrix"]
    assert inside == evaluate(model, processor, dataset, batch_size=1)["confusion_matrix"]


def test_evaluation_leaves_the_model_in_its_mode_and_runs_in_bf16() -> None:
    model, dataset = toy_model(dropout=0.5), toy_dataset(13)
    model.train()
    full = evaluate(model, toy_processor(), dataset)
    assert model.training
    half = evaluate(model, toy_processor(), dataset, mixed_precision="bf16")
    assert abs(half["top1"] - full["top1"]) <= 1 / 13


def test_diverged_model_is_an_error() -> None:
    model = toy_model()
    torch.nn.init.constant_(model.classifier.bias, float("nan"))
    with pytest.raises(ValueError, match="NaN or infinite values for 13 clips"):
        evaluate(model, toy_processor(), toy_dataset(13))


def test_class_absent_from_a_split_is_listed() -> None:
    dataset = toy_dataset(12).filter(lambda row: row["label"] != 1)
    report = evaluate(toy_model(), toy_processor(), dataset)
    assert report["absent_classes"] == ["middle"]
    assert np.isfinite(report["mean_class_accuracy"])


def test_scores_of_clips_that_share_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="share one"):
        save_scores(tmp_path / "twice.npz", ["a", "a", "b"], np.eye(3), np.arange(3))


@pytest.mark.parametrize("fusion", ["logits", "softmax"])
def test_two_checkpoints_give_the_weighted_sum_of_their_scores(fusion: str, tmp_path: Path) -> None:
    dataset, processor, streams = toy_dataset(13), toy_processor(), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = toy_model()
        torch.nn.init.normal_(model.classifier.weight)
        streams.append((model, processor))
        evaluate(model, processor, dataset, output_dir=tmp_path / str(seed))
    report = evaluate_streams(streams, dataset, weights=[1.0, 0.5], fusion=fusion, output_dir=tmp_path / "both")
    first, second, both = (load_scores(tmp_path / name / "scores.npz") for name in ("0", "1", "both"))

    def scores(row: np.ndarray) -> np.ndarray:
        return row if fusion == "logits" else np.exp(row) / np.exp(row).sum()

    for name, fused in both.items():
        np.testing.assert_allclose(fused, scores(first[name]) + 0.5 * scores(second[name]), atol=1e-5)
    expected = np.mean([row.argmax() == index % 3 for index, row in enumerate(both.values())])
    assert report["top1"] == pytest.approx(expected)
    assert report["streams"] == [evaluate(model, processor, dataset)["top1"] for model, _ in streams]


def test_streams_with_other_labels_or_weights_are_refused() -> None:
    model, other, dataset = toy_model(), toy_model(), toy_dataset(5)
    other.config.id2label = dict(enumerate(reversed(CLASS_NAMES)))
    with pytest.raises(ValueError, match="same labels in the same order"):
        evaluate_streams([(model, toy_processor()), (other, toy_processor())], dataset)
    pair = [(model, toy_processor())] * 2
    with pytest.raises(ValueError, match="finite"):
        evaluate_streams(pair, dataset, weights=[1.0, float("nan")])
    with pytest.raises(ValueError, match="one number per stream"):
        evaluate_streams(pair, dataset, weights=[1.0])
