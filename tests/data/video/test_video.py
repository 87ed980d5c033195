"""Frames of videos whose content is known: order, time, rotation, seeking, and what broken input says."""

import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from motionhub.data.video.reader import is_video, open_video


av = pytest.importorskip("av")
from small_videos import broken, greys, number_of, write_video  # noqa: E402  # needs PyAV itself


def numbers(video, start=0.0):
    return [number_of(frame.image) for frame in video.frames(start)]


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.mkv", "libx264")])
def test_frames_come_in_order_with_their_number_and_time(tmp_path, name, codec):
    video = open_video(write_video(tmp_path / name, greys(30), codec=codec))
    assert (video.size, video.fps, video.num_frames, video.variable_rate) == ((64, 48), 10, 30, False)
    frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(30))
    assert [number_of(frame.image) for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 10, atol=1e-3)
    assert all(frame.image.shape == (48, 64, 3) and frame.image.dtype == np.uint8 for frame in frames)
    assert video.num_broken == 0
    assert numbers(video) == list(range(30))  # every call decodes anew


def test_frames_of_avi_are_in_order_although_their_stamps_are_not(tmp_path):
    path = write_video(tmp_path / "a.avi", greys(30), codec="libx264")
    with av.open(str(path)) as container:
        stamps = [frame.pts for frame in container.decode(video=0)]
    assert stamps != sorted(stamps)  # what the file says of itself is wrong
    frames = list(open_video(path).frames())
    assert [number_of(frame.image) for frame in frames] == [frame.index for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 10)


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.avi", "libx264")])
def test_entering_in_the_middle_gives_the_frames_from_there_on(tmp_path, name, codec):
    video = open_video(write_video(tmp_path / name, greys(30), codec=codec))
    assert numbers(video, start=1.2) == list(range(12, 30))
    first = next(video.frames(1.25))
    assert first.index == 13 and first.time == pytest.approx(1.3)
    assert numbers(video, start=99) == []


def test_rotation_is_applied_as_a_viewer_does_it(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16, 0] = 255  # red, top left as stored
    corners = {0: (8, 8), 90: (-8, 8), 180: (-8, -8), -90: (8, -8)}  # counter-clockwise: down the left side first
    for turn, (row, column) in corners.items():
        path = write_video(tmp_path / f"turn{turn}.mp4", [picture] * 3, rotation=turn)
        video = open_video(path)
        shown = next(video.frames()).image
        assert video.size == ((48, 64) if turn % 180 else (64, 48)) == (shown.shape[1], shown.shape[0])
        assert video.rotation == turn % 360
        assert shown[row, column, 0] > 200 and (shown[..., 0] > 100).mean() == pytest.approx(1 / 12, abs=0.03)


def test_phones_turn_by_the_matrix_of_the_track_header(tmp_path):
    path = write_video(tmp_path / "a.mp4", [np.zeros((48, 64, 3), np.uint8)] * 2)
    content = bytearray(path.read_bytes())
    start = content.find(b"tkhd") + 4 + 40  # the matrix, 16.16 fixed point: x' = -y, y' = x is a quarter clockwise
    content[start : start + 36] = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(content)
    assert open_video(path).rotation == 270


def test_a_variable_frame_rate_is_reported_and_times_are_kept(tmp_path):
    stamps = [0, 100, 200, 300, 600, 700, 800, 1500, 1600, 1700]
    video = open_video(write_video(tmp_path / "a.mkv", greys(10), stamps=stamps))
    assert video.variable_rate and video.fps == pytest.approx(10, rel=0.02) and video.num_frames == 10
    np.testing.assert_allclose([frame.time for frame in video.frames()], np.array(stamps) / 1000, atol=1e-3)
    jitter = [0, 101, 199, 301, 400, 499, 601, 700, 800, 900]
    assert not open_video(write_video(tmp_path / "b.mkv", greys(10), stamps=jitter)).variable_rate


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mp4", "mpeg4")])
def test_broken_frames_are_counted_and_the_others_keep_their_numbers(tmp_path, name, codec):
    path = broken(write_video(tmp_path / name, greys(30), codec=codec), [20, 21])
    video = open_video(path)
    indices = [frame.index for frame in video.frames()]
    assert len(indices) == 28 and indices[-1] == 29 and indices == sorted(set(indices))
    assert video.num_broken == 2 and video.num_frames == 30


def test_a_file_that_ends_early_misses_the_rest(tmp_path):
    path = write_video(tmp_path / "a.avi", greys(50, (320, 240)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = open_video(path)
    got = len(list(video.frames()))
    assert 5 < got < 45 and got + video.num_broken == 50


def test_what_is_no_video_is_one_sentence(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "junk.mp4").write_bytes(b"no video at all " * 64)
    whole = write_video(tmp_path / "whole.mp4", greys(10))
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])  # its index was at the end
    noise = broken(write_video(tmp_path / "noise.avi", greys(3), codec="libx264"), [0, 1, 2])
    for name in ("empty.mp4", "junk.mp4"):
        with pytest.raises(ValueError, match=rf"{name}: cannot be read as video \(Invalid data"):
            open_video(tmp_path / name)
    with pytest.raises(ValueError, match="cut.mp4: (cannot be read|holds no images)"):
        open_video(tmp_path / "cut.mp4")
    with pytest.raises(ValueError, match="noise.avi: (not one of its 3 frames can be decoded|cannot be read)"):
        open_video(noise)
    with pytest.raises(ValueError, match="there is no such video"):
        open_video(tmp_path / "absent.mp4")
    with pytest.raises(ValueError, match="leave fps out"):
        open_video(whole, fps=30)


@pytest.mark.parametrize("name", ["none.avi", "none.mkv", "none.mp4"])
def test_a_video_without_a_frame_is_one_sentence(tmp_path, name):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(ValueError, match=f"{name}: (not one of its 0 frames can be|cannot be|holds no)"):
        open_video(tmp_path / name)


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match="holds no images, only"):
        open_video(tmp_path / "a.wav")


def write_picture(path: Path, grey: int, size: tuple[int, int] = (64, 48)) -> None:
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb24"
        picture = np.full((size[1], size[0], 3), grey, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))


def test_images_of_a_folder_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 1, 9):
        write_picture(tmp_path / f"frame_{number}.png", 20 * number)
    (tmp_path / "frame_3.png").write_bytes(b"no picture")
    video = open_video(tmp_path, fps=5)
    assert (video.size, video.num_frames, video.fps) == ((64, 48), 5, 5)
    frames = list(video.frames())
    assert [int(frame.image[0, 0, 0]) // 20 for frame in frames] == [1, 2, 9, 10]
    assert [frame.index for frame in frames] == [0, 1, 3, 4] and frames[2].time == pytest.approx(0.6)
    assert video.num_broken == 1
    with pytest.raises(ValueError, match="give fps=30"):
        open_video(tmp_path)
    write_picture(tmp_path / "frame_11.png", 0, (32, 32))
    with pytest.raises(ValueError, match=r"frame_11.png: expected \(64, 48\) pixels"):
        list(video.frames()) and list(open_video(tmp_path, fps=5).frames())
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="holds no images"):
        open_video(tmp_path / "none", fps=5)


def test_a_live_source_has_no_number_of_frames():
    video = open_video("testsrc=size=64x48:rate=10", format="lavfi")
    assert video.num_frames is None and video.fps == 10 and video.size == (64, 48)
    frames = video.frames()
    shown = [next(frames) for _ in range(12)]
    frames.close()
    np.testing.assert_allclose([frame.time for frame in shown], np.arange(12) / 10, atol=1e-6)
    with pytest.raises(ValueError, match="cannot be read as video"):
        open_video(987)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(ValueError, match="dshow"):
            open_video(0)


def test_four_thousand_pixels_are_as_good_as_any(tmp_path):
    video = open_video(write_video(tmp_path / "a.mp4", greys(2, (3840, 2160))))
    assert video.size == (3840, 2160) and numbers(video) == [0, 1]


@pytest.mark.slow
def test_ten_thousand_frames_take_no_more_memory_than_a_thousand(tmp_path):
    path = write_video(tmp_path / "a.mp4", (greys(1)[0] for _ in range(10_000)))
    process, used = psutil.Process(), []
    for frame in open_video(path).frames():
        if frame.index in (1000, 9999):
            used.append(process.memory_info().rss)
    assert used[1] - used[0] < 20 * 2**20  # all the images are 92 MB


def test_names_tell_what_is_a_video(tmp_path):
    assert is_video("clip.MP4") and is_video(Path("a/b.mkv")) and not is_video("clip.npz")
    (tmp_path / "a.png").touch()
    assert is_video(tmp_path)
    (tmp_path / "a_keypoints.json").touch()
    assert not is_video(tmp_path)


def test_a_video_whose_title_is_no_utf_8_is_read(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(5))
    with (
        av.open(str(path)) as source,
        av.open(str(tmp_path / "titled.mp4"), "w", metadata_encoding="latin-1") as target,
    ):
        target.metadata["title"] = "\xdcbung"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert b"\xdcbung" in (tmp_path / "titled.mp4").read_bytes()
    assert numbers(open_video(tmp_path / "titled.mp4")) == numbers(open_video(path))


def test_a_list_of_other_files_is_no_video(tmp_path):
    write_video(tmp_path / "a.mp4", greys(3))
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile a.mp4\n")
    with pytest.raises(ValueError, match=r"list\.mp4: is a list of other files"):
        open_video(tmp_path / "list.mp4")


def test_images_of_absurd_size_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", greys(3))
    monkeypatch.setattr("motionhub.data.video.reader.MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(ValueError, match=r"a\.mp4: images of 64 x 48 are more than"):
        open_video(path)
