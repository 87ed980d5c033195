"""What every claim is: arms x seeds x columns, kept as JSON, shown as a table, judged by gates; its command line.

A claim measures `{column: number}` of an arm and a seed. Numbers are shares and shown in per cent unless said
otherwise. An arm without seeds (a control that draws nothing) has the seed "".
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


SHARED = Path(os.environ.get("MOTIONHUB_SHARED", Path(__file__).resolve().parents[3] / "shared"))  # real files
Scores = dict[str, float]  # by column
Results = dict[str, dict[str, Scores]]  # by arm, then seed (text, as JSON keeps it)


@dataclass(frozen=True)
class Gate:
    """`better` must be above `other` in a column.

    Args:
        least: points that the mean difference over the seeds of both must exceed.
        clear: it must exceed twice its deviation over the seeds, too (not asked for with one seed).
    """

    better: str
    other: str
    column: str
    least: float = 0.0
    clear: bool = True


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


def per_cent(value: float) -> str:
    return f"{100 * value:.1f}"


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


def mean_and_deviation(values: Sequence[float], scale: float = 100.0, digits: int = 1) -> str:
    """Mean and sample deviation; "-" of none."""
    if not len(values):
        return "-"
    spread = f" ± {scale * np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{scale * np.mean(values):.{digits}f}{spread}"


def by_seed(results: Results, arm: str, column: str) -> Scores:
    """The numbers of an arm in a column, by seed."""
    seeds = results.get(arm, {})
    return {seed: seeds[seed][column] for seed in sorted(seeds) if column in seeds[seed]}


def cell(results: Results, arm: str, column: str) -> str:
    """Mean and deviation; names its seeds when it has not all those of the arm."""
    values = by_seed(results, arm, column)
    fewer = values and "" not in values and len(values) < len([seed for seed in results[arm] if seed])
    return mean_and_deviation(list(values.values())) + (f" ({said_seeds(values)})" if fewer else "")


def said_seeds(seeds: Collection[str]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"


def columns_of(results: Results) -> list[str]:
    """All columns, in the order in which they were measured."""
    return list(dict.fromkeys(name for seeds in results.values() for scores in seeds.values() for name in scores))


def table(
    results: Results,
    columns: Sequence[str] | None = None,
    *,
    seeds: bool = False,
    head: str = "arm",
    **more: dict[str, Any],
) -> list[str]:
    """Lines of Markdown: an arm a row. `seeds` names them; `more` are further columns, "-" where an arm has none."""
    columns = columns_of(results) if columns is None else columns
    lines = markdown_head([head, *["seeds"] * seeds, *columns, *more])
    for arm in results:
        cells = [arm, *[", ".join(sorted(results[arm]))] * seeds, *(cell(results, arm, column) for column in columns)]
        lines.append(f"| {' | '.join([*cells, *(str(given.get(arm, '-')) for given in more.values())])} |")
    return lines


def markdown_head(names: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def paired_gains(results: Results, better: str, other: str, column: str) -> Scores:
    """Differences by the seeds that both have; an arm without seeds is compared with every seed."""
    first, second = by_seed(results, better, column), by_seed(results, other, column)
    if "" in second:
        return {seed: value - second[""] for seed, value in first.items()}
    return {seed: first[seed] - second[seed] for seed in first if seed in second}


def gate_line(gate: Gate, gains: Scores) -> str:
    """Whether a gate holds for the gains of some seeds."""
    points = 100 * np.array(list(gains.values()))
    spread = 2 * float(np.std(points, ddof=1)) if gate.clear and len(points) > 1 else -np.inf
    needed = max(gate.least, spread)
    seeds = "" if "" in gains else f" ({said_seeds(list(gains))})"
    verdict = "holds" if points.mean() > needed else "FAILS"
    name = f"{gate.better} - {gate.other}, {gate.column}{seeds}"
    return f"- {name}: {points.mean():+.1f}, needed above {needed:.1f}: {verdict}"


def gate_lines(results: Results, gates: Iterable[Gate]) -> list[str]:
    """A line for each gate whose arms have a seed in common."""
    pairs = ((gate, paired_gains(results, gate.better, gate.other, gate.column)) for gate in gates)
    return [gate_line(gate, gains) for gate, gains in pairs if gains]


def report_gates(gates: dict[str, bool]) -> int:
    """Print whether each named gate holds; the exit status."""
    print()
    for name, holds in gates.items():
        print(f"{'holds' if holds else 'FAILS'}  {name}")
    return 0 if all(gates.values()) else 1


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
