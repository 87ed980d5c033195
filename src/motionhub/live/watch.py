"""Watches a source: its frames become events, and events go to the outputs. No picture is kept without being asked."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from motionhub.data.video.reader import Video, is_video, open_video
from motionhub.live.event import LiveEvent
from motionhub.live.events import LiveEvents
from motionhub.live.outputs import Output
from motionhub.live.sources import (
    LiveFrame,
    LiveVideo,
    check_source,
    frames_of_lines,
    frames_of_sequence,
    frames_of_video,
    is_live,
)
from motionhub.pipelines.skeleton_pipeline import FACTS, as_sequence
from motionhub.poses.estimators import Estimator, get_estimator


@dataclass(frozen=True)
class Source:
    """What is watched.

    Args:
        frames: as they come.
        facts: `fps`, `layout`, `unit`, `image_size` and `up` of its keypoints.
        seconds: of a recording; None: without end.
        video: of cameras and network streams.
    """

    frames: Iterable[LiveFrame]
    facts: dict[str, Any]
    seconds: float | None = None
    video: LiveVideo | None = None


def open_source(
    source: str,
    *,
    num_dims: int,
    metadata: Mapping[str, Any],
    estimator: str = "auto",
    estimator_options: Mapping[str, Any] | None = None,
    min_confidence: float = 0.3,
    attempts: int | None = None,
    privacy: bool = False,
    lines: TextIO | None = None,
    note: Callable[[str], None] = print,
) -> Source:
    """The source that a command names.

    Args:
        source: "-" for `lines` of JSON, the number of a camera, an address such as rtsp://, a video, a folder of
            images, or a file of keypoints.
        num_dims: of the model; 3 takes metres of an estimator that lifts.
        metadata: `layout`, `fps`, `unit`, `image_size` and, of lines, `up` that the source lacks.
        estimator, estimator_options, min_confidence: of videos, see `poses.extraction.extract_clip`.
        attempts: consecutive failures to open a live video again after which it ends; None: never.
        privacy: True: an estimator that reports to its maker is refused, and no frame keeps its image.
        note: gets a sentence when a live video stops and comes back.

    Raises:
        ValueError: there is no such source, or it lacks metadata.
        ImportError: a video, and PyAV or a pose estimator is not installed.
    """
    if source == "-":
        return _lines(lines or (), metadata)
    check_source(source)
    live = is_live(source)
    if not live and not is_video(source):
        sequence = as_sequence(source, **{name: metadata[name] for name in FACTS})
        facts = {name: getattr(sequence, name) for name in ("fps", "layout", "unit", "image_size", "up")}
        return Source(frames_of_sequence(sequence), facts, sequence.duration)
    found = _finder(estimator, estimator_options, privacy)
    stream = LiveVideo(lambda: _opened(source, metadata["fps"]), note, attempts) if live else None
    video = _opened(source, metadata["fps"]) if stream is None else stream.video
    return _filmed(video, stream, found, min_confidence, world=num_dims == 3, privacy=privacy)


def _finder(estimator: str, options: Mapping[str, Any] | None, privacy: bool) -> Estimator:
    """The pose estimator. Raises ValueError under `privacy` for one that reports to its maker."""
    with warnings.catch_warnings():
        if privacy:  # MediaPipe's newer releases report their use
            warnings.filterwarnings("error", message=".*reports its use")
        try:
            return get_estimator(estimator, options)
        except UserWarning as told:
            raise ValueError(f"--privacy: {told}") from None


def _filmed(
    video: Video, stream: LiveVideo | None, finder: Estimator, min_confidence: float, *, world: bool, privacy: bool
) -> Source:
    """The people of a video, or of a stream that is opened again when it stops."""
    finder.start(video)
    pairs = ((frame, 0) for frame in video.frames()) if stream is None else stream.frames()
    frames = frames_of_video(pairs, finder, min_confidence, world)
    facts: dict[str, Any] = {"fps": video.fps, "layout": finder.layout, "image_size": None if world else video.size}
    facts |= {"unit": "metre" if world else "pixel", "up": "y" if world else "-y"}
    seconds = None if video.num_frames is None else video.num_frames / video.fps
    return Source(map(_without_image, frames) if privacy else frames, facts, seconds, stream)


def _opened(source: str, fps: float | None) -> Video:
    folder_or_stream = "://" in source or Path(source).is_dir() or source.isdigit()
    return open_video(int(source) if source.isdigit() else source, fps=fps if folder_or_stream else None)


def _lines(lines: Iterable[str], metadata: Mapping[str, Any]) -> Source:
    for name in ("layout", "fps"):
        if metadata[name] is None:
            raise ValueError(f"JSON lines state no {name}; give it: --{name} {'coco-17' if name == 'layout' else 30}")
    unit = metadata["unit"] or "pixel"
    facts = {**metadata, "unit": unit, "up": metadata.get("up") or ("-y" if unit == "pixel" else None)}
    return Source(frames_of_lines(lines, metadata["fps"]), facts)


def _without_image(frame: LiveFrame) -> LiveFrame:
    return LiveFrame(frame.keypoints, frame.time, frame.ids, None, frame.dropped, frame.problem)


def watch(
    frames: Iterable[LiveFrame],
    live: LiveEvents,
    outputs: Sequence[Output],
    *,
    seconds: float | None = None,
    pictures: Path | None = None,
    note: Callable[[str], None] = print,
) -> Iterator[LiveEvent]:
    """Yields the events of a source, after they went to the outputs.

    Frames that cannot be read are counted in the totals and told once, as is everything unusual. It ends with the
    source, after `seconds`, or when its caller closes it; the remaining events are then lost: see `last_events`.

    Args:
        pictures: folder for the image of each alarm.
    """
    bad = 0
    for frame in frames:
        live.drop(frame.dropped)
        try:
            if frame.problem is not None:
                raise ValueError(frame.problem)
            events = live.push(frame.keypoints, frame.time, frame.ids)
        except ValueError as error:
            bad += 1
            live.refuse_frame()
            if bad == 1:
                note(f"a frame could not be used: {error} (further ones are only counted)")
            continue
        for event in events:
            if pictures is not None and event.event == "alarm" and frame.image is not None:
                _save_picture(frame.image, pictures / f"alarm_{event.clock.replace(':', '-')}.png")
            for output in outputs:
                output.write(event.to_dict())
            yield event
        if seconds is not None and live.seconds >= seconds:
            return


def last_events(live: LiveEvents, outputs: Sequence[Output]) -> tuple[list[LiveEvent], dict[str, Any]]:
    """Ends a stream: its remaining events, and its totals with the counts of the outputs."""
    events = live.finish()
    for event, output in itertools.product(events, outputs):
        output.write(event.to_dict())
    totals = live.totals()
    for output in outputs:
        output.write({"event": "totals", **totals})
    for output in outputs:
        totals |= output.close()
    return events, totals


def _save_picture(image: Any, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
