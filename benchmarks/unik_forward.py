"""UNIK's forward pass on one CPU thread against a plain per-head reference: clips/s, % of the roof, peak memory.

    taskset -c 0 python benchmarks/unik_forward.py [--batch 8] [--repeats 7] [--setting 150x17x2x1 ...]

A setting is frames x joints x dims x people. It knows nothing of training.
"""

import argparse
import copy
import os
import sys
from collections.abc import Callable
from pathlib import Path


os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conversion"))

import torch
from measuring import fastest, machine, peak_in_new_process, resident_peak, roof_call, unik_gmac
from torch import Tensor
from unik import convert_state_dict
from unik_reference import PlainUnik, official_state

from motionhub.models.unik import UnikConfig, UnikForActionClassification


LABELS = 60
SETTINGS = ["150x17x2x1", "300x25x3x1", "100x25x3x2"]
REFERENCE = "per-head fp32"


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
        REFERENCE: lambda: of_reference(torch.float32),
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


@torch.no_grad()
def report(setting: str, batch: int, repeats: int, memory: bool) -> None:
    frames, joints, dims, people = (int(number) for number in setting.split("x"))
    variants = build(frames, joints, dims, people, batch)
    expected = variants[REFERENCE]().float()
    # the convolutions that define the roof take turns with the variants
    roofs = {"fp32": roof_call(torch.float32), "bf16": roof_call(torch.bfloat16)}
    seconds = fastest({**variants, **{name: call for name, (call, _) in roofs.items()}}, repeats)
    roof = {name: gflop / seconds[name] for name, (_, gflop) in roofs.items()}
    clip_gflop = 2 * people * unik_gmac(frames, joints, dims, LABELS)
    print(f"\nT={frames} V={joints} C={dims} people={people}, batch {batch}, {clip_gflop:.2f} GFLOP/clip")
    print(f"roof (1x9 convolution, 256 channels): fp32 {roof['fp32']:.0f}, bf16 {roof['bf16']:.0f} GFLOP/s")
    print(f"{'':42}clips/s  ms/clip  x ref  GFLOP/s  % roof  rel. error  peak MiB")
    for name, call in variants.items():
        kind = "bf16" if "bf16" in name else "fp32"
        speed = batch / seconds[name]
        done = clip_gflop * speed / (2 if "present" in name else 1)
        error = "         -" if "present" in name else f"{relative(call(), expected):10.1e}"
        peak = float("nan")
        if memory:
            peak = peak_in_new_process(__file__, ["--memory-of", name, "--setting", setting, "--batch", str(batch)])
        print(
            f"{name:42}{speed:7.2f}{1000 / speed:9.1f}{seconds[REFERENCE] / seconds[name]:7.2f}{done:9.0f}"
            f"{100 * done / roof[kind]:8.0f}{error:>12}{peak:10.0f}"
        )


def relative(logits: Tensor, expected: Tensor) -> float:
    return ((logits.float() - expected).abs().max() / expected.abs().max()).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", nargs="+", default=SETTINGS, help="frames x joints x dims x people")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-memory", action="store_true", help="skip the processes that measure peak memory")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory_of:
        numbers = [int(number) for number in options.setting[0].split("x")]
        call = build(*numbers, options.batch, chosen=options.memory_of)[options.memory_of]
        with torch.no_grad():
            print(resident_peak(call))
        return
    print(machine())
    for setting in options.setting:
        report(setting, options.batch, options.repeats, not options.no_memory)


if __name__ == "__main__":
    main()
