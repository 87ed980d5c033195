"""A dataset of raw videos: what experts found is aggregated, kept or left out, labelled, lifted, and resumed."""

from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from helpers import read_json, write_json

import motionhub
from motionhub.cli.main import main
from motionhub.data.datasets.clip_table import LabelMerging
from motionhub.poses import video_dataset
from motionhub.poses.video_dataset import Expert, build_of_videos, labelled_videos, poses_of_videos
from motionhub.skeletons.sequence import SkeletonSequence


def clip(frames=20, seen=1.0, shift=0.0, dims=2, layout="posetics-17"):
    """One person who waits at a place that the joint decides; hidden after the share `seen` of the frames."""
    joints = motionhub.get_layout(layout).num_joints
    place = np.arange(joints)[:, None] * 10.0 + np.arange(dims) * 3.0 + shift
    keypoints = np.broadcast_to(place, (1, frames, joints, dims)).astype(np.float32).copy()
    keypoints[:, round(frames * seen) :] = np.nan
    unit, size = ("pixel", (640, 480)) if dims == 2 else ("metre", None)
    return SkeletonSequence(keypoints, layout=layout, fps=30.0, unit=unit, image_size=size, track_ids=(7,))


@pytest.fixture
def videos(tmp_path):
    """Five files that are called videos; they are never decoded."""
    for name in ("wave/a.mp4", "wave/b.mp4", "sit/a.avi", "sit/c.mp4", "sit/d.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    (tmp_path / "videos" / "sit" / "notes.txt").touch()
    return tmp_path / "videos"


@pytest.fixture
def experts(monkeypatch):
    """Two estimators in place of MediaPipe's runs: video name -> clip, or the reason why there is none."""
    answers = {
        "mediapipe": {"wave--a": clip(), "wave--b": clip(seen=0.4), "sit--a": clip(shift=5), "sit--c": clip(),
                      "sit--d": "it is broken"},
        "rtmlib": {"wave--a": clip(shift=2), "wave--b": clip(seen=0.4), "sit--a": clip(shift=5, frames=19),
                   "sit--c": "it is slow", "sit--d": "it is broken"},
    }  # fmt: skip
    asked = []

    def extract_files(named, folder, estimator, *, world, estimator_options, **_):
        for name, video in named.items():
            target = folder / f"{name}.npz"
            assert Path(video).exists() and world
            if target.exists():
                continue
            asked.append((estimator, name))
            answer = answers[estimator][name]
            if isinstance(answer, str):
                write_json(folder / f"{name}.report.json", {"error": f"{answer} ({video})"})
                continue
            motionhub.write(answer, target)
            if estimator == "mediapipe":
                solid = clip(answer.num_frames, dims=3)
                motionhub.write(solid, folder / f"{name}.world.npz")

    monkeypatch.setattr(video_dataset, "extract_files", extract_files)
    return asked


def test_clips_are_aggregated_kept_lifted_and_labelled(videos, experts, tmp_path, capsys):
    made, poses = build_of_videos(videos, tmp_path / "out", tmp_path / "work", ["mediapipe", "rtmlib"])
    assert sorted(poses.kept) == ["sit--a", "sit--c", "wave--a"] and made.num_clips == 3
    assert "40% of the frames" in poses.left_out["wave--b"]
    assert poses.left_out["sit--d"] == f"rtmlib: it is broken ({videos / 'sit' / 'd.mp4'})"
    assert poses.failures == {"sit--c": f"rtmlib: it is slow ({videos / 'sit' / 'c.mp4'})"}
    rows = {row["clip_id"]: row for row in load_dataset(str(tmp_path / "out"), "full")["full"]}
    row = rows["wave--a.npz"]
    shape = (1, 20, 17)
    np.testing.assert_allclose(np.reshape(row["keypoints"], (*shape, 2)), clip().keypoints)  # the first of two
    np.testing.assert_allclose(np.reshape(row["keypoints_3d"], (*shape, 3)), clip(dims=3).keypoints)
    assert load_dataset(str(tmp_path / "out"), "full")["full"].features["label"].names == ["sit", "wave"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "# Poses of the videos in videos" in card and "by mediapipe, rtmlib, aggregated by SST-A" in card
    assert not (tmp_path / "work" / "videos").exists() and not (tmp_path / "work" / "dataset").exists()
    report = read_json(tmp_path / "work" / "videos.json")
    assert report["kept"] == 3 and set(report["left_out"]) == {"wave--b", "sit--d"}


def test_a_second_run_asks_only_for_what_is_lacking(videos, experts, tmp_path):
    poses_of_videos(videos, tmp_path / "work", ["mediapipe"])
    assert len(experts) == 5
    poses_of_videos(videos, tmp_path / "work", ["mediapipe"])
    assert experts[5:] == [("mediapipe", "sit--d")]  # the broken one is tried again


def test_labels_licences_and_merges_come_from_the_tables(videos, experts, tmp_path):
    (videos / "labels.csv").write_text(
        "file,label,split,licence\nwave/a.mp4,waving,train,cc-by-4.0\nsit/c.mp4,sitting down,test,\n"
    )
    merging = LabelMerging("posetics", {("", "waving"): "greeting"})
    build_of_videos(videos, tmp_path / "out", tmp_path / "work", ["mediapipe"], merging=merging)
    full = load_dataset(str(tmp_path / "out"), "full")["full"]
    facts = {row["clip_id"]: (full.features["label"].names[row["label"]], row["licence"]) for row in full}
    assert facts["wave--a.npz"] == ("greeting", "cc-by-4.0")
    assert facts["sit--c.npz"] == ("sitting down", "as the owner of the data says")


def test_a_folder_of_another_programs_files_is_an_expert(videos, experts, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    motionhub.write(clip(shift=1), other / "a.npz")
    (videos / "labels.csv").write_text("file,label\nwave/a.mp4,wave\nsit/c.mp4,sit\n")
    poses = poses_of_videos(videos, tmp_path / "work", [str(other)])
    assert poses.kept == ("wave--a",) and not poses.lifted
    assert poses.left_out == {"sit--c": "other: no file of the video's name."}


def test_an_expert_is_named_with_options_or_a_folder():
    expert = Expert.parse("mediapipe:num_people=2,follow=false")
    assert (expert.estimator, expert.options) == ("mediapipe", {"num_people": 2, "follow": False})
    assert "/" not in expert.name and ":" not in expert.name
    for wrong in ("openpose", "mediapipe:2", "no/such/folder"):
        with pytest.raises(ValueError, match="An expert is one of|Options are KEY=VALUE"):
            Expert.parse(wrong)


def test_what_cannot_be_made_says_why(videos, experts, tmp_path):
    with pytest.raises(ValueError, match="no folder of videos"):
        labelled_videos(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no videos"):
        labelled_videos(tmp_path / "empty")
    with pytest.raises(ValueError, match="each once"):
        poses_of_videos(videos, tmp_path / "work", ["mediapipe", "mediapipe"])
    with pytest.raises(ValueError, match="below 1"):
        poses_of_videos(videos, tmp_path / "work", min_present=1.0)
    (videos / "labels.csv").write_text("file,label\nsit/d.mp4,sit\n")
    with pytest.raises(ValueError, match="keypoints of none of the 1 videos: it is broken"):
        poses_of_videos(videos, tmp_path / "work2", ["mediapipe"])
    (videos / "labels.csv").write_text("file,label\nwave/b.mp4,wave\n")
    with pytest.raises(ValueError, match="No person is detected for long enough"):
        poses_of_videos(videos, tmp_path / "work3", ["mediapipe"])
    (videos / "labels.csv").write_text("file,label,start_s,end_s\nwave/b.mp4,wave,0,1\n")
    with pytest.raises(ValueError, match="has start and end times"):
        labelled_videos(videos)


def test_the_command_line_says_what_was_left_out(videos, experts, tmp_path, capsys):
    words = ["dataset", "build", "posetics", "--videos", str(videos), "--out", str(tmp_path / "out"), "--no-progress"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "3 of 5 videos, with keypoints_3d" in printed.out and "left out: wave--b" in printed.err
    assert main(words) == 2 and "choose another name" in capsys.readouterr().err
    assert main([*words[:3], "--out", str(tmp_path / "x")]) == 2
    assert "Pass either --raw" in capsys.readouterr().err
