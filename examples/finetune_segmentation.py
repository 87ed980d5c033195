r"""Train a model that labels every frame: who does what from when to when, on one process or many.

    accelerate launch examples/finetune_segmentation.py --dataset precog --data_root precog2016_s1-8.zip \
        --protocol subjects-1-6 --model hub_configs/unik-precog-small --mode scratch --output_dir runs/precog
    torchrun --nproc-per-node 2 examples/finetune_segmentation.py ... --cpu --num_processes 2
    python examples/finetune_segmentation.py --dataset precog --data_root precog2016_s1-8.zip \
        --protocol subjects-1-6 --model hub_configs/tmor-small --window 64 --output_dir runs/precog-tmor

Rows need labels per frame or segments. Training sees windows of `--window` frames (default: the processor's
`num_frames`), evaluation whole clips, window by window. Of a model around an encoder (T-MOR, LTN) the encoder is
trained. Every field of `motionhub.TrainingRecipe` is an option, with the defaults of the model's training.json; so are
those of `motionhub.training.tasks.segmentation.SegmentationOptions`.
"""

import sys

import motionhub


def main(argv: list[str]) -> None:
    arguments, recipe, options = motionhub.parse_training(argv, __doc__.split("\n")[0], motionhub.SegmentationOptions)
    splits = motionhub.load_splits(arguments)
    result = motionhub.train_segmentation(splits, arguments, recipe, motionhub.AutoModelForActionSegmentation, options)
    if not result.is_main_process:
        return
    print(motionhub.format_segmentation_report(result.last_metrics))
    print(f"{result.steps} updates in {result.seconds:.0f} s, last epoch in {result.last_dir}")
    print(f"best frame mAP {result.best_metric:.1%} in epoch {result.best_epoch}, in {result.best_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
