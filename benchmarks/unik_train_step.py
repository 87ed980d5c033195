"""One training step of UNIK (forward, backward, SGD) on one CPU thread against the plain per-head reference in fp32.

    taskset -c 0 python benchmarks/unik_train_step.py [--batch 8] [--repeats 5] [--setting 150x17x2x1 ...]

A setting is frames x joints x dims x people.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from measuring import LABELS, compare_unik
from torch import Tensor, nn
from unik_reference import PlainUnik

from motionhub.models.unik import UnikConfig, UnikForActionClassification


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
        "per-head fp32": of_reference,
        "motionhub fp32": lambda: of_model(False),
        "motionhub bf16 autocast": lambda: of_model(True),
        "motionhub bf16 autocast, every other clip padded": lambda: of_model(True, ragged),
    }
    return {name: make() for name, make in makers.items() if chosen in (None, name)}


if __name__ == "__main__":
    compare_unik(__doc__, __file__, build, repeats=5)
