"""`motionhub cut`: frame-exact clips of keypoints and videos, safe names, nothing overwritten, bad input."""

import csv

import numpy as np
import pytest
from helpers import run_cli, write_text

import motionhub
from motionhub.skeletons.convert import frames_between


def walk(frames: int = 90, people: int = 2) -> motionhub.SkeletonSequence:
    """Every coordinate of frame n of person p is n + 1000 p."""
    values = np.arange(frames)[None, :, None, None] + 1000.0 * np.arange(people)[:, None, None, None]
    keypoints = np.broadcast_to(values, (people, frames, 17, 2)) + np.arange(17)[:, None] / 100
    return motionhub.SkeletonSequence(keypoints, "coco-17", 30, "pixel", track_ids=(4, 9)[:people])


@pytest.fixture
def recording(tmp_path):
    motionhub.write(walk(), tmp_path / "day.npz")
    write_text(tmp_path / "labels.csv", "start,end,label,person\n0.5,1.0,wave,person 9\n1.5,2.0,sit down,\n")
    return tmp_path


def test_clips_hold_exactly_the_frames_of_their_interval_and_person(recording, capsys):
    assert run_cli("cut", recording / "day.npz", "--by", recording / "labels.csv", "-o", recording / "clips") == 0
    wave, sit = (motionhub.read(path)[0] for path in sorted((recording / "clips").glob("*.npz")))
    np.testing.assert_allclose(wave.keypoints[0, :, 0, 0], 1000 + np.arange(15, 30))
    assert wave.track_ids == (9,) and sit.track_ids == (4, 9)
    np.testing.assert_allclose(sit.keypoints[0, :, 0, 0], np.arange(45, 60))
    rows = list(csv.DictReader((recording / "clips" / "clips.csv").open()))
    assert [(row["file"], row["label"], row["frames"]) for row in rows] == [
        ("day_001_wave_person_9.npz", "wave", "15"),
        ("day_002_sit_down.npz", "sit down", "15"),
    ]


def test_labels_margin_and_everyone(recording):
    words = ["--labels", "wave", "--margin", "0.2", "--everyone"]
    assert run_cli("cut", recording / "day.npz", "--by", recording / "labels.csv", "-o", recording / "c", *words) == 0
    [path] = (recording / "c").glob("*.npz")
    [clip] = motionhub.read(path)
    np.testing.assert_allclose(clip.keypoints[0, :, 0, 0], np.arange(9, 36))
    assert clip.num_people == 2


def test_nothing_is_overwritten_and_nothing_half_done(recording, capsys):
    (recording / "c").mkdir()
    kept = write_text(recording / "c" / "day_002_sit_down.npz", "mine")
    assert run_cli("cut", recording / "day.npz", "--by", recording / "labels.csv", "-o", recording / "c") == 2
    assert "not overwritten" in capsys.readouterr().err
    assert [path.name for path in (recording / "c").iterdir()] == [kept.name] and kept.read_text() == "mine"


@pytest.mark.parametrize("label", ["../../etc/passwd", "a/b\\c:d*?", ".hidden", "=cmd()", "x" * 300, "…"])
def test_names_stay_in_the_folder_and_are_valid_everywhere(recording, label):
    with (recording / "l.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("start", "end", "label"), (0, 1, label)])
    assert run_cli("cut", recording / "day.npz", "--by", recording / "l.csv", "-o", recording / "c") == 0
    [path] = (recording / "c").glob("*.npz")
    assert path.parent == recording / "c" and len(path.name) < 80
    assert not set(path.name) & set('/\\:*?"<>|') and not path.name.startswith(".")


def test_letters_of_other_scripts_are_kept(recording):
    write_text(recording / "l.csv", "start,end,label\n0,1,深蹲 - übung\n")
    assert run_cli("cut", recording / "day.npz", "--by", recording / "l.csv", "-o", recording / "c") == 0
    assert [path.name for path in (recording / "c").glob("*.npz")] == ["day_001_深蹲_übung.npz"]


def test_intervals_outside_and_points_in_time_are_left_out_with_a_note(recording, capsys):
    write_text(recording / "l.csv", "start,end,label\n0,1,in\n2.5,9,over the end\n50,60,out\n1,1,moment\n")
    assert run_cli("cut", recording / "day.npz", "--by", recording / "l.csv", "-o", recording / "c") == 0
    notes = capsys.readouterr().err
    assert "'out' is outside" in notes and "'moment' is a point in time" in notes
    assert len(list((recording / "c").glob("*.npz"))) == 2


@pytest.mark.parametrize(
    ("table", "words", "reason"),
    [
        ("start,end,label\n50,60,out\n", [], "labels of another one"),
        ("start,end,label\n0,1,wave\n", ["--labels", "kick"], "labelled ['kick'], got none"),
        ("start,end,label\n0,1,wave\n", ["--margin", "-1"], "--margin must be"),
    ],
)
def test_bad_input_is_refused_in_one_line(recording, table, words, reason, capsys):
    write_text(recording / "l.csv", table)
    assert run_cli("cut", recording / "day.npz", "--by", recording / "l.csv", "-o", recording / "c", *words) == 2
    assert reason in capsys.readouterr().err and not (recording / "c").exists()


@pytest.mark.parametrize(("media", "noted"), [("day.mp4", False), ("/videos/evening one.mp4", True), (None, False)])
def test_elan_labels_of_other_media_are_noted(recording, capsys, media, noted):
    row = {"track_id": 4, "start_s": 0.5, "end_s": 1.0, "label": "wave", "score": 1.0}
    motionhub.write_intervals([row], recording / "l.eaf", media=media)
    assert run_cli("cut", recording / "day.npz", "--by", recording / "l.eaf", "-o", recording / "c") == 0
    assert ("l.eaf annotates evening one.mp4, not" in capsys.readouterr().err) == noted


def test_repetitions_are_cut_from_their_own_output(tmp_path):
    once = motionhub.generate("squat", seed=0)
    motionhub.write(once.replace(keypoints=np.concatenate([once.keypoints] * 3, axis=1)), tmp_path / "squats.npz")
    assert run_cli("repetitions", tmp_path / "squats.npz", "-o", tmp_path / "r.csv") == 0
    assert run_cli("cut", tmp_path / "squats.npz", "--by", tmp_path / "r.csv", "-o", tmp_path / "c") == 0
    assert len(list((tmp_path / "c").glob("squats_*_repetition_*_person_0.npz"))) == 3


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 59.94, 120])
def test_the_frames_of_times_written_to_the_millisecond_are_those_meant(fps):
    for first in range(0, 400, 7):
        start, end = round(first / fps, 3), round((first + 20) / fps, 3)
        assert frames_between(start, end, fps, 1000) == (first, first + 20)


def test_the_frames_of_a_video_are_exact(tmp_path):
    pytest.importorskip("av")
    from small_videos import write_video

    # The number of each frame, a bit per block of 8 columns.
    bits = (np.arange(60)[:, None] >> np.arange(8)) & 1
    images = [np.broadcast_to(np.repeat(255 * row, 8)[None, :, None], (48, 64, 3)).astype(np.uint8) for row in bits]
    write_video(tmp_path / "day.mp4", images, fps=10)
    write_text(tmp_path / "l.csv", "start,end,label\n1.0,2.5,one\n3.3,3.4,two\n5.5,9,three\n")
    assert run_cli("cut", tmp_path / "day.mp4", "--by", tmp_path / "l.csv", "-o", tmp_path / "c") == 0
    expected = {"one": range(10, 25), "two": range(33, 34), "three": range(55, 60)}
    for label, numbers in expected.items():
        [path] = (tmp_path / "c").glob(f"*_{label}.mp4")
        video = motionhub.open_video(path)
        blocks = [frame.image.reshape(48, 8, 8, 3).mean(axis=(0, 2, 3)) > 127 for frame in video.frames()]
        shown = [int((block << np.arange(8)).sum()) for block in blocks]
        assert shown == list(numbers) and video.fps == pytest.approx(10)


def test_odd_sizes_and_uneven_times_of_a_video_are_kept(tmp_path):
    pytest.importorskip("av")
    from small_videos import write_video

    stamps = [0, 100, 150, 400, 500, 900, 1000, 1100]
    greys = [np.full((48, 64, 3), 20 * number + 20, np.uint8) for number in range(8)]
    write_video(tmp_path / "v.mp4", greys, stamps=stamps)
    write_text(tmp_path / "l.csv", "start,end,label\n0.1,0.9,part\n")
    assert run_cli("cut", tmp_path / "v.mp4", "--by", tmp_path / "l.csv", "-o", tmp_path / "c") == 0
    [path] = (tmp_path / "c").glob("*.mp4")
    times = [frame.time for frame in motionhub.open_video(path).frames()]
    np.testing.assert_allclose(times, np.array([100, 150, 400, 500]) / 1000 - 0.1, atol=0.002)
