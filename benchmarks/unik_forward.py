"""UNIK's forward pass on one CPU thread against a plain per-head reference: speed, % of measured peak, memory.

    taskset -c 0 python benchmarks/unik_forward.py [--batch 8] [--repeats 7] [--setting 150x17x2x1 ...]

A setting is frames x joints x dims x people.
"""

import copy
import sys
from collections.abc import Callable
from pathlib import Path


sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conversion"))

import torch
from measuring import LABELS, compare_unik
from torch import Tensor
from unik import convert_state_dict
from unik_reference import PlainUnik, official_state

from motionhub.models.unik import UnikConfig, UnikForActionClassification


def build(
    frames: int, joints: int, dims: int, people: int, batch: int, chosen: str | None = None
) -> dict[str, Callable[[], Tensor]]:
    """Name -> a call that returns logits; all variants share weights and input. `chosen` builds only that one."""
    torch.manual_seed(0)
    plain = PlainUnik(joints, dims, people, LABELS).eval()
    config = UnikConfig(
        num_joints=joints,
        in_channels=dims,
        num_people=people,
        id2label={index: str(index) for index in range(LABELS)},
    )
    model = UnikForActionClassification(config).eval()
    model.load_state_dict(convert_state_dict(official_state(plain)))
    clips = torch.randn(batch, people, frames, joints, dims)
    official, half = clips.permute(0, 4, 2, 3, 1), clips.bfloat16()

    def of_reference(dtype: torch.dtype) -> Callable[[], Tensor]:
        module, inputs = copy.deepcopy(plain).to(dtype), official.to(dtype)
        return lambda: module(inputs)

    def autocast(module: UnikForActionClassification) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return module(clips).logits

    def of_model(fused: bool, dtype: torch.dtype) -> Callable[[], Tensor]:
        module = (model.fuse() if fused else copy.deepcopy(model)).to(dtype)
        inputs = clips if dtype == torch.float32 else half
        return lambda: module(inputs).logits

    makers: dict[str, Callable[[], Callable[[], Tensor]]] = {
        "per-head fp32": lambda: of_reference(torch.float32),
        "per-head bf16": lambda: of_reference(torch.bfloat16),
        "motionhub fp32": lambda: of_model(False, torch.float32),
        "motionhub fused fp32": lambda: of_model(True, torch.float32),
        "motionhub bf16 autocast": lambda: lambda: autocast(model),
        "motionhub fused bf16": lambda: of_model(True, torch.bfloat16),
    }
    if people == 2:
        absent = torch.ones(batch, people, frames, dtype=torch.bool)
        absent[:, 1] = False
        alone = model.fuse()
        makers["motionhub fused fp32, one of two present"] = lambda: lambda: alone(clips, attention_mask=absent).logits
    return {name: make() for name, make in makers.items() if chosen in (None, name)}


if __name__ == "__main__":
    with torch.no_grad():
        compare_unik(__doc__, __file__, build, repeats=7)
