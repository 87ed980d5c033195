"""People of one form are read at once: whatever their form, they are those that are read one by one."""

import warnings

import numpy as np
import pytest
from helpers import assert_same_sequence, write_json

from motionhub.data.datasets.reading import read
from motionhub.data.formats import persons
from motionhub.data.formats.files import FileNote
from motionhub.skeletons.layouts import get_layout


COCO = get_layout("coco-17").joints
PEOPLE = 80  # more than are read one by one


def person(number: int, chance: np.random.Generator) -> dict:
    places = chance.uniform(50, 900, (17, 2)).round(1)
    places[number % 17] = 0
    named = zip(COCO, places.tolist(), strict=True)
    return {"keypoints": [{"x": x, "y": y, "score": 0.5, "name": name} for name, (x, y) in named], "id": number % 2}


def without(*keys):
    return lambda number, joints: [{key: one[key] for key in one if key not in keys} for one in joints]


FORMS = {
    "names": lambda number, joints: joints,
    "no scores": without("score"),
    "no names": without("name"),
    "in space": lambda number, joints: [{**one, "z": 0.1} for one in joints],
    "nulls": lambda number, joints: [{**joints[0], "score": None}, {**joints[1], "x": None}, *joints[2:]],
    "positions": lambda number, joints: [{"part": one["name"], "position": one} for one in joints],
    "some lack joints": lambda number, joints: joints[: 17 - 2 * (number % 7 == 0)],
    "other orders": lambda number, joints: joints[:: -1 if number % 5 == 0 else 1],
    "other keys": lambda number, joints: [{**joints[0], "presence": 1}, *joints[1:]],
}


@pytest.mark.parametrize("form", FORMS)
def test_people_read_at_once_are_those_read_one_by_one(tmp_path, monkeypatch, form):
    chance = np.random.default_rng(0)
    people = [person(number, chance) for number in range(PEOPLE)]
    people = [{**one, "keypoints": FORMS[form](number, one["keypoints"])} for number, one in enumerate(people)]
    frames = [{"frame": row, "poses": people[2 * row : 2 * row + 2]} for row in range(PEOPLE // 2)]
    path = write_json(tmp_path / "poses.json", frames)
    told = {"fps": 30, **({"layout": "coco-17"} if form == "no names" else {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FileNote)
        (at_once,) = read(path, **told)
        monkeypatch.setattr(persons, "_FEW", PEOPLE + 1)
        (one_by_one,) = read(path, **told)
    assert at_once.track_ids == (0, 1)
    assert_same_sequence(at_once, one_by_one)
