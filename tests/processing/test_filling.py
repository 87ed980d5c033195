"""Fill rules on one joint whose whole story is written out."""

import numpy as np
import pytest

from motionhub.runtime.steps import fill_missing


NAN = float("nan")


def joint(*values: float) -> np.ndarray:
    """One person and one joint over time; y is ten times x."""
    path = np.array(values, np.float32)
    return np.stack([path, 10 * path], axis=-1)[None, :, None]


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
    np.testing.assert_allclose(filled, joint(*expected))


@pytest.mark.parametrize("fill", ["zero", "previous", "interpolate"])
def test_never_seen_joint_is_zero_and_does_not_touch_the_others(fill):
    keypoints = np.concatenate([joint(NAN, NAN, NAN), joint(1, 2, 3)], axis=2)
    assert np.array_equal(fill_missing(keypoints, fill), np.concatenate([joint(0, 0, 0), joint(1, 2, 3)], axis=2))


@pytest.mark.parametrize("fill", ["zero", "previous", "interpolate"])
def test_nothing_missing_nothing_changed(fill):
    keypoints = np.random.default_rng(0).standard_normal((2, 5, 3, 3), np.float32)
    assert np.array_equal(fill_missing(keypoints, fill), keypoints)
