"""`motionhub serve`: what it says before it listens."""

import sys

from motionhub.cli.main import main


def test_without_its_extra_it_names_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve", "tmor-small"]) == 2
    assert 'pip install "motionhub[serve]"' in capsys.readouterr().err
