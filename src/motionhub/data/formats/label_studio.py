"""Keypoints of Label Studio's JSON export: tasks with results of type `keypointlabels`, places in percent."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from motionhub.data.formats.detections import frame_positions, step_of
from motionhub.data.formats.facts import Facts
from motionhub.data.formats.files import bad_file, list_of, load_json, note
from motionhub.data.formats.folders import number_in
from motionhub.data.formats.format import Format, ReadOptions, is_number
from motionhub.data.formats.frames import finds
from motionhub.data.formats.people import clip_of_people
from motionhub.data.formats.persons import Person, Program
from motionhub.skeletons.sequence import SkeletonSequence


class _Keypoint(NamedTuple):
    name: str
    x: float
    y: float
    person: str  # the id of the region around it, or ""


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels, of the tasks in the order of the numbers in their image names.

    The keypoints of an image that belong to one region (`parentID`) are a person; those of no region are one person.
    Raises ValueError where such a person has two keypoints of one name. Only the first annotation of a task is read.
    """
    tasks = list_of(path, "tasks", load_json(path), dict)
    several = sum(len(_annotations(task)) > 1 for task in tasks)
    if several:
        note(path, "annotations", f"{several} tasks have several annotations; the first of each is read.")
    found = [_people(path, f"task {row}", task) for row, task in enumerate(tasks)]
    sizes = {size for _, size in found if size is not None}
    numbers = [_number(task) for task in tasks]
    whole = None not in numbers and len({*numbers}) == len(numbers)
    order = [int(number) if whole and number is not None else row for row, number in enumerate(numbers)]
    if not whole:
        note(
            path,
            "tasks",
            "their images have no numbers, or the same ones; the order of the file is that of the frames.",
        )
    places = frame_positions(path, order)
    if not places:
        raise bad_file(path, "tasks", "expected tasks, got an empty list.")
    frames: list[list[Person]] = [[] for _ in range(max(places.values()) + 1)]
    for number, (people, _) in zip(order, found, strict=True):
        frames[places[number]] = people
    size = next(iter(sizes)) if len(sizes) == 1 else None
    return [clip_of_people(path, frames, Facts(image_size=size, step=step_of(places)), options, Program())]


def _annotations(task: dict[str, Any]) -> list[dict[str, Any]]:
    listed = task.get("annotations", task.get("completions"))
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _number(task: dict[str, Any]) -> int | None:
    data = task.get("data")
    names = data.values() if isinstance(data, dict) else [value for value in task.values() if isinstance(value, str)]
    numbers = (number_in(name, -1) for name in names if isinstance(name, str))
    return next((number for number in numbers if number >= 0), None)


def _people(path: Path, place: str, task: dict[str, Any]) -> tuple[list[Person], tuple[int, int] | None]:
    """The people of a task, and the size of its image."""
    annotations = _annotations(task)
    results = annotations[0].get("result") if annotations else _minimal(task)
    grouped: dict[str, list[_Keypoint]] = {}
    size = None
    for index, result in enumerate(list_of(path, f"{place}.result", results or [], dict)):
        value = result.get("value", result)
        if not isinstance(value, dict) or "keypointlabels" not in value:
            continue
        keypoint, size = _keypoint(path, f"{place}.result[{index}]", result, value)
        grouped.setdefault(keypoint.person, []).append(keypoint)
    people = []
    for keypoints in grouped.values():
        names = tuple(each.name for each in keypoints)
        if len({*names}) < len(names):
            again = Counter(names).most_common(1)[0][0]
            reason = f"several keypoints {again!r} and no region that says whose; draw a box for each person"
            raise bad_file(path, place, f"{reason} and move its keypoints into it.")
        people.append(Person(np.array([[each.x, each.y] for each in keypoints]), None, names))
    return people, size


def _minimal(task: dict[str, Any]) -> list[Any]:
    """The results of a task in the export JSON-MIN: lists under the names of the labelling tags."""
    lists = [value for value in task.values() if isinstance(value, list)]
    return [each for value in lists for each in value if isinstance(each, dict) and "keypointlabels" in each]


def _keypoint(
    path: Path, place: str, result: dict[str, Any], value: dict[str, Any]
) -> tuple[_Keypoint, tuple[int, int]]:
    labels, sides = value["keypointlabels"], [result.get(f"original_{side}") for side in ("width", "height")]
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise bad_file(path, place, f"expected one keypoint label, got {str(labels)[:40]}.")
    if not all(type(side) is int and 0 < side < 1e9 for side in sides):
        raise bad_file(path, place, f"expected original_width and original_height, got {str(sides)[:40]}.")
    if not all(is_number(value.get(axis)) and abs(value[axis]) < 1e6 for axis in "xy"):
        raise bad_file(path, place, "expected x and y in percent of the image.")
    width, height = (int(side) for side in sides)  # type: ignore[arg-type]
    parent = result.get("parentID") or result.get("parent_id") or ""
    found = _Keypoint(labels[0], value["x"] / 100 * width, value["y"] / 100 * height, str(parent)[:80])
    return found, (width, height)


FORMAT = Format(
    name="label-studio",
    title="Label Studio keypoints (JSON)",
    matches=lambda path, head: finds(path, head, r'"keypointlabels"'),
    read=read,
    container="json",
    signature='tasks with results of "keypointlabels", x and y in percent, "original_width" and "original_height"',
    needs=("fps",),
)
