"""Does refinement bring back the actions that missing and shaking joints cost? UNIK on damaged N-UCLA clips.

    python benchmarks/claims/refinement_recognition.py [--data DIR] [--model DIR] [--seeds 0 1 2]

Only the test clips are damaged; the weights (hub_configs/unik-nucla-small, trained on clean clips, 3-D) never change,
and nothing is fitted: all filters run with their defaults. Prints top-1 accuracy, mean and sample deviation over the
seeds of the damage.

Damages: "dropped" hides 30 % of all joints, each for itself; "dropped in bursts" as many, for about 12 frames at a
time; "jittered" moves 30 % of all joints by a normal deviate of 15 cm in each axis; "both" jitters, then drops in
bursts. Three experts are three independent damages of the same clip.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import AutoFeatureExtractor

from motionhub import AutoModelForActionClassification, SkeletonSequence, aggregate_experts, refine
from motionhub.data.build import build_dataset
from motionhub.metrics.classification import classification_report
from motionhub.poses import filters
from motionhub.skeletons.rows import from_row, to_row
from motionhub.training.evaluators import score_clips


SHARE, BURST, METRES = 0.3, 12, 0.15
Damage = Callable[[SkeletonSequence, np.random.Generator], SkeletonSequence]


def dropped(motion: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    return hidden(motion, chance.random(motion.keypoints.shape[:3]) < SHARE)


def dropped_in_bursts(motion: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    people, frames, joints = motion.keypoints.shape[:3]
    # Stretches begin everywhere with the chance that leaves 1 - SHARE of the joints outside all of them.
    starts = chance.random((people, frames + BURST - 1, joints)) < 1 - (1 - SHARE) ** (1 / BURST)
    flags = np.lib.stride_tricks.sliding_window_view(starts, BURST, axis=1).any(axis=-1)
    return hidden(motion, flags)


def jittered(motion: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    moved = chance.random((*motion.keypoints.shape[:3], 1)) < SHARE
    return motion.replace(keypoints=motion.keypoints + moved * chance.normal(0, METRES, motion.keypoints.shape))


def both(motion: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    return dropped_in_bursts(jittered(motion, chance), chance)


def hidden(motion: SkeletonSequence, flags: np.ndarray) -> SkeletonSequence:
    return motion.replace(keypoints=np.where(flags[..., None], np.nan, motion.keypoints))


def clean(motion: SkeletonSequence, _: np.random.Generator) -> SkeletonSequence:
    return motion


DAMAGES: dict[str, Damage] = {
    "clean": clean,
    "dropped": dropped,
    "dropped in bursts": dropped_in_bursts,
    "jittered": jittered,
    "both": both,
}
# Of three damaged copies of a clip.
METHODS: dict[str, Callable[[list[SkeletonSequence]], SkeletonSequence]] = {
    "as it is": lambda experts: experts[0],
    "gaps filled": lambda experts: filters.fill_gaps(experts[0]),
    "Savitzky-Golay": lambda experts: filters.smooth_savitzky_golay(experts[0]),
    "One-Euro": lambda experts: filters.smooth_one_euro(experts[0]),
    "refine (all steps)": lambda experts: refine(experts[0]),
    "SST-A of three": lambda experts: aggregate_experts(experts)[0],
    "SST-A of three, refine": lambda experts: refine(experts),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = os.environ.get("MOTIONHUB_SHARED", Path(__file__).resolve().parents[3] / "shared")
    parser.add_argument("--data", type=Path, default=Path(shared) / "data")
    parser.add_argument("--model", default=str(Path(__file__).resolve().parents[2] / "hub_configs/unik-nucla-small"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--clips", type=int, help="only the first this many test clips, to try the script")
    arguments = parser.parse_args()
    model = AutoModelForActionClassification.from_pretrained(arguments.model)
    processor = AutoFeatureExtractor.from_pretrained(arguments.model)
    test = build_dataset("n-ucla", arguments.data / "nucla_views12.zip", "cross-subject")["test"]
    test = test.select(range(arguments.clips)) if arguments.clips else test
    motions = [from_row(row) for row in test]
    print(f"N-UCLA (views 1, 2), cross-subject, {len(test)} test clips, top-1, seeds {arguments.seeds} of the damage")
    print(f"{'':<24}" + "".join(f"{damage:>20}" for damage in DAMAGES))
    results: dict[tuple[str, str], list[float]] = {}
    for method in METHODS:
        line = f"{method:<24}"
        for damage in DAMAGES:
            # Nothing random happens to clean clips.
            seeds = arguments.seeds[:1] if damage == "clean" else arguments.seeds
            scores = [100 * accuracy(model, processor, test, motions, damage, method, seed) for seed in seeds]
            results[damage, method] = scores
            spread = f" ± {np.std(scores, ddof=1):.1f}" if len(scores) > 1 else ""
            line += f"{np.mean(scores):>{20 - len(spread)}.1f}{spread}"
        print(line, flush=True)
    return report_gates(results)


def accuracy(model, processor, test: Dataset, motions: list, damage: str, method: str, seed: int) -> float:
    rows = []
    for index, (motion, row) in enumerate(zip(motions, test, strict=True)):
        experts = [DAMAGES[damage](motion, np.random.default_rng([seed, expert, index])) for expert in range(3)]
        rows.append(
            to_row(
                METHODS[method](experts), clip_id=row["clip_id"], source=row["source"], licence="", label=row["label"]
            )
        )
    made = Dataset.from_list(rows, features=test.features)
    logits, labels, _ = score_clips(model, processor, made)
    return float(classification_report(logits, labels, test.features["label"].names)["top1"])


def report_gates(results: dict[tuple[str, str], list[float]]) -> int:
    """Each damage: the best step of refinement that it calls for gives back something in every seed."""
    gates = {
        f"{damage}: {method} above the damaged clips in every seed": (
            np.array(results[damage, method]) > np.array(results[damage, "as it is"])
        ).all()
        for damage, method in (
            ("dropped", "gaps filled"),
            ("dropped in bursts", "gaps filled"),
            ("jittered", "refine (all steps)"),
            ("both", "refine (all steps)"),
            ("both", "SST-A of three, refine"),
        )
    }
    print()
    for gate, holds in gates.items():
        print(f"{'holds' if holds else 'FAILS'}  {gate}")
    return 0 if all(gates.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
