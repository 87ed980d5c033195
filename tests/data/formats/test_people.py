"""Frames of people in JSON: every shape is the same clip; numbers and time stamps place frames; nothing is lost."""

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_sequence, read_error, write_json, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


COCO = get_layout("coco-17").joints
RATE = {"fps": 30}


def places(time: int, row: int = 0, joints: int = 17) -> np.ndarray:
    """`(joints, 2)`: x = 100 + 400 row + 10 joint + time, y = 50 + 20 joint."""
    index = np.arange(joints)
    return np.stack([100 + 400 * row + 10 * index + time, 50 + 20 * index], axis=-1).astype(float)


def points_of(clip, row: int = 0) -> np.ndarray:
    return clip.keypoints[row]


def ultralytics(time: int, row: int, **extra: Any) -> dict[str, Any]:
    x, y = places(time, row).T.tolist()
    return {
        "name": "person",
        "class": 0,
        "confidence": 0.9,
        "keypoints": {"x": x, "y": y, "visible": [0.8] * 17},
        **extra,
    }


def mmpose(time: int, row: int, **extra: Any) -> dict[str, Any]:
    return {"keypoints": places(time, row).tolist(), "keypoint_scores": [0.8] * 17, "bbox": [[1, 2, 3, 4]], **extra}


def vitpose(time: int, row: int, **extra: Any) -> dict[str, Any]:
    return {
        "keypoints": places(time, row).tolist(),
        "scores": [0.8] * 17,
        "labels": [*range(17)],
        "bbox": [1] * 4,
        **extra,
    }


def tfjs(time: int, row: int, **extra: Any) -> dict[str, Any]:
    named = zip(COCO, places(time, row).tolist(), strict=True)
    return {
        "score": 0.8,
        "keypoints": [{"x": x, "y": y, "score": 0.8, "name": name} for name, (x, y) in named],
        **extra,
    }


def posenet(time: int, row: int, **extra: Any) -> dict[str, Any]:
    names = ["".join(word.title() if n else word for n, word in enumerate(joint.split("_"))) for joint in COCO]
    named = zip(names, places(time, row).tolist(), strict=True)
    return {
        "keypoints": [{"part": name, "position": {"x": x, "y": y}, "score": 0.8} for name, (x, y) in named],
        **extra,
    }


def flat(time: int, row: int, **extra: Any) -> dict[str, Any]:
    return {"keypoints": np.c_[places(time, row), np.full(17, 0.8)].ravel().tolist(), **extra}


PROGRAMS = {
    "ultralytics": ultralytics,
    "mmpose": mmpose,
    "vitpose": vitpose,
    "tfjs": tfjs,
    "posenet": posenet,
    "flat": flat,
}
TIMES = (0, 1, None, 3)  # nobody in the third frame


def frames_of(person, **extra: Any) -> list[list[dict[str, Any]]]:
    return [[] if time is None else [person(time, row, **extra) for row in (1, 0)] for time in TIMES]


def numbered(frames: list, key: str) -> list[dict[str, Any]]:
    return [{"frame": number, key: people} for number, people in enumerate(frames)]


SHAPES = {
    "list of frames": lambda frames: frames,
    "frames with a number": lambda frames: numbered(frames, "predictions"),
    "frames in any order": lambda frames: numbered(frames, "instances")[::-1],
    "an object of frames": lambda frames: {"frames": [{"people": people} for people in frames]},
    "frames by number": lambda frames: {str(number): people for number, people in enumerate(frames)},
    "frames by image": lambda frames: {f"cam1_{number:04d}.jpg": people for number, people in enumerate(frames)},
    "image names": lambda frames: [{"image": f"a/{n}.jpg", "poses": people} for n, people in enumerate(frames)],
    "rows of people": lambda frames: [{"frame_id": n, **one} for n, people in enumerate(frames) for one in people],
    "nested predictions": lambda frames: [{"predictions": [people]} for people in frames],
    "texts in JSON": lambda frames: [json.dumps(people) for people in frames],
}


@pytest.fixture
def write(tmp_path):
    return lambda content, name="poses.json": write_json(tmp_path / name, content)


def assert_is_the_clip(clip) -> None:
    assert clip.keypoints.shape == (2, 4, 17, 2)
    assert (clip.layout.name, clip.unit, clip.up) == ("coco-17", "pixel", "-y")
    for row, who in enumerate((1, 0)):
        for time in (0, 1, 3):
            np.testing.assert_array_equal(clip.keypoints[row, time], places(time, who).astype(np.float32))
    assert not clip.joint_mask[:, 2].any()
    np.testing.assert_allclose(clip.confidence[:, [0, 1, 3]], 0.8, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_shape_of_every_program_is_the_same_clip(write, program, shape):
    options = {"layout": "coco-17"} if program == "flat" else {}
    assert_is_the_clip(read(write(SHAPES[shape](frames_of(PROGRAMS[program]))), **RATE, **options)[0])


@pytest.mark.parametrize("program", PROGRAMS)
def test_lines_and_folders_are_the_same_clip(tmp_path, program):
    options = {"layout": "coco-17"} if program == "flat" else {}
    frames = frames_of(PROGRAMS[program])
    lines = write_text(tmp_path / "video.jsonl", "\n".join(map(json.dumps, frames)) + "\n")
    assert_is_the_clip(read(lines, **RATE, **options)[0])
    for number, people in enumerate(frames):
        write_json(tmp_path / "jsons" / f"clip_{number + 9}.json", people)
    assert_is_the_clip(read(tmp_path / "jsons", **RATE, **options)[0])


@pytest.mark.parametrize(
    "program, name",
    [
        ("ultralytics",) * 2,
        ("mmpose",) * 2,
        ("vitpose",) * 2,
        ("tfjs",) * 2,
        ("posenet", "tfjs"),
        ("flat", "keypoints"),
    ],
)
def test_programs_are_recognised_by_their_people_also_after_many_empty_frames(write, program, name):
    assert find_format(write([*[[]] * 3000, *frames_of(PROGRAMS[program])])).name == name


def test_two_recordings_in_a_folder_are_two_clips(tmp_path):
    for name, length in (("a", 2), ("b", 3)):
        for time in range(length):
            write_json(tmp_path / f"{name}_{time}.json", [mmpose(time, 0)])
    assert [clip.num_frames for clip in read(tmp_path, **RATE)] == [2, 3]


@pytest.mark.parametrize("names", [["A/1.jpg", "A/2.jpg", "B/1.jpg"], ["A_1.jpg", "A_2.jpg", "B_1.jpg", "B_2.jpg"]])
def test_images_of_two_recordings_are_two_clips(write, names):
    frames = [{"image": name, "instances": [mmpose(time, 0)]} for time, name in enumerate(names)]
    assert [clip.num_frames for clip in read(write(frames), **RATE)] == [2, len(names) - 2]


def test_one_frame_of_a_recording_states_how_many_lie_beside_it(tmp_path):
    for time in range(3):
        write_json(tmp_path / f"a_{time}.json", [ultralytics(time, 0)])
    with pytest.warns(FileNote, match="is one frame; 2 more of this recording lie beside it: give the folder"):
        assert read(tmp_path / "a_1.json", **RATE)[0].num_frames == 1


# Time


@pytest.mark.parametrize(
    "key, per_second",
    [("timestamp_ms", 1e3), ("timestamp_usec", 1e6), ("t", 1), ("timestamp", 1e3), ("timestamp", 1e9)],
)
def test_time_stamps_place_frames_and_state_the_rate(write, key, per_second):
    stamps = [round(time / 25 * per_second, 4) for time in (0, 1, 2, 5)]
    (clip,) = read(write([{key: stamp, "poses": [tfjs(0, 0)]} for stamp in stamps]))
    assert clip.fps == 25 and clip.num_frames == 6
    assert clip.joint_mask.any(axis=(0, 2)).tolist() == [True, True, True, False, False, True]


def test_dates_are_time_stamps_and_others_are_stated(write):
    stamps = [f"2026-01-01T10:00:00.{40 * time:03d}+00:00" for time in range(5)]
    assert read(write([{"timestamp": stamp, "poses": [tfjs(0, 0)]} for stamp in stamps]))[0].fps == 25
    with pytest.warns(FileNote, match="time stamps such as 'noon' are not understood"):
        read(write([{"timestamp": "noon", "poses": [tfjs(0, 0)]}]), **RATE)


def test_another_rate_than_that_of_the_time_stamps_or_of_the_file_is_an_error_naming_both(write):
    path = write([{"t": time / 25, "poses": [tfjs(0, 0)]} for time in range(5)])
    assert "state 25 frames per second, but fps 30 was given" in read_error(path, fps=30)
    assert "states fps 25, but fps 30" in read_error(write({"fps": 25, "frames": [[tfjs(0, 0)]]}), fps=30)


def test_two_frames_of_one_number_are_an_error(write):
    frames = [{"frame": number, "predictions": [ultralytics(0, 0)]} for number in (0, 1, 1)]
    assert "frame 1: two frames have this number" in read_error(write(frames), **RATE)


def test_numbers_leave_room_for_absent_frames(write):
    clip = read(write([{"frame": number, "instances": [mmpose(0, 0)]} for number in (3, 4, 7)]), **RATE)[0]
    assert clip.joint_mask.any(axis=(0, 2)).tolist() == [True, True, False, False, True]


def test_every_third_frame_of_30_per_second_is_a_clip_of_10(write):
    path = write([{"frame": number, "instances": [mmpose(0, 0)]} for number in (0, 3, 6, 12)])
    with pytest.warns(FileNote, match="one in 3 frames of 30 per second"):
        (clip,) = read(path, **RATE)
    assert clip.fps == 10
    assert clip.joint_mask.any(axis=(0, 2)).tolist() == [True, True, True, False, True]


def test_time_stamps_far_apart_cannot_ask_for_gigabytes(write):
    stamps = np.cumsum([0, *[0.04] * 200, *[3000.0] * 60]).tolist()
    assert "not the frames of one recording" in read_error(
        write([{"t": stamp, "poses": [tfjs(0, 0)]} for stamp in stamps])
    )


# People


@pytest.mark.parametrize("key", ["track_id", "id", "person_id"])
def test_person_numbers_are_kept_and_void_when_they_repeat_or_never_return(write, key):
    assert read(write(frames_of(mmpose, **{key: 7})[:1]), **RATE)[0].num_people == 2
    tracked = [[mmpose(time, row, **{key: 5 + row}) for row in (1, 0)] for time in range(4)]
    assert read(write(tracked), **RATE)[0].track_ids == (6, 5)
    with pytest.warns(FileNote, match="several people have the person number 7"):
        assert (
            read(write([[mmpose(time, row, **{key: 7}) for row in (1, 0)] for time in range(4)]), **RATE)[0].num_people
            == 2
        )
    rows = [[mmpose(time, row, **{key: 9 * time + row}) for row in (1, 0)] for time in range(4)]
    with pytest.warns(FileNote, match="identify rows, not people"):
        assert read(write(rows), **RATE)[0].num_people == 2


def test_names_of_people_are_numbered_and_said(write):
    frames = [[mmpose(time, row, person_id=f"P{row}") for row in (1, 0)] for time in range(4)]
    with pytest.warns(FileNote, match="P1 is 0, P0 is 1"):
        (clip,) = read(write(frames), **RATE)
    assert clip.keypoints[1, 0, 0, 0] == 100


def test_entries_without_keypoints_are_left_out_and_said(write):
    frames = [[ultralytics(0, 0), {"name": "ball", "box": {}}]]
    with pytest.warns(FileNote, match="1 of 2 entries have no keypoints"):
        assert read(write(frames), **RATE)[0].num_people == 1
    assert "no person has keypoints in any of the 2 frames" in read_error(write([[{"keypoints": []}], []]), **RATE)


def test_a_crowd_of_rows_without_frames_is_an_error(write):
    assert "at most 256 people, got 300" in read_error(write([mmpose(0, 9 * row) for row in range(300)]), **RATE)


# Joints


def test_the_origin_is_missing_whatever_the_score(write):
    person = ultralytics(0, 0)
    person["keypoints"]["x"][3] = person["keypoints"]["y"][3] = 0.0
    (clip,) = read(write([[person]]), **RATE)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 3]]


def test_names_decide_the_joints_and_a_pose_may_lack_some(write):
    frames = [[tfjs(time, 0)] for time in range(3)]
    frames[0][0]["keypoints"] = frames[0][0]["keypoints"][::-1]
    del frames[1][0]["keypoints"][5]
    (clip,) = read(write(frames), **RATE)
    np.testing.assert_array_equal(points_of(clip)[0], places(0))
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 1, 5]]
    frames[1][0]["keypoints"].append(deepcopy(frames[1][0]["keypoints"][0]))
    assert "several keypoints of one name" in read_error(write(frames), **RATE)


def test_labels_of_a_threshold_keep_each_keypoint_at_its_joint(write):
    person = vitpose(0, 0)
    for key in ("keypoints", "scores", "labels"):
        person[key] = [value for joint, value in enumerate(person[key]) if joint not in (2, 16)]
    (clip,) = read(write([[person], [vitpose(1, 0)]]), **RATE)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 2], [0, 0, 16]]
    np.testing.assert_array_equal(points_of(clip)[0, 15], places(0)[15])
    assert clip.confidence[0, 0, 2] == 0


@pytest.mark.parametrize("joints, named", [(26, '"halpe-26"'), (17, '"coco-17"'), (19, "no known layout has 19")])
def test_an_unstated_layout_is_an_error_that_lists_only_layouts_of_that_many_joints(write, joints, named):
    path = write([{"frame": 0, "keypoints": np.c_[places(0, 0, joints), np.ones(joints)].tolist()}])
    message = read_error(path, **RATE)
    assert f"has {joints} joints a person" in message and named in message
    assert joints == 17 or "coco-17" not in message


def test_the_callers_layout_must_fit_the_people(write):
    assert "has 26 joints, but the people of the file have 17" in read_error(
        write([[mmpose(0, 0)]]), layout="halpe-26", **RATE
    )


def test_coordinates_within_the_unit_square_are_fractions_and_said(write):
    person = vitpose(0, 0)
    person["keypoints"] = (np.array(person["keypoints"]) / 1000).tolist()
    with pytest.warns(FileNote, match="read as fractions of the image"):
        assert read(write([[person]]), **RATE)[0].unit == "normalised"
    assert read(write([[person]]), unit="pixel", **RATE)[0].unit == "pixel"


def test_scores_above_1_are_1_and_said(write):
    with pytest.warns(FileNote, match=r"confidence: values lie in 3.2..3.2"):
        assert read(write([[mmpose(0, 0, keypoint_scores=[3.2] * 17)]]), **RATE)[0].confidence.max() == 1


def test_the_size_and_rate_of_the_file_are_taken(write):
    (clip,) = read(write({"fps": 24, "width": 640, "height": 480, "frames": [{"poses": [tfjs(0, 0)]}]}))
    assert (clip.fps, clip.image_size) == (24, (640, 480))


def test_an_array_of_all_people_of_a_frame_is_each_of_them(write):
    frames = [
        {
            "pred_keypoints": [np.c_[places(time, row), np.full(17, 0.8)].tolist() for row in (1, 0)],
            "scores": [0.9, 0.8],
        }
        for time in range(3)
    ]
    for content in (frames, [{"instances": frame} for frame in frames]):
        (clip,) = read(write(content), **RATE)
        assert find_format(write(content)).name == "detectron2"
        np.testing.assert_array_equal(points_of(clip, 1)[2], places(2, 0))
        np.testing.assert_allclose(clip.confidence, 0.8, rtol=1e-6)


# MMPose


def meta(**facts: Any) -> dict[str, Any]:
    instances = [{"frame_id": n + 1, "instances": [mmpose(n, 0)]} for n in range(3)]
    return {"meta_info": facts, "instance_info": instances}


def test_the_meta_info_states_the_joints(write):
    names = {str(n): name for n, name in enumerate(reversed(COCO))}
    (clip,) = read(write(meta(dataset_name="own", keypoint_id2name=names)), **RATE)
    (in_order,) = read(write(meta(dataset_name="coco")), **RATE)
    assert clip.layout.name == in_order.layout.name == "coco-17"
    np.testing.assert_array_equal(clip.keypoints, in_order.keypoints[:, :, ::-1])
    assert "states layout h36m-17, but layout coco-17" in read_error(
        write(meta(dataset_name="h36m")), layout="coco-17", **RATE
    )


def test_lifted_poses_are_3_d_metres_with_z_up(write):
    content = meta(dataset_name="h36m")
    for time, frame in enumerate(content["instance_info"]):
        frame["instances"][0]["keypoints"] = np.c_[places(time) / 100, np.arange(17)].tolist()
    with pytest.warns(FileNote, match=r'mirrored in space; .*flip_axes\(sequence, axes=\["x"\]\)'):
        (clip,) = read(write(content), **RATE)
    assert (clip.num_dims, clip.unit, clip.up, clip.layout.name) == (3, "metre", "z", "h36m-17")
    np.testing.assert_allclose(clip.keypoints[0, 1, 4], [*places(1)[4] / 100, 4], rtol=1e-6)


def test_the_joint_at_the_origin_of_3_d_poses_is_the_root(write):
    person = {"keypoints3d": [[0, 0, 0], *np.ones((16, 3)).tolist()], "id": 1}
    (clip,) = read(write({"fps": 30, "frames": [{"people": [person]}]}), layout="h36m-17", unit="metre")
    assert clip.joint_mask.all()
    person["keypoints3d"][5] = [0, 0, 0]
    (clip,) = read(write({"fps": 30, "frames": [{"people": [person]}]}), layout="h36m-17", unit="metre")
    assert not clip.joint_mask[0, 0, 5]


def test_a_z_beside_pixels_is_no_third_coordinate(write):
    frames = [[tfjs(time, 0)] for time in range(2)]
    for frame in frames:
        frame[0]["keypoints"] = [{**one, "z": -0.3} for one in frame[0]["keypoints"]]
    (clip,) = read(write(frames), **RATE)
    np.testing.assert_array_equal(points_of(clip)[1], places(1))


def test_ml5_poses_are_unwrapped(write):
    (clip,) = read(
        write([[{"pose": {**posenet(time, 0), "nose": {"x": 1, "y": 2}}, "skeleton": []}] for time in range(3)]),
        **RATE,
    )
    np.testing.assert_array_equal(points_of(clip)[2], places(2))


def test_a_flat_list_of_pairs_fits_the_callers_layout(write):
    path = write([{"frame": time, "keypoints": places(time, 0, 26).ravel().tolist()} for time in range(2)])
    (clip,) = read(path, layout="halpe-26", **RATE)
    np.testing.assert_array_equal(points_of(clip)[1], places(1, 0, 26))
    assert clip.confidence is None


def test_joints_as_objects_in_space_are_3_d_in_the_stated_unit(write):
    names = ["SpineBase", "SpineMid", "Neck", "Head", "ShoulderLeft", "KneeRight"]
    joints = [
        {"name": name, "position": {"x": n / 10, "y": 0.2, "z": 2.0}, "state": 2} for n, name in enumerate(names)
    ]
    path = write([{"timestamp": 40 * time, "bodies": [{"tracking_id": 7, "joints": joints}]} for time in range(3)])
    assert 'unit="metre"' in read_error(path)
    (clip,) = read(path, unit="metre")
    assert (clip.fps, clip.num_dims, clip.track_ids) == (25, 3, (7,))
    assert clip.layout.joints == ("mid_hip", "chest", "neck", "head", "left_shoulder", "right_knee")


def test_a_frame_that_lists_nobody_is_empty(write):
    frames = [
        {"frame": 0, "instances": [mmpose(0, 0)]},
        {"frame": 1, "num_people": 0},
        {"frame": 2, "instances": None},
    ]
    assert read(write(frames), **RATE)[0].joint_mask.any(axis=(0, 2)).tolist() == [True, False, False]


def test_a_person_of_many_keypoints_is_still_recognised(write):
    person = {"keypoints": places(0, 0, 133).tolist() * 1, "keypoint_scores": [0.123456789] * 133, "bbox": [1] * 4}
    path = write([{"frame_id": time, "instances": [person]} for time in range(2)])
    assert find_format(path).name == "mmpose"
    with pytest.warns(FileNote, match="23 of 133 keypoints are read"):
        assert read(path, **RATE)[0].layout.name == "coco-wholebody-133"


@pytest.mark.parametrize("content, reason", [
    ([[{"keypoints": [1.0] * 49}]], "expected x and y"),
    ([[{"keypoints": "many"}]], "expected a list of keypoints"),
    ([[{"keypoints": {"x": [1, 2], "y": [1]}}]], "expected the lists x and y of the same length"),
    ([[mmpose(0, 0, keypoint_scores=[1.0])]], "expected 17 numbers"),
    ([[mmpose(0, 0)], 7], "frame 1: expected a list of people or an object, got int"),
    ([[mmpose(0, 0), 7]], "person 1: expected an object with keypoints, got int"),
    ([{"frame": 0, "predictions": [mmpose(0, 0)]}, {"frame": 1, "boxes": [1]}], "frame 1: expected one of"),
    (["[1, 2"], "not valid JSON"),
    ([[mmpose(0, 0)], [{"keypoints": [[1, 2]] * 26, "keypoint_scores": [1] * 26}]], "different numbers of"),
])  # fmt: skip
def test_what_does_not_fit_is_named(write, content, reason):
    if isinstance(content[0], str):
        content = [*content, [mmpose(0, 0)]]
    assert reason in read_error(write(content), **RATE)


def test_a_note_says_that_3_d_keypoints_are_left_out_and_a_unit_of_length_reads_them(write):
    person = tfjs(0, 0)
    person["keypoints3D"] = [{**one, "x": 0.5, "y": 0.25, "z": -0.5} for one in person["keypoints"]]
    with pytest.warns(FileNote, match="keypoints3D are left out"):
        flat_clip = read(write([[person]]), **RATE)[0]
    (clip,) = read(write([[person]]), unit="metre", **RATE)
    assert (flat_clip.num_dims, clip.num_dims, clip.up) == (2, 3, "-y")
    np.testing.assert_array_equal(clip.keypoints[0, 0, 0], [0.5, 0.25, -0.5])


def test_a_written_clip_reads_back(write):
    frames = [[mmpose(time, row) for row in (1, 0)] for time in range(3)]
    clip = read(write(frames), **RATE)[0]
    import motionhub

    path = motionhub.write(clip, write([]).parent / "clip.npz")
    assert_same_sequence(read(path)[0], clip)


def test_results_of_mmpose_0_x_are_placed_by_image(write):
    content = [
        {
            "preds": [np.c_[places(time), np.full(17, 0.8)].tolist()],
            "boxes": [[1.0] * 6],
            "image_paths": [f"v/{time}.jpg"],
        }
        for time in (0, 1, 3)
    ]
    (clip,) = read(write(content), **RATE)
    assert clip.layout.name == "coco-17" and clip.num_frames == 4
    np.testing.assert_array_equal(points_of(clip)[3], places(3))
