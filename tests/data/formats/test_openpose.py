"""OpenPose folders: frames in the order of their numbers, zeros missing, people followed, real examples."""

import json
import warnings

import numpy as np
import pytest
from helpers import error_of, read_json, write_json, write_text

from motionhub.cli.main import main
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.pipelines.skeleton_pipeline import as_sequence


def person(values, **extra):
    return {"pose_keypoints_2d": values, **extra}


def values_of(offset: float, joints: int = 25) -> list[float]:
    """x = offset + 10 joint, y = offset + 20 joint, score = joint / 100."""
    index = np.arange(joints)
    return np.stack([offset + 10 * index, offset + 20 * index, index / 100], axis=-1).ravel().tolist()


@pytest.fixture
def write_frame(tmp_path):
    def write(number: int, people: list, recording: str = "clip", digits: int = 12):
        path = tmp_path / f"{recording}_{number:0{digits}d}_keypoints.json"
        write_json(path, {"version": 1.3, "people": people})
        return path

    return write


@pytest.mark.parametrize("joints, layout", [(25, "body-25"), (18, "openpose-18")])
def test_both_models_keep_joints_axes_and_scores_in_place(write_frame, tmp_path, joints, layout):
    for number in range(3):
        write_frame(number, [person(values_of(5 + number, joints))])
    (clip,) = read(tmp_path, fps=25, image_size=(640, 480))
    assert (clip.layout.name, clip.fps, clip.unit, clip.image_size) == (layout, 25.0, "pixel", (640, 480))
    index = np.arange(joints)
    for number in range(3):
        np.testing.assert_array_equal(clip.keypoints[0, number, :, 0], 5 + number + 10 * index)
        np.testing.assert_array_equal(clip.keypoints[0, number, :, 1], 5 + number + 20 * index)
    np.testing.assert_allclose(clip.confidence[0, 0], index / 100, rtol=1e-6)


def test_zeros_are_missing_and_a_joint_on_the_border_is_not(write_frame, tmp_path):
    values = values_of(5)
    values[3:6] = [0, 0, 0]
    values[6:9] = [0, 0, 0.4]
    values[9:12] = [0, 7, 0.4]
    write_frame(0, [person(values)])
    (clip,) = read(tmp_path, fps=30)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 1]]


def test_frames_are_ordered_by_number_and_absent_ones_are_empty(write_frame, tmp_path):
    for number in (10, 9, 2):  # as text, 10 comes before 2
        write_frame(number, [person(values_of(number))], digits=1)
    (clip,) = read(tmp_path, fps=30)
    assert clip.num_frames == 9
    np.testing.assert_array_equal(clip.keypoints[0, [0, 7, 8], 0, 0], [2, 9, 10])
    assert not clip.joint_mask[0, 1:7].any()


def test_every_fifth_frame_written_is_a_clip_without_holes(write_frame, tmp_path):
    for number in (0, 5, 15):
        write_frame(number, [person(values_of(1 + number))])
    (clip,) = read(tmp_path, fps=6)
    assert clip.joint_mask[0].all(axis=-1).tolist() == [True, True, False, True]


def test_two_people_listed_in_turns_are_followed(write_frame, tmp_path):
    for number in range(8):
        people = [person(values_of(10 + number)), person(values_of(900 - number))]
        write_frame(number, people[:: 1 - 2 * (number % 2)])
    (clip,) = read(tmp_path, fps=30)
    assert clip.num_people == 2
    np.testing.assert_array_equal(clip.keypoints[0, :, 0, 0], 10 + np.arange(8))
    np.testing.assert_array_equal(clip.keypoints[1, :, 0, 0], 900 - np.arange(8))


def test_two_recordings_in_a_folder_are_two_clips(write_frame, tmp_path):
    write_frame(0, [person(values_of(1))], "a")
    write_frame(0, [person(values_of(2))], "b")
    (tmp_path / "notes.txt").write_text("not a frame")
    assert [clip.keypoints[0, 0, 0, 0] for clip in read(tmp_path, fps=30)] == [1, 2]


def test_nobody_and_only_a_hand_are_frames_without_people(write_frame, tmp_path):
    write_frame(0, [])
    write_frame(1, [person([])])
    (clip,) = read(tmp_path, fps=30)
    assert (clip.num_people, clip.num_frames) == (0, 2)


def test_a_single_file_is_a_clip_of_one_frame(write_frame):
    (clip,) = read(write_frame(7, [person(values_of(3))]), fps=30)
    assert clip.keypoints.shape == (1, 1, 25, 2)


def test_the_call_that_helps_is_in_the_error(write_frame, tmp_path):
    write_frame(0, [person(values_of(3))])
    with pytest.raises(ValueError, match=r"fps: the file does not state it; call motionhub.read\(.*fps=30\)"):
        read(tmp_path)


def test_errors_name_the_folder_that_was_given_and_its_recording(write_frame, tmp_path, capsys):
    for number, name in enumerate(["Model1-2", "Model1-3"]):
        write_frame(0, [person(values_of(number))]).rename(tmp_path / f"{name}_000000000000_keypoints.json")
    with pytest.raises(ValueError) as lacking:
        read(tmp_path)
    assert f'call motionhub.read("{tmp_path}", fps=30)' in str(lacking.value) and "Model1" not in str(lacking.value)
    assert main(["convert", str(tmp_path), str(tmp_path / "out.npz")]) == 2
    assert "give --in_fps 30, or the true value." in capsys.readouterr().err
    with pytest.raises(ValueError) as other:
        read(tmp_path, fps=30, layout="coco-17")
    assert str(other.value).startswith(f"{tmp_path}: recording Model1-2: layout: ")


def test_pipelines_and_the_command_line_pass_the_options_on(write_frame, tmp_path, capsys):
    write_frame(0, [person(values_of(3))])
    clip = as_sequence(tmp_path, fps=24, image_size=(64, 48))
    assert (clip.fps, clip.image_size, clip.layout.name) == (24.0, (64, 48), "body-25")
    assert main(["info", str(tmp_path), "--fps", "24", "--layout", "body-25", "--unit", "pixel"]) == 0
    assert "at 24 fps, 2-D in pixels, layout body-25" in capsys.readouterr().out
    assert main(["info", str(tmp_path)]) == 2
    assert "give --fps 30, or the true value." in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"layout": "coco-17"}, "layout 'coco-17' has 17 joints, but the people of the file have 25"),
        ({"layout": "bodyy-25"}, "Did you mean 'body-25'"),
        ({"fps": 0}, "positive"),
        ({"unit": "inch"}, "unit must be one of"),
    ],
)
def test_options_that_contradict_or_make_no_sense_are_refused(write_frame, tmp_path, options, reason):
    write_frame(0, [person(values_of(3))])
    with pytest.raises(ValueError, match=reason):
        read(tmp_path, **{"fps": 30, **options})


def test_options_that_agree_with_a_datasets_file_change_nothing_and_others_are_refused(write_nucla):
    path = write_nucla()
    (clip,) = read(path, fps=30, layout="kinect-20", unit="metre", image_size=(640, 480))
    np.testing.assert_array_equal(clip.keypoints, read(path)[0].keypoints)
    assert clip.image_size == (640, 480)
    for wrong in ({"fps": 25}, {"layout": "utd-mhad-20"}, {"unit": "millimetre"}):
        with pytest.raises(ValueError, match=f"{path.name}: {next(iter(wrong))}: the file states"):
            read(path, **wrong)


@pytest.mark.parametrize(
    "people, reason",
    [
        ([person([1.0] * 74)], "expected 75 numbers"),
        ([person([[1.0] * 75])], "expected 75 numbers"),
        ([person(["a"] * 75)], "expected a regular list of numbers"),
        ([person([1.0] * 74 + [{}])], "expected a regular list of numbers"),
        ([7], r"people\[0\]: expected an object"),
        ("crowd", "people: expected a list"),
        ([person(values_of(1))] * 257, "expected at most 256 people, got 257"),
        ([person(values_of(1)), person(values_of(1, 18))], "frames differ"),
    ],
)
def test_bad_people_are_named(write_frame, tmp_path, people, reason):
    write_frame(0, people)
    with pytest.raises(ValueError, match=reason) as caught:
        read(tmp_path, fps=30)
    assert "\n" not in str(caught.value)


def test_bad_folders_are_refused_in_one_line(write_frame, tmp_path):
    with pytest.raises(ValueError, match="is a directory of no known format"):
        read(tmp_path)
    first = write_frame(0, [person(values_of(1))])
    (tmp_path / "clip_0_keypoints.json").write_text(first.read_text())
    with pytest.raises(ValueError, match="same frame number"):
        read(tmp_path, fps=30)
    (tmp_path / "clip_0_keypoints.json").unlink()
    write_frame(10**11, [person(values_of(1))])
    write_frame(10**11 + 7, [])
    with pytest.raises(ValueError, match="not the frames of one recording"):
        read(tmp_path, fps=30)


def test_truncated_frames_are_named(write_frame, tmp_path):
    write_frame(0, [person(values_of(1))])
    path = write_frame(1, [person(values_of(1))])
    content = path.read_text()
    for length in range(1, len(content), 97):
        path.write_text(content[:length])
        with pytest.raises(ValueError, match=path.name) as caught:
            read(tmp_path, fps=30)
        assert "\n" not in str(caught.value)


REAL = {"model": (121, 1), "small_man": (121, 1), "tall_man": (135, 1), "workout_march": (120, 1)}


@pytest.mark.parametrize("name", REAL)
def test_real_recordings_have_the_numbers_of_their_files(unzipped, name):
    folder = next(unzipped("data/openpose_body25_examples.zip").glob(f"**/{name}"))
    assert find_format(folder).name == "openpose" and "openpose" not in DATASETS
    (clip,) = read(folder, fps=30)
    files = sorted(folder.glob("*.json"))
    assert (clip.num_frames, clip.num_people) == REAL[name] == (len(files), 1)
    for time in (0, 60, -1):
        values = read_json(files[time])["people"][0]["pose_keypoints_2d"]
        expected = np.array(values, np.float32).reshape(25, 3)
        seen = expected[:, 2] > 0
        np.testing.assert_array_equal(clip.keypoints[0, time, seen], expected[seen, :2])
        np.testing.assert_array_equal(clip.joint_mask[0, time], seen)
        np.testing.assert_array_equal(clip.confidence[0, time], expected[:, 2])


# Other models


def body(joints: str, time: int = 0) -> list[float]:
    """A standing body in pixels, in the order of a layout."""
    from motionhub.skeletons.layouts import get_layout
    from motionhub.skeletons.standing import STANDING

    layout = get_layout(joints)
    rows = [[400 + 200 * STANDING[j][0] + time, 700 - 300 * STANDING[j][1], 0.8] for j in layout.joints]
    return np.array(rows).ravel().tolist()


def test_25_joints_that_fit_no_body_25_are_said_and_the_callers_layout_wins(write_frame, tmp_path):
    write_frame(0, [person(body("body-25b"))])
    with pytest.warns(FileNote, match='give layout="body-25b"'):
        assert read(tmp_path, fps=30)[0].layout.name == "body-25"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, fps=30, layout="body-25b")[0].layout.name == "body-25b"
    write_frame(0, [person(body("body-25"))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, fps=30)[0].layout.name == "body-25"


@pytest.mark.parametrize(
    "joints, layout, kept",
    [
        (15, "openpose-15", 15),
        (17, "coco-17", 17),
        (26, "halpe-26", 26),
        (133, "coco-wholebody-133", 23),
        (135, "body-135", 25),
    ],
)
def test_other_models_have_their_layout(write_frame, tmp_path, joints, layout, kept):
    write_frame(0, [person(values_of(5, joints))])
    (clip,) = read(tmp_path, fps=30)
    assert clip.layout.name == layout
    np.testing.assert_array_equal(clip.keypoints[0, 0, :, 0], 5 + 10 * np.arange(kept))


def test_people_without_scores_have_no_confidence(write_frame, tmp_path):
    write_frame(0, [person(np.delete(values_of(5, 18), np.s_[2::3]).tolist())])
    (clip,) = read(tmp_path, fps=30)
    assert clip.layout.name == "openpose-18" and clip.confidence is None
    np.testing.assert_array_equal(clip.keypoints[0, 0, :, 1], 5 + 20 * np.arange(18))


def test_3_d_keypoints_are_a_3_d_clip_in_the_given_unit(write_frame, tmp_path):
    points = np.c_[np.arange(75).reshape(25, 3) / 10, np.full(25, 0.5)]
    points[4] = 0
    for number in range(2):
        write_frame(
            number, [{"person_id": [-1], "pose_keypoints_2d": [], "pose_keypoints_3d": points.ravel().tolist()}]
        )
    assert 'unit="metre"' in error_of(read, tmp_path, fps=30)
    (clip,) = read(tmp_path, fps=30, unit="metre")
    assert (clip.num_dims, clip.unit, clip.layout.name) == (3, "metre", "body-25")
    np.testing.assert_allclose(clip.keypoints[0, 1, 6], [1.8, 1.9, 2.0], rtol=1e-6)
    assert np.argwhere(~clip.joint_mask)[:, 2].tolist() == [4, 4]


def test_both_kinds_of_keypoints_are_2_d_with_a_note_unless_a_length_is_given(write_frame, tmp_path):
    both = person(body("body-25"), pose_keypoints_3d=[1.0] * 100)
    write_frame(0, [both])
    with pytest.warns(FileNote, match="3-D keypoints are left out"):
        assert read(tmp_path, fps=30)[0].num_dims == 2
    assert read(tmp_path, fps=30, unit="metre")[0].num_dims == 3


def test_hands_and_faces_are_left_out_and_said(write_frame, tmp_path):
    write_frame(0, [person(body("body-25"), face_keypoints_2d=[1.0] * 210, hand_left_keypoints_2d=[])])
    with pytest.warns(FileNote, match="face keypoints are left out"):
        read(tmp_path, fps=30)


def test_people_with_keypoints_of_hands_only_are_an_error(write_frame, tmp_path):
    write_frame(0, [person([], hand_left_keypoints_2d=[1.0] * 63)])
    assert "nobody has pose_keypoints_2d, but ['hand_left_keypoints_2d']" in error_of(read, tmp_path, fps=30)


def test_one_file_of_a_recording_states_the_others(write_frame, tmp_path):
    paths = [write_frame(number, [person(body("body-25"))]) for number in range(4)]
    with pytest.warns(FileNote, match="3 more of this recording lie beside it: give the folder"):
        assert read(paths[2], fps=30)[0].num_frames == 1


def test_alphaposes_openpose_output_is_frames_by_image_name(tmp_path):
    frames = {
        f"{number}.jpg": {"version": 0.3, "people": [person(body("openpose-18", number))]} for number in (0, 1, 3)
    }
    (clip,) = read(write_json(tmp_path / "alphapose.json", frames), fps=30)
    assert clip.joint_mask.all(axis=(0, 2)).tolist() == [True, True, False, True]


def test_a_list_of_frames_and_lines_are_a_recording(tmp_path):
    frames = [{"version": 1.3, "people": [person(body("body-25", time))] if time != 1 else []} for time in range(3)]
    for path in (
        write_json(tmp_path / "list.json", frames),
        write_text(tmp_path / "lines.jsonl", "\n".join(map(json.dumps, frames))),
    ):
        (clip,) = read(path, fps=30)
        assert clip.joint_mask.all(axis=(0, 2)).tolist() == [True, False, True]


def test_an_empty_list_of_frames_is_an_error(tmp_path):
    path = write_json(tmp_path / "a_000_keypoints.json", [])
    assert "expected a non-empty list of frames" in error_of(read, path, fps=30)
