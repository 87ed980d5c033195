"""`motionhub results`: runs are grouped by name and seed, and compared by pairs of seeds, clips and classes."""

import json

import numpy as np
import pytest
from helpers import error_of, read_json, run_cli, write_json

import motionhub
from motionhub.reproduction.comparison import paired_test, seeds_needed
from motionhub.reproduction.runs_compared import class_differences, find_runs, paired_by_clip, paired_by_seed
from motionhub.training.evaluators import save_scores


NAMES = ("wave", "squat")


def write_run(folder, seed, right, *, curve=(), names=("a", "b", "c", "d", "e", "f")):
    """What `motionhub train` and `evaluate` write: clips of two classes in turn, of which `right` are found."""
    labels = [place % 2 for place in range(len(names))]
    logits = [[0.0, 1.0] if (label == 1) == (place in right) else [1.0, 0.0] for place, label in enumerate(labels)]
    found = [place in right for place in range(len(names))]
    by_class = [np.mean(found[start::2]) for start in (0, 1)]
    confusion = [[sum(found[0::2]), 3 - sum(found[0::2])], [3 - sum(found[1::2]), sum(found[1::2])]]
    rows = [{"name": name, "accuracy": float(value)} for name, value in zip(NAMES, by_class, strict=True)]
    report = {"top1": float(np.mean(found)), "per_class": rows, "confusion_matrix": np.asarray(confusion).tolist()}
    write_json(folder / "model" / "last" / "metrics.json", {"top1": 0.0})
    write_json(folder / "model" / "last" / "training.json", {"seed": seed})
    lines = [{"kind": "eval", "step": step, "top1": value} for step, value in curve]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "model" / "log.jsonl").write_text(text + '{"kind": "ev')
    write_json(folder / "report" / "metrics.json", report)
    save_scores(folder / "report" / "scores.npz", names, logits, labels)


@pytest.fixture
def two(tmp_path):
    for seed, right in enumerate(((0, 1, 2, 3), (0, 1, 2))):
        write_run(tmp_path / "ours" / f"seed-{seed}", seed, right, curve=[(1, 0.2), (2, 0.6)])
    for seed, right in enumerate(((0, 4), (0,))):
        write_run(tmp_path / "other" / f"seed-{seed}", seed, right, curve=[(1, 0.1), (2, 0.3)])
    return tmp_path


def test_an_evaluation_stands_for_its_training_and_seeds_come_from_the_recipe(two):
    (name, runs), *_ = find_runs([str(two / "ours")]).items()
    assert name == "ours" and [run.seed for run in runs] == [0, 1]
    assert [run.metric("top1") for run in runs] == pytest.approx([4 / 6, 3 / 6])
    assert [line["step"] for line in runs[0].history] == [1, 2]


def test_seeds_are_compared_in_pairs_and_clips_by_what_only_one_has_right(two):
    runs = find_runs([f"base={two / 'other'}", f"new={two / 'ours'}"])
    test = paired_by_seed(runs["base"], runs["new"], "top1")
    assert (test.mean, test.standard_error, test.seeds) == (pytest.approx(2 / 6), pytest.approx(0, abs=1e-9), 2)
    clips = paired_by_clip(runs["base"][0], runs["new"][0])
    assert (clips.only_first, clips.only_second) == (1, 3)
    assert clips.p_value == pytest.approx(2 * (1 + 4) / 2**4)  # at most one of four by a fair coin, either side
    assert class_differences(runs["base"], runs["new"]) == pytest.approx({"squat": 0.5, "wave": 1 / 6})
    write_run(two / "elsewhere", 0, (0,), names=("a", "b", "c", "d", "e", "x"))
    assert paired_by_clip(runs["base"][0], find_runs([str(two / "elsewhere")])["elsewhere"][0]) is None


def test_the_seeds_needed_are_those_of_the_power_of_a_paired_t_test():
    generator = np.random.default_rng(0)
    number = seeds_needed(1.0, 1.0)
    draws = generator.normal(1.0, 1.0, (4000, number))
    error = draws.std(1, ddof=1) / number**0.5
    found = [paired_test(draw).p_value < 0.05 for draw in draws[:400]]
    assert number == 10 and 0.74 < np.mean(found) < 0.88 and error.shape == (4000,)
    assert seeds_needed(0.0, 1.0) is None and seeds_needed(0.01, 1.0) is None and seeds_needed(5.0, 0.0) == 2
    assert paired_test([3.0]).seeds_needed is None
    assert "a seed that both have" in error_of(paired_test, [])


def test_the_command_prints_the_table_tests_and_classes(two, capsys):
    words = ["results", f"base={two / 'other'}", f"new={two / 'ours'}", "--json", two / "out.json"]
    assert run_cli(*words) == 0
    text = capsys.readouterr().out
    assert "| base | 25.0 ± 11.8 | 0, 1 | - | - | - |" in text
    assert "| new | 58.3 ± 11.8 | 0, 1 | +33.3 |" in text
    assert "seed 0: 3 clips right here only, 1 there only, p 0.62 (McNemar)" in text
    assert "classes, points: squat +50.0, wave +16.7" in text
    assert read_json(two / "out.json")["values"]["new"]["1"] == 0.5
    assert run_cli("results", two / "ours", "--latex") == 0
    assert r"ours & 58.3 $\pm$ 11.8 & 0, 1 & - & - & - \\" in capsys.readouterr().out


def test_curves_matrices_and_classes_are_drawn(two, capsys):
    pytest.importorskip("PIL.Image")
    words = ["results", f"base={two / 'other'}", f"new={two / 'ours'}", "--output_dir", two / "images"]
    assert run_cli(*words) == 0
    drawn = sorted(path.name for path in (two / "images").iterdir())
    assert drawn == ["classes_1.png", "confusion_matrices.png", "learning_curves.png"]
    assert "drawn: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "is not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"top5": 1.0}', "has no metric 'top1'; it has ['top5']"),
    ],
)
def test_a_report_without_the_number_is_refused_with_what_it_has(content, expected, tmp_path, capsys):
    (tmp_path / "metrics.json").write_text(content)
    assert run_cli("results", tmp_path) == 2
    assert expected in capsys.readouterr().err


def test_a_seed_twice_under_one_name_and_a_folder_without_runs_are_errors(two):
    assert "seed 0 is there twice; give the runs names" in error_of(find_runs, [f"a={two}"])
    (two / "empty").mkdir()
    assert "holds no metrics.json" in error_of(find_runs, [str(two / "empty")])


def test_broken_scores_are_refused(two):
    (two / "ours" / "seed-0" / "report" / "scores.npz").write_bytes(b"PK no archive")
    assert "expected clip_ids, logits and labels" in error_of(find_runs, [str(two / "ours")])


def test_numbers_that_are_no_shares_are_shown_as_they_are(tmp_path):
    motionhub.save_report(tmp_path / "seed-0", {"mse": 12.5})
    assert "| 12.5 | 0 |" in motionhub.comparison_table(find_runs([f"x={tmp_path}"]), "mse")
