"""The order of the clips in an epoch: a function of (seed, epoch) alone, which can resume at any update."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


LANES = 8
# Row groups whose rows are shuffled together, per lane.
WINDOW = 3


class EpochOrder(Sampler[int]):
    """All clips in random order, for a whole number of updates of `batch_size` clips.

    `drop_last` drops the clips that do not fill the last update; otherwise clips from the start of the order fill it.
    """

    def __init__(self, num_clips: int, batch_size: int, seed: int, drop_last: bool = True) -> None:
        self.num_clips, self.batch_size, self.seed = num_clips, batch_size, seed
        whole, rest = divmod(num_clips, batch_size)
        self.updates = whole if drop_last or not rest else whole + 1
        if not self.updates:
            raise ValueError(f"batch_size is {batch_size}, but there are only {num_clips} training clips.")
        self.epoch, self.first_update = 0, 0

    def begin(self, epoch: int, first_update: int = 0) -> None:
        """Sets the epoch (0-based) and the number of its updates that are already done."""
        self.epoch, self.first_update = epoch, first_update

    def __len__(self) -> int:
        return (self.updates - self.first_update) * self.batch_size

    def __iter__(self) -> Iterator[int]:
        # np.resize cuts the order to whole updates, or repeats it from its start.
        order = np.resize(self._shuffled(), self.updates * self.batch_size)
        return iter(order[self.first_update * self.batch_size :].tolist())

    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.num_clips)


class ShardOrder(EpochOrder):
    """The clips of `ShardedRows`, in an order that reads every row group once.

    An epoch shuffles the row groups, then the rows of every `WINDOW` groups together, and splits them into lanes. An
    update takes an equal share of every lane, so processes, which split updates, also split the files.
    """

    def __init__(self, group_sizes: Sequence[int] | np.ndarray, batch_size: int, seed: int, drop_last: bool) -> None:
        self.group_sizes = np.asarray(group_sizes, np.int64)
        super().__init__(int(self.group_sizes.sum()), batch_size, seed, drop_last)

    def __iter__(self) -> Iterator[int]:
        lanes = math.gcd(self.batch_size, LANES)
        order = np.resize(self._shuffled(), (lanes, self.updates, self.batch_size // lanes))
        updates = order.transpose(1, 0, 2)[self.first_update :]
        return (int(index) for update in updates for index in update.reshape(-1))

    def _shuffled(self) -> np.ndarray:
        random = np.random.default_rng([self.seed, self.epoch])
        begins = np.cumsum(self.group_sizes) - self.group_sizes
        groups = random.permutation(len(self.group_sizes))
        windows = [groups[start : start + WINDOW] for start in range(0, len(groups), WINDOW)]
        parts = []
        for window in windows:
            rows = np.concatenate([begins[group] + np.arange(self.group_sizes[group]) for group in window])
            parts.append(random.permutation(rows))
        return np.concatenate(parts)
