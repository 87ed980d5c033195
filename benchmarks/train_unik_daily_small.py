"""Train the bundled segmentation model: everyday actions and exercises, by name, in untrimmed recordings.

    python benchmarks/train_unik_daily_small.py --data FOLDER --output_dir runs/unik-daily-small

FOLDER holds the archives of SOURCES. A recording joins clips of one person, with pauses and transitions that are
labelled background; others are generated. People are held out: those of FITTED fit the decoding (the threshold and the
shortest duration) that is written to config.json, those of TESTED are scored once, at the end.
"""

import argparse
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets

import motionhub
from motionhub.cli.main import handle_cli_errors
from motionhub.data.build.build import build_dataset, rows_to_dataset
from motionhub.data.datasets.datasets import get_dataset
from motionhub.data.synthetic.generate import ACTIONS, BACKGROUND, compose
from motionhub.intervals.decode import DecodingRule
from motionhub.metrics.segmentation import FrameScores, temporal_iou, true_intervals
from motionhub.skeletons.rows import from_row, to_row
from motionhub.training.tasks.segmentation import evaluate_segmentation


# fmt: off
SOURCES = {"n-ucla": "nucla_views12.zip", "utd-mhad": "utd_mhad_s1-6.zip", "ui-prmd": "uiprmd_kinect_s1-7.npz"}
FITTED = {"n-ucla": {7}, "utd-mhad": {4}, "ui-prmd": {5}}
TESTED = {"n-ucla": {8, 9, 10}, "utd-mhad": {5, 6}, "ui-prmd": {6, 7}}
# The classes of the sources by the names of this model; a class that is absent here is left out.
NAMES = {
    "pick up with one hand": "pick up something", "pick up with two hands": "pick up something",
    "drop trash": "drop something", "walk around": "walk", "walk": "walk", "jog": "jog", "sit down": "sit down",
    "stand to sit": "sit down", "stand up": "stand up", "sit to stand": "stand up", "donning": "put on a jacket",
    "doffing": "take off a jacket", "throw": "throw", "carry": "carry something", "wave": "wave", "fall": "fall down",
    "squat": "squat", "deep squat": "squat", "drink": "drink", "kick": "kick", "clap": "clap", "jump": "jump",
    "phone call": "make a phone call", "punch": "punch", "boxing": "punch", "bow": "bow", "point": "point",
    "lunge": "lunge", "inline lunge": "lunge", "side lunge": "side lunge", "hurdle step": "step over a hurdle",
    "standing active straight leg raise": "raise a straight leg", "standing shoulder abduction": "raise an arm",
    "standing shoulder scaption": "raise an arm", "standing shoulder extension": "move an arm backward",
    "standing shoulder internal-external rotation": "rotate a forearm", "push": "push", "catch": "catch",
}
# fmt: on
CLASSES = [*dict.fromkeys(NAMES.values())]
LAYOUT, FPS = "kinect-20", 15.0
GENERATED = {"train": (1000, 260), "fit": (2000, 30), "test": (3000, 60)}  # first seed, recordings
GRID = {"threshold": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), "min_duration": (0.0, 0.3, 0.5)}
START = Path(__file__).resolve().parent.parent / "hub_configs" / "unik-precog-small"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", default="runs/unik-daily-small")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)
    real = recordings(chosen.data)
    splits = DatasetDict({part: concatenate_datasets([real[part], generated(part)]) for part in GENERATED})
    start = start_folder(Path(chosen.output_dir) / "start")
    arguments = motionhub.RunArguments(dataset="joined and generated", model=str(start), eval_split="fit")
    recipe = motionhub.TrainingRecipe(**RECIPE, output_dir=chosen.output_dir, epochs=chosen.epochs, seed=chosen.seed)
    options = motionhub.SegmentationOptions(labels="exclusive", add_background=True)
    result = motionhub.train_segmentation(splits, arguments, recipe, motionhub.AutoModelForActionSegmentation, options)
    model, processor = motionhub.load_checkpoint(result.last_dir, motionhub.AutoModelForActionSegmentation)
    rule = fitted_rule(model, processor, {"recorded": real["fit"], "generated": generated("fit")})
    model.config.decoding = {name: getattr(rule, name) for name in GRID}
    model.save_pretrained(result.last_dir)
    measured = {
        name: report_of(*evaluate_segmentation(model, processor, split), rule)
        for name, split in {"recorded": real["test"], "generated": generated("test")}.items()
    }
    report = {"decoding": model.config.decoding, "seed": chosen.seed, "minutes": result.seconds / 60, **measured}
    (Path(chosen.output_dir) / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


# Clips are turned upright, whatever axis points up.
PROCESSOR = {"upright": True, "fps": 15.0, "num_frames": 32}
RECIPE: dict[str, Any] = {
    "mode": "scratch",
    "optimizer": "adamw",
    "learning_rate": 0.002,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup_epochs": 0.3,
    "batch_size": 32,
    "max_grad_norm": 5.0,
    "mixed_precision": "no",
    "eval_epochs": 100,
    "augmentation": json.dumps(
        {
            "mirror_probability": 0.5,
            "rotation_degrees": [10.0, 180.0, 5.0],
            "scale_jitter": 0.1,
            "joint_drop_probability": 0.02,
        }
    ),
}


def start_folder(folder: Path) -> Path:
    """The configs of PRECOG's model without its classes, with windows of 2.1 seconds at 15 frames per second."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((START / "config.json").read_text())
    for name in ("id2label", "label2id", "architectures"):
        config.pop(name)
    processor = json.loads((START / "preprocessor_config.json").read_text()) | PROCESSOR
    for name, content in {"config.json": config, "preprocessor_config.json": processor}.items():
        (folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
    return folder


def recordings(data: Path) -> dict[str, Dataset]:
    """Joined recordings by split; the clips of a recording are of one person, seen by one camera."""
    rows: dict[str, list[dict[str, Any]]] = {part: [] for part in GENERATED}
    for source, file in SOURCES.items():
        protocol = "cross-subject" if source == "n-ucla" else get_dataset(source).protocols[0].name
        clips = concatenate_datasets(list(build_dataset(source, data / file, protocol).values()))
        people = defaultdict(list)
        for row in clips:
            name = NAMES.get(clips.features["label"].int2str(row["label"]))
            if name is not None:
                people[row["subject"], row["camera"]].append((CLASSES.index(name), upright_metres(row)))
        for (subject, camera), own in sorted(people.items()):
            part = "test" if subject in TESTED[source] else "fit" if subject in FITTED[source] else "train"
            chance = np.random.default_rng([subject, camera + 1, len(source)])
            for number, (keypoints, labels) in enumerate(joins(own, chance)):
                clip = motionhub.SkeletonSequence(keypoints, layout=LAYOUT, fps=FPS, unit="metre", up="y")
                facts = {"subject": subject, "camera": camera, "source": source}
                name = f"{source} person {subject} camera {camera} recording {number}"
                rows[part].append(to_row(clip, frame_labels=labels, clip_id=name, **facts))
    return {part: rows_to_dataset(some, CLASSES) for part, some in rows.items()}


def upright_metres(row: dict[str, Any]) -> np.ndarray:
    """`(frames, 20, 3)` metres, y up, of one person."""
    return motionhub.resample(motionhub.convert_layout(from_row(row), LAYOUT), FPS).keypoints[0]


def joins(clips: list[tuple[int, np.ndarray]], chance: np.random.Generator) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Recordings of four to eight clips in random order, each clip once, with what is between them."""
    order = chance.permutation(len(clips)).tolist()
    while order:
        taken = [order.pop() for _ in range(min(len(order), int(chance.integers(4, 9))))]
        frames, labels = list(clips[taken[0]][1]), [clips[taken[0]][0]] * len(clips[taken[0]][1])
        for label, keypoints in (clips[index] for index in taken[1:]):
            between = transition(frames[-1], keypoints[0], chance)
            # The next clip begins where the last one ended.
            moved = keypoints + (frames[-1][:1] - keypoints[0][:1]) * [1, 0, 1]
            frames += [*between, *moved]
            labels += [BACKGROUND] * len(between) + [label] * len(keypoints)
        yield np.asarray(frames, np.float32), labels


def transition(last: np.ndarray, first: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """The last pose for up to two seconds, then 0.3 to 1 second to the first pose of the next clip."""
    held, frames = int(chance.integers(0, 30)), int(chance.integers(5, 15))
    first = first + (last[:1] - first[:1]) * [1, 0, 1]
    place = (0.5 - 0.5 * np.cos(np.pi * np.arange(1, frames + 1) / (frames + 1)))[:, None, None]
    way = last * (1 - place) + first * place
    still = np.repeat(last[None], held, 0)
    return np.concatenate([still, way]) + chance.normal(0, 0.004, (held + frames, *last.shape))


def generated(part: str) -> Dataset:
    """Generated recordings of four to eight actions, from drawn places and cameras, with a sensor's errors."""
    first, count = GENERATED[part]
    rows = []
    for seed in range(first, first + count):
        chance = np.random.default_rng(seed)
        actions = [str(each) for each in chance.choice(ACTIONS, size=chance.integers(4, 9))]
        scene = motionhub.Scene(
            heading=float(chance.uniform(-60, 60)),
            camera_yaw=float(chance.uniform(-60, 60)),
            camera_pitch=float(chance.uniform(0, 15)),
            noise=float(chance.uniform(0, 0.015)),
            dropout=float(chance.uniform(0, 0.04)),
        )
        drawn = {"seed": chance, "scene": scene, "pause": float(chance.uniform(0.5, 2.5))}
        clip, labels = compose(actions, speed=float(chance.uniform(0.75, 1.35)), layout=LAYOUT, fps=FPS, **drawn)
        own = [BACKGROUND if label == BACKGROUND else CLASSES.index(NAMES[ACTIONS[label]]) for label in labels]
        rows.append(to_row(clip, frame_labels=own, clip_id=f"generated {seed}", source="motionhub-synthetic"))
    return rows_to_dataset(rows, CLASSES)


def fitted_rule(model: Any, processor: Any, splits: dict[str, Dataset]) -> DecodingRule:
    """The decoding of the grid whose intervals have the best F1, in the mean over both kinds of recordings."""
    scores = {name: evaluate_segmentation(model, processor, split)[1] for name, split in splits.items()}
    background = len(CLASSES)
    rules = [
        DecodingRule(exclusive=True, background=background, **dict(zip(GRID, values, strict=True)))
        for values in itertools.product(*GRID.values())
    ]
    return max(rules, key=lambda rule: np.mean([interval_scores(each, rule)["f1"] for each in scores.values()]))


def report_of(report: dict[str, Any], scores: list[FrameScores], rule: DecodingRule) -> dict[str, Any]:
    """Scores of frames and segments without a threshold, and of intervals as the rule decodes them."""
    names = ("frame_map", "frame_accuracy", "edit", "f1@10", "f1@25", "f1@50", "event_map@0.5")
    return {name: report[name] for name in names} | {"intervals": interval_scores(scores, rule)}


def interval_scores(scores: list[FrameScores], rule: DecodingRule) -> dict[str, float]:
    """An interval is right if it overlaps a true one of its class, which no other has, with an IoU of 0.5 or more."""
    right = found = true = 0
    for clip in scores:
        times = np.arange(len(clip.labels) + 1) / clip.fps
        made, truth = rule(clip.probabilities, times), true_intervals(clip.labels, rule.background)
        found, true = found + len(made), true + len(truth)
        for index in range(len(CLASSES)):
            own = [(start, end) for label, start, end, _ in made if label == index]
            theirs = [(start, end) for label, start, end in truth if label == index]
            if own and theirs:
                close = temporal_iou(own, theirs) >= 0.5  # above 0.5 no two can share one
                right += min(int(close.any(0).sum()), int(close.any(1).sum()))
    hours = sum(len(clip.labels) / clip.fps for clip in scores) / 3600
    precision, recall = right / max(found, 1), right / max(true, 1)
    f1 = 2 * right / max(found + true, 1)
    return {"precision": precision, "recall": recall, "f1": f1, "intervals": found, "true": true, "hours": hours}


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
