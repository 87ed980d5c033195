"""Do encoders trained on everyday actions tell correct from incorrect rehabilitation movements of people never seen?

    python benchmarks/claims/movement_quality.py --data FOLDER --output numbers.json

UI-PRMD by Kinect, every movement by itself; each subject's clips are scored by a fit on the other six. The arms:
movement_quality.md.
"""

import argparse
import gc
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import experiment
import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers.utils import logging as transformers_logging

import motionhub  # noqa: F401  registers the models
from motionhub.data.build.build import build_dataset
from motionhub.models.movement_quality import SkeletonForMovementQuality
from motionhub.reproduction import comparison
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.dataset import ClipDataset
from motionhub.training.sources import has_weights, load_processor
from motionhub.training.tasks.movement_quality import (
    ScoredClips,
    ScoredRows,
    frozen_features,
    held_out_report,
    leave_one_subject_out,
    scored_rows,
    scores_of_fold,
)


FILE = "uiprmd_kinect_s1-7.npz"
ARMS = ("ridge", "frozen UNIK", "random UNIK", "shuffled labels", "fine-tuned UNIK", "frozen CV-MIM")
HUB_CONFIGS = Path(__file__).resolve().parents[2] / "hub_configs"
RECURRENT_SIZE = 32
THINNING = 4  # CV-MIM has a vector for every frame, UNIK for every fourth
# (better arm, other arm): mean area under the curve over the movements that both have
GATES = (
    ("frozen UNIK", "random UNIK"),
    ("frozen UNIK", "shuffled labels"),
    ("frozen UNIK", "ridge"),
    ("frozen CV-MIM", "ridge"),
    ("fine-tuned UNIK", "frozen UNIK"),
)


def recipe_of(arm: str, seed: int, folder: str, quick: bool) -> TrainingRecipe:
    """Fixed before the first table: few epochs, because 70 folds are trained."""
    tuned = arm == "fine-tuned UNIK"
    return TrainingRecipe(
        mode="finetune" if tuned else "linear",
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.05,
        schedule="cosine",
        epochs=1 if quick else 4 if tuned else 10,
        batch_size=16,
        max_grad_norm=5.0,
        seed=seed,
        output_dir=folder,
        resume="none",
        checkpoint_epochs=1000,
        progress_bar=False,
        cpu=True,
    )


def ridge_scores(rows: ScoredRows, dataset: Any, processor: Any) -> np.ndarray:
    """Joints of 32 frames in a row, as the processor of UNIK gives them; the strength is chosen on training clips."""
    clips = ClipDataset(dataset, processor, training=False)
    joints = np.stack([clips[index]["keypoints"].numpy().reshape(-1) for index in range(len(clips))])

    def fit(trained: np.ndarray, tested: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), RidgeCV(alphas=10.0 ** np.arange(0, 7)))
        return model.fit(joints[trained], rows.truth[trained]).predict(joints[tested])

    return leave_one_subject_out(rows, fit)


def network_scores(arm: str, rows: ScoredRows, dataset: Any, source: Path, seed: int, quick: bool) -> np.ndarray:
    """Held-out scores of a GRU on an encoder, which is frozen or not."""
    processor = load_processor(source)
    with tempfile.TemporaryDirectory() as folder:
        recipe = recipe_of(arm, seed, folder, quick)
        torch.manual_seed(seed)
        whole = head_on(source, arm)
        frozen = recipe.mode == "linear"
        features = frozen_features(whole, processor, dataset) if frozen else []
        if arm == "frozen CV-MIM":
            features = [feature[::THINNING] for feature in features]
        clips = [] if frozen else [ClipDataset(dataset, processor, training=on, seed=seed) for on in (True, False)]

        def fresh() -> SkeletonForMovementQuality:
            if not frozen:
                return head_on(source, arm)
            model = SkeletonForMovementQuality(whole.config)  # a new head; the encoder is not read again
            model.encoder = whole.encoder
            return model

        def fit(trained: np.ndarray, tested: np.ndarray) -> np.ndarray:
            both = [standardised(features, trained)] * 2 if frozen else clips
            parts = [ScoredClips(each, part, rows.truth) for each, part in zip(both, (trained, tested), strict=True)]
            return scores_of_fold(fresh, processor, *parts, recipe)

        return leave_one_subject_out(rows, fit)


def head_on(source: Path, arm: str) -> SkeletonForMovementQuality:
    return SkeletonForMovementQuality.from_encoder(
        source, pretrained=arm != "random UNIK", recurrent_size=RECURRENT_SIZE, recurrent_layers=1
    )


def standardised(features: list[torch.Tensor], trained: np.ndarray) -> list[torch.Tensor]:
    """Every channel with mean 0 and deviation 1 over the frames of the training clips."""
    seen = torch.cat([features[row] for row in trained])
    mean, deviation = seen.mean(0), seen.std(0).clamp(min=1e-6)
    return [(feature - mean) / deviation for feature in features]


def shuffled(rows: ScoredRows, seed: int) -> ScoredRows:
    """The truth drawn anew among the clips of one subject and movement."""
    truth, generator = rows.truth.copy(), np.random.default_rng(seed)
    for movement in np.unique(rows.movements):
        for subject in np.unique(rows.subjects):
            chosen = np.flatnonzero((rows.movements == movement) & (rows.subjects == subject))
            truth[chosen] = generator.permutation(truth[chosen])
    return ScoredRows(truth, rows.subjects, rows.movements)


def scored(arm: str, dataset: Any, options: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """Held-out scores, true ones and subjects of one movement's clips."""
    rows = scored_rows(dataset)
    unik = HUB_CONFIGS / "unik-nucla-small"
    if arm == "shuffled labels":
        rows = shuffled(rows, seed)
    if arm == "ridge":
        held_out = ridge_scores(rows, dataset, load_processor(unik))
    else:
        source = options.cv_mim if arm == "frozen CV-MIM" else unik
        held_out = network_scores(arm, rows, dataset, source, seed, options.quick)
    return {"scores": held_out.tolist(), "truth": rows.truth.tolist(), "subjects": rows.subjects.tolist()}


def report_of(found: dict[str, dict[str, list[float]]], resamples: int) -> dict[str, Any]:
    """The report of an arm, of what is known by movement, with the accuracy at half."""
    parts = {name: np.concatenate([one[name] for one in found.values()]) for name in ("scores", "truth", "subjects")}
    movements = np.repeat(list(found), [len(one["truth"]) for one in found.values()])
    rows = ScoredRows(parts["truth"], parts["subjects"].astype(int), movements)
    report = held_out_report(rows, parts["scores"], resamples=resamples)
    for movement, entry in report["movements"].items():
        chosen = movements == movement
        entry["accuracy"] = float(((parts["scores"][chosen] > 0.5) == (rows.truth[chosen] > 0.5)).mean())
    return report


def cell(found: dict[str, float] | None) -> str:
    return "-" if found is None else f"{found['value']:.2f} [{found['lower']:.2f}, {found['upper']:.2f}]"


def mean_accuracy(report: dict[str, Any]) -> float:
    return float(np.mean([one["accuracy"] for one in report["movements"].values()]))


def table(reports: dict[str, dict[str, Any]], statistic: str) -> list[str]:
    """A row a movement, a column an arm; the last row is the mean over the movements of an arm."""
    movements = dict.fromkeys(name for report in reports.values() for name in report["movements"])
    rows = {
        name: [cell(report["movements"].get(name, {}).get(statistic)) for report in reports.values()]
        for name in movements
    }
    rows["**mean**"] = [f"{cell(one['mean'][statistic])} of {len(one['movements'])}" for one in reports.values()]
    rows["accuracy, mean"] = [f"{mean_accuracy(report):.2f}" for report in reports.values()]
    lines = comparison.markdown_head([statistic, *reports])
    return lines + [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]


def gates(seeds: Sequence[dict[str, dict[str, Any]]]) -> list[str]:
    """Differences of areas by movement, each the mean over the seeds (reports of arms) that have both."""
    lines = []
    for better, other in GATES:
        gains: dict[str, list[float]] = {}
        for reports in seeds:
            first, second = (reports.get(arm, {"movements": {}})["movements"] for arm in (better, other))
            for name in first.keys() & second.keys():
                gains.setdefault(name, []).append(first[name]["auc"]["value"] - second[name]["auc"]["value"])
        if not gains:
            continue
        means = np.asarray([np.mean(values) for values in gains.values()])
        error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
        verdict = "holds" if means.mean() > 2 * error else "FAILS"
        lines.append(
            f"- {better} - {other}, AUC over {len(means)} movements, {max(map(len, gains.values()))} seeds: "
            f"{means.mean():+.3f} +- {error:.3f} (standard error), above in {int((means > 0).sum())}; needed above "
            f"two of them: {verdict}"
        )
    return lines


def over_seeds(seeds: Sequence[dict[str, dict[str, Any]]]) -> list[str]:
    """A row an arm: mean over the movements, then mean and sample deviation over the seeds."""
    lines = comparison.markdown_head(["arm", "AUC", "Spearman", "accuracy", "movements", "seeds"])
    for arm in ARMS:
        found = [reports[arm] for reports in seeds if arm in reports]
        if found:
            columns = [[float(report["mean"][name]["value"]) for report in found] for name in ("auc", "spearman")]
            columns.append([mean_accuracy(report) for report in found])
            cells = [comparison.mean_and_deviation(values, 1, 3) for values in columns]
            movements = "/".join(sorted({str(len(report["movements"])) for report in found}))
            lines.append(f"| {' | '.join([arm, *cells, movements, str(len(found))])} |")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    quick = "one epoch, few draws: does it run"
    parser = experiment.command_line(__doc__, ARMS, seeds=[0], cache=False, quick=quick)
    parser.add_argument("--movements", type=int, nargs="+", default=list(range(1, 11)), help="1 to 10")
    parser.add_argument("--cv_mim", type=Path, default=HUB_CONFIGS / "cv-mim-small")
    parser.add_argument("--resamples", type=int, default=500)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    gc.freeze()  # the training loop collects garbage after each of many short runs
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    results = measured(build_dataset("ui-prmd", options.data / FILE)["full"], options)
    every = []
    for seed, arms in results.items():
        every.append({arm: report_of(arms[arm], options.resamples) for arm in ARMS if arms.get(arm)})
        print("\n".join([f"Seed {seed}", "", *table(every[-1], "auc"), "", *table(every[-1], "spearman"), ""]))
    print("\n".join([*over_seeds(every), "", *gates(every)]))
    return 0


def measured(dataset: Any, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Held-out scores by seed, arm and movement; those that are in the file are not measured again."""
    labels, names = np.asarray(dataset["label"]), dataset.features["label"].names
    known = options.output is not None and options.output.exists()
    results: dict[str, dict[str, Any]] = json.loads(options.output.read_text()) if known else {}
    for seed, arm in itertools.product(options.seeds, options.arms):
        if arm == "frozen CV-MIM" and not has_weights(options.cv_mim):
            print(f"{arm}: left out, {options.cv_mim} holds no weights", file=sys.stderr)
            continue
        found = results.setdefault(str(seed), {}).setdefault(arm, {})
        for name in [names[movement - 1] for movement in options.movements if names[movement - 1] not in found]:
            start = time.perf_counter()
            clips = dataset.select(np.flatnonzero(labels == names.index(name)))
            found[name] = scored(arm, clips, options, seed)
            print(f"seed {seed} {arm}, {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
            experiment.save(results, options.output)
    return results


if __name__ == "__main__":
    sys.exit(main())
