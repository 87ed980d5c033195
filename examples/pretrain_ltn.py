"""Pre-training without labels by latent time navigation: segments of a recording are alike, each at its own time.

    python examples/pretrain_ltn.py --videos train.csv --video_root VIDEOS --model hub_configs/ltn-k400 \
        --mode scratch --queue_size 65536 --output_dir runs/ltn
    python examples/pretrain_ltn.py --dataset n-ucla --data_root nucla_views12.zip --protocol cross-subject \
        --encoder hub_configs/unik-nucla --variant complement --seconds 1 --mode scratch --output_dir runs/ltn-nucla

Videos (`train.csv`: lines of a file and a number) or skeletons (`--dataset`, any encoder of this library). Every field
of `motionhub.TrainingRecipe` is an option; `--objective byol` needs no queue. OUTPUT_DIR/encoder holds the encoder
alone, with its processor: for examples/finetune_video.py, or of skeletons for motionhub train --model.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModel, set_seed

import motionhub


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--videos", default=None, help="list of video files; without it, --dataset")
    options.add_argument("--video_root", default=".", help="folder that the names in the list are relative to")
    options.add_argument("--encoder", default=None, help="skeletons: folder of the encoder's config and processor")
    options.add_argument("--variant", choices=("none", "v1", "v2", "v3", "complement"), default="v3")
    options.add_argument("--num_directions", type=int, default=64)
    options.add_argument("--objective", choices=("moco", "byol"), default="moco")
    options.add_argument("--num_segments", type=int, default=4)
    options.add_argument("--seconds", type=float, default=1.0, help="skeletons: length of a segment")
    options.add_argument("--queue_size", type=int)
    for name in ("temperature", "momentum_of_keys", "time_weight", "time_unit"):
        options.add_argument(f"--{name}", type=float)
    parsed, rest = motionhub.parse_own(options, argv, __doc__.split("\n")[0])
    chosen = vars(parsed)
    names = ("videos", "video_root", "encoder", "variant", "num_directions", "objective", "num_segments", "seconds")
    videos, root, encoder, variant, directions, kind, segments, seconds = (chosen.pop(name) for name in names)
    rest += ["--dataset", "videos"] if videos else []
    rest += ["--model", encoder] if encoder else []
    arguments, recipe = motionhub.parse_training(rest, __doc__.split("\n")[0])
    set_seed(recipe.seed)
    model: Any
    if encoder:
        processor, inside = motionhub.load_processor(encoder), AutoConfig.from_pretrained(encoder)
        config = motionhub.LtnConfig(encoder_config=inside, variant=variant, num_directions=directions)
        model = motionhub.LtnModel(config)
        if recipe.mode != "scratch":
            model.encoder = AutoModel.from_pretrained(encoder)
    else:
        model, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed)
    clips: Any
    if videos:
        clips = motionhub.VideoSegments(
            motionhub.read_video_list(videos, root)[0], processor, num_segments=segments, seed=recipe.seed
        )
        print("".join(f"left out: {reason}\n" for reason in clips.bad.values()), end="")
    else:
        rows = motionhub.load_splits(arguments)["train"]
        augmented = motionhub.with_augmentation(processor, recipe.augmentation)
        clips = motionhub.SegmentDataset(rows, augmented, num_segments=segments, seconds=seconds, seed=recipe.seed)
    if "momentum_of_keys" in chosen:
        chosen["momentum"] = chosen.pop("momentum_of_keys")
    objective = (motionhub.LtnMoco if kind == "moco" else motionhub.LtnByol)(num_segments=segments, **chosen)
    result = motionhub.train(
        model, processor, clips, None, recipe, objective=objective, collate=motionhub.collate_segments
    )
    if result.is_main_process:
        folder = Path(recipe.output_dir) / "encoder"
        model.encoder.save_pretrained(folder)
        processor.save_pretrained(folder)
        print(f"{result.steps} updates in {result.seconds:.0f} s: {folder}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
