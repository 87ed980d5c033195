"""What T-MOR's projections, texts and queues add to a training step of the encoder alone.

    python benchmarks/t_mor_step.py [--queue_size 65536] [--classes 324]

Compared with the same passes of the encoder: forward and backward, and for L_mm the forward pass of the slow copy on
the second view. Variants take turns; the fastest call of each counts, in seconds of this process on one thread.
"""

import argparse
import copy
import time
from collections.abc import Callable, Sequence

import torch
from measuring import command_line, fastest

from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.models.unik import UnikConfig
from motionhub.objectives.t_mor import TMor
from motionhub.training.objective import RunInfo


ENCODER = {"layout": "smarthome-15", "num_joints": 15, "num_people": 1}
SIZES = {"projection_size": 384, "projection_hidden_size": 256, "text_size": 384, "text_projection_layers": 0}


def command(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command_line(__doc__, 5, official="the official UNIK and 75 frames, not the small one")
    parser.add_argument("--queue_size", type=int, default=65536)
    parser.add_argument("--classes", type=int, default=324)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--queue_dtype", default="float32", choices=("float32", "bfloat16"))
    return parser.parse_args(argv)


def steps(chosen: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """One training step of each variant."""
    torch.manual_seed(0)
    config = UnikConfig(channels=[32, 64, 128, 128], strides=[2, 2, 2, 1], **ENCODER)
    texts = [torch.nn.functional.normalize(torch.randn(3, 384), dim=1) for _ in range(chosen.classes)]
    config, frames = (UnikConfig(**ENCODER), 75) if chosen.official else (config, 32)
    motions, present = (
        torch.randn(2 * chosen.batch, 1, 32, 15, 2),
        torch.ones(2 * chosen.batch, 1, 32, dtype=torch.bool),
    )
    views = {"keypoints": motions, "attention_mask": present, "joint_mask": present[..., None].expand(-1, -1, -1, 15)}
    facts = torch.arange(chosen.batch).repeat(2)
    views |= {"index": facts, "labels": facts % chosen.classes, "seeds": torch.arange(2 * chosen.batch)}
    one = {name: value[: chosen.batch] for name, value in views.items()}
    inputs = ("keypoints", "joint_mask", "attention_mask")

    def alone(copies: bool):
        encoder = TMorModel(TMorConfig(encoder_config=config, video_size=None, **SIZES)).encoder.train()
        slow = copy.deepcopy(encoder).requires_grad_(False)

        def call() -> None:
            encoder(**{name: one[name] for name in inputs}).pooler_output.square().mean().backward()
            if copies:
                with torch.no_grad():
                    slow(**{name: views[name][chosen.batch :] for name in inputs})

        return call

    def whole(losses: tuple[str, ...], negatives: str):
        model = TMorModel(TMorConfig(encoder_config=config, video_size=None, **SIZES)).train()
        how = {"text_features": texts, "queue_size": chosen.queue_size, "text_negatives": negatives}
        how["queue_dtype"] = chosen.queue_dtype
        objective = TMor(losses=losses, **how)
        network = objective.prepare(model, RunInfo(chosen.batch, "", 1, 1, 0))
        for queue in objective.queues.values():  # as full as after a while
            queue.seen.fill_(chosen.queue_size)

        def call() -> None:
            objective(network, views if "mm" in losses else one)["loss"].backward()
            objective.after_update(network)

        return call

    return {
        "encoder": alone(False),
        "L_mt, every other class": whole(("mt",), "classes"),
        f"L_mt, queue of {chosen.queue_size}": whole(("mt",), "queue"),
        "encoder and slow copy": alone(True),
        f"L_mm + L_mt, queue of {chosen.queue_size}": whole(("mm", "mt"), "classes"),
    }


def main() -> None:
    chosen = command()
    seconds = fastest(steps(chosen), chosen.repeats, time.process_time)
    base = ""
    for name, taken in seconds.items():
        base = name if name.startswith("encoder") else base
        more = "" if name == base else f", {100 * (taken / seconds[base] - 1):+.1f} % of {base}"
        print(f"{name}: {1000 * taken:.0f} ms{more}")


if __name__ == "__main__":
    main()
