"""`motionhub poses`: keypoints of the people in videos."""

import json
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import Engine, NumProc, Progress, Step, steps_of
from motionhub.cli.report import check_new


if TYPE_CHECKING:
    from motionhub.poses.extraction import Extraction
    from motionhub.skeletons.sequence import SkeletonSequence

_VIDEO = "A video, a folder of images (with --fps), or the number of a camera (with --seconds)"
_ESTIMATOR = "mediapipe, rtmlib, vitpose, or other programs' keypoints of the video; auto: the first installed"
_OPTIONS = "Of the estimator, such as num_people=2 follow=false model=pose_landmarker_heavy.task"
_REFINE = "Repair the keypoints by these steps of motionhub refine; none named: the first four"


def poses(
    videos: Annotated[list[str], Argument(metavar="VIDEO", help=_VIDEO)],
    *,
    output: Annotated[Path, Option("-o", "--output", help="New file (.npz, .csv, ...), or folder of several")],
    estimator: Annotated[str, Option(help=_ESTIMATOR)] = "auto",
    options: Annotated[list[str] | None, Option(metavar="KEY=VALUE...", help=_OPTIONS)] = None,
    refine: Annotated[list[Step] | None, Option(metavar="[STEP...]", help=_REFINE)] = None,
    overlay: Annotated[bool, Option(help="Also OUT.overlay.mp4: joints, boxes, track numbers")] = False,
    world: Annotated[bool, Option(help="Also OUT.world.npz: in metres, of estimators that lift")] = False,
    fps: Annotated[float | None, Option(help="Of a folder of images")] = None,
    seconds: Annotated[float | None, Option(help="Stop after so many")] = None,
    min_confidence: Annotated[float, Option(help="A joint below is missing")] = 0.3,
    min_frames: Annotated[int, Option(help="A person in fewer frames is left out")] = 5,
    num_proc: NumProc = None,
    engine: Engine = "datasets",
    progress: Progress = None,
) -> int:
    """Keypoints of the people in videos.

    Finds and follows the people of every VIDEO. One video may go to a file; several go to a folder, one .npz each, and
    a run that was stopped resumes there. No frame is written unless --overlay asks.
    """
    how: dict[str, Any] = {
        "estimator_options": dict(map(_option, options or ())),
        "fps": fps,
        "seconds": seconds,
        "min_confidence": min_confidence,
        "min_frames": min_frames,
        "progress": progress,
    }
    change = partial(refined, steps=steps_of(refine)) if refine else None
    if output.suffix:
        _to_file(videos, output, estimator, how, change, overlay=overlay, world=world)
        return 0
    from motionhub.poses.extraction_job import extract_files

    also = partial(draw, fps=fps) if overlay else None
    jobs: dict[str, Any] = {"num_proc": num_proc, "engine": engine}
    reports = extract_files(videos, output, estimator, world=world, change=change, also=also, **jobs, **how)
    for report in reports:
        _print(report)
    failed = sum("error" in report for report in reports)
    kept = sum(report.get("kept", False) for report in reports)
    print(f"{output}: {len(reports) - failed} of {len(reports)} videos done, {kept} of them before")
    return 1 if failed else 0


def _to_file(
    videos: list[str], out: Path, estimator: str, how: dict[str, Any], change: Any, *, overlay: bool, world: bool
) -> None:
    from motionhub.data.formats.formats import write
    from motionhub.poses.extraction import extract_clip
    from motionhub.poses.extraction_job import changed

    if len(videos) > 1:
        raise ValueError(f"{len(videos)} videos do not fit into {out}; name a folder: -o {out.stem}")
    in_metres = out.with_suffix(".world.npz")
    for file in (out, *([in_metres] if world else [])):
        check_new(file)
    (named,) = videos
    camera = named.isdigit() and not Path(named).exists()
    if camera and overlay:
        raise ValueError("--overlay looks at a video a second time, which a camera does not allow; leave it out.")
    extraction = changed(extract_clip(int(named) if camera else named, estimator, **how), change)
    write(extraction.clip, out)
    _print(extraction.report)
    print(f"{out}: people {extraction.clip.num_people}, frames {extraction.clip.num_frames}")
    if world and extraction.tracks.world is not None:
        print(f"in metres: {write(extraction.tracks.world, in_metres)}")
    if overlay:
        print(f"drawn: {draw(named, extraction, out.with_suffix(''), fps=how['fps'])}")


def refined(clip: "SkeletonSequence", steps: tuple[str, ...]) -> "SkeletonSequence":
    """The clip after steps of `motionhub refine`."""
    from motionhub.pipelines.pose_refinement import refine

    result: SkeletonSequence = refine(clip, steps=steps)
    return result


def draw(video: str, extraction: "Extraction", stem: Path, fps: float | None = None) -> Path:
    """`stem.overlay.mp4`: the video, decoded once more, with what was found in it."""
    from motionhub.data.video.reader import open_video
    from motionhub.poses.extraction import place_in_clip
    from motionhub.visualization.overlay import write_overlay

    source = open_video(video, fps=fps)
    total = extraction.clip.num_frames  # fewer than the video's with --seconds
    placed = ((place_in_clip(source, frame), frame.image) for frame in source.frames())
    images = takewhile(lambda one: one[0] < total, placed)
    path = stem.with_name(f"{stem.name}.overlay.mp4")
    return write_overlay(images, extraction.clip, path, extraction.tracks.boxes)


def _option(text: str) -> tuple[str, Any]:
    """KEY=VALUE; numbers, true and false as such, anything else as text."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise ValueError(f"--options takes KEY=VALUE, got {text!r}.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _print(report: dict[str, Any]) -> None:
    name = report["video"]
    if "error" in report:
        error = report["error"]
        print(error if name in error else f"{name}: {error}")
    elif "people" not in report:
        print(f"{name}: kept, its keypoints were there")
    else:
        size = "x".join(map(str, report["image_size"]))
        uneven = ", variable frame rate" if report["variable_rate"] else ""
        print(f"{name}: {report['frames']} frames at {report['fps']:g} fps, {size}{uneven}, by {report['estimator']}")
        broken = f", {report['broken']} broken frames" if report["broken"] else ""
        seen = f"people {report['people']}, somebody in {report['with_people']} frames"
        print(f"  {seen}, {report['coverage']:.1%} of their joints seen{broken}")
        print(f"  {report['seconds']:.1f} s, {report['frames_per_second']:.1f} frames a second")
