"""Mixamo motions as Aberman et al. store them: folders, characters, bad files."""

from pathlib import Path

import numpy as np
import pytest

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets import mixamo


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
    stranger = tmp_path / "Nobody" / "Walk" / "motions" / "1.npy"
    with pytest.raises(ValueError, match="'Nobody'"):
        mixamo.annotate(stranger)


def test_a_build_divides_by_character(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    splits = build_dataset("mixamo", str(tmp_path / "raw"), "characters")
    assert splits["train"].features["label"].names == ["Run", "Walk"]
    found = {name: {row["clip_id"].split("/")[0] for row in rows} for name, rows in splits.items()}
    assert found == {"train": {"Aj", "Kaya"}, "test": {"Ty", "Andromeda"}}
