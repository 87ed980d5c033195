"""A tiny world for tests of labels per frame: the class of a frame shows in the height of the body.

`one_of_two` is one process of a run of two.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from motionhub.data.formats.schema import features
from motionhub.models.unik import UnikConfig, UnikForActionSegmentation
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.tasks.segmentation import FrameLabelDataset, SegmentationEvaluation, collate_frames
from motionhub.training.trainer import TrainingResult, train


NAMES = ["background", "low", "high"]
HEIGHTS = np.array([0.0, -1.0, 1.0])


def frames_dataset(num_clips: int = 8, seed: int = 0, people: int = 1, names: list[str] = NAMES) -> Dataset:
    """Clip i has 20 + 3 i frames; runs of 5 frames of each class in turn."""
    random = np.random.default_rng(seed)
    rows = []
    for index in range(num_clips):
        labels = (np.arange(20 + 3 * index) // 5 + index) % 3
        keypoints = random.normal(scale=0.1, size=(people, len(labels), 13, 2)).astype(np.float32)
        keypoints[..., 1] += HEIGHTS[labels][:, None]
        sequence = SkeletonSequence(keypoints, layout="penn-13", fps=10.0, unit="normalised")
        rows.append(to_row(sequence, frame_labels=labels, clip_id=f"clip{index}", source="toy", licence="none"))
    return Dataset.from_list(rows, features=features(names))


def frames_processor(**changes: Any) -> SkeletonProcessor:
    """Windows of 12 frames."""
    fields = {"layout": "penn-13", "num_dims": 2, "num_people": 1, "num_frames": 12, "normalization": "none"}
    return SkeletonProcessor(**{**fields, **changes})


def frames_model(problem_type: str | None = "single_label_classification", num_people: int = 1) -> Any:
    """Two small blocks."""
    torch.manual_seed(0)
    sizes = {"num_joints": 13, "num_people": num_people, "channels": [8, 8], "strides": [1, 2], "num_heads": 1}
    id2label = dict(enumerate(NAMES))
    return UnikForActionSegmentation(
        UnikConfig(layout="penn-13", id2label=id2label, problem_type=problem_type, temporal_kernel=3, **sizes)
    )


def frames_run(output_dir: Path, **changes: Any) -> tuple[Any, TrainingResult]:
    """Train on 8 clips, evaluate on 3."""
    numbers: dict[str, Any] = {"epochs": 4, "batch_size": 8, "eval_batch_size": 2, "learning_rate": 0.05}
    numbers |= {
        "milestones": [3],
        "cpu": True,
        "progress_bar": False,
        "output_dir": str(output_dir),
        "mixed_precision": "no",  # the same numbers on every processor
    }
    recipe = TrainingRecipe(**{**numbers, **changes})
    model, processor = frames_model(), frames_processor()
    clips = FrameLabelDataset(frames_dataset(), processor, training=True, seed=recipe.seed)
    tested = FrameLabelDataset(frames_dataset(3, seed=9), processor, training=False)
    evaluation = SegmentationEvaluation(tested)
    result = train(
        model,
        processor,
        clips,
        tested,
        recipe,
        collate=collate_frames,
        evaluation=evaluation,
        primary_metric="frame_map",
    )
    return model, result


def one_of_two(folder: Path) -> None:
    """One of two processes of a run: trains, and reports what it has seen."""
    _, outcome = frames_run(folder / "two", num_processes=2, epochs=1, learning_rate=1e-6)
    from accelerate import PartialState

    report = {"history": outcome.history, "num_processes": PartialState().num_processes}
    (folder / f"rank{PartialState().process_index}.json").write_text(json.dumps(report))
