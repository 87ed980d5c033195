"""A recording for the viewer has the joints, states and curves of the motion, at its times."""

from typing import Any

import numpy as np
import pytest

import motionhub
from motionhub.atomic import WriteError
from motionhub.visualization.rerun_file import _curves_of, _lanes, _rows_within, write_rerun


ROWS = [
    {"track_id": 0, "start_s": 0.0, "end_s": 0.5, "label": "stand", "score": 0.9},
    {"track_id": 0, "start_s": 0.4, "end_s": 0.9, "label": "smile", "score": 0.6},
    {"track_id": 0, "start_s": 0.5, "end_s": 1.0, "label": "wave", "score": 0.7},
]


def contents(path) -> dict[str, list[dict[str, Any]]]:
    """The rows of every entity, with and without a time."""
    from rerun.chunk import RrdReader

    found: dict[str, list[dict[str, Any]]] = {}
    for chunk in RrdReader(path).stream().to_chunks():
        found.setdefault(chunk.entity_path, []).extend(chunk.to_record_batch().to_pylist())
    return found


def column(rows, name) -> list[Any]:
    """The values of a component in the rows that have one."""
    return [row[key] for row in rows for key in row if key.endswith(name)]


def seconds(rows) -> list[float]:
    return [row["time"].total_seconds() for row in rows if "time" in row]


@pytest.mark.towers("rerun")
def test_a_recording_has_the_joints_of_every_frame_at_its_time_without_those_that_are_missing(tmp_path):
    clip = motionhub.generate("wave", seed=0, num_frames=4)
    keypoints = clip.keypoints.copy()
    keypoints[0, 1, 2:] = np.nan
    path = write_rerun(clip.replace(keypoints=keypoints), tmp_path / "wave.rrd")
    rows = contents(path)["/world/person_0/joints"]
    timed = [row for row in rows if "time" in row]
    np.testing.assert_allclose(seconds(timed), np.arange(4) / clip.fps, atol=1e-6)
    positions = column(timed, "Points3D:positions")
    assert [len(each) for each in positions] == [20, 2, 20, 20]
    np.testing.assert_allclose(positions[0], clip.keypoints[0, 0])
    assert column(timed, "Points3D:keypoint_ids")[1] == [0, 1]
    bones = column([row for row in contents(path)["/world/person_0/bones"] if "time" in row], "strips")
    assert len(bones[0]) == 19 and len(bones[1]) == 1


@pytest.mark.towers("rerun")
def test_states_scores_and_angles_of_a_recording_are_those_of_the_rows_and_of_measure(tmp_path):
    clip = motionhub.generate("wave", seed=0, num_frames=30)
    found = contents(write_rerun(clip, tmp_path / "wave.rrd", intervals=ROWS, scores={"sure": ([0.0, 0.5], [1, 2])}))
    lane = found["/intervals/person\\ 0"]
    states = dict(zip(seconds(lane), column(lane, "StateChange:state"), strict=True))
    assert states == {0.0: ["stand"], 0.5: ["wave"], 1.0: [""]}
    assert [each for (each,) in column(found["/intervals/person\\ 0\\ \\(2\\)"], "StateChange:state")] == ["smile", ""]
    assert column(found["/scores/sure"], "Scalars:scalars") == [[1.0], [2.0]]
    knee = found["/angles/knee_flexion/person_0/left"]
    measured = motionhub.measure(clip).angle("left_knee_flexion")[0]
    np.testing.assert_allclose(np.ravel(column(knee, "Scalars:scalars")), measured, atol=1e-6)


@pytest.mark.towers("rerun")
def test_the_video_of_2d_keypoints_is_shown_from_the_first_frame_on(tmp_path):
    from small_videos import greys, write_video

    video = write_video(tmp_path / "a.mp4", greys(5), codec="libx264")
    points = np.random.default_rng(0).uniform(0, 48, (1, 5, 17, 2))
    clip = motionhub.SkeletonSequence(points, "coco-17", 10, "pixel", image_size=(64, 48))
    found = contents(write_rerun(clip, tmp_path / "a.rrd", video=video))
    rows = [row for row in found["/camera/video"] if "time" in row]
    np.testing.assert_allclose(seconds(rows), np.arange(5) / 10, atol=1e-6)
    assert len(column(found["/camera/person_0/joints"], "Points2D:positions")) == 5


@pytest.mark.towers("rerun")
def test_a_video_that_the_viewer_does_not_play_and_a_full_disk_leave_no_file(tmp_path, monkeypatch):
    clip = motionhub.generate("wave", seed=0, num_frames=4)
    (tmp_path / "a.avi").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"a\.avi: the viewer plays MP4"):
        write_rerun(clip, tmp_path / "a.rrd", video=tmp_path / "a.avi")
    monkeypatch.setattr("motionhub.atomic.shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(WriteError, match="nothing is left of it"):
        write_rerun(clip, tmp_path / "a.rrd")
    assert [file.name for file in tmp_path.iterdir()] == ["a.avi"]


def test_overlapping_intervals_of_a_person_lie_in_two_lanes_and_all_have_a_curve():
    lanes = _lanes(ROWS)
    assert {name: [row["label"] for row in rows] for name, rows in lanes.items()} == {
        "person 0": ["stand", "wave"],
        "person 0 (2)": ["smile"],
    }
    times, values = _curves_of(ROWS)["person 0 wave"]
    assert times[:2] == [0.5, 1.0] and values[:2] == [0.7, 0.7] and np.isnan(values[2])
    assert not _curves_of([{**row, "score": 1.0} for row in ROWS])


def test_labels_without_an_end_stop_with_the_recording_and_a_point_in_time_lasts_a_frame():
    rows = [{**ROWS[0], "end_s": np.inf}, {**ROWS[1], "end_s": 0.4}]
    assert [row["end_s"] for row in _rows_within(rows, 2.0, 0.1)] == [2.0, 0.5]


def test_labels_of_another_recording_are_an_error_before_anything_is_written(tmp_path):
    clip = motionhub.generate("wave", seed=0, num_frames=4)
    late = [{**row, "start_s": row["start_s"] + 60, "end_s": row["end_s"] + 60} for row in ROWS]
    with pytest.raises(ValueError, match="starts at 60.00 s; are these labels of another one"):
        write_rerun(clip, tmp_path / "a.rrd", intervals=late)
    with pytest.raises(ValueError, match="written as .rrd, got '.mp4'"):
        write_rerun(clip, tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="one in 2-D and one in 3-D"):
        write_rerun([clip, clip], tmp_path / "a.rrd")
    assert not list(tmp_path.iterdir())
