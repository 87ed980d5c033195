"""Measures the cells of a table: each is a run in a folder of its own, so that a killed command resumes by cell."""

import errno
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import join
from typing import Any, TextIO

from filelock import FileLock, Timeout

from motionhub.atomic import write_text
from motionhub.bounded import read_json
from motionhub.data.datasets.datasets import DATASETS
from motionhub.reproduction import results
from motionhub.reproduction.results import Measured
from motionhub.reproduction.table import Cell, Recipe, Table, fill, load_recipes, words_of
from motionhub.training.arguments import MACHINE_FIELDS


# Runs a command of `motionhub`; raises an error where it fails.
RunCommand = Callable[[Sequence[str]], object]
_REPOSITORY = Path(__file__).resolve().parents[3]
_SCRIPTS = ("benchmarks", "examples")  # a table of one's own fills in names, which must not lead elsewhere
_DONE, _OUTPUT = "run.json", "output.txt"
_RECORDED = ("commands", "error", "seconds", "date", "commit", "versions", "machine")
_TRAINS = re.compile(r"motionhub train|python examples/(pretrain|finetune|single_shot)\w*\.py")


@dataclass(frozen=True)
class Settings:
    """What a user chose.

    Args:
        root: folder of the data.
        places: dataset -> path, where it is not in `root`.
        output_dir: for the folders of all tables.
        changes: fields of the recipe -> value, of every training; a table with changes is no table of the paper.
        retry: run again what failed before.
    """

    root: Path | None
    places: Mapping[str, Path]
    output_dir: Path
    changes: Mapping[str, str]
    retry: bool = False


@dataclass(frozen=True)
class Unit:
    """Commands that are run once, for one or several cells."""

    folder: Path
    commands: tuple[tuple[str, ...], ...]


class FailedRun(Exception):
    """A command of a run failed; the text says why, in one line."""


class BusyRun(Exception):
    """Another process is at the run."""


def missing_data(table: Table, settings: Settings) -> list[str]:
    """A line for each dataset that is not there: where it was looked for, where it is had, who may use it."""
    lines = []
    for name in table.needed_data:
        if place_of(name, table, settings) is not None:
            continue
        looked = f"no {name} or {table.files.get(name, name + '.zip')} in {settings.root or '--data_root'}"
        known = DATASETS.get(name)
        had = f"; from {known.homepage} ({known.licence})" if known is not None else ""
        lines.append(f"{name}: {looked}, or pass --data_root {name}=PATH{had}")
    if (
        not lines
        and settings.root is None
        and any("{root}" in step for cell in table.cells for step in cell.recipe.steps)
    ):
        files = ", ".join(sorted(table.files.values()))
        lines.append(f"the script of this table reads one folder: pass --data_root FOLDER, with {files} in it")
    return lines


def place_of(name: str, table: Table, settings: Settings) -> Path | None:
    """The files of a dataset: the given place, else by name in the folder of the data; None where they are not."""
    if name in settings.places:
        return settings.places[name] if settings.places[name].exists() else None
    if settings.root is None:
        return None
    # A variant that names its part of the data takes no other.
    names = [table.files[name]] if name in table.files else [name, f"{name}.zip"]
    return next((settings.root / each for each in names if (settings.root / each).exists()), None)


def measure(
    table: Table, seeds: Sequence[int], settings: Settings, run_command: RunCommand, say: Callable[[str], object]
) -> tuple[list[Measured], list[str]]:
    """Measures all cells with all seeds; what was measured before is read.

    Args:
        table: with its cells.
        seeds: of the runs.
        settings: see there.
        run_command: runs a command of `motionhub`.
        say: told of every cell.

    Returns:
        All records of the table, and what other processes are at ("row, column, seed 0").

    Raises:
        ValueError: the results file, or the record of a run, cannot be read.
        OSError: the disk is full.
    """
    folder = settings.output_dir / table.name
    file, busy = folder / "results.json", list[str]()
    about = {"table": table.id, "variant": table.variant, "unit": table.unit}
    results.add_results(file, [], about)  # refuses a file of another version before anything is trained
    records = results.read_results(file)
    for seed in seeds:
        for cell in table.cells:
            name = f"{cell.row}, {cell.column}, seed {seed}"
            try:
                measured = _measure_cell(table, cell, seed, settings, run_command, say)
            except BusyRun:
                busy.append(name)
                say(f"{name}: another process is at it")
                continue
            records = results.add_results(file, [measured], about)
            shown = f"failed: {measured.error}" if measured.value is None else f"{measured.value:.{table.digits}f}"
            say(f"{name}: {shown} ({measured.seconds:.0f} s)")
    return records, busy


def _measure_cell(
    table: Table, cell: Cell, seed: int, settings: Settings, run_command: RunCommand, say: Callable[[str], object]
) -> Measured:
    folder = settings.output_dir / table.name
    units = list(_units(table, cell, seed, settings))
    facts: dict[str, Any] = {}
    value: float | None = None
    error, commands = "", list[str]()
    try:
        for unit in units:
            facts = run_unit(unit, run_command, settings.retry, say)
            commands += facts["commands"]
        last = units[-1].folder
        place = [fill(each, {**cell.variables, "seed": seed}) for each in cell.recipe.value]
        value = table.scale * read_value(last, place)
    except FailedRun as failure:
        error = str(failure)
        commands = [join(words) for unit in units for words in unit.commands]
    of_files = results.facts_of_folder(units[-1].folder, cell.variables.get("dataset"), cell.variables.get("protocol"))
    differs = [table.differs] if table.differs else []
    differs += [f"--set {name}={chosen}" for name, chosen in settings.changes.items() if name not in MACHINE_FIELDS]
    differs += of_files.pop("differs")
    return Measured(
        cell.row,
        cell.column,
        seed,
        value,
        error,
        commands=commands,
        differs=differs,
        seconds=round(float(facts.get("seconds", 0.0)), 1),
        date=str(facts.get("date", "")),
        run=os.path.relpath(units[-1].folder, folder),
        commit=facts.get("commit"),
        versions=facts.get("versions", {}),
        machine=facts.get("machine", {}),
        **of_files,
    )


def _units(table: Table, cell: Cell, seed: int, settings: Settings) -> Iterator[Unit]:
    """The runs that a cell needs, in order; the last one is its own."""
    chain = [cell.recipe]
    while chain[0].needs:
        chain.insert(0, load_recipes()[chain[0].needs])
    checkpoint = ""
    for recipe in chain:
        own = recipe is chain[-1]
        variables = cell.variables if own else {**cell.variables, **recipe.variables}
        unit = _unit(table, cell, recipe, {**variables, "seed": seed, "checkpoint": checkpoint}, settings, own=own)
        checkpoint = str(unit.folder / recipe.checkpoint)
        yield unit


def _unit(
    table: Table, cell: Cell, recipe: Recipe, variables: Mapping[str, Any], settings: Settings, *, own: bool
) -> Unit:
    """The commands of a recipe, in a folder named by them: cells with the same commands share it."""
    steps = [f"{step}{_changes(step, settings.changes)}" for step in recipe.steps]
    of_result = {name: value for name, value in settings.changes.items() if name not in MACHINE_FIELDS}
    before_run = {name: value for name, value in variables.items() if name not in ("checkpoint", "seed")}
    identity = "\n".join(fill(f"{step}{_changes(step, of_result)}", before_run) for step in recipe.steps)
    home = settings.output_dir / (f"{table.name}/{slug(cell.row)}" if own else "pretraining")
    folder = (home / f"{recipe.name}-{results.digest(identity)[:8]}" / f"seed-{variables['seed']}").absolute()
    places = {"run": folder, "root": settings.root, **_data_places(table, variables, settings)}
    return Unit(folder, tuple(tuple(words_of(step, {**variables, **places})) for step in steps))


def _changes(step: str, changes: Mapping[str, str]) -> str:
    return "".join(f" --{name} {value}" for name, value in changes.items()) if _TRAINS.match(step) else ""


def _data_places(table: Table, variables: Mapping[str, Any], settings: Settings) -> dict[str, Path | None]:
    places = {f"data:{name}": place_of(name, table, settings) for name in table.needed_data}
    return {**places, "data": places.get(f"data:{variables.get('dataset')}")}


def run_unit(unit: Unit, run_command: RunCommand, retry: bool, say: Callable[[str], object]) -> dict[str, Any]:
    """Runs the commands of a unit unless it was done; returns `_RECORDED` of it.

    Raises:
        FailedRun: a command failed, now or, without `retry`, before.
        BusyRun: another process is at it.
        ValueError: the record of an earlier run cannot be read.
        OSError: the disk is full; what trained resumes from its last checkpoint.
    """
    unit.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(unit.folder / ".lock", timeout=0):
            done = _done(unit)
            if done is None or (done["error"] and retry):
                say(f"{len(unit.commands)} commands in {unit.folder}, what they print in {_OUTPUT}")
                done = _run(unit, run_command)
            if done["error"]:
                raise FailedRun(done["error"])
            return done
    except Timeout:
        raise BusyRun(str(unit.folder)) from None


def _done(unit: Unit) -> dict[str, Any] | None:
    path = unit.folder / _DONE
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = read_json(path)
        return {name: content[name] for name in _RECORDED}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: is not what a run wrote ({error}); remove it to run again.") from None


def _run(unit: Unit, run_command: RunCommand) -> dict[str, Any]:
    error, started = "", time.perf_counter()
    for words in unit.commands:
        try:
            with (unit.folder / _OUTPUT).open("a", encoding="utf-8") as output:
                _run_words(words, run_command, output)
        except Exception as problem:  # one seed that fails is shown, the others are measured
            if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
                raise OSError(
                    errno.ENOSPC, "the disk is full; make room and give the same command, which resumes", unit.folder
                ) from problem
            name = "" if isinstance(problem, FailedRun) else f"{type(problem).__name__}: "
            error = " ".join(f"{name}{problem}".split())[:500]
            break
    content = {
        "commands": [join(words) for words in unit.commands],
        "error": error,
        "seconds": time.perf_counter() - started,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": results.commit(),
        "versions": results.versions(),
        "machine": results.machine(),
    }
    write_text(unit.folder / _DONE, json.dumps(content, indent=1) + "\n")
    return content


def _run_words(words: Sequence[str], run_command: RunCommand, output: TextIO) -> None:
    """Runs one command; what it prints goes to `output`, messages stay on stderr."""
    program, *rest = words
    print(f"$ {join(words)}", file=output, flush=True)
    if program == "motionhub":
        with redirect_stdout(output):
            run_command(rest)
        return
    script = (_REPOSITORY / rest[0]).resolve()
    if not any(script.is_relative_to((_REPOSITORY / folder).resolve()) for folder in _SCRIPTS):
        raise FailedRun(f"{rest[0]} is no script of the repository's {' or '.join(_SCRIPTS)}; a table runs no other")
    if not script.is_file():
        raise FailedRun(f"{rest[0]} is no part of the installed package: run this in a clone of the repository")
    command = [sys.executable, str(script), *rest[1:]]
    with subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        last = ""
        try:
            for line in process.stderr:
                sys.stderr.write(line)
                last = line.strip() or last
        except BaseException:  # Ctrl-C, or the end of this process
            process.terminate()
            raise
    if process.returncode:
        raise FailedRun(f"{rest[0]} ended with status {process.returncode}: {last}")


def read_value(folder: Path, place: Sequence[str]) -> float:
    """A number of a JSON file: its name below the folder, then the keys. Raises FailedRun where there is none."""
    path, *keys = place
    try:
        value: Any = read_json(folder / path, (dict, list))
        for key in keys:
            value = value[key]
        number = float(value)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailedRun(f"{path} holds no number at {' / '.join(keys)} ({type(error).__name__}: {error})") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise FailedRun(f"{path} has {number} at {' / '.join(keys)}")
    return number


def slug(text: str) -> str:
    """The text as a name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
