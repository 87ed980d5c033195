"""Reads COCO keypoint JSON (a detector's result list, or annotations with images and categories), and writes results.

The images are the frames of one recording, ordered by number; an absent number is a frame without people. Identities
come from `track_id`, otherwise from tracking. Boxes, masks and detection scores are ignored.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, clip_of, frames_of, scored_detection
from motionhub.data.formats.files import bad_file, list_of, load_json, number_array
from motionhub.data.formats.format import Format, ReadOptions, layout_of_names
from motionhub.data.formats.writing import Writer, file_tracks, scored_keypoints, short
from motionhub.skeletons.sequence import SkeletonSequence


_LAST_NUMBER = re.compile(r"(\d{1,15})(?!.*\d)")


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip, `(people, frames, joints, 2)` pixels.

    A joint at (0, 0) with score or visibility 0 is missing (NaN). Results are coco-17 unless `layout` is given;
    annotations name their joints. The visibility flags 1 (hidden) and 2 become the confidences 0.5 and 1.
    """
    content = load_json(path)
    if isinstance(content, dict):
        return [_annotations(path, content, options)]
    return [clip_of_results(path, content, options, _image_number, lambda entry: entry.get("track_id"))]


def clip_of_results(
    path: Path,
    content: Any,
    options: ReadOptions,
    frame_of: Callable[[Path, str, dict[str, Any]], int],
    track_of: Callable[[dict[str, Any]], Any],
) -> SkeletonSequence:
    """The clip of a list of people with `keypoints` (x, y, score of each joint) and a frame number."""
    entries = {f"results[{row}]": entry for row, entry in enumerate(list_of(path, "results", content, dict))}
    if not entries:
        raise bad_file(path, "results", "the list is empty: no person was detected in any frame.")
    numbers = [frame_of(path, place, entry) for place, entry in entries.items()]
    people = [_person(path, place, entry, track_of(entry)) for place, entry in entries.items()]
    layout = options.layout_of(path, assumed="coco-17" if len(people[0].points) == 17 else None)
    rows, unit = frames_of(path, numbers, numbers, people), options.unit_of(path, assumed="pixel")
    return clip_of(path, rows, options, layout, unit=unit)


def _person(path: Path, place: str, entry: dict[str, Any], track: Any, flags: bool = False) -> Detection:
    values = number_array(path, f"{place}.keypoints", entry.get("keypoints"))
    if values.ndim != 1 or values.size == 0 or values.size % 3:
        reason = f"expected x, y and a score of each joint, got an array of shape {values.shape}."
        raise bad_file(path, f"{place}.keypoints", reason)
    own = int(track) if isinstance(track, int | float) and track >= 0 and track == int(track) else None
    return scored_detection(values.reshape(-1, 3) / (1, 1, 2 if flags else 1), own)


def _annotations(path: Path, content: dict[str, Any], options: ReadOptions) -> SkeletonSequence:
    listed, annotated = (list_of(path, key, content.get(key), dict) for key in ("images", "annotations"))
    images = {_image_number(path, f"images[{row}]", image, "id"): image for row, image in enumerate(listed)}
    entries = [entry for entry in annotated if "keypoints" in entry]
    if not images or not entries:
        raise bad_file(path, "annotations", f"expected images and keypoints, got {len(images)} and {len(entries)}.")
    numbers, people = [], []
    frames = {image_id: _frame_number(image, image_id) for image_id, image in images.items()}
    if len(set(frames.values())) < len(frames):
        frames = {image_id: image_id for image_id in images}
    for index, entry in enumerate(entries):
        image_id = _image_number(path, f"annotations[{index}]", entry)
        if image_id not in frames:
            raise bad_file(path, f"annotations[{index}]", f"there is no image with the id {image_id}.")
        numbers.append(frames[image_id])
        people.append(_person(path, f"annotations[{index}]", entry, entry.get("track_id"), flags=True))
    names = _names(path, content)
    layout, order = layout_of_names(path, names, options)
    if any(len(person.points) != len(names) for person in people):
        raise bad_file(path, "annotations", f"expected the {len(names)} joints of the category, got another number.")
    chosen = [Detection(person.points[order], person.confidence[order], person.track) for person in people]  # type: ignore[index]
    rows, unit = frames_of(path, list(frames.values()), numbers, chosen), options.unit_of(path, assumed="pixel")
    return clip_of(path, rows, options, layout, unit=unit, image_size=_one_size([*images.values()]))


def _one_size(images: list[dict[str, Any]]) -> tuple[int, int] | None:
    """The size of the images, if all state the same."""
    sides = [side for image in images for side in (image.get("width"), image.get("height"))]
    if not all(type(side) is int and 0 < side < 1e9 for side in sides):
        return None
    sizes = {(int(width), int(height)) for width, height in zip(sides[::2], sides[1::2], strict=True)}  # type: ignore[arg-type]
    return next(iter(sizes)) if len(sizes) == 1 else None


def _names(path: Path, content: dict[str, Any]) -> list[str]:
    for category in list_of(path, "categories", content.get("categories"), dict):
        names = category.get("keypoints")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return names
    raise bad_file(path, "categories", "expected one that names its keypoints.")


def _frame_number(image: dict[str, Any], image_id: int) -> int:
    frame = image.get("frame_id")
    return frame if type(frame) is int and abs(frame) < 1e15 else number_in(image.get("file_name"), image_id)


def number_in(name: Any, default: int) -> int:
    """The last number in a file name: 12 in "cam1_000012.jpg"."""
    found = _LAST_NUMBER.search(Path(name).stem) if isinstance(name, str) else None
    return default if found is None else int(found[1])


def _image_number(path: Path, place: str, entry: dict[str, Any], key: str = "image_id") -> int:
    number = entry.get(key)
    if type(number) is not int or not 0 <= number < 2**53:
        raise bad_file(path, f"{place}.{key}", f"expected a whole number, got {str(number)[:40]!r}.")
    return number


def encode(sequence: SkeletonSequence) -> bytes:
    """JSON. A missing joint is 0, 0, 0; without confidences a valid joint has score 1.

    A person is listed in the frames with a valid joint. To keep all frames and people, a frame without people lists
    the first person, and a person who is never detected is listed in the first frame: all zeros, with score 0.
    """
    values = scored_keypoints(sequence, "COCO JSON", ("coco-17",))
    if not sequence.num_people or not sequence.num_frames:
        raise ValueError("a COCO result list needs a person and a frame, got an empty sequence; write .npz.")
    tracks, valid = file_tracks(sequence), np.asarray(sequence.joint_mask)
    shown = np.any(valid, axis=-1)
    shown[0] |= ~np.any(shown, axis=0)
    shown[:, 0] |= ~np.any(shown, axis=1)
    entries = [
        {
            "image_id": int(frame),
            "category_id": 1,
            "track_id": tracks[person],
            "score": float(values[person, frame, :, 2].sum() / max(valid[person, frame].sum(), 1)),
            "keypoints": short(values[person, frame]),
        }
        for frame, person in np.argwhere(shown.T)
    ]
    return json.dumps(entries).encode()


def matches(path: Path, head: bytes) -> bool:
    """A list of people with images; or an annotation file, whose other keys may lie beyond the head."""
    start = head.lstrip()
    if start.startswith(b"["):
        return b'"keypoints"' in head and b'"image_id"' in head
    return start.startswith(b"{") and (b'"images"' in head or b'"annotations"' in head)


FORMAT = Format(
    name="coco",
    title="COCO keypoint JSON",
    matches=matches,
    read=read,
    pattern="",
    container="json",
    signature='list of objects with "image_id" and "keypoints" (x, y, score), or "images" and "annotations"',
    needs=("fps",),
    writer=Writer("coco", "COCO keypoint results", ".json", encode),
)
