"""What every claim is: arms x seeds x columns, kept as JSON, shown as a table, judged by gates; its command line.

A claim measures `{column: number}` of an arm and a seed. Numbers are shares and shown in per cent unless said
otherwise. An arm without seeds (a control that draws nothing) has the seed "".
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionhub.reproduction.comparison import Results, Scores, per_cent


SHARED = Path(os.environ.get("MOTIONHUB_SHARED", Path(__file__).resolve().parents[3] / "shared"))  # real files


def command_line(
    doc: str, arms: Iterable[str] = (), *, seeds: Sequence[int] = (0, 1, 2), cache: bool = True, **texts: str
) -> argparse.ArgumentParser:
    """--data, --seeds, --output, and --arms and --cache where there are any; flags such as --quick by `texts`."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    file, folder = texts.pop("data", None), "folder of the archives (default: MOTIONHUB_SHARED/data)"
    parser.add_argument("--data", type=Path, default=SHARED / "data", required=bool(file), help=file or folder)
    if cache:
        parser.add_argument("--cache", type=Path, help="folder that keeps what was read from them")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(seeds), help="none: only shows --output")
    if arms:
        parser.add_argument("--arms", nargs="+", choices=list(arms), default=list(arms), help="default: all")
    for name, text in texts.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--output", type=Path, help="JSON of the numbers: a run again replaces its own, others stay")
    return parser


def read(path: Path | None) -> Results:
    """What was measured before.

    Raises:
        ValueError: the file holds something else.
    """
    if path is None or not path.exists():
        return {}
    results = json.loads(path.read_text())
    seeds = list(results.values()) if isinstance(results, dict) else [results]
    if not all(isinstance(each, dict) and all(isinstance(one, dict) for one in each.values()) for each in seeds):
        raise ValueError(f"{path}: expected numbers by arm, seed and column; give another --output.")
    return dict(results)


def measure(
    arms: Sequence[str],
    seeds: Sequence[Any],
    score: Callable[[str, Any], Scores],
    path: Path | None = None,
    results: Results | None = None,
    shown: Callable[[float], str] = per_cent,
) -> Results:
    """`score(arm, seed)` of every seed and arm, added to `results` and, after each, to the file."""
    results = read(path) if results is None else results
    for seed in seeds:
        for arm in arms:
            start = time.perf_counter()
            found = score(arm, seed)
            if not found:
                continue
            results.setdefault(arm, {}).setdefault(str(seed), {}).update(found)
            numbers = ", ".join(f"{name} {shown(value)}" for name, value in found.items())
            print(f"seed {seed} {arm} ({time.perf_counter() - start:.0f} s): {numbers}", file=sys.stderr, flush=True)
            save(results, path)
    return results


def save(results: Any, path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(results, indent=1))


def kept(folder: Path | None, name: str, make: Callable[[], Any]) -> Any:
    """The tensors of a file, which is written when it is not there; without a folder they are made every time."""
    if folder is None:
        return make()
    path = folder / name
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(made, path)
    return torch.load(path)


class Called(nn.Module):
    """A network called in a way of the claim's own: `call(network, ...)`."""

    def __init__(self, network: nn.Module, call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network, self.call = network, call

    def forward(self, *inputs: Any) -> Tensor:
        return self.call(self.network, *inputs)


def fit(
    network: nn.Module,
    batches: Iterable[Any],
    loss_of: Callable[[Any], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: Any = None,
    after_update: Callable[[], object] = lambda: None,
    max_grad_norm: float | None = None,
) -> None:
    """Fits a probe, such as a head on frozen features: one update for each batch. Encoders train by `train`."""
    network.train()
    for batch in batches:
        optimizer.zero_grad()
        loss_of(batch).backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), max_grad_norm)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        after_update()
    network.eval()
