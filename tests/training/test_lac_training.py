"""LAC's contrastive stage through the trainer: an interrupted run resumes as if it had not been."""

import torch
from toy_training import toy_dataset

from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.unik import UnikConfig, UnikModel
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.trainer import train


def run(folder, epochs):
    torch.manual_seed(0)
    generator = LacModel(
        LacConfig(num_joints=13, encoder_channels=[8, 8, 12], num_motion_directions=7, num_static_directions=5)
    )
    encoder = UnikModel(UnikConfig(layout="penn-13", num_joints=13, num_people=1, channels=[8, 8], strides=[2, 2]))
    objective = LacContrast(generator, 8, queue_size=11, projection_size=4, num_positives=2, anneal=False)
    recipe = TrainingRecipe(
        mode="scratch", epochs=epochs, batch_size=8, milestones=[], output_dir=str(folder),
        progress_bar=False, cpu=True,
    )  # fmt: skip
    processor = SkeletonProcessor(layout="penn-13", num_people=1, num_frames=8, normalization="centre", scale="extent")
    train(encoder, processor, toy_dataset(16).remove_columns("label"), None, recipe, objective=objective)
    return {**encoder.state_dict(), **objective.state_dict()}


def test_queues_slow_encoder_and_weights_go_on_bit_for_bit(tmp_path):
    whole = run(tmp_path / "whole", 2)
    run(tmp_path / "halves", 1)
    resumed = run(tmp_path / "halves", 2)
    assert whole.keys() == resumed.keys() and any(name.startswith("frame_queue") for name in whole)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items() if isinstance(value, torch.Tensor))
    assert int(resumed["updates"]) == 4
