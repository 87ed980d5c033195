"""`motionhub convert`: skeleton files in another format."""

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from motionhub.cli.options import READABLE, ImageSize, Unit
from motionhub.cli.report import in_units


_PROJECT = (
    "3-D to pixels (orthographic, of --image_size, default 1920 1080): degrees about the vertical, and above the "
    "horizon; 0 looks against the z axis, a Kinect's own view is 180 0"
)


def convert(
    file: Annotated[str, Argument(metavar="IN", help=READABLE)],
    out: Annotated[Path, Argument(help="New file; its suffix names the format (none: an OpenPose folder)")],
    *,
    to: Annotated[str | None, Option(help="The format, if the suffix does not name it")] = None,
    layout: Annotated[str | None, Option(help="Joint layout to convert to")] = None,
    fps: Annotated[float | None, Option(help="Frames per second to resample to")] = None,
    person: Annotated[int | None, Option(help="Only this person: position from 0, not the track id")] = None,
    project: Annotated[tuple[float, float] | None, Option(metavar="AZIMUTH ELEVATION", help=_PROJECT)] = None,
    up: Annotated[Literal["x", "y", "z", "-x", "-y", "-z"], Option(help="With --project: the up axis of IN")] = "y",
    in_layout: Annotated[str | None, Option(help="Joint layout of IN, if it does not state it")] = None,
    in_fps: Annotated[float | None, Option(help="Frames per second of IN, if it does not state it")] = None,
    unit: Unit = None,
    image_size: ImageSize = None,
) -> None:
    """Write a skeleton file in another format, layout or frame rate, or projected by a camera."""
    from motionhub.data.formats.formats import find_writer
    from motionhub.skeletons.convert import convert_layout, resample
    from motionhub.skeletons.layouts import get_layout

    writer = find_writer(out, to)
    target = None if layout is None else get_layout(layout)
    clips = _read(file, layout=in_layout, fps=in_fps, unit=unit, image_size=None if project else image_size)
    if person is not None:
        clips = [clip.person(person) for clip in clips]
    if target is not None:
        converted = [convert_layout(clip, target, return_report=True) for clip in clips]
        report = converted[0][1]  # the clips of a file have one layout
        print(f"{report}\n{report.summary}")
        clips = [clip for clip, _ in converted]
    if fps is not None:
        clips = [resample(clip, fps) for clip in clips]
    if project is not None:
        from motionhub.data.views.cameras import project_to_pixels

        clips = [project_to_pixels(clip, *project, image_size or (1920, 1080), up=up) for clip in clips]
    _write(clips, out, to, together=writer.encode_all is not None)


def _read(file: str, **options: Any) -> list[Any]:
    """The clips of IN; an error names --in_layout and --in_fps, as --layout and --fps are those of OUT."""
    from motionhub.data.datasets.reading import read
    from motionhub.data.formats.format import UnstatedFact

    try:
        clips = read(file, **options)
    except UnstatedFact as error:
        error.option = {"layout": "in_layout", "fps": "in_fps"}.get(error.option, error.option)
        raise
    if not clips:
        raise ValueError(f"{file}: expected at least one clip, found none.")
    return clips


def _write(clips: list[Any], out: Path, to: str | None, *, together: bool) -> None:
    """Writes one file, or OUT-0, OUT-1, ... of several clips in a format that holds one."""
    from motionhub.data.formats.formats import write

    if together:
        write(clips, out, to)
    for number, clip in enumerate(clips):
        path = out if together or len(clips) == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")
        if not together:
            write(clip, path, to)
        facts = f"people {clip.num_people}, frames {clip.num_frames} at {clip.fps:g} fps"
        print(f"{path}: {facts}, {clip.num_dims}-D in {in_units(clip.unit)}, layout {clip.layout.name}")
