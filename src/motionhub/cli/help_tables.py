"""Names that the `--help` of a command ends with, looked up only when the help is shown."""

import textwrap
from collections.abc import Callable, Iterable, Mapping


def datasets_and_protocols() -> str:
    """The names of the datasets, and the protocols each is built with."""
    from motionhub.data.datasets.datasets import DATASETS

    rows = {name: _shortened(each.name for each in DATASETS[name].protocols) for name in sorted(DATASETS)}
    end = "Other spellings, such as NTU-60, utd or Toyota Smarthome, are understood. All protocols are built at once."
    return f"datasets: protocols\n{_table(rows)}\n\n{textwrap.fill(end, 100)}"


def formats_and_layouts() -> str:
    """What can be read and written, and where the layouts are listed."""
    from motionhub.data.datasets.datasets import DATASETS
    from motionhub.data.formats.formats import FORMATS, WRITERS

    writers = {each.name: f"{each.title} ({each.suffix or 'a folder'})" for each in WRITERS.values()}
    readers = {each.name: each.title for each in FORMATS.values()}
    datasets = textwrap.fill(", ".join(sorted(DATASETS)), 100, initial_indent="  ", subsequent_indent="  ")
    return (
        f"formats written (--to):\n{_table(writers)}\n\nformats read, recognised by content:\n{_table(readers)}\n\n"
        f"and the files of these datasets:\n{datasets}\n\njoint layouts (--layout, --in_layout): motionhub info "
        "--layouts lists them; the path of a layout's .yaml\nfile will do too"
    )


# By the name of the command.
TABLES: dict[str | None, Callable[[], str]] = {"build": datasets_and_protocols, "convert": formats_and_layouts}


def list_of_layouts() -> str:
    """One line per joint layout: its name, its number of joints and the first of them."""
    from motionhub.skeletons.layouts import LAYOUTS

    shown = {
        name: f"{layout.num_joints} joints: {', '.join(layout.joints[:4])}, ..." for name, layout in LAYOUTS.items()
    }
    return _table(shown)


def _shortened(names: Iterable[str]) -> str:
    """Without the numbered and named variants of one protocol: `leave-out-subject-1` to `-10` are one entry."""
    families: dict[str, list[str]] = {}
    for name in names:
        family = name.rpartition("-")[0]
        families.setdefault(family if family.startswith(("leave-out", "folds-test")) else name, []).append(name)
    return ", ".join(
        same[0] if len(same) == 1 else f"{same[0]} ... {same[-1].rpartition('-')[2]}" for same in families.values()
    )


def _table(rows: Mapping[str, str]) -> str:
    width = max(map(len, rows)) + 4
    return "\n".join(
        textwrap.fill(text, 100, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width)
        for name, text in rows.items()
    )
