"""SMPL rotations become joints of a mean body; joints of regressors come out as they went in."""

import pickle
from itertools import pairwise

import joblib
import numpy as np
import pytest
import torch
from helpers import read_error
from scipy.spatial.transform import Rotation

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.data.formats.smpl_body import JOINTS, PELVIS, joint_positions


FRAMES = 8
# Stands the body, which is y up at rest, along z.
STANDING = np.array([np.pi / 2, 0, 0])


@pytest.fixture
def amass(tmp_path):
    def write(count: int = 52, **changes):
        poses = np.zeros((FRAMES, count, 3))
        poses[:, 0] = STANDING
        content = {"poses": poses.reshape(FRAMES, -1), "trans": np.zeros((FRAMES, 3)), "mocap_framerate": 120.0}
        path = tmp_path / "walk_poses.npz"
        np.savez(path, **{name: value for name, value in (content | changes).items() if value is not None})
        return path

    return write


@pytest.fixture
def pickled(tmp_path):
    def write(content):
        path = tmp_path / "output.pkl"
        path.write_bytes(pickle.dumps(content, protocol=4))
        return path

    return write


def at(points: np.ndarray, joint: str) -> np.ndarray:
    return points[..., JOINTS.index(joint), :]


def test_zero_rotations_are_a_t_pose():
    points = joint_positions(np.zeros((1, 24, 3)))[0]
    for side, sign in (("left", 1), ("right", -1)):
        assert sign * at(points, f"{side}_wrist")[0] > sign * at(points, f"{side}_elbow")[0] > 0.4
        assert abs(at(points, f"{side}_wrist") - at(points, f"{side}_shoulder"))[1] < 0.02
    assert at(points, "head")[1] > at(points, "neck")[1] > at(points, "left_hip")[1] > at(points, "left_knee")[1]
    assert 1.4 < at(points, "head")[1] - at(points, "left_foot")[1] < 1.6
    np.testing.assert_allclose(at(points, "mid_hip"), PELVIS)


def test_a_bent_knee_moves_the_shin_and_nothing_above_it():
    turned = np.zeros((1, 24, 3))
    turned[0, JOINTS.index("left_knee")] = [np.pi / 2, 0, 0]
    still, bent = joint_positions(np.zeros((1, 24, 3)))[0], joint_positions(turned)[0]
    shin = at(still, "left_ankle") - at(still, "left_knee")
    np.testing.assert_allclose(at(bent, "left_ankle") - at(bent, "left_knee"), [shin[0], -shin[2], shin[1]], atol=1e-9)
    moved = {JOINTS[row] for row in np.flatnonzero(np.abs(bent - still).max(axis=1) > 1e-9)}
    assert moved == {"left_ankle", "left_foot"}


def test_chains_of_rotations_agree_with_scipy():
    rotvecs = np.random.default_rng(0).normal(0, 1, (3, 24, 3))
    rest, points = joint_positions(np.zeros((3, 24, 3))), joint_positions(rotvecs)
    chain = ["mid_hip", "spine", "chest", "upper_chest", "left_collar", "left_shoulder", "left_elbow", "left_wrist"]
    place, turn = at(rest, "mid_hip"), Rotation.identity(3)
    for parent, joint in pairwise(chain):
        turn = turn * Rotation.from_rotvec(rotvecs[:, JOINTS.index(parent)])
        place = place + turn.apply(at(rest, joint) - at(rest, parent))
    np.testing.assert_allclose(at(points, "left_wrist"), place, atol=1e-9)
    matrices = Rotation.from_rotvec(rotvecs.reshape(-1, 3)).as_matrix().reshape(3, 24, 3, 3)
    np.testing.assert_allclose(joint_positions(matrices), points, atol=1e-9)


def test_amass_states_rate_unit_and_axes(amass):
    trans = np.outer(np.arange(FRAMES), [0.1, 0, 0])
    path = amass(trans=trans, betas=np.ones(16))
    assert find_format(path).name == "smpl"
    with pytest.warns(FileNote, match=r"fingers and face are left out; the body shape \(betas\) is not applied"):
        (clip,) = read(path)
    assert (clip.layout.name, clip.fps, clip.unit, clip.up) == ("smpl-22", 120, "metre", "z")
    head, foot = at(clip.keypoints[0], "head"), at(clip.keypoints[0], "left_foot")
    assert (head[:, 2] - foot[:, 2] > 1.4).all()
    np.testing.assert_allclose(at(clip.keypoints[0], "mid_hip"), trans + PELVIS, atol=1e-6)


@pytest.mark.parametrize(("joints", "layout"), [(22, "smpl-22"), (24, "smpl-24"), (52, "smpl-22"), (55, "smplx-22")])
@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_the_number_of_rotations_is_the_body(amass, joints, layout):
    assert read(amass(joints))[0].layout.name == layout
    assert "expected rotations of [22, 24, 52, 55] joints, got 31" in read_error(amass(31))


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_smplx_keys_are_the_same_body(amass):
    body = np.random.default_rng(1).normal(0, 0.3, (FRAMES, 63))
    whole = np.concatenate([np.tile(STANDING, (FRAMES, 1)), body], axis=1)
    (joined,) = read(amass(poses=whole))
    parts = {"root_orient": whole[:, :3], "pose_body": body, "surface_model_type": "smplx", "mocap_framerate": None}
    (split,) = read(amass(poses=None, mocap_frame_rate=60.0, **parts))
    assert (split.layout.name, split.fps) == ("smplx-22", 60)
    np.testing.assert_array_equal(split.keypoints, joined.keypoints)


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_what_amass_states_is_not_contradicted(amass):
    assert "the file states fps 120, but fps 30 was given" in read_error(amass(), fps=30)
    assert "the file states unit metre, but unit pixel was given" in read_error(amass(), unit="pixel")
    assert "the file states layout smpl-22, but layout coco-17 was given" in read_error(amass(), layout="coco-17")
    assert "fps: the file does not state it" in read_error(amass(mocap_framerate=None))


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_a_frame_with_a_broken_number_is_missing(amass):
    poses = np.tile(STANDING, (FRAMES, 22))
    poses[3, 50] = np.nan
    (clip,) = read(amass(poses=poses))
    assert clip.joint_mask.any(axis=2)[0].tolist() == [frame != 3 for frame in range(FRAMES)]


def test_a_root_that_never_turns_is_y_up(amass):
    with pytest.warns(FileNote, match="read as y up"):
        assert read(amass(poses=np.zeros((FRAMES, 66))))[0].up == "y"


def test_people_of_a_video_keep_their_frames(pickled):
    def person(first: int):
        return {"pose": np.zeros((4, 72)), "trans": np.full((4, 3), first), "frame_ids": np.arange(first, first + 4)}

    path = pickled({3: person(0) | {"betas": np.zeros(10)}, 5: person(2)})
    (clip,) = read(path, fps=25)
    assert (clip.layout.name, clip.num_frames, clip.track_ids, clip.fps) == ("smpl-24", 6, (3, 5), 25)
    assert clip.joint_mask[:, :, 0].astype(int).tolist() == [[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]]
    np.testing.assert_allclose(clip.keypoints[1, 2, 0], np.array(PELVIS) + 2, atol=1e-6)


@pytest.mark.parametrize("compress", [0, 3])
def test_results_that_joblib_wrote_are_read(tmp_path, compress):
    poses, path = np.random.default_rng(2).normal(0, 1, (5, 72)), tmp_path / "wham_output.pkl"
    joblib.dump({0: {"pose": poses, "trans": np.zeros((5, 3)), "betas": np.zeros((5, 10))}}, path, compress=compress)
    (clip,) = read(path, fps=30)
    np.testing.assert_allclose(clip.keypoints[0], joint_positions(poses.reshape(5, 24, 3)), atol=1e-6)


def test_texts_of_python_2_and_joints_beside_rotations_change_nothing(amass):
    rotated = {"global_orient": np.tile(STANDING, (FRAMES, 1)), "body_pose": np.zeros((FRAMES, 69))}
    path = amass(
        poses=None, mocap_framerate=None, gender=np.array(b"male"), joints=np.zeros((FRAMES, 45, 3)), **rotated
    )
    (clip,) = read(path, fps=30)
    assert (clip.layout.name, clip.num_people, clip.num_frames) == ("smpl-24", 1, FRAMES)
    with pytest.warns(FileNote):
        assert read(amass(gender=np.array(b"female")))[0].fps == 120


def test_parameters_may_lie_inside_another_dict(pickled):
    parts = {"poses_root": np.zeros((5, 3)), "poses_body": np.zeros((5, 69)), "trans": np.ones((5, 3))}
    (clip,) = read(pickled({"name": "P1", "smpl": parts}), fps=30)
    np.testing.assert_allclose(clip.keypoints[0, :, 0], np.tile(np.array(PELVIS) + 1, (5, 1)), atol=1e-6)


def test_a_pickle_of_python_2_holds_the_same_arrays(tmp_path):
    """As `pickle.dumps(..., 2)` of Python 2 writes arrays: their bytes are a text."""
    poses = np.random.default_rng(5).normal(0, 1, (2, 72))
    raw = poses.tobytes()
    old = (
        b"\x80\x02}(U\x04poseq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85U\x01b"
        b"\x87Rq\x04(K\x01K\x02KH\x86cnumpy\ndtype\nq\x05U\x02f8K\x00K\x01\x87Rq\x06(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89T" + len(raw).to_bytes(4, "little") + raw + b"tbU\x05betasq\x07K\x00u."
    )
    (tmp_path / "old.pkl").write_bytes(old)
    with pytest.warns(FileNote, match="no translation"):
        (clip,) = read(tmp_path / "old.pkl", fps=30)
    np.testing.assert_allclose(clip.keypoints[0], joint_positions(poses.reshape(2, 24, 3)), atol=1e-6)


def phalp(frames: dict[int, dict[int, np.ndarray]]):
    return {
        f"outputs/{time}.jpg": {"time": time, "tid": list(people), "3d_joints": [one[None] for one in people.values()]}
        for time, people in frames.items()
    }


def test_joints_of_phalp_follow_time_and_identity(pickled):
    body = np.random.default_rng(3).normal(0, 1, (24, 3))
    path = pickled(phalp({0: {4: body, 9: body + 5}, 1: {9: body + 5}, 3: {9: body + 5, 4: body}}))
    (clip,) = read(path, fps=30)
    assert (clip.layout.name, clip.num_frames, clip.track_ids) == ("smpl-24", 4, (4, 9))
    assert clip.joint_mask[:, :, 0].astype(int).tolist() == [[1, 0, 0, 1], [1, 1, 0, 1]]
    np.testing.assert_allclose(clip.keypoints[1, 3], body + 5, rtol=1e-6)


def test_the_45_joints_of_humans_in_4d_begin_with_body_25(pickled):
    body = np.random.default_rng(3).normal(0, 1, (45, 3))
    with pytest.warns(FileNote, match="of 45 joints the first 25 are read, in the order of body-25"):
        (clip,) = read(pickled(phalp({0: {1: body}})), fps=30)
    np.testing.assert_allclose(clip.keypoints[0, 0], body[:25], rtol=1e-6)


def test_romp_holds_joints_of_frames_in_an_archive(tmp_path):
    joints = np.random.default_rng(4).normal(0, 1, (2, 71, 3))
    results = {"0.jpg": {"joints": joints}, "1.jpg": {"joints": joints[::-1]}}
    path = tmp_path / "video_results.npz"
    np.savez(path, results=results)
    with pytest.warns(FileNote, match="of 71 joints the first 24 are read"):
        (clip,) = read(path, fps=30)
    assert (clip.num_people, clip.num_frames) == (2, 2)
    np.testing.assert_allclose(clip.keypoints[:, 0], clip.keypoints[:, 1])  # followed


def test_motion_x_columns_are_rotations_and_translation(tmp_path):
    rows = np.zeros((FRAMES, 322))
    rows[:, 12:15], rows[:, 309:312] = [np.pi / 2, 0, 0], [0, 1, 0]
    np.save(tmp_path / "motion.npy", rows)
    with pytest.warns(FileNote, match="fingers and face are left out"):
        (clip,) = read(tmp_path / "motion.npy")
    turned = np.zeros((1, 22, 3))
    turned[0, 4, 0] = np.pi / 2  # left knee
    np.testing.assert_allclose(clip.keypoints[0, :1], joint_positions(turned, np.array([[0, 1.0, 0]])), atol=1e-6)


def test_rotations_of_a_motion_generator_are_two_rows_of_each_matrix(tmp_path):
    turns = Rotation.random(24 * 5, random_state=0).as_matrix().reshape(5, 24, 3, 3)
    thetas, trans = turns[:, :, :2].reshape(5, 24, 6).transpose(1, 2, 0), np.arange(15.0).reshape(3, 5)
    content = {
        "thetas": thetas,
        "root_translation": trans,
        "vertices": np.zeros((10, 3, 5)),
        "text": "walks",
        "length": 5,
    }
    np.save(tmp_path / "sample00_smpl_params.npy", np.array({"motion": thetas, **content}, dtype=object))
    (clip,) = read(tmp_path / "sample00_smpl_params.npy")
    assert (clip.layout.name, clip.fps, clip.up) == ("smpl-24", 20, "y")
    np.testing.assert_allclose(clip.keypoints[0], joint_positions(turns, trans.T), atol=1e-5)


@pytest.mark.filterwarnings("ignore::motionhub.data.formats.files.FileNote")
def test_aist_is_scaled_to_metres(pickled):
    content = {"smpl_poses": np.zeros((4, 72)), "smpl_trans": np.full((4, 3), 190.0), "smpl_scaling": np.array([95.0])}
    (clip,) = read(pickled(content))
    assert (clip.fps, clip.up, clip.layout.name) == (60, "y", "smpl-24")
    np.testing.assert_allclose(clip.keypoints[0, 0, 0], np.array(PELVIS) + 2, atol=1e-6)


def test_world_coordinates_of_wham_go_before_those_of_the_camera(pickled):
    poses = np.zeros((3, 72))
    person = {"pose": poses + 1, "trans": np.ones((3, 3)), "pose_world": poses, "trans_world": np.full((3, 3), 2)}
    (clip,) = read(pickled({0: person | {"betas": np.zeros(10)}}), fps=30)
    np.testing.assert_allclose(
        clip.keypoints[0], joint_positions(poses.reshape(3, 24, 3), np.full((3, 3), 2.0)), atol=1e-6
    )
    assert clip.up == "y"


def test_a_file_of_torch_names_the_way_out(tmp_path):
    torch.save({"smpl_params_global": {}}, tmp_path / "hmr4d_results.pt")
    message = read_error(tmp_path / "hmr4d_results.pt")
    assert "got the keys ['smpl_params_global']" in message
    assert 'numpy.savez("CLIP.npz", keypoints=tensor.numpy()' in message


def test_results_in_an_unknown_form_name_the_way_out(pickled):
    message = read_error(pickled([{"betas": 1, "pose": 2}]), fps=30)
    assert 'numpy.savez("CLIP.npz", keypoints=joints, layout="smpl-24", fps=30, unit="metre")' in message


def test_people_of_a_scene_are_read_together(tmp_path):
    chance = np.random.default_rng(0)
    turns, moved = chance.normal(0, 0.1, (2, 5, 66)), chance.normal(0, 1, (2, 5, 3))
    np.savez(tmp_path / "slahmr.npz", root_orient=turns[..., :3], pose_body=turns[..., 3:], trans=moved)
    (clip,) = read(tmp_path / "slahmr.npz", fps=30)
    assert (clip.num_people, clip.num_frames, clip.layout.name) == (2, 5, "smpl-22")
    for person in range(2):
        np.savez(
            tmp_path / "one.npz", root_orient=turns[person, :, :3], pose_body=turns[person, :, 3:], trans=moved[person]
        )
        np.testing.assert_allclose(
            clip.keypoints[person], read(tmp_path / "one.npz", fps=30)[0].keypoints[0], atol=1e-6
        )


def test_a_sequence_of_3dpw_has_its_people_at_30_frames_per_second(tmp_path):
    chance = np.random.default_rng(0)
    content = {
        "poses": [chance.normal(0, 0.1, (5, 72)) for _ in range(2)],
        "trans": [chance.normal(0, 1, (5, 3)) for _ in range(2)],
        "betas": [np.zeros(10)] * 2,
        "jointPositions": [np.zeros((5, 72))] * 2,
        "sequence": "walk_00",
    }
    (tmp_path / "walk_00.pkl").write_bytes(pickle.dumps(content, 2))
    (clip,) = read(tmp_path / "walk_00.pkl")
    assert (clip.num_people, clip.num_frames, clip.fps, clip.layout.name) == (2, 5, 30, "smpl-24")
    moved = clip.keypoints[:, 1:, 0] - clip.keypoints[:, :-1, 0]
    np.testing.assert_allclose(moved, np.diff(np.stack(content["trans"]), axis=1), atol=1e-5)


def test_a_folder_of_archives_of_romp_is_a_recording(tmp_path):
    joints = np.random.default_rng(0).normal(0, 1, (4, 2, 71, 3))
    for number, people in enumerate(joints):
        held = np.array({"joints": people, "cam_trans": np.zeros((2, 3))}, object)
        np.savez(tmp_path / f"{2 * number:08d}.npz", results=held)
    with pytest.warns(FileNote, match="one in 2 frames of 30 per second"):
        (clip,) = read(tmp_path, fps=30)
    assert (clip.num_people, clip.num_frames, clip.fps, clip.layout.name) == (2, 4, 15, "smpl-24")
    found = sorted(clip.keypoints[:, 0, 0, 0].tolist())
    np.testing.assert_allclose(found, sorted(joints[0, :, 0, 0]), rtol=1e-5)
