"""Tables at the end of the `--help` of some commands, made only when the help is shown."""

import textwrap
from collections.abc import Callable, Iterable, Mapping


def datasets_and_protocols() -> str:
    """The names of the datasets and their protocols."""
    from motionhub.data.datasets.datasets import DATASETS

    rows = {name: _shortened(each.name for each in DATASETS[name].protocols) for name in sorted(DATASETS)}
    end = "Other spellings, such as NTU-60, utd or Toyota Smarthome, are accepted. All protocols are built at once."
    return f"datasets: protocols\n{_table(rows)}\n\n{textwrap.fill(end, 100)}"


def formats_and_layouts() -> str:
    """The formats that can be read and written."""
    from motionhub.data.datasets.datasets import DATASETS
    from motionhub.data.formats.formats import FORMATS, WRITERS

    writers = {each.name: f"{each.title} ({each.suffix or 'a folder'})" for each in WRITERS.values()}
    readers = {each.name: each.title for each in FORMATS.values()}
    listed = ", ".join(sorted(DATASETS))
    datasets = textwrap.fill(listed, 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return (
        f"formats written (--to):\n{_table(writers)}\n\nformats read, recognised by content:\n{_table(readers)}\n\n"
        f"and the files of these datasets:\n{datasets}\n\njoint layouts (--layout, --in_layout): motionhub info "
        "--layouts lists them; the path of a layout's .yaml\nfile is accepted too"
    )


# By the name of the command.
TABLES: dict[str | None, Callable[[], str]] = {"build": datasets_and_protocols, "convert": formats_and_layouts}


def list_of_layouts() -> str:
    """One line per joint layout: its name, joints (of those in files with face and hands), dims, and who writes it."""
    from motionhub.skeletons.layouts import LAYOUTS

    rows = []
    for name, layout in LAYOUTS.items():
        dims, _, what = layout.description.partition("; ")
        whole = f" of {layout.num_file_joints}" if layout.num_file_joints else ""
        rows.append((name, f"{layout.num_joints}{whole} joints", dims, what))
    return columns(rows)


def columns(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of texts in columns, each as wide as its longest text."""
    rows = list(rows)
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    lines = ("".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _shortened(names: Iterable[str]) -> str:
    """The names, with the variants of one protocol as one entry: `leave-out-subject-1 ... 10`."""
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
