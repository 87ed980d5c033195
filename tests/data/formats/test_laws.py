"""Laws of reading that hold for every format and dataset: what is stated, missing or numbered is kept as it is.

They walk over `SAMPLES`; a new format is under them when it has its sample.
"""

import csv
import io
import json
import random
import re
import warnings
from typing import Any

import numpy as np
import pytest
from format_samples import SAMPLES, Sample

from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.data.formats.format import FILE_UNITS, ReadOptions, UnstatedFact
from motionhub.data.formats.formats import FORMATS, write
from motionhub.skeletons.convert import with_up
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


pytestmark = pytest.mark.filterwarnings("error", "ignore::motionhub.data.formats.files.FileNote")
ALL = [(name, number) for name, group in SAMPLES.items() for number in range(len(group))]
# Keys and columns of the number of a frame, of a score, and of a person.
FRAME_KEYS = {"image_id", "frame", "frame_index", "frame_id", "timestamp"}
SCORE_KEYS = {"score", "scores", "confidence", "visibility", "visible", "keypoint_scores"}


def laid(sample: Sample, folder, change=lambda name, content: content):
    for place, content in sample.files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change(place, content))
    return folder / sample.target


def clips_of(name: str, target, **told: Any) -> list[SkeletonSequence]:
    """As `motionhub.read`; datasets of a user's own files have their options beside them."""
    own = name in DATASETS and DATASETS[name].format is None and name not in FORMATS
    return DATASETS[name].read(target) if own else read(target, **told)


def as_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def changed(value: Any, key: str, change) -> Any:
    """Nested lists and objects with `change(key, item)` for every item of an object."""
    if isinstance(value, dict):
        return {name: change(name, changed(item, name, change)) for name, item in value.items()}
    return [changed(item, key, change) for item in value] if isinstance(value, list) else value


def louder(place: str, content: bytes) -> bytes:
    """Scores of a text file between 0 and 1 made larger than 1."""
    tree = as_json(content)
    if isinstance(tree, dict | list):
        return json.dumps(changed(tree, "", _louder)).encode()
    return re.sub(rb"\b0\.5\b", b"3.5", content) if place.endswith((".csv", ".tsv")) else content


def _louder(key: str, value: Any) -> Any:
    if key in SCORE_KEYS and isinstance(value, float) and 0 < value < 1:
        return value + 3
    if key in SCORE_KEYS and isinstance(value, list) and all(isinstance(item, float) for item in value):
        return [item + 3 for item in value]
    return value


def is_scored(sample: Sample) -> bool:
    def plain(content: bytes) -> bytes:
        return content if as_json(content) is None else json.dumps(as_json(content)).encode()

    return any(louder(place, content) != plain(content) for place, content in sample.files.items())


SCORED = [(name, number) for name, number in ALL if is_scored(SAMPLES[name][number])]
# The options of a user's own files lie beside them.
TOLD = [(name, number) for name, number in ALL if name not in DATASETS or DATASETS[name].format is not None]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_what_is_read_keeps_its_promises(name, number, tmp_path):
    sample = SAMPLES[name][number]
    for clip in clips_of(name, laid(sample, tmp_path), **sample.options):
        assert not np.isinf(clip.keypoints).any()
        assert clip.fps > 0 and clip.keypoints.shape[2] == clip.layout.num_joints
        assert clip.num_dims == 2 or clip.unit != "pixel" or sample.options.get("unit") == "pixel"
        if clip.unit == "pixel" and clip.num_dims == 2:
            assert clip.up in (None, "-y")
        if clip.confidence is not None:
            assert 0 <= clip.confidence.min() <= clip.confidence.max() <= 1
            absent = ~clip.joint_mask.any(axis=2)
            assert not clip.confidence[absent].any()  # nobody is certain of a person who is not there


@pytest.mark.parametrize(("name", "number"), SCORED)
def test_a_score_above_1_is_1_and_noted(name, number, tmp_path):
    sample = SAMPLES[name][number]
    before = clips_of(name, laid(sample, tmp_path / "before"), **sample.options)

    target = laid(sample, tmp_path / "after", louder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        after = clips_of(name, target, **sample.options)
    assert [clip.num_frames for clip in after] == [clip.num_frames for clip in before]
    for clip in after:
        assert clip.confidence is None or clip.confidence.max() <= 1
    if any(clip.confidence is not None and (clip.confidence == 1).any() for clip in after):
        assert any("confidence" in str(each.message) for each in caught if each.category is FileNote)


@pytest.mark.parametrize(("name", "number"), TOLD)
@pytest.mark.parametrize("told", [{"fps": 11.0}, *({"unit": unit} for unit in FILE_UNITS)])
def test_a_callers_word_is_followed_or_contradicted_by_name(name, number, told, tmp_path):
    sample = SAMPLES[name][number]
    target = laid(sample, tmp_path)
    ((key, value),) = told.items()
    try:
        clips = read(target, **{**sample.options, **told})
    except ValueError as error:
        stated = read(target, **sample.options)[0]
        message = str(error)
        # Or another argument goes with it: a third column in pixels, landmarks without the image's size.
        if any(word in message for word in ("ambiguous", "image_size", f"leave {key} out.", "leave it out")):
            return
        assert f"{value:g}" in message if key == "fps" else value in message, message
        assert f"{stated.fps:.3g}" in message if key == "fps" else stated.unit in message, message
    else:
        for clip in clips:
            assert clip.fps == value if key == "fps" else clip.unit == FILE_UNITS[value][0]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_a_fact_that_the_file_lacks_is_asked_for_by_name(name, number, tmp_path):
    sample = SAMPLES[name][number]
    target = laid(sample, tmp_path)
    for key in sample.options:
        told = {other: value for other, value in sample.options.items() if other != key}
        try:
            clips = clips_of(name, target, **told)
        except UnstatedFact as error:
            assert error.option in sample.options and f"{error.option}=" in str(error)
        else:  # the option only confirms what the format says
            assert len(clips) == len(clips_of(name, target, **sample.options))


@pytest.mark.parametrize(("name", "number"), TOLD)
def test_another_layout_is_followed_or_refused_by_name(name, number, tmp_path):
    sample = SAMPLES[name][number]
    target = laid(sample, tmp_path)
    for layout in ("utd-mhad-20", "penn-13", "body-25"):
        try:
            clips = read(target, **{**sample.options, "layout": layout})
        except ValueError as error:
            own = get_layout(layout)
            asked = isinstance(error, UnstatedFact) or "ambiguous" in str(error)
            assert asked or layout in str(error) or str(own.num_joints) in str(error), str(error)
        else:
            assert all(clip.layout == get_layout(layout) for clip in clips)


def shuffled(content: bytes, chance: random.Random) -> bytes | None:
    """A list of objects with frame numbers, or a table with a column of them, in another order; None for others."""
    tree = as_json(content)
    if isinstance(tree, list) and all(isinstance(item, dict) and FRAME_KEYS & set(item) for item in tree):
        return json.dumps(chance.sample(tree, len(tree))).encode()
    if tree is not None or b"\0" in content or b"," not in content.split(b"\n")[0]:
        return None
    lines = content.decode().splitlines()
    if "frame" not in lines[0].split(","):
        return None
    return ("\n".join([lines[0], *chance.sample(lines[1:], len(lines) - 1)]) + "\n").encode()


NUMBERED = [
    (name, n)
    for name, n in ALL
    if name not in DATASETS and shuffled(_ := next(iter(SAMPLES[name][n].files.values())), random.Random(0))
]


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_numbered_frames_in_any_order_are_the_same_clip(name, number, tmp_path):
    sample = SAMPLES[name][number]
    (before,) = read(laid(sample, tmp_path / "before"), **sample.options)
    target = laid(sample, tmp_path / "after", lambda _, content: shuffled(content, random.Random(1)) or content)
    (after,) = read(target, **sample.options)
    order = [after.layout.joints.index(joint) for joint in before.layout.joints]  # a layout made of the names
    np.testing.assert_array_equal(after.keypoints[:, :, order], before.keypoints)
    assert after.fps == before.fps and after.track_ids == before.track_ids


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_an_absent_frame_leaves_a_gap(name, number, tmp_path):
    sample = SAMPLES[name][number]
    (before,) = read(laid(sample, tmp_path / "before"), **sample.options)
    (after,) = read(laid(sample, tmp_path / "after", lambda _, content: _without(content, 2)), **sample.options)
    assert after.num_frames == before.num_frames
    assert not after.joint_mask[:, 2].any()
    # One person a frame, whoever the tracking takes it for.
    around = [np.nansum(clip.keypoints[:, [0, 1, 3, 4, 5]], axis=0) for clip in (before, after)]
    np.testing.assert_array_equal(*around)


def _without(content: bytes, frame: int) -> bytes:
    tree = as_json(content)
    if isinstance(tree, list):
        numbers = [str(item[key]) for item in tree for key in item if key in FRAME_KEYS]
        named = [re.sub(r"\D", "", text) for text in numbers]
        return json.dumps([item for item, text in zip(tree, named, strict=True) if int(text) != frame]).encode()
    rows = list(csv.reader(io.StringIO(content.decode())))
    place = rows[0].index("frame")
    kept = [row for number, row in enumerate(rows) if number == 0 or row[place] != str(frame)]
    return "\n".join(",".join(row) for row in kept).encode()


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_a_row_twice_is_two_people_an_error_or_a_note(name, number, tmp_path):
    sample = SAMPLES[name][number]
    (before,) = read(laid(sample, tmp_path / "before"), **sample.options)
    target = laid(sample, tmp_path / "after", lambda _, content: _with_a_row_twice(content))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            (after,) = read(target, **sample.options)
        except ValueError as error:
            assert "twice" in str(error)
            return
    seen = [clip.joint_mask.any(axis=2).sum(axis=0) for clip in (before, after)]
    assert caught or (seen[1] - seen[0]).tolist() == [0, 0, 1, 0, 0, 0]


def _with_a_row_twice(content: bytes) -> bytes:
    tree = as_json(content)
    if isinstance(tree, list):
        return json.dumps([*tree, tree[2]]).encode()
    lines = content.decode().splitlines()
    return "\n".join([*lines, lines[3]]).encode()


# Where a format states the number or the time of a frame: what stands before it, the number, and the first one.
CLOCKS: dict[str, tuple[tuple[str, int], ...]] = {
    "alphapose": ((r'("image_id": ")(\d+)', 0),),
    "azure-kinect": ((r'("timestamp_usec": )(\d+)', 0),),
    "coco": ((r'("(?:image_id|id)": |"file_name": ")(\d+)', 0),),
    "csv": ((r"(^)(\d+)(?=[,;])", 0), (r"(^\d+;)([\d.]+)", 0)),
    "cvat": ((r'(frame=")(\d+)', 0),),
    "deeplabcut": ((r"(^)(\d+)(?=,)", 0),),
    "keypoints": ((r'("frame": )(\d+)', 0),),
    "label-studio": ((r"(frame_)(\d+)", 0),),
    "mmpose": ((r'("frame_id": )(\d+)', 1),),
    "motive": ((r"(^)(\d+)(?=,\d+\.)", 0), (r"(^\d+,)([\d.]+)", 0)),
    "mvnx": ((r'(<frame time=")(\d+)', 0),),
    "nuitrack": ((r'("Timestamp": )(\d+)', 0),),
    "phones": ((r'("frame": )(\d+)', 0),),
    "qualisys": ((r"(^)(\d+)(?=\t\d+\.\d+\t-?\d)", 1), (r"(^\d+\t)([\d.]+)", 0)),
    "rokoko": ((r"(^)([\d.]+)(?=,)", 0),),
    "tfjs": ((r'("t": )([\d.]+)', 0),),
    "trc": ((r"(^)(\d+)(?=\t\d+\.)", 1), (r"(^\d+\t)([\d.]+)", 0)),
    "vicon": ((r"(^)(\d+)(?=,0,)", 1),),
    "zed": ((r'("timestamp": )(\d+)', 0),),
}
IN_FILE_NAMES = ("openpose", "yolo", "easymocap", "ultralytics")


def spread(name: str, content: bytes) -> bytes:
    """Every number or time of a frame three times as far from the first one."""

    def further(found: re.Match[str], first: int) -> str:
        text = found[2]
        return found[1] + (repr(3 * float(text)) if "." in text else str(3 * (int(text) - first) + first))

    text = content.decode()
    for pattern, first in CLOCKS.get(name, ()):
        text = re.sub(pattern, lambda found, first=first: further(found, first), text, flags=re.M)
    return text.encode()


def named_further(place: str) -> str:
    return re.sub(r"\d+(?=(_keypoints)?\.\w+$)", lambda found: f"{3 * int(found[0]):0{len(found[0])}d}", place)


CLOCKED = [
    (name, number)
    for name, number in ALL
    if (name in IN_FILE_NAMES and len(SAMPLES[name][number].files) > 1)
    or (name in CLOCKS and any(spread(name, each) != each for each in SAMPLES[name][number].files.values()))
]


@pytest.mark.parametrize(("name", "number"), CLOCKED)
def test_every_third_frame_is_three_frames_apart(name, number, tmp_path):
    sample = SAMPLES[name][number]
    before = read(laid(sample, tmp_path / "before"), **sample.options)
    files = sample.files if name in CLOCKS else {named_further(place): each for place, each in sample.files.items()}
    further = Sample(sample.target, {place: spread(name, each) for place, each in files.items()}, sample.options)
    after = read(laid(further, tmp_path / "after"), **sample.options)
    for one, other in zip(before, after, strict=True):
        assert (other.num_frames - 1) / other.fps == pytest.approx(
            3 * (one.num_frames - 1) / one.fps, rel=0.03
        )  # milliseconds are rounded


def test_the_laws_walk_over_files_with_numbered_frames():
    assert {"coco", "alphapose", "csv"} <= {name for name, _ in NUMBERED}
    assert {"coco", "mediapipe", "csv"} <= {name for name, _ in SCORED}
    assert {*CLOCKS, *IN_FILE_NAMES} == {name for name, _ in CLOCKED}


def test_a_format_is_found_by_content_not_by_name(tmp_path):
    for name, group in SAMPLES.items():
        for number, sample in enumerate(group):
            if name in DATASETS or len(sample.files) > 1 or "/" in sample.target:
                continue
            folder = tmp_path / name / str(number)
            folder.mkdir(parents=True)
            path = folder / ("clip" + sample.target[sample.target.rindex(".") :])
            path.write_bytes(sample.files[sample.target])
            assert find_format(path).name == name


def test_options_are_checked_before_the_file(tmp_path):
    for wrong in ({"fps": 0}, {"fps": "30"}, {"unit": "inch"}, {"layout": "coco-99"}):
        with pytest.raises(ValueError):
            ReadOptions(**wrong)


def standing(name: str, number: int, folder) -> list[SkeletonSequence]:
    """The 3-D clips in metres of a sample, as far as their axis is known."""
    sample = SAMPLES[name][number]
    clips = clips_of(name, laid(sample, folder), **sample.options)
    return [clip for clip in clips if clip.num_dims == 3 and clip.unit == "metre" and clip.up is not None]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_a_3d_clip_of_a_known_axis_is_written_y_up_and_read_back_the_same(name, number, tmp_path):
    for place, clip in enumerate(standing(name, number, tmp_path)):
        person = clip.person(0)
        path = write(person, tmp_path / f"back_{place}.trc")
        (back,) = read(path, layout=person.layout)
        assert back.up in ("y", None) and back.num_frames == person.num_frames  # None: the body does not stand
        expected = with_up(person, "y")
        seen = expected.joint_mask & back.joint_mask
        assert (expected.joint_mask == back.joint_mask).all()
        np.testing.assert_allclose(back.keypoints[seen], expected.keypoints[seen], atol=1e-3)
