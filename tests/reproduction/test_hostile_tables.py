"""A table or a results file of a stranger chooses names and numbers, not programs, options or folders."""

import json

import pytest

from motionhub.reproduction.results import FORMAT, VERSION, read_results
from motionhub.reproduction.runs import FailedRun, _run_words
from motionhub.reproduction.table import words_of
from tests.helpers import error_of


CELL = {"row": "a", "column": "b", "seed": 0, "value": 1.0, "error": "", "commands": ["x"], "differs": []}
CELL |= {"seconds": 1.0, "date": "2026-11-30", "run": "x"}


def test_a_table_runs_scripts_of_the_repository_only(tmp_path):
    script = tmp_path / "evil.py"
    script.write_text("raise SystemExit(0)")
    claim = f"../../../../../../../../../..{script.with_suffix('')}"
    (word,) = words_of("benchmarks/claims/{claim}.py", {"claim": claim})
    for path in (word, str(script), "src/motionhub/version.py"):
        with pytest.raises(FailedRun, match="no script of the repository"), (tmp_path / "out").open("w") as out:
            _run_words(["python", path], lambda words: None, out)


def test_a_value_of_a_table_does_not_become_an_option():
    assert words_of("train --lr {rate} {x}", {"rate": "-1", "x": "a b"}) == ["train", "--lr", "-1", "a b"]
    assert "is an option" in error_of(lambda: words_of("train {x}", {"x": "--trust_remote_code"}))


@pytest.mark.parametrize("wrong", [{"value": "x"}, {"seed": "0"}, {"row": 5}, {"differs": [1]}, {"commands": "x"}, 5])
def test_a_record_of_another_form_names_the_file(wrong, tmp_path):
    path = tmp_path / "results.json"
    content = {"format": FORMAT, "version": VERSION, "cells": [CELL]}
    path.write_text(json.dumps(content))
    assert read_results(path)[0].value == 1
    path.write_text(json.dumps({**content, "cells": [{**CELL, **wrong} if isinstance(wrong, dict) else wrong]}))
    assert "a cell is incomplete" in error_of(read_results, path)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "\x00"])
def test_a_results_file_that_is_no_object_names_itself(content, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(content)
    error_of(read_results, path)
