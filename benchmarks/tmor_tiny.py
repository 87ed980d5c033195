"""The clips that tmor-tiny is distilled on, and what it names beside its teacher.

    python benchmarks/tmor_tiny.py rows --data FOLDER --out clips
    python examples/distill_zero_shot.py --teacher hub_configs/tmor-small --model hub_configs/tmor-tiny \
        --mode scratch --dataset clips --eval_split train --output_dir runs/tmor-tiny
    python benchmarks/tmor_tiny.py measure --data FOLDER --student runs/tmor-tiny/student

FOLDER, the clips and the held-out clips are those of `train_tmor_small.py`; nothing is learned from SBU.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from train_tmor_small import NEVER_LEARNED, ROWS, balanced, measured, sets_of
from transformers import pipeline

from motionhub.cli.main import handle_cli_errors
from motionhub.data.synthetic.captions import captioned_dataset, synthetic_clips


TASK, METRIC = "zero-shot-action-classification", "mean per-class accuracy"
TAKES = 16  # clips of each synthetic motion


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("rows", "measure"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("clips"))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--student", type=Path)
    parser.add_argument("--teacher", default="hub_configs/tmor-small")
    chosen = parser.parse_args(argv)
    learned, held_out = sets_of(chosen.data, {NEVER_LEARNED})
    if chosen.what == "rows":
        learned["synthetic"] = list(synthetic_clips(TAKES))
        write_rows(learned, chosen.rows, chosen.out)
        return
    if chosen.student is None:
        raise ValueError("measure needs the student's folder: --student runs/tmor-tiny/student")
    command = f"python benchmarks/tmor_tiny.py measure --data FOLDER --student {chosen.student.name}"
    found = {name: results_of(name, held_out, command) for name in (str(chosen.student), chosen.teacher)}
    (chosen.student / "results.json").write_text(json.dumps(found[str(chosen.student)], indent=2) + "\n")
    print(table(*found.values()))


def write_rows(learned: dict[str, Any], rows: int, out: Path) -> None:
    """A folder that `datasets.load_dataset` reads."""
    dataset, _ = captioned_dataset(balanced(learned, rows, seed=0), rows_per_clip=1, seed=0)
    (out / "train").mkdir(parents=True)
    dataset.to_parquet(out / "train" / "0.parquet")
    print(f"{out}: {len(dataset)} clips")


def results_of(model: str, held_out: dict[str, Any], command: str) -> list[dict[str, Any]]:
    """As the card's results."""
    return measured(pipeline(TASK, model=model), held_out, command, {NEVER_LEARNED})


def table(student: list[dict[str, Any]], teacher: list[dict[str, Any]]) -> str:
    """Mean per-class accuracy of every set and its mean, per cent."""
    pairs = [
        (own["benchmark"], own["value"], other["value"])
        for own, other in zip(student, teacher, strict=True)
        if own["metric"] == METRIC
    ]
    means = np.mean([pair[1:] for pair in pairs], axis=0).round(1).tolist()
    rows = [*pairs, ("mean", *means)]
    return "\n".join([f"{METRIC}: student, teacher", *(f"{name}: {own} {other}" for name, own, other in rows)])


if __name__ == "__main__":
    sys.exit(handle_cli_errors(lambda: main(sys.argv[1:])))
