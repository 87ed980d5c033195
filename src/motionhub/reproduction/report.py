"""A measured table beside the paper's: `paper | measured | gap | seeds | command`, and what its orderings say.

A number that differs from the paper's in data, model or settings stands in a table of its own, whose heading says how,
without the paper's column.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

import numpy as np

from motionhub.atomic import write_text
from motionhub.papers import get_paper
from motionhub.reproduction.comparison import PairedTest, latex_text, markdown_head, paired_test, said_error
from motionhub.reproduction.results import Measured
from motionhub.reproduction.table import Ordering, Table, table_ids


# Of a paired t-test, two-sided.
LEVEL = 0.05


@dataclass(frozen=True)
class Line:
    """A cell over its seeds.

    Args:
        paper: the published number; None where there is none or the measured one differs in its settings.
        values: by seed.
        failed: seed -> why.
        differs: from the paper's settings.
        command: measures it.
    """

    row: str
    column: str
    paper: float | None
    values: dict[int, float]
    failed: dict[int, str]
    differs: tuple[str, ...]
    command: str

    @property
    def mean(self) -> float | None:
        return float(np.mean(list(self.values.values()))) if self.values else None


@dataclass(frozen=True)
class Verdict:
    """An ordering of the paper in one column, measured.

    Args:
        test: differences in the direction of the claim, positive where it holds.
        paper: the paper's difference, in the same direction; None where it has none.
        text: "holds", "the other way" or "not clear".
    """

    better: str
    other: str
    column: str
    test: PairedTest
    paper: float | None
    text: str


def lines_of(table: Table, records: Iterable[Measured]) -> list[Line]:
    """The cells in the order of the table."""
    by_cell: dict[tuple[str, str, tuple[str, ...]], list[Measured]] = {}
    for one in records:
        by_cell.setdefault((one.row, one.column, tuple(one.differs)), []).append(one)
    order = {(cell.row, cell.column): place for place, cell in enumerate(table.cells)}
    found = []
    for (row, column, differs), seeds in by_cell.items():
        seeds = sorted(seeds, key=lambda one: one.seed)
        published = table.published.get(row, {}).get(column, np.nan)
        found.append(
            Line(
                row,
                column,
                None if differs or np.isnan(published) else published,
                {one.seed: one.value for one in seeds if one.value is not None},
                {one.seed: one.error for one in seeds if one.value is None},
                differs,
                _command(table, row, column, seeds),
            )
        )
    return sorted(found, key=lambda line: order.get((line.row, line.column), len(order)))


def _command(table: Table, row: str, column: str, seeds: Sequence[Measured]) -> str:
    """Measures the cell; the commands behind it stand in results.json."""
    name = table.id if table.id in table_ids() else f"{table.id}.toml"
    words = ["motionhub", "reproduce", name, *(["--variant", table.variant] if table.variant else [])]
    words += ["--rows", row, "--columns", column, "--seeds", *(str(one.seed) for one in seeds)]
    changes = [each.removeprefix("--set ") for each in seeds[0].differs if each.startswith("--set ")]
    return join([*words, *(["--set", *changes] if changes else []), "--data_root", "FOLDER"])


def verdicts_of(table: Table, lines: Sequence[Line]) -> list[Verdict]:
    """Every ordering that the paper claims, in the columns where both rows have a seed in common and one setting."""
    found = []
    for _, group in groups_of(lines):
        cells = {(line.row, line.column): line for line in group}
        for claim in table.orderings:
            for column in claim.columns or table.columns:
                first, second = cells.get((claim.better, column)), cells.get((claim.other, column))
                if first and second and first.values.keys() & second.values.keys():
                    found.append(_verdict(table, claim, column, first, second))
    return found


def _verdict(table: Table, claim: Ordering, column: str, first: Line, second: Line) -> Verdict:
    sign = -1 if table.lower_is_better else 1
    test = paired_test(
        sign * (first.values[seed] - second.values[seed]) for seed in first.values if seed in second.values
    )
    published = [table.published.get(row, {}).get(column, np.nan) for row in (claim.better, claim.other)]
    paper = sign * (published[0] - published[1])
    clear = test.p_value is not None and test.p_value < LEVEL
    text = ("holds" if test.mean > 0 else "the other way") if clear else "not clear"
    return Verdict(claim.better, claim.other, column, test, None if np.isnan(paper) else float(paper), text)


def verdict_line(table: Table, verdict: Verdict) -> str:
    """One line of Markdown."""
    test, unit = verdict.test, "" if table.unit == "%" else f" {table.unit}"
    seeds = f"{test.seeds} seed{'s' if test.seeds > 1 else ''}"
    paper = "" if verdict.paper is None else f"; paper {verdict.paper:+.{table.digits}f}"
    return (
        f"- {verdict.better} better than {verdict.other}, {verdict.column}: {test.mean:+.{table.digits}f}{unit}"
        f"{said_error(test, table.digits + 1)}, {seeds}{paper}: {verdict.text}"
    )


def heading(table: Table) -> str:
    """Id and variant, place and paper, in one line."""
    variant = f", variant {table.variant}" if table.variant else ""
    paper = get_paper(table.paper)
    return f"{table.id}{variant}: {table.title} ({paper.venue}, {paper.year}, {table.place})"


def groups_of(lines: Sequence[Line]) -> list[tuple[tuple[str, ...], list[Line]]]:
    """Lines by how they differ from the paper; those that do not differ first."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in sorted(lines, key=lambda line: bool(line.differs)):
        groups.setdefault(line.differs, []).append(line)
    return list(groups.items())


def cells_of(table: Table, line: Line) -> list[str]:
    """`row, column, paper, measured, gap, seeds, command` of a line as texts."""
    digits, values = table.digits, list(line.values.values())
    mean = "-" if line.mean is None else f"{line.mean:.{digits}f}"
    if len(values) > 1:
        mean = f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
    gap = "-" if line.paper is None or line.mean is None else f"{line.mean - line.paper:+.{digits}f}"
    paper = "-" if line.paper is None else f"{line.paper:.{digits}f}"
    seeds = str(len(values))
    if line.failed:
        failed = "; ".join(f"seed {seed} failed: {error}" for seed, error in line.failed.items())
        seeds = f"{len(values)} of {len(values) + len(line.failed)} ({failed})"
    return [line.row, line.column, paper, mean, gap, seeds, line.command]


def columns_of(table: Table, differs: Sequence[str]) -> list[str]:
    """The head of a table; without the paper's columns where the settings differ."""
    names = ["row", "column", f"paper ({table.unit})", f"measured ({table.unit})", "gap", "seeds", "command"]
    return [name for place, name in enumerate(names) if not (differs and place in (2, 4))]


def _rows(table: Table, differs: Sequence[str], lines: Iterable[Line]) -> list[list[str]]:
    cells = [cells_of(table, line) for line in lines]
    return [[text for place, text in enumerate(row) if not (differs and place in (2, 4))] for row in cells]


def as_markdown(table: Table, lines: Sequence[Line]) -> str:
    """Heading, a table for each way the cells differ from the paper, and the orderings."""
    text = [f"# {heading(table)}", "", f"The paper's claim: {table.claim}"]
    for differs, group in groups_of(lines):
        names = columns_of(table, differs)
        title = "As in the paper" if not differs else f"Not the paper's settings: {'; '.join(differs)}"
        text += ["", f"## {title}", "", *markdown_head(names)]
        for row in _rows(table, differs, group):
            escaped = [_escaped(cell) for cell in row]
            text.append(f"| {' | '.join([*escaped[:-1], f'`{escaped[-1]}`'])} |")
    if verdicts := verdicts_of(table, lines):
        text += ["", "## What the paper orders", "", *(verdict_line(table, one) for one in verdicts)]
        text += ["", f"A verdict is that of a paired t-test over the seeds, two-sided, at {100 * LEVEL:.0f} %."]
    return "\n".join(text) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def as_latex(table: Table, lines: Sequence[Line]) -> str:
    """A `tabular` (booktabs) for each way the cells differ from the paper, without the commands."""
    parts = []
    for differs, group in groups_of(lines):
        names = columns_of(table, differs)[:-1]
        title = heading(table) + ("" if not differs else f". Not the paper's settings: {'; '.join(differs)}")
        parts += [f"% {_one_line(title)}", f"\\begin{{tabular}}{{ll{'r' * (len(names) - 2)}}}", "\\toprule"]
        parts += [f"{' & '.join(map(latex_text, names))} \\\\", "\\midrule"]
        parts += [f"{' & '.join(map(latex_text, row[:-1]))} \\\\" for row in _rows(table, differs, group)]
        parts += ["\\bottomrule", "\\end{tabular}", ""]
    return "\n".join(parts)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def as_csv(table: Table, lines: Sequence[Line]) -> str:
    """A line for each cell, with all seeds."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = ["table", "variant", "row", "column", "unit", "paper", "mean", "sd", "gap", "seeds", "values", "failed"]
    writer.writerow([*names, "differs", "command"])
    for line in lines:
        values = list(line.values.values())
        gap = "" if line.paper is None or line.mean is None else line.mean - line.paper
        writer.writerow(
            [
                *(table.id, table.variant, line.row, line.column, table.unit),
                *("" if line.paper is None else line.paper, "" if line.mean is None else line.mean),
                *(np.std(values, ddof=1) if len(values) > 1 else "", gap, len(values)),
                " ".join(f"{seed}:{value:.{table.digits + 2}f}" for seed, value in line.values.items()),
                "; ".join(f"{seed}: {error}" for seed, error in line.failed.items()),
                *("; ".join(line.differs), line.command),
            ]
        )
    return file.getvalue()


def write_report(table: Table, records: Iterable[Measured], folder: Path) -> str:
    """Writes table.md, table.tex and table.csv; returns the Markdown."""
    lines = lines_of(table, records)
    markdown = as_markdown(table, lines)
    for name, text in (("md", markdown), ("tex", as_latex(table, lines)), ("csv", as_csv(table, lines))):
        write_text(folder / f"table.{name}", text)
    return markdown
