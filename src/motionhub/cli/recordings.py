"""What the commands that measure a motion share: reading one clip of a file, and its up axis."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Option

from motionhub.cli.report import note


Up = Annotated[
    Literal["x", "y", "z", "-x", "-y", "-z"] | None, Option(help="The up axis, if the file does not state it")
]
Number = Annotated[int | None, Option(metavar="N", help="Of a file with several clips, the N-th, from 0")]


def read_clip(file: str, metadata: dict[str, Any], *, number: int | None = None, up: str | None = None) -> Any:
    """One clip of a skeleton file, or of a video by a pose estimator, as a `SkeletonSequence`.

    Raises:
        ValueError: several clips and no number, or no such clip.
    """
    from motionhub.data.datasets.reading import read
    from motionhub.data.video.reader import is_video

    if is_video(file):
        from motionhub.pipelines.skeleton_pipeline import as_sequence

        clips = [as_sequence(file, **metadata)]
    else:
        clips = read(file, **metadata)
    if number is None and len(clips) != 1:
        raise ValueError(f"{file}: expected one clip, got {len(clips)}; choose one: --clip_number N, from 0.")
    if number is not None and not 0 <= number < len(clips):
        raise ValueError(f"{file}: --clip_number must be in 0..{len(clips) - 1}, got {number}.")
    clip = clips[number or 0]
    return clip if up is None else clip.replace(up=up)


def check_files(files: Iterable[str]) -> None:
    """Raises ValueError for a file that is not there: said before a model is loaded, with the nearest name."""
    for file in map(Path, (name for name in files if "://" not in name)):
        if not file.exists():
            there = [each.name for each in file.parent.iterdir()] if file.parent.is_dir() else []
            near = difflib.get_close_matches(file.name, there, n=1, cutoff=0.75)
            hint = f"did you mean {file.parent / near[0]}?" if near else "give the path of a file that can be read."
            raise ValueError(f"{file}: no such file or folder; {hint}")


def note_other_media(intervals: str | Path, files: list[str]) -> None:
    """A note on stderr where an ELAN document says that it annotates another recording than the files."""
    from motionhub.data.formats.interval_files import media_of

    media = media_of(intervals)
    stems = [{Path(name).name.partition(".")[0] for name in names} for names in (media, files)]
    if media and not stems[0] & stems[1]:
        note(f"{intervals} annotates {', '.join(media)}, not {files[0]}: are these labels of another recording?")


def check_suffix(path: Any, option: str, *suffixes: str) -> None:
    """Raises ValueError unless a file to write ends in one of the suffixes."""
    if path is not None and path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} must end in {' or '.join(suffixes)}, got {path.name!r}.")
