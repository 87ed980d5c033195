"""`motionhub predict FILE --labels ...`, with the bundled checkpoint, on a motion of our own."""

from types import SimpleNamespace

import pytest
from helpers import read_json

from motionhub.cli.main import main
from motionhub.cli.predict import _print_intervals
from motionhub.data.formats.formats import write
from motionhub.data.synthetic.generate import compose, generate
from motionhub.towers.text_towers import MissingTowerError


NAMED = "motionhub/unik-nucla-small"


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.npz"
    write(generate("sit down", second_person="clap", seed=2), path)
    return str(path)


def test_labels_give_a_table_intervals_and_images(clip, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    files = ["--json", str(tmp_path / "scores.json"), "--intervals", str(tmp_path / "when.csv")]
    files += ["--ribbon", str(tmp_path / "ribbon.png"), "--gif", str(tmp_path / "clip.gif")]
    words = ["--labels", "sit down, clap, kick, walk", "--top_k", "2"]
    assert main(["predict", clip, *words, "--model", "tmor-small", *files]) == 0
    said = capsys.readouterr().out
    assert said.count("100% of the joints visible") == 2
    scores = read_json(tmp_path / "scores.json")[clip]
    assert [person["scores"][0]["label"] for person in scores] == ["sit down", "clap"]
    assert (tmp_path / "when.csv").read_text().startswith("track_id,start_s,end_s,label,score\n0,")
    assert (tmp_path / "ribbon.png").stat().st_size > 1000 and (tmp_path / "clip.gif").stat().st_size > 1000


@pytest.mark.parametrize("command", ["predict", "segment", "quality", "index"])
def test_a_file_that_is_not_there_is_said_before_a_model_is_loaded(command, tmp_path, capsys):
    (tmp_path / "kicks").mkdir()
    words = [str(tmp_path / "kickz"), "--model", str(tmp_path / "no model")]
    assert main([command, *words, *(["-o", str(tmp_path / "index")] if command == "index" else [])])
    assert f"kickz: no such file or folder; did you mean {tmp_path / 'kicks'}?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--labels", "sit down, clap, walk"], ["--model", NAMED]], ids=["2-D", "3-D"])
def test_a_video_is_looked_at_once_and_drawn(words, tmp_path, capsys, monkeypatch):
    pytest.importorskip("PIL")
    looked = []

    def found(video, **options):
        looked.append(video)
        solid = generate("sit down", seed=2)
        flat = solid.replace(keypoints=solid.keypoints[..., :2])  # a model of 3-D would refuse it
        tracks = SimpleNamespace(clip=flat, world=solid) if NAMED in words[1] else SimpleNamespace(clip=solid)
        return SimpleNamespace(tracks=tracks)

    monkeypatch.setattr("motionhub.poses.extraction.extract_clip", found)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somebody.mp4").touch()
    scores, image = tmp_path / "scores.json", tmp_path / "clip.gif"
    assert main(["predict", "somebody.mp4", *words, "--json", str(scores), "--gif", str(image)]) == 0
    assert looked == ["somebody.mp4"] and image.stat().st_size > 1000
    assert capsys.readouterr().out.startswith("somebody.mp4\n")
    assert read_json(scores)["somebody.mp4"][0]["scores"][0]["label"] == "sit down"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "or candidate labels"),
        (["--labels", ""], "something in them"),
        (["--labels", "walk, walk"], "must differ"),
        (["--labels", "walk", "--clip"], "omit them with --labels"),
        (["--labels", "walk", "--template", "a person"], "{}"),
        (["--labels", "walk, flurble the gizmo"], "lacks 'flurble the gizmo'|similar known"),
    ],
)
def test_words_that_do_not_fit_are_one_line(words, message, clip, capsys, monkeypatch):
    monkeypatch.setattr("motionhub.towers.text_towers.TextTower._load", _no_tower)
    assert main(["predict", clip, *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and any(part in said for part in message.split("|"))


def _no_tower(tower):
    raise MissingTowerError(f"{tower.name} is not here")


def test_a_long_recording_has_intervals_and_no_single_label(tmp_path, capsys):
    clip, _ = compose(["sit down", "stand up"] * 8, seed=0)
    assert clip.duration > 30
    write(clip, tmp_path / "day.npz")
    assert main(["predict", str(tmp_path / "day.npz"), "--labels", "sit down, stand up, wave"]) == 0
    said = capsys.readouterr().out
    assert "too long for a single label" in said and "joints visible" not in said
    assert "in all, of" in said and "x stand up" in said
    assert main(["predict", str(tmp_path / "day.npz"), "--model", NAMED]) == 0
    assert "motionhub segment" in capsys.readouterr().out


def test_predict_and_segment_decode_alike(tmp_path, capsys):
    write(compose(["sit down", "stand up", "wave"], seed=0)[0], tmp_path / "clip.npz")
    words = ["--labels", "sit down, stand up, wave", "--threshold", "0.4", "--min_duration", "0.2"]
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert main(["predict", str(tmp_path / "clip.npz"), *words, "--intervals", str(files[0])]) == 0
    assert main(["segment", str(tmp_path / "clip.npz"), *words, "-o", str(files[1])]) == 0
    assert files[0].read_text() == files[1].read_text() != "track_id,start_s,end_s,label,score\n"


@pytest.mark.parametrize(
    ("rows", "word"), [([(0.0, 1.0)], "none of these as a whole, but for 10%"), ([(0.0, 9.0)], "uncertain")]
)
def test_intervals_of_a_clip_that_is_none_of_these_come_with_a_word_why(rows, word, capsys):
    intervals = [{"track_id": 0, "start_s": a, "end_s": b, "label": "wave", "score": 0.7} for a, b in rows]
    found = {"intervals": intervals, "scores": [{"track_id": 0, "times": [0.0, 10.0]}]}
    _print_intervals(found, [{"track_id": 0, "scores": [{"label": "none of these", "score": 0.9}]}])
    said = capsys.readouterr().out
    assert word in said and said.index(word) < said.index("70.0%")


def test_options_on_intervals_need_a_model_that_gives_them(clip, capsys):
    assert main(["predict", clip, "--model", NAMED, "--threshold", "0.3"]) == 2
    assert "--threshold needs intervals" in capsys.readouterr().err
