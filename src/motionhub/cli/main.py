"""The `motionhub` command: the table of its commands, and how a command line is run.

Slow imports are inside the functions that need them, so that `--help` answers at once.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer import Option, Typer

from motionhub.cli.app import app_
from motionhub.cli.bundle import bundle
from motionhub.cli.card import card
from motionhub.cli.compare import compare
from motionhub.cli.convert import convert
from motionhub.cli.cut import cut
from motionhub.cli.dataset import dataset
from motionhub.cli.doctor import doctor
from motionhub.cli.evaluate import evaluate
from motionhub.cli.export import export
from motionhub.cli.features import features
from motionhub.cli.info import info
from motionhub.cli.measure import measure
from motionhub.cli.options import Command, Group
from motionhub.cli.poses import poses
from motionhub.cli.predict import predict
from motionhub.cli.push import push
from motionhub.cli.quality import quality
from motionhub.cli.refine import refine
from motionhub.cli.repetitions import repetitions
from motionhub.cli.report import handle_cli_errors
from motionhub.cli.reproduce import reproduce
from motionhub.cli.results import results
from motionhub.cli.search import index, map_, search
from motionhub.cli.segment import segment
from motionhub.cli.serve import serve
from motionhub.cli.train import TrainCommand, train
from motionhub.cli.view import view
from motionhub.cli.watch import watch
from motionhub.cli.web import web
from motionhub.version import __version__


COMMANDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Installation": (doctor,),
    "Skeleton files and videos": (info, convert, poses, refine, cut, view),
    "Actions": (predict, segment, watch),
    "Measurements": (measure, repetitions, compare, quality),
    "Datasets": (dataset, features),
    "Models": (train, evaluate, export),
    "Papers and runs": (reproduce, results),
    "Search": (index, search, map_),
    "Hub": (card, push, bundle),
    "In the browser": (web, app_),
    "Over HTTP": (serve,),
}

app = Typer(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status, 2 for bad input, which is reported in one line on stderr."""
    command = typer.main.get_command(app)
    if "_MOTIONHUB_COMPLETE" in os.environ:
        command.main(prog_name="motionhub")  # answers the shell and ends the program

    def run() -> int | None:
        try:
            with command.make_context("motionhub", list(sys.argv[1:] if argv is None else argv)) as context:
                status: int | None = command.invoke(context)
                return status
        except typer.Exit as left:
            return left.exit_code

    return handle_cli_errors(run)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"motionhub {__version__}")
        raise typer.Exit


@app.callback()
def motionhub(
    version: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Encoders of human motion, from the command line."""


for panel, commands in COMMANDS.items():
    for each in commands:
        if isinstance(each, Typer):
            app.add_typer(each, rich_help_panel=panel)
        else:
            name = each.__name__.rstrip("_")  # `map_`
            app.command(name, cls=TrainCommand if each is train else Command, rich_help_panel=panel)(each)


if __name__ == "__main__":
    sys.exit(main())
