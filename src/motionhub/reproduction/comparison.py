"""Numbers by arm, seed and column: means, tables, differences paired by seed, and gates that judge them.

Numbers are shares and shown in per cent unless said otherwise. An arm without seeds (a control that draws nothing) has
the seed "".
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


Scores = dict[str, float]  # by column
Results = dict[str, dict[str, Scores]]  # by arm, then seed (text, as JSON keeps it)

# A test at 5 %, two-sided, that finds a difference of the measured size in four of five repetitions.
_LEVEL, _POWER, _MOST_SEEDS = 0.05, 0.8, 1000


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


@dataclass(frozen=True)
class PairedTest:
    """What the differences of two arms over their common seeds say.

    Args:
        mean: of the differences.
        standard_error: of the mean; None with one seed.
        p_value: of a two-sided paired t-test; None with one seed, or where all differences are equal.
        seeds: number of common seeds.
        seeds_needed: for a difference of this mean and spread to be found at 5 % in four of five repetitions; None
            where it is not known (one seed), or where more than 1,000 would be needed.
    """

    mean: float
    standard_error: float | None
    p_value: float | None
    seeds: int
    seeds_needed: int | None


def paired_test(differences: Iterable[float]) -> PairedTest:
    """The paired test of differences by seed, in their unit.

    Raises:
        ValueError: there are none.
    """
    values = np.array(list(differences), dtype=np.float64)
    if not len(values):
        raise ValueError("A paired test needs a seed that both have; run the same seeds of both.")
    mean = float(values.mean())
    if len(values) == 1:
        return PairedTest(mean, None, None, 1, None)
    spread = float(values.std(ddof=1))
    error = spread / np.sqrt(len(values))
    p_value = 2 * float(stats.t.sf(abs(mean) / error, len(values) - 1)) if error else None
    return PairedTest(mean, float(error), p_value, len(values), seeds_needed(mean, spread))


def seeds_needed(mean: float, spread: float) -> int | None:
    """The fewest seeds with which a paired t-test at 5 % has a power of 80 %; None above 1,000.

    Args:
        mean, spread: of the differences, the latter as a sample deviation.
    """
    if mean == 0:
        return None
    if spread == 0:
        return 2
    number = np.arange(2, _MOST_SEEDS + 1)
    critical = stats.t.ppf(1 - _LEVEL / 2, number - 1)
    # beyond a hundred standard errors SciPy has no number, and the power is 1
    power = stats.nct.sf(critical, number - 1, np.minimum(abs(mean) / spread * np.sqrt(number), 100.0))
    enough = np.flatnonzero(power >= _POWER)
    return int(number[enough[0]]) if len(enough) else None


def per_cent(value: float) -> str:
    """A share as per cent with one digit."""
    return f"{100 * value:.1f}"


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
    """`seed 0`, or `seeds 0, 1`."""
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
    """The first two lines of a table in Markdown."""
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def latex_text(text: str) -> str:
    """The text with LaTeX's special characters escaped."""
    special = {"±": r"$\pm$", "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(each, f"\\{each}" if each in "&%$#_{}" else each) for each in text)


def paired_gains(results: Results, better: str, other: str, column: str) -> Scores:
    """Differences by the seeds that both have; an arm without seeds is compared with every seed."""
    first, second = by_seed(results, better, column), by_seed(results, other, column)
    if "" in second:
        return {seed: value - second[""] for seed, value in first.items()}
    return {seed: first[seed] - second[seed] for seed in first if seed in second}


def gate_line(gate: Gate, gains: Scores) -> str:
    """Whether a gate holds for the gains of some seeds, with their standard error and the seeds that would tell."""
    test = paired_test(100 * gain for gain in gains.values())
    spread = 2 * test.standard_error * test.seeds**0.5 if gate.clear and test.standard_error is not None else -np.inf
    needed = max(gate.least, spread)
    seeds = "" if "" in gains else f" ({said_seeds(list(gains))})"
    verdict = "holds" if test.mean > needed else "FAILS"
    name = f"{gate.better} - {gate.other}, {gate.column}{seeds}"
    return f"- {name}: {test.mean:+.1f}{said_error(test)}, needed above {needed:.1f}: {verdict}"


def said_error(test: PairedTest, digits: int = 1) -> str:
    """` (standard error 1.2, 5 seeds would tell)`; nothing of one seed."""
    if test.standard_error is None:
        return ""
    needed = "more than 1,000 seeds" if test.seeds_needed is None else f"{test.seeds_needed} seeds"
    return f" (standard error {test.standard_error:.{digits}f}, {needed} would tell)"


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
