"""`motionhub poses`: keypoints of the people in videos."""

from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import Engine, NumProc, Progress, Step, steps_of
from motionhub.cli.report import check_new, counted, note


if TYPE_CHECKING:
    from motionhub.poses.extraction import Extraction

_VIDEO = "A video, a folder of images (with --fps), or the number of a camera (with --seconds)"
_ESTIMATOR = "mediapipe, rtmlib, vitpose, or other programs' keypoints of the video; auto: the first installed"
_OPTIONS = "Options of the estimator, such as num_people=2 follow=false model=pose_landmarker_heavy.task"
_REFINE = "Repair the keypoints by these steps of motionhub refine; by default the first four"


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
    seconds: Annotated[float | None, Option(help="Stop after this time")] = None,
    min_confidence: Annotated[float, Option(help="Joints below are missing")] = 0.3,
    min_frames: Annotated[int, Option(help="Minimum number of frames of a person")] = 5,
    num_proc: NumProc = None,
    engine: Engine = "datasets",
    progress: Progress = None,
) -> int:
    """Keypoints of the people in videos.

    Detects and tracks the people of every VIDEO. One video may go to a file; several go to a folder, one .npz each,
    where an interrupted run resumes. Frames are written with --overlay only.
    """
    from motionhub.pipelines import pose_refinement
    from motionhub.poses.estimators import parse_option

    how: dict[str, Any] = {
        "estimator_options": dict(map(parse_option, options or ())),
        "fps": fps,
        "seconds": seconds,
        "min_confidence": min_confidence,
        "min_frames": min_frames,
        "progress": progress,
    }
    how |= _for_pictures(videos)
    change = partial(pose_refinement.refine, steps=steps_of(refine)) if refine else None
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
    print(f"{output}: {len(reports) - failed} of {len(reports)} videos done, {kept} of them earlier")
    return 1 if failed else 0


def _for_pictures(videos: list[str]) -> dict[str, Any]:
    """Options for single images: a person in one frame counts, and a note says that a pose is no motion."""
    from motionhub.data.video.reader import IMAGE_SUFFIXES

    pictures = [name for name in videos if Path(name).suffix.lower() in IMAGE_SUFFIXES and Path(name).is_file()]
    if not pictures:
        return {}
    if len(pictures) < len(videos):
        raise ValueError(f"Expected videos or pictures, got both: {pictures[0]} is a picture; one call for each kind.")
    note("a picture gives one pose of each person, which holds no motion; a folder of pictures is a video (--fps)")
    return {"min_frames": 1}


def _to_file(
    videos: list[str], out: Path, estimator: str, how: dict[str, Any], change: Any, *, overlay: bool, world: bool
) -> None:
    from motionhub.atomic import check_writable
    from motionhub.data.formats.formats import write
    from motionhub.poses.extraction import extract_clip
    from motionhub.poses.extraction_job import changed

    if len(videos) > 1:
        raise ValueError(f"{out} holds one video, got {len(videos)}; name a folder: -o {out.stem}")
    in_metres = out.with_suffix(".world.npz")
    for file in (out, *([in_metres] if world else [])):
        check_new(file)
    check_writable(out)
    (named,) = videos
    camera = named.isdigit() and not Path(named).exists()
    if camera and overlay:
        raise ValueError("--overlay decodes a video twice, which a camera does not allow; omit it.")
    extraction = changed(extract_clip(int(named) if camera else named, estimator, **how), change)
    write(extraction.clip, out)
    _print(extraction.report)
    print(f"{out}: people {extraction.clip.num_people}, frames {extraction.clip.num_frames}")
    if world and extraction.tracks.world is not None:
        print(f"in metres: {write(extraction.tracks.world, in_metres)}")
    if overlay:
        print(f"drawn: {draw(named, extraction, out.with_suffix(''), fps=how['fps'])}")


def draw(video: str, extraction: "Extraction", stem: Path, fps: float | None = None) -> Path:
    """Writes `stem.overlay.mp4`: the video, decoded again, with its keypoints and boxes."""
    from motionhub.data.video.reader import open_video
    from motionhub.poses.extraction import place_in_clip
    from motionhub.visualization.overlay import write_overlay

    source = open_video(video, fps=fps)
    total = extraction.clip.num_frames  # fewer than the video's with --seconds
    placed = ((place_in_clip(source, frame), frame.image) for frame in source.stored_frames())
    images = takewhile(lambda one: one[0] < total, placed)
    path = stem.with_name(f"{stem.name}.overlay.mp4")
    return write_overlay(images, extraction.clip, path, extraction.tracks.boxes)


def _print(report: dict[str, Any]) -> None:
    name = report["video"]
    if "error" in report:
        error = report["error"]
        print(error if name in error else f"{name}: {error}")
    elif "people" not in report:
        print(f"{name}: kept, its keypoints exist")
    else:
        size = "x".join(map(str, report["image_size"]))
        uneven = ", variable frame rate" if report["variable_rate"] else ""
        frames = counted(report["frames"], "frames")
        print(f"{name}: {frames} at {report['fps']:g} fps, {size}{uneven}, by {report['estimator']}")
        broken = f", {report['broken']} broken frames" if report["broken"] else ""
        detected = f"people {report['people']}, detected in {counted(report['with_people'], 'frames')}"
        print(f"  {detected}, {report['coverage']:.1%} of their joints visible{broken}")
        print(f"  {report['seconds']:.1f} s, {report['frames_per_second']:.1f} frames a second")
