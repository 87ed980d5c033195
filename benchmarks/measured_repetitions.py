"""Counting repetitions on UI-PRMD: ten per recording, at several frame rates, with and without pauses.

    python benchmarks/measured_repetitions.py uiprmd_kinect_s1-7.npz --subjects 2 4 6

The ten clips of a subject and movement, correct or incorrect, are joined. With pauses, one to four seconds of standing
with 4 mm of noise (seed 0) lie between them. The settings were chosen on the subjects 1, 3, 5 and 7.
"""

import argparse
from collections.abc import Iterator

import numpy as np

import motionhub


PAUSE = (1.0, 4.0)  # seconds


def recordings(path: str, subjects: list[int]) -> Iterator[list[motionhub.SkeletonSequence]]:
    """The repetitions of each recording, in order."""
    clips, facts = motionhub.read(path), dict(np.load(path))
    for subject in subjects:
        for movement in range(1, 11):
            for correct in (True, False):
                chosen = (
                    (facts["subject"] == subject) & (facts["movement"] == movement) & (facts["correct"] == correct)
                )
                rows = np.flatnonzero(chosen)
                yield [clips[row] for row in rows[np.argsort(facts["episode"][rows], kind="stable")]]


def joined(parts: list[motionhub.SkeletonSequence], rng: np.random.Generator | None) -> motionhub.SkeletonSequence:
    """One recording; with pauses where a generator is given."""
    frames = []
    for number, part in enumerate(parts):
        frames.append(part.keypoints[0])
        if rng is not None and number + 1 < len(parts):
            share = np.linspace(0, 1, int(rng.uniform(*PAUSE) * part.fps))[:, None, None]
            still = part.keypoints[0, -1] * (1 - share) + parts[number + 1].keypoints[0, 0] * share
            frames.append(still + rng.normal(0, 0.004, still.shape))
    return parts[0].replace(keypoints=np.concatenate(frames)[None])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--subjects", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--rates", type=float, nargs="+", default=[10, 15, 30, 60])
    arguments = parser.parse_args()
    takes = list(recordings(arguments.path, arguments.subjects))
    print("| recordings | fps | n | exact | within one | mean absolute error |\n|---|---|---|---|---|---|")
    for name, seed in (("joined", None), ("with pauses", 0)):
        for fps in arguments.rates:
            rng = None if seed is None else np.random.default_rng(seed)
            wholes = [motionhub.resample(joined(parts, rng), fps) for parts in takes]
            counts = np.array([motionhub.repetitions(whole)[0].count for whole in wholes])
            errors = np.abs(counts - np.array([len(parts) for parts in takes]))
            shares = f"{(errors == 0).mean():.0%} | {(errors <= 1).mean():.0%} | {errors.mean():.2f}"
            print(f"| {name} | {fps:g} | {len(errors)} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
