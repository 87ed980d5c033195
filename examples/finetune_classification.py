r"""Train an action classifier: fine-tune, linear evaluation, few labels or from scratch, on one process or many.

    accelerate launch examples/finetune_classification.py --dataset n-ucla --data_root nucla_views12.zip \
        --protocol cross-subject --model hub_configs/unik-nucla --mode scratch --output_dir runs/nucla
    torchrun --nproc-per-node 2 examples/finetune_classification.py ... --cpu --num_processes 2
    python examples/finetune_classification.py --dataset sbu --data_root sbu_folds1-4.zip --protocol folds-test-1 \
        --model hub_configs/tmor-small --mode linear --learning_rate 0.1 --epochs 10    # or finetune

Of a model around an encoder (T-MOR, LTN) the encoder is trained; few labels are `--label_fraction 0.1`. Every field of
`motionhub.TrainingRecipe` is an option; training.json in the model's folder, or of `--recipe FOLDER`, gives their
defaults. Weights in the model's folder are used (`--mode finetune`) unless another mode is given.
"""

import sys

import motionhub


def main(argv: list[str]) -> None:
    arguments, recipe = motionhub.parse_training(argv, __doc__.split("\n")[0])
    splits = motionhub.load_splits(arguments)
    start = motionhub.prepare_start(arguments, recipe, splits["train"], motionhub.AutoModelForActionClassification)
    result = motionhub.train(*start, splits["train"], splits[arguments.eval_split], recipe)
    if not result.is_main_process:
        return
    print(motionhub.format_report(result.last_metrics))
    print(f"{result.steps} updates in {result.seconds:.0f} s, last epoch in {result.last_dir}")
    print(f"best top-1 {result.best_metric:.1%} in epoch {result.best_epoch}, in {result.best_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
