"""COCO results and annotations, AlphaPose: frames by number, people by id or by tracking, zeros missing."""

import random

import numpy as np
import pytest
from format_samples import body
from helpers import read_error, write_json

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


def triples(offset: float, joints: int = 17, score: float = 0.5) -> list[float]:
    """x = offset + 10 joint, y = offset + 20 joint."""
    index = np.arange(joints)
    return np.stack([offset + 10 * index, offset + 20 * index, np.full(joints, score)], axis=-1).ravel().tolist()


def result(frame, offset: float, **extra):
    return {"image_id": frame, "category_id": 1, "keypoints": triples(offset), "score": 0.9, **extra}


def name_of(frame: int) -> str:
    return f"cam2_{frame:06d}.jpg"


@pytest.fixture
def write(tmp_path):
    return lambda content, name="poses.json": write_json(tmp_path / name, content)


@pytest.mark.parametrize("form, image", [("coco", int), ("alphapose", name_of)])
def test_results_find_their_frames_and_people_are_followed(write, form, image):
    frames = [0, 1, 2, 4]
    entries = [result(image(frame), offset) for frame in frames for offset in (10 + frame, 900 - frame)]
    random.Random(1).shuffle(entries)
    path = write(entries)
    assert find_format(path).name == form
    (clip,) = read(path, fps=25, image_size=(1280, 720))
    assert (clip.layout.name, clip.unit, clip.fps, clip.image_size) == ("coco-17", "pixel", 25.0, (1280, 720))
    assert clip.keypoints.shape == (2, 5, 17, 2) and not clip.joint_mask[:, 3].any()
    starts = {clip.keypoints[row, 0, 0, 0]: row for row in range(2)}
    np.testing.assert_array_equal(clip.keypoints[starts[10], frames, 0, 0], [10, 11, 12, 14])
    np.testing.assert_array_equal(clip.keypoints[starts[900], frames, 3, 1], [960, 959, 958, 956])
    assert clip.confidence[0, 0, 0] == 0.5 and clip.confidence[0, 3, 0] == 0


@pytest.mark.parametrize("image, key, ids", [(int, "track_id", (7, 3)), (name_of, "idx", (7, [3.0]))])
def test_the_files_own_identities_are_kept(write, image, key, ids):
    # Far apart: only the ids say that they are the same people.
    entries = [result(image(frame), 10 + 500 * frame, **{key: ids[frame % 2]}) for frame in range(4)]
    (clip,) = read(write(entries), fps=30)
    assert clip.track_ids == (7, 3)
    np.testing.assert_array_equal(clip.joint_mask[:, :, 0], [[True, False] * 2, [False, True] * 2])


@pytest.mark.parametrize("image, key", [(int, "track_id"), (name_of, "idx")])
def test_numbers_that_no_two_frames_share_identify_nobody(write, image, key):
    entries = [
        result(image(frame), 10 + frame + 500 * row, **{key: 2 * frame + row}) for frame in range(6) for row in (0, 1)
    ]
    with pytest.warns(FileNote, match="identify rows, not people"):
        assert read(write(entries), fps=30)[0].num_people == 2


def test_zero_scores_at_the_origin_are_missing(write):
    entry = result(0, 5)
    entry["keypoints"][6:9] = [0, 0, 0]
    entry["keypoints"][9:12] = [0, 0, 0.1]
    (clip,) = read(write([entry]), fps=30)
    assert np.argwhere(~clip.joint_mask).tolist() == [[0, 0, 2]]


def test_other_numbers_of_joints_need_a_layout(write):
    path = write([{"image_id": name_of(0), "keypoints": triples(5, 25), "score": 1}])
    assert "layout: the file does not state it" in read_error(path, fps=30)
    assert read(path, fps=30, layout="body-25")[0].layout.name == "body-25"
    assert "expected 17 joints x 2" in read_error(path, fps=30, layout="coco-17")


COCO = get_layout("coco-17").joints


def annotations(names=COCO, **changes):
    content = {
        "info": {},
        "images": [
            {"id": 100 - frame, "file_name": name_of(frame), "width": 640, "height": 480} for frame in range(3)
        ],
        "annotations": [
            {"id": 9 + frame, "image_id": 100 - frame, "keypoints": triples(5 + frame, len(names), 2)}
            for frame in (0, 2)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
    }
    return content | changes


def test_annotations_name_frames_joints_and_the_image_size(write):
    content = annotations()
    content["annotations"][0]["keypoints"][0:6] = [0, 0, 0, 8, 9, 1]
    path = write(content)
    assert find_format(path).name == "coco"
    (clip,) = read(path, fps=30)
    assert (clip.layout, clip.image_size) == (get_layout("coco-17"), (640, 480))
    assert clip.keypoints.shape == (1, 3, 17, 2)
    np.testing.assert_array_equal(clip.keypoints[0, [0, 2], 5, 0], [55, 57])
    assert np.isnan(clip.keypoints[0, 0, 0]).all() and not clip.joint_mask[0, 1].any()
    np.testing.assert_array_equal(clip.confidence[0, 0, :3], [0, 0.5, 1])


def test_annotations_of_other_joints_keep_their_names(write):
    path = write(annotations(["L_Knee", "R_Knee", "Nose"]))
    assert read(path, fps=30)[0].layout.joints == ("left_knee", "right_knee", "nose")
    assert "lacks its" in read_error(path, fps=30, layout="coco-17")


@pytest.mark.parametrize(
    "content, reason",
    [
        ([result(0, 1) | {"keypoints": [1.0] * 50}], "results[0].keypoints: expected x, y and a score"),
        ([result(0, 1) | {"keypoints": "many"}], "results[0].keypoints: expected a regular list"),
        ([result(-1, 1)], "results[0].image_id: expected a whole number"),
        ([result("cat.jpg", 1)], "expected a name with a number"),
        ([result(0, 1), 7], "results[1]: expected an object"),
        ([result(0, 1), result(10**9, 1)], "not the frames of one recording"),
        (annotations(images=[]), "expected images and keypoints"),
        (annotations(categories=[]), "expected one that names"),
        (annotations(annotations=[{"image_id": 5, "keypoints": triples(1)}]), "there is no image with the id 5"),
    ],
)
def test_what_does_not_fit_is_named(write, content, reason):
    assert reason in read_error(write(content), fps=30)


def test_person_numbers_that_occur_twice_in_a_frame_are_replaced_by_tracking_and_said(write):
    entries = [result(time, 1, track_id=0) for time in range(5)] + [result(time, 2, track_id=0) for time in range(5)]
    for entry in entries[5:]:
        entry["keypoints"] = (np.array(entry["keypoints"]).reshape(-1, 3) + (900.0, 0.0, 0.0)).ravel().tolist()
    with pytest.warns(FileNote, match=r"frame 0: several people have the person number 0"):
        clip = read(write(entries), fps=30)[0]
    assert clip.num_people == 2
    assert clip.joint_mask.any(axis=-1).all()
    assert np.ptp(clip.keypoints[0, :, 0, 0]) < 100


def test_confidences_beyond_0_and_1_are_read_as_0_or_1_and_said(write):
    entry = result(0, 1)
    entry["keypoints"] = [5.0, 6.0, 3.2] * 17
    with pytest.warns(FileNote, match=r"confidence: values lie in 3.2..3.2"):
        clip = read(write([entry]), fps=30)[0]
    assert (clip.confidence == 1).all()


def test_a_small_file_of_strangers_cannot_ask_for_gigabytes(write):
    path = write([result(frame, 1, track_id=frame // 2) for frame in range(1500)])
    assert "split the recording" in read_error(path, fps=30)


@pytest.mark.parametrize("content", [[result(0, 1), result(1, 1)], [result("a1.jpg", 1)], annotations()])
def test_truncations_and_bit_flips_give_a_clip_or_a_one_line_error(write, content):
    path = write(content)
    text, generator, refused = path.read_bytes(), random.Random(0), 0
    for length in range(1, len(text), 41):
        path.write_bytes(text[:length])
        read_error(path, fps=30)
    for _ in range(150):
        flipped = bytearray(text)
        flipped[generator.randrange(len(text))] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            read(path, fps=30)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
    assert refused > 20


# Several recordings, flags, other programs' numbers of joints


def video(names, **extra):
    content = annotations()
    content["images"] = [{"id": row, "file_name": name, "width": 9, "height": 9} for row, name in enumerate(names)]
    for key, values in extra.items():
        for image, value in zip(content["images"], values, strict=True):
            image[key] = value
    content["annotations"] = [
        {"id": row, "image_id": row, "keypoints": triples(5 + row, 17, 2)} for row in range(len(names))
    ]
    return content


@pytest.mark.parametrize(
    "content",
    [
        video(["A/1.jpg", "A/2.jpg", "B/1.jpg", "B/2.jpg", "B/3.jpg"]),
        video(["A\\1.jpg", "A\\2.jpg", "B\\1.jpg", "B\\2.jpg", "B\\3.jpg"]),
        video(["A_01.jpg", "A_02.jpg", "B_01.jpg", "B_02.jpg", "B_03.jpg"]),
        video([f"{row}.jpg" for row in range(5)], video_id=[7, 7, 2, 2, 2], frame_id=[0, 1, 0, 1, 2]),
        video(["0.jpg"] * 5, vid_id=["a", "a", "b", "b", "b"], frame_id=[10000, 10001, 20000, 20001, 20002]),
    ],
)
def test_recordings_in_one_annotation_file_are_clips_each(write, content):
    first, second = read(write(content), fps=30)
    np.testing.assert_array_equal(first.keypoints[0, :, 0, 0], [5, 6])
    np.testing.assert_array_equal(second.keypoints[0, :, 0, 0], [7, 8, 9])


def test_recordings_in_one_results_file_are_clips_each(write):
    stated = [result(frame, 10 + frame, video_id=frame % 2) for frame in range(6)]
    assert [clip.keypoints[0, 0, 0, 0] for clip in read(write(stated), fps=30)] == [10, 11]
    folders = [result(f"{'ab'[frame % 2]}/{frame // 2}.jpg", 10 + frame) for frame in range(6)]
    clips = read(write(folders), fps=30)
    assert [clip.num_frames for clip in clips] == [3, 3]
    np.testing.assert_array_equal(clips[1].keypoints[0, :, 0, 0], [11, 13, 15])


def test_images_of_one_name_are_placed_by_their_ids_and_said(write):
    with pytest.warns(FileNote, match="several images have the same frame number"):
        (clip,) = read(write(video(["x.jpg", "5.jpg", "5.jpg"])), fps=30)
    assert clip.num_frames == 3


def test_visibility_0_is_missing_whatever_the_coordinates(write):
    content = annotations()
    content["annotations"][0]["keypoints"][6:9] = [55, 66, 0]
    (clip,) = read(write(content), fps=30)
    assert np.isnan(clip.keypoints[0, 0, 2]).all() and clip.confidence[0, 0, 2] == 0
    assert clip.joint_mask[0, 0, [0, 1, 3]].all()


def test_a_result_with_score_0_and_coordinates_stays(write):
    entry = result(0, 5)
    entry["keypoints"][6:9] = [55, 66, 0]
    assert read(write([entry]), fps=30)[0].joint_mask.all()


def test_other_numbers_than_flags_are_confidences(write):
    content = annotations()
    content["annotations"][0]["keypoints"][2::3] = [0.25] * 17
    content["annotations"][1]["keypoints"][2::3] = [1] * 17
    np.testing.assert_array_equal(read(write(content), fps=30)[0].confidence[0, [0, 2], 0], [0.25, 1])


def test_the_track_of_cvats_attributes_is_the_person(write):
    content = annotations()
    for entry in content["annotations"]:
        entry["attributes"] = {"occluded": False, "track_id": 9}
    assert read(write(content), fps=30)[0].track_ids == (9,)


@pytest.mark.parametrize(
    "joints, layout, kept",
    [(17, "coco-17", 17), (26, "halpe-26", 26), (136, "halpe-136", 26), (133, "coco-wholebody-133", 23)],
)
def test_alphapose_states_its_layout_by_the_number_of_joints(write, joints, layout, kept, recwarn):
    places = np.insert(body(layout, frames=3), 2, 0.9, axis=-1)
    path = write(
        [{"image_id": f"{n}.jpg", "keypoints": row.ravel().tolist(), "score": 1} for n, row in enumerate(places)]
    )
    (clip,) = read(path, fps=30)
    assert (clip.layout.name, clip.num_joints) == (layout, kept)
    np.testing.assert_allclose(clip.keypoints[0], places[:, :kept, :2], rtol=1e-6)
    assert any(f"{kept} of {joints} are read" in str(each.message) for each in recwarn) == (kept < joints)


@pytest.mark.parametrize("idx", [0, 0.0, [0], [0.0], [[0.0], [0.0]], "x", None])
def test_useless_numbers_of_alphapose_are_replaced_by_tracking(write, idx):
    entries = [
        {"image_id": f"{frame}.jpg", "keypoints": triples(5 + 900 * row), "score": 1, "idx": idx}
        for frame in range(3)
        for row in range(2)
    ]
    assert read(write(entries), fps=30)[0].num_people == 2


def test_a_number_that_only_some_detections_have_is_said(write):
    entries = [result(frame, 5, track_id=3) for frame in range(3)] + [result(3, 5)]
    with pytest.warns(FileNote, match="1 of 4 detections have no person number"):
        read(write(entries), fps=30)


def test_other_parts_of_whole_body_results_are_left_out_and_said(write):
    with pytest.warns(FileNote, match=r"\['face_kpts'\] are left out"):
        assert read(write([result(0, 5, face_kpts=[1.0] * 204, foot_kpts=[])]), fps=30)[0].num_joints == 17


def test_tracked_results_of_poseflow_are_frames_by_image_name(write):
    frames = {
        f"{frame}.jpg": [
            {"keypoints": triples(5 + 900 * row + frame), "scores": 2.1, "idx": 4 + row} for row in (1, 0)
        ]
        for frame in (0, 1, 3)
    }
    path = write(frames)
    assert find_format(path).name == "alphapose"
    (clip,) = read(path, fps=30)
    assert (clip.track_ids, clip.num_frames, clip.layout.name) == ((5, 4), 4, "coco-17")
    np.testing.assert_array_equal(clip.keypoints[1, [0, 1, 3], 0, 0], [5, 6, 8])


def test_annotations_without_names_take_the_callers_layout(write):
    for categories in ([], [{"id": 1, "name": "person"}]):
        content = annotations(categories=categories)
        assert read(write(content), fps=30, layout="coco-17")[0].layout.name == "coco-17"
        assert "or give layout=" in read_error(write(content), fps=30)


def test_the_category_of_the_people_names_the_joints(write):
    content = annotations()
    animal = {"id": 2, "name": "cat", "keypoints": list(reversed(COCO))}
    content["categories"] = [animal, *content["categories"]]
    for entry in content["annotations"]:
        entry["category_id"] = 1
    assert read(write(content), fps=30)[0].layout.name == "coco-17"
    content["annotations"][0]["category_id"] = 2
    assert "people of several categories" in read_error(write(content), fps=30)


@pytest.mark.parametrize("image", [int, name_of])
def test_every_third_frame_of_30_per_second_is_a_clip_of_10(write, image):
    path = write([result(image(frame), 10 + frame) for frame in (0, 3, 6, 12)])
    with pytest.warns(FileNote, match="one in 3 frames of 30 per second: a clip of 10 frames per second"):
        (clip,) = read(path, fps=30)
    assert (clip.fps, clip.num_frames) == (10, 5)
    assert clip.joint_mask[0, :, 0].tolist() == [True, True, True, False, True]
