"""Panels beside each other: read back from the GIF."""

import numpy as np
import pytest

import motionhub
from motionhub.visualization.animate import animate_side_by_side


pytest.importorskip("PIL.Image")


def standing(frames, fps=25, x=0.0, layout="lac-15"):
    """Left arm stretched out to the left of the picture (x = 0) or upwards."""
    pose = np.random.default_rng(0).uniform(0, 100, size=(1, 1, motionhub.get_layout(layout).num_joints, 2))
    points = np.repeat(pose, frames, axis=1)
    points[..., 0] += x * np.arange(frames)[:, None]
    return motionhub.SkeletonSequence(points, layout=layout, fps=fps, unit="pixel")


def frames_of(path):
    from PIL import Image, ImageSequence

    with Image.open(path) as gif:
        images = [(np.asarray(frame.convert("RGB")).astype(int), frame.info["duration"])
                  for frame in ImageSequence.Iterator(gif)]  # fmt: skip
    return [image for image, _ in images], sum(duration for _, duration in images)


def test_a_panel_for_each_clip_as_long_as_the_first(tmp_path):
    path = animate_side_by_side(
        [standing(10, x=5), standing(4, x=5), standing(30, fps=50, layout="coco-17")],
        tmp_path / "three.gif",
        size=100,
        follow=False,
    )
    images, duration = frames_of(path)
    assert len(images) == 10 and images[0].shape == (134, 300, 3)
    assert duration == 400  # ten frames at 25 a second, in milliseconds
    drawn = [(images[0][34:110, start : start + 96] < 200).any() for start in (2, 102, 202)]
    assert all(drawn)
    changed = [(images[9][34:110, start : start + 96] != images[4][34:110, start : start + 96]).any()
               for start in (2, 102, 202)]  # fmt: skip
    assert changed == [True, False, False]  # the second clip is at its end, the third does not move


def test_following_keeps_a_walk_in_the_middle(tmp_path):
    images, _ = frames_of(animate_side_by_side([standing(6, x=40)], tmp_path / "walk.gif", size=100))
    for image in images[1:]:
        assert (np.abs(image[34:110] - images[0][34:110]).max(axis=-1) > 60).mean() < 0.01


def test_clips_that_cannot_be_shown(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        animate_side_by_side([], tmp_path / "none.gif")
    with pytest.raises(ValueError, match=r"frames \[3, 0\]"):
        animate_side_by_side([standing(3), standing(0)], tmp_path / "none.gif")
    with pytest.raises(ValueError, match="titles must be 1"):
        animate_side_by_side([standing(3)], tmp_path / "none.gif", titles=["a", "b"])
