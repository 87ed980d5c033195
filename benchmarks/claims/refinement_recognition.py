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
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import AutoFeatureExtractor

from motionhub import AutoModelForActionClassification, SkeletonSequence, aggregate_experts, refine
from motionhub.data.build.build import build_dataset
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

GATES = (
    ("dropped", "gaps filled"),
    ("dropped in bursts", "gaps filled"),
    ("jittered", "refine (all steps)"),
    ("both", "refine (all steps)"),
    ("both", "SST-A of three, refine"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = os.environ.get("MOTIONHUB_SHARED", Path(__file__).resolve().parents[3] / "shared")
    parser.add_argument("--data", type=Path, default=Path(shared) / "data")
    parser.add_argument("--model", default=str(Path(__file__).resolve().parents[2] / "hub_configs/unik-nucla-small"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--damages", nargs="+", default=list(DAMAGES), choices=list(DAMAGES))
    parser.add_argument("--every", type=int, default=1, help="take every N-th test clip only")
    parser.add_argument("--output", type=Path, help="a JSON file of what was measured: it is not measured again")
    arguments = parser.parse_args()
    results = json.loads(arguments.output.read_text()) if arguments.output and arguments.output.exists() else {}
    model = AutoModelForActionClassification.from_pretrained(arguments.model)
    processor = AutoFeatureExtractor.from_pretrained(arguments.model)
    test = build_dataset("n-ucla", arguments.data / "nucla_views12.zip", "cross-subject")["test"]
    test = test.select(range(0, len(test), arguments.every))
    motions = [from_row(row) for row in test]
    for damage in arguments.damages:
        for seed in arguments.seeds if damage != "clean" else [0]:  # nothing random happens to clean clips
            for method in METHODS:
                cell = results.setdefault(damage, {}).setdefault(method, {})
                if str(seed) not in cell:
                    cell[str(seed)] = accuracy(model, processor, test, motions, damage, method, seed)
            if arguments.output:
                arguments.output.write_text(json.dumps(results))
    print(f"N-UCLA (views 1, 2), cross-subject, {len(test)} test clips, top-1")
    return table(results)


def accuracy(model, processor, test: Dataset, motions: list, damage: str, method: str, seed: int) -> float:
    rows = []
    for index, (motion, row) in enumerate(zip(motions, test, strict=True)):
        experts = [DAMAGES[damage](motion, np.random.default_rng([seed, expert, index])) for expert in range(3)]
        about = {name: row[name] for name in ("clip_id", "source", "licence", "label")}
        rows.append(to_row(METHODS[method](experts), **about))
    made = Dataset.from_list(rows, features=test.features)
    logits, labels, _ = score_clips(model, processor, made)
    return 100 * float(classification_report(logits, labels, test.features["label"].names)["top1"])


def table(results: dict[str, dict[str, dict[str, float]]]) -> int:
    print("| | " + " | ".join(results) + " |\n|" + "---|" * (1 + len(results)))
    for method in METHODS:
        cells = []
        for rows in results.values():
            scores = list(rows[method].values())
            cells.append(f"{np.mean(scores):.1f}" + (f" ± {np.std(scores, ddof=1):.1f}" if len(scores) > 1 else ""))
        print(f"| {method} | " + " | ".join(cells) + " |")
    return report_gates(results)


def report_gates(results: dict[str, dict[str, dict[str, float]]]) -> int:
    """What refinement gives back, in every seed, where a damage has a step made for it."""
    gates = {}
    for damage, method in GATES:
        if damage in results:
            refined, damaged = (results[damage][name] for name in (method, "as it is"))
            name = f"{damage}: {method} is above the damaged clips in every seed"
            gates[name] = all(refined[seed] > damaged[seed] for seed in damaged)
    print()
    for gate, holds in gates.items():
        print(f"{'holds' if holds else 'FAILS'}  {gate}")
    return 0 if all(gates.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
