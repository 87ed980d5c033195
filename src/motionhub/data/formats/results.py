"""`from_results`: the results of pose estimators as Python objects, frame by frame, as one clip.

Recognised by their attributes, so that none of the libraries is imported: `supervision.KeyPoints`, `Results` of
ultralytics, MediaPipe's results, what ViTPose's processor in transformers returns, and pairs of arrays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.facts import Facts
from motionhub.data.formats.files import nan_at_origin
from motionhub.data.formats.format import FILE_UNITS, ReadOptions, UnstatedFact
from motionhub.data.formats.people import clip_of_people
from motionhub.data.formats.persons import Person, Program, with_labels
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


_PLACE = Path("results")
_LANDMARKS = ("pose_landmarks", "pose_world_landmarks")
_PROGRAM = Program(layouts={17: "coco-17", 33: "mediapipe-33"}, lifted={17: "h36m-17"}, default="checked")


@dataclass(frozen=True)
class _Frame:
    """The people of a frame, the size of its image, and whether they are landmarks of MediaPipe."""

    people: list[Person]
    size: tuple[int, int] | None = None
    landmarks: bool = False


def from_results(
    results: Any,
    *,
    fps: float,
    layout: str | SkeletonLayout | None = None,
    unit: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> SkeletonSequence:
    """One clip of the results of a pose estimator: one item per frame, in order, also for frames without people.

    Args:
        results: a list, or another iterable, of frames. A frame is a `supervision.KeyPoints` (or a pair of it and its
            `Detections`, for their `tracker_id`), a `Results` of ultralytics, a result of MediaPipe's pose landmarker,
            a list of `{"keypoints": (joints, 2 or 3), "scores": (joints,)}` as ViTPose's processor returns it,
            MMPose's `{"predictions": [people]}`, a pair of arrays `(people, joints, 2 or 3)` and scores
            `(people, joints)`, or None.
        fps: frames per second.
        layout: a layout or its name; None: coco-17 for 17 keypoints (h36m-17 in 3-D) and mediapipe-33 for
            33, where the bodies fit it.
        unit: None: pixels, or fractions of the image for MediaPipe; 3-D keypoints need it. `"metre"` takes the world
            landmarks of MediaPipe; `"pixel"` turns fractions into pixels, with `image_size`.
        image_size: (width, height) in pixels; ultralytics states it.

    Raises:
        ValueError: a frame is none of these, a layout is needed, or nobody has keypoints.

    Examples:
        >>> import numpy as np
        >>> person = {"keypoints": np.full((17, 2), 100.0), "scores": np.ones(17)}  # as ViTPose's processor returns it
        >>> motionhub.from_results([[person], [person], []], fps=30)
        SkeletonSequence(people 1, frames 3 at 30 fps, 2-D in pixels, layout coco-17)
    """
    options = ReadOptions(layout, fps, unit, image_size)
    items = [results] if _is_frame_object(results) else results
    if not isinstance(items, Iterable) or isinstance(items, str | bytes):
        raise ValueError(f"from_results takes a list of frames, got {type(results).__name__}.")
    world = unit is not None and FILE_UNITS[unit][0] == "metre"
    frames = [_frame(f"frame {index}", item, world) for index, item in enumerate(items)]
    landmarks = any(frame.landmarks for frame in frames)
    program = replace(_PROGRAM, up="-y", default="taken") if landmarks else _PROGRAM
    if not frames:
        raise ValueError("from_results takes one item per frame, got none.")
    if landmarks and not world:
        frames, options = _in_unit(frames, options)
    sizes = {frame.size for frame in frames if frame.size is not None}
    facts = Facts(float(fps), sizes.pop() if len(sizes) == 1 else None)
    try:
        return clip_of_people(_PLACE, [frame.people for frame in frames], facts, options, program)
    except UnstatedFact as error:
        call = 'motionhub.read("results", '
        raise ValueError(str(error).replace(call, "motionhub.from_results(results, fps=..., ")) from None


def is_frame_result(item: Any) -> bool:
    """Whether an object is the people of one frame, which `from_results` reads."""
    if _is_frame_object(item):
        return True
    if isinstance(item, Mapping):
        return "predictions" in item or _is_person(item)
    return isinstance(item, list | tuple) and bool(item) and all(_is_frame_object(i) or _is_person(i) for i in item)


def _is_person(item: Any) -> bool:
    return isinstance(item, Mapping) and "keypoints" in item and "layout" not in item


def _is_frame_object(item: Any) -> bool:
    known = any(hasattr(item, name) for name in ("xy", "keypoints", *_LANDMARKS))
    return known and not isinstance(item, SkeletonSequence)


def _frame(place: str, item: Any, world: bool) -> _Frame:
    if item is None:
        return _Frame([])
    if any(hasattr(item, name) for name in _LANDMARKS):
        return _Frame(_mediapipe(place, item, world), landmarks=True)
    if hasattr(item, "keypoints"):
        return _ultralytics(place, item)
    if hasattr(item, "xy"):
        return _Frame(_supervision(place, item, None))
    if isinstance(item, tuple) and len(item) == 2 and not isinstance(item[0], Mapping):
        if hasattr(item[0], "xy"):
            return _Frame(_supervision(place, item[0], getattr(item[1], "tracker_id", None)))
        return _Frame(_people(place, *item))
    if isinstance(item, Mapping):
        item = _predicted(item) if "predictions" in item else [item]
    if isinstance(item, list | tuple) and all(isinstance(person, Mapping) for person in item):
        return _Frame([one for row, person in enumerate(item) for one in _mapping(f"{place}, person {row}", person)])
    if getattr(item, "ndim", None) == 3 and item.shape[-1] == 2:
        return _Frame(_people(place, item, None))
    raise ValueError(f"results: {place}: expected people with keypoints, got {_described(item)}.")


def _predicted(item: Mapping[str, Any]) -> Any:
    """The people in what MMPose's inferencer yields for a frame: a list of them, in a list for each image."""
    people = item["predictions"]
    nested = isinstance(people, list) and len(people) == 1 and isinstance(people[0], list)
    return people[0] if nested else people


def _described(item: Any) -> str:
    shape = getattr(item, "shape", None)
    if shape is None:
        return f"a {type(item).__name__}"
    return f"an array {tuple(shape)}; give a pair of arrays, (people, joints, 2 or 3) and scores (people, joints)"


def _mapping(place: str, person: Mapping[str, Any]) -> list[Person]:
    """A person, or the people of a frame in arrays with one axis more."""
    if "keypoints" not in person:
        raise ValueError(f"results: {place}: expected the key 'keypoints', got {list(person)[:8]}.")
    points = _array(person["keypoints"])
    scores = next((person[key] for key in ("scores", "keypoint_scores", "confidence") if key in person), None)
    track = next((person[key] for key in ("track_id", "id") if person.get(key) is not None), None)
    if points.ndim == 3:
        return _people(place, points, scores, track)
    scores = None if scores is None or np.ndim(scores) == 0 else _array(scores)[None]
    people = _people(place, points[None], scores, None if track is None else [track])
    if person.get("labels") is None:
        return people
    labels = [int(label) for label in _array(person["labels"]).ravel()]
    return [with_labels(_PLACE, place, each, labels) for each in people]


def _people(place: str, points: Any, scores: Any, tracks: Any = None) -> list[Person]:
    """Of `(people, joints, 2 or 3)`, scores `(people, joints)` and person numbers, which may be None."""
    points = _array(points)
    if points.size == 0:
        return []
    if points.ndim != 3 or points.shape[-1] not in (2, 3):
        raise ValueError(f"results: {place}: expected keypoints (people, joints, 2 or 3), got {points.shape}.")
    given = None if scores is None else _array(scores)
    if given is not None and given.shape != points.shape[:2]:
        raise ValueError(f"results: {place}: expected scores {points.shape[:2]}, got {given.shape}.")
    if given is None and points.shape[-1] == 3:
        reason = "three columns without scores are ambiguous; give the scores beside the keypoints"
        raise ValueError(f"results: {place}: {reason}.")
    numbers = [None] * len(points) if tracks is None else [int(each) for each in _array(tracks).ravel()]
    if len(numbers) != len(points):
        raise ValueError(f"results: {place}: expected {len(points)} person numbers, got {len(numbers)}.")
    points = nan_at_origin(points) if points.shape[-1] == 2 else nan_at_origin(points, given)
    return [
        Person(points[row], None if given is None else given[row], None, numbers[row]) for row in range(len(points))
    ]


def _supervision(place: str, keypoints: Any, tracks: Any) -> list[Person]:
    """`xy (people, joints, 2)`; the name of the confidences changed in version 0.29."""
    scores = getattr(keypoints, "keypoint_confidence", None)
    if not hasattr(keypoints, "keypoint_confidence"):
        scores = getattr(keypoints, "confidence", None)
    people = _people(place, keypoints.xy, scores, tracks)
    visible = getattr(keypoints, "visible", None)
    if visible is None:
        return people
    masks = np.asarray(visible, bool)
    return [
        replace(p, points=np.where(mask[:, None], p.points, np.nan)) for p, mask in zip(people, masks, strict=True)
    ]


def _ultralytics(place: str, result: Any) -> _Frame:
    """`keypoints.xy (people, joints, 2)`, `keypoints.conf`, `boxes.id`; a detector has no keypoints."""
    keypoints = result.keypoints
    if keypoints is None:
        return _Frame([])
    if not hasattr(keypoints, "xy"):
        raise ValueError(f"results: {place}: expected keypoints.xy, got a {type(keypoints).__name__}.")
    boxes = getattr(result, "boxes", None)
    people = _people(place, keypoints.xy, getattr(keypoints, "conf", None), getattr(boxes, "id", None))
    shape = getattr(result, "orig_shape", None)
    return _Frame(people, None if shape is None else (int(shape[1]), int(shape[0])))


def _mediapipe(place: str, result: Any, world: bool) -> list[Person]:
    """Lists of landmarks of each person (tasks), or the landmarks of one (solutions)."""
    found = getattr(result, _LANDMARKS[world], None)
    found = getattr(found, "landmark", found)
    if not found:
        return []
    people = [found] if hasattr(found[0], "x") else found
    axes = "xyz" if world else "xy"
    marks = [[[getattr(one, axis) for axis in axes] for one in person] for person in people]
    seen = [[getattr(one, "visibility", None) for one in person] for person in people]
    scores = None if any(value is None for row in seen for value in row) else seen
    return _people(place, np.array(marks, np.float64), scores or np.ones(np.shape(marks)[:2]))


def _in_unit(frames: list[_Frame], options: ReadOptions) -> tuple[list[_Frame], ReadOptions]:
    """Fractions of the image as such, or in pixels."""
    if options.unit != "pixel":
        return frames, replace(options, unit="normalised")
    if options.image_size is None:
        raise ValueError("results: landmarks are fractions of the image; give image_size=(width, height) too.")
    scale = np.array(options.image_size, np.float64)
    return [
        replace(frame, people=[replace(p, points=p.points * scale) for p in frame.people])
        if frame.landmarks
        else frame
        for frame in frames
    ], options


def _array(value: Any) -> np.ndarray:
    """Of a tensor on any device, an array or nested lists."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float().numpy()
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"results: expected a regular array of numbers ({error}).") from None
