r"""Movement quality: train and test scores on any encoder by leaving one subject out.

    python examples/finetune_movement_quality.py --dataset ui-prmd --data_root uiprmd_kinect_s1-7.npz \
        --model hub_configs/unik-nucla-small --recipe hub_configs/movement-quality-uiprmd \
        --recurrent_size 32 --recurrent_layers 1 --output_dir runs/quality

Scores: correct or incorrect (UI-PRMD), a column `score`, or class names that are numbers; see --score_column. For
other clips: --dataset folder --data_root FOLDER with labels.csv: file,label,subject, where label is the score.
`--mode linear` freezes the encoder, `--mode scratch` starts from random weights. OUTPUT_DIR/metrics.json reports the
held-out scores, held_out.csv lists them, `motionhub quality OUTPUT_DIR/held_out.csv -o report.html` draws them.
--movement NAME is one movement only. --final true also trains a model of every movement:
pipeline("movement-quality", model="OUTPUT_DIR/final MOVEMENT/last")("clip.json").
"""

import csv
import sys
from pathlib import Path

from datasets import concatenate_datasets

import motionhub


def main(argv: list[str]) -> None:
    arguments, recipe, options = motionhub.parse_training(argv, __doc__.split("\n")[0], motionhub.QualityOptions)
    if arguments.data_root is None:
        dataset = concatenate_datasets(list(motionhub.load_splits(arguments).values()))
    else:
        dataset = motionhub.build_dataset(arguments.dataset, arguments.data_root)["full"]
    dataset = motionhub.only_movement(dataset, options.movement)
    processor = motionhub.load_processor(arguments.recipe or arguments.model)

    def make_model() -> motionhub.SkeletonForMovementQuality:
        return motionhub.SkeletonForMovementQuality.from_encoder(
            arguments.model,
            pretrained=recipe.mode != "scratch",
            scores=options.scores,
            max_score=options.max_score,
            recurrent_size=options.recurrent_size,
            recurrent_layers=options.recurrent_layers,
        )

    column = options.score_column
    report, held_out = motionhub.evaluate_movement_quality(
        make_model, processor, dataset, recipe, column=column, resamples=options.resamples
    )
    print(motionhub.format_quality_report(report))
    motionhub.save_report(recipe.output_dir, report)
    rows = motionhub.scored_rows(dataset, column)
    with (Path(recipe.output_dir) / "held_out.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["clip_id", "movement", "subject", "score", "held_out"])
        table.writerows(zip(dataset["clip_id"], rows.movements, rows.subjects, rows.truth, held_out, strict=True))
    if options.final:
        folders = motionhub.train_on_everybody(make_model, processor, dataset, recipe, column, report)
        for movement, folder in folders.items():
            print(f"{movement}: trained on all subjects, in {folder}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
