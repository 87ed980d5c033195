"""Pairing of the clips of a forward pass, independent of how the pass is distributed over processes.

Every process has some of the clips. Here they are ordered by their seeds, which is random and the same in every
process; what a partner contributes is gathered, with gradients to its process. Accumulation steps are separate passes:
clips of two of them are never paired.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from motionhub.objectives.momentum import gathered


class JointForward:
    """The clips of one forward pass in all processes.

    Args:
        seeds: `(batch,)` int64 of this process's clips; every process brings equally many.
    """

    def __init__(self, seeds: Tensor) -> None:
        self._order = gathered(seeds).argsort(stable=True)
        first = 0 if _alone() else dist.get_rank() * len(seeds)
        self.own = self._order.argsort()[first : first + len(seeds)]
        self.seeds = self.of_all(seeds)

    def __len__(self) -> int:
        """How many clips all processes have."""
        return len(self._order)

    def of_all(self, values: Tensor) -> Tensor:
        """`values (batch, ...)` of all processes' clips, in order; `[self.own]` are those given."""
        if values.dtype == torch.bool:
            return gathered(values.to(torch.uint8))[self._order].bool()
        return gathered(values)[self._order]

    def later(self, places: int) -> Tensor:
        """`(batch,)`: where in the order the clip so many places after each own one is; the first follows the last."""
        return (self.own + places) % len(self)


def padded_alike(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch with as many people and frames as the largest of all processes has, as one process would pad it."""
    if _alone():
        return batch
    mask = batch["attention_mask"]
    sizes = torch.tensor(mask.shape[1:], device=mask.device)
    dist.all_reduce(sizes, op=dist.ReduceOp.MAX)
    people, frames = (int(size) - own for size, own in zip(sizes, mask.shape[1:], strict=True))
    after = {"keypoints": [0, 0, 0, 0], "joint_mask": [0, 0], "attention_mask": []}
    made = {
        name: functional.pad(batch[name], [*inner, 0, frames, 0, people]) if people or frames else batch[name]
        for name, inner in after.items()
    }
    return {**batch, **made}


def _alone() -> bool:
    return not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1
