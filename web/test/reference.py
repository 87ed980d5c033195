"""Writes ten recordings and what motionhub's pipelines answer, for the comparison with the page.

python web/test/reference.py CHECKPOINT FOLDER
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from transformers import pipeline

import motionhub
from motionhub.intervals.table import as_csv, as_srt
from motionhub.pipelines.skeleton_pipeline import as_sequence


LABELS = ["wave", "sit down", "walk", "jump", "drink water", "fall down", "clap", "throw"]
OWN_WORDS = ["juggle three oranges", "wave", "stroke a cat gently"]


def main() -> None:
    """Writes `NAME.npz`, `.csv` or `.json` of each recording and `answers.json`."""
    checkpoint, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True)
    pipes: dict[str, Any] = {
        task: pipeline(f"zero-shot-action-{task}", model=checkpoint) for task in ("classification", "segmentation")
    }
    answers = []
    for name, sequence, given in recordings():
        path = folder / name
        motionhub.write(sequence, path)
        labels = OWN_WORDS if "words" in name else LABELS
        clip = as_sequence(str(path), **given)
        found = {task: pipe(clip, candidate_labels=labels) for task, pipe in pipes.items()}
        texts = {"csv": as_csv(found["segmentation"]), "srt": as_srt(found["segmentation"])}
        answers.append({"file": name, "given": given, "labels": labels, **found, **texts})
    nobody = motionhub.generate("wave", seed=1)
    motionhub.write(nobody.replace(keypoints=np.full_like(nobody.keypoints, np.nan)), folder / "nobody.npz")
    (folder / "answers.json").write_text(json.dumps(answers, indent=1), encoding="utf-8")
    print(f"{len(answers)} recordings in {folder}")


def recordings() -> Iterator[tuple[str, motionhub.SkeletonSequence, dict[str, Any]]]:
    """Name of the file, recording, and metadata that its format lacks."""
    random = np.random.default_rng(7)
    yield "wave.npz", in_image(motionhub.generate("wave", seed=1), "coco-17"), {}
    yield "sit.npz", motionhub.generate("sit down", seed=2), {}
    yield "jump.csv", motionhub.generate("jump", seed=3), {"unit": "metre"}
    yield (
        "missing.csv",
        with_gaps(in_image(motionhub.generate("clap", seed=4), "posetics-17"), random),
        {"unit": "pixel"},
    )
    yield "two.json", together(in_image(motionhub.generate("walk around", seed=5), "coco-17")), {"fps": 30}
    yield "long.npz", in_a_row(["walk around", "sit down", "wave", "stand up"]), {}
    yield "long_2d.json", in_image(in_a_row(["jump", "walk around", "clap"]), "coco-17"), {"fps": 30}
    yield "ntu.npz", motionhub.convert_layout(motionhub.generate("throw", seed=8), "ntu-25"), {}
    turned = motionhub.generate("walk around", seed=9)
    yield "z_up.npz", turned.replace(keypoints=turned.keypoints[..., [0, 2, 1]] * np.float32([1, -1, 1]), up=None), {}
    yield "words.npz", with_gaps(motionhub.generate("drink", seed=10), random), {}


def in_image(sequence: motionhub.SkeletonSequence, layout: str) -> motionhub.SkeletonSequence:
    """Seen by a camera: pixels, y down."""
    converted = motionhub.convert_layout(sequence, layout)
    x, y = converted.keypoints[..., 0], converted.keypoints[..., 1]
    pixels = np.stack([320 + 200 * x, 400 - 200 * y], axis=-1)
    return converted.replace(keypoints=pixels, unit="pixel", up="-y", image_size=(640, 480))


def in_a_row(actions: list[str]) -> motionhub.SkeletonSequence:
    """One recording of several actions of one body."""
    clips = [motionhub.generate(action, seed=6) for action in actions]
    return clips[0].replace(keypoints=np.concatenate([clip.keypoints for clip in clips], axis=1))


def with_gaps(sequence: motionhub.SkeletonSequence, random: np.random.Generator) -> motionhub.SkeletonSequence:
    """A third of the joints missing, and no person in the first and some other frames."""
    points = sequence.keypoints.copy()
    points[random.random(points.shape[:3]) < 1 / 3] = np.nan
    points[:, :7] = np.nan
    return sequence.replace(keypoints=points)


def together(one: motionhub.SkeletonSequence) -> motionhub.SkeletonSequence:
    """Two people, of whom the second comes later."""
    other = one.keypoints[:, ::-1] + np.float32([250, 20])
    other[:, :20] = np.nan
    return one.replace(keypoints=np.concatenate([one.keypoints, other]), track_ids=(3, 7))


if __name__ == "__main__":
    main()
