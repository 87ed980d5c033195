"""Does refinement bring back the actions that missing and shaking joints cost? UNIK on damaged N-UCLA clips.

    python benchmarks/claims/refinement_recognition.py [--data DIR] [--model DIR] [--seeds 0 1 2]

Only the test clips are damaged, and nothing is fitted. The damages: refinement.md.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import experiment
import numpy as np
from datasets import Dataset
from transformers import AutoFeatureExtractor

from motionhub import AutoModelForActionClassification, SkeletonSequence, aggregate_experts, refine
from motionhub.data.build.build import build_dataset
from motionhub.metrics.classification import classification_report
from motionhub.poses import filters
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Results, Scores
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


def main(argv: Sequence[str] | None = None) -> int:
    parser = experiment.command_line(__doc__, cache=False)
    parser.add_argument("--model", default=str(Path(__file__).resolve().parents[2] / "hub_configs/unik-nucla-small"))
    parser.add_argument("--damages", nargs="+", default=list(DAMAGES), choices=list(DAMAGES))
    parser.add_argument("--every", type=int, default=1, help="take every N-th test clip only")
    arguments = parser.parse_args(argv)
    model = AutoModelForActionClassification.from_pretrained(arguments.model)
    processor = AutoFeatureExtractor.from_pretrained(arguments.model)
    test = build_dataset("n-ucla", arguments.data / "nucla_views12.zip", "cross-subject")["test"]
    test = test.select(range(0, len(test), arguments.every))
    motions = [from_row(row) for row in test]
    results = experiment.read(arguments.output)

    def score(method: str, seed: Any) -> Scores:
        known = results.get(method, {}).get(str(seed), {})  # is not measured again
        random = [damage for damage in arguments.damages if (damage == "clean") == (seed == "")]
        return {
            damage: accuracy(model, processor, test, motions, damage, method, seed or 0)
            for damage in random
            if damage not in known
        }

    for seeds in ([""], arguments.seeds):  # nothing random happens to clean clips
        experiment.measure(list(METHODS), seeds, score, arguments.output, results)
    print(f"N-UCLA (views 1, 2), cross-subject, {len(test)} test clips, top-1")
    damages = [name for name in DAMAGES if name in comparison.columns_of(results)]
    print("\n".join(comparison.table(results, damages, head="")))
    return report_gates(results)


def accuracy(
    model: Any, processor: Any, test: Dataset, motions: list[Any], damage: str, method: str, seed: int
) -> float:
    rows = []
    for index, (motion, row) in enumerate(zip(motions, test, strict=True)):
        experts = [DAMAGES[damage](motion, np.random.default_rng([seed, expert, index])) for expert in range(3)]
        about = {name: row[name] for name in ("clip_id", "source", "licence", "label")}
        rows.append(to_row(METHODS[method](experts), **about))
    made = Dataset.from_list(rows, features=test.features)
    logits, labels, _ = score_clips(model, processor, made)
    return float(classification_report(logits, labels, test.features["label"].names)["top1"])


def report_gates(results: Results) -> int:
    """What refinement gives back, in every seed, where a damage has a step made for it."""
    gates = {}
    for damage, method in GATES:
        gains = comparison.paired_gains(results, method, "as it is", damage)
        if gains:
            gates[f"{damage}: {method} is above the damaged clips in every seed"] = min(gains.values()) > 0
    return comparison.report_gates(gates)


if __name__ == "__main__":
    sys.exit(main())
