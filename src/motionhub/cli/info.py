"""`motionhub info`: what skeleton files hold."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.help_tables import list_of_layouts
from motionhub.cli.options import Fps, ImageSize, Layout, Unit
from motionhub.cli.report import in_units, note


def info(
    files: Annotated[list[str] | None, Argument(metavar="FILE")] = None,
    *,
    layouts: Annotated[bool, Option(help="List the joint layouts")] = False,
    layout: Layout = None,
    fps: Fps = None,
    unit: Unit = None,
    image_size: ImageSize = None,
) -> None:
    """What is in a skeleton file: people, frames, layout, missing joints."""
    from motionhub.data.formats.format import ReadOptions

    if layouts:
        print(list_of_layouts())
    elif not files:
        raise ValueError("info needs a file: motionhub info FILE ..., or motionhub info --layouts.")
    options = ReadOptions(layout=layout, fps=fps, unit=unit, image_size=image_size)
    for file in files or ():
        _describe(file, options)


def _describe(file: str, options: Any) -> None:
    from motionhub.data.datasets.datasets import DATASETS

    form = _find_format(file)
    sequences, dataset = form.read(Path(file), options), DATASETS.get(form.name)
    try:
        facts = None if dataset is None else dataset.annotate(Path(file))
    except ValueError as error:  # a renamed recording: its motion is whole, only its label is not known
        facts = None
        note(f"label unknown: {error}")
    for sequence in sequences:
        print(f"{file}: {form.title}")
        print(
            f"  people {sequence.num_people}, frames {sequence.num_frames}, {sequence.duration:.2f} s at "
            f"{sequence.fps:g} fps, {sequence.num_dims}-D in {in_units(sequence.unit)}, layout {sequence.layout.name}"
        )
        if dataset is not None and facts is not None and facts.label is not None:
            print(f"  label {dataset.class_names[facts.label]!r}, subject {facts.subject}, camera {facts.camera}")
        if sequence.joint_mask.size:
            print(f"  seen {sequence.joint_mask.mean():.1%} of the joints{_least_seen(sequence)}")


def _find_format(file: str) -> Any:
    from motionhub.data.datasets.raw_files import about_zip, starts_like_zip
    from motionhub.data.datasets.reading import find_format

    try:
        return find_format(file)
    except ValueError:
        if starts_like_zip(Path(file)):
            raise ValueError(about_zip(Path(file))) from None
        raise


def _least_seen(sequence: Any) -> str:
    share = sequence.joint_mask.mean(axis=(0, 1))
    worst = int(share.argmin())
    return "" if share[worst] == 1 else f"; least: {sequence.layout.joints[worst]} {share[worst]:.0%}"
