"""MediaPipe pose landmarks saved as JSON: 33 objects with x, y, z and visibility per person and frame.

Accepts a list of frames, or an object with "frames". A frame is the 33 landmarks of one person, a list of people, null
or empty, or an object with "pose_landmarks" (or "poseLandmarks", "landmarks") and "pose_world_landmarks".
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, NumberedFrames, clip_of
from motionhub.data.formats.documents import documents_in
from motionhub.data.formats.files import MAX_JSON_BYTES, bad_file, note, number_array, read_bytes
from motionhub.data.formats.format import FILE_UNITS, Format, ReadOptions, is_number
from motionhub.data.formats.frames import (
    FRAME_LISTS,
    PEOPLE,
    Facts,
    Frame,
    facts_of,
    keyed_by_frame,
    load_document,
    moment_of,
    stamp_key,
    with_key,
)
from motionhub.data.formats.people import places_of
from motionhub.data.formats.persons import track_of
from motionhub.skeletons.joint_names import own_names
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


JOINTS = 33
_IMAGE_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks")
_WORLD_KEYS = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks")
_OTHER_PARTS = re.compile(r"(hand|face).*landmarks?$", re.IGNORECASE)
# Landmarks as lists of numbers.
_ROWS = re.compile(rb'"(pose_?|world_?|pose_world_?)?[lL]andmarks"\s*:\s*\[[\[\s]*-?[0-9.]+\s*,')
_SIGNS = (b'"visibility"', *(f'"{key}"'.encode() for key in (*_IMAGE_KEYS, *_WORLD_KEYS)))


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip of layout mediapipe-33; `confidence` is the visibility of the landmarks. Tracking finds the identities.

    Landmarks are fractions of the image width and height: `(people, frames, 33, 2)` of unit "normalised". With
    `unit="pixel"` and an image size they become pixels, which keep the shape of the body. With `unit="metre"` the
    world landmarks are read: `(people, frames, 33, 3)`, y down, the origin between the hips; a plain list of landmarks
    is then read as world landmarks. A file that has only these is in metres. Frames are placed by their time stamps or
    numbers, if they have any.
    """
    content = load_document(path)
    by_key = isinstance(content, dict) and not any("andmark" in key for key in content)
    return [_clip(path, part, options) for part in (documents_in(path, content) if by_key else [content])]


def _clip(path: Path, content: Any, options: ReadOptions) -> SkeletonSequence:
    """The clip of one recording."""
    frames = _frames(content)
    if not isinstance(frames, list) or not frames:
        raise bad_file(path, "frames", "expected a non-empty list of frames.")
    objects = [frame for frame in frames if isinstance(frame, dict)]
    unit = options.unit_of(path, assumed="metre" if _only_world(objects) else "normalised")
    world = FILE_UNITS[unit][0] == "metre"
    _check_keys(path, objects, world)
    facts = facts_of(content) if isinstance(content, dict) else Facts()
    size = options.image_size_of(path, None if world else facts.image_size)
    if unit == "pixel" and size is None:
        reason = "landmarks are fractions of the image; give image_size=(width, height) too."
        raise bad_file(path, "image_size", reason)
    scale = np.ones(3) if world else np.array(size if unit == "pixel" else (1, 1), np.float64)
    moments = [moment_of(frame) if isinstance(frame, dict) else (None, None) for frame in frames]
    stamped = [Frame(f"frame {row}", [], *moment) for row, moment in enumerate(moments)]
    positions, rate, step = places_of(path, stamped, replace(facts, stamps=stamp_key(objects)), options)
    people = NumberedFrames([] for _ in range(max(positions) + 1))
    people.step = step
    for time, (position, frame) in enumerate(zip(positions, frames, strict=True)):
        found = enumerate(_people(frame, world))
        people[position] = [_person(path, f"frame {time}, person {row}", person, scale) for row, person in found]
    layout = options.layout_of(path, "mediapipe-33")
    if not any(people):
        keys = sorted(
            {key for frame in objects for key, value in frame.items() if isinstance(value, list | dict) and value}
        )
        if keys:
            raise bad_file(path, "frames", f"expected landmarks under {_IMAGE_KEYS[0]!r}, got the keys {keys[:8]}.")
    return clip_of(
        path,
        people,
        options,
        layout,
        unit=unit,
        fps=facts.fps or rate,
        image_size=None if world else facts.image_size,
        dims=len(scale),
        up="-y",
    )


def _only_world(frames: list[dict[str, Any]]) -> bool:
    image, deep = (any(frame.get(key) for frame in frames for key in keys) for keys in (_IMAGE_KEYS, _WORLD_KEYS))
    return deep and not image


def _check_keys(path: Path, frames: list[dict[str, Any]], world: bool) -> None:
    """Raises ValueError where only the landmarks of the other unit are there; notes those of hands and face."""
    if world and frames and not any(key in frame for frame in frames for key in _WORLD_KEYS):
        raise bad_file(path, "frames", f"expected {_WORLD_KEYS[0]!r} for a unit of length; leave unit out.")
    if not world and _only_world(frames):
        raise bad_file(path, "frames", 'nobody has landmarks in the image; give unit="metre" for the world landmarks.')
    others = sorted({key for frame in frames for key in frame if _OTHER_PARTS.search(key) and frame[key]})
    if others:
        note(path, "frames", f"{others[:6]} are left out; only the body is read.")


def _frames(content: Any) -> Any:
    """The frames of a document: a list, one of an object, or an object of frames by number."""
    if not isinstance(content, dict) or "frames" in content:
        return content["frames"] if isinstance(content, dict) else content
    key = next((key for key in FRAME_LISTS if isinstance(content.get(key), list)), None)
    if key is not None:
        return content[key]
    return [with_key(name, frame) for name, frame in content.items()] if keyed_by_frame(content) else [content]


def _people(frame: Any, world: bool) -> list[Any]:
    """The landmarks of the people in a frame."""
    if isinstance(frame, dict):
        keys = _WORLD_KEYS if world else _IMAGE_KEYS
        found = next((frame[key] for key in keys if key in frame), None)
        listed = next((frame[key] for key in PEOPLE if isinstance(frame.get(key), list)), None)
        frame = listed if found is None and listed is not None else found
        if frame is listed and isinstance(listed, list) and all(isinstance(one, dict) for one in listed):
            return [{**one, "landmarks": part} for one in listed for part in _people(one, world)] or _if_named(listed)
    if isinstance(frame, dict):  # as protocol buffers are dumped, or by name
        frame = frame["landmark"] if "landmark" in frame else [frame] if frame else None
    if not frame:
        return []
    if isinstance(frame, list) and _is_landmark(frame[0]):
        return [frame]
    return frame if isinstance(frame, list) else [frame]


def _if_named(listed: list[Any]) -> list[Any]:
    """A list of landmarks under a key for people."""
    return [listed] if listed and _is_landmark(listed[0]) else []


def _is_landmark(one: Any) -> bool:
    numbers = isinstance(one, list) and 2 < len(one) < 6 and all(is_number(value) for value in one)
    return numbers or (isinstance(one, dict) and "x" in one)


def _in_order(named: dict[str, Any]) -> list[Any] | None:
    """Landmarks by name in MediaPipe's order; None where other names occur."""
    own = dict(zip(own_names(list(named)), named.values(), strict=True))
    joints = get_layout("mediapipe-33").joints
    return [own[joint] for joint in joints] if {*own} == {*joints} else None


def _person(path: Path, place: str, landmarks: Any, scale: np.ndarray) -> Detection:
    track = track_of(landmarks) if isinstance(landmarks, dict) else None
    if isinstance(landmarks, dict):
        landmarks = landmarks.get("landmark", landmarks.get("landmarks")) or _in_order(landmarks)
    if isinstance(landmarks, list) and all(_is_landmark(one) for one in landmarks):
        columns = ("x", "y", "z", "visibility", "presence")
        landmarks = [dict(zip(columns, one, strict=False)) if isinstance(one, list) else one for one in landmarks]
    whole = isinstance(landmarks, list) and all(isinstance(one, dict) for one in landmarks)
    if not whole or len(landmarks) != JOINTS:
        raise bad_file(path, place, f"expected {JOINTS} landmarks, objects with x, y, z and visibility.")
    axes = "xyz"[: len(scale)]
    points = number_array(path, place, [[one.get(axis) for axis in axes] for one in landmarks])
    visibility = number_array(path, place, [one.get("visibility", 1.0) for one in landmarks])
    return Detection(points * scale, np.nan_to_num(visibility), track if isinstance(track, int) else None)


def matches(path: Path, head: bytes) -> bool:
    """Landmarks with x and y; the first person may lie beyond the head."""
    signs = (*_SIGNS, b"[null", b"[[]", b'"frames"')
    if not head.lstrip().startswith((b"[", b"{")) or not any(sign in head for sign in signs):
        return False
    if _ROWS.search(head):
        return True
    content = head if b'"x"' in head else read_bytes(path, MAX_JSON_BYTES)
    return b'"x"' in content and b'"y"' in content and any(sign in content for sign in _SIGNS)


FORMAT = Format(
    name="mediapipe",
    title="MediaPipe pose landmarks (JSON)",
    matches=matches,
    read=read,
    pattern="",
    container="json",
    signature='list of frames with 33 landmarks {"x", "y", "z", "visibility"}, or with "pose_landmarks"',
    needs=("fps",),
)
