"""Train the bundled zero-shot model: recordings and synthetic motions described in words, seen from anywhere in 2-D.

    python benchmarks/train_tmor_small.py --data FOLDER --output_dir runs/tmor-small

FOLDER holds the archives of SOURCES. Learned from: N-UCLA view 1, the odd subjects of UTD-MHAD and UI-PRMD, the first
three quarters of every class of Penn Action, Bandai-Namco, and synthetic motions. Calibrated on what is left of the
first four, and on SBU, another sensor's recordings that nothing was learned from: scores that mean what they say, and
"none of these". Labels that were never learned get a bonus, fitted on a model that is trained for a shorter time
without every fifth class of the recordings. It needs the text tower (pip install motionhub[text]).
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoConfig, AutoFeatureExtractor, pipeline

import motionhub
from motionhub.cli.main import handle_cli_errors
from motionhub.data.datasets.class_phrases import bank_phrases, class_texts
from motionhub.data.synthetic.captions import (
    CaptionedClip,
    captioned_clips,
    captioned_dataset,
    entailment_mask,
    synthetic_clips,
)
from motionhub.data.synthetic.generate import ACTIONS, compose
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.metrics.open_set import auroc, fit_calibrated_stacking, seen_and_unseen
from motionhub.objectives.t_mor import TMor
from motionhub.pipelines.zero_shot import MOST_NONE
from motionhub.skeletons.rows import from_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.towers.text_bank import TextBank
from motionhub.towers.text_towers import TextTower, load_text_tower
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.trainer import train


START = Path(__file__).resolve().parent.parent / "hub_configs" / "tmor-small"
# fmt: off
SOURCES = {
    "n-ucla": "nucla_views12.zip", "utd-mhad": "utd_mhad_s1-6.zip", "penn-action": "penn_action_train.zip",
    "ui-prmd": "uiprmd_kinect_s1-7.npz", "bandai-namco": "bandai_namco_2_subset.zip", "sbu": "sbu_folds1-4.zip",
}
SPLITS = {
    "n-ucla": "view 2, trained on view 1", "utd-mhad": "subjects 2, 4, 6, trained on 1, 3, 5",
    "penn-action": "last quarter of each class of the training files, trained on the rest",
    "ui-prmd": "subjects 2, 4, 6, trained on 1, 3, 5, 7", "sbu": "whoever moves more, trained on none of it",
    "msr_daily3d": "trained on none of it", "kinder_gator": "trained on none of it",
}
# fmt: on
NEVER_LEARNED = "sbu"
ABROAD = ("msr_daily3d", "kinder_gator")  # never learned either
HELD_OUT = 250  # clips of a dataset, at most
EVERY, INNER_EPOCHS = 5, 4  # classes that play unseen, and how long that model learns

# Clips, their labels as numbers, and what the labels are called.
HeldOut = tuple[list[SkeletonSequence], list[int], list[str]]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", default="runs/tmor-small")
    parser.add_argument("--synthetic_takes", type=int, default=10, help="clips of each synthetic motion")
    parser.add_argument("--epochs", type=int, default=None, help="default: of the recipe in hub_configs/tmor-small")
    parser.add_argument("--checkpoint", type=Path, help="calibrate and measure this model, without training")
    chosen = parser.parse_args(argv)
    recipe = TrainingRecipe.from_file(START, output_dir=chosen.output_dir)
    if chosen.epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=chosen.epochs)
    tower = load_text_tower(AutoConfig.from_pretrained(START).text_tower)
    recordings, held_out = recordings_of(chosen.data)
    abroad = {NEVER_LEARNED: held_out.pop(NEVER_LEARNED), **recordings_abroad(chosen.data / "motions")}
    if chosen.checkpoint:
        pipe = pipeline("zero-shot-action-classification", model=str(chosen.checkpoint))
        calibrate(pipe, held_out, abroad)
        save(pipe, Path(chosen.output_dir), {**held_out, **abroad})
        return
    captioned = [*synthetic_clips(chosen.synthetic_takes), *recordings]
    bonus = fitted_bonus(captioned, recordings, held_out, recipe, tower)
    folder, dataset, phrases = trained(captioned, recipe, tower)
    bank = bank_of(phrases, tower)
    bank.save_pretrained(folder)
    pipe = pipeline("zero-shot-action-classification", model=str(folder))
    pipe.model.config.calibrated_stacking = bonus
    pipe.model.base_model.typical_motion.measure(pipe.embeddings(typical(dataset)))
    calibrate(pipe, held_out, abroad)
    save(pipe, folder, {**held_out, **abroad})


def calibrate(pipe: Any, held_out: dict[str, HeldOut], abroad: dict[str, HeldOut]) -> None:
    """Scores and "none of these" by clips that were held out, of which three sets are of sensors never learned.

    Windows of untrimmed recordings show nothing most of the time: their threshold is fitted on synthetic ones.
    """
    fitted = pipe.calibrate([*held_out.values(), *abroad.values()])
    pipe.model.config.update(fitted.config)
    parts = {"feature_extractor": pipe.feature_extractor, "text_bank": pipe.text_bank}
    find = pipeline("zero-shot-action-segmentation", model=pipe.model, **parts)
    names = [class_texts(action)[0] for action in ACTIONS]
    recordings = [(clip, frames, names) for clip, frames in synthetic_recordings(30)]
    of_windows = find.calibrate_windows(recordings, most_none=MOST_NONE)
    pipe.model.config.update(of_windows.config)
    print(fitted, of_windows, sep="\n")


def synthetic_recordings(count: int, *, seed: int = 5) -> Iterator[tuple[SkeletonSequence, np.ndarray]]:
    """Untrimmed recordings of four actions, with the number in `synthetic.ACTIONS` of every frame, -1 in between."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        actions, speed = [str(action) for action in chance.choice(ACTIONS, 4)], float(chance.uniform(0.8, 1.3))
        yield compose(actions, seed=1000 + number, pause=1.0, speed=speed)


def save(pipe: Any, folder: Path, held_out: dict[str, HeldOut]) -> None:
    """The checkpoint, with the table of its card."""
    pipe.save_pretrained(folder)
    results = measured(pipe, held_out, "python benchmarks/train_tmor_small.py --data FOLDER")
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print("\n".join(f"{each['benchmark']}: {each['metric']} {each['value']}" for each in results))


def recordings_abroad(folder: Path) -> dict[str, HeldOut]:
    """Kinect recordings of other authors, as arrays: nothing is learned from them, and some measure and calibrate."""
    found: dict[str, HeldOut] = {}
    for name in ABROAD:
        content = dict(np.load(folder / f"{name}.npz"))
        points = np.where(content["frames"] == -32768, np.nan, content["frames"] * content["scale"])
        labels = sorted(set(content["label"].tolist()))
        pick = np.random.default_rng(0).permutation(len(content["label"]))[:HELD_OUT].tolist()
        cuts = [points[content["offsets"][each] : content["offsets"][each + 1]] for each in pick]
        clips = [SkeletonSequence(cut[None], "kinect-20", 30, "metre", up="y") for cut in cuts]
        found[name] = (clips, [labels.index(content["label"][each]) for each in pick], labels)
    return found


def recordings_of(data: Path) -> tuple[list[CaptionedClip], dict[str, HeldOut]]:
    """The clips to learn from, and of each dataset those held out."""
    captioned: list[CaptionedClip] = []
    held_out: dict[str, HeldOut] = {}
    for name, file in SOURCES.items():
        rows = motionhub.build_dataset(name, data / file)["full"]
        names, known = rows.features["label"].names, trained_on(name, rows)
        if name == NEVER_LEARNED:
            known[:] = False
        captioned += captioned_clips(rows, {each: class_texts(each)[:6] for each in names}, np.flatnonzero(known))
        others = rows.select(np.flatnonzero(~known & (np.asarray(rows["num_frames"]) > 4))).shuffle(seed=0)
        others = others.select(range(min(HELD_OUT, len(others))))
        if len(others):
            clips = [most_moving(from_row(row)) for row in others.with_format("numpy")]
            held_out[name] = (clips, list(others["label"]), [class_texts(each)[0] for each in names])
    return captioned, held_out


def trained_on(name: str, rows: Dataset) -> np.ndarray:
    """Which clips of a dataset tmor-small is trained on, `(clips,)` bool; the others are held out.

    N-UCLA: view 1. Penn Action: the first three quarters of each class. Bandai-Namco: all. Others: odd subjects.
    """
    labels = np.asarray(rows["label"])
    if name == "n-ucla":
        return np.asarray(np.asarray(rows["camera"]) == min(rows["camera"]))
    if name == "penn-action":
        before = np.array([(labels[:index] == label).sum() for index, label in enumerate(labels)])
        return np.asarray(before < 0.75 * np.bincount(labels)[labels])
    return np.asarray(labels >= 0 if name == "bandai-namco" else np.asarray(rows["subject"]) % 2 == 1)


def most_moving(sequence: SkeletonSequence) -> SkeletonSequence:
    steps = np.abs(np.nan_to_num(np.diff(sequence.keypoints, axis=1))).sum((1, 2, 3))
    return sequence.person(int(steps.argmax()))


def trained(
    captioned: Sequence[CaptionedClip], recipe: TrainingRecipe, tower: TextTower, rows_per_clip: int = 4
) -> tuple[Path, Dataset, list[tuple[str, ...]]]:
    """Where the model lies, what it learned from, and the phrases of each class."""
    dataset, phrases = captioned_dataset(captioned, rows_per_clip=rows_per_clip)
    processor = AutoFeatureExtractor.from_pretrained(START)
    objective = TMor(
        losses=("mt",),
        text_features=[tower.encode(each) for each in phrases],
        text_negatives="classes",
        entailment_mask=torch.from_numpy(entailment_mask(phrases)),
    )
    torch.manual_seed(recipe.seed)
    model = motionhub.TMorModel(AutoConfig.from_pretrained(START))
    result = train(model, processor, dataset, None, recipe, objective=objective)
    return Path(result.last_dir), dataset, phrases


def typical(dataset: Dataset) -> list[SkeletonSequence]:
    some = dataset.shuffle(seed=0).select(range(min(1500, len(dataset))))
    return [from_row(row) for row in some.with_format("numpy")]


def bank_of(phrases: Sequence[Sequence[str]], tower: TextTower) -> TextBank:
    """Phrases of the library and of its synthetic motions; those that were learned are marked."""
    said = [text for motion in captioned_motions() for text in motion.phrases]
    known, aliases = bank_phrases()
    bank = TextBank.build([*known, *said], aliases, tower=tower)
    bank.learned = [text for texts in phrases for text in texts if text in bank]
    return bank


def fitted_bonus(
    captioned: Sequence[CaptionedClip],
    recordings: Sequence[CaptionedClip],
    held_out: dict[str, HeldOut],
    recipe: TrainingRecipe,
    tower: TextTower,
) -> float:
    """What labels get that were never learned: fitted where every fifth class of the recordings is not learned."""
    names = sorted({clip.phrases[0] for clip in recordings})
    hidden = set(names[::EVERY])
    unsaid = {phrase for clip in captioned if clip.phrases[0] in hidden for phrase in clip.phrases}
    left = [clip for clip in captioned if not unsaid & set(clip.phrases)]
    inner = dataclasses.replace(
        recipe, output_dir=f"{recipe.output_dir}-inner", epochs=min(INNER_EPOCHS, recipe.epochs)
    )
    folder, dataset, _ = trained(left, inner, tower, rows_per_clip=2)
    pipe = pipeline("zero-shot-action-classification", model=str(folder), text_bank=None, text_tower=tower)
    pipe.model.base_model.typical_motion.measure(pipe.embeddings(typical(dataset)))
    scores, truth = [], []
    for clips, labels, own in held_out.values():
        scores.append(pipe.clip_similarities(clips, pipe.candidates(names)).numpy())
        truth += [names.index(own[label]) for label in labels]
    unseen = np.array([name in hidden for name in names])
    bonus = fit_calibrated_stacking(np.concatenate(scores), truth, unseen)
    for given in (0.0, bonus):
        print(f"bonus {given:.2f}: seen and unseen {seen_and_unseen(np.concatenate(scores), truth, unseen, given)}")
    return bonus


def measured(pipe: Any, held_out: dict[str, HeldOut], command: str) -> list[dict[str, Any]]:
    """As the card's results: by the names of each dataset."""
    results = []
    for name, (clips, labels, names) in held_out.items():
        candidates, truth = pipe.candidates(names), np.asarray(labels)
        similarity = pipe.clip_similarities(clips, candidates)
        table = pipe.ranked(similarity, candidates).numpy()
        likely = pipe.probabilities(similarity, candidates, False, True).numpy()
        right = table.argmax(1) == truth
        others = similarity.numpy().copy()
        others[np.arange(len(truth)), truth] = -np.inf
        numbers = {
            "top-1": right.mean(),
            "mean per-class accuracy": np.mean([right[truth == label].mean() for label in np.unique(truth)]),
            'AUROC of "none of these"': auroc(similarity.numpy().max(1), others.max(1)),
            '"none of these" first': np.mean(likely.argmax(1) == len(names)),
            "expected calibration error": calibration_error(likely.max(1), likely.argmax(1) == truth),
        }
        benchmark = f"{name} by names ({len(names)} classes), {SPLITS[name]}"
        for metric, value in numbers.items():
            results.append({"benchmark": benchmark, "metric": metric, "value": round(100 * float(value), 1),
                            "command": command})  # fmt: skip
    return results


def calibration_error(score: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Mean distance of score and accuracy over ten bins of equal width, weighted by their clips."""
    place = np.minimum((score * bins).astype(int), bins - 1)
    gaps = [abs(float(score[place == bin].mean() - right[place == bin].mean())) * (place == bin).mean()
            for bin in np.unique(place)]  # fmt: skip
    return float(np.sum(gaps))


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
