"""Pre-train T-MOR's motion encoder on a data set with classes: motion against motion, and against words.

    python examples/pretrain_t_mor.py --dataset n-ucla --data_root nucla.zip --protocol cross-view \
        --model hub_configs/tmor-small --mode scratch --losses mm mt --output_dir runs/t-mor
    python examples/finetune_classification.py ... --model runs/t-mor/encoder --mode linear

Texts are the phrasings of the class names (`motionhub.data.datasets.class_phrases`) by the tower of the config. Videos
(--losses mm mv) are vectors of a video tower, one per clip: the column `video_features` of a dataset that
`motionhub features DATASET --videos FOLDER --video_tower MODEL` made, or a .npy file (--video_features), NaN where
there is no video. The trained model is in `last/`, its encoder for finetune_classification.py and
finetune_segmentation.py in `encoder/`.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

import motionhub


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--losses", nargs="+", choices=("mm", "mt", "mv"), default=["mm", "mt"])
    options.add_argument("--video_features", type=Path, default=None)
    options.add_argument("--queue_size", type=int)
    options.add_argument("--momentum", type=float)
    options.add_argument("--text_negatives")
    options.add_argument("--denominator")
    options.add_argument("--queue_dtype")
    options.add_argument("--probe_fraction", type=float, default=0.0)
    arguments, recipe, chosen = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    given = vars(chosen)
    fraction, videos = given.pop("probe_fraction"), given.pop("video_features")
    splits = motionhub.load_splits(arguments)
    model, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed)
    motionhub.check_inputs(model.config, processor, splits["train"])
    if "mt" in chosen.losses:
        tower = motionhub.load_text_tower(model.config.text_tower or "all-MiniLM-L6-v2")
        given["text_features"] = [
            tower.encode(motionhub.class_texts(name)) for name in motionhub.class_names_of_dataset(splits["train"])
        ]
    if videos is not None:
        given["video_features"] = torch.from_numpy(np.load(videos)).float()
    elif "mv" in chosen.losses:
        given["video_features"] = motionhub.feature_table(splits["train"])
    objective = motionhub.TMor(**given)
    tested = splits[arguments.eval_split]
    probe = motionhub.probed_by_labels(splits["train"], tested, processor, fraction=fraction, seed=recipe.seed)
    result = motionhub.train(model, processor, splits["train"], recipe=recipe, objective=objective, **probe)
    if result.is_main_process:
        folder = Path(recipe.output_dir) / "encoder"
        model.encoder.save_pretrained(folder)
        processor.save_pretrained(folder)
        recipe.to_file(folder / "training.json", machine=False)
        probed = f", linear probe {result.last_metrics['probe_top1']:.1%}" if fraction else ""
        print(f"{result.steps} updates in {result.seconds:.0f} s{probed}; the encoder is in {folder}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
