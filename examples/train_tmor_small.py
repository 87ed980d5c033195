"""Train the bundled zero-shot model: recordings and synthetic motions told in words, seen from anywhere in 2-D.

    python examples/train_tmor_small.py --data FOLDER --output_dir runs/tmor-small

FOLDER holds the archives of SOURCES. Learned from: N-UCLA view 1, the odd subjects of UTD-MHAD and UI-PRMD, the first
three quarters of every class of Penn Action, Bandai-Namco, and synthetic motions. Calibrated on what is left of the
first four: scores that mean what they say, and "none of these". It needs the text tower (pip install motionhub[text]).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoFeatureExtractor, pipeline

import motionhub
from motionhub.cli import reported
from motionhub.data.class_phrases import action_phrases, class_texts
from motionhub.data.synthetic import ACTIONS
from motionhub.data.synthetic_phrases import worded_motions
from motionhub.data.worded_dataset import learned_from, synthetic_recordings, synthetic_tellings, told, worded_dataset
from motionhub.models.text_bank import TextBank
from motionhub.models.text_towers import load_text_tower
from motionhub.objectives.t_mor import TMor
from motionhub.skeletons.rows import from_row
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.trainer import train


START = Path(__file__).resolve().parent.parent / "hub_configs" / "tmor-small"
# fmt: off
SOURCES = {
    "n-ucla": "nucla_views12.zip", "utd-mhad": "utd_mhad_s1-6.zip", "penn-action": "penn_action_train.zip",
    "ui-prmd": "uiprmd_kinect_s1-7.npz", "bandai-namco": "bandai_namco_2_subset.zip",
}
# fmt: on


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", default="runs/tmor-small")
    parser.add_argument("--synthetic_takes", type=int, default=10, help="clips of each synthetic motion")
    chosen = parser.parse_args(words)
    parts = {name: motionhub.build_dataset(name, chosen.data / file)["full"] for name, file in SOURCES.items()}
    tellings, held_out = list(synthetic_tellings(chosen.synthetic_takes)), []
    for name, rows in parts.items():
        names, train_here = rows.features["label"].names, learned_from(name, rows)
        tellings += told(rows, {each: class_texts(each)[:6] for each in names}, np.flatnonzero(train_here))
        others = rows.select(np.flatnonzero(~train_here & (np.asarray(rows["num_frames"]) > 4))).shuffle(seed=0)
        others = others.select(range(min(250, len(others))))
        labels = [class_texts(each)[0] for each in names]
        held_out.append(([from_row(row) for row in others.with_format("numpy")], others["label"], labels))
    dataset, phrases = worded_dataset(tellings)
    config, processor = AutoConfig.from_pretrained(START), AutoFeatureExtractor.from_pretrained(START)
    tower = load_text_tower(config.text_tower)
    recipe = TrainingRecipe.from_file(START, output_dir=chosen.output_dir)
    objective = TMor(losses=("mt",), text_features=[tower.encode(each) for each in phrases], text_negatives="classes")
    torch.manual_seed(recipe.seed)
    result = train(motionhub.TMorModel(config), processor, dataset, None, recipe, objective=objective)
    said = [text for worded in worded_motions() for text in worded.phrases]
    bank = TextBank.build([*(action.phrase for action in action_phrases()), *said], tower=tower)
    bank.save_pretrained(result.last_dir)
    pipe = pipeline("zero-shot-action-classification", model=str(result.last_dir))
    typical = [from_row(row) for row in dataset.shuffle(seed=0).select(range(1500)).with_format("numpy")]
    print(pipe.calibrate([part for part in held_out if len(part[0])], typical=typical))
    find = pipeline("zero-shot-action-segmentation", model=pipe.model, feature_extractor=processor, text_bank=bank)
    names = [class_texts(action)[0] for action in ACTIONS]
    print(find.calibrate_windows([(clip, frames, names) for clip, frames in synthetic_recordings(30)]))
    pipe.save_pretrained(result.last_dir)


if __name__ == "__main__":
    sys.exit(reported(lambda: main(sys.argv[1:])))
