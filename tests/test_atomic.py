"""A file is there with all of its content, or as it was before."""

import pytest

from motionhub.atomic import atomic_path, write_text


def test_a_file_takes_the_place_of_the_old_one_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "ä\n")
    with atomic_path(path) as writing:
        writing.write_bytes(b"half")
        assert path.read_text(encoding="utf-8") == "ä\n"
    assert path.read_bytes() == b"half"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyError), atomic_path(path) as writing:
        writing.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
