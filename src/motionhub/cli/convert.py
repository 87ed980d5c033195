"""`motionhub convert`: the part of the command line that writes skeleton files in another format.

It computes nothing itself. Every import that costs time is inside the command.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motionhub.cli.help_tables import add_late_help, formats_and_layouts, in_units


def add_convert(commands: Any, add_unit_options: Callable[[argparse.ArgumentParser], None]) -> None:
    """Adds the command to the subparsers of `motionhub`; the options for units are the caller's."""
    summary = "write a skeleton file in another format, layout or frame rate, or as seen by a camera"
    convert = commands.add_parser("convert", help=summary, description=summary.capitalize(), add_help=False)
    add_late_help(convert, formats_and_layouts)
    convert.add_argument("file", metavar="IN", help="any readable file, or folder of OpenPose files")
    convert.add_argument("out", metavar="OUT", help="new file; its suffix tells the format (none: an OpenPose folder)")
    convert.add_argument("--to", default=None, metavar="FORMAT", help="the format, where the suffix does not tell it")
    convert.add_argument("--layout", default=None, help="joint layout to convert to")
    convert.add_argument("--fps", type=float, default=None, help="frames per second to resample to")
    person = "only this person: the position in the file, from 0 (not the track id)"
    convert.add_argument("--person", type=int, default=None, metavar="INDEX", help=person)
    view = (
        "3-D as pixels (without perspective, of --image_size, default 1920 1080): degrees about the vertical, and "
        "above the horizon; 0 looks against the axis z, a Kinect's own view is 180 0"
    )
    degrees = ("AZIMUTH", "ELEVATION")
    convert.add_argument("--project", type=float, nargs=2, default=None, metavar=degrees, help=view)
    axes = ("x", "y", "z", "-x", "-y", "-z")
    convert.add_argument(
        "--up", choices=axes, default="y", help="with --project: IN's axis that points up (default y)"
    )
    convert.add_argument("--in_layout", default=None, help="joint layout of IN, if it does not say it")
    convert.add_argument("--in_fps", type=float, default=None, help="frames per second of IN, if it does not say it")
    add_unit_options(convert)
    # --layout and --fps are what comes out.
    convert.set_defaults(run=_convert, input_flags={"layout": "--in_layout", "fps": "--in_fps"})


def _convert(arguments: argparse.Namespace) -> int:
    from motionhub.data.formats.formats import find_writer, write

    out = Path(arguments.out)
    writer = find_writer(out, arguments.to)
    clips = _converted(arguments)
    if writer.encode_all is not None:
        write(clips, out, arguments.to)
        paths = [out] * len(clips)
    else:
        numbered = [out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(len(clips))]
        paths = [out] if len(clips) == 1 else numbered
        for path, clip in zip(paths, clips, strict=True):
            write(clip, path, arguments.to)
    for path, clip in zip(paths, clips, strict=True):
        facts = f"people {clip.num_people}, frames {clip.num_frames} at {clip.fps:g} fps"
        print(f"{path}: {facts}, {clip.num_dims}-D in {in_units(clip.unit)}, layout {clip.layout.name}")
    return 0


def _converted(arguments: argparse.Namespace) -> list[Any]:
    """The clips of IN: one person, another layout, another frame rate, a picture, in this order."""
    from motionhub.data.datasets.reading import read
    from motionhub.skeletons.convert import convert_layout, resample
    from motionhub.skeletons.layouts import get_layout

    layout = None if arguments.layout is None else get_layout(arguments.layout)
    size = None if arguments.image_size is None else tuple(arguments.image_size)
    options = {"layout": arguments.in_layout, "fps": arguments.in_fps, "unit": arguments.unit}
    clips = read(arguments.file, **options, image_size=None if arguments.project else size)
    if not clips:
        raise ValueError(f"{arguments.file}: it holds no clip; there is nothing to write.")
    if arguments.person is not None:
        clips = [clip.person(arguments.person) for clip in clips]
    if layout is not None:
        converted = [convert_layout(clip, layout, return_report=True) for clip in clips]
        print(converted[0][1])  # the clips of a file have one layout
        clips = [clip for clip, _ in converted]
    if arguments.fps is not None:
        clips = [resample(clip, arguments.fps) for clip in clips]
    if arguments.project is not None:
        from motionhub.data.views.picture import picture_of

        azimuth, elevation = arguments.project
        picture = size or (1920, 1080)
        clips = [picture_of(clip, azimuth, elevation, picture, up=arguments.up) for clip in clips]
    return clips
