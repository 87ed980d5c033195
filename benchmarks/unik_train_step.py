"""One training step of UNIK (forward, backward, SGD) on one CPU thread against the plain per-head reference in fp32.

    taskset -c 0 python benchmarks/unik_train_step.py [--batch 8] [--repeats 5] [--setting 150x17x2x1 ...]

A setting is frames x joints x dims x people. It knows nothing of data loading.
"""

import argparse
import os
from collections.abc import Callable


os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from measuring import fastest, machine, peak_in_new_process, resident_peak, roof_call, unik_gmac
from torch import Tensor, nn
from unik_reference import PlainUnik

from motionhub.models.unik import UnikConfig, UnikForActionClassification


LABELS = 60
SETTINGS = ["150x17x2x1", "300x25x3x1", "100x25x3x2"]
REFERENCE = "per-head fp32"


def training_step(model: nn.Module, loss: Callable[[], Tensor], bf16: bool) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = loss()
        value.backward()
        optimizer.step()

    return step


def build(
    frames: int, joints: int, dims: int, people: int, batch: int, chosen: str | None = None
) -> dict[str, Callable[[], None]]:
    """Name -> one step; `chosen` builds only that one."""
    torch.manual_seed(0)
    clips = torch.randn(batch, people, frames, joints, dims)
    labels = torch.arange(batch) % LABELS
    ragged = torch.ones(batch, people, frames, dtype=torch.bool)
    ragged[::2, :, frames * 2 // 3 :] = False

    def of_reference() -> Callable[[], None]:
        model = PlainUnik(joints, dims, people, LABELS).train()
        return training_step(model, lambda: F.cross_entropy(model(clips.permute(0, 4, 2, 3, 1)), labels), False)

    def of_model(bf16: bool, mask: Tensor | None = None) -> Callable[[], None]:
        names = {index: str(index) for index in range(LABELS)}
        config = UnikConfig(num_joints=joints, in_channels=dims, num_people=people, id2label=names)
        model = UnikForActionClassification(config).train()
        return training_step(model, lambda: model(clips, attention_mask=mask, labels=labels).loss, bf16)

    makers = {
        REFERENCE: of_reference,
        "motionhub fp32": lambda: of_model(False),
        "motionhub bf16 autocast": lambda: of_model(True),
        "motionhub bf16 autocast, every other clip padded": lambda: of_model(True, ragged),
    }
    return {name: make() for name, make in makers.items() if chosen in (None, name)}


def report(setting: str, batch: int, repeats: int, memory: bool) -> None:
    frames, joints, dims, people = (int(number) for number in setting.split("x"))
    variants = build(frames, joints, dims, people, batch)
    roofs = {"fp32": roof_call(torch.float32), "bf16": roof_call(torch.bfloat16)}
    seconds = fastest({**variants, **{name: call for name, (call, _) in roofs.items()}}, repeats)
    roof = {name: gflop / seconds[name] for name, (_, gflop) in roofs.items()}
    # backward costs two forward passes: gradients of features and of weights
    clip_gflop = 3 * 2 * people * unik_gmac(frames, joints, dims, LABELS)
    print(f"\nT={frames} V={joints} C={dims} people={people}, batch {batch}, {clip_gflop:.1f} GFLOP/clip and step")
    print(f"roof (1x9 convolution, 256 channels): fp32 {roof['fp32']:.0f}, bf16 {roof['bf16']:.0f} GFLOP/s")
    print(f"{'':50}clips/s  ms/clip  x ref  GFLOP/s  % roof  peak MiB")
    for name in variants:
        speed = batch / seconds[name]
        done = clip_gflop * speed
        share = 100 * done / roof["bf16" if "bf16" in name else "fp32"]
        peak = float("nan")
        if memory:
            peak = peak_in_new_process(__file__, ["--memory-of", name, "--setting", setting, "--batch", str(batch)])
        print(
            f"{name:50}{speed:7.2f}{1000 / speed:9.1f}{seconds[REFERENCE] / seconds[name]:7.2f}{done:9.0f}"
            f"{share:8.0f}{peak:10.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", nargs="+", default=SETTINGS, help="frames x joints x dims x people")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="skip the processes that measure peak memory")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory_of:
        numbers = [int(number) for number in options.setting[0].split("x")]
        print(resident_peak(build(*numbers, options.batch, chosen=options.memory_of)[options.memory_of]))
        return
    print(machine())
    for setting in options.setting:
        report(setting, options.batch, options.repeats, not options.no_memory)


if __name__ == "__main__":
    main()
