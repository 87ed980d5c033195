"""Hand-made hostile files are read or refused in one line that names them, in 5 s of computing and 1.5 GB."""

import os
import resource
import warnings
from pathlib import Path

import pytest
from hostile_files import HOSTILE

from motionhub.data.datasets.reading import read
from motionhub.data.views.image_files import read_densepose


MOST_SECONDS, MOST_MEGABYTES = 5.0, 1500
# More than a second to make or to read.
SLOW = {name for name in HOSTILE if name.startswith("wide-")} | {
    *("many-numbers", "many-lists", "coco-crowd", "coco-crowd-1000", "json-crowd", "csv-crowd", "gzip", "bvh-joints"),
    *("keys-of-one-hash", "repeated", "overlapping", "long-csv-joints", "objects-json", "empty-lists"),
    "tuples-of-tuples",
}


def said(name: str, path: Path) -> str:
    """What a reader does with the file: the error, or "read"."""
    call = read_densepose if path.name.startswith("densepose") else read
    try:
        call(path, **{key: value for key, value in HOSTILE[name].options.items() if value is not None})
    except ValueError as error:
        return str(error)
    return "read"


def in_a_process(name: str, path: Path) -> tuple[str, float, float]:
    """What a reader says, seconds of computing, and megabytes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        warnings.simplefilter("ignore")
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        before = resource.getrusage(resource.RUSAGE_SELF)
        try:
            answer = said(name, path)
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"[:500]
        after = resource.getrusage(resource.RUSAGE_SELF)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        os.write(writing, f"{seconds}\t{(after.ru_maxrss - before.ru_maxrss) / 1024}\t{answer}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        answer = stream.read()
    assert os.waitpid(child, 0)[1] == 0, "the process was killed"
    seconds, megabytes, line = answer.split("\t", 2)
    return line, float(seconds), float(megabytes)


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.slow if each in SLOW else ()) for each in HOSTILE]
)
def test_a_hostile_file_is_one_line_soon_and_in_little_memory(name, tmp_path):
    path = tmp_path / HOSTILE[name].file
    path.write_bytes(HOSTILE[name].make())
    line, seconds, megabytes = in_a_process(name, path)
    assert line.startswith(f"{path}: ") or (line == "read" and HOSTILE[name].may_read), line
    assert line.isprintable() and len(line) - len(str(path)) < 800
    # A slow machine whose cores others use takes three times as long as a quiet one.
    assert seconds < 3 * MOST_SECONDS and megabytes < MOST_MEGABYTES
