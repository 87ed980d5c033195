"""What is drawn over an image lies where the keypoints say; the video has the frames, the rate and the size."""

import numpy as np
import pytest

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import LEFT, RIGHT
from motionhub.visualization.overlay import PEOPLE, draw_overlay, write_overlay


pytest.importorskip("PIL")


def people(frames=4, num_people=2):
    """Stretched out bodies of 17 joints, the second 150 pixels to the right; seen from frame 1 on."""
    points = np.random.default_rng(0).uniform(30, 90, (1, 1, 17, 2))
    points[0, 0, 5], points[0, 0, 6] = (80, 40), (40, 40)  # left and right shoulder
    keypoints = points + np.array([150, 0]) * np.arange(num_people)[:, None, None, None]
    keypoints = np.repeat(keypoints, frames, axis=1)
    keypoints[:, 0] = np.nan
    return SkeletonSequence(keypoints, "coco-17", 10, "pixel", image_size=(320, 120), track_ids=(3, 5)[:num_people])


def test_joints_boxes_and_numbers_are_where_they_belong():
    image = np.zeros((120, 320, 3), np.uint8)
    boxes = np.full((2, 4, 4), np.nan)
    boxes[0, 1:] = (20, 20, 100, 100)
    drawn = draw_overlay(image, people(), 1, boxes)
    assert not image.any() and drawn.shape == image.shape
    assert tuple(drawn[40, 80]) == LEFT and tuple(drawn[40, 40]) == RIGHT
    assert tuple(drawn[60, 20]) == PEOPLE[3] and tuple(drawn[60, 100]) == PEOPLE[3]  # the given box
    assert (drawn[:, 170:] == PEOPLE[5 % len(PEOPLE)]).all(axis=-1).sum() > 100  # one around the joints
    np.testing.assert_array_equal(draw_overlay(image, people(), 0), image)  # nobody is seen
    np.testing.assert_array_equal(draw_overlay(image, people(), 9), image)  # there is no such frame


def test_names_are_written_beside_large_bodies_only_where_asked_for():
    clip = people(num_people=1)
    large = clip.replace(keypoints=clip.keypoints * 5)
    image = np.zeros((600, 1600, 3), np.uint8)
    for sequence, named in ((clip, False), (large, True)):
        without = draw_overlay(image, sequence, 1)
        assert (draw_overlay(image, sequence, 1, show_joint_names=True) != without).any() == named


def test_the_video_shows_what_is_drawn_over_an_image_and_is_no_larger_than_asked_for(tmp_path):
    pytest.importorskip("av")
    from motionhub.data.video.reader import open_video

    clip = people(frames=2, num_people=1)
    clip = clip.replace(keypoints=clip.keypoints * 4)
    image = np.full((480, 1280, 3), 90, np.uint8)
    for largest, scale in ((None, 1.0), (640, 0.5)):
        path = write_overlay([(0, image), (1, image)], clip, tmp_path / f"{largest}.mp4", largest=largest)
        _, shown = [frame.image.astype(int) for frame in open_video(path).frames()]
        assert shown.shape == (480 * scale, 1280 * scale, 3)
        for joint, colour in ((5, LEFT), (6, RIGHT)):
            x, y = (clip.keypoints[0, 1, joint] * scale).round().astype(int)
            assert np.abs(shown[y, x] - colour).max() < 30, (largest, joint, shown[y, x])


def test_only_pixels_can_lie_over_an_image():
    metres = SkeletonSequence(np.zeros((1, 1, 17, 3)), "coco-17", 10, "metre")
    with pytest.raises(ValueError, match="got 3-D metres"):
        draw_overlay(np.zeros((10, 10, 3), np.uint8), metres, 0)
    with pytest.raises(ValueError, match="uint8"):
        draw_overlay(np.zeros((10, 10)), people(), 0)


def test_the_video_has_an_image_for_every_frame_also_for_those_left_out(tmp_path):
    pytest.importorskip("av")
    from motionhub.data.video.reader import open_video

    image = np.zeros((121, 321, 3), np.uint8)  # odd, which H.264 does not take
    path = write_overlay(((number, image) for number in (0, 1, 4)), people(5), tmp_path / "new" / "a.mp4")
    video = open_video(path)
    assert (video.num_frames, video.fps, video.size) == (5, 10, (322, 122))
    frames = [frame.image for frame in video.frames()]
    assert frames[0].mean() < 2 and frames[1].mean() > 5
    assert np.abs(frames[3].astype(int) - frames[1]).mean() < 2  # the image before stays
    with pytest.raises(ValueError, match="no frame to draw on"):
        write_overlay([], people(), tmp_path / "b.mp4")
