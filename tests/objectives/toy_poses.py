"""People standing before cameras: clips for the pretexts of pose encoders, and a small encoder."""

import numpy as np
import torch
from datasets import Dataset

from motionhub.data.formats.schema import features
from motionhub.models.cv_mim import CvMimConfig, CvMimModel
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.objective import RunInfo


LAYOUT = get_layout("cv-mim-13")
RUN = RunInfo(num_clips=8, fingerprint="", updates_per_epoch=2, epochs=1, seed=0)


def standing(count: int = 1, seed: int = 0) -> np.ndarray:
    """`(count, 13, 3)` people upright, facing +z, with limbs somewhat elsewhere each time."""
    joints = {"head": (0, 1.4), "shoulder": (0.2, 1.0), "elbow": (0.3, 0.6), "wrist": (0.3, 0.2)}
    joints |= {"hip": (0.1, 0.0), "knee": (0.1, -0.9), "ankle": (0.1, -1.8)}
    body = np.zeros((13, 3))
    for index, name in enumerate(LAYOUT.joints):
        side, _, part = name.rpartition("_")
        x, y = joints[part]
        body[index] = (x * {"left": 1, "right": -1, "": 0}[side], y, 0)
    moved = np.tile(body, (count, 1, 1))
    limbs = [i for i, name in enumerate(LAYOUT.joints) if name.split("_")[-1] in ("elbow", "wrist", "knee", "ankle")]
    moved[:, limbs] += np.random.default_rng(seed).normal(0, 0.25, (count, len(limbs), 3))
    return moved.astype(np.float32)


def batch(clips: int = 4, frames: int = 6) -> dict[str, torch.Tensor]:
    keypoints = torch.from_numpy(standing(clips * frames)).view(clips, 1, frames, 13, 3)
    return {
        "keypoints": keypoints,
        "joint_mask": torch.ones(keypoints.shape[:4], dtype=torch.bool),
        "attention_mask": torch.ones(keypoints.shape[:3], dtype=torch.bool),
        "seeds": torch.arange(clips) + 5,
        "index": torch.arange(clips),
    }


def encoder(**options) -> CvMimModel:
    torch.manual_seed(0)
    return CvMimModel(CvMimConfig(**{"width": 16, "pose_size": 4, "view_size": 4, "dropout": 0.0, **options}))


def rows(count: int) -> Dataset:
    made = []
    for index in range(count):
        keypoints = standing(7, seed=index)[None]
        sequence = SkeletonSequence(keypoints, layout="cv-mim-13", fps=30, unit="metre")
        made.append(to_row(sequence, clip_id=str(index)))
    return Dataset.from_list(made, features=features(None))


def run_info(num_clips: int = 6) -> RunInfo:
    return RunInfo(num_clips=num_clips, fingerprint="toy", updates_per_epoch=2, epochs=3, seed=1)


def noise_batch(rows: list[int], people: int, frames: int, joints: int, dims: int) -> dict[str, torch.Tensor]:
    """Clips of the given rows, complete and without labels."""
    shape = (len(rows), people, frames, joints)
    return {
        "keypoints": torch.randn(*shape, dims, generator=torch.Generator().manual_seed(0)),
        "joint_mask": torch.ones(shape, dtype=torch.bool),
        "attention_mask": torch.ones(shape[:3], dtype=torch.bool),
        "labels": torch.full((len(rows),), -1),
        "index": torch.tensor(rows),
        "seeds": torch.arange(len(rows)) + 5,
    }
