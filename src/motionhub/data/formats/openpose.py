"""Reads and writes OpenPose's `--write_json`: a folder with one JSON object per frame.

Faces and hands are left out, with a note. Written files hold the track ids in `person_id`, where OpenPose itself
writes -1.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.detections import Detection, body_parts, clip_of, frames_of, scored_detection
from motionhub.data.formats.files import (
    bad_file,
    list_of,
    load_object,
    nan_at_origin,
    note,
    number_array,
    read_head,
)
from motionhub.data.formats.folders import beside, first_files, number_in, recordings
from motionhub.data.formats.format import FILE_UNITS, Format, ReadOptions, UnstatedFact
from motionhub.data.formats.frames import load_document, moment_of
from motionhub.data.formats.writing import Writer, file_tracks, scored_keypoints, short
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Joints of a person -> the layout that is read unless the caller states another. 17, 26 and 133 are written by
# AlphaPose and by Pose2Sim, 18 without scores by tf-pose.
LAYOUTS = {
    25: "body-25",
    18: "openpose-18",
    15: "openpose-15",
    135: "body-135",
    17: "coco-17",
    26: "halpe-26",
    133: "coco-wholebody-133",
}
WRITTEN = ("body-25", "openpose-18")
_KEYS_2D = ("pose_keypoints_2d", "pose_keypoints")  # the shorter name is that of OpenPose before 1.3
_KEY_3D = "pose_keypoints_3d"
# In trunks: how far BODY_25's middle of the hips is from there in other models' joints.
_FAR = 0.3

# The people of a frame that begins empty, or with a long header.
_TOP = re.compile(rb'\s*\{[^{\[]*"people"\s*:')

People = list[dict[str, Any]]
_LENGTHS = {unit: factor for unit, (kept, factor) in FILE_UNITS.items() if kept == "metre"}


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip for each recording in the folder, `(people, frames, joints, 2)` pixels; or the one frame of a file.

    With 3-D keypoints only, or with a unit of length, `(people, frames, joints, 3)` in the unit of the calibration,
    which must be given. 25 joints are read as BODY_25 unless `layout` states another (BODY_25B). A joint at exactly
    the origin with score 0 is missing (NaN). Frames are ordered by the number in their name; an absent number is a
    frame without people. Where `person_id` is -1, tracking finds the identities.
    """
    if not path.is_dir():
        return [_clip(path, _one_file(path), options)]
    return [_named_recording(path, name, files, options) for name, files in recordings(path).items()]


def _named_recording(folder: Path, name: str, files: dict[int, Path], options: ReadOptions) -> SkeletonSequence:
    """One recording of a folder; errors name the folder and the recording."""
    try:
        return _clip(folder, {number: _listed(files[number]) for number in sorted(files)}, options)
    except UnstatedFact:
        raise  # it suggests a call for the folder
    except ValueError as error:
        about_folder = f"{folder}: "
        if not name or not str(error).startswith(about_folder):
            raise
        raise bad_file(folder, f"recording {name}", str(error).removeprefix(about_folder)) from None


def _one_file(path: Path) -> dict[int, tuple[Path, People]]:
    """The frames of a file: one, or those of a list, of lines, or of AlphaPose's output by image name."""
    content = load_document(path)
    if isinstance(content, list):
        return _of_list(path, list_of(path, "frames", content, dict))
    if not isinstance(content, dict):
        raise bad_file(path, "JSON", f"expected an object with people, got {type(content).__name__}.")
    if "people" not in content and content and all(isinstance(v, dict) and "people" in v for v in content.values()):
        nameless = [name for name in content if number_in(name, -1) < 0]
        if nameless and len(content) > 1:
            reason = (
                f"{nameless[0][:40]!r} has no number, so nothing says which frame it is; make a list of the frames"
            )
            raise bad_file(path, "images", f"{reason}, or a file for each recording.")
        numbers = {number_in(name, 0): frame for name, frame in content.items()}
        if len(numbers) < len(content):
            raise bad_file(path, "images", "several image names have the same number; split the recordings.")
        return {number: (path, _people_of(path, numbers[number])) for number in sorted(numbers)}
    others = beside(path)
    if others:
        text = f"is one frame; {others} more of this recording lie beside it"
        note(path, "file", f"{text}: give the folder {path.parent}.")
    return {0: (path, _people_of(path, content))}


def _of_list(path: Path, frames: list[dict[str, Any]]) -> dict[int, tuple[Path, People]]:
    """By their numbers, if each has its own, else in order."""
    if not frames:
        raise bad_file(path, "frames", "expected a non-empty list of frames.")
    numbers = [moment_of(frame)[0] for frame in frames]
    known = [number for number in numbers if number is not None]
    places = known if len({*known}) == len(frames) else range(len(frames))
    placed = dict(zip(places, frames, strict=True))
    return {number: (path, _people_of(path, placed[number])) for number in sorted(placed)}


def _people_of(path: Path, frame: dict[str, Any]) -> People:
    if "people" not in frame:
        raise bad_file(path, "JSON", f"expected an object with 'people', got the keys {list(frame)[:8]}.")
    return list_of(path, "people", frame["people"], dict)


def _listed(path: Path) -> tuple[Path, People]:
    return path, list_of(path, "people", load_object(path, "people")["people"], dict)


def _clip(path: Path, frames: dict[int, tuple[Path, People]], options: ReadOptions) -> SkeletonSequence:
    everybody = [person for _, people in frames.values() for person in people]
    flat, deep = (any(_values(person, keys) for person in everybody) for keys in (_KEYS_2D, (_KEY_3D,)))
    lengths = options.unit is not None and FILE_UNITS[options.unit][0] == "metre"
    dims = 3 if deep and (lengths or not flat) else 2
    _note_what_is_left_out(path, everybody, flat and deep and dims == 2)
    if everybody and not flat and not deep:
        filled = {key for person in everybody for key, value in person.items() if isinstance(value, list) and value}
        held = sorted(filled - {"person_id"})
        if held:
            raise bad_file(path, "people", f"nobody has {_KEYS_2D[0]}, but {held[:8]}; a pose is needed.")
    keys = (_KEY_3D,) if dims == 3 else _KEYS_2D
    detected = [
        (number, person)
        for number, (file, people) in frames.items()
        for row, entry in enumerate(people)
        for person in _person(file, f"people[{row}]", entry, keys, options)
    ]
    people = [person for _, person in detected]
    layout = _layout(path, sorted({len(person.points) for person in people}), options)
    _check_body(path, layout, people, options)
    rows = frames_of(path, list(frames), [number for number, _ in detected], body_parts(layout, people))
    unit = options.unit_of(path, assumed="pixel" if dims == 2 else _unit_of_bodies(path, people, options))
    return clip_of(path, rows, options, layout, unit=unit, dims=dims, up="-y" if dims == 2 else None)


def _unit_of_bodies(path: Path, people: list[Detection], options: ReadOptions) -> str | None:
    """The unit in which 3-D bodies have the size of people, with a note; no file states it."""
    seen = [person.points[np.isfinite(person.points).all(axis=1)] for person in people]
    with np.errstate(over="ignore"):
        sizes = [np.ptp(points, axis=0).max() for points in seen if len(points) > 1]
    size = float(np.median(sizes)) if sizes else 0.0
    found = next((unit for unit, factor in _LENGTHS.items() if 0.8 < size * factor < 2.6), None)
    if options.unit is not None:
        return None
    if found is None:
        reason = f'3-D keypoints are in the unit of the calibration; call motionhub.read("{path}", unit="metre")'
        raise UnstatedFact(str(bad_file(path, "unit", f"{reason} or with the true one.")), "unit")
    note(path, "unit", f"no unit is stated; bodies of {size:.3g} are read in {found}s; unit= states another one.")
    return found


def _values(person: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((person[key] for key in keys if person.get(key)), None)


def _note_what_is_left_out(path: Path, people: People, deep: bool) -> None:
    parts = [
        part
        for part in ("face", "hand_left", "hand_right")
        if any(person.get(f"{part}_keypoints_{dims}") for person in people for dims in ("2d", "3d"))
    ]
    if parts:
        note(path, "people", f"{', '.join(parts)} keypoints are left out; only the body is read.")
    if deep:
        note(path, "people", 'the 3-D keypoints are left out; unit="metre" (or their true unit) reads them instead.')


def _person(
    path: Path, place: str, entry: dict[str, Any], keys: tuple[str, ...], options: ReadOptions
) -> list[Detection]:
    """The person; nobody where only a hand or face is detected."""
    values = _values(entry, keys)
    if values is None:
        return []
    numbers = number_array(path, place, values)
    track = entry.get("person_id")
    track = track[0] if isinstance(track, list) and len(track) == 1 else track
    own = track if isinstance(track, int) and not isinstance(track, bool) else None
    width = _width(path, place, numbers, keys, options)
    table = numbers.reshape(-1, width)
    if width == 4:
        scores = np.nan_to_num(table[:, 3])
        return [Detection(nan_at_origin(table[:, :3], scores), scores, own)]
    return [scored_detection(table, own) if width == 3 else Detection(nan_at_origin(table), None, own)]


def _width(path: Path, place: str, numbers: np.ndarray, keys: tuple[str, ...], options: ReadOptions) -> int:
    """Numbers of a joint: x, y, score; without scores x, y; of 3-D keypoints x, y, z, score."""
    if numbers.ndim == 1 and numbers.size:
        if keys == (_KEY_3D,):
            if numbers.size % 4 == 0:
                return 4
        else:
            for width in (3, 2):
                count, rest = divmod(numbers.size, width)
                own = options.layout is not None and options.layout_of(path).fits(count)
                if not rest and (own or (options.layout is None and count in LAYOUTS)):
                    return width
            if numbers.size % 3 == 0:
                return 3
    known = ", ".join(f"{3 * count} numbers ({name})" for count, name in LAYOUTS.items())
    raise bad_file(path, place, f"expected {known}, got an array of shape {numbers.shape}.")


def _layout(path: Path, counts: list[int], options: ReadOptions) -> SkeletonLayout:
    if len(counts) > 1:
        raise bad_file(path, "people", f"frames differ in the count of joints per person: {counts}.")
    if not counts:  # without detections nothing shows the layout
        return options.layout_of(path, assumed="body-25")
    layout = options.layout_of(path, assumed=LAYOUTS.get(counts[0]), joints=counts[0])
    if not layout.fits(counts[0]):
        reason = f"layout {layout.name!r} has {layout.num_joints} joints, but the people of the file have {counts[0]}"
        raise bad_file(path, "layout", f"{reason}; give the layout of the model, or leave it out.")
    if layout.num_joints < counts[0]:
        note(path, "people", f"{layout.num_joints} of {counts[0]} joints are read: the body, without face and hands.")
    return layout


def _check_body(path: Path, layout: SkeletonLayout, people: list[Detection], options: ReadOptions) -> None:
    """Notes that 25 joints may be BODY_25B, where the middle of the hips of BODY_25 lies elsewhere."""
    if layout.name != "body-25" or options.layout is not None or not people:
        return
    points = np.stack([person.points for person in people])
    hips = points[:, [layout.index("left_hip"), layout.index("right_hip")]].mean(axis=1)
    middle, neck = (points[:, layout.index(joint)] for joint in ("mid_hip", "neck"))
    with np.errstate(over="ignore", invalid="ignore"):
        far = np.linalg.norm(middle - hips, axis=-1) / np.maximum(np.linalg.norm(neck - middle, axis=-1), 1e-9)
    far = far[np.isfinite(far)]
    if len(far) and np.median(far) > _FAR:
        text = "25 joints are read as body-25, but they do not fit it"
        note(path, "people", f'{text}; if the model was BODY_25B, give layout="body-25b".')


def encode(sequence: SkeletonSequence) -> dict[str, bytes]:
    """File name -> JSON. A missing joint is 0, 0, 0; without confidences a valid joint has score 1.

    A person is listed in the frames with a valid joint; a person who is never detected is all zeros in the first.
    """
    values = scored_keypoints(sequence, "OpenPose JSON", WRITTEN)
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
        found = _TOP.match(head) is not None and b'"keypoints"' not in head
        return found or (b'"people"' in head and b'"pose_keypoints' in head and head.lstrip().startswith((b"{", b"[")))
    first = first_files(path, most=1)
    return bool(first) and matches(first[0], read_head(first[0]))


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
