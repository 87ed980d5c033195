r"""One camera trains, all cameras test: what a classifier knows of the views it was not taught (CV-MIM, tables 1, 3).

    python examples/single_shot.py --dataset penn-action --data_root penn_action_train.zip --protocol random-80-20 \
        --model hub_configs/cv-mim-small --mode linear --learning_rate 0.05 --epochs 20 --output_dir runs/one-side

The model learns from the training clips of one camera and names the test clips of all; then the next camera, from the
start again. `--mode linear` keeps the encoder as it is, `finetune` and `scratch` do not; `--label_fraction 0.1` is the
limited supervision. A row is a camera: accuracy over all test clips, over those of classes it has shown, over its own
and the others' views. The report is OUTPUT_DIR/metrics.json; each camera's model stays in OUTPUT_DIR/camera NAME.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

import motionhub


COLUMNS = {"top1": "all", "top1_known": "known", "same_camera": "own view", "other_cameras": "others"}


def main(argv: list[str]) -> None:
    arguments, recipe = motionhub.parse_training(argv, __doc__.split("\n")[0])
    if arguments.stream:
        raise ValueError("The clips of a camera are chosen by row: leave --stream out.")
    splits = motionhub.load_splits(arguments)
    tests = splits[arguments.eval_split]
    names = (
        {number: side for side, number in motionhub.CAMERA_SIDES.items()}
        if set(tests["source"]) == {"penn-action"}
        else {}
    )

    def fit(rows: Dataset) -> Any:
        camera = rows[0]["camera"]
        folder = str(Path(recipe.output_dir) / f"camera {names.get(camera, camera)}")
        model, processor = motionhub.prepare_start(arguments, recipe, rows, motionhub.AutoModelForActionClassification)
        motionhub.train(model, processor, rows, None, recipe.replace(output_dir=folder))
        return np.argmax(motionhub.score_clips(model, processor, tests)[0], axis=1)

    report = motionhub.single_shot(splits["train"], tests, fit, camera_names=names)
    if os.environ.get("RANK", "0") != "0":  # another process of the same run says it
        return
    print("".join(f"{title:>10}" for title in ("camera", "clips", *COLUMNS.values())))
    for camera, entry in report["cameras"].items():
        print(f"{camera:>10}{entry['num_clips']:>10}" + "".join(f"{shown(entry[name]):>10}" for name in COLUMNS))
    print(f"{'mean':>10}{'':>10}{shown(report['top1']):>10}{shown(report['top1_known']):>10}")
    motionhub.save_report(recipe.output_dir, report)


def shown(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
