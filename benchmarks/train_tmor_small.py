"""Train the bundled zero-shot model: recordings and synthetic motions described in words, seen from anywhere in 2-D.

    python benchmarks/train_tmor_small.py --data FOLDER --output_dir runs/tmor-small

FOLDER holds the archives of SOURCES and the described motions of `motion_sets.LICENCES` in motions/. Learned from:
N-UCLA view 1, the odd subjects of UTD-MHAD and UI-PRMD, the first three quarters of every class of Penn Action,
Bandai-Namco, described motions, and synthetic ones. `--hold NAMES` leaves sets out, to measure what the model names
on a sensor and by words that it has not learned; `--open` leaves all out whose licence does not allow every use.
`--also FOLDERS` learns from datasets of your own as well, which `motionhub dataset build` made: of humanml3d, babel,
bones-seed and snapmogen their sentences, of others their classes.
Calibrated on what is left, among it SBU, which nothing is ever learned from: scores that mean what they say, and
"none of these". It needs the text tower (pip install motionhub[text]).
"""

import argparse
import collections
import csv
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, load_dataset
from motion_sets import LICENCES, described_motions
from torch import Tensor
from transformers import AutoConfig, AutoFeatureExtractor, pipeline

import motionhub
from motionhub.cli.main import handle_cli_errors
from motionhub.data.datasets.class_phrases import bank_phrases, class_texts
from motionhub.data.synthetic.captions import (
    CaptionedClip,
    captioned_clips,
    captioned_dataset,
    described_clips,
    entailment_mask,
    opposed_mask,
    synthetic_clips,
)
from motionhub.data.synthetic.generate import ACTIONS, compose
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.metrics.open_set import auroc
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
    "msr_daily3d": "every fourth clip, trained on the others (also of its performer)",
    "kinder_gator": "every fourth clip, trained on the others (also of its performer)",
}
# fmt: on
NEVER_LEARNED = "sbu"
# Left out by turns, to see what the model makes of a sensor and of words that are new to it.
LEFT_OUT = ("utd-mhad", "msr_daily3d")
FREE = ("cmu", "game_cc0", "misc_mocap")  # any use of the weights is allowed
HELD_OUT = 250  # clips of a dataset, at most
ROWS = 80_000
# Classes nearer than this are not told apart; of the texts that a clip is compared with so many are a class's mean.
SIMILAR, MEANS = 0.8, 0.4
# Texts of other clips that a clip is compared with.
QUEUE = 256

# What a calibration fits.
LEVELS = ("score_temperature", "rejection_threshold", "window_rejection_threshold", "calibrated_stacking")

# Clips, their labels as numbers, and what the labels are called.
HeldOut = tuple[list[SkeletonSequence], list[int], list[str]]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", default="runs/tmor-small")
    parser.add_argument("--synthetic_takes", type=int, default=16, help="clips of each synthetic motion")
    parser.add_argument("--rows", type=int, default=ROWS, help="views of clips to learn from")
    parser.add_argument("--epochs", type=int, default=None, help="default: of the recipe in hub_configs/tmor-small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold", nargs="*", default=[], help="sets that nothing is learned from")
    parser.add_argument("--open", action="store_true", help="only motions whose licence allows every use")
    parser.add_argument("--also", nargs="*", default=[], help="folders of built datasets to learn from as well")
    parser.add_argument("--checkpoint", type=Path, help="calibrate and measure this model, without training")
    parser.add_argument("--calibrated_by", type=Path, help="a run of --hold whose scores and levels to take over")
    chosen = parser.parse_args(argv)
    recipe = TrainingRecipe.from_file(START, output_dir=chosen.output_dir, seed=chosen.seed)
    if chosen.epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=chosen.epochs)
    tower = load_text_tower(AutoConfig.from_pretrained(START).text_tower)
    held = {*SOURCES, *LICENCES} - {*FREE} if chosen.open else {NEVER_LEARNED, *chosen.hold}
    learned, held_out = sets_of(chosen.data, held)
    folder = chosen.checkpoint
    if folder is None:
        learned["synthetic"] = list(synthetic_clips(chosen.synthetic_takes))
        learned |= {each: list(described_clips(load_dataset(each, "full", split="full"))) for each in chosen.also}
        folder = trained(learned, chosen.rows, recipe, tower)
        write_provenance(learned, folder / "provenance.csv")
    pipe = pipeline("zero-shot-action-classification", model=str(folder))
    if chosen.calibrated_by:
        levels = AutoConfig.from_pretrained(chosen.calibrated_by)
        pipe.model.config.update({name: getattr(levels, name) for name in LEVELS})
    else:
        calibrate(pipe, {name: held_out[name] for name in held_out if name in held or not chosen.hold})
    how = "--open" if chosen.open else " ".join(["--hold", *chosen.hold] if chosen.hold else [])
    save(pipe, Path(chosen.output_dir) if chosen.checkpoint else folder, held_out, held, how)


def calibrate(pipe: Any, held_out: dict[str, HeldOut]) -> None:
    """Scores and "none of these" by clips of sets that nothing was learned from.

    Windows of untrimmed recordings show nothing most of the time: their threshold is fitted on synthetic ones.
    """
    fitted = pipe.calibrate(list(held_out.values()))
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


def save(pipe: Any, folder: Path, held_out: dict[str, HeldOut], held: set[str], how: str) -> None:
    """The checkpoint, with the table of its card."""
    pipe.save_pretrained(folder)
    results = measured(pipe, held_out, f"python benchmarks/train_tmor_small.py --data FOLDER {how}".strip(), held)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print("\n".join(f"{each['benchmark']}: {each['metric']} {each['value']}" for each in results))


def sets_of(data: Path, held: set[str]) -> tuple[dict[str, list[CaptionedClip]], dict[str, HeldOut]]:
    """Of each set the clips to learn from, and those held out: all of the sets in `held`."""
    learned: dict[str, list[CaptionedClip]] = {}
    held_out: dict[str, HeldOut] = {}
    for name, file in SOURCES.items():
        rows = motionhub.build_dataset(name, data / file)["full"]
        names, known = rows.features["label"].names, trained_on(name, rows)
        if name in held:
            known[:] = False
        learned[name] = list(captioned_clips(rows, {each: class_texts(each) for each in names}, np.flatnonzero(known)))
        others = rows.select(np.flatnonzero(~known & (np.asarray(rows["num_frames"]) > 4))).shuffle(seed=0)
        others = others.select(range(min(HELD_OUT, len(others))))
        if len(others):
            clips = [most_moving(from_row(row)) for row in others.with_format("numpy")]
            held_out[name] = (clips, list(others["label"]), [class_texts(each)[0] for each in names])
    for name in LICENCES:
        clips = list(described_motions(data / "motions", name))
        apart = [clip for clip in clips if name in held or (name in SPLITS and clip.subject % 4 == 3)]
        learned[name] = [clip for clip in clips if not (name in held or (name in SPLITS and clip.subject % 4 == 3))]
        if name in SPLITS and apart:
            names = sorted({clip.phrases[0] for clip in clips})
            some = [apart[each] for each in np.random.default_rng(0).permutation(len(apart))[:HELD_OUT]]
            held_out[name] = ([clip.sequence for clip in some], [names.index(clip.phrases[0]) for clip in some], names)
    return {name: clips for name, clips in learned.items() if clips}, held_out


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


def trained(learned: dict[str, list[CaptionedClip]], rows: int, recipe: TrainingRecipe, tower: TextTower) -> Path:
    """Where the model and its text bank lie."""
    dataset, phrases = captioned_dataset(balanced(learned, rows, recipe.seed), rows_per_clip=1, seed=recipe.seed)
    vectors = [tower.encode(each) for each in phrases]
    objective = TMor(
        losses=("mt",),
        text_features=[with_means(each) for each in vectors],
        queue_size=QUEUE,
        entailment_mask=torch.from_numpy(entailment_mask(phrases) | (alike(vectors) & ~opposed_mask(phrases))),
    )
    torch.manual_seed(recipe.seed)
    model = motionhub.TMorModel(AutoConfig.from_pretrained(START))
    result = train(model, AutoFeatureExtractor.from_pretrained(START), dataset, None, recipe, objective=objective)
    folder = Path(result.last_dir)
    bank_of(phrases, tower).save_pretrained(folder)
    pipe = pipeline("zero-shot-action-classification", model=str(folder))
    names = pipe.model.base_model.get_text_features(torch.stack([each[0] for each in vectors])).pooler_output.detach()
    pipe.model.base_model.typical_motion.measure_scale(pipe.embeddings(typical(dataset)), names)
    pipe.save_pretrained(folder)
    return folder


def write_provenance(learned: dict[str, list[CaptionedClip]], path: Path) -> None:
    """Every clip that was learned from: its name, its source and its licence."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["set", "clip", "name", "source", "licence"])
        for name, clips in learned.items():
            table.writerows([name, clip.clip_id, clip.phrases[0], clip.source, clip.licence] for clip in clips)


def balanced(learned: dict[str, list[CaptionedClip]], rows: int, seed: int) -> list[CaptionedClip]:
    """About so many clips: more of a small set and of a rare class, by the square root of their sizes."""
    every = [(clip, name) for name, clips in learned.items() for clip in clips]
    per_set, per_class = (collections.Counter(key(each) for each in every) for key in (set_of, class_of))
    share = np.array([(per_set[set_of(each)] * per_class[class_of(each)]) ** -0.5 for each in every])
    wanted = rows * share / share.sum()
    copies = np.floor(wanted + np.random.default_rng(seed).random(len(every))).astype(int)
    return [clip for (clip, _), count in zip(every, copies, strict=True) for _ in range(count)]


def set_of(each: tuple[CaptionedClip, str]) -> str:
    return each[1]


def class_of(each: tuple[CaptionedClip, str]) -> str:
    return each[0].phrases[0]


def with_means(vectors: Tensor) -> Tensor:
    """The vectors of a class's phrases and, as `MEANS` of what is drawn, their mean."""
    mean = torch.nn.functional.normalize(vectors.float(), dim=-1).mean(0, keepdim=True)
    return torch.cat([vectors.float(), mean.repeat(max(1, round(len(vectors) * MEANS / (1 - MEANS))), 1)])


def alike(vectors: Sequence[Tensor]) -> np.ndarray:
    """`(classes, classes)` bool: classes whose mean vectors are nearer than `SIMILAR`."""
    means = torch.stack([torch.nn.functional.normalize(each.float(), dim=-1).mean(0) for each in vectors])
    means = torch.nn.functional.normalize(means, dim=-1)
    found = torch.cat([rows @ means.T > SIMILAR for rows in means.split(1024)])  # texts may be tens of thousands
    return found.fill_diagonal_(False).numpy()


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


def measured(pipe: Any, held_out: dict[str, HeldOut], command: str, held: set[str]) -> list[dict[str, Any]]:
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
        split = "trained on none of it" if name in held else SPLITS[name]
        benchmark = f"{name} by names ({len(names)} classes), {split}"
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
