"""The names of columns: people, frames, times, recordings and joints in the words of many programs."""

import gzip
import warnings

import numpy as np
import pytest
from helpers import read_error, write_text

from motionhub.data.datasets.reading import read
from motionhub.data.formats.columns import columns_of, role_of
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


TOLD = {"fps": 30, "unit": "pixel"}
FACE = ["left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"]
PAIRS = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index")
BODY = [f"{side}_{part}" for part in PAIRS for side in ("left", "right")]
MEDIAPIPE = ["nose", *FACE, "left_ear", "right_ear", "mouth_left", "mouth_right", *BODY]


@pytest.fixture
def write(tmp_path):
    return lambda text, name="clip.csv": write_text(tmp_path / name, text)


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (
            "person person_id Subject body_id individual trackId ID player_number tracker_id instance",
            "person",
        ),
        ("frame Frame# frame_number frame_idx frameNum image image_id file_name img_name frame_no", "frame"),
        ("time Time timestamp timestamp_usec time_ms Time(s) seconds t frame_time", "time"),
        ("joint landmark_name bodypart keypoint_id JointType marker name body_part", "joint"),
        ("video video_id trial camera clip_name session", "recording"),
        ("class score nose_x comment exercise x label_id", None),
    ],
)
def test_columns_are_understood_by_any_common_name(names, role):
    assert {name: role_of(name) for name in names.split()} == dict.fromkeys(names.split(), role)


@pytest.mark.parametrize("person", ["subject", "body_id", "individual", "ID", "track", "player_id", "TrackingID"])
@pytest.mark.parametrize("frame", ["frame_number", "frame_idx", "image_id", "Frame"])
def test_two_people_at_one_moment_are_two_people(write, person, frame):
    (clip,) = read(write(f"{frame},{person},a_x,a_y\n3,1,1,2\n3,2,5,6\n4,1,1,3\n4,2,5,7\n"), **TOLD)
    assert (clip.track_ids, clip.num_frames) == ((1, 2), 2)
    np.testing.assert_array_equal(clip.keypoints[1, :, 0], [[5, 6], [5, 7]])


def test_two_rows_of_one_person_at_one_moment_are_an_error_that_names_the_columns(write):
    message = read_error(write("frame,who,a_x,a_y\n3,x,1,2\n3,y,5,6\n"), **TOLD)
    assert "line 3: the same frame, person and joint occur twice (columns ['frame']; not read: ['who'])" in message
    assert '"person_id"' in message


def test_people_without_frames_must_have_as_many_rows_each(write):
    assert 'need a column "frame" or "time"' in read_error(write("id,a_x,a_y\n1,1,2\n2,5,6\n1,1,3\n"), **TOLD)
    with pytest.warns(FileNote, match="the n-th row of each person is read as frame n"):
        (clip,) = read(write("id,a_x,a_y\n1,1,2\n2,5,6\n1,1,3\n2,5,7\n"), **TOLD)
    assert (clip.num_people, clip.num_frames) == (2, 2)


def test_a_column_that_may_number_people_and_is_not_read_is_a_note(write):
    with pytest.warns(FileNote, match="box_id"):
        read(write("frame,box_id,a_x,a_y\n3,1,1,2\n4,2,5,6\n"), **TOLD)


def test_every_third_frame_of_a_video_is_a_clip_of_a_third_of_its_rate(write):
    with pytest.warns(FileNote, match="in steps of 3, of 30 per second: a clip of 10 fps"):
        (clip,) = read(write("frame,a_x,a_y\n0,1,2\n3,1,2\n9,5,6\n"), **TOLD)
    assert (clip.fps, clip.num_frames, clip.joint_mask[0, :, 0].tolist()) == (10, 4, [True, True, False, True])


@pytest.mark.parametrize(
    ("name", "factor"), [("time", 1), ("timestamp", 1e3), ("timestamp_ms", 1e3), ("t", 1e6), ("timestamp_usec", 1e6)]
)
def test_time_stamps_in_any_unit_decide_positions_and_rate(write, name, factor):
    moments = [0, 1, 2, 4, 5, 6, 7, 8, 9]
    rows = "".join(f"{7 * factor + factor * moment / 25},1,2\n" for moment in moments)
    (clip,) = read(write(f"{name},a_x,a_y\n{rows}"), unit="pixel")
    assert (clip.fps, clip.num_frames) == (25, 10)
    assert np.flatnonzero(clip.joint_mask[0, :, 0]).tolist() == moments


def test_a_time_of_day_is_a_time_stamp(write):
    rows = "".join(f"10:59:5{second},1,2\n" for second in ("9.90", "9.95")) + "11:00:00.00,3,4\n"
    (clip,) = read(write(f"Time,a_x,a_y\n{rows}"), unit="pixel")
    assert clip.num_frames == 3 and clip.fps == pytest.approx(20)


def test_a_rate_that_the_file_states_is_not_rounded_to_a_whole_one(write):
    rows = "".join(f"{frame / 29.97},1,2\n" for frame in range(20))
    (clip,) = read(write(f"time,a_x,a_y\n{rows}"), unit="pixel")
    assert clip.fps == pytest.approx(29.97, rel=1e-6)


def test_names_of_images_are_frames_and_folders_are_recordings(write):
    rows = "".join(f"{folder}/img_{frame}.jpg,{frame},2\n" for folder in "ab" for frame in (9, 10, 11))
    first, second = read(write(f"file_name,a_x,a_y\n{rows}"), **TOLD)
    assert first.keypoints[0, :, 0, 0].tolist() == second.keypoints[0, :, 0, 0].tolist() == [9, 10, 11]


def test_several_recordings_in_one_file_are_several_clips(write):
    clips = read(write("video,frame,a_x,a_y\nv1,0,1,2\nv1,1,1,2\nv2,0,5,6\n"), **TOLD)
    assert [clip.num_frames for clip in clips] == [2, 1]


@pytest.mark.parametrize("word", ["NA", "N/A", "#N/A", "None", "null", "-", "NaN", ""])
def test_words_for_missing_are_missing_and_have_no_confidence(write, word):
    (clip,) = read(write(f"frame,a_x,a_y,a_likelihood\n0,{word},{word},1.0\n1,1,2,0.5\n"), **TOLD)
    assert clip.joint_mask[0, :, 0].tolist() == [False, True]
    assert clip.confidence[0, :, 0].tolist() == [0, 0.5]


@pytest.mark.parametrize("word", ["NA", "-", ""])
def test_a_frame_cannot_be_missing(write, word):
    assert "whole frame number" in read_error(write(f"frame,a_x,a_y\n0,1,2\n{word},1,2\n"), **TOLD)


@pytest.mark.parametrize(("word", "reason"), [("NA", "some rows have no person"), ("1", "identifies nobody")])
def test_people_whose_numbers_are_missing_or_repeat_are_followed_by_their_keypoints(write, word, reason):
    places = {"1": (10, 10), "2": (500, 500)}
    rows = [
        (frame, word if (frame, who) == (2, "2") else who, [5 * j + k + frame for k in at for j in range(4)])
        for frame in range(4)
        for who, at in sorted(places.items(), reverse=frame % 2 == 0)
    ]
    header = ",".join(f"{joint}_{axis}" for axis in "xy" for joint in "abcd")
    text = "".join(f"{frame},{who},{','.join(map(str, cells))}\n" for frame, who, cells in rows)
    with pytest.warns(FileNote, match=reason):
        (clip,) = read(write(f"frame,track,{header}\n{text}"), **TOLD)
    assert clip.num_people == 2 and clip.joint_mask.all()
    assert np.ptp(clip.keypoints, axis=1).max() == 3


def test_a_joint_at_the_origin_of_an_image_is_missing(write):
    (clip,) = read(write("frame,a_x,a_y\n0,0,0\n1,1,0\n"), **TOLD)
    assert clip.joint_mask[0, :, 0].tolist() == [False, True]
    (clip,) = read(write("frame,a_x,a_y\n0,0,0\n1,1,0\n"), fps=30, unit="metre")
    assert clip.joint_mask.all()


def test_annotation_flags_say_what_was_labelled(write):
    (clip,) = read(write("frame,a_x,a_y,a_v\n0,5,6,0\n1,5,6,1\n2,5,6,2\n"), **TOLD)
    assert clip.joint_mask[0, :, 0].tolist() == [False, True, True]
    assert clip.confidence[0, :, 0].tolist() == [0, 0.5, 1]


def test_a_number_far_outside_that_repeats_in_every_coordinate_is_missing_with_a_note(write):
    with pytest.warns(FileNote, match="1 joints at -9999"):
        (clip,) = read(write("frame,a_x,a_y\n0,-9999,-9999\n1,1,2\n"), **TOLD)
    assert clip.joint_mask[0, :, 0].tolist() == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "frame;a_x;a_y\n0;640,5;2\n1;3,25;4\n",
        'frame,a_x,a_y\n"0","640,5","2"\n"1","3,25","4"\n',
        "frame a_x a_y\n0 640,5 2\n1  3,25 4\n",
        "# made by a program\n# fps=30\nframe,a_x,a_y\n0,640.5,2\n1,3.25,4\n",
        "# frame a_x a_y\n0 640.5 2\n1 3.25 4\n",
    ],
)
def test_decimal_commas_blanks_and_comments_are_read(write, text):
    (clip,) = read(write(text), **TOLD)
    assert clip.keypoints[0, :, 0].tolist() == [[640.5, 2], [3.25, 4]]


def test_commas_and_points_in_one_table_are_an_error(write):
    assert "one of thousands" in read_error(write("frame;a_x;a_y\n0;1,500;2.5\n"), **TOLD)


def test_a_rate_in_a_comment_is_stated(write):
    path = write("# fps: 50\nframe,a_x,a_y\n0,1,2\n")
    assert read(path, unit="pixel")[0].fps == 50
    assert "states fps 50, but fps 30" in read_error(path, **TOLD)


def test_a_compressed_table_is_read_and_a_bomb_is_refused(tmp_path):
    path = tmp_path / "clip.csv.gz"
    path.write_bytes(gzip.compress(b"frame,a_x,a_y\n0,1,2\n") + gzip.compress(b"1,3,4\n"))
    assert read(path, **TOLD)[0].num_frames == 2
    path.write_bytes(path.read_bytes()[:-9])
    assert "gzip" in read_error(path, **TOLD)
    path.write_bytes(gzip.compress(b"frame,a_x,a_y\n" + b"0,1,2\n" * 10_000_000, 1))
    assert "unpacks to more than" in read_error(path, **TOLD)


@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title])
def test_mediapipes_own_names_are_its_layout(write, spell):
    header = ",".join(f"{spell(name)}_{axis}" for name in MEDIAPIPE for axis in "xyz")
    (clip,) = read(write(f"{header}\n{','.join(map(str, range(99)))}\n"), fps=30, unit="millimetre")
    assert clip.layout is get_layout("mediapipe-33")
    assert clip.keypoints[0, 0, 31].tolist() == pytest.approx([0.093, 0.094, 0.095])


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "template", ["{axis}{joint}", "{axis}_{joint}", "landmark_{joint}_{axis}", "kp{joint}_{axis}"]
)
def test_numbered_groups_are_the_joints_of_a_given_layout(write, first, template):
    joints = [*range(first, first + 33)][::-1]
    header = ",".join(template.format(axis=axis, joint=joint) for joint in joints for axis in "xyzv")
    cells = ",".join(f"{joint - first},{joint - first},1,0.5" for joint in joints)
    path = write(f"class,{header}\nwave,{cells}\n")
    (clip,) = read(path, layout="mediapipe-33", **TOLD)
    assert clip.keypoints[0, 0, 1:, 0].tolist() == [*range(1, 33)]
    assert (clip.confidence == 0.5).all()
    message = read_error(path, **TOLD)
    assert "33 numbered joints" in message and "mediapipe-33" in message and "coco-17" not in message


def test_a_number_that_is_left_out_is_an_error(write):
    assert "without gaps" in read_error(write("x0,y0,x2,y2\n1,2,3,4\n"), layout="coco-17", **TOLD)


def test_a_long_table_may_call_its_columns_anything_common(write):
    rows = "".join(f"{frame},{name},{frame},2,0.5\n" for frame in range(2) for name in ("NOSE", "LEFT_EYE"))
    (clip,) = read(write(f"frame_number,landmark_name,X (mm),Y (mm),visibility\n{rows}"), fps=30)
    assert clip.layout.joints == ("nose", "left_eye")
    assert clip.keypoints[0, 1, 1].tolist() == pytest.approx([0.001, 0.002])


def test_units_in_names_are_stated(write):
    path = write("frame,a_x_mm,a_y_mm,a_z_mm\n0,1000,2,3\n")
    assert read(path, fps=30)[0].keypoints[0, 0, 0, 0] == 1
    assert "states unit millimetre" in read_error(path, **TOLD)


def test_rotations_are_no_joints_and_said_to_be_left_out(write):
    header = "Hips_position_x,Hips_position_y,Hips_position_z,Hips_rotation_x,Hips_rotation_y,Hips_rotation_z"
    with pytest.warns(FileNote, match="Hips_rotation_x"):
        (clip,) = read(write(f"Timestamp,{header}\n0.00,1,2,3,90,90,90\n0.01,1,2,3,90,90,90\n"), unit="metre")
    assert (clip.layout.joints, clip.fps) == (("mid_hip",), 100)


def test_people_in_the_names_of_columns_are_people(write):
    (clip,) = read(write("frame,person1_nose_x,person1_nose_y,person2_nose_x,person2_nose_y\n0,1,2,3,4\n"), **TOLD)
    assert clip.track_ids == (1, 2) and clip.layout.joints == ("nose",)
    assert clip.keypoints[:, 0, 0].tolist() == [[1, 2], [3, 4]]


def test_tracking_states_are_confidences(write):
    rows = "0,Head,1,2,3,Tracked\n1,Head,1,2,3,Inferred\n2,Head,1,2,3,NotTracked\n"
    (clip,) = read(write(f"frame,JointType,X,Y,Z,TrackingState\n{rows}"), fps=30, unit="metre")
    assert clip.confidence[0, :, 0].tolist() == [1, 0.5, 0]


def test_columns_of_something_else_are_no_poses():
    assert columns_of(["city", "people", "x"]) is None


def test_kinect_tables_are_people_at_time_stamps(write):
    header = "timestamp_usec,body_id,PELVIS_x,PELVIS_y,PELVIS_z,HANDTIP_LEFT_x,HANDTIP_LEFT_y,HANDTIP_LEFT_z"
    rows = "".join(f"{33333 * t},{who},{t},{who},1,2,3,4\n" for t in range(6) for who in (1, 2))
    (clip,) = read(write(f"{header}\n{rows}"), unit="millimetre")
    assert (clip.track_ids, clip.num_frames, clip.fps) == ((1, 2), 6, 30)
    assert clip.layout.joints == ("mid_hip", "left_hand_tip")
    first = (
        "Time,HipCenterX,HipCenterY,HipCenterZ,HandLeftX,HandLeftY,HandLeftZ\n0.0,1,2,3,4,5,6\n0.0333,1,2,3,4,5,6\n"
    )
    (clip,) = read(write(first), unit="metre")
    assert clip.layout.joints == ("mid_hip", "left_hand") and clip.fps == pytest.approx(30, rel=2e-3)


def test_the_body_comes_first_among_the_landmarks_of_holistic(write):
    header = ",".join(f"{axis}{joint}" for joint in range(1, 544) for axis in "xyzv")
    cells = ",".join(f"{joint},2,3,1" for joint in range(1, 544))
    with pytest.warns(FileNote, match="the first 33 of 543 are the body"):
        (clip,) = read(write(f"{header}\n{cells}\n"), layout="mediapipe-33", **TOLD)
    assert clip.keypoints[0, 0, :, 0].tolist() == [*range(1, 34)]


@pytest.mark.parametrize(("axis", "up"), [("y", "y"), ("z", "z"), ("x", None)])
def test_a_table_carries_the_axis_along_which_bodies_stand(write, axis, up):
    places = {"head": 1.6, "left_ankle": 0.1}
    header = ",".join(f"{joint}_{each}" for joint in places for each in "xyz")
    row = ",".join(str(high if each == axis else 0.5) for high in places.values() for each in "xyz")
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        (clip,) = read(write(f"{header}\n{row}\n"), fps=30, unit="metre")
    assert clip.up == up
    assert ["which is read as up" in str(each.message) for each in notes] == [True] * (axis == "z")


def test_a_coordinate_that_occurs_twice_is_an_error(write):
    message = read_error(write("frame,nose_x,nose_y,nose_x,nose_y\n0,1,2,5,6\n"), **TOLD)
    assert "these occur twice: nose_x, nose_y" in message


@pytest.mark.parametrize(
    ("columns", "unread"),
    [("left_eye_x", "left_eye_x"), ("left_eye_x,left_eye_y,left_eye_z", "left_eye_z"), ("a_x,a_y,a_conf", "a_conf")],
)
def test_coordinates_that_cannot_be_read_are_named_in_a_note(write, columns, unread):
    cells = ",".join("3" for _ in columns.split(","))
    with pytest.warns(FileNote, match=f"other joints do not have it: {unread}\\."):
        (clip,) = read(write(f"frame,nose_x,nose_y,{columns}\n0,1,2,{cells}\n"), **TOLD)
    assert clip.keypoints[0, 0, 0].tolist() == [1, 2] and clip.num_dims == 2 and clip.confidence is None


def test_corners_of_boxes_are_no_joints(write):
    with pytest.warns(FileNote, match="no positions, so not read: bbox_x, bbox_y, x_min, y_min"):
        (clip,) = read(write("frame,bbox_x,bbox_y,x_min,y_min,nose_x,nose_y\n0,9,9,9,9,1,2\n"), **TOLD)
    assert clip.layout.joints == ("nose",)


def test_rows_that_are_all_recordings_of_their_own_are_an_error(write):
    message = read_error(write("sequence_number,nose_x,nose_y\n5,1,2\n6,1,2\n7,1,2\n"), **TOLD)
    assert 'call a column that numbers frames "frame"' in message
