"""Writes the lists of test clips and the wordings of classes from the authors' files.

    python build_lists.py --data_root FOLDER

FOLDER holds the files by the names in TASKS. Lists name clips and classes, nothing of the clips themselves.
"""

import argparse
import csv
import sys
from pathlib import Path

import motionhub


HERE = Path(__file__).resolve().parent
# task -> file, protocol, which of its splits are tested
TASKS = {
    "n-ucla": ("nucla_views12.zip", "cross-view-1-to-2", ("test",)),
    "utd-mhad": ("utd_mhad_s1-6.zip", "cross-subject", ("test",)),
    "penn-action": ("penn_action_train.zip", "random-80-20", ("train", "test")),
    "sbu": ("sbu_folds1-4.zip", "folds-test-1", ("train", "test")),
}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data_root", type=Path, required=True)
    root = parser.parse_args(argv).data_root
    wordings = []
    for task, (file, protocol, names) in TASKS.items():
        arguments = motionhub.RunArguments(task, "unik-nucla", str(root / file), protocol)
        splits = motionhub.load_splits(arguments)
        classes = motionhub.class_names_of_dataset(splits["test"])
        rows = sorted((row["clip_id"], classes[row["label"]]) for name in names for row in clips(splits[name]))
        write(HERE / "lists" / f"{task}.csv", ("clip_id", "class"), rows)
        wordings += [(task, name, motionhub.class_texts(name)[0]) for name in classes]
        print(f"{task}: {len(rows)} clips, {len(classes)} classes")
    write(HERE / "wordings.csv", ("task", "class", "wording"), wordings)


def clips(split):
    return split.select_columns(["clip_id", "label"])


def write(path: Path, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
