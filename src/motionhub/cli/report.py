"""What a command says besides its results: errors and notes in one line each, and its exit status."""

import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


# What the command line calls the keywords of `motionhub.write`, where it is not `--keyword`.
_WRITE_FLAGS = {"format": "--to", "person": "--person INDEX", "project": "--project AZIMUTH ELEVATION"}


def handle_cli_errors(run: Callable[[], int | None]) -> int:
    """Runs a command; its exit status. Bad input is one line on stderr and status 2, not a traceback.

    The scripts in `examples/` use it, too.
    """
    warnings.showwarning = _show_warning
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.encoding.lower().startswith("utf"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _closed_pipe_ends_quietly():
            return run() or 0
    except (ValueError, OSError, ImportError) as error:
        text = f"{error}{_flag_hint(error)}"
    except KeyboardInterrupt:  # training has said by then how to resume
        print("motionhub: stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        text = _usage(error) or _refused_config(error)
        if not text:
            raise
    print(f"motionhub: {' '.join(text.split())}", file=sys.stderr)
    return 2


def note(text: str) -> None:
    """A line on stderr that is no error."""
    print(f"motionhub: note: {text}", file=sys.stderr)


@contextmanager
def optional_images() -> Iterator[None]:
    """Drawing needs an extra: where it is absent a note says so, and the command goes on with its other results."""
    try:
        yield
    except ImportError as error:
        note(f"no images: {error}")


def save_json(content: Any, path: str | Path) -> None:
    """Writes indented JSON, and makes the folder it goes to."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def check_new(path: Path) -> None:
    """Refuses, before the work, a file that exists, and one whose suffix no format has."""
    from motionhub.data.formats.formats import find_writer

    find_writer(path)
    if path.exists():
        raise ValueError(f"{path} exists and is not overwritten; choose another name, or remove it.")


def in_units(unit: str) -> str:
    """What coordinates are measured in, in words: metres, pixels, normalised units."""
    return "normalised units" if unit == "normalised" else f"{unit}s"


def who(track_id: int | None) -> str:
    """The person that a result is about; None is a whole clip."""
    return "all people" if track_id is None else f"person {track_id}"


def _usage(error: Exception) -> str:
    """An error in the command line, with the help to call; empty for other errors."""
    from typer import TyperException

    if not isinstance(error, TyperException):
        return ""
    context = getattr(error, "ctx", None)
    text = error.format_message().replace("Value error, ", "")
    return f"{text} See {context.command_path} --help." if context else text


def _refused_config(error: Exception) -> str:
    """Values of a config.json do not fit: transformers wraps the config's own error in one that is no ValueError."""
    from huggingface_hub.errors import StrictDataclassError

    return f"config.json: {error.__cause__ or error}" if isinstance(error, StrictDataclassError) else ""


@contextmanager
def _closed_pipe_ends_quietly() -> Iterator[None]:
    """Ends the program without a message when whoever reads its output has closed the pipe, as `| head` does."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # what is held back fails here, not when Python ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest, if any, goes nowhere
        raise SystemExit(141) from None  # as a shell reports a program that SIGPIPE ended


def _flag_hint(error: Exception) -> str:
    """Readers and writers name Python keywords; this names the option of the command line."""
    from motionhub.data.formats.format import UnstatedFact
    from motionhub.data.formats.writing import WriteOption

    if isinstance(error, WriteOption):
        return f" In a shell: {_WRITE_FLAGS.get(error.option, f'--{error.option}')}."
    return f" In a shell: --{error.option}." if isinstance(error, UnstatedFact) else ""


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """The library's own warnings have no source line here, and options for keywords.

    One that is about a command's caller is attributed to typer, which calls the commands.
    """
    if {"motionhub", "typer"} & {*Path(filename).parts}:
        text = str(message).replace("strict=True", "--strict").replace("exclude=LIST", "--exclude LIST")
        text = f"motionhub: note: {text}\n"
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)
