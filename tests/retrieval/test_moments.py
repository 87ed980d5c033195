"""Search at the level of moments: windows with times, the best of those that overlap, and the map of an index."""

import sys

import numpy as np
import pytest
from helpers import run_cli

import motionhub
from motionhub.retrieval.build import build_index, moments
from motionhub.retrieval.index import Entry, MotionIndex, positions


def direction(seconds: np.ndarray, kick_at: float) -> motionhub.SkeletonSequence:
    """A recording at 10 fps whose keypoints point to (1, 0), and to (0, 1) for two seconds from `kick_at` on."""
    kicks = (seconds >= kick_at) & (seconds < kick_at + 2)
    points = np.where(kicks[:, None], [0.0, 1.0], [1.0, 0.0])
    return motionhub.SkeletonSequence(np.repeat(points[None, :, None], 17, axis=2), "coco-17", 10, "pixel")


def mean_direction(sequence: motionhub.SkeletonSequence) -> np.ndarray:
    return np.nanmean(sequence.keypoints, axis=(1, 2))


@pytest.fixture
def season(tmp_path):
    seconds = np.arange(0, 60, 0.1)
    for number, kick_at in enumerate((12.0, 40.0)):
        path = tmp_path / "season" / f"match_{number}" / "day.npz"
        path.parent.mkdir(parents=True)
        motionhub.write(direction(seconds, kick_at), path)
    return tmp_path / "season"


def test_the_moment_of_a_query_is_found_in_each_file_of_a_folder(season):
    index = build_index(season, mean_direction, level="moment", facts={"model": "mean"})
    [hits] = index.search(np.array([0.0, 1.0]), top_k=2)
    assert [(hit.entry.file, hit.entry.start_s, hit.entry.end_s) for hit in hits] == [
        ("match_0/day.npz", 12.0, 14.0),
        ("match_1/day.npz", 40.0, 42.0),
    ]
    assert hits[0].similarity == pytest.approx(1) and hits[0].entry.label == "match_0"


def test_moments_that_overlap_a_better_one_are_not_given(season):
    index = build_index(season, mean_direction, level="moment", facts={"model": "mean"}, hop=0.5)
    [hits] = index.search(np.array([0.0, 1.0]), top_k=30)
    for number, hit in enumerate(hits):
        assert not any(hit.entry.overlaps(other.entry) for other in hits[:number])
    assert len(hits) == 30


def test_a_saved_index_keeps_its_times(season, tmp_path):
    made = build_index(season, mean_direction, level="moment", facts={"model": "mean"}, window=3, hop=3)
    loaded = MotionIndex.load(made.save(tmp_path / "index"))
    assert loaded.entries == made.entries and loaded.level == "moment"


def test_windows_cover_a_motion_to_its_end():
    clip = direction(np.arange(0, 5.3, 0.1), 1.0)
    times = [times for _, times in moments(clip, 2.0, 1.0)]
    assert times == [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (3.0, 5.0), (3.3, 5.3)]
    assert [times for _, times in moments(clip, 60.0, 1.0)] == [(0.0, 5.3)]


def test_windows_without_a_person_are_left_out():
    clip = direction(np.arange(0, 6, 0.1), 1.0)
    clip.keypoints[:, 20:50] = np.nan
    assert [times[0] for _, times in moments(clip, 1.0, 1.0)] == [0.0, 1.0, 5.0]


@pytest.mark.parametrize("times", [{"window": 0}, {"hop": -1}, {"hop": float("nan")}])
def test_times_that_are_not_positive_are_refused(season, times):
    with pytest.raises(ValueError, match="seconds above 0"):
        build_index(season, mean_direction, level="moment", facts={}, **times)


def test_a_map_keeps_distances_in_a_plane_and_says_what_it_shows():
    plane = np.random.default_rng(0).normal(size=(20, 2))
    vectors = np.concatenate([plane, np.zeros((20, 6))], axis=1)
    places, explained = positions(vectors)
    gaps = [np.linalg.norm(each[:, None] - each, axis=-1) for each in (plane, places)]
    np.testing.assert_allclose(gaps[0], gaps[1], atol=1e-9)
    assert explained == pytest.approx(1)


def test_the_map_is_drawn_and_too_few_points_are_refused(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    entries = [Entry(f"{number}.npz", label=f"class {number % 12}") for number in range(30)]
    MotionIndex(vectors, entries, "clip", {"model": "x", "root": "."}).save(tmp_path / "index")
    MotionIndex(vectors[:2], entries[:2], "clip", {"model": "x", "root": "."}).save(tmp_path / "two")
    assert run_cli("map", tmp_path / "index", "-o", tmp_path / "map.png") == 0
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert run_cli("map", tmp_path / "two", "-o", tmp_path / "two.png") == 2
    assert "three vectors or more" in capsys.readouterr().err


def test_umap_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        positions(np.eye(5), "umap")


def test_a_file_that_the_encoder_does_not_take_is_left_out_and_named(tmp_path):
    for number, action in enumerate(("wave", "squat")):
        motionhub.write(motionhub.generate(action, seed=0, num_frames=6), tmp_path / f"{number}.npz")

    def embed(sequence):
        if float(np.nanmax(sequence.keypoints)) == tallest:
            raise ValueError("expected 2-D keypoints, got 3-D")
        return np.ones((1, 4))

    tallest = float(np.nanmax(motionhub.read(tmp_path / "0.npz")[0].keypoints))
    with pytest.warns(UserWarning, match=r"left out: 0\.npz: expected 2-D keypoints, got 3-D"):
        made = build_index(tmp_path, embed, level="clip", facts={})
    assert [entry.file for entry in made.entries] == ["1.npz"]
