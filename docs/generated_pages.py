"""Pages of the site that are made of other files: a hook of MkDocs (`hooks` in mkdocs.yml).

The front page is the README, the checkpoints are the cards of `hub_configs`, the results are the tables of
`benchmarks/claims`, the reference has every public name, and the command line prints its own help.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files


ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/motionhub/motionhub/blob/main/"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the generated pages, and the pictures of the cards and claims."""
    pages = {
        "index.md": relinked((ROOT / "README.md").read_text(encoding="utf-8"), Path()),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "checkpoints.md": checkpoints(),
        "results.md": results(),
        "reference.md": reference(),
        "command_line.md": command_line(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for picture in sorted((ROOT / "benchmarks" / "claims").glob("*.png")):
        files.append(File.generated(config, f"images/{picture.name}", abs_src_path=str(picture)))
    return files


def relinked(text: str, folder: Path) -> str:
    """Links of a file of `folder` of the repository, as a page at the top of the site has them."""

    def new(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, _, anchor = os.path.normpath(folder / target).partition("#")
        path = path.replace("\\", "/")
        if picture and path.startswith("benchmarks/claims/"):
            return f"![{words}](images/{Path(path).name})"
        if path == "benchmarks/claims/README.md" or re.fullmatch(r"benchmarks/claims/\w+\.md", path):
            return f"[{words}](results.md)"
        if path.startswith("docs/"):
            return f"{picture}[{words}]({path.removeprefix('docs/')}{'#' * bool(anchor)}{anchor})"
        return f"{picture}[{words}]({REPOSITORY}{path})"

    return LINK.sub(new, text)


def checkpoints() -> str:
    """The card of every folder of hub_configs, without its front matter, one heading lower."""
    parts = [
        '# Checkpoints\n\nA checkpoint is loaded by `from_pretrained("motionhub/NAME")`. '
        "Those with weights are part of the package.\n"
    ]
    for card in sorted((ROOT / "hub_configs").glob("*/README.md")):
        text = card.read_text(encoding="utf-8").split("\n---\n", 1)[1]
        parts.append(lowered(relinked(text, card.parent.relative_to(ROOT))))
    return "\n".join(parts)


def results() -> str:
    """The tables of benchmarks/claims, the README of the folder first."""
    folder = ROOT / "benchmarks" / "claims"
    claims = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    texts = [path.read_text(encoding="utf-8") for path in [folder / "README.md", *claims]]
    return "# Results\n\n" + "\n".join(lowered(relinked(text, folder.relative_to(ROOT))) for text in texts)


def lowered(text: str) -> str:
    """Every heading one level lower; a `#` inside a code block is none."""
    parts = re.split(r"(^```.*?^```)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(each if each.startswith("```") else re.sub(r"^#", "##", each, flags=re.MULTILINE) for each in parts)


def reference() -> str:
    """Every public name, by the room it lives in."""
    import motionhub

    rooms: dict[str, list[str]] = {}
    for name in sorted(name for name in motionhub.__all__ if name != "__version__"):
        home = motionhub._HOMES[name]
        rooms.setdefault(home.split(".")[1], []).append(f"::: {home}.{name}")
    parts = [f"## {room}\n\n" + "\n\n".join(entries) for room, entries in sorted(rooms.items())]
    return "# Public names\n\nEverything here is `motionhub.NAME`.\n\n" + "\n\n".join(parts) + "\n"


def command_line() -> str:
    """What `motionhub COMMAND --help` prints."""
    parts = ["# Command line\n"]
    for command in ["", *commands()]:
        words = ["motionhub", *command.split(), "--help"]
        parts.append(f"## {' '.join(words[:-1])}\n\n```text\n{help_of(words)}```\n")
    return "\n".join(parts)


def help_of(words: list[str]) -> str:
    program = Path(sys.executable).parent / words[0]
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run([program, *words[1:]], check=True, capture_output=True, text=True, env=environment).stdout


def commands() -> Iterator[str]:
    """Every command, those of `dataset` and `bundle` after them."""
    import typer

    from motionhub.cli.main import app

    for name, command in typer.main.get_command(app).commands.items():
        yield name
        yield from (f"{name} {action}" for action in getattr(command, "commands", ()))
