"""`motionhub app`: what it refuses before it starts, which recordings it offers, and the Space that calls it."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
from helpers import ROOT, run_cli

import motionhub
from motionhub.cli.app import recordings_of


def test_sharing_is_refused_with_a_way_that_sends_nothing_to_others(capsys):
    assert run_cli("app", "--share") == 2
    error = capsys.readouterr().err
    assert "--share is refused" in error and "ssh -L 7860:localhost:7860" in error


def test_a_model_for_another_task_is_refused_before_anything_starts(capsys):
    assert run_cli("app", "--model", "unik-nucla-small") == 2
    assert "--model motionhub/unik-nucla-small: expected" in capsys.readouterr().err


def test_a_folder_offers_its_recordings_and_equal_names_stay_apart(tmp_path):
    clip = motionhub.generate("wave", seed=0, num_frames=10)
    for place in ("a/one.npz", "b/one.npz", "a/two words.csv"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        motionhub.write(clip, tmp_path / place)
    (tmp_path / "a" / "film.mp4").write_bytes(b"x")
    found = recordings_of([str(tmp_path / "a"), str(tmp_path / "b" / "one.npz"), str(tmp_path / "a" / "one.npz")])
    assert list(found) == ["a/film.mp4", "a/one.npz", "a/two words.csv", "one.npz", "one.npz (2)"]
    (tmp_path / "none").mkdir()
    for wrong in ("none", "absent.npz"):
        with pytest.raises(ValueError, match=wrong):
            recordings_of([str(tmp_path / wrong)])


def test_the_space_calls_the_command_by_the_version_of_gradio_that_is_tested(monkeypatch):
    front = yaml.safe_load((ROOT / "app" / "README.md").read_text(encoding="utf-8").split("---")[1])
    tested = re.search(r"^gradio==(.+)$", (ROOT / "constraints-towers.txt").read_text(), re.MULTILINE)
    assert tested is not None and (front["sdk"], front["sdk_version"]) == ("gradio", tested[1])
    assert (ROOT / "app" / front["app_file"]).is_file()
    assert (ROOT / "app" / "requirements.txt").read_text().strip() == "motionhub[app]"
    given: list[list[str]] = []
    monkeypatch.setattr("motionhub.cli.main.main", lambda argv: given.append(argv) or 0)
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(ROOT / "app" / "app.py"), run_name="__main__")
    (argv,) = given
    assert argv[0] == "app"
    monkeypatch.undo()
    assert run_cli(*argv, "--share") == 2  # the options are those of the command, which stops here


def test_the_style_and_script_of_the_page_are_packaged():
    folder = Path(motionhub.__file__).parent / "app"
    assert {"page.css", "page.js"} <= {path.name for path in folder.iterdir()}
    assert "app/*.css, app/*.js" in (ROOT / "setup.cfg").read_text()
    for name in ("page.css", "page.js"):
        assert "http" not in (folder / name).read_text(encoding="utf-8")
