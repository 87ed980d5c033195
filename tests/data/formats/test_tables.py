"""CSV (wide and long) and TRC: columns find their joints, gaps are missing, names make the layout."""

import random
import warnings

import numpy as np
import pytest
from helpers import read_error, write_text

from motionhub.data.datasets.reading import find_format, read
from motionhub.data.formats.files import FileNote
from motionhub.data.formats.format import joint_name
from motionhub.data.formats.formats import write as write_clip
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.skeletons.layouts import get_layout


COCO = get_layout("coco-17").joints
TOLD = {"fps": 30, "unit": "pixel"}


@pytest.fixture
def write(tmp_path):
    return lambda text, name="clip.csv": write_text(tmp_path / name, text)


def wide(points: np.ndarray, template: str = "{joint}_{axis}", joints=COCO, separator: str = ",") -> str:
    axes = "xyz"[: points.shape[-1]]
    header = separator.join(template.format(joint=joint, axis=axis) for joint in joints for axis in axes)
    rows = [separator.join(map(repr, frame.ravel().tolist())) for frame in points]
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(
    "spelled, name",
    [
        ("RShoulder", "right_shoulder"),
        ("Shoulder_R", "right_shoulder"),
        ("right shoulder", "right_shoulder"),
        ("mixamorig:RightShoulder", "right_shoulder"),
        ("left_big_toe", "left_big_toe"),
        ("LBigToe", "left_big_toe"),
        ("Hip", "mid_hip"),
        ("LHip", "left_hip"),
        ("MidHip", "mid_hip"),
        ("Nose", "nose"),
        ("L", "l"),
    ],
)
def test_spellings_of_joint_names(spelled, name):
    assert joint_name(spelled) == name


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("template", ["{joint}_{axis}", "{axis}_{joint}", "{joint}.{axis}"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_wide_columns_find_their_joints(write, points, dims, template, separator):
    expected = points(4, 17, dims)
    path = write(wide(expected, template, separator=separator))
    assert find_format(path).name == "csv"
    (clip,) = read(path, fps=30, unit="metre")
    assert clip.layout is get_layout("coco-17")
    np.testing.assert_array_equal(clip.keypoints[0], expected.astype(np.float32))


def test_numbered_columns_need_a_layout(write, points):
    path = write(wide(points(2, 17, 2), "{axis}_{joint}", joints=range(17)))
    (clip,) = read(path, layout="h36m-17", **TOLD)
    assert clip.layout.name == "h36m-17"
    np.testing.assert_array_equal(clip.keypoints[0], points(2, 17, 2).astype(np.float32))
    assert "layout: the file does not state it" in read_error(path, **TOLD)
    assert "has 25 joints, but the file has 17" in read_error(path, layout="ntu-25", **TOLD)


def test_a_given_layout_takes_its_joints_out_of_the_named_ones(write, points):
    names = [*reversed(COCO), "hat"]
    (clip,) = read(write(wide(points(2, 18, 2), joints=names)), layout="coco-17", **TOLD)
    np.testing.assert_array_equal(clip.keypoints[0], points(2, 18, 2)[:, 16::-1].astype(np.float32))
    assert "lacks its ['mid_hip'" in read_error(
        write(wide(points(2, 18, 2), joints=names)), layout="kinect-20", **TOLD
    )


def test_unknown_names_make_a_layout_of_their_own(write, points):
    (clip,) = read(write(wide(points(2, 3, 2), joints=["LHand", "RHand", "Hat"])), **TOLD)
    assert clip.layout.joints == ("left_hand", "right_hand", "hat") and clip.layout.bones == ()
    assert clip.layout.mirror.tolist() == [1, 0, 2]


def test_frame_person_confidence_and_empty_cells(write):
    path = write(
        "frame,person,a_x,a_y,a_score,b_x,b_y,b_score,comment\n"
        "10,7,1,2,0.5,3,4,0.25,hello\n10,4,5,6,1,,,,\n\n12,7,9,8,1,nan,1,1,\n11,4,1,1,1,1,1,1,\n"
    )
    (clip,) = read(path, **TOLD)
    assert (clip.track_ids, clip.num_frames, clip.num_dims) == ((7, 4), 3, 2)
    nan = np.nan
    np.testing.assert_array_equal(clip.keypoints[0, :, 0], [[1, 2], [nan, nan], [9, 8]])
    np.testing.assert_array_equal(clip.keypoints[0, :, 1], [[3, 4], [nan, nan], [nan, nan]])
    np.testing.assert_array_equal(clip.keypoints[1, :, 1], [[nan, nan], [1, 1], [nan, nan]])
    np.testing.assert_array_equal(clip.confidence[:, 0], [[0.5, 0.25], [1, 0]])


def test_long_tables_give_the_same_clip_as_wide_ones(write, points):
    expected = points(3, 17, 3)
    lines = ["joint,frame,x,y,z,confidence"]
    cells = [(joint, frame) for joint in range(17) for frame in range(3)]
    random.Random(0).shuffle(cells)
    lines += [f"{COCO[j]},{f},{','.join(map(repr, expected[f, j].tolist()))},0.5" for j, f in cells]
    path = write("\n".join(lines))
    (clip,) = read(path, layout="coco-17", fps=30, unit="metre")
    np.testing.assert_array_equal(clip.keypoints[0], expected.astype(np.float32))
    assert (clip.confidence == 0.5).all()


def test_a_time_column_gives_the_rate_and_contradictions_are_refused(write):
    rows = "\n".join(f"{0.5 + time / 25:.3f},1,2" for time in range(10))
    path = write(f"time,a_x,a_y\n{rows}\n")
    (clip,) = read(path, unit="metre")
    assert (clip.fps, clip.num_frames) == (25.0, 10)
    assert "the time stamps state 25 frames per second, but fps 30 was given" in read_error(path, **TOLD)
    assert "ascend" in read_error(write("time,a_x,a_y\n0,1,1\nNA,1,1\n1.1,1,1\n"), **TOLD)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("a_x,a_y\n", "the table has no rows"),
        ("a_x,a_y\n1,2\n3\n", "line 3: expected at least 2 columns, got 1"),
        ("a_x,a_y\n1,2\n3,tree\n", "line 3: expected a number, got 'tree'"),
        ("frame,a_x,a_y\n1.5,1,2\n", "line 2: expected a whole frame number"),
        ("frame,a_x,a_y\n,1,2\n", "line 2: expected a whole frame number"),
        ("frame,a_x,a_y\n1,1,2\n1,1,2\n", "line 3: the same frame, person and joint"),
        ("frame,a_x,a_y\n0,1,2\n1,1,2\n999999999,1,1\n", "not the frames of one recording"),
        ("joint,x,y\nnose,1,2\n", "needs a column 'frame'"),
        ("LHip_x,LHip_y,left hip_x,left hip_y\n1,2,3,4\n", "'left_hip'"),
    ],
)
def test_bad_tables_are_named_by_line(write, text, reason):
    assert reason in read_error(write(text), **TOLD)


def test_units_and_rates_are_never_guessed(write, points):
    path = write(wide(points(2, 17, 2)))
    assert "unit: the file does not state it" in read_error(path, fps=30)
    assert "fps: the file does not state it" in read_error(path, unit="pixel")


def test_a_table_of_something_else_is_not_taken(write):
    assert "no known skeleton format" in read_error(write("city,people\nRome,3\n", "cities.txt"))


def test_a_small_table_cannot_ask_for_gigabytes(write):
    rows = "\n".join(f"{index},{index},{index},1,2" for index in range(1000))
    assert "split the recording" in read_error(write(f"frame,person,joint,x,y\n{rows}\n"), **TOLD)


def trc(points: np.ndarray, names, units="mm", rate=60.0) -> str:
    """As OpenSim and Pose2Sim write it."""
    frames, markers = points.shape[:2]
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tclip.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{frames}\t{markers}\t{units}\t{rate}\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{marker}" for marker in range(1, markers + 1) for axis in "XYZ"),
    ]
    for index, frame in enumerate(points):
        numbers = "\t".join("" if np.isnan(value) else repr(float(value)) for value in frame.ravel())
        lines.append(f"{index + 1}\t{index / rate:.5f}\t{numbers}")
    return "\n".join(lines) + "\n"


NAMES = ["Hip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle"]


@pytest.mark.parametrize("units, factor", [("mm", 1000), ("cm", 100), ("m", 1)])
def test_trc_markers_become_metres_with_their_names(write, points, units, factor):
    expected = points(5, 7, 3)
    hidden = expected.copy()
    hidden[2, 3] = np.nan
    path = write(trc(factor * hidden, NAMES, units), "clip.trc")
    assert find_format(path).name == "trc"
    (clip,) = read(path)
    assert clip.layout.joints[:3] == ("mid_hip", "right_hip", "right_knee")
    assert (clip.fps, clip.unit) == (60.0, "metre")
    np.testing.assert_allclose(clip.keypoints[0], np.where(np.isnan(hidden), np.nan, expected), rtol=1e-6)


def test_trc_takes_a_layout_out_of_its_markers_and_refuses_contradictions(write, points):
    names = [*COCO, "T10"]
    path = write(trc(points(3, 18, 3), names, "m", rate=29.97), "clip.trc")
    (clip,) = read(path, layout="coco-17", unit="metre", fps=29.97)
    np.testing.assert_allclose(clip.keypoints[0], points(3, 18, 3)[:, :17], rtol=1e-6)
    assert "fps: the file states fps 29.97" in read_error(path, fps=30)
    assert "unit: the file states unit metre" in read_error(path, unit="millimetre")


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ("\tmm\t", "\tyards\t", "expected Units"),
        ("60.0\t60.0", "0\t60.0", "expected a positive DataRate"),
        ("\t\t\tRKnee", "", "expected 7 marker names, got 6"),
        ("\t5\t7", "\t9\t7", "expected 9 frames, got 5"),
        ("\nFrame#", "\nNothing", None),
    ],
)
def test_trc_bad_headers_are_named(write, points, old, new, reason):
    text = trc(points(5, 7, 3), NAMES)
    assert old in text
    path = write(text.replace(old, new), "clip.trc")
    if reason is None:
        assert read(path)[0].num_frames == 5
    else:
        assert reason in read_error(path)


@pytest.mark.parametrize("unit", ["meters", "Meters", "METRES", "m"])
def test_trc_units_may_be_written_out(write, points, unit):
    (clip,) = read(write(trc(points(5, 7, 3), NAMES, unit), "clip.trc"))
    np.testing.assert_allclose(clip.keypoints[0], points(5, 7, 3), rtol=1e-6)


def test_the_second_marker_of_a_name_is_called_so_with_a_note(write, points):
    with pytest.warns(FileNote, match="right_hip_2"):
        (clip,) = read(write(trc(points(5, 7, 3), NAMES).replace("RKnee", "RHip"), "clip.trc"))
    assert clip.layout.joints[1:3] == ("right_hip", "right_hip_2")


def test_a_wrong_count_of_markers_is_a_note_where_names_and_columns_agree(write, points):
    with pytest.warns(FileNote, match="NumMarkers is 6, but 7 markers"):
        (clip,) = read(write(trc(points(5, 7, 3), NAMES).replace("\t7\tmm", "\t6\tmm"), "clip.trc"))
    assert clip.num_joints == 7


def test_decimal_commas_and_words_for_missing_are_read_in_trc(write, points):
    text = trc(points(5, 7, 3).round(2), NAMES, "m")
    head, rows = text.split("Z7\n")
    with_commas = f"{head}Z7\n{rows.replace('.', ',')}"
    np.testing.assert_allclose(read(write(with_commas, "a.trc"))[0].keypoints[0], points(5, 7, 3).round(2), rtol=1e-6)
    first = text.splitlines()[5].split("\t")[2]
    assert not read(write(text.replace(f"\t{first}\t", "\tNaN\t", 1), "b.trc"))[0].joint_mask[0, 0, 0]


def test_absent_frames_of_a_trc_are_gaps_and_other_times_are_noted(write, points):
    lines = trc(points(5, 7, 3), NAMES).replace("\t5\t7", "\t4\t7").splitlines(keepends=True)
    (clip,) = read(write("".join([*lines[:7], *lines[8:]]), "clip.trc"))
    assert clip.joint_mask[0, :, 0].tolist() == [True, True, False, True, True]
    other = trc(points(5, 7, 3), NAMES).replace("60.0\t60.0", "30.0\t30.0")
    with pytest.warns(FileNote, match="the times advance at 60 frames per second; DataRate 30 is read"):
        assert read(write(other, "other.trc"))[0].fps == 30


@pytest.mark.parametrize("units", ["m", "px", "pixels"])
def test_pixels_in_a_trc_are_two_dimensional(write, points, units):
    flat = 100 * points(5, 7, 3)
    flat[..., 2] = 0
    path = write(trc(flat, NAMES, units), "clip.trc")
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        (clip,) = read(path)
    assert (clip.unit, clip.num_dims, clip.up) == ("pixel", 2, "-y")
    assert ["read as 2-D pixels" in str(each.message) for each in notes] == [True] * (units == "m")
    np.testing.assert_allclose(clip.keypoints[0], flat[..., :2], rtol=1e-6)
    assert read(path, unit="pixel")[0].num_dims == 2
    if units == "m":
        assert read(path, unit="metre")[0].num_dims == 3
    else:
        assert "states unit pixel, but unit metre" in read_error(path, unit="metre")


def test_metres_are_no_pixels(write, points):
    assert "states unit metre" in read_error(write(trc(points(5, 7, 3), NAMES, "m"), "clip.trc"), unit="pixel")


@pytest.mark.parametrize("kind", ["wide", "trc"])
def test_truncations_and_bit_flips_give_a_clip_or_a_one_line_error(write, points, kind):
    name = "clip.trc" if kind == "trc" else "clip.csv"
    options = {} if kind == "trc" else TOLD
    path = write(trc(points(5, 7, 3), NAMES) if kind == "trc" else wide(points(5, 17, 2)), name)
    content, generator, refused = path.read_bytes(), random.Random(0), 0
    damaged = [content[:length] for length in np.linspace(1, len(content) - 1, 40, dtype=int)]
    for _ in range(150):
        flipped = bytearray(content)
        flipped[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        damaged.append(bytes(flipped))
    for broken in damaged:
        path.write_bytes(broken)
        try:
            read(path, **options)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
    assert refused > 40


def test_numbered_columns_with_face_and_hands_give_the_body(write, points):
    path = write(wide(points(2, 136, 2), "{axis}_{joint}", joints=range(136)))
    (clip,) = read(path, layout="halpe-136", **TOLD)
    np.testing.assert_array_equal(clip.keypoints[0], points(2, 136, 2)[:, :26].astype(np.float32))


@pytest.mark.parametrize(
    "clip",
    [
        generate("wave", seed=0, num_frames=5, fps=12.5).replace(up="y"),
        generate("wave", seed=0, num_frames=1),
        generate("wave", seed=0, num_frames=4, layout="coco-17", scene=Scene(focal=900.0)),
    ],
    ids=["3-D", "one frame", "pixels"],
)
def test_our_own_table_needs_no_further_metadata(clip, tmp_path):
    (again,) = read(write_clip(clip, tmp_path / "clip.csv"))
    np.testing.assert_allclose(again.keypoints, clip.keypoints, rtol=1e-6)
    for name in ("unit", "fps", "up", "image_size", "track_ids"):
        assert getattr(again, name) == getattr(clip, name), name
    assert again.layout == clip.layout
    with pytest.raises(ValueError, match="unit"):
        read(tmp_path / "clip.csv", unit="millimetre")


def test_a_table_of_an_earlier_version_is_read_as_before(tmp_path):
    clip = generate("wave", seed=0, num_frames=5)
    lines = write_clip(clip, tmp_path / "new.csv").read_text().splitlines()
    facts = [lines[0].split(",").index(name) for name in ("unit", "layout", "fps")]
    old = [",".join(cell for at, cell in enumerate(line.split(",")) if at not in facts) for line in lines]
    (tmp_path / "old.csv").write_text("\n".join(old) + "\n")
    with pytest.raises(ValueError, match="unit"):
        read(tmp_path / "old.csv")
    (again,) = read(tmp_path / "old.csv", unit="metre")
    np.testing.assert_allclose(again.keypoints, clip.keypoints, rtol=1e-6)
