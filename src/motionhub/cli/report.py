"""Errors and notes of commands in one line each, and their exit status."""

import argparse
import difflib
import io
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn


# Keyword of `motionhub.write` -> option of the command line, if it is not `--keyword`.
_WRITE_FLAGS = {"format": "--to", "person": "--person INDEX", "project": "--project AZIMUTH ELEVATION"}


# Escape sequences but for colours, other control characters, and marks that turn the direction of writing.
_UNSAFE = re.compile(
    r"\x1b(?!\[[0-9;]*m)|\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f"
    r"\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

# Notes that this command has printed, the first of them.
_SHOWN_NOTES: set[str] = set()
_MOST_NOTES = 10_000


def handle_cli_errors(run: Callable[[], int | None]) -> int:
    """Runs a command; returns its exit status. Bad input is one line on stderr and status 2, not a traceback.

    Examples:
        >>> motionhub.handle_cli_errors(lambda: 0)
        0
    """
    warnings.showwarning = _show_warning
    _SHOWN_NOTES.clear()
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.encoding.lower().startswith("utf"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _printable_output(), _closed_pipe_ends_quietly(), _usage_errors_raised():
            return run() or 0
    except (ValueError, OSError, ImportError) as error:
        text = _in_shell_words(f"{_text(error)}{_flag_hint(error)}")
        if _told_by_another_process(error, text):
            return 2
    except KeyboardInterrupt:  # training prints how to resume
        print("motionhub: stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        text = _usage(error) or _refused_config(error)
        if not text:
            raise
    print(f"motionhub: {printable(_shortened(' '.join(text.split())))}", file=sys.stderr)
    if _several_processes():
        from motionhub.training.agreement import announce_printed

        announce_printed()
    return 2


def _several_processes() -> bool:
    return os.environ.get("WORLD_SIZE", "1") != "1"


def _told_by_another_process(error: Exception, text: str) -> bool:
    """In a run of several processes: tells the others of the error; whether one of them prints it."""
    if not _several_processes():
        return False
    from motionhub.training.agreement import post_failure

    return post_failure(error, " ".join(text.split()))


def _shortened(text: str) -> str:
    """The text with words of a stranger's file that are longer than any path cut in the middle."""
    return re.sub(r"\S{600,}", lambda found: f"{found[0][:200]}...{found[0][-100:]}", text)


def printable(text: str) -> str:
    r"""The text as a terminal may show it: what would move the cursor, set titles or turn the writing is escaped.

    Colours stay. Labels, names of files and messages may be a stranger's.

    Examples:
        >>> from motionhub.cli.report import printable
        >>> printable("wave\x1b[2J")
        'wave\\x1b[2J'
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextmanager
def _printable_output() -> Iterator[None]:
    """Everything that is printed meanwhile is `printable`."""
    stream = sys.stdout
    before, own = stream.write, "write" in vars(stream)
    stream.write = lambda text: before(printable(text))  # type: ignore[method-assign]
    try:
        yield
    finally:
        if own:
            stream.write = before  # type: ignore[method-assign]
        else:
            del stream.write


def note(text: str) -> None:
    """Prints a line on stderr that is no error."""
    print(f"motionhub: note: {printable(text)}", file=sys.stderr)


def counted(number: int, what: str) -> str:
    """The number before what is counted, whose first word is a plural: 1 person, 2 people, 1 alarm in the night."""
    many, space, rest = what.partition(" ")
    one = {"people": "person"}.get(many, many.removesuffix("s"))
    return f"{number} {one if number == 1 else many}{space}{rest}"


@contextmanager
def optional_images() -> Iterator[None]:
    """Prints a note, and continues, when the extra for drawing is not installed."""
    try:
        yield
    except ImportError as error:
        note(f"no images: {error}")


def save_json(content: Any, path: str | Path) -> None:
    """Writes indented JSON, and creates the folder of the file."""
    from motionhub.atomic import write_text

    write_text(path, json.dumps(content, indent=2) + "\n")


def check_new(path: Path) -> None:
    """Refuses a file that exists, or whose suffix no format has."""
    from motionhub.data.formats.formats import find_writer

    find_writer(path)
    if path.exists():
        raise ValueError(f"{path} exists and is not overwritten; pass another name, or remove it.")


def in_units(unit: str) -> str:
    """The unit of coordinates in the plural: metres, pixels, normalised units."""
    return "normalised units" if unit == "normalised" else f"{unit}s"


def who(track_id: int | None) -> str:
    """The person of a result; None is a whole clip."""
    return "all people" if track_id is None else f"person {track_id}"


@contextmanager
def _usage_errors_raised() -> Iterator[None]:
    """Raises the errors of argparse, which would print the usage and exit, as a ValueError that names the help."""

    def error(self: argparse.ArgumentParser, message: str) -> NoReturn:
        raise ValueError(f"{message}.{_nearest(self, message)} See {self.prog} --help.")

    before = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = error  # type: ignore[method-assign]
    try:
        yield
    finally:
        argparse.ArgumentParser.error = before  # type: ignore[method-assign]


def _text(error: Exception) -> str:
    """The message of an error; of the system's own, which Python numbers, the file and the reason."""
    if isinstance(error, OSError) and error.filename is not None and str(error).startswith("[Errno"):
        return f"{error.filename}: cannot be opened ({error.strerror})."
    return str(error)


_NO_LABELS = r"dataset\.filter\(lambda row: row\['label'\] in range\(\d+\)\)"
_SOME_LABELS = r'--labels must name at least one label, such as "sit down, wave"'
_SHELL_WORDS = (  # a call of Python, and what does the same in a shell
    (r'call motionhub\.read\("[^"]*", layout=\.\.\.\) with the true one', "give --layout with the true one"),
    (r'read them by motionhub\.read_intervals\("[^"]*"\)', "commands take them by --intervals"),
    (r'call motionhub\.read_intervals\("[^"]*", recording=(.+?)\) for one', r"give --recording \1 for one"),
    (r"motionhub\.convert_layout\(sequence, ['\"]([\w-]+)['\"]\)", r"motionhub convert FILE NEW --layout \1"),
    (r"call motionhub convert", "motionhub convert"),
    (r"call sequence\.replace\(image_size=\(width, height\)\)", "give --image_size WIDTH HEIGHT"),
    (r'call sequence\.replace\(up="([-xyz]+)"\) first', r"give --up \1"),
    (r'sequence\.replace\(up="([-xyz]+)"\) states it', r"--up \1 states it"),
    (rf"Leave them out with {_NO_LABELS}, or train", "Train"),
    (r'candidate_labels must be a list of at least one label, such as \["sit down", "wave"\]', _SOME_LABELS),
    (r"\bcandidate_labels\b", "--labels"),
    (r"\(motionhub\.prepare_model\)", "(motionhub train)"),
    (r"cut the movement out: motionhub\.cut\.", "cut the movement out: motionhub cut."),
)


def _in_shell_words(text: str) -> str:
    """Options of the command line in place of the calls of Python that would do the same."""
    for pattern, words in _SHELL_WORDS:
        text = re.sub(pattern, words, text)
    call = re.compile(r'call motionhub\.read\("[^"]*", (\w+)=("?)([^")]+)\2\)(?: with the true (?:value|one))?')
    if not (found := call.search(text)):
        return text
    flag = re.search(r" In a shell: --(\w+)\.$", text)  # some commands have another name for it
    option = flag[1] if flag else found[1]
    plain = text[: flag.start()] if flag else text
    return call.sub(f"give --{option} {found[3].replace('...', 'NAME')}, or the true value", plain)


def _note_in_shell_words(text: str) -> str:
    """As `_in_shell_words`, and with options in place of the keywords of a reader."""
    own = {"layout": "in_layout", "fps": "in_fps"} if "convert" in sys.argv[1:2] else {}
    keyword = re.compile(r"(?<![\w.(])(unit|fps|layout|image_size)=([\"']?)([\w-]*)\2(?=[ ;,.]|$)")
    return keyword.sub(lambda found: f"--{own.get(found[1], found[1])} {found[3]}".rstrip(), _in_shell_words(text))


def _nearest(parser: argparse.ArgumentParser, message: str) -> str:
    """The options close to those that a parser of argparse does not know."""
    options = [name for name in parser._option_string_actions if name.startswith("--") and "-" not in name[2:]]
    wrong = [word.partition("=")[0] for word in message.split() if word.startswith("--")]
    if not message.startswith("unrecognized") or not wrong:
        return ""
    near = difflib.get_close_matches(wrong[0], options, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _usage(error: Exception) -> str:
    """The text of an error in the command line, which names the help; empty for other errors."""
    from typer import TyperException

    if not isinstance(error, TyperException):
        return ""
    context = getattr(error, "ctx", None)
    text = error.format_message().replace("Value error, ", "")
    return f"{text} See {context.command_path} --help." if context else text


def _refused_config(error: Exception) -> str:
    """The text of an error in a config.json, which transformers wraps in one that is no ValueError."""
    from huggingface_hub.errors import StrictDataclassError

    return f"config.json: {error.__cause__ or error}" if isinstance(error, StrictDataclassError) else ""


@contextmanager
def _closed_pipe_ends_quietly() -> Iterator[None]:
    """Ends the program without a message when the reader of its output has closed the pipe, as `| head` does."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # buffered output fails here, not when Python ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards the rest
        raise SystemExit(141) from None  # as after SIGPIPE


def _flag_hint(error: Exception) -> str:
    """The option of the command line for the Python keyword that an error of a reader or writer names."""
    from motionhub.data.formats.format import UnstatedFact
    from motionhub.data.formats.writing import WriteOption

    if isinstance(error, WriteOption):
        return f" In a shell: {_WRITE_FLAGS.get(error.option, f'--{error.option}')}."
    return f" In a shell: --{error.option}." if isinstance(error, UnstatedFact) else ""


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """Prints the library's own warnings without source line, and with options in place of keywords.

    A warning about the caller of a command is attributed to typer, which calls the commands.
    """
    if {"motionhub", "typer"} & {*Path(filename).parts}:
        text = str(message).replace("strict=True", "--strict").replace("exclude=LIST", "--exclude LIST")
        text = _note_in_shell_words(text)
        text = f"motionhub: note: {printable(text)}\n"
        if text in _SHOWN_NOTES:  # of a file that is read for its labels and for its poses
            return
        if len(_SHOWN_NOTES) < _MOST_NOTES:
            _SHOWN_NOTES.add(text)
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)
