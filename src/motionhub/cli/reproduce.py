"""`motionhub reproduce`: the tables of the papers, trained and evaluated by their recipes."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.report import note


def reproduce(
    table: Annotated[str | None, Argument(help="Such as unik-table-3.3, or a .toml of your own")] = None,
    *,
    show: Annotated[bool, Option("--list", help="Show all tables, or the cells of TABLE, and run nothing")] = False,
    data_root: Annotated[
        list[str] | None, Option(metavar="FOLDER|NAME=PATH", help="Folder of the data; or a dataset's name and files")
    ] = None,
    variant: Annotated[str | None, Option(help="Of TABLE: other data or models, stated in the heading")] = None,
    seeds: Annotated[list[int], Option(help="A run for each")] = [0],  # noqa: B006
    rows: Annotated[list[str] | None, Option(help="Only these rows")] = None,
    columns: Annotated[list[str] | None, Option(help="Only these columns")] = None,
    changes: Annotated[
        list[str] | None, Option("--set", metavar="NAME=VALUE", help="Change the recipes, such as epochs=2")
    ] = None,
    retry: Annotated[bool, Option(help="Run again what failed")] = False,
    output_dir: Annotated[str, Option(help="For runs, results.json and table.md, .tex, .csv")] = "runs/reproduce",
) -> int:
    """Measure a table of the papers, cell by cell, beside the published numbers."""
    from motionhub.reproduction.runs import Settings
    from motionhub.reproduction.table import find_table

    root, places = _places(data_root or [])
    settings = Settings(root, places, Path(output_dir), _changes(changes or []), retry)
    if table is None:
        if not show:
            raise ValueError("Expected a TABLE; motionhub reproduce --list shows all.")
        return _list(settings)
    chosen = _selected(find_table(table, variant or ""), rows, columns)
    return _list_cells(chosen, settings) if show else _measure(chosen, seeds, settings)


def _measure(table: Any, seeds: Sequence[int], settings: Any) -> int:
    from motionhub.reproduction.report import write_report
    from motionhub.reproduction.runs import measure, missing_data

    wrong = [seed for seed in seeds if seed < 0]
    if wrong:
        raise ValueError(f"--seeds: expected numbers of at least 0, got {wrong}.")
    if not table.cells:
        raise ValueError(
            f"{table.id}: no cell can be run as in the paper: {table.not_run or 'there is no recipe'}."
            f"{_other_variants(table)}"
        )
    if missing := missing_data(table, settings):
        raise ValueError(f"{table.name}: data are missing: {'; '.join(missing)}.{_other_variants(table)}")
    records, busy = measure(table, list(dict.fromkeys(seeds)), settings, _run_command, note)
    folder = settings.output_dir / table.name
    print(write_report(table, records, folder))
    print(f"saved: {folder}/results.json, table.md, table.tex, table.csv")
    if busy:
        note(f"{len(busy)} cells are run by another process; the same command collects them: {'; '.join(busy)}")
    failed = [one for one in records if one.value is None]
    if failed:
        note(f"{len(failed)} runs failed; --retry runs them again")
    return 1 if failed else 0


def _run_command(words: Sequence[str]) -> None:
    """Runs a command of motionhub in this process; raises its error."""
    import typer

    from motionhub.cli.main import app

    with typer.main.get_command(app).make_context("motionhub", list(words)) as context:
        context.command.invoke(context)


def _other_variants(table: Any) -> str:
    if table.variant or not table.variants:
        return ""
    from motionhub.reproduction.table import find_table

    said = [f"--variant {name} ({find_table(table.id, name).differs})" for name in table.variants]
    return f" Other data or models: {'; '.join(said)}."


def _list(settings: Any) -> int:
    """A block for each table: claim, data, whether it can be run here, cost and last result."""
    from motionhub.reproduction.table import find_table, table_ids

    for name in table_ids():
        table = find_table(name)
        also = f" (also {', '.join(table.aliases)})" if table.aliases else ""
        print(f"{table.id}{also}: {table.title} [{table.paper}, {table.place}]")
        print(f"  claim: {table.claim}")
        print(f"  data: {', '.join(table.data)}")
        for each in (table, *(find_table(name, variant) for variant in table.variants)):
            print(f"  {each.variant or 'as published'}: {_state(each, settings)}")
        for last in _last_results(table, settings):
            print(f"  last result: {last}")
    return 0


def _state(table: Any, settings: Any) -> str:
    from motionhub.reproduction.runs import missing_data

    if not table.cells:
        return f"cannot be run: {table.not_run}"
    missing = [line.partition(":")[0] for line in missing_data(table, settings)]
    data = f"data missing: {', '.join(missing)}" if missing else "can be run here"
    differs = f"; {table.differs}" if table.differs else ""
    return f"{len(table.cells)} cells, {data}; {table.cost or 'time not measured'}{differs}"


def _last_results(table: Any, settings: Any) -> list[str]:
    """What the folder of runs holds, else what the table's file says."""
    from motionhub.reproduction.results import read_results
    from motionhub.reproduction.table import find_table

    found = []
    for variant in ("", *table.variants):
        folder = settings.output_dir / find_table(table.id, variant).name
        records = read_results(folder / "results.json")
        values = [one for one in records if one.value is not None]
        if records:
            latest = max(one.date for one in records)
            found.append(f"{len(values)} of {len(records)} runs, {latest[:10]}, in {folder}/table.md")
    return found or [f"{one['result']} ({one['date']}, {one['where']})" for one in table.measured]


def _list_cells(table: Any, settings: Any) -> int:
    from motionhub.reproduction.report import heading
    from motionhub.reproduction.runs import missing_data

    print(f"{heading(table)}\nclaim: {table.claim}")
    print(f"as published{'' if table.cells else ', cannot be run'}: {_state(table, settings)}")
    for cell in table.cells:
        published = "-" if cell.published is None else f"{cell.published:.{table.digits}f}"
        print(f"  {cell.row} | {cell.column} | paper {published} | recipe {cell.recipe.name}")
    for line in missing_data(table, settings):
        print(f"  missing: {line}")
    return 0


def _selected(table: Any, rows: list[str] | None, columns: list[str] | None) -> Any:
    from dataclasses import replace

    cells = table.cells
    for what, names in (("row", rows), ("column", columns)):
        known = dict.fromkeys(getattr(cell, what) for cell in table.cells)
        if unknown := [name for name in names or [] if name not in known]:
            raise ValueError(f"{table.name} has no {what} {unknown} that can be run; it has {list(known)}.")
        cells = tuple(cell for cell in cells if not names or getattr(cell, what) in names)
    return replace(table, cells=cells)


def _places(given: list[str]) -> tuple[Path | None, dict[str, Path]]:
    """The folder, and the files by dataset."""
    from motionhub.data.datasets.datasets import get_dataset

    root: Path | None = None
    places: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if equals and not Path(text).exists():
            places[get_dataset(name).name] = Path(path)
        elif root is None:
            root = Path(text)
            if not root.is_dir():
                raise ValueError(f"--data_root {text}: expected a folder, or NAME=PATH such as n-ucla=nucla.zip.")
        else:
            raise ValueError(f"--data_root: expected one folder, got {root} and {text}; pass others as NAME=PATH.")
    return root, places


def _changes(given: list[str]) -> dict[str, str]:
    from motionhub.training.arguments import TrainingRecipe

    known = set(TrainingRecipe.__dataclass_fields__)
    changes: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not re.fullmatch(r"[a-z_]+", name) or not equals or not value:
            raise ValueError(f"--set: expected NAME=VALUE such as epochs=2, got {text!r}.")
        changes[name] = value
    if kept := sorted({"seed", "output_dir", "mode", "label_fraction"} & set(changes)):
        raise ValueError(f"--set cannot change {kept}, which the table sets.")
    if unknown := sorted(set(changes) - known):
        near = get_close_matches(unknown[0], known, n=3)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"--set: a recipe has no {unknown[0]}.{meant} See motionhub train --help.")
    return changes
