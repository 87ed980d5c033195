"""The numbers of a claim's arms: kept as JSON that grows with every seed, shown as cells, judged by gates."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np


ArmScores = dict[str, dict[str, list[float]]]  # arm -> column -> a share for every seed, in their order


def opened(path: Path | None) -> ArmScores:
    """What was measured before, or nothing."""
    return json.loads(path.read_text()) if path is not None and path.exists() else {}


def added(scores: ArmScores, arm: str, found: dict[str, float], head: str, path: Path | None) -> None:
    """Appends the columns of one more seed, says them in a line that begins with `head`, and keeps all in `path`."""
    for name, value in found.items():
        scores.setdefault(arm, {}).setdefault(name, []).append(value)
    numbers = ", ".join(f"{name} {100 * value:.1f}" for name, value in found.items())
    print(f"{head}: {numbers}", file=sys.stderr, flush=True)
    if path is not None:
        path.write_text(json.dumps(scores))


def cell(values: Sequence[float]) -> str:
    """Mean and sample deviation of shares, per cent."""
    if not values:
        return "-"
    spread = f" ± {100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.1f}{spread}"


def gate(name: str, gains: Sequence[float], least: float, *, clear: bool = True) -> str:
    """Whether a gate holds, as a line of text.

    Args:
        name: of the gate.
        gains: differences of two arms, as shares, paired by seed.
        least: points that their mean must exceed.
        clear: it must exceed twice their deviation over the seeds, too.
    """
    points = 100 * np.asarray(gains)
    needed = max(least, 2 * float(np.std(points, ddof=1)) if clear and len(points) > 1 else least)
    verdict = "holds" if points.mean() > needed else "FAILS"
    return f"- {name}: {points.mean():+.1f}, needed above {needed:.1f}: {verdict}"


def paired_gates(scores: ArmScores, gates: Iterable[tuple[str, str, str, float]]) -> list[str]:
    """A line for each `(better arm, other arm, column, least gain in points)` that both arms have; see `gate`.

    Of one seed only the least gain can be asked for.
    """
    lines = []
    for better, other, column, least in gates:
        pair = [scores.get(arm, {}).get(column, []) for arm in (better, other)]
        gains = [one - two for one, two in zip(*pair, strict=False)]
        if gains:
            seeds = f"{len(gains)} seeds" if len(gains) > 1 else "1 seed"
            lines.append(gate(f"{better} - {other}, {column} ({seeds})", gains, least))
    return lines
