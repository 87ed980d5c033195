"""Cells of a table are measured one by one: resumed, failed, locked, and never beside a number they do not match."""

import csv
import errno
import io
import json
from pathlib import Path

import pytest
from filelock import FileLock
from helpers import error_of, read_json, run_cli, write_json

import motionhub
from motionhub.reproduction import report, results, runs
from motionhub.reproduction.report import lines_of, verdicts_of, write_report
from motionhub.reproduction.runs import Settings, measure
from motionhub.reproduction.table import load_table
from motionhub.training.evaluators import save_scores


TABLE = """
paper = "yang2021unik"
place = "table 9"
title = "Two ways & one dataset"
claim = "Ours is better."
published = \"\"\"
      | easy | hard
ours  | 90.0 | 50.0
other | 80.0 | 55.0
\"\"\"
orderings = [{better = "ours", other = "other"}]

[columns]
"easy" = {dataset = "folder", protocol = "random-80-20", metric = "top1"}
"hard" = {dataset = "folder", protocol = "random-80-20", metric = "top1", labels = "0.5"}

[rows]
"ours" = {recipe = "train", model = "unik-nucla-small"}
"other" = {recipe = "train", model = "unik-nucla"}

[variants.small]
differs = "a smaller model"
columns = {"easy" = {dataset = "folder", protocol = "random-80-20", metric = "top1"}}
rows = {"ours" = {recipe = "train", model = "unik-nucla-small"}}
orderings = []
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TABLE)
    (tmp_path / "data" / "folder").mkdir(parents=True)
    return path


class Trainer:
    """Stands in for the command line: an evaluation writes the score of its seed."""

    def __init__(self, scores=None, stop_at=None, fail=None):
        self.scores, self.stop_at, self.fail = scores or {}, stop_at, fail or {}
        self.trained = []

    def __call__(self, words):
        options = dict(zip(words[1::2], words[2::2], strict=True))
        folder = Path(options["--output_dir"])
        if words[0] == "train":
            if len(self.trained) == self.stop_at:
                raise KeyboardInterrupt
            self.trained.append(options["--model"])
            if int(options["--seed"]) in self.fail:
                raise self.fail[int(options["--seed"])]
            self.model = options["--model"]
            return
        score = self.scores.get(self.model, 0.9)
        seed = int(folder.parent.name.removeprefix("seed-"))
        write_json(folder / "metrics.json", {"top1": score[seed] if isinstance(score, list) else score})


def settings_of(file, **options):
    return Settings(file.parent / "data", {}, file.parent / "runs", {}, **options)


def measured(file, trainer, seeds=(0,), **options):
    return measure(load_table(file), seeds, settings_of(file, **options), trainer, lambda text: None)


def test_a_killed_table_resumes_at_the_cell_that_was_not_finished(file):
    killed = Trainer(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        measured(file, killed)
    again = Trainer()
    records, _ = measured(file, again)
    assert (len(killed.trained), len(again.trained), len(records)) == (2, 2, 4)
    third = Trainer()
    assert measured(file, third)[0] == records and not third.trained


def test_every_number_has_its_place_and_where_it_came_from(file):
    measured(file, Trainer({"unik-nucla-small": [0.9, 0.8]}), (0, 1))
    content = read_json(file.parent / "runs" / "mine" / "results.json")
    cell = content["cells"][0]
    assert (content["version"], content["table"], len(content["cells"])) == (1, "mine", 8)
    assert (cell["row"], cell["column"], cell["seed"], cell["value"]) == ("ours", "easy", 0, 90.0)
    assert "--model unik-nucla-small" in cell["commands"][0] and cell["versions"]["torch"] and cell["machine"]["cores"]
    assert (file.parent / "runs" / "mine" / cell["run"] / "output.txt").is_file()


def test_a_failed_seed_is_shown_and_run_again_on_request(file):
    failing = Trainer(fail={1: ValueError("the loss is NaN")})
    records, _ = measured(file, failing, (0, 1))
    text = write_report(load_table(file), records, file.parent)
    assert "1 of 2 (seed 1 failed: ValueError: the loss is NaN)" in text
    waiting = Trainer()
    measured(file, waiting, (0, 1))
    assert not waiting.trained
    retried = Trainer()
    records, _ = measured(file, retried, (0, 1), retry=True)
    assert len(retried.trained) == 4 and all(one.value == 90.0 for one in records)


@pytest.mark.parametrize("content", ['{"top1": NaN}', '{"top1": null}', '{"top5": 1}', "{", "[]"])
def test_what_is_no_number_is_a_failed_run(content, tmp_path):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(runs.FailedRun, match=r"metrics\.json"):
        runs.read_value(tmp_path, ("metrics.json", "top1"))


def test_a_cell_that_another_process_is_at_is_left_to_it(file):
    measured(file, Trainer())
    (folder,) = [path.parent for path in (file.parent / "runs" / "mine" / "other").rglob("run.json")][:1] or [None]
    (folder / "run.json").unlink()
    trainer = Trainer()
    with FileLock(folder / ".lock"):
        records, busy = measured(file, trainer)
    assert len(busy) == 1 and busy[0].startswith("other, ") and not trainer.trained and len(records) == 4
    assert measured(file, trainer)[1] == [] and len(trainer.trained) == 1


def test_a_full_disk_ends_the_command_and_leaves_the_cell_to_the_next_one(file):
    full = Trainer(fail={0: OSError(errno.ENOSPC, "No space left on device")})
    with pytest.raises(OSError, match="the disk is full; make room and give the same command"):
        measured(file, full)
    assert not list((file.parent / "runs").rglob("run.json"))
    assert len(measured(file, Trainer())[0]) == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"format": "motionhub-reproduction", "version": 2, "motionhub": "9.0"}', "is of version 2, expected 1"),
        ('{"a": 1}', "expected what motionhub reproduce wrote"),
        ("{", "is not JSON"),
        ('{"format": "motionhub-reproduction", "version": 1, "cells": [{"row": "x"}]}', "a cell is incomplete"),
    ],
)
def test_a_results_file_of_something_else_is_refused_before_anything_is_trained(file, content, expected):
    path = file.parent / "runs" / "mine" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    trainer = Trainer()
    assert expected in error_of(lambda: measured(file, trainer))
    assert not trainer.trained and path.read_text() == content


def test_two_processes_write_one_results_file(tmp_path):
    path = tmp_path / "results.json"
    record = results.Measured("a", "b", 0, 1.0, "", [], [], 1.0, "", "")
    results.add_results(path, [record], {})
    assert len(results.add_results(path, [results.Measured("a", "b", 1, 2.0, "", [], [], 1.0, "", "")], {})) == 2
    replaced = results.add_results(path, [results.Measured("a", "b", 0, 3.0, "", [], [], 1.0, "", "")], {})
    assert [one.value for one in replaced] == [3.0, 2.0]


def test_only_numbers_of_the_papers_settings_stand_beside_its_numbers(file):
    records, _ = measured(file, Trainer())
    text = write_report(load_table(file), records, file.parent)
    assert "| ours | easy | 90.0 | 90.0 | +0.0 | 1 |" in text and "## As in the paper" in text
    changed = Settings(file.parent / "data", {}, file.parent / "changed", {"epochs": "2"})
    records, _ = measure(load_table(file), [0], changed, Trainer(), lambda text: None)
    text = write_report(load_table(file), records, file.parent)
    assert "## Not the paper's settings: --set epochs=2" in text and "gap" not in text and "| paper" not in text
    small = load_table(file, "small")
    records, _ = measure(small, [0], settings_of(file), Trainer(), lambda text: None)
    text = write_report(small, records, file.parent)
    assert "## Not the paper's settings: a smaller model" in text and "gap" not in text


def test_a_tracker_changes_neither_the_run_nor_the_heading(file):
    records, _ = measured(file, Trainer())
    tracked = Settings(file.parent / "data", {}, file.parent / "runs", {"log_with": "tensorboard"})
    trainer = Trainer()
    assert measure(load_table(file), [0], tracked, trainer, lambda text: None)[0] == records
    assert not trainer.trained


def test_a_part_of_the_test_clips_is_named_in_the_heading(tmp_path):
    write_json(tmp_path / "model" / "last" / "state" / "progress.json", {"num_clips": 1258})
    names = [f"clip {number}" for number in range(252)]
    (tmp_path / "report").mkdir()
    save_scores(tmp_path / "report" / "scores.npz", names, [[0.0]] * 252, [0] * 252)
    facts = results.facts_of_folder(tmp_path, "penn-action", "official")
    assert facts["differs"] == ["penn-action: 252 of 1,068 test clips"] and facts["num_train"] == 1258
    other = [*names[1:], "another clip"]
    save_scores(tmp_path / "report" / "scores.npz", other, [[0.0]] * 252, [0] * 252)
    assert results.facts_of_folder(tmp_path, "penn-action", "official")["split_hash"] != facts["split_hash"]


def test_an_ordering_is_judged_by_its_paired_differences(file):
    scores = {"unik-nucla-small": [0.90, 0.80, 0.85], "unik-nucla": [0.80, 0.71, 0.74]}
    records, _ = measured(file, Trainer(scores), (0, 1, 2))
    table = load_table(file)
    easy, hard = verdicts_of(table, lines_of(table, records))
    assert (easy.text, easy.test.seeds, easy.paper, hard.paper) == ("holds", 3, 10.0, -5.0)
    assert easy.test.mean == pytest.approx(10.0) and easy.test.standard_error == pytest.approx(3**-0.5)
    one = [record for record in records if record.seed == 0]
    assert {verdict.text for verdict in verdicts_of(table, lines_of(table, one))} == {"not clear"}
    errors = file.with_name("errors.toml")
    errors.write_text(TABLE.replace("orderings", "lower_is_better = true\norderings", 1))
    turned = load_table(errors)
    assert verdicts_of(turned, lines_of(turned, records))[0].text == "the other way"


def test_rows_of_different_settings_are_not_compared(file):
    table = load_table(file)
    records = [
        results.Measured(row, "easy", seed, 90.0, "", [], differs, 1.0, "", "")
        for row, differs in (("ours", []), ("other", ["--set epochs=2"]))
        for seed in (0, 1)
    ]
    assert verdicts_of(table, lines_of(table, records)) == []


def test_the_table_is_written_as_markdown_latex_and_csv(file):
    records, _ = measured(file, Trainer({"unik-nucla-small": [0.9, 0.8]}), (0, 1))
    write_report(load_table(file), records, file.parent)
    assert "| ours | easy | 90.0 | 85.0 ± 7.1 | -5.0 | 2 | `motionhub reproduce mine" in (
        file.parent / "table.md"
    ).read_text(encoding="utf-8")
    latex = (file.parent / "table.tex").read_text(encoding="utf-8")
    assert r"ours & easy & 90.0 & 85.0 $\pm$ 7.1 & -5.0 & 2 \\" in latex and r"paper (\%)" in latex
    rows = list(csv.DictReader(io.StringIO((file.parent / "table.csv").read_text(encoding="utf-8"))))
    assert rows[0]["values"] == "0:90.000 1:80.000" and float(rows[0]["gap"]) == -5.0


def test_cells_with_the_same_commands_are_one_run(file):
    path = file.with_name("shared.toml")
    path.write_text(TABLE.replace(', labels = "0.5"', "").replace('metric = "top1"}\n\n', 'metric = "top1"}\n\n'))
    trainer = Trainer()
    records, _ = measured(path, trainer)
    assert (len(records), len(trainer.trained)) == (4, 2)


def test_missing_data_say_where_they_are_had_and_what_can_be_run(capsys, tmp_path):
    assert run_cli("reproduce", "or-vpe-table-1", "--data_root", tmp_path) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "smarthome: no smarthome or smarthome.zip in" in line
    assert "https://project.inria.fr/toyotasmarthome/" in line and "--variant here (pre-trained on" in line
    assert run_cli("reproduce", "cv-mim-table-4", "--data_root", tmp_path) == 2
    assert "no cell can be run as in the paper: Human3.6M" in capsys.readouterr().err


def test_a_script_of_one_folder_is_not_begun_with_files_named_one_by_one(capsys, tmp_path):
    (tmp_path / "any.zip").touch()
    places = [f"{name}={tmp_path / 'any.zip'}" for name in ("bandai-namco", "utd-mhad", "n-ucla", "penn-action")]
    assert run_cli("reproduce", "ltn-table-5.1", "--variant", "here", "--data_root", *places) == 2
    line = capsys.readouterr().err
    assert "one folder: pass --data_root FOLDER, with bandai_namco_2_subset.zip" in line and line.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["reproduce"], "Expected a TABLE"),
        (["reproduce", "unik-table-3.3", "--set", "seed=3"], "--set cannot change ['seed']"),
        (["reproduce", "unik-table-3.3", "--set", "epochs"], "expected NAME=VALUE"),
        (["reproduce", "unik-table-3.3", "--set", "epoch=3"], "a recipe has no epoch. Did you mean epochs"),
        (["reproduce", "unik-table-3.3", "--seeds", "-1"], "expected numbers of at least 0, got [-1]"),
        (["reproduce", "unik-table-3.3", "--rows", "MS-G3D"], "has no row ['MS-G3D'] that can be run"),
        (["reproduce", "unik-table-3.3", "--data_root", "nowhere"], "expected a folder, or NAME=PATH"),
        (["results", "nowhere"], "is no folder"),
    ],
)
def test_wrong_options_are_refused_in_one_line(words, expected, capsys):
    assert run_cli(*words) == 2
    line = capsys.readouterr().err
    assert expected in line and line.count("\n") == 1


def test_the_list_has_every_table_with_its_data_and_last_result(capsys, tmp_path):
    assert run_cli("reproduce", "--list", "--output_dir", tmp_path) == 0
    text = capsys.readouterr().out
    assert (
        "unik-table-3.3: " in text and "also via-table-4.11" in text and "as published: 8 cells, data missing" in text
    )
    assert "last result: camera at the side: U-VI 32.9" in text


def test_a_table_of_ones_own_trains_and_a_nan_loss_is_a_failed_row(tmp_path, capsys):
    for seed in range(10):
        for action in ("wave", "squat"):
            clip = motionhub.generate(action, seed=seed, num_frames=12)
            motionhub.write(clip, tmp_path / "folder" / action / f"{seed}.npz")
    path = tmp_path / "tiny.toml"
    config = motionhub.UnikConfig(layout="kinect-20", num_joints=20, in_channels=3, channels=[4], strides=[2])
    config.save_pretrained(tmp_path / "tiny")
    processor = motionhub.SkeletonProcessor(layout="kinect-20", num_dims=3, num_frames=8, normalization="centre")
    processor.save_pretrained(tmp_path / "tiny")
    fast = {"mode": "scratch", "epochs": 1, "batch_size": 4, "milestones": []}
    (tmp_path / "tiny" / "training.json").write_text(json.dumps(fast))
    (tmp_path / "wild").mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / "wild" / name).write_text((tmp_path / "tiny" / name).read_text())
    (tmp_path / "wild" / "training.json").write_text(json.dumps({**fast, "learning_rate": 1e38, "epochs": 4}))
    text = TABLE.replace('"unik-nucla-small"', f'"{tmp_path / "tiny"}"')
    text = text.replace('"unik-nucla"', f'"{tmp_path / "wild"}"')
    path.write_text(text)
    words = ["reproduce", path, "--data_root", tmp_path, "--columns", "easy", "--output_dir", tmp_path / "runs"]
    assert run_cli(*words) == 1
    shown = capsys.readouterr()
    assert "| other | easy | 80.0 | - | - | 0 of 1 (seed 0 failed: ValueError: " in shown.out
    ours, other = results.read_results(tmp_path / "runs" / "tiny" / "results.json")
    assert ours.value is not None and 0 <= ours.value <= 100 and ours.num_test == 4 and ours.num_train == 16
    assert ours.split_hash and ours.processor_hash and ours.config["recipe"]["batch_size"] == 4
    assert other.value is None and "NaN" in other.error
    assert "motionhub: note: 1 runs failed" in shown.err
    assert report.heading(load_table(path)).startswith("tiny: Two ways")
