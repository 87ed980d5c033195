"""Options that several commands share; how a command reads its arguments and shows its help."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from itertools import takewhile
from typing import Annotated, Any, Literal

import typer
from typer import Option
from typer.core import TyperCommand, TyperGroup

from motionhub.cli.help_tables import TABLES
from motionhub.hub.packaged import A_MODEL, model_id


def model_option(what: str, panel: str | None = None) -> Any:
    """An option that names a checkpoint: packaged names are completed, `tmor-small` is `motionhub/tmor-small`."""
    return Option(parser=model_id, metavar="MODEL", help=f"{A_MODEL} of {what}", rich_help_panel=panel)


READABLE = "Any readable file, or folder of OpenPose files"
FileOption = partial(Option, rich_help_panel="Metadata that the file lacks")
Layout = Annotated[str | None, FileOption(help="Joint layout, such as coco-17")]
Fps = Annotated[float | None, FileOption(help="Frames per second")]
Unit = Annotated[str | None, FileOption(help="pixel, normalised, metre, centimetre or millimetre")]
ImageSize = Annotated[tuple[int, int] | None, FileOption(metavar="WIDTH HEIGHT", help="In pixels")]

_TWO_STREAMS = "A second stream"
Second = Annotated[str | None, model_option("a second stream (bones) to fuse with", _TWO_STREAMS)]
SecondWeight = Annotated[float, Option(help="Its weight; the first stream has 1", rich_help_panel=_TWO_STREAMS)]
Fusion = Annotated[Literal["logits", "softmax"], Option(help="What is summed", rich_help_panel=_TWO_STREAMS)]

Clip = Annotated[bool, Option(help="One answer for all people of a clip together")]
Json = Annotated[str | None, Option(help="Also write the results as JSON to this file")]
TopK = Annotated[int, Option(help="Number of results")]
BatchSize = Annotated[int, Option(help="Clips per batch")]
NumProc = Annotated[int | None, Option(help="Number of processes")]
Engine = Annotated[Literal["datasets", "ray"], Option(help="ray: on many machines")]
Progress = Annotated[bool | None, Option("--progress/--no-progress", help="Progress bar; by default on terminals")]
CacheDir = Annotated[str | None, Option(help="Folder that HF_HOME names; by default the one in use")]


class Step(StrEnum):
    """A step of `motionhub refine`; `default` is the first four, `none` is none."""

    SWAPS = "swaps"
    OUTLIERS = "outliers"
    GAPS = "gaps"
    SAVITZKY_GOLAY = "savitzky-golay"
    ONE_EURO = "one-euro"
    DEFAULT = "default"
    NONE = "none"


def steps_of(named: list[Step]) -> tuple[str, ...]:
    """The steps of `motionhub.refine` that an option names."""
    from motionhub.pipelines.pose_refinement import DEFAULT_STEPS

    several = {Step.DEFAULT: DEFAULT_STEPS, Step.NONE: ()}
    return tuple(step for name in named for step in several.get(name, (name.value,)))


class Command(TyperCommand):
    """A command of `motionhub`; its parameter `top_k` is the option `--top_k`, and a flag has no `--no-` form.

    An option that takes several values accepts them after one name or after repeated names: `--steps a b` is
    `--steps a --steps b`. Where its metavar starts with `[`, it may have none: `--refine` is `--refine default`. Long
    names may be abbreviated as long as they are unique.
    """

    def __init__(self, name: str | None, *, params: list[Any], **settings: Any) -> None:
        super().__init__(name, params=params, **settings)
        for param in params:
            if param.param_type_name == "argument":
                param.metavar = param.metavar or param.name.upper()
            param.opts = [re.sub(r"(?<=\w)-", "_", each) for each in param.opts]
            if getattr(param, "is_flag", False) and param.default is False:
                param.secondary_opts = []

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(self._spread(ctx, args)))

    def _spread(self, ctx: Any, args: list[str]) -> Iterator[str]:
        options: dict[str, Any] = {
            name: param
            for param in self.get_params(ctx)
            if param.param_type_name == "option"
            for name in (*param.opts, *param.secondary_opts)
        }
        words = list(args)
        while words:
            word = _in_full(words.pop(0), options)
            option = options.get(word)
            if word == "--":
                yield from (word, *words)
                return
            if option is None or getattr(option, "is_flag", True):
                yield word
                continue
            values = list(takewhile(_is_value, words)) if option.multiple else words[: option.nargs]
            del words[: len(values)]
            if option.multiple and not values and option.metavar[0] == "[":
                values = ["default"]
            if option.multiple and not values or any(_in_full(value, options) in options for value in values):
                raise typer.BadParameter(f"expected a value, got {[*values, *words][:1]}", ctx=ctx, param=option)
            yield from (each for value in values for each in (word, value)) if option.multiple else (word, *values)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_panels(self, ctx, formatter)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        if self.name in TABLES:
            formatter.write(f"\n{TABLES[self.name]()}\n")


class Group(TyperGroup):
    """`motionhub` itself, and the commands that have actions."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_panels(self, ctx, formatter)
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            title = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(title, []).append((name, command.get_short_help_str(formatter.width)))
        _write(panels, formatter)


def _format_panels(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments and options by panel. Plain text, not rich: rich cuts names of options off in a narrow terminal."""
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for param in command.get_params(ctx):
        name, text = param.get_help_record(ctx)
        if param.param_type_name == "argument":
            panels["Arguments"].append((name.partition(" <")[0], text))
        else:
            panels.setdefault(getattr(param, "rich_help_panel", None) or "Options", []).append((name, text))
    _write(panels, formatter)


def _write(panels: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    for title, rows in panels.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _is_value(word: str) -> bool:
    """Whether a word is no option: `-5` and `-0.5` are numbers."""
    return not word.startswith("-") or word[1:].replace(".", "", 1).isdigit()


def _in_full(word: str, options: dict[str, Any]) -> str:
    """The option that a word abbreviates, and `-oOUT` for `-o=OUT`; any other word as it is."""
    name, equals, value = word.partition("=")
    if name in options:
        return word if name.startswith("--") else f"{name}{value}"
    found = [option for option in options if option.startswith(name)]
    return f"{found[0]}{equals}{value}" if len(found) == 1 and name[2:] and name.startswith("--") else word
