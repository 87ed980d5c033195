"""Names and units in words: the tables that end a command's `--help`, looked up only when they are asked for.

It does not know what the commands do.
"""

import argparse
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class LateHelp(argparse.Action):
    """`--help` that ends with a text made at that moment, so that no other call pays for what the text needs.

    Args:
        more: the text, without a line break at its end.
    """

    def __init__(self, option_strings: list[str], dest: str, *, more: Callable[[], str]) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="show this help message and exit")
        self.more = more

    def __call__(self, parser: argparse.ArgumentParser, *words: Any) -> None:
        print(f"{parser.format_help()}\n{self.more()}")
        parser.exit()


def add_late_help(command: argparse.ArgumentParser, more: Callable[[], str]) -> None:
    """For a parser made with `add_help=False`."""
    command.add_argument("-h", "--help", action=LateHelp, more=more)


def data_sets_and_protocols() -> str:
    """The names of the data sets, and the protocols each is built with."""
    from motionhub.data.datasets.datasets import DATASETS

    rows = {name: _shortened(each.name for each in DATASETS[name].protocols) for name in sorted(DATASETS)}
    end = "Other spellings, such as NTU-60, utd or Toyota Smarthome, are understood. All protocols are built at once."
    return f"data sets: protocols\n{_table(rows)}\n\n{textwrap.fill(end, 100)}"


def formats_and_layouts() -> str:
    """What can be read and written, and where the layouts are listed."""
    from motionhub.data.datasets.datasets import DATASETS
    from motionhub.data.formats.formats import FORMATS, WRITERS

    writers = {each.name: f"{each.title} ({each.suffix or 'a folder'})" for each in WRITERS.values()}
    readers = {each.name: each.title for each in FORMATS.values()}
    data_sets = textwrap.fill(", ".join(sorted(DATASETS)), 100, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(
        (
            f"formats written (--to):\n{_table(writers)}\n",
            f"formats read, recognised by content:\n{_table(readers)}\n",
            f"and the files of these data sets:\n{data_sets}\n",
            "joint layouts (--layout, --in_layout): motionhub info --layouts lists them; the path of a layout's .yaml",
            "file will do too",
        )
    )


def list_of_layouts() -> str:
    """One line a joint layout: its name, and how many joints it has, of which the first."""
    from motionhub.skeletons.layouts import LAYOUTS

    shown = {
        name: f"{layout.num_joints} joints: {', '.join(layout.joints[:4])}, ..." for name, layout in LAYOUTS.items()
    }
    return _table(shown)


def in_units(unit: str) -> str:
    """What coordinates are measured in, in words: metres, pixels, normalised units."""
    return "normalised units" if unit == "normalised" else f"{unit}s"


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
