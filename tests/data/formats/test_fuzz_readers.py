"""Every reader on every kind of damage: sequences, or one line that names the file. Nothing else, soon, and in little.

`MOTIONHUB_FUZZ=1000` damages each sample a thousand times; without it a few dozen keep the suite quick.
"""

import json
import os
import pickle
import random
import shutil
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_samples import SAMPLES, Sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.formats import FORMATS
from motionhub.skeletons.sequence import SkeletonSequence


# A reader says what it has to say in its error, or in a note.
pytestmark = pytest.mark.filterwarnings("error", "ignore::motionhub.data.formats.files.FileNote")
# HumanML3D is a format too, whose samples are of more kinds; kit-ml is read by the same code as the dataset.
OWN = {name: dataset for name, dataset in DATASETS.items() if name not in FORMATS}
TRIALS = int(os.environ.get("MOTIONHUB_FUZZ", "24"))
SEED = int(os.environ.get("MOTIONHUB_FUZZ_SEED", "0"))
# Of files of some kilobytes.
MAX_MEMORY, MAX_SECONDS = 2**29, 20
ALL = [(name, number) for name, group in SAMPLES.items() for number in range(len(group))]
REAL = {
    "n-ucla": "nucla_views12.zip nucla/a01_s01_e00_v01.json",
    "penn-action": "penn_action_train.zip penn_action/labels/0246.mat",
    "utd-mhad": "utd_mhad_s1-6.zip utd_mhad/Skeleton/a10_s1_t1_skeleton.mat",
    "ntu-rgbd": "ntu_and_kinetics_samples.zip samples/S001C003P008R002A058.skeleton",
    "kinetics-skeleton": "ntu_and_kinetics_samples.zip samples/kinetics_skeleton_-0BveUV52cM.json",
    "precog": "precog2016_s1-8.zip precog2016/Seq1_1.csv",
    "sbu": "sbu_folds1-4.zip sbu/s01s02/01/001/skeleton_pos.txt",
}


@contextmanager
def in_time_and_little_memory() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"not done after {MAX_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(MAX_SECONDS)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check(call: Callable[[], Any], folder: Path) -> bool:
    """Whether the reader refused; whatever it does, it does it as the contract says."""
    try:
        clips = call()
    except ValueError as error:
        message = str(error)
        assert message.isprintable() and str(folder) in message and len(message) < 4000, message
        assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__), message
        return True
    for clip in clips:
        assert isinstance(clip, SkeletonSequence)
        assert not np.isinf(clip.keypoints).any()
    return False


def read_all_ways(name: str, sample: Sample, folder: Path) -> int:
    """How many of `read`, the reader itself and its facts refuse the sample below `folder`."""
    target = folder / sample.target
    refused = check(lambda: read(target, **sample.options), folder)
    dataset = OWN.get(name)
    if dataset is not None:
        refused += check(lambda: dataset.read(target), folder)
        refused += check(lambda: dataset.facts_of(target) and [], folder)
    return refused


def laid(sample: Sample, folder: Path) -> Path:
    for place, content in sample.files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / sample.target


# Damage


ODD_VALUES = (None, True, "", "nan", [], {}, -1, 0, 1.5, 1e308, 2**63, 10**30, float("nan"), float("inf"), "\0", [[]])
ODD_WORDS = (b"nan", b"inf", b"-1", b"1e999", b"999999999999", b"0", b"", b"\xff", b"x", b"\0", b'"', b"1" * 5000)


def damaged_bytes(content: bytes, chance: random.Random) -> bytes:
    """Cut, flipped, filled, doubled, with a hole, or with a word of another kind."""
    # Half of the damage hits the beginning, where counts, headers and keys are.
    place = chance.randrange(min(len(content), 400) if chance.random() < 0.5 else len(content))
    size = 1 << chance.randrange(9)
    match chance.randrange(8):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + content[place + size :]
        case 2:
            return content[: place + size] + content[place:]
        case 3:
            return content[:place] + chance.choice((b"\0", b"\xff", b"9", b"[")) * size + content[place + size :]
        case 4:
            return content[:place] + chance.randbytes(size) + content[place:]
        case 5:
            return _with_odd_word(content, place, chance)
        case _:
            flipped = bytearray(content)
            for _ in range(chance.choice((1, 1, 1, 4, 40))):
                flipped[chance.randrange(min(len(content), 2 * place + 8))] ^= 1 << chance.randrange(8)
            return bytes(flipped)


def _with_odd_word(content: bytes, place: int, chance: random.Random) -> bytes:
    ends = [end for end in (content.find(mark, place) for mark in (b" ", b",", b"\n", b"\t", b";", b"]")) if end >= 0]
    start = min(ends, default=place) + 1
    ends = [end for end in (content.find(mark, start) for mark in (b" ", b",", b"\n", b"\t", b";", b"]")) if end >= 0]
    return content[:start] + chance.choice(ODD_WORDS) + content[min(ends, default=start) :]


def damaged_tree(value: Any, chance: random.Random) -> Any:
    """One place of nested lists and objects replaced, dropped or doubled."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice([*value])
        changed = dict(value)
        if chance.random() < 0.1:
            del changed[key]
        else:
            changed[key] = damaged_tree(value[key], chance)
        return changed
    if isinstance(value, list | tuple) and value and chance.random() < 0.85:
        place, items = chance.randrange(len(value)), list(value)
        match chance.randrange(8):
            case 0:
                del items[place]
            case 1:
                items.insert(place, items[place])
            case _:
                items[place] = damaged_tree(items[place], chance)
        return items
    if isinstance(value, np.ndarray) and chance.random() < 0.8:
        odd = (value[:0], value.astype(str), value.ravel(), value[None], value.astype(complex), value.astype(object))
        return chance.choice((*odd, value.T, value.astype(np.int8), np.full_like(value, 255)))
    return chance.choice(ODD_VALUES)


def damaged(name: str, content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.5 and name.endswith((".json", ".pkl")):
        if name.endswith(".json"):
            return json.dumps(damaged_tree(json.loads(content), chance)).encode()
        return pickle.dumps(damaged_tree(pickle.loads(content), chance), protocol=chance.randrange(2, 6))
    for _ in range(chance.choice((1, 1, 2))):
        content = damaged_bytes(content, chance) or b"\0"
    return content


# Laws


def test_every_reader_and_format_has_a_sample():
    missing = {*DATASETS, *FORMATS} - {*SAMPLES}
    assert not missing, f"add a tiny valid file of {missing} to tests/data/formats/format_samples.py"


@pytest.mark.parametrize(("name", "number"), ALL)
def test_a_whole_sample_is_read(name, number, tmp_path):
    sample = SAMPLES[name][number]
    target = laid(sample, tmp_path)
    (clip, *_) = OWN[name].read(target) if name in OWN else read(target, **sample.options)
    assert clip.joint_mask.any()
    if name in FORMATS:
        assert find_format(target).name == name
    elif sample.facts:
        assert len(OWN[name].facts_of(target)) >= 1


@pytest.mark.parametrize(("name", "number"), ALL)
def test_a_damaged_sample_is_clips_or_one_line(name, number, tmp_path):
    sample, refused = SAMPLES[name][number], 0
    for trial in range(TRIALS // 4 if name in ("parquet", "hdf5") else TRIALS):  # each is a process
        chance = random.Random(f"{SEED} {name} {number} {trial}")
        place = chance.choice([*sample.files])
        # A new folder each time: a list beside the clips that changes twice in a tick of the clock is remembered.
        folder = tmp_path / str(trial)
        content = {**sample.files, place: damaged(place, sample.files[place], chance)}
        laid(Sample(sample.target, content), folder)
        with in_time_and_little_memory():
            refused += read_all_ways(name, sample, folder)
        shutil.rmtree(folder)
    assert refused > 0


@pytest.mark.parametrize(("name", "number"), ALL)
def test_every_cut_is_clips_or_one_line(name, number, tmp_path):
    sample = SAMPLES[name][number]
    laid(sample, tmp_path)
    for place, content in sample.files.items():
        for length in np.unique(np.linspace(0, len(content), max(TRIALS // 3, 4), dtype=int))[:-1]:
            (tmp_path / place).write_bytes(content[:length])
            with in_time_and_little_memory():
                read_all_ways(name, sample, tmp_path)
        (tmp_path / place).write_bytes(content)


@pytest.mark.parametrize("name", REAL)
def test_a_damaged_real_file_is_clips_or_one_line(name, unzipped, tmp_path):
    archive, file = REAL[name].split(" ", 1)
    path = unzipped(f"data/{archive}") / file
    below = "/".join(path.parts[-4:])
    for trial in range(max(TRIALS // 4, 4)):
        chance = random.Random(f"{SEED} {name} {trial}")
        sample = Sample(below, {below: damaged(path.name, path.read_bytes(), chance)})
        laid(sample, tmp_path)
        with in_time_and_little_memory():
            read_all_ways(name, sample, tmp_path)


MAGICS = (
    b"",
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"MATLAB 5.0",
    b"PAR1",
    b"\x80\x04",
    b"{",
    b"[",
    b"HIERARCHY\n",
    b"\xff\xfe",
)
NAMES = ("clip.json", "clip.csv", "clip.npz", "S001C002P003R001A004.skeleton", "0007.mat", "clip.pkl", "clip.trc")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(
        ("frames", "people", "pose2d", "pose_keypoints_2d", "keypoints", "image_id", "annotations", "images", "data",
         "skeleton", "frame_index", "skeletons", "label", "x", "y", "landmarks", "file_name", "poseLandmarks",
         "keypoints3d", "instances", "instance_info", "predictions", "bodies", "joint_positions", "body_list",
         "keypoint", "scores", "labels", "joints", "t", "timestamp_ms", "keypointlabels", "video_id", "track_id")
    ), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
TOLD = ({}, {"layout": "coco-17", "fps": 30, "unit": "pixel"}, {"fps": 30})


def assert_refused_or_read(path: Path, content: bytes, told: dict[str, Any]) -> None:
    path.write_bytes(content)
    with in_time_and_little_memory():
        check(lambda: read(path, **told), path)


@settings(max_examples=4 * TRIALS, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True)
@given(st.sampled_from(MAGICS), st.binary(max_size=400), st.sampled_from(NAMES), st.sampled_from(TOLD))
def test_any_bytes_are_clips_or_one_line(tmp_path, magic, content, name, told):
    assert_refused_or_read(tmp_path / name, magic + content, told)


@settings(max_examples=4 * TRIALS, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True)
@given(JSON, st.sampled_from(TOLD))
def test_any_json_is_clips_or_one_line(tmp_path, content, told):
    assert_refused_or_read(tmp_path / "clip.json", json.dumps(content).encode(), told)


CELLS = (
    "nose_x",
    "nose_y",
    "frame",
    "time",
    "person",
    "joint",
    "x",
    "y",
    "0",
    "1",
    "-1",
    "nan",
    "1e300",
    "",
    "a",
    '"',
)


@settings(max_examples=4 * TRIALS, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True)
@given(
    st.lists(st.lists(st.sampled_from(CELLS), max_size=8), max_size=8), st.sampled_from(",;\t"), st.sampled_from(TOLD)
)
def test_any_table_is_clips_or_one_line(tmp_path, cells, separator, told):
    text = "\n".join(separator.join(row) for row in cells)
    assert_refused_or_read(tmp_path / "clip.csv", text.encode(), told)
