"""Sources of a stream: the newest frame wins, a stream that stops comes back, and broken lines are told."""

import json
import threading

import numpy as np
import pytest

import motionhub
from motionhub.data.video.reader import Video, VideoFrame
from motionhub.live.sources import (
    BACKOFF,
    LiveVideo,
    Newest,
    frames_of_lines,
    frames_of_sequence,
    frames_of_video,
    people_of,
)
from motionhub.poses.estimators.estimator import PersonInFrame
from tests.helpers import error_of


def test_the_newest_wins_and_those_that_were_replaced_are_counted():
    newest = Newest()
    for number in range(5):
        newest.put(number)
    assert newest.get(1.0) == (4, 4)
    newest.put(5)
    newest.end()
    assert newest.get(1.0) == (5, 0) and newest.get(1.0) is None
    with pytest.raises(TimeoutError):
        Newest().get(0.01)


class Scripted(Video):
    """A live video of some frames, which then ends, fails, or hangs."""

    def __init__(self, count=3, end="ends"):
        super().__init__("camera", (4, 4), 10.0)
        self.count, self.end, self.taken = count, end, threading.Semaphore(0)

    def frames(self, start=0.0):
        for index in range(self.count):
            yield VideoFrame(index, index / 10, np.zeros((4, 4, 3), np.uint8))
            self.taken.acquire()  # a slow camera: each frame is taken before the next comes
        if self.end == "fails":
            raise ValueError("camera: cannot be read as video (no route)")
        if self.end == "hangs":
            threading.Event().wait(5)


@pytest.mark.parametrize("end", ["ends", "fails", "hangs"])
def test_a_stream_that_stops_is_opened_again_with_growing_pauses(end):
    videos, pauses, told = [Scripted(end=end), None, None, Scripted()], [], []

    def opened():
        video = videos.pop(0)
        if video is None:
            raise ValueError("camera: cannot be read as video (refused)")
        return video

    live = LiveVideo(opened, told.append, wait=pauses.append, stalled=0.2)
    taken = []
    for frame, dropped in live.frames():
        taken.append((frame.index, dropped))
        live.video.taken.release()
        if len(taken) == 6:
            break
    assert [index for index, _ in taken] == [0, 1, 2, 0, 1, 2]
    assert pauses == list(BACKOFF[:3]) and live.reconnects == 1
    assert "opening it again" in told[0] and told[1] == "the stream is back"


def test_a_stream_that_does_not_come_back_ends_with_its_error():
    videos = [Scripted(count=0)]

    def opened():
        if not videos:
            raise ValueError("camera: cannot be read as video (gone)")
        return videos.pop()

    live = LiveVideo(opened, lambda text: None, attempts=3, wait=lambda seconds: None)
    with pytest.raises(ValueError, match="gone"):
        list(live.frames())
    with pytest.raises(ValueError, match="gone"):  # the first failure is not waited for
        LiveVideo(opened, lambda text: None)


def line(time=None, x=1.0, **person):
    return json.dumps({"time": time, "people": [{"keypoints": [[x, 2.0]] * 17, **person}]})


def test_lines_are_frames_and_a_broken_one_says_why():
    lines = [line(0.0, id=4), "", "{", '{"people": 3}', '{"people": []}', line(0.5, id=True)]
    frames = list(frames_of_lines(lines, fps=10))
    assert frames[0].keypoints.shape == (1, 17, 2) and frames[0].ids == [4] and frames[0].time == 0.0
    assert frames[1].problem == "line 3: no JSON" and "expected" in frames[2].problem
    assert frames[3].keypoints.shape[0] == 0 and frames[3].problem is None


def test_lines_that_come_too_late_are_dropped_and_a_recording_is_not():
    now, frames = [0.0], []
    for frame in frames_of_lines([line(time / 10) for time in range(30)], 10, clock=lambda: now[0]):
        frames.append(frame)
        now[0] += 0.3  # each takes three times as long as the stream waits for
        assert now[0] - frame.time <= 0.5 + 0.3
    assert len(frames) + sum(frame.dropped for frame in frames) >= 26 and 8 <= len(frames) <= 14
    piped = list(frames_of_lines([line(time / 10) for time in range(30)], 10, clock=lambda: 0.0))
    assert len(piped) == 30 and not any(frame.dropped for frame in piped)
    unstamped = list(frames_of_lines([line()] * 3, 10, clock=lambda: 0.0))
    assert [frame.time for frame in unstamped] == [0.0, 0.1, 0.2]


def test_missing_keypoints_are_null():
    keypoints, ids, time = people_of({"people": [{"keypoints": [[1, 2], None, [3, 4]]}]})
    assert np.isnan(keypoints[0, 1]).all() and ids is None and time is None
    assert "no table" in error_of(people_of, {"people": [{"keypoints": [[1, 2], [1, "x"]]}]})
    mixed = {"people": [{"id": 1, "keypoints": [[1, 2]]}, {"keypoints": [[1, 2]]}]}
    assert "of every person, or of none" in error_of(people_of, mixed)


def test_a_file_gives_its_people_by_their_ids():
    clip = motionhub.generate("wave", seed=0, num_frames=5, second_person="clap")
    points = clip.keypoints.copy()
    points[1, :2] = np.nan
    frames = list(frames_of_sequence(clip.replace(keypoints=points, track_ids=(3, 9))))
    assert [frame.ids for frame in frames] == [[3], [3], [3, 9], [3, 9], [3, 9]]
    np.testing.assert_array_equal(frames[4].keypoints, points[:, 4])


def test_people_of_a_video_in_metres_keep_their_numbers():
    pixels = np.arange(66, dtype=np.float32).reshape(33, 2)

    def estimator(frame):
        people = [
            PersonInFrame(pixels + shift, np.full(33, 0.9), np.zeros(4), np.ones((33, 3)) * (shift + 1))
            for shift in (0.0, 1000.0)
        ]
        people[0].confidence[0] = 0.1
        return people if frame.index % 2 else people[::-1]

    videos = [(VideoFrame(index, index / 10, np.zeros((2, 2, 3), np.uint8)), 0) for index in range(4)]
    frames = list(frames_of_video(videos, estimator, min_confidence=0.3, world=True))
    for frame in frames:
        by_id = dict(zip(frame.ids, frame.keypoints, strict=True))
        near = by_id[1]  # the first frame shows the far one first
        assert near[1].tolist() == [1, -1, -1] and np.isnan(near[0]).all()
    pixels_only = [[PersonInFrame(pixels, np.full(33, 0.9), np.zeros(4))]]
    assert "mediapipe lifts" in error_of(
        lambda: list(frames_of_video(videos, lambda _: pixels_only[0], 0.3, world=True))
    )
    flat = list(frames_of_video(videos, estimator, min_confidence=0.3, world=False))
    assert flat[0].ids is None and flat[0].keypoints.shape == (2, 33, 2)
