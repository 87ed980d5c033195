"""Writes the recordings of app.e2e.js into a folder: python app_files.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

import motionhub


def write_files(folder: Path) -> None:
    """Given recordings, two squats, a wave before a squat, and an empty file."""
    given = folder / "given"
    given.mkdir(parents=True, exist_ok=True)
    for action in ("wave", "kick"):
        motionhub.write(motionhub.generate(action, seed=0), given / f"{action}.npz")
    squat = motionhub.generate("squat", seed=0)
    motionhub.write(squat, folder / "squat.npz")
    motionhub.write(motionhub.generate("squat", seed=3), folder / "squat slower.npz")
    wave = motionhub.generate("wave", seed=0)
    both = np.concatenate([wave.keypoints[:, :90], squat.keypoints[:, :90]], axis=1)
    motionhub.write(wave.replace(keypoints=both, confidence=None), folder / "wave and squat ü.npz")
    (folder / "empty.npz").touch()


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
