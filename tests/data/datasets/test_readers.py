"""Each reader gives the numbers that are in the file, on written files and on the real ones."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest
import scipy.io
from helpers import read_json

from motionhub.data.datasets.datasets import DATASETS, get_dataset
from motionhub.data.datasets.reading import find_format, read


def test_every_dataset_is_read_in_one_way_and_annotated_in_one_way():
    for dataset in DATASETS.values():
        assert (dataset.format is None) != (dataset.read_any is None), dataset.name
        assert (dataset.annotate_clip is None) != (dataset.annotate_all is None), dataset.name
        assert dataset.title and dataset.pattern and dataset.protocols


def test_every_table_of_published_facts_is_of_a_dataset():
    facts = tomllib.loads((files("motionhub.data.datasets") / "datasets.toml").read_text(encoding="utf-8"))
    in_space = {name for name in DATASETS if name.endswith("-3d")}  # the facts of the same files in the image
    assert set(facts) == set(DATASETS) - in_space - {"folder"}
    for name, stated in facts.items():
        assert ("format" in stated) == (DATASETS[name].format is not None), name


def test_every_reader_is_filed_under_its_own_name():
    assert {name: reader.name for name, reader in DATASETS.items()} == {name: name for name in DATASETS}
    assert {"n-ucla", "ntu-rgbd", "penn-action", "utd-mhad"} <= set(DATASETS)


@pytest.mark.parametrize("name, count", [("n-ucla", 10), ("ntu-rgbd", 120), ("penn-action", 15), ("utd-mhad", 27)])
def test_class_names_are_complete_and_differ(name, count):
    assert len(DATASETS[name].class_names) == count == len(set(DATASETS[name].class_names))


def test_unknown_reader_name_lists_the_readers():
    with pytest.raises(ValueError, match="n-ucla.*ntu-rgbd.*penn-action.*utd-mhad"):
        get_dataset("gesture-x")


def test_nucla_keeps_frames_joints_and_axes_in_place(write_nucla, points):
    (sequence,) = read(write_nucla())
    assert sequence.layout.name == "kinect-20"
    assert (sequence.fps, sequence.unit, sequence.image_size, sequence.confidence) == (30.0, "metre", None, None)
    np.testing.assert_array_equal(sequence.keypoints, points(4).astype(np.float32)[None])


def test_nucla_facts_come_from_content_and_name(write_nucla):
    facts = DATASETS["n-ucla"].annotate(write_nucla("a12_s10_e03_v01", label=10))
    assert (facts.label, facts.subject, facts.camera, facts.setup) == (9, 10, 1, None)
    assert facts.clip_id == "a12_s10_e03_v01"


def test_a_kinect_joint_at_the_camera_is_missing(write_nucla, write_utd, points):
    lost = points(3)
    lost[1, 7] = 0
    lost[2, 8, :2] = 0  # on the optical axis, but seen
    for path in (write_nucla(frames=lost.tolist()), write_utd(d_skel=lost.transpose(1, 2, 0))):
        (sequence,) = read(path)
        assert np.argwhere(~sequence.joint_mask).tolist() == [[0, 1, 7]]


def test_nucla_null_is_missing(write_nucla, points):
    frames = points(2).tolist()
    frames[1][4][2] = None
    assert np.argwhere(~read(write_nucla(frames=frames))[0].joint_mask).tolist() == [[0, 1, 4]]


def test_one_frame_clips_are_clips(write_nucla, write_utd, points):
    for path in (write_nucla(frames=points(1).tolist()), write_utd(d_skel=points(1)[0])):
        assert read(path)[0].keypoints.shape == (1, 1, 20, 3)


def test_utd_turns_joints_axes_frames_into_frames_joints_axes(write_utd, points):
    (sequence,) = read(write_utd())
    assert sequence.layout.name == "utd-mhad-20"
    np.testing.assert_array_equal(sequence.keypoints, points(6).astype(np.float32)[None])
    facts = DATASETS["utd-mhad"].annotate(write_utd("a27_s8_t4_skeleton"))
    assert (facts.label, facts.subject, facts.clip_id) == (26, 8, "a27_s8_t4")


def test_penn_pairs_x_with_y_and_drops_what_nobody_saw(write_penn):
    x = np.arange(26.0).reshape(2, 13)
    visibility = np.ones((2, 13))
    visibility[0, 3] = visibility[1, 12] = 0
    (sequence,) = read(write_penn(x=x, y=x + 100, visibility=visibility))
    assert (sequence.layout.name, sequence.unit, sequence.image_size) == ("penn-13", "pixel", (480, 270))
    assert np.argwhere(~sequence.joint_mask).tolist() == [[0, 0, 3], [0, 1, 12]]
    assert sequence.keypoints[0, 1, 2].tolist() == [15.0, 115.0]
    assert sequence.keypoints[0, 0, 0].tolist() == [0.0, 100.0]  # zero is a pixel, not a mark


@pytest.mark.parametrize("train, setup", [(1, 1), (-1, 0)])
@pytest.mark.parametrize("pose, camera", [("back", 0), ("front", 1), ("left", 2), ("right", 3)])
def test_penn_facts(write_penn, pose, camera, train, setup):
    facts = DATASETS["penn-action"].annotate(write_penn(action="tennis_serve", pose=pose, train=train))
    assert (facts.label, facts.subject, facts.camera, facts.setup, facts.clip_id) == (14, None, camera, setup, "0007")


def test_ntu_bodies_are_tracked_by_id_in_order_of_appearance(write_ntu, points):
    # Real ids differ by less than the spacing of floats of their size.
    first, second = 72057594037944738, 72057594037944734
    body = points(1, 25)[0]
    (sequence,) = read(write_ntu([{}, {first: body}, {second: body + 1, first: body + 2}, {second: body + 3}]))
    assert sequence.track_ids == (first, second)
    assert sequence.keypoints.shape == (2, 4, 25, 3)
    shown = np.array([[False, True, True, False], [False, False, True, True]])
    np.testing.assert_array_equal(sequence.joint_mask, np.broadcast_to(shown[..., None], (2, 4, 25)))
    np.testing.assert_array_equal(sequence.keypoints[0, 2], (body + 2).astype(np.float32))
    np.testing.assert_array_equal(sequence.keypoints[1, 3], (body + 3).astype(np.float32))
    np.testing.assert_array_equal(sequence.confidence, sequence.joint_mask.astype(np.float32))


def test_ntu_tracking_state_is_the_confidence(write_ntu, points):
    path = write_ntu([{1: points(1, 25)[0]}])
    lines = path.read_text().splitlines()
    lines[4], lines[5] = lines[4][:-1] + "1", lines[5][:-1] + "0"
    path.write_text("\n".join(lines))
    assert read(path)[0].confidence[0, 0, :3].tolist() == [0.5, 0.0, 1.0]


def test_ntu_zeros_are_missing_and_empty_clips_have_nobody(write_ntu, points):
    body = points(1, 25)[0]
    body[20] = 0
    assert np.argwhere(~read(write_ntu([{5: body}]))[0].joint_mask).tolist() == [[0, 0, 20]]
    assert read(write_ntu([{}, {}]))[0].keypoints.shape == (0, 2, 25, 3)


def test_ntu_facts_come_from_the_name(write_ntu):
    facts = DATASETS["ntu-rgbd"].annotate(write_ntu([{}], "S017C003P020R002A060"))
    assert (facts.label, facts.subject, facts.camera, facts.setup) == (59, 20, 3, 17)
    assert facts.clip_id == "S017C003P020R002A060"


def test_the_format_is_recognised_by_content_whatever_the_name(
    write_nucla, write_penn, write_utd, write_ntu, points, tmp_path
):
    files = {
        "n-ucla": write_nucla(),
        "penn-action": write_penn(),
        "utd-mhad": write_utd(),
        "ntu-rgbd": write_ntu([{}, {3: points(1, 25)[0]}]),
    }
    for name, path in files.items():
        renamed = path.rename(tmp_path / f"clip_{name}.dat")
        assert find_format(renamed).name == name
        assert len(read(str(renamed))) == 1


# The real files: numbers read by hand with json, scipy and str.split.


def test_real_nucla_file(unzipped):
    path = unzipped("data/nucla_views12.zip") / "nucla" / "a01_s01_e00_v01.json"
    (sequence,) = read(path)
    expected = np.array(read_json(path)["skeletons"])
    assert sequence.keypoints.shape == (1, 44, 20, 3)
    np.testing.assert_allclose(sequence.keypoints[0, 0, 0], [-0.619699, 0.328046, 3.18186], rtol=1e-6)
    np.testing.assert_array_equal(sequence.keypoints[0], expected.astype(np.float32))
    assert DATASETS["n-ucla"].annotate(path).label == 0


def test_real_nucla_lost_joints(unzipped):
    (sequence,) = read(unzipped("data/nucla_views12.zip") / "nucla" / "a04_s01_e01_v01.json")
    assert (~sequence.joint_mask).sum() == 6
    assert not sequence.joint_mask[0, 34, :3].any()


def test_real_penn_file(unzipped):
    path = unzipped("data/penn_action_train.zip") / "penn_action" / "labels" / "0246.mat"
    (sequence,) = read(path)
    content = scipy.io.loadmat(path)
    seen = content["visibility"] == 1
    np.testing.assert_array_equal(sequence.joint_mask[0], seen)
    np.testing.assert_array_equal(sequence.keypoints[0, ..., 0][seen], content["x"][seen].astype(np.float32))
    np.testing.assert_array_equal(sequence.keypoints[0, ..., 1][seen], content["y"][seen].astype(np.float32))
    assert sequence.image_size == (content["dimensions"][0, 1], content["dimensions"][0, 0])
    facts = DATASETS["penn-action"].annotate(path)
    assert DATASETS["penn-action"].class_names[facts.label] == content["action"][0]
    assert facts.setup == 1


def test_real_penn_clip_that_nobody_annotated_is_all_missing(unzipped):
    (sequence,) = read(unzipped("data/penn_action_train.zip") / "penn_action" / "labels" / "1516.mat")
    assert sequence.keypoints.shape == (1, 68, 13, 2)
    assert not sequence.joint_mask.any()


def test_real_utd_file(unzipped):
    path = unzipped("data/utd_mhad_s1-6.zip") / "utd_mhad" / "Skeleton" / "a10_s1_t1_skeleton.mat"
    (sequence,) = read(path)
    d_skel = scipy.io.loadmat(path)["d_skel"]
    assert sequence.keypoints.shape == (1, d_skel.shape[2], 20, 3)
    for joint, axis, frame in [(0, 0, 0), (19, 2, 5), (7, 1, d_skel.shape[2] - 1)]:
        assert sequence.keypoints[0, frame, joint, axis] == np.float32(d_skel[joint, axis, frame])


def test_real_ntu_files(unzipped):
    folder = unzipped("data/ntu_and_kinetics_samples.zip") / "samples"
    path = folder / "S001C003P008R002A058.skeleton"
    (sequence,) = read(path)
    lines = path.read_text().splitlines()
    assert sequence.keypoints.shape == (2, 70, 25, 3)
    assert sequence.track_ids == (int(lines[2].split()[0]), int(lines[2 + 27].split()[0]))
    first_hip = [float(word) for word in lines[4].split()[:3]]
    last_joint = [float(word) for word in lines[-1].split()[:3]]
    assert sequence.keypoints[0, 0, 0].tolist() == np.float32(first_hip).tolist()
    assert sequence.keypoints[1, 69, 24].tolist() == np.float32(last_joint).tolist()
    counts = [read(file)[0].keypoints.shape[:2] for file in sorted(folder.glob("*.skeleton"))]
    assert counts == [(1, 75), (1, 86), (2, 70), (1, 100)]


@pytest.mark.parametrize(
    "archive, file, up",
    [
        ("nucla_views12", "nucla/a04_s01_e00_v01.json", 1),
        ("utd_mhad_s1-6", "utd_mhad/Skeleton/a23_s1_t1_skeleton.mat", 1),
        ("ntu_and_kinetics_samples", "samples/S001C001P001R001A006.skeleton", 1),
        ("penn_action_train", "penn_action/labels/1041.mat", -1),
    ],
)
def test_real_people_stand_with_the_head_above_the_knees(unzipped, archive, file, up):
    """Joint names and the y axis fit together: the order of no dataset is taken for another's."""
    (sequence,) = read(unzipped(f"data/{archive}.zip") / file)
    knees = [sequence.layout.index(f"{side}_knee") for side in ("left", "right")]
    height = up * sequence.keypoints[0, :, :, 1]
    assert np.nanmedian(height[:, sequence.layout.index("head")]) > np.nanmedian(height[:, knees]) + 0.4


def test_what_penn_calls_left_is_the_persons_right(unzipped):
    """Why penn-13 names the right side first: whoever faces the camera has the anatomical left at the larger x."""
    folder = unzipped("data/penn_action_train.zip") / "penn_action" / "labels"
    for number in ("1037", "1038", "1040", "1041", "1047"):  # jumping jacks, seen from the front
        assert DATASETS["penn-action"].annotate(folder / f"{number}.mat").camera == 1
        x = scipy.io.loadmat(folder / f"{number}.mat")["x"].astype(float)
        left_shoulder, right_shoulder = x[:, 1], x[:, 2]
        assert np.median(left_shoulder - right_shoulder) < 0
