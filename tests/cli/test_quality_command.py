"""`motionhub quality`: one file with every chart inside, text escaped, a therapist's ratings, what was wrong."""

import csv
import json
import re

import numpy as np
import pytest
from helpers import run_cli, write_text

import motionhub


pytest.importorskip("matplotlib")


def write_scores(path, graded: bool = False, movement: str = "deep squat"):
    """Four people with ten clips each, whose held-out scores follow the truth with noise."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["clip_id", "movement", "subject", "score", "held_out"])
        for number in range(40):
            truth = number % 5 if graded else number % 2
            table.writerow([f"clip {number}", movement, f"S0{number // 10}", truth, truth + rng.normal(0, 0.4)])
    return path


def test_the_report_is_one_file_with_its_images_and_numbers(tmp_path):
    assert run_cli("quality", write_scores(tmp_path / "h.csv"), "-o", tmp_path / "r.html") == 0
    text = (tmp_path / "r.html").read_text()
    assert text.count("data:image/png;base64,") == 3 and not re.findall(r'(?:src|href)="(?!data:)', text)
    scores = np.array(
        [(float(row["held_out"]), float(row["score"])) for row in csv.DictReader((tmp_path / "h.csv").open())]
    )
    right, wrong = (scores[scores[:, 1] == value, 0] for value in (1, 0))
    area = (right[:, None] > wrong).mean()  # the probability that a right clip scores higher
    assert f"<td>auc</td><td>{area:.2f}</td>" in text and "40 clips of 4 people" in text


def test_a_therapists_csv_gives_limits_of_agreement(tmp_path):
    write_scores(tmp_path / "h.csv", graded=True)
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    given = "".join(f"{row['clip_id']},{float(row['held_out']) - 0.5}\n" for row in rows[:30])
    write_text(tmp_path / "t.csv", f"clip_id,score\n{given}")
    words = ["-o", tmp_path / "r.html", "--ratings", tmp_path / "t.csv"]
    assert run_cli("quality", tmp_path / "h.csv", *words) == 0
    text = (tmp_path / "r.html").read_text()
    assert "from +0.50 to +0.50" in text and "30 clips" in text  # the therapist is half a point stricter, always


def test_ratings_may_be_an_elan_file_in_the_order_of_the_clips(tmp_path, capsys):
    write_scores(tmp_path / "h.csv", graded=True)
    rows = [{"track_id": None, "start_s": n, "end_s": n + 0.5, "label": str(n % 5), "score": 1.0} for n in range(40)]
    motionhub.write_intervals(rows, tmp_path / "t.eaf")
    assert run_cli("quality", tmp_path / "h.csv", "-o", tmp_path / "r.html", "--ratings", tmp_path / "t.eaf") == 0
    motionhub.write_intervals(rows[:7], tmp_path / "few.eaf")
    assert run_cli("quality", tmp_path / "h.csv", "-o", tmp_path / "r.html", "--ratings", tmp_path / "few.eaf") == 2
    assert "a label per clip (40), in order, got 7" in capsys.readouterr().err


def test_names_are_escaped(tmp_path):
    write_scores(tmp_path / "h.csv", movement="<script>alert(1)</script>")
    assert run_cli("quality", tmp_path / "h.csv", "-o", tmp_path / "r.html") == 0
    text = (tmp_path / "r.html").read_text()
    assert "<script>" not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("content", "words", "reason"),
    [
        ("clip_id,score\na,1\n", [], "['movement', 'subject', 'held_out'] are absent"),
        ("clip_id,movement,subject,score,held_out\na,squat,1,1,nan\n", [], "no clip has a held-out score"),
        ("clip_id,movement,subject,score,held_out\na,squat,1,1,high\n", [], "line 2: expected a number, got 'high'"),
        ("clip_id,movement,subject,score,held_out\na,squat,1,1,1\n", ["--movement", "bow"], "there are ['squat']"),
        ("clip_id,movement,subject,score,held_out\na,squat,1,1,1\n", ["--dataset", "ui-prmd"], "go together"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, content, words, reason, capsys):
    write_text(tmp_path / "h.csv", content)
    assert run_cli("quality", tmp_path / "h.csv", "-o", tmp_path / "r.html", *words) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1 and not (tmp_path / "r.html").exists()


def test_the_joint_that_was_wrong_is_found_and_when():
    squats = [motionhub.generate("squat", seed=seed) for seed in range(6)]
    wrong = squats[0].keypoints.copy()
    wrist, elbow = (squats[0].layout.index(f"left_{joint}") for joint in ("wrist", "elbow"))
    last = 2 * wrong.shape[1] // 3
    wrong[:, last:, wrist] = wrong[:, last:, elbow] - (wrong[:, last:, wrist] - wrong[:, last:, elbow])
    first = motionhub.deviations(squats[0].replace(keypoints=wrong), squats[1:])[0]
    assert (first["angle"], first["phase"]) == ("left_elbow_flexion", "back")
    assert first["start_s"] > squats[0].duration / 2 and abs(first["difference"]) > 40


def test_too_few_correct_repetitions_are_refused():
    squat = motionhub.generate("squat", seed=0)
    with pytest.raises(ValueError, match="3 correct repetitions or more, got 2"):
        motionhub.deviations(squat, [squat, squat])


@pytest.mark.parametrize("line", ["clip,squat", f"{'x' * 200_000},squat,S01,1,0.5", "c,s,S,1,ä"])
def test_a_table_with_a_broken_line_is_one_line(line, tmp_path, capsys):
    path = write_scores(tmp_path / "h.csv")
    path.write_text(f"{path.read_text()}{line}\n")
    assert run_cli("quality", path, "-o", tmp_path / "r.html") == 2
    message = capsys.readouterr().err
    assert str(path) in message and message.count("\n") == 1 and len(message) < 600


def test_a_model_scores_every_person_of_a_file_and_says_how_sure_it_is(tmp_path, capsys, monkeypatch):
    answers = [
        {"track_id": 0, "score": 0.934, "interval": None, "interval_note": "not measured", "doubt": None},
        {"track_id": 2, "score": 3.0, "interval": [2.5, 3.5], "interval_note": None, "doubt": "probably not squat"},
    ]
    monkeypatch.setattr("motionhub.cli.quality.check_kind", lambda *arguments: None)
    monkeypatch.setattr("motionhub.cli.quality.load_pipeline", lambda *arguments: lambda file, **facts: answers)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "squat.npz").touch()
    assert run_cli("quality", "squat.npz", "--model", "some/model", "--json", tmp_path / "a.json") == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "squat.npz",
        "  person 0: 0.93, not measured",
        "  person 2: 3.00, 95 % from 2.50 to 3.50",
        "    probably not squat; the score means nothing then",
    ]
    assert json.loads((tmp_path / "a.json").read_text()) == {"squat.npz": answers}


def test_options_of_the_report_and_of_a_model_exclude_each_other(tmp_path, capsys):
    assert run_cli("quality", "a.npz", "--model", "some/model", "-o", tmp_path / "r.html") == 2
    assert "--output is for the report of HELD_OUT.csv; omit it with --model" in capsys.readouterr().err
    assert run_cli("quality", "a.npz", "b.npz") == 2
    assert "Give --model MODEL to score movements" in capsys.readouterr().err
