r"""Pre-train an encoder of single poses, CV-MIM or one of its baselines, on pictures of 3-D clips; no labels.

    python examples/pretrain_cv_mim.py --dataset bandai-namco --data_root bandai_namco_2_subset.zip \
        --protocol cross-style --model hub_configs/cv-mim-small --mode scratch --output_dir runs/cv-mim
    python examples/pretrain_cv_mim.py --objective pr-vipe ... --model MODEL_WITH_EMBEDDER_GAUSSIAN_ELU

Every field of `motionhub.TrainingRecipe` is an option; the optimizers are Adagrad's, with its learning rate.
OUTPUT_DIR/last embeds poses: pipeline("skeleton-feature-extraction", model="OUTPUT_DIR/last")(clip, level="frame"),
finds them: motionhub index FOLDER -o INDEX --model OUTPUT_DIR/last --level frame (how well says
benchmarks/pose_retrieval.py), and a classifier starts from it, the encoder frozen as in the paper:
motionhub train --model OUTPUT_DIR/last --mode linear ...
"""

import argparse
import sys
from typing import Any

import motionhub


OBJECTIVES = {
    "cv-mim": motionhub.CvMim,
    "auto-encoder": motionhub.CrossReconstruction,
    "infonce": motionhub.DirectInformation,
    "dim": motionhub.DirectInformation,
    "pr-vipe": motionhub.PrVipe,
}


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--objective", choices=OBJECTIVES, default="cv-mim", help="auto-encoder: also VAEs")
    options.add_argument("--up", choices=("x", "y", "z"), help="the axis that points up")
    options.add_argument("--poses_per_clip", type=int)
    options.add_argument("--hidden_joints", type=float, help="probability with which a joint is hidden")
    options.add_argument("--fusion", choices=("mixture", "product", "concatenation"))
    options.add_argument("--estimator", choices=("jsd", "infonce"), help="of cv-mim")
    for name in ("negative_weight", "disentangle_weight", "prior_weight", "divergence_weight"):
        options.add_argument(f"--{name}", type=float)
    for name in ("azimuth", "elevation", "roll"):
        options.add_argument(f"--{name}", type=float, help="degrees either way")
    arguments, recipe, known = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    chosen: dict[str, Any] = vars(known)
    name = chosen.pop("objective")
    chosen |= {"estimator": "jsd"} if name == "dim" else {}
    angles = {angle: chosen.pop(angle) for angle in ("azimuth", "elevation", "roll") if angle in chosen}
    model, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed)
    objective = OBJECTIVES[name](
        motionhub.get_layout(model.config.layout), ranges=motionhub.CameraRanges(**angles), **chosen
    )
    solid = {**processor.to_dict(), "num_dims": 3, "num_people": 1, "normalization": "none", "num_frames": None}
    # Poses are drawn from the whole clip; which way is up, `up` says.
    solid |= {"test_sampling": "all", "test_num_frames": None, "upright": False}
    # Whatever is drawn at random is the objective's, so every clip is prepared once.
    clips = motionhub.ClipDataset(
        motionhub.load_splits(arguments)["train"], type(processor).from_dict(solid), training=False
    )
    result = motionhub.train(model, processor, clips, None, recipe, objective=objective)
    if result.is_main_process:
        print(f"{result.steps} updates in {result.seconds:.0f} s: {result.last_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
