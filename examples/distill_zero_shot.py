r"""Distil a zero-shot model: a small one learns a larger one's motion embeddings, and which phrases fit.

    python examples/distill_zero_shot.py --teacher hub_configs/tmor-small --model hub_configs/tmor-tiny \
        --mode scratch --dataset CLIPS --output_dir runs/tiny

CLIPS is a dataset without need of labels: a folder of `motionhub dataset build`, or of `benchmarks/tmor_tiny.py rows`,
which writes the clips that tmor-small learned from. Both models see the same augmented clips. The student has the
teacher's text tower, and so its text bank, its unit of similarities and its levels; calibrate it on clips of your own
with `pipe.calibrate`. Every field of `motionhub.TrainingRecipe` is an option. The student is in `student/`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import pipeline

import motionhub


TASK = "zero-shot-action-classification"
LEVELS = ("score_temperature", "rejection_threshold", "window_rejection_threshold", "calibrated_stacking")


def multiply_adds(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> float:
    """Of one forward pass."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.eval()(**batch)
    return counter.get_total_flops() / 2


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--teacher", required=True, help="folder, or id such as motionhub/tmor-small")
    options.add_argument("--temperature", type=float, default=0.07)
    options.add_argument("--similarity_weight", type=float, default=1.0)
    arguments, recipe, own = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    clips = motionhub.load_splits(arguments)["train"]
    pipe: Any = pipeline(TASK, model=own.teacher)
    teacher, bank = pipe.model, pipe.text_bank
    auto = motionhub.AutoModelForZeroShotActionClassification
    student: Any
    student, processor = motionhub.load_for_pretraining(arguments.model, recipe.mode, recipe.seed, auto)
    motionhub.check_inputs(student.config, processor, clips)
    objective = motionhub.ZeroShotDistillation(
        teacher=teacher.t_mor,
        text_features=bank.lookup(bank.learned or bank.phrases),
        temperature=own.temperature,
        similarity_weight=own.similarity_weight,
    )
    result = motionhub.train(student.t_mor, processor, clips, None, recipe, objective=objective)
    if not result.is_main_process:
        return
    student.t_mor.typical_motion.load_state_dict(teacher.t_mor.typical_motion.state_dict())
    student.config.update({name: getattr(teacher.config, name) for name in LEVELS})
    pipe.model, pipe.feature_extractor = student.cpu(), processor
    pipe.save_pretrained(Path(recipe.output_dir) / "student")
    batch = motionhub.collate_skeletons([processor.process(motionhub.generate("wave", seed=0))])
    inputs = {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask")}
    counts = {
        name: multiply_adds(one.t_mor.cpu(), inputs) for name, one in (("student", student), ("teacher", teacher))
    }
    (Path(recipe.output_dir) / "distillation.json").write_text(json.dumps(counts, indent=2) + "\n")
    print(f"{result.steps} updates in {result.seconds:.0f} s; {counts['student']:,.0f} multiply-adds a clip, "
          f"{counts['student'] / counts['teacher']:.1%} of the teacher's")  # fmt: skip


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
