"""State of contrastive methods: a slow copy of the network, a queue of old keys, one embedding per clip.

All of it belongs to an objective: saved with its `state_dict`, never optimised. With several processes every one
holds the same queue and the same bank: what goes in is gathered first, in an order that does not depend on how the
clips were shared out (`Gathered`).
"""

import copy
import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class MomentumEncoder(nn.Module):
    """A copy of a network that follows it slowly: `slow <- m slow + (1 - m) network` after every update.

    The copy runs in training mode and without gradients, in float32. Its batch norms normalise by the statistics of
    the keys they see, as in MoCo. Their running statistics (used in evaluation only) follow `batch_norm`:

    - "copy": they become the network's own after every update. The default, since a network whose weights are nearly
      the same has nearly the same statistics, and these are the better measured ones.
    - "average": they follow the network's as slowly as the weights do.
    - "own": they are measured on the keys (LAC's official code); each process then has its own, of which the main
      process's are saved.

    Buffers that are counts (whole numbers) are copied, except with "own".

    Args:
        network: copied, not kept.
        momentum: m at the start.
        anneal: True raises m to 1 along half a cosine over the run, `1 - (1 - momentum)(cos(pi progress) + 1) / 2`.
        batch_norm: see above.
    """

    def __init__(self, network: nn.Module, momentum: float, *, anneal: bool = False, batch_norm: str = "copy") -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be in [0, 1], got {momentum!r}; 0.99 to 0.999 is usual.")
        if batch_norm not in ("copy", "average", "own"):
            raise ValueError(f"batch_norm must be 'copy', 'average' or 'own', got {batch_norm!r}.")
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.network.train()
        self.momentum, self.anneal, self.batch_norm = momentum, anneal, batch_norm

    @torch.no_grad()
    def forward(self, *inputs: Any, **named_inputs: Any) -> Any:
        """What the copy makes of the inputs, without gradients."""
        return self.network(*inputs, **named_inputs)

    def momentum_at(self, progress: float) -> float:
        """M after the share `progress` (0 to 1) of the run."""
        if not self.anneal:
            return self.momentum
        return 1 - (1 - self.momentum) * (math.cos(math.pi * progress) + 1) / 2

    @torch.no_grad()
    def update(self, network: nn.Module, progress: float = 0.0) -> None:
        """One step towards `network` (of the same architecture), whose weights may be shared out over processes."""
        share = 1 - self.momentum_at(progress)
        for slow, fast in zip(self.network.parameters(), network.parameters(), strict=True):
            slow.lerp_(whole(fast.detach()).to(slow.dtype), share)
        if self.batch_norm == "own":
            return
        for held, measured in zip(self.network.buffers(), network.buffers(), strict=True):
            if self.batch_norm == "average" and held.is_floating_point():
                held.lerp_(measured.to(held.dtype), share)
            else:
                held.copy_(measured)


def whole(weight: Tensor) -> Tensor:
    """A weight as one tensor: gathered, in every process, where FSDP shares it out over them.

    Examples:
        >>> from motionhub.objectives.momentum import whole
        >>> whole(torch.ones(2))
        tensor([1., 1.])
    """
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight


class FeatureQueue(nn.Module):
    """The last `size` keys, first in first out; the write position wraps around at any batch size.

    Each key remembers the dataset row it came from, so that a clip's own old keys need not be its negatives: with a
    queue larger than the dataset there always are some (`others`).

    Args:
        size: keys kept.
        shape: of a key: channels, or (frames, channels).
        start: "random" fills the queue with random keys of a fixed seed (uniform, +-1/sqrt(channels / 3), as the
            official MoCo code), "empty" leaves it empty.
        dtype: of the keys.
    """

    features: Tensor
    rows: Tensor
    position: Tensor
    seen: Tensor

    def __init__(
        self, size: int, shape: int | tuple[int, ...], *, start: str = "random", dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if size < 1 or start not in ("random", "empty"):
            raise ValueError(f"A queue needs size >= 1 and start 'random' or 'empty', got {size} and {start!r}.")
        limit = 1 / math.sqrt(shape[-1] / 3)
        random = torch.rand(size, *shape, generator=torch.Generator().manual_seed(0))
        self.size, self.start = size, start
        self.register_buffer("features", ((2 * random - 1) * limit).to(dtype))
        self.register_buffer("rows", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @property
    def is_full(self) -> bool:
        """True once every key is a real one."""
        return int(self.seen) >= self.size

    def negatives(self) -> Tensor:
        """A copy of the keys `(num, *shape)`; with start "empty" only those that were put in so far."""
        if self.start == "empty" and not self.is_full:
            return self.features[: int(self.seen)].clone()
        return self.features.clone()

    def others(self, rows: Tensor) -> Tensor:
        """`(batch, num)` bool, False where a key of `negatives()` came from the clip of `rows (batch,)` itself."""
        held = self.rows[: int(self.seen)] if self.start == "empty" and not self.is_full else self.rows
        return held != rows[:, None]

    @torch.no_grad()
    def enqueue(self, keys: Tensor, rows: Tensor | None = None) -> None:
        """Put in `keys (batch, *shape)` of the dataset's `rows (batch,)`, the same in every process.

        Of a batch larger than the queue the last keys stay.

        Raises:
            ValueError: keys of another shape.
        """
        if keys.shape[1:] != self.features.shape[1:]:
            raise ValueError(
                f"The queue holds keys of shape {tuple(self.features.shape[1:])}, got {tuple(keys.shape[1:])}."
            )
        rows = torch.full((len(keys),), -1, device=keys.device) if rows is None else rows
        self.seen += len(keys)
        skipped = max(0, len(keys) - self.size)
        places = (self.position + skipped + torch.arange(len(keys) - skipped, device=keys.device)) % self.size
        self.features[places] = keys[skipped:].detach().to(self.features.dtype)
        self.rows[places] = rows[skipped:]
        self.position.copy_((self.position + len(keys)) % self.size)


class MemoryBank(nn.Module):
    """One unit vector per row of a dataset, following the clip's embedding: `bank <- m bank + (1 - m) embedding`.

    The result is normalised to length 1 (OR-VPE eq. 5 does not say). A bank starts with random unit vectors, which a
    row's first embedding mixes with like any other, or with `replace_first` takes the place of.

    Args:
        num_rows, channels: its size.
        fingerprint: names the dataset; a state with another one is refused, as its rows are other clips.
        momentum: m.
        replace_first: see above.
    """

    vectors: Tensor
    seen: Tensor

    def __init__(
        self, num_rows: int, channels: int, *, fingerprint: str, momentum: float = 0.5, replace_first: bool = False
    ) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise ValueError(f"The momentum of a memory bank must be in [0, 1), got {momentum!r}.")
        random = torch.randn(num_rows, channels, generator=torch.Generator().manual_seed(0))
        self.momentum, self.fingerprint, self.replace_first = momentum, fingerprint, replace_first
        self.register_buffer("vectors", nn.functional.normalize(random, dim=1))
        self.register_buffer("seen", torch.zeros(num_rows, dtype=torch.bool))

    def forward(self, rows: Tensor) -> Tensor:
        """A copy of the vectors of `rows (...)`: `(..., channels)`."""
        return self.vectors[rows]

    @torch.no_grad()
    def update(self, rows: Tensor, embeddings: Tensor) -> None:
        """Move the vectors of `rows (batch,)` towards `embeddings (batch, channels)`, of which lengths do not matter.

        Several embeddings of one row (views) count as their mean. Call it with the same arguments in every process.
        """
        units = nn.functional.normalize(embeddings.detach().to(self.vectors.dtype), dim=1)
        held, place = rows.unique(return_inverse=True)
        count = place.bincount(minlength=len(held)).to(units.dtype)
        mean = units.new_zeros(len(held), units.shape[1]).index_add_(0, place, units) / count[:, None]
        old = self.momentum * self.vectors[held]
        if self.replace_first:
            old = old * self.seen[held, None].to(old.dtype)
        moved = old + (1 - self.momentum) * mean
        self.vectors[held] = nn.functional.normalize(moved, dim=1)
        self.seen[held] = True

    def get_extra_state(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        if state["fingerprint"] != self.fingerprint:
            raise ValueError(
                "This memory bank belongs to another dataset: its rows are other clips. Give the dataset it was "
                "made with, or start the pre-training anew (resume='none', another output_dir)."
            )


class Gathered:
    """Collects what an update's forward passes made, to hand it out gathered over the processes and in row order.

    Sorted by dataset row, the result is the same however the clips of the update were shared out over processes and
    accumulation steps (up to rounding). Call `take` in every process, once per update.
    """

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.vectors: list[Tensor] = []

    def add(self, rows: Tensor, vectors: Tensor) -> None:
        """`vectors (batch, ...)` of the dataset's `rows (batch,)`; every process adds equally many in an update."""
        self.rows.append(rows.detach())
        self.vectors.append(vectors.detach())

    def take(self) -> tuple[Tensor, Tensor]:
        """All rows and vectors of the update, in row order; the collection is empty afterwards."""
        rows, vectors = gathered(torch.cat(self.rows)), gathered(torch.cat(self.vectors))
        self.rows, self.vectors = [], []
        order = rows.argsort(stable=True)
        return rows[order], vectors[order]


def gathered(values: Tensor) -> Tensor:
    """`values (batch, ...)` of all processes, one after the other, with gradients to each of them.

    Every process must bring equally many. Gradients of all processes' losses add up at their source: together with
    the mean that DistributedDataParallel takes, this is the gradient of the mean loss of one process with all clips.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return values
    return _Gather.apply(values)


class _Gather(torch.autograd.Function):
    """torch.distributed.nn's `all_gather` gives other gradients: a test of two processes fails with it."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values.contiguous())
        context.count = len(values)
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total[dist.get_rank() * context.count :][: context.count]
