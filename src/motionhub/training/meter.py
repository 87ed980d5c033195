"""Mean losses between two lines of the log, kept on the device. It does not know where they are written."""

import time

import torch


class Meter:
    """Running sums on the device, read only when a line is written, so that a GPU is not kept waiting."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.passes, self.updates, self.started = 0, 0, time.perf_counter()

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        self.passes += 1
        for name, value in losses.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def means(self) -> dict[str, torch.Tensor]:
        return {name: total / self.passes for name, total in self.sums.items()}

    def elapsed(self) -> float:
        return max(time.perf_counter() - self.started, 1e-9)
