"""Reads COCO keypoint JSON (a detector's result list, or annotations with images and categories), and writes results.

The images of a recording are its frames, ordered by number; an absent number is a frame without people. Identities
come from `track_id`, otherwise from tracking. Boxes, masks and detection scores are ignored.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import (
    Detection,
    Frames,
    body_parts,
    clip_of,
    frames_of,
    scored_detection,
    scored_detections,
)
from motionhub.data.formats.documents import documents_in
from motionhub.data.formats.facts import facts_of
from motionhub.data.formats.files import bad_file, list_of, load_json, note, number_array
from motionhub.data.formats.folders import grouped, number_in, recording_keys, video_of
from motionhub.data.formats.format import Format, ReadOptions, is_number, layout_of_names
from motionhub.data.formats.frames import stamp_key
from motionhub.data.formats.presumed import misfit, presumed_layout
from motionhub.data.formats.writing import Writer, file_tracks, scored_keypoints, short
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Joints of a person in a results list -> layout.
RESULT_LAYOUTS = {17: "coco-17"}


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip for each recording, `(people, frames, joints, 2)` pixels.

    Recordings are told apart by `video_id` or `vid_id`, else by the folders of the images, else by their names. In
    results a joint at (0, 0) with score 0 is missing (NaN); they are coco-17 unless `layout` is given. Annotations
    name their joints; a joint with visibility 0 is missing, 1 (hidden) and 2 become the confidences 0.5 and 1.
    """
    content = load_json(path)
    if isinstance(content, dict):
        parts = documents_in(path, content, lambda value: isinstance(value, dict) and "annotations" in value)
        return [clip for part in parts for clip in _annotations(path, part, options)]
    return clips_of_results(path, content, options, _result_number, _track, RESULT_LAYOUTS)


def clips_of_results(
    path: Path,
    content: Any,
    options: ReadOptions,
    frame_of: Callable[[Path, str, dict[str, Any]], int],
    track_of: Callable[[dict[str, Any]], Any],
    layouts: Mapping[int, str],
) -> list[SkeletonSequence]:
    """The clips of a list of people with `keypoints` (x, y, score of each joint) and a frame number.

    Args:
        layouts: number of joints -> the layout that the program gives them.
    """
    entries = {f"results[{row}]": entry for row, entry in enumerate(list_of(path, "results", content, dict))}
    if not entries:
        raise bad_file(path, "results", "the list is empty: no person was detected in any frame.")
    numbers = [frame_of(path, place, entry) for place, entry in entries.items()]
    people = _people(path, entries, track_of)
    _note_classes(path, entries.values())
    joints = len(people[0].points)
    layout = _layout_of_results(path, people, layouts, options)
    if layout.num_joints < joints and layout.fits(joints):
        note(path, "keypoints", f"{layout.num_joints} of {joints} are read: the body, without face and hands.")
        people = body_parts(layout, people)
    unit = options.unit_of(path, assumed="pixel")
    parts = sorted({key for entry in entries.values() for key in entry if key.endswith("_kpts") and entry[key]})
    if parts:
        note(path, "results", f"{parts[:6]} are left out; only the body is read.")
    keys = recording_keys(
        [video_of(entry, entry.get("file_name", entry.get("image_id"))) for entry in entries.values()]
    )
    entries.clear()
    content.clear()  # parsed JSON takes ten times the memory of the arrays
    clips = []
    for rows in grouped(keys).values():
        found = [numbers[row] for row in rows]
        frames = frames_of(path, found, found, [people[row] for row in rows])
        clips.append(clip_of(path, frames, options, layout, unit=unit, up="-y"))
    return clips


def _layout_of_results(
    path: Path, people: list[Detection], layouts: Mapping[int, str], options: ReadOptions
) -> SkeletonLayout:
    """Of COCO's own results the layout is that of the format, and a note says where bodies do not fit it."""
    joints = len(people[0].points)
    alike = [person.points for person in people if len(person.points) == joints]
    if joints in layouts and layouts is not RESULT_LAYOUTS:
        return presumed_layout(path, options, layouts[joints], alike)
    layout = options.layout_of(path, assumed=layouts.get(joints), joints=joints)
    if options.layout is None and (found := misfit(layout, alike)) is not None:
        note(path, "layout", f"{joints} joints are read as {layout.name}, but {found.seen}.")
    return layout


def _people(
    path: Path, entries: Mapping[str, dict[str, Any]], track_of: Callable[[dict[str, Any]], Any]
) -> list[Detection]:
    tracks = [_whole(track_of(entry)) for entry in entries.values()]
    try:  # all at once, which is ten times as fast
        values = number_array(path, "keypoints", [entry.get("keypoints") for entry in entries.values()])
    except ValueError:
        values = np.zeros(0)
    if values.ndim == 2 and values.size and values.shape[1] % 3 == 0:
        return scored_detections(values.reshape(len(values), -1, 3), tracks)
    each = (_keypoints(path, f"{place}.keypoints", entry.get("keypoints")) for place, entry in entries.items())
    return [scored_detection(points, track) for points, track in zip(each, tracks, strict=True)]


def _keypoints(path: Path, place: str, value: Any) -> np.ndarray:
    values = number_array(path, place, value)
    if values.ndim != 1 or values.size == 0 or values.size % 3:
        raise bad_file(path, place, f"expected x, y and a score of each joint, got an array of shape {values.shape}.")
    return values.reshape(-1, 3)


def _whole(track: Any) -> int | None:
    return int(track) if isinstance(track, int | float) and track >= 0 and track == int(track) else None


def _track(entry: dict[str, Any]) -> Any:
    attributes = entry.get("attributes")  # CVAT
    inner = attributes.get("track_id") if isinstance(attributes, dict) else None
    return entry.get("track_id", inner)


def _annotations(path: Path, content: dict[str, Any], options: ReadOptions) -> list[SkeletonSequence]:
    listed, annotated = (list_of(path, key, content.get(key), dict) for key in ("images", "annotations"))
    images = {_image_id(path, f"images[{row}]", image, "id"): image for row, image in enumerate(listed)}
    entries = {f"annotations[{row}]": entry for row, entry in enumerate(annotated) if "keypoints" in entry}
    if not images or not entries:
        raise bad_file(path, "annotations", f"expected images and keypoints, got {len(images)} and {len(entries)}.")
    entries = _of_people(path, content, entries)
    if len(images) < len(listed):
        raise bad_file(path, "images", f"{len(listed)} images have only {len(images)} different ids.")
    people = _flagged(_people(path, entries, _track))
    layout, people = _in_layout(path, _names(path, content, list(entries.values()), options), people, options)
    of_image: dict[int | str, list[Detection]] = {image: [] for image in images}
    for (place, entry), person in zip(entries.items(), people, strict=True):
        image = _image_id(path, place, entry)
        if image not in of_image:
            raise bad_file(path, place, f"there is no image with the id {image}.")
        of_image[image].append(person)
    unit, ids, fps = options.unit_of(path, assumed="pixel"), list(images), facts_of(content).fps
    keys = recording_keys([video_of(image, image.get("file_name")) for image in images.values()])
    clips = []
    for rows in grouped(keys).values():
        chosen = {ids[row]: images[ids[row]] for row in rows}
        frames = _frames(path, chosen, of_image)
        size = _one_size([*chosen.values()])
        clips.append(clip_of(path, frames, options, layout, unit=unit, fps=fps, image_size=size, up="-y"))
    return clips


def _of_people(path: Path, content: dict[str, Any], entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of categories with named keypoints, if there are any; the others are left out, with a note."""
    listed = list_of(path, "categories", content.get("categories", []), dict)
    named = {str(category.get("id")) for category in listed if category.get("keypoints")}
    kept = {place: entry for place, entry in entries.items() if str(entry.get("category_id")) in named}
    if not kept or len(kept) == len(entries):
        return entries
    text = f"{len(entries) - len(kept)} of {len(entries)} belong to categories without keypoints"
    note(path, "annotations", f"{text} and are left out.")
    return kept


def _note_classes(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """People of several categories are all read; time stamps are not."""
    entries = list(entries)
    found = sorted({str(entry["category_id"])[:40] for entry in entries if "category_id" in entry})
    if len(found) > 1:
        note(path, "category_id", f"people of the categories {', '.join(found[:6])} are all read.")
    if key := stamp_key(entries):
        note(path, key, "is not read; image_id says which frame, and fps= its rate.")


def _frames(path: Path, images: dict[int | str, dict[str, Any]], of_image: dict[int | str, list[Detection]]) -> Frames:
    """The people of each frame of one recording."""
    found = [_frame_number(image, image_id) for image_id, image in images.items()]
    known = [number for number in found if number is not None]
    placed = dict(zip(images, known, strict=False))
    if len({*known}) < len(found):
        reason = "several images have the same frame number" if None not in found else "some images have no number"
        whole = all(isinstance(image_id, int) for image_id in images)
        note(path, "images", f"{reason}, so their {'ids place' if whole else 'order places'} them.")
        placed = {each: each if whole and isinstance(each, int) else row for row, each in enumerate(images)}
    pairs = [(placed[image_id], person) for image_id in images for person in of_image[image_id]]
    return frames_of(path, [*placed.values()], [number for number, _ in pairs], [person for _, person in pairs])


def _flagged(people: list[Detection]) -> list[Detection]:
    """With visibility flags 0, 1 and 2 as the confidences 0 (missing), 0.5 and 1; other numbers are confidences."""
    flags = np.concatenate([np.zeros(0), *(person.confidence for person in people if person.confidence is not None)])
    if not np.isin(flags, (0, 1, 2)).all():
        return people
    found = []
    for person in people:
        flag = np.asarray(person.confidence)
        found.append(replace(person, points=np.where(flag[:, None] > 0, person.points, np.nan), confidence=flag / 2))
    return found


def _one_size(images: list[dict[str, Any]]) -> tuple[int, int] | None:
    """The size of the images, if all state the same."""
    sides = [side for image in images for side in (image.get("width"), image.get("height"))]
    if not all(type(side) is int and 0 < side < 1e9 for side in sides):
        return None
    sizes = {(int(width), int(height)) for width, height in zip(sides[::2], sides[1::2], strict=True)}  # type: ignore[arg-type]
    return next(iter(sizes)) if len(sizes) == 1 else None


def _in_layout(
    path: Path, names: list[str] | None, people: list[Detection], options: ReadOptions
) -> tuple[SkeletonLayout, list[Detection]]:
    """The layout of the names, or of the caller where the file has none, and the people with its joints."""
    joints = {len(person.points) for person in people}
    if joints != {len(names or people[0].points)}:
        expected = f"the {len(names)} joints of the category" if names else "the same number of joints of everybody"
        raise bad_file(path, "annotations", f"expected {expected}, got {sorted(joints)[:8]}.")
    if names is None:
        layout = options.layout_of(path, joints=joints.pop())
        return layout, body_parts(layout, people)
    layout, order = layout_of_names(path, names, options)
    return layout, [Detection(p.points[order], np.asarray(p.confidence)[order], p.track) for p in people]


def _names(
    path: Path, content: dict[str, Any], entries: list[dict[str, Any]], options: ReadOptions
) -> list[str] | None:
    """The joint names of the category of the people; None where none has names and the caller gives a layout."""
    used = {entry["category_id"] for entry in entries if isinstance(entry.get("category_id"), int)}
    found: dict[Any, list[str]] = {}
    for category in list_of(path, "categories", content.get("categories", []), dict):
        names = category.get("keypoints")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            found[category.get("id") if isinstance(category.get("id"), int) else None] = names
    chosen = [names for number, names in found.items() if number in used] or list(found.values())
    if any(names != chosen[0] for names in chosen):
        raise bad_file(path, "categories", "people of several categories with other keypoints; split the file.")
    if not chosen and options.layout is None:
        raise bad_file(path, "categories", "expected one that names its keypoints; or give layout=.")
    return chosen[0] if chosen else None


def _frame_number(image: dict[str, Any], image_id: int | str) -> int | None:
    """What the image states, else the number in its name, else in its id; None for names without a number."""
    frame = image.get("frame_id")
    if type(frame) is int and abs(frame) < 1e15:
        return frame
    number = number_in(image.get("file_name"), image_id if isinstance(image_id, int) else number_in(image_id, -1))
    return None if number < 0 else number


def _image_id(path: Path, place: str, entry: dict[str, Any], key: str = "image_id") -> int | str:
    """A whole number, or a text that is not one."""
    value = entry.get(key)
    if isinstance(value, str) and value:
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else value
    if is_number(value) and 0 <= value < 2**53 and value == int(value):
        return int(value)
    raise bad_file(path, f"{place}.{key}", f"expected a whole number or a name, got {str(value)[:40]!r}.")


def _result_number(path: Path, place: str, entry: dict[str, Any]) -> int:
    image = _image_id(path, place, entry)
    number = image if isinstance(image, int) else number_in(image, -1)
    if number < 0:
        raise bad_file(path, f"{place}.image_id", f"expected a number, or a name with one, got {str(image)[:40]!r}.")
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
