"""Fill rules on one joint whose whole story is written out."""

import pytest
import torch

from motionhub.processing.steps import fill_missing


NAN = float("nan")


def joint(*values: float) -> torch.Tensor:
    """One person and one joint over time; y is ten times x."""
    path = torch.tensor(values, dtype=torch.float32)
    return torch.stack([path, 10 * path], dim=-1)[None, :, None]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("zero", [0, 0, 3, 0, 0, 9, 10, 0]),
        ("previous", [3, 3, 3, 3, 3, 9, 10, 10]),
        ("interpolate", [3, 3, 3, 5, 7, 9, 10, 10]),
    ],
)
def test_fill_rules(fill, expected):
    filled = fill_missing(joint(NAN, NAN, 3, NAN, NAN, 9, 10, NAN), fill)
    torch.testing.assert_close(filled, joint(*expected))


@pytest.mark.parametrize("fill", ["zero", "previous", "interpolate"])
def test_never_seen_joint_is_zero_and_does_not_touch_the_others(fill):
    keypoints = torch.cat([joint(NAN, NAN, NAN), joint(1, 2, 3)], dim=2)
    assert torch.equal(fill_missing(keypoints, fill), torch.cat([joint(0, 0, 0), joint(1, 2, 3)], dim=2))


@pytest.mark.parametrize("fill", ["zero", "previous", "interpolate"])
def test_nothing_missing_nothing_changed(fill):
    keypoints = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fill_missing(keypoints, fill), keypoints)
