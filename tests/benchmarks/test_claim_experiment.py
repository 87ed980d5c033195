"""What all claims share: numbers are kept by arm, seed and column, compared in pairs, and judged with their spread."""

import json
from pathlib import Path

import pytest
from helpers import load_script

from motionhub.reproduction import comparison


CLAIMS = Path(__file__).resolve().parents[2] / "benchmarks" / "claims"
SCRIPTS = sorted(path.stem for path in CLAIMS.glob("*.py") if "def main(" in path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def experiment():
    return load_script("benchmarks/claims/experiment.py")


def results_of(column, **arms):
    return {arm: {str(seed): {column: value} for seed, value in values.items()} for arm, values in arms.items()}


def test_gates_are_paired_by_seed_and_need_twice_the_spread(experiment):
    results = results_of("hit@1", ours={0: 0.5, 1: 0.6, 2: 0.0}, raw={0: 0.2, 1: 0.3}, other={0: 0.45, 1: 0.2})
    gates = [comparison.Gate("ours", arm, "hit@1", 15.0) for arm in ("raw", "other", "absent")]
    assert comparison.gate_lines(results, gates) == [
        "- ours - raw, hit@1 (seeds 0, 1): +30.0 (standard error 0.0, 2 seeds would tell), needed above 15.0: holds",
        # gains of 5 and 40: mean 22.5, deviation 24.7
        "- ours - other, hit@1 (seeds 0, 1): +22.5 (standard error 17.5, 12 seeds would tell), "
        "needed above 49.5: FAILS",
    ]
    plain = comparison.Gate("ours", "other", "hit@1", 15.0, clear=False)
    assert comparison.gate_lines(results, [plain])[0].endswith("needed above 15.0: holds")


def test_a_control_without_seeds_is_compared_with_every_seed(experiment):
    results = results_of("x", ours={0: 0.5, 1: 0.7}, control={"": 0.4}, raw={1: 0.9})
    assert comparison.paired_gains(results, "ours", "control", "x") == pytest.approx({"0": 0.1, "1": 0.3})
    assert comparison.paired_gains(results, "ours", "raw", "x") == pytest.approx({"1": -0.2})


def test_a_run_again_replaces_its_numbers_and_the_others_stay(experiment, tmp_path):
    file = tmp_path / "numbers.json"
    experiment.measure(["a", "b"], [0, 1], lambda arm, seed: {"x": seed / 10, "y": 0.5}, file)
    experiment.measure(["a"], [1, 2], lambda arm, seed: {"x": 0.9}, file)
    assert (
        json.loads(file.read_text())
        == experiment.read(file)
        == {
            "a": {"0": {"x": 0.0, "y": 0.5}, "1": {"x": 0.9, "y": 0.5}, "2": {"x": 0.9}},
            "b": {"0": {"x": 0.0, "y": 0.5}, "1": {"x": 0.1, "y": 0.5}},
        }
    )
    assert comparison.table(experiment.read(file), ["y", "z"], paper={"b": 3})[2:] == [
        "| a | 50.0 ± 0.0 (seeds 0, 1) | - | - |",
        "| b | 50.0 ± 0.0 | - | 3 |",
    ]


def test_a_file_of_something_else_is_refused(experiment, tmp_path):
    file = tmp_path / "numbers.json"
    for content in ({"a": {"x": [0.1, 0.2]}}, [{"a": {"x": 0.1}}]):
        file.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="expected numbers by arm, seed and column"):
            experiment.read(file)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_claim_says_how_it_is_called(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        load_script(f"benchmarks/claims/{name}.py").main(["--help"])
    assert "usage:" in capsys.readouterr().out
