"""`motionhub info`: the content of skeleton files."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.help_tables import columns, list_of_layouts
from motionhub.cli.options import with_metadata
from motionhub.cli.report import in_units, note, optional_images


@with_metadata
def info(
    files: Annotated[list[str] | None, Argument(metavar="FILE")] = None,
    *,
    layouts: Annotated[bool, Option(help="List the joint layouts")] = False,
    picture: Annotated[Path | None, Option(help="With --layouts: folder for a drawing of each")] = None,
    joints: Annotated[bool, Option(help="What each joint's name in the file means")] = False,
    metadata: dict[str, Any],
) -> None:
    """What is in a skeleton file: people, frames, layout, missing joints."""
    from motionhub.data.formats.format import ReadOptions

    if layouts:
        print(list_of_layouts())
        if picture is not None:
            _draw_layouts(picture)
    elif not files:
        raise ValueError("info needs a file: motionhub info FILE ..., or motionhub info --layouts.")
    for file in files or ():
        _describe(file, ReadOptions(**metadata), with_joints=joints)


def _draw_layouts(folder: Path) -> None:
    """A standing person in every layout, with the joints' names."""
    from motionhub.skeletons.layouts import LAYOUTS
    from motionhub.skeletons.sequence import SkeletonSequence
    from motionhub.skeletons.standing import standing
    from motionhub.visualization.draw import draw_frame

    with optional_images():
        for name, layout in LAYOUTS.items():
            draw_frame(SkeletonSequence(standing(layout)[None], layout, 1, "metre", up="y"), 0, folder / f"{name}.png")
        print(f"drawn: {len(LAYOUTS)} layouts in {folder}")


def _describe(file: str, options: Any, *, with_joints: bool) -> None:
    from motionhub.data.datasets.datasets import DATASETS
    from motionhub.skeletons.joint_names import recorded_names

    form = _find_format(file)
    with recorded_names() as names:
        sequences, dataset = form.read(Path(file), options), DATASETS.get(form.name)
    try:
        facts = [] if dataset is None else dataset.facts_of(Path(file))
    except ValueError as error:  # a renamed recording: only its label is unknown
        facts = []
        note(f"label unknown: {error}")
    print(f"{file}: {form.title}")
    if len(sequences) > _SCREEN:
        print("\n".join(_summary(sequences, facts, dataset)))
    else:
        for index, sequence in enumerate(sequences):
            label = facts[index] if len(facts) == len(sequences) else None
            print("\n".join(_lines(sequence, label, dataset)))
    if with_joints and sequences:
        print(_table_of_names(names, sequences[0].layout))


# Clips of a file that are described one by one; more are summed up, so that the answer fits a screen.
_SCREEN = 5
_LISTED = 8


def _lines(sequence: Any, facts: Any, dataset: Any) -> list[str]:
    """One clip."""
    lines = [
        f"  people {sequence.num_people}, frames {sequence.num_frames}, {sequence.duration:.2f} s at "
        f"{sequence.fps:g} fps, {sequence.num_dims}-D in {in_units(sequence.unit)}, layout {sequence.layout.name}"
    ]
    if facts is not None and facts.label is not None:
        lines.append(f"  label {dataset.class_names[facts.label]!r}, subject {facts.subject}, camera {facts.camera}")
    if sequence.joint_mask.size:
        lines.append(f"  visible {sequence.joint_mask.mean():.1%} of the joints{_least_visible(sequence)}")
    return lines


def _summary(sequences: Any, facts: Any, dataset: Any) -> list[str]:
    """All clips of a file with many."""
    frames, minutes = [clip.num_frames for clip in sequences], sum(clip.duration for clip in sequences) / 60
    shapes = Counter(f"{clip.num_dims}-D in {in_units(clip.unit)}, layout {clip.layout.name}" for clip in sequences)
    lines = [
        f"  clips {len(sequences)}, frames {_range(frames)}, {sum(frames)} in all, {minutes:.1f} minutes",
        *(f"  {shape}" + (f" ({count} clips)" if len(shapes) > 1 else "") for shape, count in shapes.most_common(3)),
        f"  people {_range(clip.num_people for clip in sequences)}, {_range(clip.fps for clip in sequences)} fps",
    ]
    labels = Counter(dataset.class_names[each.label] for each in facts if each.label is not None)
    lines += [f"  {count:6d} x {name}" for name, count in labels.most_common(_LISTED)]
    lines += [f"  and {len(labels) - _LISTED} more labels"] if len(labels) > _LISTED else []
    subjects = {each.subject for each in facts if each.subject is not None}
    lines += [f"  subjects {len(subjects)}"] if subjects else []
    seen, every = (sum(counts) for counts in zip(*map(_seen, sequences), strict=True))
    return [*lines, f"  visible {seen / max(every, 1):.1%} of the joints"]


def _seen(clip: Any) -> tuple[int, int]:
    return int(clip.joint_mask.sum()), clip.joint_mask.size


def _range(values: Iterable[float]) -> str:
    low, high = min(several := [*values]), max(several)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _table_of_names(names: dict[str, str], layout: Any) -> str:
    """What each name in the file became, or, without names, the joints by position."""
    if not names:
        rows = [
            (str(place), joint, "by position")
            for place, joint in zip(layout.kept_positions, layout.joints, strict=True)
        ]
        return columns([("in the file", "joint", "how"), *rows])
    rows = [(name, joint or "-", _how(name, joint, layout)) for name, joint in names.items()]
    return columns([("name in the file", "joint", "how"), *rows])


def _how(name: str, joint: str, layout: Any) -> str:
    from motionhub.skeletons.joint_names import VOCABULARY, joint_name

    if not joint:
        return "left out"
    if name in layout.names:
        return "by the layout's names"
    if name == joint:
        return "same name"
    if joint not in VOCABULARY:
        return "unknown; kept"
    return "another spelling" if joint_name(name) == joint else "by the other names of the file"


def _find_format(file: str) -> Any:
    from motionhub.data.datasets.raw_files import about_zip, starts_like_zip
    from motionhub.data.datasets.reading import find_format

    try:
        return find_format(file)
    except ValueError:
        if starts_like_zip(Path(file)):
            raise ValueError(about_zip(Path(file))) from None
        raise


def _least_visible(sequence: Any) -> str:
    share = sequence.joint_mask.mean(axis=(0, 1))
    worst = int(share.argmin())
    return "" if share[worst] == 1 else f"; least: {sequence.layout.joints[worst]} {share[worst]:.0%}"
