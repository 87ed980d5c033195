r"""How well is a movement done? Train and test a score on any encoder, each subject judged by a fit on the others.

    python examples/finetune_movement_quality.py --dataset ui-prmd --data_root uiprmd_kinect_s1-7.npz \
        --model hub_configs/unik-nucla-small --recipe hub_configs/movement-quality-uiprmd \
        --recurrent_size 32 --recurrent_layers 1 --output_dir runs/quality

Scores: correct or incorrect (UI-PRMD), a column `score`, or class names that are numbers; see --score_column. For
clips of your own: --dataset folder --data_root FOLDER with labels.csv: file,label,subject, where label is the score.
`--mode linear` keeps the encoder frozen, `--mode scratch` starts from random weights. The report of the held-out
scores is OUTPUT_DIR/metrics.json, the scores themselves held_out.csv. With --final true a model of every movement is
left too: pipeline("movement-quality", model="OUTPUT_DIR/final MOVEMENT/last")("clip.json").
"""

import csv
import sys
from pathlib import Path

from datasets import concatenate_datasets

from motionhub.cli.main import reported
from motionhub.data.build.build import build_dataset
from motionhub.models.movement_quality import SkeletonForMovementQuality
from motionhub.training.evaluators import save_report
from motionhub.training.start import load_processor, load_splits, parse_training
from motionhub.training.tasks.movement_quality import (
    QualityOptions,
    evaluate_movement_quality,
    format_quality_report,
    scored_rows,
    train_on_everybody,
)


def main(words: list[str]) -> None:
    arguments, recipe, options = parse_training(words, __doc__.split("\n")[0], QualityOptions)
    if arguments.data_root is None:
        dataset = concatenate_datasets(list(load_splits(arguments).values()))
    else:
        dataset = build_dataset(arguments.dataset, arguments.data_root)["full"]
    processor = load_processor(arguments.recipe or arguments.model)

    def make_model() -> SkeletonForMovementQuality:
        return SkeletonForMovementQuality.from_encoder(
            arguments.model,
            pretrained=recipe.mode != "scratch",
            scores=options.scores,
            max_score=options.max_score,
            recurrent_size=options.recurrent_size,
            recurrent_layers=options.recurrent_layers,
        )

    column = options.score_column
    report, held_out = evaluate_movement_quality(
        make_model, processor, dataset, recipe, column=column, resamples=options.resamples
    )
    print(format_quality_report(report))
    save_report(recipe.output_dir, report)
    rows = scored_rows(dataset, column)
    with (Path(recipe.output_dir) / "held_out.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["clip_id", "movement", "subject", "score", "held_out"])
        table.writerows(zip(dataset["clip_id"], rows.movements, rows.subjects, rows.truth, held_out, strict=True))
    if options.final:
        for movement, folder in train_on_everybody(make_model, processor, dataset, recipe, column, report).items():
            print(f"{movement}: trained on all subjects, in {folder}")


if __name__ == "__main__":
    sys.exit(reported(lambda: main(sys.argv[1:])))
