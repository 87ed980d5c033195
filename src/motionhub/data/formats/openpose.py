"""Reads and writes OpenPose's `--write_json`: a folder with one JSON object per frame, BODY_25 or COCO-18.

The number of values (75 or 54) identifies the layout. Faces, hands and 3-D output are ignored. Written files hold the
track ids in `person_id`, where OpenPose itself writes -1.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, clip_of, frames_of, scored_detection
from motionhub.data.formats.files import bad_file, list_of, load_object, number_array, read_head
from motionhub.data.formats.format import Format, ReadOptions, UnstatedFact
from motionhub.data.formats.writing import Writer, file_tracks, scored_keypoints, short
from motionhub.skeletons.sequence import SkeletonSequence


# Numbers of a person (x, y, score of each joint) -> layout.
LAYOUTS = {75: "body-25", 54: "openpose-18"}
_NAME = re.compile(r"(.*?)_?(\d{1,15})(?:_keypoints)?\.json", re.IGNORECASE)


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip for each recording in the folder, `(people, frames, 25 or 18, 2)` pixels; or the one frame of a file.

    A joint at exactly (0, 0) with score 0 is missing (NaN). Frames are ordered by the number in their name; an absent
    number is a frame without people. Where `person_id` is -1, tracking finds the identities.
    """
    if not path.is_dir():
        return [_recording(path, {0: path}, options)]
    return [_named_recording(path, name, files, options) for name, files in _recordings(path).items()]


def _recordings(folder: Path) -> dict[str, dict[int, Path]]:
    """Name of the recording -> frame number -> file."""
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in sorted(folder.iterdir()):
        named = _NAME.fullmatch(file.name)
        if named is None or not file.is_file():
            continue
        files = found[named[1]]
        if int(named[2]) in files:
            raise bad_file(folder, file.name, f"has the same frame number as {files[int(named[2])].name}.")
        files[int(named[2])] = file
    return dict(found)


def _named_recording(folder: Path, name: str, files: dict[int, Path], options: ReadOptions) -> SkeletonSequence:
    """One recording of a folder; errors name the folder and the recording."""
    try:
        return _recording(folder, files, options)
    except UnstatedFact:
        raise  # it suggests a call for the folder
    except ValueError as error:
        about_folder = f"{folder}: "
        if not name or not str(error).startswith(about_folder):
            raise
        raise bad_file(folder, f"recording {name}", str(error).removeprefix(about_folder)) from None


def _recording(path: Path, files: dict[int, Path], options: ReadOptions) -> SkeletonSequence:
    unit = options.unit_of(path, assumed="pixel")
    detected = [(number, person) for number in sorted(files) for person in _people(files[number])]
    people = [person for _, person in detected]
    frames = frames_of(path, list(files), [number for number, _ in detected], people)
    lengths = {3 * len(person.points) for person in people}
    if len(lengths) > 1:
        raise bad_file(path, "people", f"frames differ in the count of numbers per person: {sorted(lengths)}.")
    stated = LAYOUTS[lengths.pop()] if lengths else None
    # Without detections nothing shows the layout.
    layout = options.layout_of(path, stated, assumed=None if stated else "body-25")
    return clip_of(path, frames, options, layout, unit=unit)


def _people(path: Path) -> list[Detection]:
    content = load_object(path, "people")
    people = []
    for index, person in enumerate(list_of(path, "people", content["people"], dict)):
        # The shorter name is that of OpenPose before 1.3.
        values = person.get("pose_keypoints_2d", person.get("pose_keypoints"))
        if values:  # empty when only a hand or face is detected
            people.append(_person(path, f"people[{index}]", values, person.get("person_id")))
    return people


def _person(path: Path, place: str, values: Any, person_id: Any) -> Detection:
    numbers = number_array(path, place, values)
    if numbers.ndim != 1 or numbers.size not in LAYOUTS:
        reason = f"expected {' or '.join(f'{size} numbers ({name})' for size, name in LAYOUTS.items())}"
        raise bad_file(path, place, f"{reason}, got an array of shape {numbers.shape}.")
    track = person_id[0] if isinstance(person_id, list) and len(person_id) == 1 else None
    return scored_detection(numbers.reshape(-1, 3), track if isinstance(track, int) else None)


def encode(sequence: SkeletonSequence) -> dict[str, bytes]:
    """File name -> JSON. A missing joint is 0, 0, 0; without confidences a valid joint has score 1.

    A person is listed in the frames with a valid joint; a person who is never detected is all zeros in the first.
    """
    values = scored_keypoints(sequence, "OpenPose JSON", tuple(LAYOUTS.values()))
    tracks = file_tracks(sequence)
    shown = np.any(sequence.joint_mask, axis=-1)
    shown[:, :1] |= ~np.any(shown, axis=1, keepdims=True)
    files = {}
    for frame in range(sequence.num_frames):
        listed = np.flatnonzero(shown[:, frame])
        people = [{"person_id": [tracks[row]], "pose_keypoints_2d": short(values[row, frame])} for row in listed]
        files[f"{frame:012d}_keypoints.json"] = json.dumps({"version": 1.3, "people": people}).encode()
    return files


def matches(path: Path, head: bytes) -> bool:
    """Whether a folder holds OpenPose frames, or a file is one."""
    if not path.is_dir():
        return head.lstrip().startswith(b"{") and b'"people"' in head
    first = next((file for file in sorted(path.iterdir()) if _NAME.fullmatch(file.name) and file.is_file()), None)
    return first is not None and matches(first, read_head(first))


FORMAT = Format(
    name="openpose",
    title="OpenPose JSON (a folder with one file per frame)",
    matches=matches,
    read=read,
    pattern="*_keypoints.json",
    container="json",
    signature='folder of JSON objects, one per frame, with "people", each with 75 or 54 "pose_keypoints_2d"',
    needs=("fps",),
    writer=Writer("openpose", "OpenPose JSON, a folder with one file per frame", "", encode),
)
