"""Which files are refused, with which sentence; what is noted of those that are not."""

from pathlib import Path

import numpy as np
import pytest

import motionhub
from motionhub.app.drawing import in_pixels
from motionhub.app.recordings import FACTS, Facts, Limits, Refused, open_recording, shown_name


def refusal_of(path: Path, facts: Facts | None = None, limits: Limits | None = None) -> str:
    with pytest.raises(Refused) as caught:
        open_recording(path, facts, limits)
    message = str(caught.value)
    assert message.isprintable() and path.name in message and str(path.parent) not in message
    return message


def test_a_keypoint_file_with_spaces_and_other_scripts_in_its_name_is_read(wave):
    found = open_recording(wave)
    assert (found.name, found.sequence.num_frames, found.notes, found.video) == ("my wave ü.npz", 90, (), None)


def test_an_empty_file_is_to_be_copied_again(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "empty (0 bytes)" in refusal_of(path)


def test_a_file_over_the_limit_is_refused_with_both_sizes_before_it_is_read(tmp_path):
    path = tmp_path / "day.mp4"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse: 2 GB of nothing
    assert "2048 MB, the limit is 200 MB" in refusal_of(path)


def test_a_file_that_is_gone_is_to_be_chosen_again(tmp_path):
    assert "choose it again" in refusal_of(tmp_path / "gone.npz")


def test_a_broken_video_and_a_file_of_no_format_are_named_without_their_folder(tmp_path):
    for name in ("broken.mp4", "notes.xyz"):
        path = tmp_path / name
        path.write_bytes(b"\x00\x01no video" * 50)
        assert refusal_of(path)


def test_what_a_file_lacks_is_asked_for_where_the_page_asks_it(tmp_path):
    path = tmp_path / "numbers.npy"
    np.save(path, np.random.default_rng(0).uniform(0, 400, (1, 30, 17, 2)))
    assert FACTS in refusal_of(path)
    found = open_recording(path, Facts(layout="coco-17", fps=30, unit="pixel"))
    assert found.sequence.layout.name == "coco-17"


def test_of_several_clips_one_must_be_chosen(tmp_path, wave):
    clips = [motionhub.generate("wave", seed=seed, num_frames=20) for seed in range(2)]
    path = Path(motionhub.write(clips, tmp_path / "two.parquet"))
    assert "0 to 1" in refusal_of(path)
    assert "not number 2" in refusal_of(path, Facts(number=2))
    np.testing.assert_allclose(open_recording(path, Facts(number=1)).sequence.keypoints, clips[1].keypoints)
    assert open_recording(wave, Facts(number=0)).sequence.num_frames == 90


def test_a_recording_of_nobody_says_what_to_do(tmp_path):
    clip = motionhub.generate("wave", seed=0, num_frames=20)
    path = motionhub.write(clip.replace(keypoints=np.full_like(clip.keypoints, np.nan)), tmp_path / "nobody.npz")
    assert "no joint of any person" in refusal_of(Path(path))


def test_a_recording_over_the_limit_of_time_is_refused(wave):
    assert "lasts 3 s, the limit of this page is 1 s" in refusal_of(wave, limits=Limits(seconds=1.0))


def test_two_people_who_cross_are_noted_with_the_time(tmp_path):
    clip = in_pixels(motionhub.generate("wave", seed=0, num_frames=60, layout="coco-17"))
    across = np.linspace(-400, 400, 60)[None, :, None, None] * [1.0, 0.0]
    centred = clip.keypoints - np.nanmean(clip.keypoints, axis=(2,), keepdims=True)
    people = np.concatenate([centred + across, centred - across]) + 800
    both = motionhub.SkeletonSequence(people, "coco-17", 30, "pixel", image_size=(1600, 1600))
    found = open_recording(motionhub.write(both, tmp_path / "crossing.npz"))
    (note,) = [each for each in found.notes if "cross" in each]
    begin = float(note.split(" at ")[1].split("-")[0])
    assert 0.5 < begin < 1.0  # they meet after one second
    apart = motionhub.SkeletonSequence(people + np.array([[0], [700]])[..., None, None], "coco-17", 30, "pixel")
    assert not [each for each in open_recording(motionhub.write(apart, tmp_path / "a.npz")).notes if "cross" in each]


def test_limits_and_names_are_checked():
    with pytest.raises(ValueError, match="megabytes must be above 0"):
        Limits(megabytes=0)
    assert shown_name("a/b/c\x1b[2J.npz") == "c?[2J.npz"
    assert len(shown_name("x" * 300 + ".npz")) == 80


@pytest.mark.slow
def test_a_video_without_a_person_says_how_to_film(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "wall.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "film one whole body" in refusal_of(path)
    assert "the limit of this page is 0.3 s" in refusal_of(path, limits=Limits(video_seconds=0.3))
