"""Results of pose estimators as Python objects: the same clip as the JSON of the same people, from every library."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from format_samples import body
from helpers import error_of

from motionhub import from_results
from motionhub.data.formats.results import is_frame_result


def places(time: int, row: int = 0, joints: int = 17) -> np.ndarray:
    """`(joints, 2)`: x = 100 + 400 row + 10 joint + time, y = 50 + 20 joint."""
    index = np.arange(joints)
    return np.stack([100 + 400 * row + 10 * index + time, 50 + 20 * index], axis=-1).astype(np.float32)


SCORES = np.full(17, 0.75, np.float32)


def vitpose(time: int) -> list[dict]:
    return [{"keypoints": torch.tensor(places(time, row)), "scores": torch.tensor(SCORES)} for row in (1, 0)]


def both(time: int) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([places(time, row) for row in (1, 0)]), np.stack([SCORES] * 2)


def supervision(time: int):
    """The attributes of `supervision.KeyPoints` of version 0.31."""
    points, scores = both(time)
    detection = scores.mean(1)
    return SimpleNamespace(
        xy=points, class_id=None, keypoint_confidence=scores, visible=None, detection_confidence=detection, data={}
    )


def older_supervision(time: int):
    points, scores = both(time)
    return SimpleNamespace(xy=points, confidence=scores)


def ultralytics(time: int):
    points, scores = both(time)
    keypoints = SimpleNamespace(xy=torch.tensor(points), conf=torch.tensor(scores))
    return SimpleNamespace(
        keypoints=keypoints, boxes=SimpleNamespace(id=torch.tensor([8.0, 6.0])), orig_shape=(480, 640)
    )


def mmpose(time: int) -> dict:
    points, scores = both(time)
    people = zip(points.tolist(), scores.tolist(), strict=True)
    return {"predictions": [[{"keypoints": person, "keypoint_scores": score} for person, score in people]]}


LIBRARIES = {
    "ViTPose": (vitpose, []),
    "arrays": (both, (np.zeros((0, 17, 2)), np.zeros((0, 17)))),
    "supervision": (supervision, None),
    "supervision before 0.29": (older_supervision, SimpleNamespace(xy=np.zeros((0, 0, 2)), confidence=None)),
    "ultralytics": (ultralytics, SimpleNamespace(keypoints=None)),
    "MMPose": (mmpose, {"predictions": [[]]}),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_frames_of_every_library_are_the_same_clip(library):
    frame_of, nobody = LIBRARIES[library]
    clip = from_results([frame_of(0), frame_of(1), nobody, frame_of(3)], fps=25)
    assert (clip.keypoints.shape, clip.fps, clip.unit, clip.up) == ((2, 4, 17, 2), 25, "pixel", "-y")
    assert clip.layout.name == "coco-17"
    for time in (0, 1, 3):
        np.testing.assert_array_equal(clip.keypoints[:, time], both(time)[0])
    assert not clip.joint_mask[:, 2].any()
    np.testing.assert_allclose(clip.confidence[:, [0, 1, 3]], 0.75)


def test_labels_of_a_threshold_keep_each_keypoint_at_its_joint():
    kept = [joint for joint in range(17) if joint not in (2, 16)]
    person = {
        "keypoints": torch.tensor(places(0)[kept]),
        "scores": torch.tensor(SCORES[kept]),
        "labels": torch.tensor(kept),
    }
    clip = from_results([[person], vitpose(1)[1:]], fps=30)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 2], [0, 0, 16]]
    np.testing.assert_array_equal(clip.keypoints[0, 0, 15], places(0)[15])


def test_a_generator_is_read_once_and_one_frame_is_a_clip():
    assert from_results((vitpose(time) for time in range(3)), fps=30).num_frames == 3
    assert from_results(ultralytics(0), fps=30).num_frames == 1


def test_person_numbers_and_image_size_are_kept():
    clip = from_results([ultralytics(0), ultralytics(1)], fps=30)
    assert (clip.track_ids, clip.image_size) == ((8, 6), (640, 480))
    pairs = [(older_supervision(time), SimpleNamespace(tracker_id=np.array([4, 2]))) for time in range(2)]
    assert from_results(pairs, fps=30).track_ids == (4, 2)


def test_the_origin_and_what_is_not_visible_are_missing():
    frame = older_supervision(0)
    frame.xy[0, 3] = 0
    frame.visible = np.ones((2, 17), bool)
    frame.visible[1, 5] = False
    assert np.argwhere(~from_results([frame], fps=30).joint_mask).tolist() == [[0, 0, 3], [1, 0, 5]]


def landmark(joint: int, shift: float) -> SimpleNamespace:
    return SimpleNamespace(x=joint / 100 + shift, y=joint / 50, z=-joint / 10, visibility=joint / 33)


def mediapipe(time: int, people: int = 1) -> SimpleNamespace:
    marks = [[landmark(joint, time / 100 + row / 2) for joint in range(33)] for row in range(people)]
    return SimpleNamespace(pose_landmarks=marks, pose_world_landmarks=marks)


def test_landmarks_are_fractions_pixels_or_metres():
    frames = [mediapipe(0), SimpleNamespace(pose_landmarks=[], pose_world_landmarks=[]), mediapipe(2)]
    clip = from_results(frames, fps=30)
    assert (clip.unit, clip.layout.name, clip.keypoints.shape) == ("normalised", "mediapipe-33", (1, 3, 33, 2))
    np.testing.assert_allclose(clip.keypoints[0, 2, 10], [0.12, 0.2], rtol=1e-6)
    np.testing.assert_allclose(clip.confidence[0, 0], np.arange(33) / 33, rtol=1e-6)
    pixels = from_results(frames, fps=30, unit="pixel", image_size=(200, 100))
    np.testing.assert_allclose(pixels.keypoints[0, 2, 10], [24, 20], rtol=1e-5)
    world = from_results(frames, fps=30, unit="metre")
    assert (world.unit, world.num_dims, world.up) == ("metre", 3, "-y")
    np.testing.assert_allclose(world.keypoints[0, 2, 10], [0.12, 0.2, -1], rtol=1e-6)


def test_the_one_person_of_the_solutions_interface_is_read():
    marks = SimpleNamespace(landmark=[landmark(joint, 0) for joint in range(33)])
    frames = [SimpleNamespace(pose_landmarks=marks), SimpleNamespace(pose_landmarks=None)]
    assert from_results(frames, fps=30).joint_mask.any(axis=(0, 2)).tolist() == [True, False]


def test_mediapipes_own_objects_are_read():
    pytest.importorskip("mediapipe")
    from mediapipe.tasks.python.components.containers.landmark import NormalizedLandmark
    from mediapipe.tasks.python.vision import PoseLandmarkerResult

    marks = [[NormalizedLandmark(x=joint / 100, y=joint / 50, z=0, visibility=0.5) for joint in range(33)]]
    (x, y) = from_results([PoseLandmarkerResult(marks, [])], fps=30).keypoints[0, 0, 10]
    assert (x, y) == (pytest.approx(0.1), pytest.approx(0.2))


def test_3_d_keypoints_need_a_unit():
    people = [{"keypoints": body("h36m-17", 3)[0], "scores": SCORES}]
    assert 'unit="metre"' in error_of(from_results, [people], fps=30)
    clip = from_results([people], fps=30, unit="millimetre")
    assert (clip.num_dims, clip.layout.name) == (3, "h36m-17")
    people[0]["keypoints"] = body("coco-17", 3)[0]
    assert "h36m-17 is usual for 17 joints, but" in error_of(from_results, [people], fps=30, unit="metre")


@pytest.mark.parametrize("frames, reason", [
    (7, "takes a list of frames, got int"),
    ([], "one item per frame, got none"),
    (["a.jpg"], "frame 0: expected people with keypoints, got a str"),
    ([np.ones((2, 17, 3))], r"array \(2, 17, 3\); give a pair of arrays"),
    ([[{"boxes": 1}]], "person 0: expected the key 'keypoints', got"),
    ([(np.ones((2, 17, 2)), np.ones((2, 16)))], r"expected scores \(2, 17\), got \(2, 16\)"),
    ([(np.ones((17, 5)), np.ones(17))], "expected keypoints"),
    ([(np.full((1, 26, 2), 9.0), None)], r"26 joints a person; .*from_results\(results, fps=..., layout="),
    ([mediapipe(0)], "give image_size="),
])  # fmt: skip
def test_what_does_not_fit_is_named(frames, reason):
    unit = "pixel" if "image_size" in reason else None
    with pytest.raises(ValueError, match=reason) as caught:
        from_results(frames, fps=30, unit=unit)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", LIBRARIES)
def test_frames_are_told_from_arrays_rows_and_paths(library):
    assert is_frame_result(LIBRARIES[library][0](0)) == (library != "arrays")
    for other in (
        "clip.npz",
        np.ones((2, 3)),
        {"keypoints": [1.0], "layout": "coco-17"},
        [],
        ["a", "b"],
        [[1.0, 2.0]],
    ):
        assert not is_frame_result(other)
