"""Frames that a processor asks for come from the file as they are, once each; bad files are listed, not fatal."""

from pathlib import Path

import numpy as np
import pytest
import torch

from motionhub.data.video.clips import (
    VideoDataset,
    VideoSegments,
    collate_videos,
    read_clips,
    read_video_list,
    readable_videos,
)
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.training.tasks.segments import collate_segments


av = pytest.importorskip("av", reason="videos need PyAV (motionhub[video])")
PLAIN = {"image_mean": (0, 0, 0), "image_std": (1, 1, 1)}


def write_video(path, frames: int, fps: int = 10, size: int = 16):
    """Lossless; every pixel of frame k is 3 k."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width = stream.height = size
        stream.pix_fmt = "bgr0"
        for number in range(frames):
            picture = np.full((size, size, 3), 3 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos")
    for name, frames in (("long", 60), ("short", 3), ("other", 40)):
        write_video(path / f"{name}.mkv", frames)
    (path / "text.mkv").write_text("no video")
    (path / "cut.mkv").write_bytes((path / "long.mkv").read_bytes()[:200])
    return path


def numbers_of(pixels: torch.Tensor) -> list[int]:
    """Which frames these are, of `(frames, 3, height, width)`."""
    return (pixels[:, 0, 0, 0] * 255 / 3).round().int().tolist()


def test_the_frames_that_were_asked_for_with_repetitions_and_times(folder):
    asked = [np.array([5, 7, 7, 50]), np.array([0, 59])]
    seen = []

    def choose(num_frames, fps):
        seen.append((num_frames, fps))
        return asked

    clips = read_clips(folder / "long.mkv", choose)
    assert seen == [(60, 10.0)]
    assert [(clip.frames[:, 3, 4, 1] // 3).tolist() for clip in clips] == [[5, 7, 7, 50], [0, 59]]
    assert [clip.start_seconds for clip in clips] == pytest.approx([0.5, 0.0])


def test_ten_views_in_time_cover_the_video_and_are_all_in_one_item(folder):
    processor = VideoClipProcessor(
        sampling="stride", num_frames=2, frame_stride=2, fps=10, temporal_views=3, image_size=16, **PLAIN
    )
    data = VideoDataset([folder / "long.mkv", folder / "short.mkv"], [4, 1], processor, training=False)
    item = data[0]
    assert [numbers_of(view) for view in item["pixel_values"]] == [[0, 3], [28, 31], [56, 59]]
    assert [numbers_of(view) for view in data[1]["pixel_values"]] == 3 * [[0, 2]]
    batch = collate_videos([data[0], data[1]])
    assert batch["pixel_values"].shape == (2, 3, 2, 3, 16, 16) and batch["labels"].tolist() == [4, 1]


def test_training_clips_depend_on_seed_epoch_and_index_only(folder):
    processor = VideoClipProcessor(sampling="stride", num_frames=4, frame_stride=2, image_size=16, fps=10, **PLAIN)
    data = VideoDataset([folder / "long.mkv"], [0], processor, training=True, seed=3)
    first = numbers_of(data[0]["pixel_values"])
    assert numbers_of(data[0]["pixel_values"]) == first
    others = []
    for epoch in range(1, 6):
        data.set_epoch(epoch)
        others.append(numbers_of(data[0]["pixel_values"]))
    assert len({tuple(numbers) for numbers in [first, *others]}) > 3


def test_segments_know_the_second_they_start_at(folder):
    processor = VideoClipProcessor(sampling="stride", num_frames=4, frame_stride=1, image_size=16, fps=10, **PLAIN)
    data = VideoSegments([folder / "long.mkv", folder / "other.mkv"], processor, num_segments=3, seed=1)
    batch = collate_segments([data[0], data[1]])
    assert batch["pixel_values"].shape == (6, 4, 3, 16, 16)
    starts = [numbers_of(clip)[0] / 10 for clip in batch["pixel_values"]]
    assert batch["start_seconds"].tolist() == pytest.approx(starts)
    assert len(set(starts)) > 3


def test_files_that_cannot_be_read_are_left_out_and_listed(folder):
    sources = [folder / name for name in ("text.mkv", "long.mkv", "absent.mkv", "cut.mkv", "short.mkv")]
    good, bad = readable_videos(sources)
    assert good == [1, 4] and set(bad) == {str(sources[place]) for place in (0, 2, 3)}
    assert "no such video" in bad[str(sources[2])]
    data = VideoDataset(sources, [10, 11, 12, 13, 14], VideoClipProcessor(image_size=16), training=False)
    assert len(data) == 2 and data.labels.tolist() == [11, 14] and data.bad == bad
    with pytest.raises(ValueError, match="None of 1 videos can be read"):
        readable_videos([folder / "text.mkv"])
    with pytest.raises(ValueError, match="a label for each"):
        VideoDataset(sources, [1], VideoClipProcessor(), training=False)


def test_a_real_video_gives_clips_of_people(shared):
    clips = read_clips(shared("videos/lia_taichi1.mp4"), VideoClipProcessor().frame_numbers)
    pixels = VideoClipProcessor().process(clips[0].frames)
    assert pixels.shape == (1, 8, 3, 224, 224) and pixels.std() > 0.3
    assert not torch.equal(pixels[0, 0], pixels[0, -1])


def test_clips_of_different_sizes_are_no_batch():
    items = [{"pixel_values": torch.zeros(1, 3, size, size)} for size in (4, 5)]
    with pytest.raises(ValueError, match="one size"):
        collate_videos(items)


def test_lists_of_videos(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("walk/a b.mp4 3\n\nsit.avi,0\n")
    assert read_video_list(path, "/data") == ([Path("/data/walk/a b.mp4"), Path("/data/sit.avi")], [3, 0])
    for content, says in (("a.mp4\n", "line 1"), ("a.mp4 1\nb.mp4 x\n", "line 2"), ("\n", "names no videos")):
        path.write_text(content)
        with pytest.raises(ValueError, match=says):
            read_video_list(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read_video_list(tmp_path / "absent.csv")
