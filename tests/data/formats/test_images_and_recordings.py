"""Ids and names of images, and recordings by key: which frame a person is in, whatever the program calls it."""

import numpy as np
import pytest
from helpers import read_error, write_json, write_text

from motionhub.data.datasets.reading import read
from motionhub.data.formats.files import FileNote
from motionhub.data.formats.folders import number_in
from motionhub.skeletons.layouts import get_layout


COCO = list(get_layout("coco-17").joints)
FRAMES = 6
HASHES = ("3fa8c9d2e1", "07b1", "a99", "5c0ffee", "12d4f8", "88e7")
UUIDS = [f"{row * 7919 % 97:08x}-aaaa-4bbb-8ccc-{row * 104729:012x}" for row in range(FRAMES)]


def places(frame: int, person: int = 0) -> np.ndarray:
    """`(17, 2)`: x = 100 + 400 person + frame + joint, y = 200 + 2 joint."""
    joints = np.arange(17)
    return np.stack([100 + 400 * person + frame + joints, 200 + 2 * joints], axis=1)


def person(frame: int, row: int = 0, **extra):
    return {"keypoints": places(frame, row).tolist(), "scores": [0.5] * 17, **extra}


def assert_in_order(clip, people: int = 1) -> None:
    """Every frame at its place: the nose moves by one pixel a frame."""
    assert clip.keypoints.shape == (people, FRAMES, 17, 2)
    np.testing.assert_array_equal(clip.keypoints[0, :, 0, 0], 100 + np.arange(FRAMES))


def annotations(image_id, name=lambda frame: "image.jpg", **image):
    """COCO annotations whose images are listed in reverse."""
    flags = np.full((17, 1), 2)
    return {
        "images": [
            {"id": image_id(frame), "file_name": name(frame), **{key: value(frame) for key, value in image.items()}}
            for frame in reversed(range(FRAMES))
        ],
        "annotations": [
            {
                "image_id": image_id(frame),
                "category_id": 1,
                "keypoints": np.concatenate([places(frame), flags], axis=1).ravel().tolist(),
            }
            for frame in range(FRAMES)
        ],
        "categories": [{"id": 1, "keypoints": COCO}],
    }


@pytest.mark.parametrize(
    "content",
    [
        annotations(lambda frame: f"image-{frame:03d}"),
        annotations(lambda frame: UUIDS[frame], lambda frame: f"walk_{frame}.jpg"),
        annotations(lambda frame: UUIDS[frame], frame_id=lambda frame: frame),
        annotations(float),
        annotations(lambda frame: frame, lambda frame: f"walk_{frame:03d}_jpg.rf.{HASHES[frame]}.jpg"),
    ],
    ids=["texts", "uuids", "frame_id", "fractions", "hashes"],
)
def test_ids_and_names_of_images_place_the_frames(tmp_path, content):
    assert_in_order(read(write_json(tmp_path / "annotations.json", content), fps=30)[0])


def test_an_id_is_the_same_as_a_number_and_as_a_text_of_digits(tmp_path):
    content = annotations(lambda frame: frame + 1)
    for entry in content["annotations"]:
        entry["image_id"] = str(entry["image_id"])
    assert_in_order(read(write_json(tmp_path / "annotations.json", content), fps=30)[0])


def test_images_without_any_number_keep_their_order_with_a_note(tmp_path):
    content = annotations(lambda frame: UUIDS[frame], lambda frame: f"{UUIDS[frame]}.jpg")
    content["images"].reverse()
    with pytest.warns(FileNote, match="some images have no number, so their order places them"):
        assert_in_order(read(write_json(tmp_path / "annotations.json", content), fps=30)[0])


def test_an_annotation_of_an_absent_image_is_an_error(tmp_path):
    content = annotations(lambda frame: f"image-{frame}")
    content["annotations"][2]["image_id"] = "image-9"
    assert "no image with the id image-9" in read_error(write_json(tmp_path / "annotations.json", content), fps=30)
    content["annotations"][2]["image_id"] = [1]
    assert "expected a whole number or a name" in read_error(write_json(tmp_path / "a.json", content), fps=30)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("cam1_000012.jpg", 12),
        ("walk_12_png.rf.3fa8c9d27.jpg", 12),
        ("walk_12.rf.3fa8c9d27", 12),
        (UUIDS[3], -1),
        ("20240102-030405", 30405),
        ("bed-2024-01-02-000012", 12),
        ("0a1b2c3d4e5f6a7b8c", -1),
    ],
)
def test_the_number_of_an_image_is_not_a_part_of_a_hash(name, number):
    assert number_in(name, -1) == number


def test_labels_with_hashes_in_their_names_are_the_frames_of_one_recording(tmp_path):
    for frame in range(FRAMES):
        words = " ".join(f"{x:.4f} {y:.4f} 2" for x, y in places(frame) / 1000)
        write_text(tmp_path / "labels" / f"walk_{frame:04d}_jpg.rf.{HASHES[frame]}.txt", f"0 0.5 0.5 0.2 0.4 {words}")
    (clip,) = read(tmp_path / "labels", fps=30, layout="coco-17", unit="pixel", image_size=(1000, 1000))
    np.testing.assert_allclose(clip.keypoints[0, :, 0, 0], 100 + np.arange(FRAMES), rtol=1e-4)


def test_files_without_a_number_are_left_out_with_a_note(tmp_path):
    for frame in range(FRAMES):
        write_json(tmp_path / "clip" / f"{frame}.json", [person(frame)])
    write_json(tmp_path / "clip" / "settings.json", {"model": "large"})
    with pytest.warns(FileNote, match=r"left out: settings\.json"):
        assert_in_order(read(tmp_path / "clip", fps=30, layout="coco-17")[0])


# Recordings by key


FORMS = {
    "lists": lambda people: [[person(frame, row) for row in range(people)] for frame in range(FRAMES)],
    "frames": lambda people: {
        "frames": [{"people": [person(frame, row) for row in range(people)]} for frame in range(FRAMES)]
    },
    "by number": lambda people: {str(frame): [person(frame, row) for row in range(people)] for frame in range(FRAMES)},
    "rows": lambda people: [person(frame, row) | {"frame": frame} for frame in range(FRAMES) for row in range(people)],
}


@pytest.mark.parametrize("form", FORMS)
def test_recordings_by_key_are_clips_in_their_order(tmp_path, form):
    content = {"walk.mp4": FORMS[form](1), "run.mp4": FORMS[form](2), "fps": 25}
    with pytest.warns(FileNote, match=r"2 by key are clips in this order: walk\.mp4, run\.mp4"):
        first, second = read(write_json(tmp_path / "videos.json", content), layout="coco-17")
    assert_in_order(first)
    assert_in_order(second, people=2)
    assert first.fps == second.fps == 25


@pytest.mark.parametrize("form", FORMS)
def test_the_only_recording_by_key_is_that_recording(tmp_path, form):
    (clip,) = read(write_json(tmp_path / "video.json", {"video1": FORMS[form](1)}), fps=30, layout="coco-17")
    assert_in_order(clip)


@pytest.mark.parametrize("key", ["videos", None])
def test_recordings_in_a_list_are_clips_in_its_order(tmp_path, key):
    listed = [{"name": name, **FORMS["frames"](people)} for name, people in (("walk", 1), ("run", 2))]
    content = {key: listed, "fps": 25} if key else listed
    with pytest.warns(FileNote, match="2 in a list are clips in its order"):
        first, second = read(write_json(tmp_path / "videos.json", content), layout="coco-17", fps=25)
    assert_in_order(first)
    assert_in_order(second, people=2)


def test_annotations_and_landmarks_by_key_are_clips(tmp_path):
    content = {"walk": annotations(int), "run": annotations(int)}
    for clip in read(write_json(tmp_path / "annotations.json", content), fps=30):
        assert_in_order(clip)
    marks = [[{"x": 0.1 + frame / 100, "y": j / 50, "visibility": 1} for j in range(33)] for frame in range(FRAMES)]
    clips = read(write_json(tmp_path / "landmarks.json", {"walk": marks, "run": marks[:3]}), fps=30)
    assert [clip.num_frames for clip in clips] == [FRAMES, 3]
    np.testing.assert_allclose(clips[0].keypoints[0, :, 0, 0], 0.1 + np.arange(FRAMES) / 100, rtol=1e-5)


def test_frames_and_people_by_key_are_no_recordings(tmp_path):
    frames = {f"frame_{frame}.jpg": [person(frame)] for frame in range(FRAMES)}
    assert_in_order(read(write_json(tmp_path / "frames.json", frames), fps=30, layout="coco-17")[0])
    people = {}
    for row, name in enumerate(("Ann", "Bob")):
        people[name] = [person(frame, row) | {"frame": frame} for frame in range(FRAMES)]
    with pytest.warns(FileNote, match="read as people"):
        assert_in_order(read(write_json(tmp_path / "people.json", people), fps=30, layout="coco-17")[0], people=2)
