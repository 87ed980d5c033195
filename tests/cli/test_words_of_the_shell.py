"""Messages of commands name options and commands, not Python, and count in good English."""

import pytest

from motionhub.cli.report import _in_shell_words, _note_in_shell_words, counted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('x.csv: fps: the file does not say it; call motionhub.read("x.csv", fps=30) with the true value.',
         "x.csv: fps: the file does not say it; give --fps 30, or the true value."),
        ('call motionhub.read("x.npz", layout=...) with the true one, also a YAML file of your own',
         "give --layout with the true one, also a YAML file of your own"),
        ('labels, not poses; read them by motionhub.read_intervals("x.csv").',
         "labels, not poses; commands take them by --intervals."),
        ("2 recordings, ['a', 'b']; call motionhub.read_intervals(\"x.csv\", recording='a') for one of them.",
         "2 recordings, ['a', 'b']; give --recording 'a' for one of them."),
        ('call motionhub.convert_layout(sequence, "coco-17") or motionhub.convert_layout(sequence, "body-25").',
         "motionhub convert FILE NEW --layout coco-17 or motionhub convert FILE NEW --layout body-25."),
        ('call sequence.replace(up="-y") first, and it is turned.', "give --up -y, and it is turned."),
        ("Leave them out with dataset.filter(lambda row: row['label'] in range(4)), or train a model with the classes "
         "of this dataset (motionhub.prepare_model).",
         "Train a model with the classes of this dataset (motionhub train)."),
    ],
)  # fmt: skip
def test_a_call_of_python_becomes_what_does_the_same_in_a_shell(text, shown):
    assert _in_shell_words(text) == shown


@pytest.mark.parametrize(
    ("command", "text", "shown"),
    [
        ("info", 'the rest is left out; unit="metre" reads it.', "the rest is left out; --unit metre reads it."),
        ("info", "two rates; fps= chooses another rate.", "two rates; --fps chooses another rate."),
        ("convert", "two rates; fps= chooses another rate.", "two rates; --in_fps chooses another rate."),
        ("info", 'numpy.savez("CLIP.npz", fps=30)', 'numpy.savez("CLIP.npz", fps=30)'),
    ],
)  # fmt: skip
def test_a_note_names_the_option_of_the_command_that_runs(command, text, shown, monkeypatch):
    monkeypatch.setattr("sys.argv", ["motionhub", command, "x.json"])
    assert _note_in_shell_words(text) == shown


@pytest.mark.parametrize(
    ("number", "what", "shown"),
    [
        (1, "people", "1 person"),
        (2, "people", "2 people"),
        (0, "alarms", "0 alarms"),
        (1, "alarms", "1 alarm"),
        (1, "frames out of order", "1 frame out of order"),
        (3, "frames out of order", "3 frames out of order"),
    ],
)
def test_one_is_singular(number, what, shown):
    assert counted(number, what) == shown
