"""Siblings of files that people bring: other names, orders, rates, people and words for missing give the same clip."""

import json
import re
import warnings

import numpy as np
import pytest
from format_samples import body
from helpers import read_error, write_text
from mocap_samples import motive, qualisys

from motionhub.data.datasets.reading import read
from motionhub.data.formats.files import FileNote
from motionhub.data.formats.formats import WRITERS
from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.layouts import get_layout


COCO = get_layout("coco-17").joints
FRAMES = 12
# A body of 17 joints that moves a little: `(people, frames, joints, 2)`, far from the origin.
BODY = body("coco-17")[0]
PEOPLE = (BODY + np.arange(FRAMES)[:, None, None] + np.array([0, 500])[:, None, None, None]).round(2)
TOLD = {"fps": 30, "unit": "pixel", "layout": "coco-17"}


@pytest.fixture
def write(tmp_path):
    def written(content, name):
        return write_text(tmp_path / name, content if isinstance(content, str) else json.dumps(content))

    return written


def table(name="{joint}_{axis}", head="frame", first=str, separator=",", people=1):
    """A wide table; `first(row)` is its first cell."""
    names = [head, *(name.format(joint=joint, axis=axis) for joint in COCO for axis in "xy")]
    rows = [[first(row), *PEOPLE[0, row].ravel().astype(str)] for row in range(FRAMES)]
    return "".join(separator.join(row) + "\n" for row in [names, *rows])


def person(row, who=0, **extra):
    x, y = PEOPLE[who, row].T.tolist()
    return {"keypoints": {"x": x, "y": y, "visible": [0.5] * 17}, **extra}


def same(clip, people=1, fps=30):
    assert (clip.num_people, clip.num_frames, clip.layout.name, clip.up) == (people, FRAMES, "coco-17", "-y")
    assert clip.fps == pytest.approx(fps)
    order = np.argsort(clip.keypoints[:, 0, 0, 0])
    np.testing.assert_allclose(clip.keypoints[order], PEOPLE[:people], rtol=1e-6)


NAMES = [
    *("{joint}-{axis}", "{axis}-{joint}", "{joint}({axis})", "{joint}[{axis}]", "{axis}({joint})", "{joint}{axis}"),
    *(
        "{joint}_{axis}_pos",
        "{axis}_{joint}",
        "{joint}_{axis}coord",
        "{joint}_{axis}2d",
        "{joint}.{axis}",
        "{joint}.{axis}.px",
        "{joint} {axis}",
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_columns_of_a_joint_in_any_spelling_are_the_same(write, name):
    same(*read(write(table(name), "clip.csv"), **TOLD))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_the_separator_of_a_table_is_found(write, separator):
    same(*read(write(table(separator=separator), "clip.csv"), **TOLD))


@pytest.mark.parametrize(
    ("head", "first", "fps"),
    [
        *((head, lambda row: str(3 * row), 10) for head in ("Frame#", "f", "timestep", "FrameNo", "file")),
        *((head, lambda row: str(40 * row), 25) for head in ("ts", "msec", "epoch", "unix_time", "system time (ms)")),
        ("datetime", lambda row: f"2026-01-01T00:00:{row / 25:06.3f}", 25),
        ("timecode", lambda row: f"00:00:00:{row:02d}", 30),
    ],
)
def test_frames_and_times_by_their_usual_names_give_the_rate(write, head, first, fps):
    told = TOLD if fps in (10, 30) else {"unit": "pixel"}
    same(*read(write(table(head=head, first=first), "clip.csv"), **told), fps=fps)


@pytest.mark.parametrize("head", ["", "n", "row", "my counter"])
def test_a_column_that_ascends_and_has_no_known_name_is_noted(write, head):
    with pytest.warns(FileNote, match="ascends from row to row but is not read"):
        same(*read(write(table(head=head, first=lambda row: str(2 * row)), "clip.csv"), **TOLD))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one by one it says no more than the order of the rows
        same(*read(write(table(head=head), "again.csv"), **TOLD))


@pytest.mark.parametrize(
    "names", ["p{n}_{joint}_{axis}", "Ann{n}.{joint}_{axis}", "{joint}_{axis}_{n}", "{joint}_{n}_{axis}"]
)
def test_people_side_by_side_in_the_columns_are_people(write, names):
    heads = [names.format(n=n, joint=joint, axis=axis) for n in (1, 2) for joint in COCO for axis in "xy"]
    rows = [[str(row), *PEOPLE[:, row].ravel().astype(str)] for row in range(FRAMES)]
    text = "".join(",".join(row) + "\n" for row in [["frame", *heads], *rows])
    with pytest.warns(FileNote, match="are of 2 people"):
        same(*read(write(text, "clip.csv"), fps=30, unit="pixel"), people=2)


def test_columns_that_pandas_numbered_are_of_another_person(write):
    heads = [f"{joint}_{axis}{again}" for again in ("", ".1") for joint in COCO for axis in "xy"]
    rows = [[str(row), *PEOPLE[:, row].ravel().astype(str)] for row in range(FRAMES)]
    text = "".join(",".join(row) + "\n" for row in [["frame", *heads], *rows])
    with pytest.warns(FileNote, match="are of 2 people: without a name, 1"):
        same(*read(write(text, "clip.csv"), fps=30, unit="pixel"), people=2)


def test_names_above_axes_are_a_header_of_two_lines(write):
    rows = table().splitlines(keepends=True)[1:]
    for above in (["frame", *(cell for joint in COCO for cell in (joint, ""))], ["frame", *np.repeat(COCO, 2)]):
        text = ",".join(above) + "\n" + ",".join(["", *["x", "y"] * 17]) + "\n" + "".join(rows)
        same(*read(write(text, "clip.csv"), **TOLD))


def test_a_column_that_numbers_rows_is_no_person(write):
    head, *rows = table().splitlines()
    numbered = "\n".join(["id," + head, *(f"{100 + number},{row}" for number, row in enumerate(rows))])
    with pytest.warns(FileNote, match="identifies rows, not people"):
        same(*read(write(numbered, "clip.csv"), **TOLD))
    assert 'call the column of people "frame"' in read_error(write(table(head="id"), "clip.csv"), **TOLD)


@pytest.mark.parametrize("word", ["NA", ".", "?", "NaT", "undefined", "#DIV/0!", "<NA>"])
def test_a_word_for_missing_is_missing_in_every_spelling(write, word):
    lines = table().splitlines()
    lines[4] = ",".join(["3", *[word] * 34])
    (clip,) = read(write("\n".join(lines), "clip.csv"), **TOLD)
    assert np.flatnonzero(~clip.joint_mask[0].any(axis=-1)).tolist() == [3]


def test_quotes_after_a_blank_are_quotes(write):
    rows = [", ".join(f'"{cell}"' for cell in line.split(",")) for line in table().splitlines()]
    same(*read(write("\n".join(rows), "clip.csv"), **TOLD))


def test_a_person_with_every_joint_at_the_origin_is_missing_whatever_the_score(write):
    people = [np.insert(PEOPLE[0, row], 2, 0.5, axis=1).ravel().tolist() for row in range(FRAMES)]
    people[3] = [0, 0, 0.5] * 17
    entries = [{"image_id": row, "keypoints": keypoints} for row, keypoints in enumerate(people)]
    (clip,) = read(write(entries, "clip.json"), fps=30)
    assert np.flatnonzero(~clip.joint_mask[0].any(axis=-1)).tolist() == [3]


def test_a_line_of_words_among_numbers_is_an_error_and_no_recording(write):
    text = table() + ",".join(["mean", *["1"] * 34]) + "\n"
    assert f"line {FRAMES + 2}: expected a number, got 'mean'" in read_error(write(text, "clip.csv"), **TOLD)


def test_a_file_beside_a_frame_names_recordings(write):
    head, *rows = table().splitlines()
    for names in (["a.mp4", "b.mp4"], ["a/1.jpg", "b/1.jpg"]):
        text = "\n".join(["file," + head, *(f"{name},{row}" for name in names for row in rows)])
        clips = read(write(text, "clip.csv"), **TOLD)
        assert len(clips) == 2
        same(clips[1])


@pytest.mark.parametrize("form", ["csv", "json"])
def test_minus_one_is_missing_in_an_image(write, form):
    if form == "csv":
        lines = table().splitlines()
        lines[4] = ",".join(["3", *["-1"] * 34])
        (clip,) = read(write("\n".join(lines), "clip.csv"), **TOLD)
    else:
        gone = {"x": [-1.0] * 17, "y": [-1.0] * 17, "visible": [0.5] * 17}
        frames = [[{"keypoints": gone}] if row == 3 else [person(row)] for row in range(FRAMES)]
        (clip,) = read(write(frames, "clip.json"), fps=30)
    assert np.flatnonzero(~clip.joint_mask[0].any(axis=-1)).tolist() == [3]


# Documents


@pytest.mark.parametrize(
    "entries",
    [
        [person(row) for row in range(FRAMES)],
        {"keypoints": PEOPLE[0].tolist()},
    ],
)
def test_people_each_on_the_one_before_are_frames_of_one_person(write, entries):
    with pytest.warns(FileNote, match="read as frames of one person"):
        same(*read(write(entries, "clip.json"), fps=30, layout="coco-17"))


def test_people_whose_numbers_repeat_without_a_frame_are_an_error(write):
    entries = [person(row, who, track_id=who) for row in range(FRAMES) for who in (0, 1)]
    assert "no number or time of a frame" in read_error(write(entries, "clip.json"), fps=30)


def test_a_number_that_ascends_and_has_no_known_key_is_noted(write):
    frames = [{"count": 3 * row, "people": [person(row)]} for row in range(FRAMES)]
    with pytest.warns(FileNote, match="count: ascends from entry to entry"):
        same(*read(write(frames, "clip.json"), fps=30))


@pytest.mark.parametrize(
    "moment",
    [
        lambda row: {"timestamp": f"00:00:{row / 25:06.3f}"},
        lambda row: {"msec": 40 * row},
        lambda row: {"pts_time": row / 25},
    ],
)
def test_time_stamps_of_a_document_give_the_rate(write, moment):
    frames = [{**moment(row), "people": [person(row)]} for row in range(FRAMES)]
    same(*read(write(frames, "clip.json")), fps=25)


def test_an_object_of_frames_by_time_is_placed_by_time(write):
    same(*read(write({f"{row / 25:.2f}": [person(row)] for row in range(FRAMES)}, "clip.json")), fps=25)


def test_names_by_number_and_numbers_by_name_are_the_same_names(write):
    turned, scores = COCO[::-1], [0.5] * 17
    people = [[{"keypoints": PEOPLE[0, row, ::-1].tolist(), "keypoint_scores": scores}] for row in range(FRAMES)]
    frames = [{"frame_id": row, "instances": each} for row, each in enumerate(people)]
    numbers = {name: number for number, name in enumerate(turned)}
    for key, names in (("keypoint_id2name", dict(enumerate(turned))), ("keypoint_name2id", numbers)):
        (clip,) = read(write({"meta_info": {key: names}, "instance_info": frames}, f"{key}.json"), fps=30)
        np.testing.assert_allclose(clip.keypoints[0, :, clip.layout.index("nose")], PEOPLE[0, :, 0], rtol=1e-6)


def test_other_classes_are_noted_and_categories_without_keypoints_left_out(write):
    frames = [[person(row, name="person"), person(row, 1, name="dog")] for row in range(FRAMES)]
    with pytest.warns(FileNote, match="people of person, dog are all read"):
        same(*read(write(frames, "clip.json"), fps=30), people=2)
    images = [{"id": row, "file_name": f"{row}.jpg"} for row in range(FRAMES)]
    flagged = np.pad(PEOPLE, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=2).reshape(2, FRAMES, -1).tolist()
    marked = [
        {"image_id": row, "category_id": kind, "keypoints": flagged[kind - 1][row]}
        for row in range(FRAMES)
        for kind in (1, 2)
    ]
    kinds = [{"id": 1, "name": "person", "keypoints": COCO}, {"id": 2, "name": "ball"}]
    content = {"info": {"fps": 25}, "images": images, "annotations": marked, "categories": kinds}
    with pytest.warns(FileNote, match="12 of 24 belong to categories without keypoints"):
        same(*read(write(content, "coco.json")), fps=25)


# Arrays and labels


def test_an_array_that_may_be_people_or_columns_is_an_error_with_both_readings(tmp_path):
    array = np.random.default_rng(0).uniform(0.1, 0.9, (3, FRAMES, 17, 2))
    np.save(tmp_path / "clip.npy", array)
    told = {"fps": 30, "layout": "coco-17", "unit": "normalised"}
    error = read_error(tmp_path / "clip.npy", **told)
    assert "3 people in 2-D, or x, y and a score (or z) of 2 people" in error and "transpose(3, 1, 2, 0)" in error
    np.savez(tmp_path / "clip.npz", keypoints=array, track_ids=[0, 1, 2])
    assert read(tmp_path / "clip.npz", **told)[0].num_people == 3


def test_a_third_column_within_0_and_1_beside_fractions_of_an_image_is_asked_about(tmp_path):
    array = np.random.default_rng(0).uniform(0.1, 0.9, (FRAMES, 17, 3))
    np.save(tmp_path / "clip.npy", array)
    told = {"fps": 30, "layout": "coco-17", "unit": "normalised"}
    assert "the third is ambiguous" in read_error(tmp_path / "clip.npy", **told)
    np.savez(tmp_path / "clip.npz", keypoints=array, num_dims=3)
    assert read(tmp_path / "clip.npz", **told)[0].num_dims == 3
    np.save(tmp_path / "depth.npy", array - [0, 0, 0.5])
    assert read(tmp_path / "depth.npy", **told)[0].num_dims == 3


def test_the_only_array_of_an_archive_needs_no_name(tmp_path):
    np.savez(tmp_path / "clip.npz", PEOPLE[0])
    (clip,) = read(tmp_path / "clip.npz", **TOLD)
    np.testing.assert_allclose(clip.keypoints[0], PEOPLE[0], rtol=1e-6)


def test_labels_of_which_a_tracker_numbered_some_are_followed(tmp_path):
    for row in range(FRAMES):
        lines = []
        for who in (0, 1):
            values = np.concatenate([PEOPLE[who, row] / 2000, np.full((17, 1), 0.5)], axis=1).ravel()
            numbered = [] if (row + who) % 5 == 0 else [who + 1]
            lines.append(" ".join(f"{value:.6g}" for value in [0, 0.5, 0.5, 0.1, 0.1, *values, *numbered]))
        write_text(tmp_path / f"clip_{row}.txt", "\n".join(lines))
    with pytest.warns(FileNote, match="have no person number"):
        (clip,) = read(tmp_path, fps=30, layout="coco-17")
    assert clip.num_people == 2 and clip.joint_mask.all()


# Markers


def trc(names, points, step=1, rate=60):
    heads = ["PathFileType\t4\t(X/Y/Z)\tclip.trc", "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"]
    lines = [*heads, f"{rate}\t{rate}\t{len(points)}\t{len(names)}\tm"]
    lines += ["Frame#\tTime\t" + "\t\t\t".join(names), "\t\t" + "\t".join("XYZ" * len(names))]
    for row, values in enumerate(points):
        cells = [str(1 + step * row), f"{step * row / rate:.6f}", *values.ravel().astype(str)]
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


MARKERS = np.random.default_rng(0).uniform(0.2, 1.8, (4, 6, 3)).round(4)


def test_subjects_of_a_trc_are_people(write):
    names = [f"{who}:{joint}" for who in ("Ann", "Bob") for joint in ("LKnee", "RKnee", "Neck")]
    (clip,) = read(write(trc(names, MARKERS), "clip.trc"))
    assert clip.layout.joints == ("left_knee", "right_knee", "neck")
    np.testing.assert_allclose(clip.keypoints, [MARKERS[:, :3], MARKERS[:, 3:]], rtol=1e-6)


def test_every_second_frame_of_a_trc_is_half_its_rate(write):
    with pytest.warns(FileNote, match="numbered in steps of 2, of 60 per second: a clip of 30 fps"):
        (clip,) = read(write(trc("abcdef", MARKERS, step=2), "clip.trc"))
    assert (clip.fps, clip.num_frames) == (30, 4)


def test_rows_of_a_trc_in_any_order_are_placed_by_their_frames(write):
    lines = trc("abcdef", MARKERS).splitlines()
    with pytest.warns(FileNote, match="the numbers of frames place them"):
        (clip,) = read(write("\n".join([*lines[:5], *lines[:4:-1]]), "clip.trc"))
    np.testing.assert_allclose(clip.keypoints[0], MARKERS, rtol=1e-6)
    again = "\n".join([*lines[:5], lines[5], *lines[5:-1]])
    with pytest.warns(FileNote, match="each row is read as the next frame"):
        assert read(write(again, "again.trc"))[0].num_frames == len(MARKERS)


def test_blanks_instead_of_tabs_are_read_where_no_cell_of_a_trc_is_empty(write):
    text = trc("abcdef", MARKERS).replace("\t", "  ")
    with pytest.warns(FileNote, match="separated by blanks instead of tabs"):
        (clip,) = read(write(text, "clip.trc"))
    np.testing.assert_allclose(clip.keypoints[0], MARKERS, rtol=1e-6)
    lines = text.splitlines()
    short = "\n".join([*lines[:6], lines[6].rsplit("  ", 1)[0], *lines[7:]])
    assert "an empty cell or a blank in a name shifts others" in read_error(write(short, "short.trc"))


def test_a_flat_body_of_a_trc_that_is_too_small_may_be_pixels(write):
    flat = np.concatenate([300 * MARKERS[..., :2], np.zeros((4, 6, 1))], axis=-1)
    text = trc("abcdef", flat).replace("\tm\n", "\tmm\n")
    with pytest.warns(FileNote, match='unit="pixel" reads 2-D pixels'):
        assert read(write(text, "clip.trc"))[0].num_dims == 3
    assert read(write(text, "clip.trc"), unit="pixel")[0].num_dims == 2


def test_rows_of_a_trc_that_lack_cells_are_noted_or_an_error(write):
    lines = trc("abcdef", MARKERS).splitlines()
    short = "\n".join([*lines[:6], "\t".join(lines[6].split("\t")[:-3]), *lines[7:]])
    with pytest.warns(FileNote, match="1 lines have fewer cells"):
        assert read(write(short, "clip.trc"))[0].joint_mask[0, 1].tolist() == [True] * 5 + [False]
    halved = "\n".join([*lines[:6], "\t".join(lines[6].split("\t")[:-1]), *lines[7:]])
    assert "expected x, y and z of each marker, got 17" in read_error(write(halved, "half.trc"))


@pytest.mark.parametrize("key", ["mocap_framerate", "fps", "frame_rate"])
def test_the_rate_of_rotations_is_read_by_its_usual_names(tmp_path, key):
    rotations = np.random.default_rng(0).normal(0, 0.1, (FRAMES, 72))
    np.savez(tmp_path / "clip.npz", poses=rotations, trans=np.zeros((FRAMES, 3)), **{key: 50})
    assert read(tmp_path / "clip.npz")[0].fps == 50


def test_a_rate_in_a_column_is_read_and_compared(write):
    head, *rows = table().splitlines()
    text = "\n".join([f"{head},fps", *(f"{row},25" for row in rows)])
    same(*read(write(text, "clip.csv"), unit="pixel"), fps=25)
    assert "the file states fps 25, but fps 30 was given" in read_error(write(text, "clip.csv"), **TOLD)


def test_a_stride_among_the_facts_of_a_document_is_noted(write):
    content = {"fps": 30, "frame_stride": 3, "frames": [{"people": [person(row)]} for row in range(FRAMES)]}
    with pytest.warns(FileNote, match="frame_stride: 3 is not read"):
        same(*read(write(content, "clip.json")))


def test_keys_whose_entries_state_frames_are_people(write):
    content = {str(who + 1): [person(row, who, frame=row) for row in range(FRAMES)] for who in (0, 1)}
    with pytest.warns(FileNote, match="are read as people"):
        same(*read(write(content, "clip.json"), fps=30, layout="coco-17"), people=2)


def test_people_with_an_array_over_time_each_are_people(write):
    content = {"people": [{"id": who, "keypoints": PEOPLE[who].tolist()} for who in (0, 1)]}
    with pytest.warns(FileNote, match="read as people over time"):
        same(*read(write(content, "clip.json"), fps=30, layout="coco-17"), people=2)


def test_a_third_column_that_is_no_score_is_a_coordinate(write):
    body = np.random.default_rng(0).uniform(-0.9, 1.9, (17, 3)).round(3)
    frames = [{"frame": row, "people": [{"keypoints": (body + row / 100).tolist()}]} for row in range(FRAMES)]
    with pytest.warns(FileNote, match="read as x, y, z"):
        (clip,) = read(write(frames, "clip.json"), fps=30, layout="coco-17", unit="metre")
    np.testing.assert_allclose(clip.keypoints[0, 0], body, rtol=1e-6)


@pytest.mark.parametrize("jitter", [0.001, 0.004])
def test_cameras_that_are_early_and_late_have_the_rate_of_their_frames(write, jitter):
    late = jitter * np.random.default_rng(0).uniform(-1, 1, FRAMES)
    text = table(head="time", first=lambda row: f"{row / 30 + late[row] + 1:.4f}")
    (clip,) = read(write(text, "clip.csv"), unit="pixel")
    assert clip.num_frames == FRAMES and clip.fps == pytest.approx(30, rel=0.03)


@pytest.mark.parametrize("key", ["frame_rate", "framerate", "mocap_framerate", "FPS"])
def test_the_rate_of_an_archive_is_read_by_its_usual_names(tmp_path, key):
    np.savez(tmp_path / "a.npz", keypoints=PEOPLE, **{key: 25.0})
    (clip,) = read(tmp_path / "a.npz", layout="coco-17", unit="pixel")
    assert clip.fps == 25
    assert "fps 25" in read_error(tmp_path / "a.npz", **TOLD)


@pytest.mark.parametrize("key", ["frame_ids", "timestamps", "time"])
def test_frames_and_times_of_an_archive_that_are_not_read_are_noted(tmp_path, key):
    np.savez(tmp_path / "a.npz", keypoints=PEOPLE, **{key: 3 * np.arange(FRAMES)})
    with pytest.warns(FileNote, match=f"'{key}'.* are not read: rows are frames"):
        read(tmp_path / "a.npz", **TOLD)


@pytest.mark.parametrize("name", ["motive", "qualisys"])
def test_times_beside_frame_numbers_win_over_the_header(write, name):
    header = {"motive": ("Frame Rate,120", "Frame Rate,60"), "qualisys": ("FREQUENCY\t100", "FREQUENCY\t50")}
    made = {"motive": motive, "qualisys": lambda: qualisys(columns=True)}[name]()
    path = write(made.replace(*header[name]), "a.csv")
    with pytest.warns(FileNote, match="the times are read"):
        (clip,) = read(path)
    assert clip.fps == pytest.approx({"motive": 120, "qualisys": 100}[name])


def test_a_frame_time_of_milliseconds_is_noted(tmp_path):
    text = WRITERS["bvh"].encode(generate("wave", num_frames=4)).decode()
    path = write_text(tmp_path / "a.bvh", re.sub(r"Frame Time: \S+", "Frame Time: 33.3333", text))
    with pytest.warns(FileNote, match=r"if these are milliseconds, sequence.replace\(fps=30\)"):
        read(path)
