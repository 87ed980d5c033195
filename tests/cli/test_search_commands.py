"""`motionhub index` and `motionhub search` on files: the same pose from elsewhere, clips, images, bad input."""

import numpy as np
import pytest
import torch
from helpers import has_pillow, read_json, run_cli, write_json

import motionhub
from motionhub.cli.main import main
from motionhub.models.cv_mim import CvMimConfig, CvMimModel
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.retrieval.build import build_index, query_vector, source_frames
from motionhub.skeletons.sequence import SkeletonSequence


def clip(seed: int, frames: int = 6) -> SkeletonSequence:
    points = np.random.default_rng(seed).uniform(50, 400, (1, frames, 13, 2)).astype(np.float32)
    return SkeletonSequence(points, layout="cv-mim-13", fps=30, unit="pixel", image_size=(480, 480))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of three clips in two subfolders, and a small encoder."""
    root = tmp_path_factory.mktemp("search")
    for seed, name in enumerate(("wave/a", "wave/b", "sit/c")):
        path = root / "clips" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        motionhub.write(clip(seed), path)
    (root / "clips" / "wave" / "notes.txt").write_text("no motion")
    (root / "clips" / "a.npz.report.json").write_text("{}")  # as motionhub refine --report writes it
    (root / "clips" / "a.npz.worst_joint.png").write_bytes(b"")
    torch.manual_seed(0)
    CvMimModel(CvMimConfig(width=16, pose_size=4, view_size=4)).save_pretrained(root / "model")
    SkeletonProcessor(layout="cv-mim-13", num_people=1, normalization="torso").save_pretrained(root / "model")
    moved = clip(1)
    motionhub.write(moved.replace(keypoints=moved.keypoints * 1.5 + 20), root / "query.npz")  # b, nearer and elsewhere
    return root


def test_a_pose_is_found_again_nearer_to_the_camera(world, capsys):
    options = ["--model", world / "model", "--level", "frame", "--every", "1"]
    assert run_cli("index", world / "clips", "-o", world / "frames", *options) == 0
    said = capsys.readouterr()
    assert "18 frames of 3 files, 4 numbers each" in said.out and "left out" in said.err and "notes.txt" in said.err
    assert "files of text, images, videos, reports or labels: 2." in said.err and "report.json" not in said.err
    picture = world / "found.png"
    words = ["--frame", "2", "--top_k", "3", "--json", world / "found.json"]
    words += ["--picture", picture] if has_pillow() else []
    assert run_cli("search", world / "frames", world / "query.npz", *words) == 0
    found = read_json(world / "found.json")
    assert (found[0]["file"], found[0]["frame"], found[0]["label"]) == ("wave/b.npz", 2, "wave")
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-4) and len(found) == 3
    assert "wave/b.npz, frame 2" in capsys.readouterr().out
    assert not has_pillow() or picture.stat().st_size > 1000


def test_clips_are_found_by_view_vectors_and_the_query_itself_is_left_out(world, capsys):
    assert (
        run_cli("index", world / "clips", "-o", world / "c", "--model", world / "model", "--representation", "view")
        == 0
    )
    picture = ["--picture", world / "found.gif"] if has_pillow() else []
    assert run_cli("search", world / "c", world / "clips" / "wave" / "a.npz", *picture) == 0
    printed = capsys.readouterr().out
    assert "a.npz" not in printed.split("numbers each")[1] and "wave/b.npz" in printed and "sit/c.npz" in printed
    assert not has_pillow() or (world / "found.gif").read_bytes().startswith(b"GIF8")


def test_a_folder_with_a_file_for_each_frame_is_one_clip(tmp_path):
    for frame in range(3):
        person = {"person_id": [-1], "pose_keypoints_2d": np.arange(75.0).tolist()}
        file = tmp_path / "clips" / "wave" / "one" / f"one_{frame:012}_keypoints.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"version": 1.3, "people": [person]})
    motionhub.write(clip(0), tmp_path / "clips" / "two.npz")
    index = build_index(
        tmp_path / "clips",
        lambda sequence: np.ones((sequence.num_people, sequence.num_frames, 2)),
        level="frame",
        facts={"model": "ones"},
        read_options={"fps": 30},
    )
    found = [(entry.file, entry.frame, entry.label) for entry in index.entries]
    assert found[-3:] == [("wave/one", 0, "wave"), ("wave/one", 1, "wave"), ("wave/one", 2, "wave")]
    assert {file for file, *_ in found} == {"two.npz", "wave/one"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["index", "{}/missing", "-o", "{}/x", "--model", "{}/model"], "no such file or folder"),
        (["search", "{}/clips", "{}/query.npz"], "is no index"),
        (["search", "{}/kept", "{}/query.npz", "--frame", "99"], "got frame 99"),
        (["search", "{}/kept", "{}/query.npz", "--person", "3"], "got person 3"),
        (["search", "{}/kept", "{}/query.npz", "--picture", "{}/x.bmp"], ".png or .gif"),
    ],
)
def test_bad_input_is_one_line(world, capsys, words, message):
    if not (world / "kept").exists():
        run_cli("index", world / "clips", "-o", world / "kept", "--model", world / "model", "--level", "frame")
    assert main([word.format(world) for word in words]) == 2
    assert message in capsys.readouterr().err


def test_an_index_takes_any_encoder_and_skips_people_without_keypoints(world):
    def embed(sequence: SkeletonSequence) -> np.ndarray:
        mean = np.nanmean(sequence.keypoints, axis=(1, 2))
        return np.concatenate([mean, np.full_like(mean, np.nan)])  # a second person who is not there

    with pytest.warns(UserWarning, match="notes.txt"):
        index = build_index(world / "clips", embed, level="clip", facts={"model": "mean"})
    assert len(index) == 3 and {entry.person for entry in index.entries} == {0}
    with pytest.raises(ValueError, match="No valid keypoints"):
        query_vector(clip(0), embed, "clip", person=1)
    with pytest.raises(ValueError, match="of clips"):
        query_vector(clip(0), embed, "clip", frame=1)


def test_thinned_features_stand_for_the_middle_of_their_frames():
    assert source_frames(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert source_frames(2, 8).tolist() == [2, 6]
    assert source_frames(8, 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_feature_extraction_tells_pose_from_view_and_refuses_joints(world):
    from transformers import pipeline

    pipe = pipeline("skeleton-feature-extraction", model=str(world / "model"), device="cpu")
    frames = pipe(clip(0), level="frame", normalize=False)
    np.testing.assert_allclose(pipe(clip(0), level="frame", representation="pose", normalize=False), frames, atol=1e-6)
    view = pipe(clip(0), level="frame", representation="view", normalize=False)
    assert view.shape == (1, 6, 4) and not np.allclose(view, frames)
    np.testing.assert_allclose(pipe(clip(0), representation="view", normalize=False), view.mean(1), atol=1e-6)
    with pytest.raises(ValueError, match="level='frame'"):
        pipe(clip(0), level="joint")
    with pytest.raises(ValueError, match="representation"):
        pipe(clip(0), representation="mood")
