"""examples/jobs: what `hf jobs uv run` makes of the scripts and sends, and that the scripts run here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import load_script
from huggingface_hub import HfApi, Volume
from huggingface_hub.cli.hf import app
from loopback_hub import TOKEN, USER


FOLDER = Path(__file__).parents[2] / "examples" / "jobs"
SCRIPTS = {"extract_poses": ("cpu-upgrade", ["/videos", "/poses"]), "train": ("a10g-small", ["OWNER/checkpoint"])}


def test_every_job_has_its_row_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(SCRIPTS)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_dry_run_shows_the_flavor_and_time_of_the_scripts_header(name, capsys):
    flavor, words = SCRIPTS[name]
    with pytest.raises(SystemExit) as ended:
        app(["jobs", "uv", "run", "--dry-run", str(FOLDER / f"{name}.py"), *words])
    assert not ended.value.code
    shown = "".join(capsys.readouterr())
    assert flavor in shown and "timeout" in shown and " ".join(words) in shown


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_the_request_of_a_job_has_command_flavor_and_volumes(hub, name):
    """The script by its address: one on this disk is sent to a bucket first, for which there is no server here."""
    flavor, words = SCRIPTS[name]
    address = f"https://raw.githubusercontent.com/motionhub/motionhub/main/examples/jobs/{name}.py"
    api = HfApi(endpoint=hub.url, token=TOKEN)
    volume = Volume(type="dataset", source="owner/videos", mount_path="/videos", read_only=True)
    job = api.run_uv_job(address, script_args=words, flavor=flavor, timeout="6h", volumes=[volume])
    (sent,) = hub.jobs
    assert sent["command"] == ["uv", "run", address, *words]
    assert (sent["flavor"], sent["timeoutSeconds"]) == (flavor, 6 * 3600)
    assert sent["volumes"] == [{"type": "dataset", "source": "owner/videos", "mountPath": "/videos", "readOnly": True}]
    assert f"POST /api/jobs/{USER}" in hub.requests and job.owner.name == USER


def test_without_words_a_job_says_how_it_is_called(capsys):
    for name in SCRIPTS:
        assert load_script(f"examples/jobs/{name}.py").main([]) == 2
        assert f"usage: {name}.py" in capsys.readouterr().err


def test_a_folder_without_videos_is_one_line(tmp_path, capsys):
    assert load_script("examples/jobs/extract_poses.py").main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "no videos" in capsys.readouterr().err


def test_poses_of_a_folder_of_videos_go_to_a_folder_and_are_kept(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("motionhub.cli.main.main", lambda argv: asked.append(argv) or 0)
    (tmp_path / "walks").mkdir()
    for name in ("walks/b c.mp4", "a.MOV", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert load_script("examples/jobs/extract_poses.py").main([str(tmp_path), "out", "--num_proc", "2"]) == 0
    videos = [str(tmp_path / "a.MOV"), str(tmp_path / "walks" / "b c.mp4")]
    assert asked == [["poses", *videos, "--output", "out", "--num_proc", "2"]]


def test_a_training_that_fails_is_not_pushed(tmp_path, monkeypatch):
    pushed = []
    monkeypatch.setattr("motionhub.cli.main.main", lambda argv: pushed.append(argv) or 0)
    job = load_script("examples/jobs/train.py")
    ended = iter([subprocess.CompletedProcess([], 2), subprocess.CompletedProcess([], 0)])
    monkeypatch.setattr(job.subprocess, "run", lambda *_, **__: next(ended))
    words = ["owner/name", "--dataset", "x", "--output_dir", "/runs/first"]
    assert job.main(words) == 2 and pushed == []
    assert job.main(words) == 0 and pushed == [["push", "/runs/first/best", "owner/name"]]


def test_the_inline_metadata_names_extras_that_exist():
    from test_extras import extras

    for name in SCRIPTS:
        lines = (FOLDER / f"{name}.py").read_text().splitlines()
        (dependencies,) = [line for line in lines if line.startswith("# dependencies")]
        (named,) = json.loads(dependencies.split(" = ")[1])
        assert named.partition("[")[2].partition("]")[0] in extras()
    assert sys.version_info >= (3, 11)
