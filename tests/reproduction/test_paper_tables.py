"""The tables of the papers as data: numbers as printed, commands that parse, and files that are refused."""

import math
import re
from functools import cache
from pathlib import Path

import pytest
import typer
from helpers import error_of

from motionhub.cli.main import app
from motionhub.data.datasets.datasets import get_dataset, get_protocol
from motionhub.reproduction import table as tables
from motionhub.reproduction.table import find_table, load_table, table_ids, words_of
from motionhub.training.start import parse_training


ROOT = Path(__file__).resolve().parents[2]
TEXTS = {
    "sardari2021uvi": "000_4e85ded552de60fd.txt",
    "yang2024via": "001_6b6aa94a35a5ebf9.txt",
    "yang2021orvpe": "002_77281eabfde882e6.txt",
    "zhao2021cvmim": "003_d9b5f492dc583bcd.txt",
    "yang2024thesis": "004_37d06cc399a9f184.txt",
}
MINIMAL = 'paper = "yang2021unik"\nplace = "table 9"\ntitle = "A"\nclaim = "B"\n'
each_table = pytest.mark.parametrize("name", table_ids())


def variants_of(name):
    table = find_table(name)
    return [table, *(find_table(name, variant) for variant in table.variants)]


@cache
def lines_of(path):
    """The numbers of every line of a paper."""
    text = path.read_text(encoding="utf-8").replace("0.3.5", "0.35")
    return [[float(number) for number in re.findall(r"-?\d+\.\d+", line)] for line in text.splitlines()]


def is_subsequence(numbers, line):
    rest = iter(line)
    return all(number in rest for number in numbers)


@each_table
def test_every_row_stands_in_the_text_of_its_paper(name, shared):
    table = find_table(name)
    lines = lines_of(shared(f"papers/{TEXTS[table.paper]}"))
    for row, values in table.published.items():
        numbers = [value for value in values.values() if not math.isnan(value)]
        half = len(numbers) // 2  # U-VI's table 6 has its two protocols one below the other
        parts = [numbers[:half], numbers[half:]] if name == "u-vi-table-6" else [numbers]
        assert numbers, row
        assert all(any(is_subsequence(part, line) for line in lines) for part in parts), row


@each_table
def test_the_orderings_are_those_of_the_published_numbers(name):
    table = find_table(name)
    for claim in table.orderings:
        better, other = table.published[claim.better], table.published[claim.other]
        gains = [better[column] - other[column] for column in claim.columns or table.columns]
        gains = [gain for gain in gains if not math.isnan(gain)]
        assert (sum(gains) < 0) is table.lower_is_better, claim


@each_table
def test_every_command_of_a_table_parses(name, tmp_path):
    command = typer.main.get_command(app)
    for table in variants_of(name):
        assert table.cells or table.not_run
        for cell in table.cells:
            chain, recipes = [cell.recipe], tables.load_recipes()
            while chain[0].needs:
                chain.insert(0, recipes[chain[0].needs])
            for recipe in chain:
                values = {**cell.variables, **(recipe.variables if recipe is not chain[-1] else {})}
                values |= {
                    "seed": 0,
                    "run": tmp_path,
                    "root": tmp_path,
                    "data": tmp_path,
                    "checkpoint": tmp_path / "x",
                }
                for step in recipe.steps:
                    program, first, *rest = words_of(re.sub(r"\{data:[\w-]+\}", str(tmp_path), step), values)
                    assert not re.search(r"\{[\w:-]+\}", " ".join(rest)), step
                    if program == "python":
                        assert (ROOT / first).is_file(), first
                    elif first == "train":
                        arguments, _ = parse_training([each for each in rest if each])
                        get_protocol(get_dataset(arguments.dataset).name, arguments.protocol)
                    else:
                        command.commands[first].make_context(first, rest)


def test_an_alias_is_the_same_table_and_no_name_is_given_twice():
    names = [alias for name in table_ids() for alias in (name, *find_table(name).aliases)]
    assert len(names) == len(set(names))
    assert find_table("via-table-4.11") == find_table("via-table-4")
    assert {find_table(name).paper for name in names} == set(TEXTS)


def test_an_unknown_table_names_the_nearest():
    assert "Did you mean unik-table-3.3" in error_of(find_table, "unik-table-33")
    assert "it has: here" in error_of(find_table, "unik-table-3.3", "small")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = [", "is no TOML"),
        ('paper = "yang2021unik"', "expected the fields place, title, claim"),
        (MINIMAL + "colour = 1", "has no fields ['colour']"),
        (MINIMAL + 'published = """\nrow | a | b\nx | 1\n"""', "with 2 numbers or '-'"),
        (MINIMAL + 'published = """\nrow | a\nx | one\n"""', "what is no number"),
        (MINIMAL + '[columns]\na = {}\n[rows]\nx = {recipe = "none"}', "needs a recipe of"),
        (MINIMAL + '[columns]\na = {}\n[rows]\nx = {recipe = "train"}', "the recipe 'train' needs ['dataset'"),
        (MINIMAL + 'orderings = [{better = "x", other = "y"}]', "an ordering needs better and other"),
        (MINIMAL.replace("yang2021unik", "nobody"), "nobody"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(text, expected, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert expected in error_of(load_table, path)


def test_a_variant_says_how_it_differs_and_has_no_published_numbers():
    for name in table_ids():
        for table in variants_of(name)[1:]:
            assert table.differs and table.cost and all(cell.published is None for cell in table.cells)
