"""Windows of long videos: they keep every moment once, and give what the whole video gives."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_estimators import Brightness

from motionhub.data.video.reader import key_frame_times, open_video
from motionhub.poses.extraction import extract_clip
from motionhub.poses.windows import detect, detect_in_file, follow_through, share_of, windows_of, windows_of_file


pytest.importorskip("av")
from small_videos import greys, write_video  # needs PyAV itself


FRAMES = 53


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5.3 seconds at 10 frames a second, with a key frame each 12 (the encoder's)."""
    return write_video(tmp_path_factory.mktemp("videos") / "long.mp4", greys(FRAMES))


@settings(max_examples=50, deadline=None)
@given(
    duration=st.floats(0.1, 500),
    steps=st.lists(st.floats(0.1, 90), max_size=60),
    overlap=st.floats(0, 29),
)
def test_windows_keep_every_moment_once_and_none_is_longer_than_asked(duration, steps, overlap) -> None:
    times = [0.0, *np.cumsum(steps).tolist()]
    windows = windows_of(times, duration, 60.0, overlap)
    assert windows[0].start == windows[0].keep == 0 and windows[-1].end == math.inf
    for before, after in itertools.pairwise(windows):
        assert before.end == after.keep and after.start > before.start
        assert after.keep == pytest.approx(after.start + overlap)
        assert before.end - before.start <= 60.0 + 1e-6
    if len(times) > 1:
        assert duration - windows[-1].start <= 60.0 + 1e-6


def test_windows_begin_at_key_frames_where_one_is_in_reach() -> None:
    assert [window.start for window in windows_of([0, 21, 42, 70, 200], 250)] == [0, 42, 70, 128, 186, 200]
    assert [window.start for window in windows_of([0], 250)] == [0]  # cannot be entered in its middle
    with pytest.raises(ValueError, match="less than half a window"):
        windows_of([0], 250, 60, 30)


def test_key_frames_are_where_decoding_can_begin(video: Path, tmp_path: Path) -> None:
    times = key_frame_times(video)
    assert times[0] == 0 and len(times) > 2 and all(time < FRAMES / 10 for time in times)
    frames = [next(iter(open_video(video).frames(time))).time for time in times]
    assert frames == pytest.approx(times)
    assert key_frame_times(write_video(tmp_path / "x.avi", greys(30))) == (0.0,)
    (tmp_path / "images").mkdir()
    assert key_frame_times(tmp_path / "images") == (0.0,)


@pytest.mark.parametrize(("longest", "overlap"), [(2.0, 0.5), (1.5, 0.0), (2.3, 1.1)])
def test_a_video_in_windows_gives_what_the_whole_video_gives(video: Path, longest: float, overlap: float) -> None:
    windows = detect_in_file(video, Brightness(), longest=longest, overlap=overlap)
    assert len(windows) > 2
    tracks, facts = follow_through(windows)
    whole = extract_clip(video, Brightness(), progress=False)
    assert facts["frames"] == facts["decoded"] == FRAMES == whole.report["frames"]
    np.testing.assert_array_equal(tracks.clip.keypoints, whole.clip.keypoints)
    np.testing.assert_array_equal(tracks.clip.confidence, whole.clip.confidence)
    assert (tracks.clip.track_ids, tracks.clip.fps) == (whole.clip.track_ids, whole.clip.fps)


def test_shares_of_a_video_are_its_windows_in_order(video: Path) -> None:
    source = open_video(video)
    windows = windows_of_file(video, source, 2.0, 0.5)
    for count in (1, 2, 3, 7):
        parts = [window for number in range(count) for window in share_of(windows, number, count)]
        assert parts == windows


def test_an_estimator_with_a_memory_is_warm_where_a_window_keeps_its_first_frame(video: Path) -> None:
    class Remembers(Brightness):
        def start(self, video):
            self.seen = 0

        def __call__(self, frame):
            self.seen += 1
            [person] = super().__call__(frame)
            return [person._replace(confidence=np.full(17, min(1.0, self.seen / 5)))]

    second = windows_of_file(video, open_video(video), 2.0, 0.5)[1]
    found = detect(open_video(video), Remembers(), second)
    assert found.places[0] == math.ceil(second.keep * 10 - 1e-6) and found.confidence[0, 0] == 1.0


def test_a_video_without_a_person_is_an_empty_sequence(video: Path) -> None:
    class Blind(Brightness):
        def __call__(self, frame):
            return []

    tracks, facts = follow_through(detect_in_file(video, Blind(), longest=2.0, overlap=0.5))
    assert (tracks.clip.num_people, tracks.clip.num_frames, facts["people"]) == (0, FRAMES, 0)
    with pytest.raises(ValueError, match="at least one window"):
        follow_through([])


def test_people_of_a_wrong_layout_are_an_error(video: Path) -> None:
    [window] = detect_in_file(video, Brightness())
    with pytest.raises(ValueError, match="expected keypoints"):
        follow_through([replace(window, layout="mediapipe-33")])
