"""Laws of reading that hold for every format and dataset: what is stated, missing or numbered is kept as it is.

They walk over `SAMPLES`; a new format is under them when it has its sample.
"""

import csv
import io
import json
import pickle
import random
import re
import warnings
from typing import Any

import mocap_samples
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


# Keys whose numbers, or the numbers in whose names, say when.
WHEN = {*FRAME_KEYS, "id", "t", "img", "file_name", "timestamp_usec", "Timestamp"}
# Formats that number no frame; the others are spread below.
UNNUMBERED = {
    **dict.fromkeys(("bvh", "c3d", "numpy", "torch", "humanml3d", "training-arrays", "pyskl"), "rows are frames"),
    **dict.fromkeys(("videopose3d", "lcrnet", "hdf5", "parquet"), "rows are frames"),
    **dict.fromkeys(("mediapipe", "vitpose", "detectron2"), "the sample is a list in order"),
    "gltf": "key frames are sampled at the caller's rate",
    "acclaim": "a gap is an error",
}
SPREADS = {
    "qualisys": lambda: mocap_samples.qualisys(columns=True, step=3),
    "vicon": lambda: mocap_samples.vicon(step=3),
    "motive": lambda: mocap_samples.motive(step=3),
    "mvnx": lambda: mocap_samples.mvnx(step=3),
    "rokoko": lambda: mocap_samples.rokoko(step=3),
    "deeplabcut": lambda: mocap_samples.deeplabcut(1, step=3),
}
# Which sample, if not the first.
SPREAD_SAMPLES = {"qualisys": 1, "ultralytics": 2, "smpl": 1}


def spread(name: str, sample: Sample) -> dict[str, bytes]:
    """The files with every number of a frame, also in the name of an image, and every time stamp times three."""
    if name in SPREADS:
        return {sample.target: SPREADS[name]().encode()}
    files = {}
    for place, content in sample.files.items():
        tree = as_json(content)
        if "/" in place:  # a file for each frame
            place = re.sub(r"\d+(?=\D*$)", lambda found: str(3 * int(found[0])), place)
        elif isinstance(tree, dict | list):
            content = json.dumps(_by_key(changed(tree, "", _tripled))).encode()
        elif name == "smpl":
            people = pickle.loads(content)
            content = pickle.dumps({key: {**each, "frame_ids": 3 * each["frame_ids"]} for key, each in people.items()})
        elif name == "cvat":
            content = re.sub(rb'frame="(\d+)"', lambda found: b'frame="%d"' % (3 * int(found[1])), content)
        else:
            content = "".join(map(_tripled_row, content.decode().splitlines(keepends=True))).encode()
        files[place] = content
    return files


def _tripled(key: str, value: Any) -> Any:
    if key not in WHEN or isinstance(value, dict | list):
        return value
    return value * 3 if not isinstance(value, str) else re.sub(r"\d+", lambda found: str(3 * int(found[0])), value)


def _by_key(tree: Any) -> Any:
    """Frames under their time stamps."""
    keyed = isinstance(tree, dict) and all(key.isdigit() for key in tree)
    return {str(3 * int(key)): value for key, value in tree.items()} if keyed else tree


def _tripled_row(line: str) -> str:
    """The row of a table with its frame and its time, the first cells, three times as large; lines of words stay."""
    separator = next((each for each in "\t;" if each in line), "")
    cells = line.split(separator or None)
    if not separator or not cells[0].isdigit() or "." not in cells[1]:
        return line
    return separator.join([str(3 * int(cells[0])), str(3 * float(cells[1])), *cells[2:]])


def seconds_of(clip: SkeletonSequence) -> np.ndarray:
    """When somebody is seen, from the first time on."""
    seen = np.flatnonzero(clip.joint_mask.any(axis=(0, 2)))
    return (seen - seen[0]) / clip.fps


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in UNNUMBERED and name in SAMPLES])
def test_every_third_frame_is_three_frames_apart(name, tmp_path):
    sample = SAMPLES[name][SPREAD_SAMPLES.get(name, 0)]
    (before,) = read(laid(sample, tmp_path / "before"), **sample.options)
    (after,) = read(laid(Sample(sample.target, spread(name, sample)), tmp_path / "after"), **sample.options)
    np.testing.assert_allclose(seconds_of(after), 3 * seconds_of(before), rtol=1e-2)


JSON_FORMATS = [name for name, group in FORMATS.items() if group.container == "json" and name in SAMPLES]


# The sample of a JSON format that is one document, not a folder with a file for each frame, or lines.
DOCUMENTS = {
    name: sample
    for name in JSON_FORMATS
    for sample in reversed(SAMPLES[name])
    if "/" not in sample.target and sample.target in sample.files and as_json(sample.files[sample.target]) is not None
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_two_recordings_by_key_are_two_clips_or_an_error(name, tmp_path):
    sample = DOCUMENTS[name]
    tree = as_json(sample.files[sample.target])
    path = tmp_path / "both.json"
    path.write_text(json.dumps({"walk.mp4": tree, "run.mp4": tree}))
    (before,) = read(laid(sample, tmp_path / "one"), **sample.options)
    try:
        clips = read(path, **sample.options)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert [(clip.num_people, clip.num_frames) for clip in clips] == 2 * [(before.num_people, before.num_frames)]


# Text files of which the last line, or its last frame, is written again.
TWICE = {
    **dict.fromkeys(("trc", "qualisys", "vicon", "motive", "deeplabcut"), rb"[^\n]+\n\Z"),
    "rokoko": rb"[^\n]+\n\Z",
    "acclaim": rb"\d+\nroot[^\n]*\nhead[^\n]*\nlfemur[^\n]*\n\Z",
    "mvnx": rb'<frame time="[^"]*" index="5".*?</frame>\n',
    "cvat": rb"<track.*</track>",
    "yolo": rb"[^\n]+\n\Z",
}


def said_of(target, sample: Sample) -> tuple[str, list[str]]:
    """The error of a reading, "" without one, and its notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read(target, **sample.options)
        except ValueError as error:
            return str(error), []
    return "", [str(each.message) for each in caught]


@pytest.mark.parametrize("name", TWICE)
def test_a_line_of_a_person_twice_at_one_moment_is_an_error_or_a_note(name, tmp_path):
    sample = SAMPLES[name][0]

    def doubled(place: str, content: bytes) -> bytes:
        found = re.search(TWICE[name], content, re.DOTALL)
        return content if found is None else content[: found.end()] + found[0] + content[found.end() :]

    target = laid(sample, tmp_path, doubled)
    assert any(doubled(place, content) != content for place, content in sample.files.items())
    error, notes = said_of(target, sample)
    assert str(tmp_path) in error or notes, "nothing was said"


NUMBERS_OF_PEOPLE = {"track_id", "person_id", "body_id", "idx", "id"}
PEOPLE_HAVE = {"keypoints", "joint_positions", "joints", "keypoints3d", "keypoint"}


def same_person_twice(tree: Any) -> bool:
    """Doubles the first person with a number of a document in place; whether there is one."""
    items = tree if isinstance(tree, list) else list(tree.values()) if isinstance(tree, dict) else []
    for item in items:
        keys = {*item} if isinstance(item, dict) else set()
        keys -= {"id"} if keys & {"category_id", "name"} else set()  # of an annotation, or of a category
        if isinstance(tree, list) and keys & NUMBERS_OF_PEOPLE and keys & PEOPLE_HAVE:
            tree.insert(0, item)
            return True
        if same_person_twice(item):
            return True
    return False


# Samples whose people have numbers.
WITH_NUMBERS = [
    (name, number)
    for name, number in ALL
    if name in JSON_FORMATS and same_person_twice(as_json(next(iter(SAMPLES[name][number].files.values()))))
]


@pytest.mark.parametrize(("name", "number"), WITH_NUMBERS)
def test_a_person_twice_in_a_frame_is_an_error_or_a_note(name, number, tmp_path):
    sample = SAMPLES[name][number]
    first, content = next(iter(sample.files.items()))
    same_person_twice(tree := as_json(content))
    target = laid(Sample(sample.target, {**sample.files, first: json.dumps(tree).encode()}), tmp_path)
    error, notes = said_of(target, sample)
    assert str(tmp_path) in error or any("number" in note for note in notes), "nothing was said"


# Formats of which the last cell of a row, or the last but one, is a coordinate of the last joint.
TABLES = ("csv", "trc", "qualisys", "vicon", "motive", "deeplabcut", "rokoko")


@pytest.mark.parametrize("word", ["", "NA", "nan", "NaN", "N/A", "null", "None", "-", "#N/A"])
@pytest.mark.parametrize("name", TABLES)
def test_a_cell_that_is_missing_in_any_spelling_is_a_missing_joint_or_an_error(name, word, tmp_path):
    sample = SAMPLES[name][0]
    (before,) = read(laid(sample, tmp_path / "before"), **sample.options)
    separator = {"csv": ";", "trc": "\t", "qualisys": "\t"}.get(name, ",")

    def without(place: str, content: bytes) -> bytes:
        lines = content.decode().splitlines()
        cells = lines[-2].split(separator)
        row = len(cells) - (2 if name == "deeplabcut" else 1)
        cells[row] = word
        return "\n".join([*lines[:-2], separator.join(cells), lines[-1], ""]).encode()

    try:
        (after,) = read(laid(sample, tmp_path / "after", without), **sample.options)
    except ValueError as error:
        assert "line " in str(error)
        return
    gone = before.joint_mask & ~after.joint_mask
    assert gone.sum() == before.joint_mask[0, -2, -1]  # of the last joint, where it is seen at all
    kept = after.joint_mask
    np.testing.assert_array_equal(after.keypoints[kept], before.keypoints[kept])
    if after.confidence is not None:
        assert not after.confidence[gone].any()


@pytest.mark.parametrize(("name", "number"), ALL)
def test_up_is_kept_by_npz_and_written_y_up_as_trc(name, number, tmp_path):
    sample = SAMPLES[name][number]
    clip = clips_of(name, laid(sample, tmp_path), **sample.options)[0].person(0)
    if clip.num_dims == 3 and clip.up is not None:
        (back,) = read(write(clip, tmp_path / "back.npz"))
        assert back.up == clip.up
    if clip.num_dims == 3 and clip.up is not None and clip.unit == "metre":
        (back,) = read(write(clip, tmp_path / "back.trc"), layout=clip.layout)
        assert back.up in ("y", None)  # None: the body does not stand
        expected = with_up(clip, "y")
        np.testing.assert_array_equal(back.joint_mask, expected.joint_mask)
        np.testing.assert_allclose(back.keypoints, expected.keypoints, atol=1e-3)


def test_the_laws_walk_over_files_with_numbered_frames():
    assert {"coco", "alphapose", "csv"} <= {name for name, _ in NUMBERED}
    assert {"coco", "mediapipe", "csv"} <= {name for name, _ in SCORED}
    assert {"easymocap", "azure-kinect", "mmpose"} <= {name for name, _ in WITH_NUMBERS}
    assert {"openpose", "coco", "mmpose", "zed"} <= {*DOCUMENTS}


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
