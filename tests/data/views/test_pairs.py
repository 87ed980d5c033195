"""Pairs are exact: what a pair crosses is what direct construction gives."""

import numpy as np
import pytest
from helpers import load_script

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.data.views.cameras import Camera, seen_by, upright
from motionhub.data.views.pairs import PairRanges
from motionhub.skeletons.bodies import with_bone_lengths


motion_pairs = load_script("benchmarks/claims/motion_pairs.py")


@pytest.fixture(scope="module")
def motions():
    return [generate(action, seed=seed, num_frames=30) for seed, action in enumerate(("walk around", "wave", "squat"))]


BODIES = ({"arm": 1.3, "leg": 0.8}, {"arm": 0.8, "torso": 1.2})
CAMERAS = (Camera(azimuth=40), Camera(azimuth=-70, elevation=20, distance=8.0))


def test_crossing_motions_that_are_the_same_gives_the_other_one(motions):
    pair = motion_pairs.make_pair((motions[0], motions[0]), BODIES, CAMERAS)
    np.testing.assert_array_equal(pair.crossed.keypoints, pair.second.keypoints)
    np.testing.assert_array_equal(pair.crossed_back.keypoints, pair.first.keypoints)
    assert np.abs(pair.crossed.keypoints - pair.first.keypoints).max() > 0.05


def test_crossing_takes_motion_of_one_and_look_of_the_other(motions):
    pair = motion_pairs.make_pair((motions[0], motions[1]), BODIES, CAMERAS)
    expected = seen_by(with_bone_lengths(motions[0], BODIES[1]), CAMERAS[1])
    np.testing.assert_array_equal(pair.crossed.keypoints, expected.keypoints)
    assert pair.crossed.num_dims == 2
    assert pair.crossed.unit == "metre"


def test_3d_keeps_bones_and_the_vertical(motions):
    turned = seen_by(motions[0], Camera(azimuth=77), num_dims=3)
    root = motions[0].layout.index("mid_hip")
    for sequence in (turned, motions[0]):
        assert sequence.num_dims == 3
    relative = [part.keypoints - part.keypoints[:, :1, root : root + 1] for part in (turned, motions[0])]
    np.testing.assert_allclose(relative[0][..., 1], relative[1][..., 1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(relative[0], axis=-1), np.linalg.norm(relative[1], axis=-1), atol=1e-5)


@pytest.mark.parametrize(("up", "axis", "sign"), [("y", 1, 1), ("z", 2, 1), ("x", 0, 1), ("-y", 1, -1), ("-z", 2, -1)])
def test_up_is_up_in_the_image_and_left_stays_left(up, axis, sign):
    """A cross of three points: right-handedness decides where a body's left is, and turning up keeps it."""
    keypoints = np.zeros((1, 1, 3, 3), np.float32)
    keypoints[0, 0, 1, axis] = sign
    layout = motionhub.SkeletonLayout("cross", ("root", "top", "side"), (("top", "root"), ("side", "root")), "root")
    sequence = motionhub.SkeletonSequence(keypoints, layout=layout, fps=30, unit="metre")
    picture = seen_by(sequence, Camera(), up=up).keypoints[0, 0]
    np.testing.assert_allclose(picture[1], [0, -1], atol=1e-6)
    # No mirror image: three directions keep their handedness.
    axes = np.eye(3, dtype=np.float32)[None, None]
    assert np.linalg.det(upright(sequence.replace(keypoints=axes), up)[0, 0]) == pytest.approx(1)


def test_pairs_by_number_are_reproducible_and_differ(motions):
    maker = motion_pairs.PairMaker(motions, 16, seed=3)
    again = motion_pairs.PairMaker(motions, 16, seed=3)
    np.testing.assert_array_equal(maker.pair(5).crossed.keypoints, again.pair(5).crossed.keypoints)
    assert maker.pair(5).first.num_frames == 16
    assert not np.array_equal(maker.pair(5).first.keypoints, maker.pair(8).first.keypoints)


def test_ranges_hold(motions):
    ranges = PairRanges(bone_factor=(0.9, 1.1), azimuth=10, elevation=0, distance=(5, 6))
    generator = np.random.default_rng(0)
    cameras = [ranges.draw_camera(generator) for _ in range(200)]
    assert max(abs(camera.azimuth) for camera in cameras) <= 10
    assert {camera.elevation for camera in cameras} == {0.0}
    assert all(5 <= camera.distance <= 6 for camera in cameras)
    factors = [factor for _ in range(50) for factor in ranges.draw_body(generator).values()]
    assert 0.9 <= min(factors) < 0.92
    assert 1.08 < max(factors) <= 1.1


def test_real_bandai_bodies_keep_the_motion(unzipped):
    folder = unzipped("data/bandai_namco_2_subset.zip")
    path = sorted(folder.rglob("*.bvh"))[0]
    (clip,) = motionhub.read(path)
    other = with_bone_lengths(clip, {"arm": 1.4, "leg": 0.7})
    child, parent = clip.layout.bone_indices.T

    def directions(sequence):
        vectors = sequence.keypoints[0][:, child] - sequence.keypoints[0][:, parent]
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return np.where(lengths > 1e-3, vectors / np.maximum(lengths, 1e-3), 0)

    np.testing.assert_allclose(directions(clip), directions(other), atol=2e-3)


def test_bad_motions_and_cameras_are_refused(motions):
    flat = seen_by(motions[0], Camera())
    with pytest.raises(ValueError, match="3-D"):
        motion_pairs.make_pair((flat, flat), BODIES, CAMERAS)
    with pytest.raises(ValueError, match="inside"):
        motion_pairs.make_pair((motions[0], motions[1]), BODIES, (Camera(distance=0.1), Camera()))
    with pytest.raises(ValueError, match="num_frames"):
        motion_pairs.PairMaker(motions, 31)
    with pytest.raises(ValueError, match="up must be"):
        seen_by(motions[0], Camera(), up="north")
    with pytest.raises(ValueError, match="bone_factor"):
        PairRanges(bone_factor=(0, 1))
    hidden = motions[0].replace(keypoints=np.full_like(motions[0].keypoints, np.nan))
    with pytest.raises(ValueError, match="missing in all frames"):
        seen_by(hidden, Camera())
