r"""Pre-train U-VI without labels: pictures of one moment by two cameras, drawn from motion capture or recorded.

    python examples/pretrain_u_vi.py --motions bandai_namco_2_subset --model CONFIGS --mode scratch --epochs 10 \
        --optimizer adamw --learning_rate 0.0002 --batch_size 8 --output_dir runs/u-vi
    python examples/pretrain_u_vi.py --recordings nturgb+d_depth_masked --model hub_configs/u-vi-ntu60-depth ...

CONFIGS is a folder with the config of a UViModel and of its PostureImageProcessor, or a checkpoint of one.
`--motions` are files or folders of 3-D skeletons that `motionhub.read` knows (BVH, Kinect, ...): every item is the
depth of a moment of a clip before two cameras that stand anywhere within `--azimuth` and `--elevation` degrees.
`--recordings` is a folder of depth maps, masks or DensePose of several cameras; see `data.views.view_pairs`.
Every field of `motionhub.TrainingRecipe` is an option, and so are the weights of the losses. OUTPUT_DIR/last is a
UViModel with its processor; UViForActionClassification and UViForMovementQuality start from it.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, HfArgumentParser, set_seed

import motionhub


WEIGHTS = ("invariance_weight", "equivariance_weight", "reconstruction_weight")


def drawn_takes(chosen: argparse.Namespace, processor: Any) -> list[motionhub.DrawnTake]:
    """A take of every clip in the files named and in all files of the folders named."""
    ranges = motionhub.PairRanges(azimuth=chosen.azimuth, elevation=chosen.elevation)
    drawn = type(processor).from_dict({**processor.to_dict(), "depth_unit": 1.0})  # bodies are drawn in metres
    found = [file for path in chosen.motions for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [
        motionhub.DrawnTake(
            f"{file.name} {index}", sequence, drawn.prepare, ranges, chosen.up, size=processor.image_size
        )
        for file in found
        if not file.is_dir()
        for index, sequence in enumerate(motionhub.read(file))
    ]


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    sources = options.add_mutually_exclusive_group(required=True)
    sources.add_argument("--motions", type=Path, nargs="+")
    sources.add_argument("--recordings", type=Path)
    options.add_argument("--model", required=True)
    options.add_argument("--recipe", help="folder or file of a training.json; options go first")
    options.add_argument("--up", default="y", help="the axis that points up")
    options.add_argument("--moments", type=int, default=1, help="of each clip in an epoch")
    for name, value in {"azimuth": 180.0, "elevation": 20.0, **dict.fromkeys(WEIGHTS, argparse.SUPPRESS)}.items():
        options.add_argument(f"--{name}", type=float, default=value)
    chosen, rest = motionhub.parse_own(options, argv, __doc__.split("\n")[0], (motionhub.TrainingRecipe,))
    parser = HfArgumentParser([motionhub.TrainingRecipe], description=__doc__.split("\n")[0])
    parser.set_defaults(**(motionhub.read_recipe_file(chosen.recipe) if chosen.recipe else {}))
    (recipe,) = parser.parse_args_into_dataclasses(rest)
    set_seed(recipe.seed)
    processor = AutoFeatureExtractor.from_pretrained(chosen.model)
    if recipe.mode == "scratch":
        model = AutoModel.from_config(AutoConfig.from_pretrained(chosen.model))
    else:
        model = AutoModel.from_pretrained(chosen.model)
    takes = (
        drawn_takes(chosen, processor)
        if chosen.motions
        else motionhub.find_takes(chosen.recordings, processor.prepare)
    )
    objective = motionhub.UVi(**{name: vars(chosen)[name] for name in WEIGHTS if name in chosen})
    pairs = motionhub.ViewPairDataset(takes, moments=chosen.moments, seed=recipe.seed)
    result = motionhub.train(
        model, processor, pairs, None, recipe, objective=objective, collate=motionhub.collate_view_pairs
    )
    if result.is_main_process:
        print(f"{result.steps} updates in {result.seconds:.0f} s on {len(takes)} clips: {result.last_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
