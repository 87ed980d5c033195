"""What a document, or the lines above a table, state: layout, rate, tracks, units. A number alone states no layout."""

import numpy as np
import pytest
from helpers import read_error, write_json, write_text

from motionhub.data.datasets.reading import read
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


COCO = list(get_layout("coco-17").joints)
FRAMES = 6
BODY = np.random.default_rng(0).uniform(100, 300, (17, 2))
# `(people, frames, joints, 2)`
PEOPLE = (BODY + np.arange(FRAMES)[:, None, None] + np.array([0, 500])[:, None, None, None]).round(2)


def person(frame, who=0, **facts):
    return {"keypoints": PEOPLE[who, frame].tolist(), "scores": [0.9] * 17, **facts}


def named(frame, who=0, **facts):
    points = zip(COCO, PEOPLE[who, frame].tolist(), strict=True)
    return {"keypoints": [{"name": name, "x": x, "y": y} for name, (x, y) in points], **facts}


def check(clip, people=1, fps=30.0):
    assert (clip.num_people, clip.num_frames, clip.layout.name) == (people, FRAMES, "coco-17")
    assert clip.fps == pytest.approx(fps, rel=1e-3)
    order = np.argsort(clip.keypoints[:, 0, 0, 0])
    np.testing.assert_allclose(clip.keypoints[order], PEOPLE[:people], rtol=1e-6)


LAYOUTS = [
    {"keypoint_names": COCO},
    {"keypoint_labels": COCO},
    {"dataset_info": {"dataset_name": "coco"}},
    {"dataset_info": {"keypoint_info": {str(i): {"name": name, "id": i} for i, name in enumerate(COCO)}}},
    {"skeleton_info": {"name": "coco-17"}},
    {"skeleton": {"joints": COCO, "bones": [[0, 1]]}},
    {"metadata": {"pose_format": "COCO_17"}},
]


@pytest.mark.parametrize("stated", LAYOUTS)
def test_a_layout_or_names_that_a_document_states_are_taken(tmp_path, stated):
    frames = [{"frame": number, **person(number)} for number in range(FRAMES)]
    check(*read(write_json(tmp_path / "a.json", {**stated, "results": frames}), fps=30))


@pytest.mark.parametrize("silent", [{}, {"dataset": "coco"}, {"names": COCO}])
def test_results_that_state_no_layout_are_an_error_that_names_the_option(tmp_path, silent):
    path = write_json(tmp_path / "a.json", {**silent, "results": [[person(number)] for number in range(FRAMES)]})
    message = read_error(path, fps=30)
    assert "layout: the file does not state it and has 17 joints" in message and "layout=..." in message
    check(*read(path, fps=30, layout="coco-17"))


def test_the_layout_of_human36m_that_others_state_has_the_order_of_its_field(tmp_path):
    path = write_json(tmp_path / "a.json", {"layout": "h36m-17", "results": [[person(0)], [person(1)]]})
    assert read(path, fps=30)[0].layout.joints[1] == "right_hip"


def test_a_stated_layout_opens_no_file(tmp_path):
    own = {"name": "own", "joints": COCO, "bones": [], "root": "nose"}
    layout = write_json(tmp_path / "own.yaml", own)
    path = write_json(tmp_path / "a.json", {"layout": str(layout), "results": [[person(0)], [person(1)]]})
    assert "layout: the file does not state it" in read_error(path, fps=30)


def test_a_layout_that_the_document_and_the_caller_contradict_is_an_error_with_both(tmp_path):
    path = write_json(tmp_path / "a.json", {"layout": "coco-17", "results": [[person(0)], [person(1)]]})
    message = read_error(path, fps=30, layout="h36m-17")
    assert "coco-17" in message and "h36m-17" in message


@pytest.mark.parametrize("where", ["frame", "person"])
def test_names_in_every_frame_or_person_are_the_joints_in_their_order(tmp_path, where):
    def frame(number):
        people = [{"keypoints": PEOPLE[0, number, ::-1].tolist(), "scores": [0.9] * 17}]
        owner = people[0] if where == "person" else (whole := {"frame": number, "people": people})
        owner["keypoint_names"] = COCO[::-1]
        return whole if where == "frame" else {"frame": number, "people": people}

    check(*read(write_json(tmp_path / "a.json", [frame(number) for number in range(FRAMES)]), fps=30))


def test_numbers_of_frames_in_a_list_called_results_place_them(tmp_path):
    frames = [{"frame": 3 * number, **person(number)} for number in range(FRAMES)]
    path = write_json(tmp_path / "a.json", {"layout": "coco-17", "results": frames})
    with pytest.warns(FileNote, match="one in 3 frames"):
        check(*read(path, fps=30), fps=10)


RATES = [{"fps": "25"}, {"video_info": {"avg_frame_rate": "25/1"}}, {"info": {"frames_per_second": 25}}]


@pytest.mark.parametrize("stated", RATES)
def test_a_rate_is_read_in_every_spelling_and_compared_with_the_callers(tmp_path, stated):
    path = write_json(tmp_path / "a.json", {**stated, "frames": [{"people": [named(n)]} for n in range(FRAMES)]})
    check(*read(path), fps=25)
    assert "fps 25" in read_error(path, fps=30)


STAMPS = [
    lambda number: {"ticks": 638_000_000_000_000_000 + 400_000 * number},
    lambda number: {"time": f"{number / 25:.2f}".replace(".", ",")},
    lambda number: {"stamp": {"sec": 10, "nanosec": 40_000_000 * number}},
]


@pytest.mark.parametrize("stamp", STAMPS)
def test_ticks_decimal_commas_and_stamps_of_two_parts_are_times(tmp_path, stamp):
    frames = [{**stamp(number), "people": [named(number)]} for number in range(FRAMES)]
    check(*read(write_json(tmp_path / "a.json", frames)), fps=25)


def _by_track(who):
    return {"id": 7 + who, "frames": [{"frame": number, **named(number, who)} for number in range(FRAMES)]}


def _by_array(who):
    return {"id": 7 + who, "start_frame": 0, "keypoints": PEOPLE[who].tolist(), "joint_names": COCO}


TRACKS = {
    "frames of each": {"tracks": [_by_track(0), _by_track(1)]},
    "arrays of each": {"tracks": [_by_array(0), _by_array(1)]},
    "people by number": [{"frame": n, "people": {"7": named(n), "8": named(n, 1)}} for n in range(FRAMES)],
    "tracker_id": [{"frame": n, "people": [named(n, w, tracker_id=7 + w) for w in (0, 1)]} for n in range(FRAMES)],
}


@pytest.mark.parametrize("form", TRACKS)
def test_people_who_have_their_own_frames_are_people_of_one_recording(tmp_path, form):
    (clip,) = read(write_json(tmp_path / "a.json", TRACKS[form]), fps=30)
    assert clip.track_ids == (7, 8)
    check(clip, people=2)


def test_a_joint_that_is_null_is_missing(tmp_path):
    people = [[{**person(number), "keypoint_names": COCO}] for number in range(FRAMES)]
    for row in people:
        row[0]["keypoints"][3] = None
    (clip,) = read(write_json(tmp_path / "a.json", people), fps=30)
    missing = np.isnan(clip.keypoints).any(axis=-1)
    assert missing[0, :, 3].all() and missing.sum() == FRAMES


# Tables: a header below other lines, above units, in another order, or with a cell less than the rows.
TOLD = {"fps": 30, "unit": "pixel"}
HEAD = ["frame", *(f"{joint}_{axis}" for joint in COCO for axis in "xy")]


def rows(first=lambda number: [number], columns=slice(None)):
    return [[*first(number), *PEOPLE[0, number][columns].ravel().tolist()] for number in range(FRAMES)]


def table(*lines, separator=","):
    return "".join(separator.join(map(str, line)) + "\n" for line in lines)


TABLES = {
    "title": (table(["Trial 12"], ["Exported by a program"], [""], HEAD, *rows()), TOLD),
    "title with a rate": (table(["Trial 12"], ["Frame rate: 30"], HEAD, *rows()), {"unit": "pixel"}),
    "separator of Excel": ("sep=;\n" + table(HEAD, *rows(), separator=";"), TOLD),
    "line of units": (table(HEAD, ["", *["px"] * 34], *rows()), {"fps": 30}),
    "other order": (
        table(["frame", *(f"{j}_{axis}" for j in COCO[::-1] for axis in "xy")], *rows(columns=slice(None, None, -1))),
        TOLD,
    ),
    "names of rows": (table(HEAD, *rows(lambda number: [f"row{number}", number])), TOLD),
}  # fmt: skip


@pytest.mark.parametrize("form", TABLES)
def test_a_header_is_found_and_columns_are_where_it_says(tmp_path, form):
    text, told = TABLES[form]
    check(*read(write_text(tmp_path / "a.csv", text), **told))


@pytest.mark.parametrize("line", ["2,1.5,{}", "2,{}"])
def test_rows_with_more_cells_than_the_header_are_an_error(tmp_path, line):
    numbers = ",".join(map(str, PEOPLE[0, 2].ravel().tolist()))
    bad = line.format(numbers) if "1.5" in line else line.format(numbers.replace(".", ","))
    lines = table(HEAD, *rows()).splitlines()
    message = read_error(write_text(tmp_path / "a.csv", "\n".join([*lines[:3], bad, *lines[4:]])), **TOLD)
    assert "line 4: expected 35 cells, as the header has" in message


def test_names_of_joints_in_an_archive_are_its_layout_whatever_their_order(tmp_path):
    scores = np.tile(np.arange(17) / 20, (FRAMES, 1))
    np.savez(
        tmp_path / "a.npz", keypoints=PEOPLE[0, :, ::-1], scores=scores[:, ::-1], joint_names=np.array(COCO[::-1])
    )
    (clip,) = read(tmp_path / "a.npz", fps=30, unit="pixel")
    check(clip)
    np.testing.assert_allclose(clip.confidence[0], scores, rtol=1e-6)


def test_the_rate_of_the_video_of_coco_annotations_is_taken(tmp_path):
    points = [[value for x, y in frame.tolist() for value in (x, y, 2)] for frame in PEOPLE[0]]
    content = {
        "videos": [{"id": 1, "fps": 25}],
        "images": [{"id": number, "video_id": 1, "frame_id": number} for number in range(FRAMES)],
        "annotations": [{"id": n, "image_id": n, "category_id": 1, "keypoints": row} for n, row in enumerate(points)],
        "categories": [{"id": 1, "name": "person", "keypoints": COCO}],
    }
    check(*read(write_json(tmp_path / "a.json", content)), fps=25)
