r"""Distil a classifier: a small model learns from a larger one's probabilities, on labelled and on generated clips.

    python examples/distill.py --teacher hub_configs/unik-nucla-small --model hub_configs/unik-nucla-tiny \
        --mode scratch --dataset n-ucla --data_root nucla_views12.zip --protocol cross-subject --output_dir runs/tiny

The teacher answers every training clip once; `--generated 130` adds so many synthetic motions, which have its answers
and no label. Teacher and student have the same classes and the same processor. The report compares them on the
evaluation split and counts their multiply-adds. Every field of `motionhub.TrainingRecipe` is an option.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

import motionhub


def multiply_adds(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> float:
    """Of one forward pass."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.eval()(**batch)
    return counter.get_total_flops() / 2


def main(argv: list[str]) -> None:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--teacher", required=True, help="folder or packaged name of a classifier")
    options.add_argument("--generated", type=int, default=130, help="synthetic clips without labels")
    options.add_argument("--temperature", type=float, default=2.0)
    options.add_argument("--label_weight", type=float, default=0.3)
    arguments, recipe, own = motionhub.parse_training(argv, __doc__.split("\n")[0], own=options)
    splits = motionhub.load_splits(arguments)
    train, test = splits["train"], splits[arguments.eval_split]
    auto = motionhub.AutoModelForActionClassification
    teacher, prepare = motionhub.load_checkpoint(own.teacher, auto)
    student, processor = motionhub.prepare_start(arguments, recipe, train, auto)
    names = motionhub.class_names_of(student.config)
    if names != motionhub.class_names_of(teacher.config):
        raise ValueError(f"{own.teacher} has other classes than the dataset: it can teach its own only.")
    if own.generated:
        more = motionhub.generate_dataset(own.generated, seed=recipe.seed, layout=processor.layout)
        train = motionhub.with_unlabelled(train, more)
    targets = motionhub.soft_targets(teacher, prepare, train)
    objective = motionhub.Distillation(targets=targets, temperature=own.temperature, label_weight=own.label_weight)
    evaluation = motionhub.ClassificationEvaluation(names)
    result = motionhub.train(student, processor, train, test, recipe, objective=objective, evaluation=evaluation)
    if not result.is_main_process:
        return
    clip = motionhub.collate_skeletons([processor.process(motionhub.generate("wave", seed=0))])
    report = {"student": result.last_metrics["top1"], "clips": len(test)}
    logits, labels, _ = motionhub.score_clips(teacher, prepare, test)
    report["teacher"] = float((logits.argmax(1) == labels).mean())
    report |= {
        f"{name}_multiply_adds": multiply_adds(one, clip) for name, one in (("student", student), ("teacher", teacher))
    }
    (Path(recipe.output_dir) / "distillation.json").write_text(json.dumps(report, indent=2) + "\n")
    print(motionhub.format_report(result.last_metrics))
    share = report["student_multiply_adds"] / report["teacher_multiply_adds"]
    print(f"top-1 {report['student']:.1%}, teacher {report['teacher']:.1%}, with {share:.1%} of its multiply-adds")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
