"""Recordings for the viewer rerun (extra `view`): people, video, intervals, angles and scores on one time line."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.atomic import write_bytes
from motionhub.kinematics.measurements import Measurements, measure
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.canvas import need, side_colour
from motionhub.visualization.measurements import SIDE_COLOURS


Rows = Sequence[Mapping[str, Any]]
Curves = Mapping[str, tuple[Any, Any]]
TIME = "time"
_UP = {"y": "Y_UP", "-y": "Y_DOWN", "z": "Z_UP", "-z": "Z_DOWN", "x": "X_UP", "-x": "X_DOWN"}
_JOINT, _BONE = 4.0, 2.0  # radii in points of the screen, which suit every unit


def write_rerun(
    sequences: SkeletonSequence | Sequence[SkeletonSequence],
    path: str | Path,
    *,
    video: str | Path | None = None,
    intervals: Rows | None = None,
    scores: Curves | None = None,
) -> Path:
    """Writes a recording for the viewer rerun: `rerun clip.rrd` opens it, with one bar for the time of everything.

    3-D people with bones; 2-D people over the video; intervals as states, a lane per person, and their scores as
    curves; joint angles as curves, a tab per joint. Nothing is sent anywhere.

    Args:
        sequences: one motion, or its 2-D and 3-D keypoints. Angles are those of the 3-D ones, if there are any.
        path: the `.rrd` file, whole or not at all.
        video: of the 2-D keypoints, an MP4 file, which becomes part of the recording.
        intervals: rows `{"track_id", "start_s", "end_s", "label"}`, perhaps with a `"score"`, of a segmentation
            pipeline or `read_intervals`.
        scores: name, such as `"person 0 fall down"` -> times in seconds, and values.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, two sequences of as many dims, no frame, intervals of another recording, or a video
            that the viewer does not play.
        WriteError: the disk is full or read-only.
        ImportError: the extra `view` is not installed.

    Examples:
        >>> clip = motionhub.generate("wave", seed=0, num_frames=10)
        >>> rows = [{"track_id": 0, "start_s": 0.0, "end_s": 0.2, "label": "wave", "score": 0.9}]
        >>> path = motionhub.write_rerun(clip, "wave.rrd", intervals=rows)  # doctest: +SKIP
    """
    path = Path(path)
    clips = [sequences] if isinstance(sequences, SkeletonSequence) else list(sequences)
    if path.suffix.lower() != ".rrd":
        raise ValueError(f"{path}: a recording of rerun is written as .rrd, got {path.suffix!r}.")
    if not clips or len({clip.num_dims for clip in clips}) < len(clips):
        raise ValueError(f"Expected a sequence, or one in 2-D and one in 3-D, got {clips}.")
    if any(clip.num_frames == 0 for clip in clips):
        raise ValueError("Expected a clip with at least one frame to view, got 0 frames.")
    rows = _rows_within(intervals or (), max(clip.duration for clip in clips), 1 / clips[0].fps)
    rr = need("rerun", "view")
    stream = rr.RecordingStream("motionhub", make_default=False, make_thread_default=False)
    content = stream.binary_stream()
    with _strictly(rr):
        stream.send_recording_name(path.stem)
        for clip in clips:
            _log_people(rr, stream, clip)
        if video is not None:
            _log_video(rr, stream, Path(video))
        measured = _measured(max(clips, key=lambda clip: clip.num_dims))
        if measured is not None:
            _log_angles(rr, stream, measured)
        curves = {**_curves_of(rows), **(scores or {})}
        lanes = _lanes(rows)
        _log_states(rr, stream, lanes)
        for name, (times, values) in curves.items():
            columns = rr.Scalars.columns(scalars=np.asarray(values, np.float64))
            _send(rr, stream, rr.new_entity_path(["scores", name]), times, columns)
        stream.send_blueprint(_blueprint(clips, measured, video=video, states=bool(lanes), scores=bool(curves)))
    write_bytes(path, content.read())
    return path


@contextmanager
def _strictly(rr: Any) -> Iterator[None]:
    """Errors of the viewer's library are raised; by default it logs them and goes on."""
    before = rr.strict_mode()
    rr.set_strict_mode(True)
    try:
        yield
    finally:
        rr.set_strict_mode(before)


def _send(rr: Any, stream: Any, path: str, times: Any, columns: Any) -> None:
    index = rr.TimeColumn(TIME, duration=np.asarray(times, np.float64))
    stream.send_columns(path, indexes=[index], columns=columns)


def _root(clip: SkeletonSequence) -> str:
    return "world" if clip.num_dims == 3 else "camera"


def _log_people(rr: Any, stream: Any, clip: SkeletonSequence) -> None:
    """Joints with their names, and bones, of every frame; without those that are missing."""
    points_of, strips_of = (rr.Points3D, rr.LineStrips3D) if clip.num_dims == 3 else (rr.Points2D, rr.LineStrips2D)
    root, times, names = _root(clip), np.arange(clip.num_frames) / clip.fps, clip.layout.joints
    colours = np.array([side_colour(name) for name in names], np.uint8)
    joints = [rr.AnnotationInfo(index, name, tuple(colours[index])) for index, name in enumerate(names)]
    described = rr.ClassDescription(info=rr.AnnotationInfo(0, clip.layout.name), keypoint_annotations=joints)
    stream.log(root, rr.AnnotationContext([described]), static=True)
    if clip.num_dims == 3:
        stream.log(root, getattr(rr.ViewCoordinates, f"RIGHT_HAND_{_UP[clip.up or 'y']}"), static=True)
    bones = np.array([pair for pair in clip.layout.bone_indices if pair[0] != pair[1]]).reshape(-1, 2)
    look = {"radii": rr.Radius.ui_points(_JOINT), "class_ids": 0, "show_labels": False}
    for person, track in enumerate(clip.track_ids or ()):
        points, valid = clip.keypoints[person], clip.joint_mask[person]
        path = f"{root}/person_{track}"
        stream.log(f"{path}/joints", points_of.from_fields(**look), static=True)
        columns = points_of.columns(positions=points[valid], keypoint_ids=np.nonzero(valid)[1])
        _send(rr, stream, f"{path}/joints", times, columns.partition(valid.sum(axis=1)))
        drawn = valid[:, bones].all(axis=-1)  # (frames, bones)
        stream.log(f"{path}/bones", strips_of.from_fields(radii=rr.Radius.ui_points(_BONE)), static=True)
        ends = points[:, bones][drawn]  # (drawn, 2, dims)
        columns = strips_of.columns(strips=ends, colors=colours[bones[np.nonzero(drawn)[1], 0]])
        _send(rr, stream, f"{path}/bones", times, columns.partition(drawn.sum(axis=1)))


def _log_video(rr: Any, stream: Any, video: Path) -> None:
    """The file, and which of its frames is shown when."""
    try:
        asset = rr.AssetVideo(path=video)
        stamps = np.sort(asset.read_frame_timestamps_nanos())
    except Exception as error:  # of several classes, by what is wrong
        why = str(error).splitlines()[0]
        raise ValueError(f"{video}: the viewer plays MP4 files (H.264, H.265, AV1, VP9) ({why}).") from None
    stream.log("camera/video", asset, static=True)
    times = (stamps - stamps[0]) / 1e9
    _send(rr, stream, "camera/video", times, rr.VideoFrameReference.columns_nanos(stamps))


def _measured(clip: SkeletonSequence) -> Measurements | None:
    """Joint angles; None for a layout without joints that have any."""
    try:
        measured = measure(clip)
    except ValueError:
        return None
    return measured if measured.angle_names else None


def _kind(angle: str) -> tuple[str, str]:
    """`("knee_flexion", "left")`; a side of "" for the trunk."""
    side, _, rest = angle.partition("_")
    return (rest, side) if side in ("left", "right") else (angle, "")


def _log_angles(rr: Any, stream: Any, measured: Measurements) -> None:
    for index, name in enumerate(measured.angle_names):
        kind, side = _kind(name)
        for person, track in enumerate(measured.track_ids):
            path = f"angles/{kind}/person_{track}/{side or 'trunk'}"
            look = {"names": f"person {track} {side}".strip(), "colors": _rgb(SIDE_COLOURS[side])}
            stream.log(path, rr.SeriesLines(**look), static=True)
            columns = rr.Scalars.columns(scalars=measured.angles[person, :, index].astype(np.float64))
            _send(rr, stream, path, measured.times, columns)
    if measured.notes:
        stream.log("notes", rr.TextDocument("\n\n".join(measured.notes)), static=True)


def _rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def _rows_within(rows: Rows, duration: float, shortest: float) -> list[dict[str, Any]]:
    """Rows with an end in the recording; a point in time lasts one frame.

    Raises:
        ValueError: all lie after the end of the recording.
    """
    if rows and all(row["start_s"] >= duration for row in rows):
        first = min(row["start_s"] for row in rows)
        raise ValueError(
            f"The recording ends at {duration:.2f} s and its first interval starts at {first:.2f} s; are these labels "
            "of another one?"
        )
    ends = [max(min(row["end_s"], duration), row["start_s"] + shortest) for row in rows]
    return [{**row, "end_s": end} for row, end in zip(rows, ends, strict=True)]


def _lanes(rows: Rows) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by person, in as many lanes as it takes for none to overlap."""
    lanes: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["start_s"], row["end_s"])):
        name, number = _who(row), 1
        while name in lanes and lanes[name][-1]["end_s"] > row["start_s"]:
            number += 1
            name = f"{_who(row)} ({number})"
        lanes.setdefault(name, []).append(row)
    return dict(sorted(lanes.items()))


def _who(row: Mapping[str, Any]) -> str:
    return "clip" if row.get("track_id") is None else f"person {row['track_id']}"


def _log_states(rr: Any, stream: Any, lanes: Mapping[str, Rows]) -> None:
    """A state from the start to the end of every interval."""
    for name, rows in lanes.items():
        changes: dict[float, str] = {}
        for row in rows:
            changes[float(row["start_s"])] = str(row["label"])
            changes[float(row["end_s"])] = ""  # no state; overwritten by what starts at this moment
        columns = rr.StateChange.columns(state=list(changes.values()))
        _send(rr, stream, rr.new_entity_path(["intervals", name]), list(changes), columns)


def _curves_of(rows: Rows) -> Curves:
    """The scores of intervals, a curve per person and label with gaps between them; none where all are 1."""
    if all(row.get("score", 1.0) == 1.0 for row in rows):
        return {}
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for row in sorted(rows, key=lambda row: row["start_s"]):
        times, values = curves.setdefault(f"{_who(row)} {row['label']}", ([], []))
        times += [row["start_s"], row["end_s"], row["end_s"] + 1e-6]
        values += [row["score"], row["score"], np.nan]
    return curves


def _blueprint(
    clips: Sequence[SkeletonSequence],
    measured: Measurements | None,
    *,
    video: str | Path | None,
    states: bool,
    scores: bool,
) -> Any:
    """People above; states, scores and angles below, all on one time line."""
    views = need("rerun.blueprint", "view")
    people = [
        views.Spatial3DView(origin="world", name="3-D") if clip.num_dims == 3 else _image_view(views, clip)
        for clip in sorted(clips, key=lambda clip: -clip.num_dims)
    ]
    if video is not None and all(clip.num_dims == 3 for clip in clips):
        people.append(views.Spatial2DView(origin="camera", name="video"))
    rows, shares = [views.Horizontal(*people)], [3.0]
    if states:
        rows.append(views.StateTimelineView(origin="intervals", name="intervals"))
        shares.append(1.0)
    if scores:
        rows.append(views.TimeSeriesView(origin="scores", name="scores"))
        shares.append(1.0)
    if measured is not None:
        kinds = dict.fromkeys(_kind(name)[0] for name in measured.angle_names)
        tabs = [
            views.TimeSeriesView(origin=f"angles/{kind}", name=f"{kind.replace('_', ' ')} (degrees)") for kind in kinds
        ]
        notes = [views.TextDocumentView(origin="notes", name="notes")] if measured.notes else []
        rows.append(views.Tabs(*tabs, *notes))
        shares.append(1.5)
    panels = [panel(state="collapsed") for panel in (views.BlueprintPanel, views.SelectionPanel)]
    layout = views.Vertical(*rows, row_shares=shares)
    return views.Blueprint(layout, views.TimePanel(state="collapsed", timeline=TIME), *panels)


def _image_view(views: Any, clip: SkeletonSequence) -> Any:
    """2-D keypoints in the frame of their image."""
    if clip.image_size is None:
        return views.Spatial2DView(origin="camera", name="2-D")
    width, height = clip.image_size
    bounds = views.VisualBounds2D(x_range=[0, width], y_range=[0, height])
    return views.Spatial2DView(origin="camera", name="2-D", visual_bounds=bounds)
