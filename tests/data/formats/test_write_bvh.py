"""BVH out: what is written reads back as the same positions; rotations alone do where the body is rigid."""

import sys

import numpy as np
import pytest
from analytic_motions import pendulum_arm
from scipy.spatial.transform import Rotation

import motionhub
from motionhub.data.formats import bvh as reader
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


def joints_of(path) -> dict[str, list[str]]:
    return {joint.name: joint.channels for joint in reader.load(path).joints}


def read_back(clip: SkeletonSequence, path) -> SkeletonSequence:
    (read,) = motionhub.read(motionhub.write(clip, path), layout=clip.layout)
    assert (read.fps, read.unit, read.layout, read.num_frames) == (clip.fps, "metre", clip.layout, clip.num_frames)
    return read


@pytest.mark.parametrize("layout", ["kinect-20", "h36m-17", "openpose-18", "utd-mhad-20", "coco-17", "lac-17"])
def test_synthetic_motion_reads_back_to_a_millimetre(tmp_path, layout):
    clip = generate("fall", seed=2, layout=layout, num_frames=40)
    read = read_back(clip, tmp_path / "clip.bvh")
    np.testing.assert_allclose(read.keypoints, clip.keypoints, atol=1e-3)


def test_joints_read_back_by_name_without_a_layout_given(tmp_path):
    clip = generate("kick", layout="utd-mhad-20", num_frames=10)
    (read,) = motionhub.read(motionhub.write(clip, tmp_path / "clip.bvh"))
    assert read.layout.root == "mid_hip" and set(read.layout.joints) == set(clip.layout.joints)
    again = motionhub.convert_layout(read, "utd-mhad-20")
    np.testing.assert_allclose(again.keypoints, clip.keypoints, atol=1e-3)


def test_noise_changes_bone_lengths_and_still_reads_back(tmp_path):
    clip = generate("wave", scene=Scene(noise=0.03), num_frames=30)
    np.testing.assert_allclose(read_back(clip, tmp_path / "clip.bvh").keypoints, clip.keypoints, atol=1e-3)


def test_limbs_of_constant_length_are_rotations_only_and_offsets_their_lengths(tmp_path):
    clip = pendulum_arm(num_frames=30)
    path = motionhub.write(clip, tmp_path / "clip.bvh")
    channels = joints_of(path)
    assert channels["mid_hip"][:3] == ["Xposition", "Yposition", "Zposition"]
    limbs = [f"{side}_{part}" for side in ("left", "right") for part in ("elbow", "wrist", "knee", "ankle")]
    assert all(channels[joint] == ["Zrotation", "Xrotation", "Yrotation"] for joint in limbs)
    offsets = {joint.name: joint.offset for joint in reader.load(path).joints}
    points = clip.keypoints[0][:, [clip.layout.index("right_shoulder"), clip.layout.index("right_elbow")]]
    length = np.linalg.norm(points[:, 1] - points[:, 0], axis=-1).mean()
    assert np.linalg.norm(offsets["right_elbow"]) == pytest.approx(100 * length, abs=1e-3)


def test_a_rigid_body_with_branches_turns_by_its_rotations_alone(tmp_path):
    layout = SkeletonLayout("star-4", ("a", "b", "c", "d"), (("b", "a"), ("c", "a"), ("d", "b")), "a")
    rest = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 2]], float)
    # Half a turn and more, and a way through space.
    turns = Rotation.from_rotvec(np.linspace(0, 7, 50)[:, None] * np.array([0.48, 0.6, 0.64]))
    places = np.stack([turns.apply(point) for point in rest], axis=1) + np.linspace(0, 3, 50)[:, None, None]
    clip = SkeletonSequence(places, layout, 24, "metre")
    path = tmp_path / "clip.bvh"
    np.testing.assert_allclose(read_back(clip, path).keypoints, clip.keypoints, atol=1e-4)
    assert [len(channels) for channels in joints_of(path).values()] == [6, 3, 3, 3]


def test_joints_in_no_bone_and_joints_in_one_place_read_back(tmp_path):
    layout = SkeletonLayout("loose-4", ("a", "b", "c", "d"), (("b", "a"), ("c", "b")), "a")
    places = np.random.default_rng(0).normal(size=(1, 20, 4, 3))
    places[:, :, 1] = places[:, :, 0]
    places[0, 10, 2] = 2 * places[0, 10, 1] - places[0, 9, 2]
    clip = SkeletonSequence(places, layout, 60, "metre")
    np.testing.assert_allclose(read_back(clip, tmp_path / "clip.bvh").keypoints, clip.keypoints, atol=1e-3)


def test_a_real_recording_reads_back(unzipped, tmp_path):
    file = sorted(unzipped("data/bandai_namco_2_subset.zip").rglob("*.bvh"))[0]
    clip = motionhub.read(file)[0]
    clip = clip.replace(keypoints=clip.keypoints[:, :200])
    read = read_back(clip, tmp_path / "clip.bvh")
    np.testing.assert_allclose(read.keypoints, clip.keypoints, atol=1e-3)


def test_what_bvh_cannot_hold_is_refused_with_the_reason(tmp_path):
    def reason(clip) -> str:
        with pytest.raises(ValueError) as caught:
            motionhub.write(clip, tmp_path / "clip.bvh")
        assert not (tmp_path / "clip.bvh").exists()
        return str(caught.value)

    whole = generate("wave", num_frames=5)
    assert "got 2-D keypoints" in reason(whole.replace(keypoints=whole.keypoints[..., :2]))
    assert "lengths, got 'normalised'" in reason(whole.replace(unit="normalised"))
    assert "one person, got 2" in reason(generate("wave", second_person="kick", num_frames=5))
    holes = whole.keypoints.copy()
    holes[:, 2, 7] = np.nan
    assert whole.layout.joints[7] in reason(whole.replace(keypoints=holes))


def test_a_machine_with_numpy_only_is_told_what_a_bvh_file_needs(tmp_path, monkeypatch):
    path = motionhub.write(generate("wave", num_frames=5), tmp_path / "clip.bvh")
    monkeypatch.setitem(sys.modules, "scipy.spatial.transform", None)
    with pytest.raises(ModuleNotFoundError, match=r"clip\.bvh: this format needs scipy.*run: pip install scipy"):
        motionhub.read(path)
