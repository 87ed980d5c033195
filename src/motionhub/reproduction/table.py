"""A table of a paper as data: published numbers, the commands that measure its cells, and the orderings it claims.

A table is one file `tables/ID.toml`; `recipes.toml` has the commands that several tables share. Their fields:

    paper, place, title, claim      key in `papers.toml`; "table 3.3, page 48"; what the table shows; its claim
    unit, digits, lower_is_better   of the numbers: "%" (100 times the share that a run reports), "MSE", ...
    aliases                         ids of the same table in another paper
    data                            what the published numbers need: names of `DATASETS`, or of other datasets
    not_run                         why rows without a recipe cannot be trained here
    published                       rows as lines `name | number | number`, after a line of the columns; "-": none
    columns.NAME, rows.NAME         variables of the commands; `recipe` and `columns` (where it applies) of a row
    orderings                       better, other, and columns: a claim, judged with its paired difference
    variants.NAME                   other data, models or settings: differs, files, columns, rows, orderings
    measured                        earlier results: variant, date, result, where

Variables stand in braces in the commands: {seed}, {run} (the folder of the run), {root} (the data), {data} and
{data:NAME} (the files of the column's dataset, or of another), {checkpoint} (of the run that the recipe needs), and
any of the column, row or recipe.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from motionhub.papers import PAPERS


TABLES = Path(__file__).with_name("tables")
_FIELDS = {"paper", "place", "title", "claim", "unit", "digits", "lower_is_better", "aliases", "data", "not_run"}
_FIELDS |= {"published", "columns", "rows", "orderings", "variants", "measured"}
_VARIANT_FIELDS = {"differs", "files", "columns", "rows", "orderings", "cost", "unit", "digits", "lower_is_better"}
_VARIABLE = re.compile(r"\{([\w-]+(?::[\w-]+)?)\}")
# Filled in when a cell is run.
_OF_RUN = {"seed", "run", "root", "data", "checkpoint"}
_LARGEST = 2**20  # bytes of a table of one's own


@dataclass(frozen=True)
class Recipe:
    """Commands that make one or several numbers.

    Args:
        steps: command lines with variables: `motionhub ...`, or `python FILE ...` of the repository.
        value: a JSON file in the folder of the run, and the keys that lead to the number.
        needs: name of the recipe that is run first, once for all cells that need it with the same variables.
        checkpoint: folder of the run that a recipe which needs this one finds as {checkpoint}.
        data: datasets besides the column's.
        variables: defaults.
    """

    name: str
    steps: tuple[str, ...]
    value: tuple[str, ...] = ()
    needs: str = ""
    checkpoint: str = "last"
    data: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ordering:
    """A claim: `better` is above `other` (below, where less is better) in the columns, all of them by default."""

    better: str
    other: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One number of a table: a row, a column, the recipe and its variables."""

    row: str
    column: str
    recipe: Recipe
    variables: Mapping[str, Any]
    published: float | None


@dataclass(frozen=True)
class Table:
    """A table, or a variant of it, see the module.

    Args:
        id: such as `unik-table-3.3`.
        variant: "" for the settings of the paper.
        differs: how a variant differs from the paper, for the heading.
        published: row -> column -> number; of the paper also in a variant.
        cells: those that can be run.
        files: dataset -> name of its file in the folder of the data.
        scale: factor from what a run reports to the unit.
    """

    id: str
    paper: str
    place: str
    title: str
    claim: str
    unit: str
    digits: int
    lower_is_better: bool
    data: tuple[str, ...]
    not_run: str
    published: Mapping[str, Mapping[str, float]]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    orderings: tuple[Ordering, ...]
    variants: tuple[str, ...]
    measured: tuple[Mapping[str, str], ...]
    variant: str = ""
    aliases: tuple[str, ...] = ()
    differs: str = ""
    cost: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The id, and the variant: the folder of its runs."""
        return self.id + (f"-{self.variant}" if self.variant else "")

    @property
    def scale(self) -> float:
        return 100.0 if self.unit == "%" else 1.0

    @property
    def needed_data(self) -> tuple[str, ...]:
        """The datasets that the cells read."""
        own = [str(cell.variables["dataset"]) for cell in self.cells if "dataset" in cell.variables]
        return tuple(dict.fromkeys([*own, *(name for cell in self.cells for name in _data_of(cell.recipe))]))


def table_ids() -> list[str]:
    """The ids of all tables, by paper and number."""
    return sorted((path.stem for path in TABLES.glob("*.toml") if path.stem != "recipes"), key=_by_number)


def find_table(name: str, variant: str = "") -> Table:
    """The table of an id, an alias, or a file of one's own.

    Raises:
        ValueError: no such table or variant, or a file that is no table; the message names the nearest.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return load_table(path, variant)
    known = _aliases()
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"No table is called {name!r}.{meant} motionhub reproduce --list shows all.")
    return load_table(TABLES / f"{known[name]}.toml", variant)


@cache
def _aliases() -> dict[str, str]:
    return {alias: name for name in table_ids() for alias in (name, *_content(TABLES / f"{name}.toml")["aliases"])}


def load_table(path: Path, variant: str = "") -> Table:
    """The table in a file. Raises ValueError with file, place and reason where it is none."""
    content = _content(path)
    recipes = load_recipes()
    published = _published(path, content["published"])
    chosen: dict[str, Any] = {}
    if variant:
        if variant not in content["variants"] or not re.fullmatch(r"\w[\w. +-]*", variant):
            others = ", ".join(content["variants"]) or "none"
            raise ValueError(f"{path.stem} has no variant {variant!r}; it has: {others}.")
        chosen = content["variants"][variant]
        _refuse_unknown(path, f"variants.{variant}", chosen, _VARIANT_FIELDS)
        if not chosen.get("differs"):
            raise ValueError(f"{path}: variants.{variant} needs differs, how it differs from the paper.")
    columns = chosen.get("columns") or content["columns"]
    rows = chosen.get("rows") or content["rows"]
    cells = tuple(_cells(path, rows, columns, recipes, published if not variant else {}))
    orderings = chosen.get("orderings", content["orderings"])
    names = tuple(columns) if variant or not published else tuple(next(iter(published.values())))
    facts: dict[str, Any] = dict(content)
    facts |= {name: chosen[name] for name in ("unit", "digits", "lower_is_better") if name in chosen}
    return Table(
        id=path.stem,
        **{name: facts[name] for name in ("paper", "place", "title", "claim", "unit", "digits", "lower_is_better")},
        data=tuple(content["data"]),
        not_run=content["not_run"],
        published=published,
        columns=names,
        cells=cells,
        orderings=tuple(_ordering(path, entry, cells, published) for entry in orderings),
        variants=tuple(content["variants"]),
        measured=tuple(content["measured"]),
        variant=variant,
        aliases=tuple(content["aliases"]),
        differs=chosen.get("differs", ""),
        cost=chosen.get("cost", ""),
        files=chosen.get("files", {}),
    )


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"{path}: {path.stat().st_size} bytes; a table has less than {_LARGEST}.")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no TOML ({error}).") from None
    _refuse_unknown(path, "the table", content, _FIELDS)
    missing = [name for name in ("paper", "place", "title", "claim") if not content.get(name)]
    if missing:
        raise ValueError(f"{path}: expected the fields {', '.join(missing)}; see motionhub.reproduction.table.")
    if content["paper"] not in PAPERS:
        raise ValueError(f"{path}: papers.toml has no {content['paper']!r}.")
    empty: dict[str, Any] = {"unit": "%", "digits": 1, "lower_is_better": False, "not_run": "", "published": ""}
    empty |= {name: [] for name in ("aliases", "data", "orderings", "measured")}
    return empty | {name: {} for name in ("columns", "rows", "variants")} | content


def _refuse_unknown(path: Path, where: str, content: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(content) - known):
        raise ValueError(f"{path}: {where} has no fields {unknown}; it has {sorted(known)}.")


def _published(path: Path, text: str) -> dict[str, dict[str, float]]:
    lines = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    if not lines:
        return {}
    names = lines[0][1:]
    rows: dict[str, dict[str, float]] = {}
    for row, *values in lines[1:]:
        if len(values) != len(names) or row in rows:
            raise ValueError(f"{path}: published row {row!r} must be there once, with {len(names)} numbers or '-'.")
        try:
            rows[row] = {name: float(value) for name, value in zip(names, values, strict=True) if value != "-"}
        except ValueError:
            raise ValueError(f"{path}: published row {row!r} has what is no number: {values}.") from None
    return {row: {name: numbers.get(name, float("nan")) for name in names} for row, numbers in rows.items()}


@cache
def load_recipes() -> dict[str, Recipe]:
    """The recipes of `tables/recipes.toml`."""
    content = tomllib.loads((TABLES / "recipes.toml").read_text(encoding="utf-8"))
    recipes = {}
    for name, entry in content.items():
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        recipes[name] = Recipe(name, **fields)
    return recipes


def _cells(
    path: Path,
    rows: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, Mapping[str, Any]],
    recipes: Mapping[str, Recipe],
    published: Mapping[str, Mapping[str, float]],
) -> Iterator[Cell]:
    for row, given in rows.items():
        own = dict(given)
        recipe, wanted = own.pop("recipe", None), own.pop("columns", list(columns))
        if recipe not in recipes:
            raise ValueError(f"{path}: rows.{row!r} needs a recipe of {sorted(recipes)}, got {recipe!r}.")
        if published and row not in published:
            raise ValueError(f"{path}: rows.{row!r} is no published row; those are {list(published)}.")
        for column in wanted:
            if column not in columns:
                raise ValueError(f"{path}: rows.{row!r} names the column {column!r}; there are {list(columns)}.")
            variables = _resolved({**recipes[recipe].variables, **columns[column], **own})
            absent = missing_variables(recipes[recipe], variables, recipes)
            if absent:
                raise ValueError(f"{path}: {row!r}, {column!r}: the recipe {recipe!r} needs {sorted(absent)}.")
            number = published.get(row, {}).get(column, float("nan"))
            yield Cell(row, column, recipes[recipe], variables, None if number != number else number)


def _resolved(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables whose value names another one, such as `model = "{unik}"`, filled in."""
    return {
        name: fill(value, variables, leave=_OF_RUN) if isinstance(value, str) else value
        for name, value in variables.items()
    }


def missing_variables(recipe: Recipe, variables: Mapping[str, Any], recipes: Mapping[str, Recipe]) -> set[str]:
    """The variables of a recipe, and of those it needs, that have no value before it runs."""
    texts = [*recipe.steps, *recipe.value, *(str(value) for value in variables.values())]
    named = {name for text in texts for name in _VARIABLE.findall(text) if not name.startswith("data:")}
    missing = named - _OF_RUN - set(variables)
    if recipe.needs:
        needed = recipes[recipe.needs]
        missing |= missing_variables(needed, {**variables, **needed.variables}, recipes)
    return missing


def fill(text: str, values: Mapping[str, Any], leave: set[str] | None = None) -> str:
    """The text with the variables in braces replaced; those of `leave`, and without a value, stay."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return match[0] if name in (leave or ()) or name not in values else str(values[name])

    return _VARIABLE.sub(value, text)


def words_of(step: str, values: Mapping[str, Any]) -> list[str]:
    """The words of a command line, filled in after they are split: a path may contain spaces.

    Raises:
        ValueError: a value would become an option.
    """
    words = [(word, fill(word, values)) for word in shlex.split(step)]
    if wrong := [word for given, word in words if given.startswith("{") and re.match(r"-[^\d.]", word)]:
        raise ValueError(f"{wrong[0]!r} of a table is an option, not a value; leave out its dashes.")
    return [word for _, word in words]


def _ordering(path: Path, entry: Mapping[str, Any], cells: Sequence[Cell], published: Mapping[str, Any]) -> Ordering:
    known = {cell.row for cell in cells} | set(published)
    if not {entry.get("better"), entry.get("other")} <= known:
        raise ValueError(f"{path}: an ordering needs better and other of the rows {sorted(known)}, got {entry}.")
    return Ordering(entry["better"], entry["other"], tuple(entry.get("columns", ())))


def _data_of(recipe: Recipe) -> tuple[str, ...]:
    return recipe.data + (_data_of(load_recipes()[recipe.needs]) if recipe.needs else ())


def _by_number(name: str) -> tuple[str, list[int]]:
    paper, _, number = name.partition("-table-")
    return paper, [int(part) for part in number.split(".")]
