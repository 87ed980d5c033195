"""Options that several commands share; how a command reads its arguments and shows its help."""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial, wraps
from inspect import Parameter, signature
from itertools import takewhile
from typing import Annotated, Any, Literal

import typer
from typer import Option
from typer.core import TyperCommand, TyperGroup

from motionhub.cli.help_tables import TABLES
from motionhub.hub.packaged import A_MODEL, model_id


def model_option(what: str, panel: str | None = None) -> Any:
    """An option that names a checkpoint; `tmor-small` is `motionhub/tmor-small`."""
    return Option(parser=model_id, metavar="MODEL", help=f"{A_MODEL} of {what}", rich_help_panel=panel)


READABLE = "Any readable file, or folder of OpenPose files"
FileOption = partial(Option, rich_help_panel="Metadata that the file lacks")
Unit = Annotated[str | None, FileOption(help="pixel, normalised, metre, centimetre or millimetre")]
ImageSize = Annotated[tuple[int, int] | None, FileOption(metavar="WIDTH HEIGHT", help="In pixels")]
METADATA = {
    "layout": Annotated[str | None, FileOption(help="Joint layout, such as coco-17")],
    "fps": Annotated[float | None, FileOption(help="Frames per second")],
    "unit": Unit,
    "image_size": ImageSize,
}

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


_Decoding = partial(Option, rich_help_panel="How probabilities become intervals (defaults: the checkpoint's)")
DECODING = {
    "threshold": Annotated[float | None, _Decoding(help="Probability an action must reach")],
    "low_threshold": Annotated[float | None, _Decoding(help="Extend an action while its probability is above this")],
    "min_duration": Annotated[float | None, _Decoding(metavar="SECONDS", help="Drop shorter actions")],
    "max_gap": Annotated[float | None, _Decoding(metavar="SECONDS", help="Join intervals across shorter gaps")],
}
LABELS = "Labels of your own (a zero-shot model)"
Clock = Annotated[str | None, Option(metavar="HH:MM", help="Time of day at the start, for the axis of --ribbon")]
Labels = Annotated[
    str | None, Option(metavar="A,B,C", help='Such as "sit down, wave, fall down"', rich_help_panel=LABELS)
]


def with_metadata(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options `METADATA`, whose values the command gets as the dict `metadata`."""
    return _with_group(command, "metadata", METADATA)


def with_decoding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options `DECODING`; the command gets those that are given as the dict `decoding`."""

    @wraps(command)
    def call(**values: Any) -> Any:
        given = {name: value for name, value in values.pop("decoding").items() if value is not None}
        return command(**values, decoding=given)

    return _with_group(call, "decoding", DECODING)


def _with_group(command: Callable[..., Any], group: str, options: dict[str, Any]) -> Callable[..., Any]:
    """Adds options without default, whose values the command gets as one dict."""

    @wraps(command)
    def call(**values: Any) -> Any:
        taken = {name: values.pop(name) for name in options}
        return command(**values, **{group: taken})

    own = [each for each in signature(command).parameters.values() if each.name != group]
    added = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=options[name]) for name in options]
    call.__signature__ = signature(command).replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return call


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

    An option of several values accepts them after one name or after repeated names: `--steps a b` is
    `--steps a --steps b`. If its metavar starts with `[`, it may have none: `--refine` is `--refine default`. Unique
    abbreviations of long names are accepted.
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
        argv = list(args)
        while argv:
            name = _in_full(argv.pop(0), options)
            option = options.get(name)
            if name == "--":
                yield from (name, *argv)
                return
            if option is None or getattr(option, "is_flag", True):
                yield name
                continue
            values = list(takewhile(_is_value, argv)) if option.multiple else argv[: option.nargs]
            del argv[: len(values)]
            if option.multiple and not values and option.metavar[0] == "[":
                values = ["default"]
            if (option.multiple and not values) or any(_in_full(value, options) in options for value in values):
                raise typer.BadParameter(f"expected a value, got {[*values, *argv][:1]}", ctx=ctx, param=option)
            yield from (each for value in values for each in (name, value)) if option.multiple else (name, *values)

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
    """Arguments and options by panel, in plain text: rich truncates names of options in a narrow terminal."""
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


def _is_value(text: str) -> bool:
    """Whether a text is no option: `-5` and `-0.5` are numbers."""
    return not text.startswith("-") or text[1:].replace(".", "", 1).isdigit()


def _in_full(text: str, options: dict[str, Any]) -> str:
    """The option that a text abbreviates, and `-oOUT` for `-o=OUT`; any other text unchanged."""
    name, equals, value = text.partition("=")
    if name in options:
        return text if name.startswith("--") else f"{name}{value}"
    found = [option for option in options if option.startswith(name)]
    return f"{found[0]}{equals}{value}" if len(found) == 1 and name[2:] and name.startswith("--") else text
