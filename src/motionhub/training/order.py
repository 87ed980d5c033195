"""The order of the clips in an epoch: a function of (seed, epoch) alone, which can be continued at any update.

It depends neither on the number of processes nor on that of workers, and is the same in every process.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


LANES = 8
# Row groups whose rows are shuffled together, per lane.
WINDOW = 3


class EpochOrder(Sampler[int]):
    """All clips in random order, always a whole number of updates.

    Args:
        num_clips: size of the training set.
        batch_size: clips per update.
        seed: of the shuffling.
        drop_last: leave out the clips that do not fill the last update; otherwise fill it from the start of the order.
    """

    def __init__(self, num_clips: int, batch_size: int, seed: int, drop_last: bool = True) -> None:
        self.num_clips, self.batch_size, self.seed = num_clips, batch_size, seed
        whole, rest = divmod(num_clips, batch_size)
        self.updates = whole if drop_last or not rest else whole + 1
        if not self.updates:
            raise ValueError(f"batch_size is {batch_size}, but there are only {num_clips} clips to train on.")
        self.epoch, self.first_update = 0, 0

    def begin(self, epoch: int, first_update: int = 0) -> None:
        """Choose the epoch (0-based) and how many of its updates were already done."""
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

    An epoch shuffles the row groups, then the rows of every few of them together, and deals the result out to lanes,
    each of which goes through its own part of the files. An update takes an equal share of every lane, so processes,
    which share out updates, also share out the files.

    Args:
        group_sizes: rows of each row group, in the order of the rows.
        batch_size, seed, drop_last: as of `EpochOrder`.
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
        """Every row once: row groups in random order, rows at random among those of `WINDOW` groups."""
        random = np.random.default_rng([self.seed, self.epoch])
        begins = np.cumsum(self.group_sizes) - self.group_sizes
        groups = random.permutation(len(self.group_sizes))
        windows = [groups[start : start + WINDOW] for start in range(0, len(groups), WINDOW)]
        parts = []
        for window in windows:
            rows = np.concatenate([begins[group] + np.arange(self.group_sizes[group]) for group in window])
            parts.append(random.permutation(rows))
        return np.concatenate(parts)
