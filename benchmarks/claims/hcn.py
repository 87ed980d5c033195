"""HCN (Li et al., IJCAI 2018): convolutions over time per joint, then over joints as channels; a raw-pose baseline.

Where the paper leaves a size open it is the one of its figure 2; one person, so the maximum
over people is left out.
"""

import torch
from torch import Tensor, nn


class Hcn(nn.Module):
    """`(rows, frames, joints, dims)` -> logits; a fixed number of frames, which must be a multiple of 16.

    Raises:
        ValueError: frames is not.
    """

    def __init__(self, num_joints: int, num_dims: int, num_frames: int, num_labels: int) -> None:
        super().__init__()
        if num_frames % 16:
            raise ValueError(
                f"HCN halves the frames four times: num_frames must be a multiple of 16, got {num_frames}."
            )
        self.streams = nn.ModuleList(_Stream(num_joints, num_dims) for _ in range(2))
        self.mixed = nn.Sequential(
            nn.Conv2d(128, 128, 3, padding=1),
            nn.ReLU(),
            nn.Dropout2d(0.5),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 256, 3, padding=1),
            nn.ReLU(),
            nn.Dropout2d(0.5),
            nn.MaxPool2d(2),
        )
        places = num_frames // 16 * 2  # 32 channels, halved four times
        self.last = nn.Sequential(
            nn.Flatten(), nn.Linear(256 * places, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, num_labels)
        )

    def forward(self, keypoints: Tensor) -> Tensor:
        motion = torch.diff(keypoints, dim=1, append=keypoints[:, -1:])
        parts = [stream(values) for stream, values in zip(self.streams, (keypoints, motion), strict=True)]
        logits: Tensor = self.last(self.mixed(torch.cat(parts, dim=1)))
        return logits


class _Stream(nn.Module):
    """Positions or differences: `(rows, frames, joints, dims)` -> `(rows, 64, frames / 4, 8)`."""

    def __init__(self, num_joints: int, num_dims: int) -> None:
        super().__init__()
        self.points = nn.Sequential(nn.Conv2d(num_dims, 64, 1), nn.ReLU(), nn.Conv2d(64, 32, (3, 1), padding=(1, 0)))
        self.joints = nn.Sequential(
            nn.Conv2d(num_joints, 32, 3, padding=1),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.Dropout2d(0.5),
            nn.MaxPool2d(2),
        )

    def forward(self, keypoints: Tensor) -> Tensor:
        points = self.points(keypoints.permute(0, 3, 1, 2))  # (rows, 32, frames, joints)
        out: Tensor = self.joints(points.permute(0, 3, 2, 1))
        return out
