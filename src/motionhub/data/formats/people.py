"""Frames of people as pose programs write them: JSON, JSON lines or a folder with one file per frame -> one clip.

`frames.py` says what a frame is, and `persons.py` what a person is.
"""

import warnings
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from motionhub.data.formats.clock import place_stamps, seconds_per_stamp
from motionhub.data.formats.detections import (
    MAX_PEOPLE,
    Detection,
    NumberedFrames,
    body_parts,
    clip_of,
    frame_positions,
    step_of,
)
from motionhub.data.formats.documents import documents_in
from motionhub.data.formats.facts import Facts
from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.folders import beside, grouped, recording_keys, recordings
from motionhub.data.formats.format import FILE_UNITS, ReadOptions, UnstatedFact, layout_of_names
from motionhub.data.formats.frames import POINTS_3D, Frame, frames_in, load_document
from motionhub.data.formats.persons import Person, Program, each_of, filled, kind_of, people_in, people_of
from motionhub.data.formats.presumed import presumed_layout
from motionhub.skeletons.joint_names import own_names
from motionhub.skeletons.layout import MAX_JOINTS, SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS
from motionhub.skeletons.sequence import SkeletonSequence


# So many people in a row who overlap are one person in as many frames; how close, as a fraction of the body.
_MANY, _CLOSE = 8, 0.15
# Coordinates of images are larger.
_METRES = 10.0


class Places(NamedTuple):
    """The place of each frame in the clip, the rate of their time stamps, and the step of their numbers."""

    positions: list[int]
    rate: float | None = None
    step: int = 1


def read_people(path: Path, options: ReadOptions, program: Program) -> list[SkeletonSequence]:
    """The clips of a JSON file, one for each recording, or of a folder with one file per frame.

    Raises ValueError with file, place and reason: no people, people of different kinds, or metadata is unknown.
    """
    if not path.is_dir():
        return clips_in(path, load_document(path), options, program)
    clips = []
    for files in recordings(path).values():
        found = [(number, *frames_in(file, load_document(file), alone=True)) for number, file in files.items()]
        frames = [replace(frame, number=number, stamp=None, place=f"file {number}") for number, (frame,), _ in found]
        clips.append(clip_of_frames(path, frames, found[0][2], options, program))
    return clips


def clips_in(path: Path, content: Any, options: ReadOptions, program: Program) -> list[SkeletonSequence]:
    """The clips of a parsed document, one for each recording."""
    clips = []
    for document in documents_in(path, content):
        frames, facts = frames_in(path, document)
        if len(frames) == 1 and (others := beside(path)):
            text = f"is one frame; {others} more of this recording lie beside it"
            note(path, "file", f"{text}: give the folder {path.parent}.")
        for rows in grouped(recording_keys([frame.video for frame in frames])).values():
            clips.append(clip_of_frames(path, [frames[row] for row in rows], facts, options, program))
    return clips


def clip_of_frames(
    path: Path, frames: list[Frame], facts: Facts, options: ReadOptions, program: Program
) -> SkeletonSequence:
    """One clip; frames are placed by time stamp, else by number, else in their order."""
    if options.unit is not None and FILE_UNITS[options.unit][0] == "metre":
        program = replace(program, points=(*POINTS_3D, *program.points))
    if options.layout is not None:
        layout = options.layout_of(path)
        program = replace(program, joints=(layout.num_joints, layout.num_file_joints or layout.num_joints))
    frames = _in_time(path, frames, program)
    places = places_of(path, frames, facts, options)
    people = people_of(path, frames, program)
    if not program.three and not program.flat and _has_depths(people):
        note(path, "keypoints", "the third column is no score (values below 0 or above 1): read as x, y, z.")
        program = replace(program, three=True)
        people = people_of(path, frames, program)
    placed: list[list[Person]] = [[] for _ in range(max(places.positions) + 1)]
    for position, found in zip(places.positions, people, strict=True):
        placed[position].extend(found)
    _note_left_out(path, frames, program)
    return clip_of_people(
        path, placed, replace(facts, fps=facts.fps or places.rate, step=places.step), options, program
    )


def _has_depths(people: list[list[Person]]) -> bool:
    """Whether the scores are no scores: below 0, or above 1 beside coordinates of metres."""
    found = [person for row in people for person in row if person.scores is not None and person.points.shape[1] == 2]
    if not found:
        return False
    scores = np.concatenate([person.scores for person in found if person.scores is not None])
    reach = np.nanmax(np.abs(np.concatenate([person.points for person in found])), initial=0.0)
    return bool(scores.min() < 0 or (scores.max() > 1 and reach < _METRES))


def _in_time(path: Path, frames: list[Frame], program: Program) -> list[Frame]:
    """The people of the only frame as frames, where each covers the one before: one person, moving.

    Raises ValueError where they do not, but their numbers repeat: nothing says then what a frame is.
    """
    if len(frames) != 1 or frames[0].number is not None or frames[0].stamp is not None:
        return frames
    parts = [[*each_of(entry, program)] for entry in frames[0].people if isinstance(entry, dict)]
    lengths = {len(part) for part in parts}
    if len(parts) > 1 and len(lengths) == 1 and lengths.pop() >= _MANY:  # people with an array over time each
        return _over_time(path, parts, program)
    entries = [each for part in parts for each in part]
    if len(entries) < _MANY:
        return frames
    alone = [Frame(f"entry {row}", [entry]) for row, entry in enumerate(entries)]
    people = [person for frame in alone[:MAX_PEOPLE] for person in people_in(path, frame, program)]
    if _is_one_in_motion(people):
        text = f"{len(entries)} entries without frame numbers, each close to the one before"
        note(path, "frames", f"{text}: read as frames of one person; give each entry its frame if they are people.")
        return alone
    tracks = [person.track for person in people if person.track is not None]
    if len({*tracks}) < len(tracks):
        reason = f"{len(entries)} people, whose numbers repeat, and no number or time of a frame"
        raise bad_file(
            path, "frames", f'{reason}; give each entry its "frame", or make a list of people for each frame.'
        )
    return frames


def _over_time(path: Path, parts: list[list[dict[str, Any]]], program: Program) -> list[Frame]:
    """Frames of the people in `parts`, each with an entry for every frame. Raises ValueError for other arrays."""
    for part in parts:
        if not _is_one_in_motion(people_in(path, Frame("frame 0", [*part[:MAX_PEOPLE]]), program)):
            reason = f"{len(parts)} entries with arrays of {len(part)} people or frames"
            raise bad_file(path, "frames", f"{reason}, which are not clear; make a list of people for each frame.")
    note(path, "frames", f"{len(parts)} entries with arrays of {len(parts[0])}: read as people over time.")
    return [Frame(f"row {row}", list(people)) for row, people in enumerate(zip(*parts, strict=True))]


def _is_one_in_motion(people: list[Person]) -> bool:
    """Whether each person lies on the one before, within a fraction of the body."""
    people = [person for person in people if np.isfinite(person.points).any()]
    if len(people) < _MANY or len({person.points.shape for person in people}) > 1:
        return False
    points = np.stack([person.points for person in people])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # joints that nobody has
        moved = np.nanmedian(np.linalg.norm(np.diff(points, axis=0), axis=-1), axis=1)
        size = np.nanmedian(np.nanmax(points, axis=1) - np.nanmin(points, axis=1), axis=0).max()
    return bool((moved < _CLOSE * size).mean() > 0.9)


def _note_left_out(path: Path, frames: list[Frame], program: Program) -> None:
    """Entries without keypoints, and 3-D keypoints beside those that are read."""
    entries = [entry for frame in frames for entry in frame.people if isinstance(entry, dict)]
    without = sum(not any(key in entry for key in (*program.points, *POINTS_3D)) for entry in entries)
    if 0 < without < len(entries):
        note(path, "frames", f"{without} of {len(entries)} entries have no keypoints and are left out.")
    kinds = [name for name in dict.fromkeys(kind_of(entry) for entry in entries) if name]
    if len(kinds) > 1:
        note(path, "classes", f"people of {', '.join(kinds[:6])} are all read; remove the entries of other classes.")
    flat = next((key for key in program.points if any(entry.get(key) for entry in entries)), "")
    deep = next((key for key in POINTS_3D if any(entry.get(key) for entry in entries)), "")
    if flat and deep and flat not in POINTS_3D:
        note(path, "frames", f'{deep} are left out; unit= with a length ("metre") reads them instead of {flat}.')


def clip_of_people(
    path: Path, frames: list[list[Person]], facts: Facts, options: ReadOptions, program: Program
) -> SkeletonSequence:
    """One clip of the people in each frame; the layout is that of their names, the facts, the caller, the program."""
    people = [person for row in frames for person in row]
    if not people:
        if options.layout is None:
            reason = f"no person has keypoints in any of the {len(frames)} frames"
            raise bad_file(path, "frames", f"{reason}; with layout= that is a clip without people.")
        unit = options.unit_of(path, assumed="pixel")
        return clip_of(path, [[] for _ in frames], options, options.layout_of(path), unit=unit, fps=facts.fps)
    people = filled(people, options, program)
    dims = {person.points.shape[1] for person in people}
    if len(dims) > 1:
        raise bad_file(path, "frames", "some people have 2 and others 3 coordinates a joint; split the recording.")
    layout, chosen = _layout(path, people, facts, options, program)
    numbers = _numbered(path, people)
    several = iter([Detection(*pair, number) for pair, number in zip(chosen, numbers, strict=True)])
    detected = NumberedFrames([next(several) for _ in row] for row in frames)
    detected.step = facts.step
    flat = dims == {2}
    if not flat and options.unit is None and program.unit is None:
        call = f'motionhub.read("{path}", unit="metre")'
        reason = f"the file does not state it; call {call}, or with the unit that it has."
        raise UnstatedFact(str(bad_file(path, "unit of 3-D keypoints", reason)), "unit")
    unit = options.unit_of(path, assumed=_pixels(path, people) if flat and options.unit is None else program.unit)
    size = facts.image_size if flat else None
    up = "-y" if flat else program.up
    return clip_of(
        path, detected, options, layout, unit=unit, fps=facts.fps, image_size=size, dims=min(dims), up=up
    )  # fmt: skip


def places_of(path: Path, frames: list[Frame], facts: Facts, options: ReadOptions) -> Places:
    """Of the frames: by their time stamps, else by their numbers, else in order."""
    stamps = [frame.stamp for frame in frames if frame.stamp is not None]
    numbers = [frame.number for frame in frames if frame.number is not None]
    if len(frames) > 1 and len({*stamps}) == len(frames):
        return _by_stamps(path, stamps, facts, options)
    if len(frames) > 1 and stamps:
        note(path, "time", "not every frame has its own time stamp, so their numbers or their order place them.")
    if len(numbers) < len(frames):
        if numbers:
            note(path, "frame numbers", f"{len(frames) - len(numbers)} frames have none, so their order places them.")
        return Places(list(range(len(frames))))
    if len({*numbers}) < len(numbers):
        again = Counter(numbers).most_common(1)[0][0]
        raise bad_file(path, f"frame {again}", "two frames have this number; a number is one moment of one recording.")
    places = frame_positions(path, numbers)
    return Places([places[number] for number in numbers], step=step_of(places))


def _by_stamps(path: Path, stamps: list[float], facts: Facts, options: ReadOptions) -> Places:
    """Of different time stamps in any order and unit."""
    order = sorted(stamps)
    elapsed = np.array([stamp - order[0] for stamp in order], np.float64)
    stated = replace(options, fps=options.fps_of(path, facts.fps)) if facts.fps else options
    places, rate = place_stamps(path, elapsed * seconds_per_stamp(elapsed, facts.stamps), stated)
    if places[-1] > 100 * len(places) + 10_000:
        reason = f"{len(places)} frames lie {elapsed[-1]:g} apart: these are not the frames of one recording"
        raise bad_file(path, "time", f"{reason}.")
    place_of = dict(zip(order, places.tolist(), strict=True))
    return Places([place_of[stamp] for stamp in stamps], None if facts.fps else rate)


def _layout(
    path: Path, people: list[Person], facts: Facts, options: ReadOptions, program: Program
) -> tuple[SkeletonLayout, list[tuple[np.ndarray, np.ndarray | None]]]:
    """The layout, and the points and scores of its joints of each person."""
    if all(person.names is not None for person in people):
        return _named_layout(path, people, options)
    counts = sorted({len(person.points) for person in people})
    if len(counts) > 1:
        raise bad_file(path, "frames", f"people have different numbers of keypoints: {counts[:8]}.")
    (count,) = counts
    if count in program.first and options.layout is None:
        kept = program.first[count]
        note(path, "joints", f"the first {kept} of {count} keypoints are read: the body, without face and hands.")
        people = [
            replace(p, points=p.points[:kept], scores=p.scores if p.scores is None else p.scores[:kept])
            for p in people
        ]
        count = kept
    known = facts.layout and LAYOUTS.get(facts.layout)
    stated = known if known and known.fits(count) else None
    if stated is None and facts.names is not None and len(facts.names) == count:
        names = [program.joint_types.get(name, name) for name in facts.names]
        layout, order = layout_of_names(path, names, options)
        return layout, [(p.points[order], p.scores if p.scores is None else p.scores[order]) for p in people]
    usual = program.lifted.get(count) if people[0].points.shape[1] == 3 else None
    usual = usual or program.layouts.get(count)
    if stated is None and usual is not None and program.default != "taken":
        points = [person.points for person in people]
        layout = presumed_layout(path, options, usual, points, noted=program.default == "noted")
    else:
        layout = options.layout_of(path, stated, assumed=usual, joints=count)
    if not layout.fits(count):
        reason = f"layout {layout.name!r} has {layout.num_joints} joints, but the people of the file have {count}"
        raise bad_file(path, "layout", f"{reason}; give the layout of their program.")
    if layout.num_joints < count:
        note(path, "joints", f"{layout.num_joints} of {count} keypoints are read: the body, without face and hands.")
    cut = body_parts(layout, [Detection(person.points, person.scores) for person in people])
    return layout, [(each.points, each.confidence) for each in cut]


def _named_layout(
    path: Path, people: list[Person], options: ReadOptions
) -> tuple[SkeletonLayout, list[tuple[np.ndarray, np.ndarray | None]]]:
    """By the names of all people; a joint that a person lacks is missing."""
    kinds = dict.fromkeys(person.names for person in people)
    names = list(dict.fromkeys(name for each in kinds for name in each or ()))
    if len(names) > MAX_JOINTS:
        raise bad_file(path, "joints", f"expected at most {MAX_JOINTS} different names, got {len(names)}.")
    for each in kinds:
        if each is not None and len({*each}) < len(each):
            raise bad_file(path, "joints", f"a person has several keypoints of one name: {list(each)[:8]}.")
    names = _in_known_order(names)
    layout, order = layout_of_names(path, names, options)
    rows = {each: [names.index(name) for name in each or ()] for each in kinds}
    chosen = []
    for person in people:
        if len(person.points) != len(rows[person.names]):
            reason = f"{len(person.points)} keypoints and {len(rows[person.names])} names"
            raise bad_file(path, "joints", f"a person has {reason}; write a name for each.")
        points = np.full((len(names), person.points.shape[1]), np.nan)
        points[rows[person.names]] = person.points
        scores = None if person.scores is None else np.zeros(len(names))
        if scores is not None:
            scores[rows[person.names]] = person.scores
        chosen.append((points[order], None if scores is None else scores[order]))
    return layout, chosen


def _in_known_order(names: list[str]) -> list[str]:
    """The names in the order of a known layout that has just these joints."""
    own = dict(zip(own_names(names), names, strict=True))
    known = next((each for each in LAYOUTS.values() if len(own) == len(names) and {*each.joints} == {*own}), None)
    return names if known is None else [own[joint] for joint in known.joints]


def _numbered(path: Path, people: list[Person]) -> list[int | None]:
    """The person numbers; names are numbered in the order of their appearance, with a note."""
    tracks = [person.track for person in people]
    if not any(isinstance(track, str) for track in tracks):
        return tracks  # type: ignore[return-value]
    number_of = {name: number for number, name in enumerate(dict.fromkeys(t for t in tracks if t is not None))}
    shown = ", ".join(f"{name} is {number}" for name, number in islice(number_of.items(), 4))
    note(path, "people", f"names are numbered in the order of appearance: {shown}{' ...' * (len(number_of) > 4)}.")
    return [None if track is None else number_of[track] for track in tracks]


def _pixels(path: Path, people: list[Person]) -> str:
    """Pixels; or, with a note, fractions of the image where no coordinate is larger than 1.5."""
    points = np.abs(np.concatenate([person.points for person in people]))
    largest = float(np.nanmax(points)) if not np.isnan(points).all() else 9.0
    if largest > 1.5:
        return "pixel"
    note(path, "unit", f"no coordinate is larger than {largest:.3g}, so they are read as fractions of the image.")
    return "normalised"
