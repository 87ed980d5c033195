"""Scores predictions for a task of motionhub-zero-shot, and makes those of a model of motionhub.

    python evaluate.py score --task sbu --predictions predictions.csv --model owner/name --trained_on "nothing of SBU"
    python evaluate.py predict --task sbu --data_root sbu_folds1-4.zip --model motionhub/tmor-small --output x.csv

`predictions.csv` has the columns clip_id and class, a line for each clip of `lists/TASK.csv`. Scoring needs Python
alone; it prints the scores, and the entry of `.eval_results` for the model's repository.
"""

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path


HERE = Path(__file__).resolve().parent
DATASET = "motionhub/motionhub-zero-shot"
# task -> a protocol whose splits hold all of its clips
PROTOCOLS = {
    "n-ucla": "cross-subject",
    "utd-mhad": "cross-subject",
    "penn-action": "random-80-20",
    "sbu": "folds-test-1",
}


def read(path: Path) -> dict[str, str]:
    """Class by clip. Raises ValueError for a file without the columns, or with a clip twice."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"clip_id", "class"} <= set(rows[0]):
        raise ValueError(f"{path}: expected the columns clip_id and class.")
    twice = [name for name, count in Counter(row["clip_id"] for row in rows).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: {len(twice)} clips are there twice, such as {twice[0]}.")
    return {row["clip_id"]: row["class"] for row in rows}


def wordings(task: str) -> dict[str, str]:
    """Wording by class, of a task."""
    with (HERE / "wordings.csv").open(newline="", encoding="utf-8") as file:
        return {row["class"]: row["wording"] for row in csv.DictReader(file) if row["task"] == task}


def score(truth: dict[str, str], predicted: dict[str, str], classes: list[str]) -> dict[str, float]:
    """Top-1 and mean per-class accuracy in per cent, chance, and the number of clips.

    Raises:
        ValueError: a clip is missing or unknown, or a predicted class is none of the task.
    """
    missing, unknown = sorted(truth.keys() - predicted.keys()), sorted(predicted.keys() - truth.keys())
    if missing or unknown:
        raise ValueError(
            f"Expected a line for each of {len(truth)} clips: {len(missing)} are missing ({', '.join(missing[:3])}), "
            f"{len(unknown)} are not in the list ({', '.join(unknown[:3])})."
        )
    if strange := sorted(set(predicted.values()) - set(classes)):
        raise ValueError(f"Expected one of the classes {classes}, got {strange[:3]}.")
    right = Counter(truth[name] for name in truth if predicted[name] == truth[name])
    count = Counter(truth.values())
    return {
        "top1": 100 * sum(right.values()) / len(truth),
        "mean_class_accuracy": 100 * sum(right[name] / count[name] for name in count) / len(count),
        "chance": 100 / len(classes),
        "clips": len(truth),
    }


def predict(task: str, data_root: str, model: str) -> dict[str, str]:
    """Class by clip, of a zero-shot pipeline of motionhub among the wordings of the task.

    A clip of several people gets the class of the person whose best label scores highest.
    """
    from transformers import pipeline

    import motionhub
    from motionhub.skeletons.rows import from_row

    classes = {wording: name for name, wording in wordings(task).items()}
    classify = pipeline("zero-shot-action-classification", model=model)
    wanted = read(HERE / "lists" / f"{task}.csv")
    found = {}
    arguments = motionhub.RunArguments(task, "unik-nucla", data_root, PROTOCOLS[task])
    for split in motionhub.load_splits(arguments).values():
        for row in split.with_format("numpy"):
            if row["clip_id"] in wanted:
                people = classify(from_row(row), candidate_labels=list(classes), none_label=None)
                best = max((person["scores"][0] for person in people), key=lambda answer: answer["score"])
                found[str(row["clip_id"])] = classes[best["label"]]
    return found


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    tasks = sorted(path.stem for path in (HERE / "lists").glob("*.csv"))
    for name in ("score", "predict"):
        command = commands.add_parser(name)
        command.add_argument("--task", choices=tasks, required=True)
        command.add_argument("--model", required=True, help="its repository, owner/name")
        if name == "score":
            command.add_argument("--predictions", type=Path, required=True)
            command.add_argument("--trained_on", required=True, help='such as "nothing of SBU", or the training part')
        else:
            command.add_argument("--data_root", required=True, help="the authors' files")
            command.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(argv)
    if options.command == "predict":
        rows = sorted(predict(options.task, options.data_root, options.model).items())
        with options.output.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("clip_id", "class"), *rows])
        print(f"{options.output}: {len(rows)} clips")
        return
    truth = read(HERE / "lists" / f"{options.task}.csv")
    report = score(truth, read(options.predictions), list(wordings(options.task)))
    print("".join(f"{name}: {value:.1f}\n" for name, value in report.items()))
    notes = f"{report['clips']:.0f} clips; trained on {options.trained_on}"
    print(f".eval_results/motionhub-zero-shot.yaml of {options.model}:\n\n- dataset:\n    id: {DATASET}")
    print(f"    task_id: {options.task}\n  value: {report['mean_class_accuracy']:.1f}\n  notes: {notes!r}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"evaluate.py: {error}")
