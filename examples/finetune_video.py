"""Linear evaluation or fine-tuning of a video encoder, tested on several views of every video (10 x 3 by default).

    python examples/finetune_video.py --train train.csv --test test.csv --video_root VIDEOS --model runs/ltn/encoder \
        --recipe hub_configs/ltn-ucf101/linear --mode linear --output_dir runs/linear

The lists have a line for each video: its file and the number of its class. Every field of `motionhub.TrainingRecipe`
is an option. A test sees the whole shorter side of a picture (three squares of 256, as the official code); training
sees crops of the processor's size. The model is any checkpoint of R3D (conversion/pyslowfast.py makes one of the
authors' files). Bad files are left out and listed.
"""

import argparse
import sys

import motionhub


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--train", required=True)
    options.add_argument("--test", required=True)
    options.add_argument("--video_root", default=".")
    options.add_argument("--temporal_views", type=int, default=10)
    options.add_argument("--spatial_crops", type=int, default=3)
    options.add_argument("--test_size", type=int, default=None, help="of the crops; default the shorter side (256)")
    options.add_argument("--classifier_dropout", type=float, default=0.0)
    chosen, rest = motionhub.parse_own(options, argv, __doc__.split("\n")[0])
    arguments, recipe = motionhub.parse_training([*rest, "--dataset", "videos"], __doc__.split("\n")[0])
    processor = motionhub.load_processor(arguments.model)
    views = {"temporal_views": chosen.temporal_views, "spatial_crops": chosen.spatial_crops}
    size = chosen.test_size or processor.shorter_side or processor.image_size
    views |= {"image_size": size, "shorter_side": max(size, processor.shorter_side or size)}
    tested = type(processor).from_dict({**processor.to_dict(), **views})
    clips = motionhub.VideoDataset(
        *motionhub.read_video_list(chosen.train, chosen.video_root), processor, training=True, seed=recipe.seed
    )
    test = motionhub.VideoDataset(*motionhub.read_video_list(chosen.test, chosen.video_root), tested, training=False)
    bad = {**clips.bad, **test.bad}
    print("".join(f"left out: {reason}\n" for reason in bad.values()), end="")
    made = {"num_labels": int(clips.labels.max()) + 1, "classifier_dropout": chosen.classifier_dropout}
    model = motionhub.R3dForActionClassification.from_pretrained(arguments.model, **made)
    result = motionhub.train(
        model,
        processor,
        clips,
        test,
        recipe,
        collate=motionhub.collate_videos,
        evaluation=motionhub.MultiViewEvaluation(motionhub.class_names_of(model.config)),
    )
    if result.is_main_process:
        print(
            f"top-1 {result.last_metrics['top1']:.1%} of {len(test)} videos, {tested.views} views: {result.last_dir}"
        )


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
