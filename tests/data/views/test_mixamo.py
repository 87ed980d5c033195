"""Mixamo motions as the official code prepares them: its numbers, windows, characters; pairs that agree; bad files."""

from pathlib import Path

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets import mixamo
from motionhub.data.views.mixamo_pairs import MixamoPairs, body_frame, prepared, projected, windows
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.skeletons.sequence import SkeletonSequence


def stored(frames: int = 64) -> np.ndarray:
    """The probe of the specification, `(15, 3, frames)`."""
    place = np.arange(15 * 3 * frames)
    return (np.cos(0.13 * place) + 0.3 * np.sin(0.017 * place)).reshape(15, 3, frames).astype(np.float32)


def official_rows(picture: np.ndarray) -> np.ndarray:
    """What the processor of the published networks makes of a canvas, without its statistics."""
    clip = SkeletonSequence(picture[None], "lac-15", 30.0, "pixel", image_size=(512, 512))
    return RetargetProcessor(smoothing=0.0)(clip)["keypoints"].numpy()


def test_local_frame_and_projections_are_the_official_ones() -> None:
    motion = stored().transpose(2, 0, 1)
    axes = body_frame(prepared(motion), 30)
    expected = [[0.657416, -0.753528, 0], [0.753528, 0.657416, 0], [0, 0, 1]]
    np.testing.assert_allclose(axes, expected, atol=1e-6)
    assert official_rows(projected(prepared(motion), 30)).sum(dtype=np.float64) == pytest.approx(
        -8624.127193, abs=0.05
    )
    assert official_rows(projected(prepared(motion))).sum(dtype=np.float64) == pytest.approx(-10539.560264, abs=0.05)


def person(frames: int, height: float = 1.0, pace: float = 0.02) -> np.ndarray:
    """Walks towards -y, facing there; right is -x, up z."""
    pose = np.zeros((frames, 15, 3), np.float32)
    heights = {"nose": 1.6, "neck": 1.4, "mid_hip": 0.9, "shoulder": 1.4, "elbow": 1.15, "wrist": 0.9, "hip": 0.9}
    for index, joint in enumerate(mixamo.LAYOUT.joints):
        side, _, part = joint.partition("_")
        pose[:, index, 2] = height * heights.get(joint, heights.get(part, 0.45 if part == "knee" else 0.05))
        pose[:, index, 0] = {"right": -0.2, "left": 0.2}.get(side, 0.0) * height
    pose[:, :, 1] -= pace * np.arange(frames)[:, None]
    return pose.transpose(1, 2, 0)


def write_folder(
    root: Path, frames: int = 130, characters: tuple[str, ...] = ("Aj", "Kaya", "Ty", "Andromeda")
) -> None:
    for number, character in enumerate(characters):
        for animation, pace in (("Run", 0.05), ("Walk", 0.02)):
            folder = root / character / animation / "motions"
            folder.mkdir(parents=True)
            np.save(folder / "1.npy", person(frames, 1 + 0.2 * number, pace))


def test_a_person_seen_from_the_front_stands_upright_with_the_right_hand_on_the_left_of_the_image() -> None:
    picture = projected(prepared(person(3).transpose(2, 0, 1)), 0)
    joints = mixamo.LAYOUT.joints
    right, left, nose, hips = (picture[0, joints.index(name)] for name in ("right_hip", "left_hip", "nose", "mid_hip"))
    assert abs(right[0] - left[0]) == pytest.approx(0.4 * 128)
    assert nose[1] < hips[1]  # y points down
    side = projected(prepared(person(3).transpose(2, 0, 1)), 90)
    assert side[0, joints.index("right_hip"), 0] == pytest.approx(side[0, joints.index("left_hip"), 0], abs=1e-4)


def test_windows_are_the_official_ones() -> None:
    assert windows(130, 64, 32) == [slice(0, 64), slice(32, 96), slice(64, 128)]
    assert windows(120, 120, 60) == [slice(0, 120)]
    assert windows(119, 120, 60) == []


def test_pairs_exchange_motion_and_look_exactly(tmp_path: Path) -> None:
    write_folder(tmp_path)
    pairs = MixamoPairs(tmp_path, seed=3)
    assert (pairs.characters, len(pairs)) == (["Aj", "Kaya"], 6)
    assert MixamoPairs(tmp_path, training=False).characters == ["Ty", "Andromeda"]
    pair = pairs.pair(0)
    assert all(clip.keypoints.shape == (1, 64, 15, 2) for clip in vars(pair).values())
    repeated = pairs.pair(0)
    assert np.array_equal(pair.first.keypoints, repeated.first.keypoints)
    # Upright people: the height tells the look, on whichever motion.
    heights = [float(np.ptp(clip.keypoints[0, 0, :, 1])) for clip in vars(pair).values()]
    assert heights[0] == pytest.approx(heights[3], rel=1e-5) and heights[1] == pytest.approx(heights[2], rel=1e-5)
    assert heights[0] != pytest.approx(heights[1], rel=1e-3)


def test_folders_become_clips_with_character_and_animation(tmp_path: Path) -> None:
    write_folder(tmp_path)
    path = tmp_path / "Kaya" / "Walk" / "motions" / "1.npy"
    (clip,) = mixamo.read(path)
    assert (clip.layout.name, clip.keypoints.shape) == ("lac-15", (1, 130, 15, 3))
    middle = clip.keypoints[0, :, [mixamo.LAYOUT.index(f"{side}_hip") for side in ("left", "right")]].mean(0)
    np.testing.assert_allclose(clip.keypoints[0, :, mixamo.LAYOUT.index("mid_hip")], middle, atol=1e-6)
    facts = mixamo.annotate(path)
    assert mixamo.look_into(tmp_path).class_names == ("Run", "Walk")
    assert (facts.label, facts.clip_id) == (1, "Kaya/Walk/1")
    assert mixamo.CHARACTERS[facts.subject] == "Kaya"


def test_bad_files_and_folders_say_what_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "Aj" / "Walk" / "motions"
    folder.mkdir(parents=True)
    path = folder / "1.npy"
    bad = {
        r"expected floats of shape": np.zeros((15, 2, 8)),
        r"got float64 \(15, 3, 0\)": np.zeros((15, 3, 0)),
        "expected finite numbers": np.full((15, 3, 8), np.nan),
    }
    for message, content in bad.items():
        np.save(path, content)
        with pytest.raises(ValueError, match=message):
            mixamo.read(path)
    with pytest.raises(ValueError, match="no horizontal direction"):
        body_frame(np.zeros((8, 15, 3)), 0)
    with pytest.raises(ValueError, match="two or more characters"):
        MixamoPairs(tmp_path)
    write_folder(tmp_path / "short", frames=63)
    with pytest.raises(ValueError, match="found 0 windows"):
        MixamoPairs(tmp_path / "short")
    stranger = tmp_path / "Nobody" / "Walk" / "motions" / "1.npy"
    with pytest.raises(ValueError, match="'Nobody'"):
        mixamo.annotate(stranger)


def test_a_build_divides_by_character(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    splits = build_dataset("mixamo", str(tmp_path / "raw"), "characters")
    assert splits["train"].features["label"].names == ["Run", "Walk"]
    found = {name: {row["clip_id"].split("/")[0] for row in rows} for name, rows in splits.items()}
    assert found == {"train": {"Aj", "Kaya"}, "test": {"Ty", "Andromeda"}}
