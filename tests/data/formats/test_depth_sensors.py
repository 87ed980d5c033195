"""Body tracking of depth sensors: metres, axes of the camera, time stamps, people by their number."""

import numpy as np
import pytest
from format_samples import body
from helpers import read_error, write_json

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


SIDES = ("LEFT", "RIGHT")
# Of the SDK's k4abt_joint_id_t.
KINECT = (
    *("PELVIS", "SPINE_NAVEL", "SPINE_CHEST", "NECK"),
    *(f"{p}_{s}" for s in SIDES for p in ("CLAVICLE", "SHOULDER", "ELBOW", "WRIST", "HAND", "HANDTIP", "THUMB")),
    *(f"{p}_{s}" for s in SIDES for p in ("HIP", "KNEE", "ANKLE", "FOOT")),
    *("HEAD", "NOSE", "EYE_LEFT", "EAR_LEFT", "EYE_RIGHT", "EAR_RIGHT"),
)  # fmt: skip


def millimetres(time: int, row: int = 0, joints: int = 32) -> list[list[float]]:
    return [[100.0 * joint + time, -10.0 * joint, 2500.0 + 500 * row] for joint in range(joints)]


@pytest.fixture
def write(tmp_path):
    return lambda content: write_json(tmp_path / "bodies.json", content)


def kinect(times=(0, 1, 2, 5), named: bool = True) -> dict:
    frames = [
        {
            "frame_id": n,
            "timestamp_usec": 1_000_000 + 33_333 * n,
            "num_bodies": 2,
            "bodies": [
                {"body_id": 4 + row, "joint_positions": millimetres(n, row), "joint_orientations": [[1, 0, 0, 0]] * 32}
                for row in (1, 0)
            ],
        }
        for n in times
    ]
    return {"joint_names": list(KINECT) if named else [], "bone_list": [["NECK", "HEAD"]], "frames": frames}


@pytest.mark.parametrize("named", [True, False])
def test_azure_kinect_is_metres_y_down_with_the_rate_of_the_time_stamps(write, named):
    path = write(kinect(named=named))
    assert find_format(path).name == "azure-kinect"
    (clip,) = read(path)
    assert (clip.fps, clip.unit, clip.up, clip.layout) == (30, "metre", "-y", get_layout("kinect-azure-32"))
    assert (clip.track_ids, clip.num_frames) == ((5, 4), 6)
    assert clip.joint_mask.all(axis=(0, 2)).tolist() == [True, True, True, False, False, True]
    for joint, name in ((1, "spine"), (2, "chest"), (4, "left_collar"), (9, "left_hand_tip"), (12, "right_shoulder")):
        expected = np.array(millimetres(5, 0)[joint]) / 1000
        np.testing.assert_allclose(clip.keypoints[1, 5, clip.layout.index(name)], expected, rtol=1e-6)


def test_names_in_another_order_decide(write):
    content = kinect()
    content["joint_names"] = content["joint_names"][::-1]
    (clip,) = read(write(content))
    expected = np.array(millimetres(0, 1)[31 - KINECT.index("KNEE_LEFT")]) / 1000
    np.testing.assert_allclose(clip.keypoints[0, 0, clip.layout.joints.index("left_knee")], expected, rtol=1e-6)


@pytest.mark.parametrize("joints", [18, 34, 38])
def test_zed_needs_the_unit_and_takes_percent_as_confidence(write, joints):
    content = {
        str(1_700_000_000_000 + 40 * n): {
            "timestamp": 1_700_000_000_000_000_000 + 40_000_000 * n,
            "body_list": [{"id": 3, "keypoint": millimetres(n, 0, joints), "keypoint_confidence": [50.0] * joints}],
        }
        for n in (0, 1, 3)
    }
    path = write(content)
    assert find_format(path).name == "zed"
    assert 'unit="metre"' in read_error(path)
    (clip,) = read(path, unit="millimetre")
    assert (clip.fps, clip.num_frames, clip.layout.name, clip.up) == (25, 4, f"zed-{joints}", None)
    np.testing.assert_allclose(clip.keypoints[0, 3, 2], np.array(millimetres(3)[2]) / 1000, rtol=1e-6)
    np.testing.assert_allclose(clip.confidence[0, 0], 0.5)


@pytest.mark.parametrize("by_name", [True, False])
def test_nuitrack_joints_by_name_or_number_are_metres_y_up(write, by_name):
    kinds = {1: "Head", 2: "Neck", 4: "Waist", 12: "RightShoulder", 18: "LeftKnee"}
    joints = [
        {
            "type": kinds[number] if by_name else number,
            "confidence": 0.75,
            "real": {"x": number, "y": 10.0 * time, "z": 2000},
        }
        for time in (0,)
        for number in kinds
    ]
    path = write({"fps": 30, "frames": [{"Skeletons": [{"id": 2, "joints": joints}]}] * 2})
    assert find_format(path).name == "nuitrack"
    (clip,) = read(path)
    assert (clip.unit, clip.up, clip.track_ids) == ("metre", "y", (2,))
    assert clip.layout.joints == ("head", "neck", "mid_hip", "right_shoulder", "left_knee")
    np.testing.assert_allclose(clip.keypoints[0, 0, 3], [0.012, 0, 2], rtol=1e-6)


def test_easymocap_folders_keep_ids_confidences_and_metres(tmp_path):
    for number in range(3):
        points = [[joint / 10, number / 100, 1.5, 0.9] for joint in range(25)]
        points[4] = [0, 0, 0, 0]
        write_json(tmp_path / "keypoints3d" / f"{number:06d}.json", [{"id": 7, "keypoints3d": points}])
    path = tmp_path / "keypoints3d"
    assert find_format(path).name == "easymocap"
    (clip,) = read(path, fps=50)
    assert (clip.layout.name, clip.unit, clip.num_dims, clip.track_ids) == ("body-25", "metre", 3, (7,))
    assert np.argwhere(~clip.joint_mask)[:, 2].tolist() == [4, 4, 4]
    np.testing.assert_allclose(clip.keypoints[0, 2, 3], [0.3, 0.02, 1.5], rtol=1e-6)


def test_annotations_of_easymocap_are_2_d_pixels(tmp_path):
    for number in range(3):
        points = np.insert(body("body-25")[number], 2, 0.9, axis=-1).tolist()
        frame = {"filename": f"images/{number:06d}.jpg", "height": 480, "width": 640}
        write_json(
            tmp_path / "annots" / f"{number:06d}.json", frame | {"annots": [{"personID": 2, "keypoints": points}]}
        )
    (clip,) = read(tmp_path / "annots", fps=50)
    assert (clip.layout.name, clip.unit, clip.image_size, clip.track_ids) == ("body-25", "pixel", (640, 480), (2,))
    np.testing.assert_allclose(clip.keypoints[0, 2], body("body-25")[2], rtol=1e-6)


def test_the_body_of_easymocaps_keypoints_with_hands_and_face_is_read(tmp_path):
    points = np.insert(np.concatenate([body("body-25", 3)[0], np.ones((42, 3))]), 3, 0.9, axis=-1).tolist()
    for number in range(2):
        write_json(tmp_path / "k" / f"{number:06d}.json", [{"id": 0, "keypoints3d": points}])
    with pytest.warns(FileNote, match="the first 25 of 67 keypoints are read"):
        (clip,) = read(tmp_path / "k", fps=50)
    np.testing.assert_allclose(clip.keypoints[0, 0], body("body-25", 3)[0], rtol=1e-6)
