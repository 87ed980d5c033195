"""Skeletons in the XML of CVAT 1.1, "for images" and "for video": tracks or images with named points."""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from motionhub.data.formats.detections import frame_positions, step_of
from motionhub.data.formats.facts import Facts
from motionhub.data.formats.files import MAX_JSON_BYTES, bad_file, note, read_text
from motionhub.data.formats.format import Format, ReadOptions
from motionhub.data.formats.people import clip_of_people
from motionhub.data.formats.persons import Person, Program
from motionhub.skeletons.sequence import SkeletonSequence


class _Shown(NamedTuple):
    """A person in a frame."""

    frame: int
    person: Person


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels. A point that is `outside` is missing, an `occluded` one has 0.5.

    A track is a person. In images people have no identity, and are followed by their keypoints. Raises ValueError for
    a document type definition, which is refused.
    """
    root = _root(path)
    size = _size(root)
    shown = [*_of_tracks(path, root), *_of_images(path, root)]
    if not shown:
        raise bad_file(path, "annotations", "expected <skeleton> shapes in a <track> or <image>, got none.")
    numbers = [one.frame for one in shown] + [
        int(image.get("id", -1)) for image in _numbered(path, root.iter("image"))
    ]
    places = frame_positions(path, numbers)
    frames: list[list[Person]] = [[] for _ in range(max(places.values()) + 1)]
    for number, person in shown:
        frames[places[number]].append(person)
    return [clip_of_people(path, frames, Facts(image_size=size, step=step_of(places)), options, Program())]


def _root(path: Path) -> ElementTree.Element:
    text = read_text(path, MAX_JSON_BYTES)
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise bad_file(path, "XML", "has a document type definition, which is refused; export the annotations again.")
    try:
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except (ElementTree.ParseError, ValueError) as error:
        raise bad_file(path, "XML", f"cannot be parsed ({error}).") from None


def _of_tracks(path: Path, root: ElementTree.Element) -> list[_Shown]:
    found = []
    for number, track in enumerate(root.iter("track")):
        identity = track.get("id", "")
        person = int(identity) if identity.isascii() and identity.isdigit() and len(identity) < 19 else number
        for shape in track.iter("skeleton"):
            frame = shape.get("frame", "")
            if not (frame.isascii() and frame.isdigit() and len(frame) < 16):
                raise bad_file(path, f"track {person}", f"expected a frame number, got {frame[:40]!r}.")
            if shape.get("outside") != "1":
                found.append(_Shown(int(frame), _person(path, f"track {person}, frame {frame}", shape, person)))
    return found


def _of_images(path: Path, root: ElementTree.Element) -> list[_Shown]:
    found, grouped = [], False
    for image in _numbered(path, root.iter("image")):
        number = int(image.get("id", 0))
        for row, shape in enumerate(image.iter("skeleton")):
            grouped |= shape.get("group_id") is not None
            found.append(_Shown(number, _person(path, f"image {number}, skeleton {row}", shape, None)))
    if grouped:
        note(path, "group_id", "groups of shapes are not read; people are followed by their keypoints.")
    return found


def _numbered(path: Path, images: object) -> list[ElementTree.Element]:
    listed = list(images)  # type: ignore[call-overload]
    for image in listed:
        number = image.get("id", "")
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            raise bad_file(path, "image", f"expected a number as id, got {number[:40]!r}.")
    return listed


def _person(path: Path, place: str, shape: ElementTree.Element, track: int | None) -> Person:
    names, points, scores = [], [], []
    for point in shape.iter("points"):
        words = re.split(r"[,;\s]+", point.get("points", "").strip())
        try:
            x, y = (float(word) for word in words)
        except ValueError:
            raise bad_file(path, place, f'expected points="x,y", got {point.get("points", "")[:40]!r}.') from None
        hidden = point.get("outside") == "1"
        names.append(point.get("label", ""))
        points.append([np.nan, np.nan] if hidden else [x, y])
        scores.append(0.0 if hidden else 0.5 if point.get("occluded") == "1" else 1.0)
    if not names:
        raise bad_file(path, place, "expected <points> in the <skeleton>, got none.")
    return Person(np.array(points), np.array(scores), tuple(names), track)


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    """The size of the video, or of the images if all have the same."""
    stated = [(size.findtext("width"), size.findtext("height")) for size in root.iter("original_size")]
    stated += [(image.get("width"), image.get("height")) for image in root.iter("image")]
    whole = [
        pair for pair in stated if all(side and side.isascii() and side.isdigit() and len(side) < 10 for side in pair)
    ]
    sizes = {(int(width or 0), int(height or 0)) for width, height in whole}
    return next(iter(sizes)) if len(sizes) == 1 and 0 not in next(iter(sizes)) else None


def matches(path: Path, head: bytes) -> bool:
    """XML of annotations with skeletons; the first shape may lie beyond the head."""
    return not path.is_dir() and b"<annotations" in head and head.lstrip()[:1] == b"<"


FORMAT = Format(
    name="cvat",
    title="CVAT annotations (XML)",
    matches=matches,
    read=read,
    container="text",
    signature="XML of <annotations> with <skeleton> shapes of named <points>",
    needs=("fps",),
)
