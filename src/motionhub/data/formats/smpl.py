"""Reads files of SMPL rotations and joints: AMASS, SMPL-X and Motion-X parameters, AIST++, and regressors from video.

Rotations become joints by forward kinematics on a mean body (`smpl_body`): AMASS `.npz` (`poses` or `root_orient` and
`pose_body`, `trans`), Motion-X `.npy` (322 columns), MDM `.npy` (`thetas`), AIST++ `.pkl` (`smpl_poses`), WHAM, VIBE
`.pkl` (`pose` of each person). PHALP / 4D-Humans `.pkl` and ROMP `.npz` hold joints, which are read as they are.
Fingers, face and body shape are left out, with a note.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.arrays import NPY_MAGIC, ZIP_MAGIC, archive_of, array_of, names_in, object_of, shape_of
from motionhub.data.formats.detections import MAX_PEOPLE, Detection, clip_of, frames_of
from motionhub.data.formats.files import bad_file, note, read_bytes, read_head
from motionhub.data.formats.folders import first_files, recordings
from motionhub.data.formats.format import Format, ReadOptions, checked_size
from motionhub.data.formats.moments import placed_frames
from motionhub.data.formats.plain_pickle import is_packed, load_pickle, plain
from motionhub.data.formats.smpl_body import joint_positions
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


# Rotations of a person (of which the first present are read), and the translation that belongs to them.
_ROTATIONS = (
    (("pose_world",), ("trans_world",)),
    (("root_orient", "pose_body"), ("trans",)),
    (("global_orient", "body_pose"), ("transl", "trans", "cam_trans")),
    (("smpl_poses",), ("smpl_trans",)),
    (("poses",), ("trans", "transl")),
    (("fullpose",), ("trans",)),
    (("poses_root", "poses_body"), ("trans",)),
    (("pose",), ("trans", "transl")),
    (("smpl_thetas",), ("cam_trans",)),
)
# The first two are of AMASS, which is z up.
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")
_KIND = "surface_model_type"
# Dicts inside which some programs keep the parameters.
_INSIDE = ("smpl", "smpl_params_global", "smplx")
_JOINTS = ("3d_joints", "joints", "joints3d")
# Joints of a body with its rotations -> layout; the joints beyond it are fingers and face.
_BODIES = {22: "smpl-22", 24: "smpl-24", 52: "smpl-22", 55: "smplx-22"}
# Joints of a person in regressors' results -> layout of the first of them.
_REGRESSED = {
    **dict.fromkeys((24, 54, 71), "smpl-24"),
    **dict.fromkeys((44, 45, 49), "body-25"),
    22: "smpl-22",
}
_MOTION_X = 322
# An archive of ROMP has the people of a frame; `joints` beside other rotations repeat them.
_ROMP = frozenset(("cam", "cam_trans", "smpl_thetas"))
# Texts in a pickle.
_MARKS = (
    *((b"smpl_poses",), (b"betas", b"pose"), (b"3d_joints",)),
    *((b"joints3d",), (b"smpl_thetas",), (b"global_orient",), (b"fullpose",), (b"poses_root",)),
)
_WAY_OUT = (
    'save joints (people, frames, 24, 3): numpy.savez("CLIP.npz", keypoints=joints, layout="smpl-24", fps=30, '
    'unit="metre")'
)


@dataclass(frozen=True)
class _Person:
    """`(frames, joints, 3)` points, the numbers of the frames, and the person's number."""

    points: np.ndarray
    frames: list[int] | None = None


def read(path: Path, options: ReadOptions) -> list[SkeletonSequence]:
    """One clip in metres of SMPL's joints: smpl-22, smpl-24 or smplx-22, or of those joints that the file holds.

    AMASS is z up and states its frame rate; AIST++ is y up at 60 frames per second, MDM at 20; results of video are
    in the axes of the camera (y down) and have no frame rate.
    """
    if path.is_dir():
        return [_folder(path, files, options) for files in recordings(path, ".npz").values()]
    content = read_bytes(path)
    if content.startswith(NPY_MAGIC) and shape_of(path, content) == ():
        return [_parameters(path, _generated(path, content), options, fps=20.0, up="y")]
    if content.startswith(NPY_MAGIC):
        return [_parameters(path, _motion_x(path, content), options, fps=30.0)]
    if content.startswith(ZIP_MAGIC):
        return [_of_archive(path, content, options)]
    tree = plain(path, load_pickle(path))
    found = clip_of_parameters(path, tree, options)
    return [_of_people(path, tree, options) if found is None else found]


def clip_of_parameters(path: Path, tree: Any, options: ReadOptions) -> SkeletonSequence | None:
    """The clip of a dict of rotations and translations; None for other content."""
    if isinstance(tree, dict) and _keys_of(tree) is None:
        tree = next((tree[key] for key in _INSIDE if isinstance(tree.get(key), dict)), tree)
    if isinstance(tree, dict) and "smpl_poses" in tree:  # lengths in units of the scaling
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            scaling = _numbers(path, "smpl_scaling", tree.get("smpl_scaling", 1.0)).ravel()[:1]
            moved = {**tree, "smpl_trans": _numbers(path, "smpl_trans", tree.get("smpl_trans", np.zeros(3))) / scaling}
        return _parameters(path, moved, options, fps=60.0, up="y")
    if not isinstance(tree, dict) or _keys_of(tree) is None or "joints" in tree:
        return None
    if isinstance(tree["poses"] if "poses" in tree else None, list) and "jointPositions" in tree:  # 3DPW
        return _several(path, tree, options, fps=30.0)
    return _parameters(path, tree, options)


def _folder(path: Path, files: dict[int, Path], options: ReadOptions) -> SkeletonSequence:
    """The frames of ROMP or BEV, a numbered archive each."""
    frames = {}
    for number, file in files.items():
        arrays = archive_of(file, read_bytes(file), {"results", *_JOINTS}, objects=("results",))
        held = arrays.get("results", arrays)
        if not isinstance(held, dict):
            raise bad_file(file, "results", f"expected a dict of the people of a frame, got {type(held).__name__}.")
        frames[number] = {"time": number, **{key: held[key] for key in (*_JOINTS, "track_ids") if key in held}}
    return _frames(path, frames, options)


def _of_archive(path: Path, content: bytes, options: ReadOptions) -> SkeletonSequence:
    """An AMASS or SMPL-X archive, or one of ROMP: a frame with `joints`, or `results` of a video."""
    wanted = {key for group in _ROTATIONS for part in group for key in part} | {*_RATES, _KIND, "joints", "betas"}
    arrays = archive_of(path, content, {*wanted, "results"}, objects=("results",))
    if "results" in arrays or ("joints" in arrays and _ROMP.intersection(arrays)):
        results = arrays["results"] if "results" in arrays else {"0": {"joints": arrays["joints"]}}
        return _of_people(path, results, options)
    present = {key: arrays[key] for key in arrays if key in wanted}
    rate = next((key for key in _RATES if key in present), None)
    stated = None if rate is None else _numbers(path, rate, present[rate])
    if stated is not None and (stated.size != 1 or not 0 < stated.ravel()[0] < 1e6):
        raise bad_file(path, str(rate), f"expected one positive number, got {stated.ravel()[:4].tolist()}.")
    fps = None if stated is None else float(stated.ravel()[0])
    return _parameters(path, present, options, fps=fps, up="z" if rate in _RATES[:2] else None)


def _motion_x(path: Path, content: bytes) -> dict[str, np.ndarray]:
    rows = array_of(path, "array", content)
    return {"poses": rows[:, :66], "trans": rows[:, 309:312], "betas": rows[:, 312:], "fingers": rows[:, 66:156]}


def _generated(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """`thetas` (24, 6, frames), two rows of each rotation matrix, and `root_translation` (3, frames)."""
    tree = object_of(path, "array", content)
    if not isinstance(tree, dict) or not {"thetas", "root_translation"} <= set(tree):
        raise bad_file(path, "array", "expected a pickled dict with thetas and root_translation.")
    rows, trans = (_numbers(path, key, tree[key]) for key in ("thetas", "root_translation"))
    if rows.ndim != 3 or rows.shape[1] != 6 or trans.shape != (3, rows.shape[2]):
        raise bad_file(
            path, "thetas", f"expected (24, 6, frames) and (3, frames), got {rows.shape} and {trans.shape}."
        )
    checked_size(path, *rows.shape, 2)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        first, second = np.split(rows.transpose(2, 0, 1), 2, axis=-1)
        first = first / np.linalg.norm(first, axis=-1, keepdims=True)
        second = second - (first * second).sum(axis=-1, keepdims=True) * first
        second = second / np.linalg.norm(second, axis=-1, keepdims=True)
        matrices = np.stack([first, second, np.cross(first, second)], axis=-2)
    return {"poses": matrices, "trans": trans.T}


def _parameters(
    path: Path, content: dict[Any, Any], options: ReadOptions, fps: float | None = None, up: str | None = None
) -> SkeletonSequence:
    """One person by forward kinematics; each one of arrays (people, frames, ...)."""
    keys = _keys_of(content)
    if keys is not None and keys[0] == ("root_orient", "pose_body") and np.ndim(content["root_orient"]) == 3:
        return _several(path, content, options, fps)
    points, layout = _joints(path, "content", content)
    if up == "z" and not _numbers(path, "poses", _rotations(path, "content", content))[:, 0].any():
        note(path, "poses", "the root is never turned, so that the body stands along y, not z: read as y up.")
        up = "y"
    known = options.layout_of(path, _stated_body(content, layout))
    return options.sequence(path, points, known, fps=fps, unit=options.unit_of(path, "metre"), up=up)


def _several(path: Path, content: dict[Any, Any], options: ReadOptions, fps: float | None = None) -> SkeletonSequence:
    """The people of arrays (people, frames, ...) or of lists with an item a person: 3DPW, SLAHMR."""
    keys = _keys_of(content)
    assert keys is not None
    stacked = [key for group in keys for key in group if content.get(key) is not None]
    counts = {len(content[key]) for key in stacked}
    if len(counts) != 1 or not 0 < (count := counts.pop()) <= MAX_PEOPLE:
        raise bad_file(path, "content", f"expected the same people in {stacked}, got {sorted(counts)}.")
    people = {number: {key: content[key][number] for key in stacked} for number in range(count)}
    clip = _people(path, people, options if fps is None else replace(options, fps=options.fps_of(path, fps)))
    return clip.replace(up=None)  # of the scene, which no file states


def _stated_body(content: dict[Any, Any], layout: str) -> SkeletonLayout:
    kind = content.get(_KIND)
    is_smplx = isinstance(kind, np.ndarray) and kind.size == 1 and kind.astype(str).ravel()[0] == "smplx"
    return get_layout("smplx-22" if is_smplx and layout == "smpl-22" else layout)


def _joints(path: Path, place: str, content: dict[Any, Any]) -> tuple[np.ndarray, str]:
    """`(frames, joints, 3)` of the rotations of a person, and the layout's name; notes what is left out."""
    turns = _rotations(path, place, content)
    frames, joints = turns.shape[:2]
    if joints not in _BODIES:
        reason = f"expected rotations of {sorted(_BODIES)} joints, got {joints} (shape {turns.shape})"
        raise bad_file(path, place, f"{reason}; from joints: {_WAY_OUT}.")
    layout = _BODIES[joints]
    kept = get_layout(layout).num_joints
    keys = _keys_of(content)
    trans = next((content[key] for key in (keys or ((), ()))[1] if content.get(key) is not None), None)
    moved = None if trans is None else _numbers(path, f"{place}.trans", trans)
    if moved is not None and moved.shape not in ((frames, 3), (3,), (1, 3)):
        raise bad_file(path, f"{place}.trans", f"expected ({frames}, 3), got {moved.shape}.")
    checked_size(path, frames, kept, 9)
    _note_left_out(path, place, content, joints - kept, trans is None)
    return joint_positions(turns[:, :kept], None if moved is None else moved.reshape(-1, 3)), layout


def _note_left_out(path: Path, place: str, content: dict[Any, Any], fingers: int, still: bool) -> None:
    shape = content.get("betas")
    parts = []
    poses = content.get("poses")
    if fingers or content.get("fingers") is not None or (isinstance(poses, np.ndarray) and poses.shape[-1] > 72):
        parts.append("fingers and face are left out")
    if isinstance(shape, np.ndarray) and shape.dtype.kind in "iuf" and shape.any():
        parts.append("the body shape (betas) is not applied: bones have the lengths of a mean body")
    if still:
        parts.append("there is no translation, so that the body stays in one place")
    if parts:
        note(path, place, "; ".join(parts) + ".")


def _keys_of(content: dict[Any, Any]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The keys of rotations and of translations in the content of a file."""
    return next((group for group in _ROTATIONS if all(content.get(key) is not None for key in group[0])), None)


def _rotations(path: Path, place: str, content: dict[Any, Any]) -> np.ndarray:
    """`(frames, joints, 3)` axis-angle, or `(frames, joints, 3, 3)` matrices."""
    keys = _keys_of(content)
    if keys is None:
        expected = " or ".join("+".join(group[0]) for group in _ROTATIONS)
        raise bad_file(path, place, f"expected rotations {expected}, got the keys {list(content)[:12]}.")
    parts = [_numbers(path, f"{place}.{key}", content[key]) for key in keys[0]]
    parts = [part[None] if part.ndim == 1 else part for part in parts]
    matrices = {part.ndim >= 3 and part.shape[-2:] == (3, 3) for part in parts}
    if len(matrices) > 1 or any(part.ndim not in (2, 3, 4) or part.shape[-1] % 3 or not part.size for part in parts):
        raise bad_file(path, place, f"expected axis-angles or matrices, got {[part.shape for part in parts]}.")
    single = (3, 3) if matrices == {True} else (3,)
    shaped = [part.reshape(len(part), -1, *single) for part in parts]
    if len({len(part) for part in shaped}) > 1:
        raise bad_file(path, place, f"{keys[0]} differ in their frames: {[part.shape for part in parts]}.")
    return np.concatenate(shaped, axis=1)


def _numbers(path: Path, place: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise bad_file(path, place, f"cannot be read ({error}).") from None
    if array.dtype.kind not in "iuf":
        raise bad_file(path, place, f"expected numbers, got {array.dtype} of shape {array.shape}.")
    return array.astype(np.float64)


def _of_people(path: Path, tree: Any, options: ReadOptions) -> SkeletonSequence:
    """Results of a video: a dict of frames with people, or of people with frames."""
    if not isinstance(tree, dict) or not tree or not all(isinstance(value, dict) for value in tree.values()):
        shown = list(tree)[:8] if isinstance(tree, dict) else type(tree).__name__
        raise bad_file(path, "content", f"results of an SMPL regressor in an unknown form ({shown}); {_WAY_OUT}.")
    frames = all(any(key in value for key in ("3d_joints", "joints", "tid")) for value in tree.values())
    return _frames(path, tree, options) if frames else _people(path, tree, options)


def _frames(path: Path, tree: dict[Any, Any], options: ReadOptions) -> SkeletonSequence:
    """PHALP and ROMP: `{image: {joints of people, ids of people}}`."""
    times = [value.get("time") for value in tree.values()]
    numbers = list(range(len(times)))
    if all(type(time) is int and 0 <= time < 2**31 for time in times) and len(set(times)) == len(times):
        numbers = [int(time) for time in times if time is not None]
    found = [
        (number, points, track)
        for number, (name, value) in zip(numbers, tree.items(), strict=True)
        for points, track in _detected(path, str(name)[:60], value)
    ]
    counts = {len(points) for _, points, _ in found}
    if len(counts) > 1:
        raise bad_file(path, "joints", f"frames differ in the number of joints: {sorted(counts)}.")
    layout = _regressed_layout(path, counts.pop() if counts else 24, options)
    cut = [Detection(layout.body_part(points)[: layout.num_joints], None, track) for _, points, track in found]
    rows = frames_of(path, numbers, [number for number, _, _ in found], cut)
    points = np.array([row.points for row in cut]).reshape(-1, layout.num_joints, 3)
    up = _camera_up(points, layout)
    unit = options.unit_of(path, "metre")
    return clip_of(path, rows, options, layout, unit=unit, dims=3, up=up)


def _detected(path: Path, place: str, frame: dict[Any, Any]) -> Iterator[tuple[np.ndarray, int | None]]:
    """`(joints, 3)` and the number of each person of a frame."""
    key = next((key for key in _JOINTS if frame.get(key) is not None), None)
    if key is None:
        return
    given = frame.get("tid", frame.get("track_ids"))
    tracks = None if given is None else _numbers(path, f"{place}.tid", given).ravel().tolist()
    if not isinstance(frame[key], list) and np.ndim(frame[key]) < 2:
        raise bad_file(path, f"{place}.{key}", f"expected joints of people, got {str(frame[key])[:40]}.")
    people = [_numbers(path, f"{place}.{key}", person) for person in frame[key]]
    if tracks is not None and len(tracks) != len(people):
        raise bad_file(path, place, f"{len(people)} people have {len(tracks)} person numbers.")
    for row, points in enumerate(people):
        joints = points[0] if points.ndim == 3 and len(points) == 1 else points
        if joints.ndim != 2 or joints.shape[1] != 3:
            raise bad_file(path, f"{place}.{key}", f"expected (joints, 3) of each person, got {points.shape}.")
        yield joints, int(tracks[row]) if tracks is not None and abs(tracks[row]) < 2**31 else None


def _regressed_layout(path: Path, count: int, options: ReadOptions) -> SkeletonLayout:
    if options.layout is not None:
        given = options.layout_of(path)
        if given.fits(count) or _REGRESSED.get(count) == given.name:
            return given
    layout = options.layout_of(path, _REGRESSED.get(count))
    if count > layout.num_joints:
        text = f"of {count} joints the first {layout.num_joints} are read, in the order of {layout.name}"
        note(path, "joints", f"{text}; the others repeat them or lie on the surface.")
    return layout


def _camera_up(points: np.ndarray, layout: SkeletonLayout) -> str:
    """`-y`, the camera's, of `(..., joints, 3)`; `y` where the heads are there."""
    head = layout.index("head" if "head" in layout.joints else "nose")
    with np.errstate(over="ignore", invalid="ignore"):
        rises = points[..., head, 1] - points[..., layout.index("mid_hip"), 1]
    known = rises[np.isfinite(rises)]
    return "y" if known.size and np.median(known) > 0 else "-y"


def _people(path: Path, tree: dict[Any, Any], options: ReadOptions) -> SkeletonSequence:
    """WHAM and VIBE: `{person: {rotations, frame_ids}}`."""
    layouts, people = set(), {}
    for name, value in tree.items():
        place = f"person {str(name)[:20]}"
        points, layout = _joints(path, place, value)
        layouts.add(layout)
        people[name] = _Person(points, _frame_ids(path, place, value, len(points)))
    if len(layouts) > 1:
        raise bad_file(path, "content", f"people of different bodies: {sorted(layouts)}.")
    known = options.layout_of(path, layouts.pop())
    numbers = [frame for person in people.values() for frame in person.frames or range(len(person.points))]
    if not numbers:
        raise bad_file(path, "content", "expected frames of people, got none.")
    places, options = placed_frames(path, numbers, options)
    positions = dict(zip(numbers, places.tolist(), strict=True))
    length = int(places.max()) + 1
    checked_size(path, len(people), length, known.num_joints, 4)
    keypoints = np.full((len(people), length, known.num_joints, 3), np.nan, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, person in enumerate(people.values()):
            own = [positions[frame] for frame in person.frames or range(len(person.points))]
            keypoints[row, own] = person.points
    tracks = tuple(name for name in people if type(name) is int and 0 <= name < 2**31)
    world, up = all(_keys_of(value) == _ROTATIONS[0] for value in tree.values()), _camera_up(keypoints, known)
    return options.sequence(
        path,
        keypoints,
        known,
        unit=options.unit_of(path, "metre"),
        track_ids=tracks if len(tracks) == len(people) else None,
        up=None if world and up == "-y" else up,
    )


def _frame_ids(path: Path, place: str, person: dict[Any, Any], length: int) -> list[int] | None:
    given = next((person[key] for key in ("frame_ids", "frame_id") if person.get(key) is not None), None)
    if given is None:
        return None
    numbers = _numbers(path, f"{place}.frame_ids", given).ravel()
    if len(numbers) != length or not (np.abs(numbers) < 2**31).all() or len(np.unique(numbers)) < length:
        raise bad_file(path, f"{place}.frame_ids", f"expected {length} different frame numbers, got {len(numbers)}.")
    return [int(number) for number in numbers]


def matches(path: Path, head: bytes) -> bool:
    """An archive or pickle with rotations of SMPL or a regressor's joints, a folder of such, an array of Motion-X."""
    if path.is_dir():
        return any(names_in(file, read_head(file)) == {"results"} for file in first_files(path, ".npz", 1))
    if head.startswith(NPY_MAGIC):
        return shape_of(path, head)[1:] == (_MOTION_X,) or _holds(path, head, ((b"'|O'", b"root_translation"),))
    if head.startswith(ZIP_MAGIC):
        return _is_archive(names_in(path, head))
    if is_packed(head):
        return True
    return len(head) > 2 and head[0] == 0x80 and _holds(path, head, _MARKS)


def _holds(path: Path, head: bytes, marks: tuple[tuple[bytes, ...], ...]) -> bool:
    """Whether all texts of one group are in a file; the first of an array in its header."""
    if head.startswith(NPY_MAGIC) and marks[0][0] not in head[:200]:
        return False
    try:
        content = read_bytes(path)
    except ValueError:
        return False
    return any(all(mark in content for mark in group) for group in marks)


def _is_archive(names: frozenset[str]) -> bool:
    rotations = any(names.issuperset(group[0]) and names.intersection((*group[1], "betas")) for group in _ROTATIONS)
    return "keypoints" not in names and (rotations or names == {"results"})


FORMAT = Format(
    name="smpl",
    title="SMPL rotations (AMASS, SMPL-X, AIST++) or joints of an SMPL regressor",
    matches=matches,
    read=read,
    container="binary",
    signature="poses and trans (or root_orient and pose_body) of SMPL as .npz or .pkl; results of WHAM, PHALP or ROMP",
    needs=("fps",),
)
