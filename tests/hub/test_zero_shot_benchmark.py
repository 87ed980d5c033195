"""The benchmark `motionhub-zero-shot`: its lists, its scoring, and that it can be pushed and read."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset
from helpers import error_of, load_script, write_json
from huggingface_hub import hf_hub_download, parse_eval_result_entries

from motionhub.data.datasets.datasets import get_dataset
from motionhub.hub.card import read_card_facts, write_eval_results
from motionhub.hub.push import check_dataset_card, push


ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "motionhub-zero-shot"
TASKS = {"n-ucla": 504, "utd-mhad": 323, "penn-action": 1258, "sbu": 217}


@pytest.fixture(scope="module")
def evaluate():
    return load_script("benchmarks/motionhub-zero-shot/evaluate.py")


def predictions(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("clip_id", "class"), *rows])
    return path


def test_lists_and_wordings_have_the_classes_of_the_datasets(evaluate):
    tasks = yaml.safe_load((FOLDER / "eval.yaml").read_text())["tasks"]
    assert {task["id"] for task in tasks} == set(TASKS)
    for task, count in TASKS.items():
        truth, words = evaluate.read(FOLDER / "lists" / f"{task}.csv"), evaluate.wordings(task)
        assert len(truth) == count and set(truth.values()) == set(words) == set(get_dataset(task).class_names)
        assert len(set(words.values())) == len(words)


def test_the_score_is_the_mean_over_classes(evaluate):
    truth = {"a": "wave", "b": "wave", "c": "wave", "d": "squat"}
    report = evaluate.score(truth, {"a": "wave", "b": "wave", "c": "squat", "d": "squat"}, ["wave", "squat", "jump"])
    assert report == pytest.approx(
        {"top1": 75.0, "mean_class_accuracy": 100 * (2 / 3 + 1) / 2, "chance": 100 / 3, "clips": 4}
    )
    assert "1 are missing (d)" in error_of(
        lambda: evaluate.score(truth, {"a": "wave", "b": "wave", "c": "wave"}, ["wave"])
    )
    assert "got ['run']" in error_of(lambda: evaluate.score({"a": "wave"}, {"a": "run"}, ["wave"]))


def test_predictions_of_any_program_are_scored_with_python_alone(tmp_path):
    truth = list(csv.DictReader((FOLDER / "lists" / "sbu.csv").open()))
    path = predictions(tmp_path / "p.csv", [(row["clip_id"], "hugging") for row in truth])
    words = ["score", "--task", "sbu", "--predictions", path, "--model", "o/n", "--trained_on", "nothing"]
    ran = subprocess.run(
        [sys.executable, "-S", "-E", FOLDER / "evaluate.py", *words], capture_output=True, text=True, check=True
    )
    assert "mean_class_accuracy: 12.5\n" in ran.stdout
    (entry,) = yaml.safe_load(ran.stdout.partition(":\n\n")[2])
    assert entry["dataset"] == {"id": "motionhub/motionhub-zero-shot", "task_id": "sbu"} and entry["value"] == 12.5
    twice = predictions(tmp_path / "twice.csv", [("a", "hugging"), ("a", "hugging")])
    words[4] = twice
    ran = subprocess.run([sys.executable, FOLDER / "evaluate.py", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "1 clips are there twice" in ran.stderr and ran.stderr.count("\n") == 1


def test_it_is_pushed_and_read_as_a_dataset(hub):
    push(FOLDER, "tester/motionhub-zero-shot", dataset=True)
    rows = load_dataset("tester/motionhub-zero-shot", "sbu", split="test")
    assert len(rows) == 217 and set(rows.column_names) == {"clip_id", "class"}
    path = hf_hub_download("tester/motionhub-zero-shot", "eval.yaml", repo_type="dataset")
    assert yaml.safe_load(Path(path).read_text())["evaluation_framework"] == "motionhub"


def test_a_card_that_names_a_list_that_is_not_there_is_refused(tmp_path):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    write_json(tmp_path / "x.json", {})
    assert "not pushed without parquet files" in error_of(check_dataset_card, tmp_path)


def test_tmor_small_enters_it_with_the_number_of_its_card(tmp_path):
    folder = ROOT / "hub_configs" / "tmor-small"
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    (path,) = write_eval_results(tmp_path, results, read_card_facts(folder))
    (entry,) = parse_eval_result_entries(yaml.safe_load(path.read_text(encoding="utf-8")))
    (value,) = (each["value"] for each in results if each["benchmark"] == "motionhub-zero-shot, sbu")
    assert (entry.dataset_id, entry.task_id, entry.value) == ("motionhub/motionhub-zero-shot", "sbu", value)
    assert f"tmor-small | {value} |" in (FOLDER / "README.md").read_text(encoding="utf-8")
