"""One process of a pre-training whose weights are shared out (FSDP2) on CPUs.

Accelerate leaves FSDP out on CPUs, though torch has it there: its state is told that this is FSDP.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch.distributed.tensor import DTensor
from toy_pretraining import pretrain

from motionhub.objectives.momentum import whole
from motionhub.training.arguments import TrainingRecipe


def shard_on_cpus() -> None:
    plugin, original = FullyShardedDataParallelPlugin(), AcceleratorState.__init__

    def with_fsdp(self: AcceleratorState, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        self.fsdp_plugin = plugin
        self.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = with_fsdp  # type: ignore[method-assign]


def main(order: dict[str, Any]) -> None:
    os.environ.update(order["environment"])  # as `accelerate launch` sets it
    shard_on_cpus()
    model, objective, _ = pretrain(TrainingRecipe(**order["recipe"]))
    parts = [value.to_local().numel() for value in model.parameters() if isinstance(value, DTensor)]
    total = sum(value.numel() for value in model.parameters())
    state = {**model.state_dict(prefix="model."), **objective.state_dict()}
    arrays = {name: whole(value).detach().numpy() for name, value in state.items() if hasattr(value, "numpy")}
    rank = os.environ["RANK"]
    np.savez(Path(order["report"]) / f"rank{rank}.npz", **arrays)
    (Path(order["report"]) / f"rank{rank}.json").write_text(json.dumps({"here": sum(parts), "total": total}))
