"""A video whose people are coloured squares, and an estimator that sees colours: who is where is known exactly."""

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers import write_json

import motionhub
from motionhub.pipelines.skeleton_pipeline import as_sequence
from motionhub.poses import estimators, extract, extract_clip
from motionhub.poses.estimators import get_estimator
from motionhub.poses.estimators.estimator import PersonInFrame, box_around
from motionhub.poses.extraction_job import extract_files
from motionhub.poses.tracks import follow_people
from motionhub.skeletons.sequence import SkeletonSequence


pytest.importorskip("av")
from small_videos import broken, write_video  # needs PyAV itself


SIDE = 20  # of the square that is a person
CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
SPREAD = np.concatenate([CORNERS, np.random.default_rng(0).random((13, 2))])  # 17 joints, as COCO


class SquareFinder:
    """Red and green squares are people; every frame is answered in another order."""

    name, layout = "squares", "coco-17"

    def __init__(self):
        self.started, self.seen = 0, []

    def start(self, video):
        self.started += 1

    def __call__(self, frame):
        self.seen.append(frame.index)
        people = []
        for colour in (0, 1):
            other = frame.image[..., 1 - colour].astype(int)
            rows, columns = np.nonzero(frame.image[..., colour].astype(int) - other > 90)
            if len(rows) > 40:
                points = np.array([columns.min(), rows.min()]) + SIDE * SPREAD
                people.append((points, np.full(17, 0.9 - 0.1 * colour), box_around(points)))
        return people[:: -1 if frame.index % 2 else 1]


def scene(places, size=(160, 120)):
    """One image; `places` are (left, top, colour) of the squares."""
    image = np.full((size[1], size[0], 3), 16, np.uint8)
    for left, top, colour in places:
        image[top : top + SIDE, left : left + SIDE, colour] = 230
    return image


def two_who_cross(number=24):
    """Red goes right and green goes left, at different heights: their joints pass each other within a body."""
    return [scene([(10 + 5 * n, 40, 0), (125 - 5 * n, 64, 1)]) for n in range(number)]


def seen(clip):
    return clip.joint_mask.any(axis=-1)


def test_two_people_who_cross_stay_themselves(tmp_path):
    video = write_video(tmp_path / "a.mp4", two_who_cross(), codec="libx264")
    people = extract(video, SquareFinder())
    assert [person.track_ids for person in people] == [(0,), (1,)]
    for person, left, top, sure in ((people[0], 10 + 5 * np.arange(24), 40, 0.9), (people[1], None, 64, 0.8)):
        left = 125 - 5 * np.arange(24) if left is None else left
        expected = np.stack([left, np.full(24, top)], axis=-1)[:, None] + SIDE * SPREAD
        assert person.keypoints.shape == (1, 24, 17, 2)
        assert np.abs(person.keypoints[0] - expected).max() <= 2  # the codec blurs an edge
        np.testing.assert_allclose(person.confidence, sure, atol=1e-6)
        assert (person.fps, person.unit, person.image_size) == (10, "pixel", (160, 120))


def test_the_report_counts(tmp_path):
    images = [scene([]) for _ in range(4)] + two_who_cross(8) + [scene([(60, 60, 0)])] * 2
    found = extract_clip(write_video(tmp_path / "a.mp4", images), SquareFinder())
    summary = found.report
    assert (summary["frames"], summary["decoded"], summary["broken"], summary["skipped"]) == (14, 14, 0, 0)
    assert (summary["people"], summary["with_people"], summary["left_out"]) == (
        2,
        8,
        1,
    )  # the last: too short
    assert summary["estimator"] == "squares" and summary["coverage"] == 1
    assert found.tracks.boxes.shape == (summary["people"], 14, 4)
    present = np.isfinite(found.tracks.boxes).all(axis=-1)
    np.testing.assert_array_equal(present, seen(found.clip))
    json.dumps(summary)


def test_a_video_without_people_is_an_empty_answer(tmp_path):
    video = write_video(tmp_path / "a.mp4", [scene([])] * 6)
    assert extract(video, SquareFinder()) == []
    clip = extract_clip(video, SquareFinder()).clip
    assert clip.keypoints.shape == (0, 6, 17, 2) and clip.fps == 10
    saved = motionhub.write(clip, tmp_path / "no_person.npz")
    assert motionhub.read(saved)[0].num_people == 0


def test_a_broken_frame_has_no_people_and_keeps_its_time(tmp_path):
    video = broken(write_video(tmp_path / "a.mp4", [scene([(40, 40, 0)])] * 30), [12, 13])
    found = extract_clip(video, SquareFinder())
    assert found.report["broken"] == 2 and found.clip.num_frames == 30 and found.clip.num_people == 1
    np.testing.assert_array_equal(np.flatnonzero(~seen(found.clip)[0]), [12, 13])


def test_frames_of_a_variable_rate_take_their_place_in_time(tmp_path):
    stamps = [0, 100, 200, 300, 600, 700, 710, 800, 900, 1000]  # a pause, and one that comes too soon
    video = write_video(tmp_path / "a.mkv", [scene([(40, 40, 0)])] * 10, stamps=stamps, codec="libx264")
    finder = SquareFinder()
    found = extract_clip(video, finder)
    assert found.report["variable_rate"] and found.clip.fps == pytest.approx(10, rel=0.02)
    assert found.report["skipped"] == 1 and 6 not in finder.seen
    np.testing.assert_array_equal(np.flatnonzero(seen(found.clip)[0]), [0, 1, 2, 3, 6, 7, 8, 9, 10])


def test_keypoints_of_a_rotated_video_lie_in_the_displayed_image(tmp_path):
    video = write_video(tmp_path / "a.mp4", [scene([(40, 30, 0)])] * 6, rotation=90)
    (person,) = extract(video, SquareFinder())
    assert person.image_size == (120, 160)
    expected = np.array([30, 160 - 40 - SIDE]) + SIDE * SPREAD  # a quarter turn counter-clockwise
    assert np.abs(person.keypoints[0] - expected).max() <= 2


def test_a_camera_needs_an_end(monkeypatch):
    from motionhub.data.video.reader import open_video

    live = open_video("testsrc=size=64x48:rate=10", format="lavfi")
    with pytest.raises(ValueError, match="such as seconds=10"):
        extract_clip(live, SquareFinder())
    assert extract_clip(live, SquareFinder(), seconds=0.8).clip.num_frames == 8


def test_low_confidence_is_missing_and_false_alarms_are_left_out():
    sure = PersonInFrame(SPREAD * 50, np.full(17, 0.9), np.array([0, 0, 50, 50.0]))
    unsure = sure._replace(confidence=np.array([0.2] + [0.9] * 16))
    twin = sure._replace(keypoints=SPREAD * 50 + 1, confidence=np.full(17, 0.5))
    ghost = sure._replace(keypoints=SPREAD * 50 + 500)
    frames = [[unsure, twin]] * 19 + [[sure, twin, ghost]]
    tracks = follow_people(frames, "coco-17", 10, (640, 480))
    assert (tracks.clip.num_people, tracks.num_twice, tracks.num_short) == (1, 20, 1)
    assert np.isnan(tracks.clip.keypoints[0, :19, 0]).all() and tracks.clip.joint_mask[0, 19, 0]
    assert tracks.clip.confidence[0, 0, 0] == pytest.approx(0.2)
    assert tracks.world is None
    with pytest.raises(ValueError, match=r"expected keypoints \(17, 2\)"):
        follow_people([[sure._replace(keypoints=np.zeros((3, 2)))]], "coco-17", 10, (640, 480))


def test_metres_have_y_up_and_left_stays_left():
    metres = np.random.default_rng(0).normal(size=(17, 3))
    person = PersonInFrame(SPREAD * 50, np.full(17, 0.9), np.array([0, 0, 50, 50.0]), metres)
    world = follow_people([[person]] * 6, "coco-17", 10, (640, 480)).world
    assert world.unit == "metre" and world.image_size is None
    np.testing.assert_allclose(world.keypoints[0, 3], metres * [1, -1, -1], rtol=1e-6)


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_many_videos_go_on_where_they_were_and_no_frame_is_written(tmp_path, monkeypatch):
    videos = [write_video(tmp_path / f"{name}.mp4", two_who_cross(8)) for name in "ab"]
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    before, out, finder = written(tmp_path), tmp_path / "out", SquareFinder()
    reports = extract_files([*videos, tmp_path / "bad.mp4"], out, finder)
    assert "error" in reports[2] and "cannot be read" in reports[2]["error"] and finder.started == 2
    made = ["out/a.npz", "out/a.report.json", "out/b.npz", "out/b.report.json", "out/bad.report.json"]
    assert written(tmp_path) == sorted([*before, *made])
    (out / "b.npz").unlink()
    (out / ".b.npz.4194304-1.writing").write_bytes(b"half of it")  # as a process that was killed leaves it
    kept = (out / "a.npz").stat().st_mtime_ns
    again = extract_files(videos, out, finder)
    assert [report.get("kept", False) for report in again] == [True, False] and finder.started == 3
    assert (out / "a.npz").stat().st_mtime_ns == kept and again[0]["people"] == 2
    assert motionhub.read(out / "b.npz")[0].num_people == 2 and not [*out.glob(".*")]
    two = tmp_path / "two"  # one stem twice is no matter where names are given
    extract_files({"x": videos[0], "y": videos[0]}, two, SquareFinder())
    assert [path.name for path in sorted(two.glob("*.npz"))] == ["x.npz", "y.npz"]
    with pytest.raises(ValueError, match="would both become a.npz"):
        extract_files([videos[0], tmp_path / "other" / "a.avi"], out, finder)


def test_a_stopped_job_has_whole_files_only(tmp_path):
    class Stopped(SquareFinder):
        def __call__(self, frame):
            if self.started == 2 and frame.index == 3:
                raise KeyboardInterrupt
            return super().__call__(frame)

    videos = [write_video(tmp_path / f"{name}.mp4", two_who_cross(8)) for name in "ab"]
    with pytest.raises(KeyboardInterrupt):
        extract_files(videos, tmp_path / "out", Stopped())
    assert written(tmp_path / "out") == ["a.npz", "a.report.json"]
    assert [report.get("kept", False) for report in extract_files(videos, tmp_path / "out", SquareFinder())] == [
        True,
        False,
    ]


def shifted(clip: SkeletonSequence, by: float) -> SkeletonSequence:
    return clip.replace(keypoints=clip.keypoints + np.float32(by))


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path):
    videos = [write_video(tmp_path / f"{name}.mp4", two_who_cross(8)) for name in "abc"]
    change = partial(shifted, by=3)
    alone = extract_files(videos, tmp_path / "one", SquareFinder(), change=change)
    together = extract_files(videos, tmp_path / "two", SquareFinder(), change=change, num_proc=2)
    assert [report["people"] for report in alone] == [report["people"] for report in together] == [2, 2, 2]
    for name in "abc":
        one, two = (motionhub.read(tmp_path / folder / f"{name}.npz")[0] for folder in ("one", "two"))
        np.testing.assert_array_equal(one.keypoints, two.keypoints)
    left = extract_clip(videos[0], SquareFinder()).clip.keypoints + 3
    np.testing.assert_allclose(motionhub.read(tmp_path / "one" / "a.npz")[0].keypoints, left)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path):
    video = write_video(tmp_path / "a.mp4", (scene([(40, 40, 0)], (320, 240)) for _ in range(1200)))
    used = []

    class Weighed(SquareFinder):
        def __call__(self, frame):
            if frame.index in (200, 1199):
                used.append(psutil.Process().memory_info().rss)
            return super().__call__(frame)

    clip = extract_clip(video, Weighed()).clip
    assert clip.keypoints.shape == (1, 1200, 17, 2)
    assert used[1] - used[0] < 40 * 2**20  # these images are 230 MB


def test_pipelines_take_a_video_once_an_estimator_is_there(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mp4", two_who_cross())
    monkeypatch.setattr(estimators, "_is_importable", lambda name: False)
    with pytest.raises(ImportError, match=r'pip install "motionhub\[video\]"'):
        as_sequence(video)
    monkeypatch.setitem(estimators.ESTIMATORS, "mediapipe", SquareFinder)
    monkeypatch.setattr(estimators, "_is_importable", lambda name: True)
    assert as_sequence(video).num_people == 2
    assert motionhub.refine(str(video)).num_people == 2
    with pytest.raises(ValueError, match="there is no such video"):
        as_sequence(tmp_path / "absent.mp4")
    with pytest.raises(ValueError, match="motionhub poses VIDEO"):
        motionhub.read(video)


def test_other_programs_keypoints_are_an_estimator(tmp_path):
    video = write_video(tmp_path / "a.mp4", two_who_cross(8))
    folder = tmp_path / "openpose"
    folder.mkdir()
    for frame in range(8):
        points = [[10 + frame + joint, 40 + 2 * joint, 0.5] for joint in range(25)]
        people = [] if frame == 5 else [{"pose_keypoints_2d": np.ravel(points).tolist()}]
        write_json(folder / f"a_{frame:012d}_keypoints.json", {"people": people})
    clip = extract_clip(video, folder).clip
    assert clip.layout.name == "body-25" and clip.image_size == (160, 120) and clip.fps == 10
    np.testing.assert_array_equal(np.flatnonzero(~seen(clip)[0]), [5])
    np.testing.assert_allclose(clip.keypoints[0, 3, 7], [20, 54])
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="No estimator is called"):
        get_estimator(folder)
    with pytest.raises(ValueError, match="No estimator is called 'openpos'"):
        get_estimator("openpos")
