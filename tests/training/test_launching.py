"""Asked for two processes, got one: that is read from the launcher, and is an error."""

import subprocess
import sys
from pathlib import Path

import pytest

from motionhub.training.processes import number_in, processes_asked_for


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("python /bin/accelerate launch --cpu --num_processes 2 script.py", 2),
        ("python -m accelerate.commands.launch --num-processes=3 script.py", 3),
        ("python /bin/accelerate-launch --num_processes 4 script.py", 4),
        ("accelerate launch script.py --output_dir x", None),
        ("bash run.sh --num_processes 2", None),
        ("accelerate launch --num_processes", None),
    ],
)
def test_number_of_processes_is_read_from_the_launchers_words(line: str, number: int | None) -> None:
    assert number_in(line.split()) == number


def test_torchrun_says_it_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    assert processes_asked_for() is None
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert processes_asked_for() == 3


def test_accelerate_on_cpu_that_starts_one_of_two_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from motionhub.training.arguments import TrainingRecipe\n"
        "from motionhub.training.processes import build_accelerator\n"
        "build_accelerator(TrainingRecipe(cpu=True))\n"
    )
    launch = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--cpu", "--num_processes", "2"]
    ran = subprocess.run([*launch, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode != 0
    assert "2 processes were requested, but 1 is running" in ran.stderr
