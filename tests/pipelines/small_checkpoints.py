"""Small checkpoints in folders, and motions, for the pipeline tests."""

import math
from pathlib import Path

import numpy as np
import torch

import motionhub


LABELS = ["sit down", "stand up", "throw"]
PROBABILITIES = [0.7, 0.2, 0.1]


def small_config(**changes):
    sizes = {"layout": "kinect-20", "num_joints": 20, "in_channels": 3, "num_people": 2, "num_heads": 2}
    sizes |= {"channels": [8, 16], "strides": [1, 2], "first_block_heads": 2}
    return motionhub.UnikConfig(**{**sizes, "id2label": dict(enumerate(LABELS)), **changes})


def small_processor(**changes):
    fields = {"layout": "kinect-20", "num_dims": 3, "num_people": 2, "normalization": "centre"}
    return motionhub.SkeletonProcessor(**{**fields, **changes})


def save(folder: Path, config=None, processor=None, seed: int = 0) -> str:
    torch.manual_seed(seed)
    motionhub.UnikForActionClassification(config or small_config()).save_pretrained(folder)
    (processor or small_processor()).save_pretrained(folder)
    return str(folder)


def save_constant(folder: Path, probabilities, stream: str = "joint") -> str:
    """A checkpoint that gives these probabilities whatever it sees."""
    model = motionhub.UnikForActionClassification(small_config())
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([math.log(value) for value in probabilities]))
    model.save_pretrained(folder)
    small_processor(stream=stream).save_pretrained(folder)
    return str(folder)


def motion(frames: int, people: int = 1, seed: int = 0, **changes) -> "motionhub.SkeletonSequence":
    """A random walk of every joint, in metres."""
    steps = np.random.default_rng(seed).normal(size=(people, frames, 20, 3))
    fields = {"layout": "kinect-20", "fps": 30.0, "unit": "metre"}
    return motionhub.SkeletonSequence(0.05 * steps.cumsum(axis=1), **{**fields, **changes})
