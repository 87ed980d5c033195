"""The index: nearest by cosine whichever library searches, kept in a folder, clear about what does not fit."""

import os
import sys

import numpy as np
import pytest
from helpers import error_of, read_json, write_json

from motionhub.retrieval.index import Entry, MotionIndex


VECTORS = np.array([[1, 0, 0], [0, 2, 0], [3, 3, 0], [0, 0, -1], [1, 0, 0.1]], np.float32)
ENTRIES = [Entry(f"{name}.npz", frame=number) for number, name in enumerate("aabbc")]


def index() -> MotionIndex:
    return MotionIndex(VECTORS, ENTRIES, "frame", {"model": "m"})


def test_nearest_by_cosine_best_first_and_without_the_file_of_the_query():
    (hits,) = index().search([2, 0, 0], top_k=3)
    assert [hit.entry.frame for hit in hits] == [0, 4, 2]
    assert [hit.similarity for hit in hits] == pytest.approx([1, 1 / np.hypot(1, 0.1), np.sqrt(0.5)], abs=1e-6)
    (others,) = index().search([2, 0, 0], top_k=3, without_files=["a.npz"])
    assert [hit.entry.frame for hit in others] == [4, 2, 3]
    assert len(index().search(VECTORS, top_k=99)[1]) == 5


def test_without_faiss_the_results_are_the_same(monkeypatch):
    pytest.importorskip("faiss")
    queries = np.random.default_rng(0).normal(size=(6, 3))
    with_faiss = index().search(queries)
    monkeypatch.setitem(sys.modules, "faiss", None)
    without = index().search(queries)
    for one, other in zip(with_faiss, without, strict=True):
        assert [hit.entry for hit in one] == [hit.entry for hit in other]


@pytest.mark.parametrize("with_faiss", [True, False])
def test_of_equals_the_earlier_entries_are_found(monkeypatch, with_faiss):
    if with_faiss:
        pytest.importorskip("faiss")
    else:
        monkeypatch.setitem(sys.modules, "faiss", None)
    values = np.random.default_rng(0).normal(size=(5, 64)).repeat(40, axis=0)
    equals = MotionIndex(values, [Entry("a.npz", frame=frame) for frame in range(200)], "frame", {})
    for row in range(5):
        (hits,) = equals.search(values[40 * row], top_k=3)
        assert [hit.entry.frame for hit in hits] == [40 * row, 40 * row + 1, 40 * row + 2]


def test_saved_and_loaded_finds_the_same(tmp_path):
    index().save(tmp_path / "i")
    loaded = MotionIndex.load(tmp_path / "i")
    assert loaded.entries == ENTRIES and loaded.level == "frame" and loaded.facts == {"model": "m"}
    assert loaded.search([1, 1, 1]) == index().search([1, 1, 1])
    index().save(tmp_path / "i")  # over an index, but over nothing else
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(ValueError, match="is no index"):
        index().save(tmp_path / "other")


def test_what_is_no_index_or_damaged_is_said(tmp_path):
    with pytest.raises(ValueError, match="motionhub index FOLDER"):
        MotionIndex.load(tmp_path)
    folder = index().save(tmp_path / "i")
    (vectors,) = folder.glob("vectors-*.npy")
    vectors.write_bytes(vectors.read_bytes()[:-7])
    with pytest.raises(ValueError, match="damaged"):
        MotionIndex.load(folder)
    index().save(folder)
    about = read_json(folder / "index.json")
    write_json(folder / "index.json", {**about, "num_entries": 7})
    with pytest.raises(ValueError, match="5 of 7"):
        MotionIndex.load(folder)


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.nan, 0, 1], [np.inf, 0, 1]])
def test_vectors_that_say_nothing_are_refused(vector):
    with pytest.raises(ValueError, match="finite and not zero"):
        MotionIndex([vector], ENTRIES[:1], "clip", {})
    with pytest.raises(ValueError, match="finite and not zero"):
        index().search(vector)


def test_a_query_of_another_encoder_is_refused():
    with pytest.raises(ValueError, match="same model"):
        index().search([1, 2])
    with pytest.raises(ValueError, match="entry for each"):
        MotionIndex(VECTORS, ENTRIES[:2], "clip", {})
    with pytest.raises(ValueError, match="level"):
        MotionIndex(VECTORS, ENTRIES, "joint", {})


HOSTILE = ['{"file": 5}', '{"file": "a", "start_s": "x"}', "[" * 100_000, "5", '{"file": "a", "other": 1}']


@pytest.mark.parametrize("line", HOSTILE)
def test_an_entry_of_another_form_is_a_damaged_index(line, tmp_path):
    folder = index().save(tmp_path / "i")
    (entries,) = folder.glob("entries-*.jsonl")
    entries.write_text("\n".join([line, *entries.read_text().splitlines()[1:]]) + "\n")
    assert "damaged" in error_of(MotionIndex.load, folder)


def test_vectors_that_announce_more_than_there_is_are_a_damaged_index(tmp_path):
    folder = index().save(tmp_path / "i")
    (vectors,) = folder.glob("vectors-*.npy")
    content = vectors.read_bytes()
    assert b"(5, 3), }            " in content
    vectors.write_bytes(content.replace(b"(5, 3), }            ", b"(5, 3000000000000), }"))
    assert "damaged" in error_of(MotionIndex.load, folder)


def test_who_reads_while_two_processes_write_gets_one_index_whole(tmp_path):
    """Both have as many entries, so that vectors of one would fit the entries of the other."""
    folder = tmp_path / "index"
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, 50, 8)).astype(np.float32)
    entries = [[Entry(f"{name}{number}.npz", frame=0) for number in range(50)] for name in "ab"]
    indexes = {
        name: MotionIndex(each, rows, "frame", {"model": name})
        for name, each, rows in zip("ab", vectors, entries, strict=True)
    }
    indexes["a"].save(folder)
    writers = []
    for name in "ab":
        writers.append(os.fork())
        if writers[-1] == 0:
            status = 1
            try:
                for _ in range(40):
                    indexes[name].save(folder)
                status = 0
            finally:
                os._exit(status)
    seen, statuses = [], []
    while writers:
        found = MotionIndex.load(folder)
        name = found.entries[0].file[0]
        seen.append(name)
        assert found.entries == indexes[name].entries and np.array_equal(found.vectors, indexes[name].vectors)
        ended = dict(os.waitpid(each, os.WNOHANG) for each in writers)
        statuses += [status for pid, status in ended.items() if pid]
        writers = [each for each in writers if each not in ended]
    assert statuses == [0, 0] and set(seen) == {"a", "b"}
    assert len([*folder.glob("*.npy")]) == len([*folder.glob("*.jsonl")]) == 1
