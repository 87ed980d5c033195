"""What a stranger wrote cannot steer the terminal of who reads it: labels, names of files and messages are escaped."""

import json
import shutil

import pytest
from helpers import SMALL_CHECKPOINT, run_cli

import motionhub
from motionhub.cli.report import handle_cli_errors, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wave", "wave"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("a\rb", "a\\rb"),
        ("a\r\n\tb", "a\r\n\tb"),
        ("gnp\u202etxt", "gnp\\u202etxt"),
        ("\x9b2J", "\\x9b2J"),
        ("\u6ce2 \u00e4 \U0001f44b", "\u6ce2 \u00e4 \U0001f44b"),
    ],
)
def test_only_what_steers_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown


def test_errors_and_output_of_commands_are_printable(capsys):
    def fails() -> int:
        print("label \x1b[2J")
        raise ValueError("file \x1b]0;x\x07.csv")

    assert handle_cli_errors(fails) == 2
    found = capsys.readouterr()
    assert found.out == "label \\x1b[2J\n" and found.err == "motionhub: file \\x1b]0;x\\x07.csv\n"
    print("\x1b[2J", end="")  # after a command, the program's own output is its own
    assert capsys.readouterr().out == "\x1b[2J"


def test_labels_of_a_checkpoint_cannot_clear_the_screen(tmp_path, capsys):
    folder = shutil.copytree(SMALL_CHECKPOINT, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {key: f"\x1b]0;pwn\x07\x1b[2J{name}" for key, name in config["id2label"].items()}
    config.pop("label2id", None)
    (folder / "config.json").write_text(json.dumps(config))
    clip = motionhub.write(motionhub.generate("wave", seed=0), tmp_path / "clip.npz")
    assert run_cli("predict", clip, "--model", folder) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\\x1b[2J" in shown
