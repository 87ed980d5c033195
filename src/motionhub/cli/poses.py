"""`motionhub poses`: the part of the command line that makes keypoints of videos.

It computes nothing itself (`motionhub.poses`). Every import that costs time is inside the command.
"""

import argparse
import json
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from motionhub.poses.extraction import Extraction
    from motionhub.skeletons.sequence import SkeletonSequence


def add_command(commands: Any) -> None:
    """Adds the command to the subparsers of `motionhub`."""
    poses = commands.add_parser(
        "poses",
        help="keypoints of the people in videos",
        description="Finds and follows the people of every VIDEO. One video may go to a file; several go to a folder, "
        "one .npz each, and a run that was stopped goes on where it was. No frame is written unless --overlay asks.",
    )
    source = "a video, a folder of pictures (with --fps), or the number of a camera (with --seconds)"
    poses.add_argument("videos", nargs="+", metavar="VIDEO", help=source)
    poses.add_argument("-o", "--output", required=True, metavar="OUT", help="new file (.npz, .csv, ...), or a folder")
    names = "mediapipe, rtmlib, vitpose, or another program's keypoints of the video (default: the first installed)"
    poses.add_argument("--estimator", default="auto", metavar="NAME", help=names)
    own = "of the estimator, such as num_people=2 follow=false model=pose_landmarker_heavy.task"
    poses.add_argument("--options", nargs="+", default=[], metavar="KEY=VALUE", help=own)
    steps = ("swaps", "outliers", "gaps", "savitzky-golay", "one-euro")
    mend = f"mend the keypoints before they are written; of {', '.join(steps)} (none named: the first four)"
    poses.add_argument("--refine", nargs="*", default=None, choices=steps, metavar="STEP", help=mend)
    poses.add_argument("--overlay", action="store_true", help="also OUT.overlay.mp4: joints, boxes, track numbers")
    poses.add_argument("--world", action="store_true", help="also OUT.world.npz: in metres, of estimators that lift")
    poses.add_argument("--fps", type=float, default=None, help="of a folder of pictures")
    poses.add_argument("--seconds", type=float, default=None, help="stop after so many")
    poses.add_argument("--min_confidence", type=float, default=0.3, help="a joint below is missing (default 0.3)")
    poses.add_argument("--min_frames", type=int, default=5, help="who is there for fewer is left out (default 5)")
    poses.add_argument("--num_proc", type=int, default=None, help="processes, for several videos")
    poses.add_argument("--engine", choices=("datasets", "ray"), default="datasets", help="ray: many machines")
    poses.add_argument("--progress", action=argparse.BooleanOptionalAction, default=None, help="default: on terminals")
    poses.set_defaults(run=_poses)


def _poses(arguments: argparse.Namespace) -> int:
    options = {
        "estimator_options": dict(map(_option, arguments.options)),
        "fps": arguments.fps,
        "seconds": arguments.seconds,
        "min_confidence": arguments.min_confidence,
        "min_frames": arguments.min_frames,
        "progress": arguments.progress,
    }
    change = None if arguments.refine is None else partial(mended, steps=tuple(arguments.refine))
    out = Path(arguments.output)
    if out.suffix:
        return _one(arguments, out, change, options)
    from motionhub.poses.extraction_job import extract_files

    reports = extract_files(
        arguments.videos,
        out,
        arguments.estimator,
        world=arguments.world,
        change=change,
        also=partial(draw, fps=arguments.fps) if arguments.overlay else None,
        num_proc=arguments.num_proc,
        engine=arguments.engine,
        **options,
    )
    for report in reports:
        _print(report)
    failed = sum("error" in report for report in reports)
    kept = sum(report.get("kept", False) for report in reports)
    print(f"{out}: {len(reports) - failed} of {len(reports)} videos done, {kept} of them before")
    return 1 if failed else 0


def _one(arguments: argparse.Namespace, out: Path, change: Any, options: dict[str, Any]) -> int:
    from motionhub.data.formats.formats import find_writer, write
    from motionhub.poses.extraction import extract_clip
    from motionhub.poses.extraction_job import changed

    find_writer(out)  # a suffix that nobody writes, or a file that is there, is said before the work
    if len(arguments.videos) > 1:
        raise ValueError(f"{len(arguments.videos)} videos do not fit into {out}; name a folder: -o {out.stem}")
    world = out.with_suffix(".world.npz")
    for file in (out, *([world] if arguments.world else [])):
        if file.exists():
            raise ValueError(f"{file} exists and is not overwritten; choose another name, or remove it.")
    named = arguments.videos[0]
    camera = named.isdigit() and not Path(named).exists()
    if camera and arguments.overlay:
        raise ValueError("--overlay looks at a video a second time, which a camera does not allow; leave it out.")
    video = int(named) if camera else named
    extraction = changed(extract_clip(video, arguments.estimator, **options), change)
    write(extraction.clip, out)
    _print(extraction.report)
    print(f"{out}: people {extraction.clip.num_people}, frames {extraction.clip.num_frames}")
    if arguments.world and extraction.tracks.world is not None:
        print(f"in metres: {write(extraction.tracks.world, world)}")
    if arguments.overlay:
        print(f"drawn: {draw(named, extraction, out.with_suffix(''), fps=arguments.fps)}")
    return 0


def mended(clip: "SkeletonSequence", steps: tuple[str, ...]) -> "SkeletonSequence":
    """The clip after the named steps of `motionhub refine`; the usual ones when none is named."""
    from motionhub.pipelines.pose_refinement import DEFAULT_STEPS, refine

    result: SkeletonSequence = refine(clip, steps=steps or DEFAULT_STEPS)
    return result


def draw(video: str, extraction: "Extraction", stem: Path, fps: float | None = None) -> Path:
    """`stem.overlay.mp4`: the video, decoded once more, with what was found in it."""
    from motionhub.data.video.reader import open_video
    from motionhub.poses.extraction import place_in_clip
    from motionhub.visualization.overlay import write_overlay

    source = open_video(video, fps=fps)
    total = extraction.clip.num_frames  # fewer than the video's with --seconds
    placed = ((place_in_clip(source, frame), frame.image) for frame in source.frames())
    pictures = takewhile(lambda one: one[0] < total, placed)
    path = stem.with_name(f"{stem.name}.overlay.mp4")
    return write_overlay(pictures, extraction.clip, path, extraction.tracks.boxes)


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
