"""Run the code blocks of the README and of the pages of `docs/`, and compare what they print with what the page shows.

    python docs/run_pages.py                                 # every page; exit status 1 if one shows something else
    python docs/run_pages.py docs/tutorials/publish.md       # one page
    python docs/run_pages.py --write docs/formats.md         # write outputs and images into the page instead

The blocks of a page run from top to bottom in one empty folder. ```` ```python ```` blocks share their names,
```` ```bash ```` blocks are run by bash, and a ```` ```text ```` block shows what the block before it prints (a line
`...` stands for any lines). Numbers may differ by 2 % or 0.02, since processors round differently. An image
`images/NAME` is compared with the file NAME that the page wrote.

Two comments steer a page: `<!-- not run: REASON -->` before a block that cannot run without a network, and
`<!-- needs: FILE as NAME -->` for real data, a path below the folder of real data that lies beside the repository.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any


ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("MOTIONHUB_SHARED", ROOT.parent / "shared"))
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?```(?P<language>python|bash)[^\n]*\n(?P<code>.*?)```\n"
    r"(?P<shown>\n*```text\n(?P<text>.*?)```\n)?",
    flags=re.DOTALL,
)
NEEDS = re.compile(r"<!-- needs: (?P<file>\S+) as (?P<name>\S+) -->")
IMAGE = re.compile(r"!\[[^\]]*\]\((?P<path>[^)\s]*images/[^)\s]+)\)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
MARK = "\0"  # stands for a number while texts are compared
# What else may run on this machine does not change what a page prints.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COLUMNS": "120"}


class MissingData(Exception):
    """The real data a page needs do not lie beside the repository."""


@dataclass
class Block:
    """One code block, what the page shows below it, and what it printed."""

    code: str
    shown: str | None
    printed: str
    end_of_code: int
    end: int


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def run_page(page: Path, folder: Path) -> list[Block]:
    """Run all blocks of a page in `folder`, which is empty. A block that fails raises, naming page and block."""
    text = page.read_text(encoding="utf-8")
    for needed in NEEDS.finditer(text):
        source = SHARED / needed["file"]
        if not source.is_file():
            raise MissingData(f"the real data ({needed['file']}) do not lie beside the repository")
        shutil.copy(source, folder / needed["name"])
    names: dict[str, Any] = {"__name__": "__main__"}
    done = []
    for name in ("examples", "conversion"):  # a page may run in a clone of the repository
        (folder / name).symlink_to(ROOT / name)
    with contextlib.chdir(folder):
        for match in BLOCK.finditer(text):
            if match["reason"]:
                continue
            run = run_python if match["language"] == "python" else run_bash
            try:
                printed = run(match["code"], names)
            except Exception as error:
                line = text[: match.start("code")].count("\n") + 1
                raise RuntimeError(f"{page.relative_to(ROOT)}, line {line}: the block fails: {error!r}") from error
            end_of_code = match.start("shown") if match["shown"] else match.end()
            done.append(Block(match["code"], match["text"], printed, end_of_code, match.end()))
    return done


def run_python(code: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "page", "exec"), names)
    return printed.getvalue()


def run_bash(code: str, names: dict[str, Any]) -> str:
    environment = {**os.environ, **ENVIRONMENT}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def differences(block: Block) -> Iterator[str]:
    """Where the block prints something else than the page shows; nothing for a block without shown output."""
    if block.shown is None:
        return
    shown, printed = NUMBER.sub(MARK, block.shown), NUMBER.sub(MARK, block.printed)
    parts = shown.split("...\n")
    match = re.fullmatch(r"(?:.*\n)*?".join(f"({re.escape(part)})" for part in parts), printed)
    if match is None:
        yield f"the page shows\n{block.shown}but the block prints\n{block.printed}"
        return
    numbers = NUMBER.findall(block.printed)
    beside = [printed[: match.start(part)].count(MARK) for part in range(1, len(parts) + 1)]
    places = [start + step for start, part in zip(beside, parts, strict=True) for step in range(part.count(MARK))]
    for number, place in zip(NUMBER.findall(block.shown), places, strict=True):
        if abs(float(number) - float(numbers[place])) > max(0.02, 0.02 * abs(float(number))):
            yield f"the page shows {number} but the block prints {numbers[place]}, in\n{block.printed}"


def images(page: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    """The images of a page that its blocks wrote: where the page has it, and what was written."""
    for match in IMAGE.finditer(page.read_text(encoding="utf-8")):
        kept = (page.parent / match["path"]).resolve()
        if (folder / kept.name).is_file():
            yield kept, folder / kept.name


def image_difference(kept: Path, written: Path) -> float:
    """Mean difference of two images' grey values, 0 to 1; 1 if their sizes differ."""
    import numpy as np
    from PIL import Image

    with Image.open(kept) as first, Image.open(written) as second:
        if first.size != second.size:
            return 1.0
        grey = [np.asarray(image.convert("L"), dtype=np.float64) / 255 for image in (first, second)]
    return float(np.abs(grey[0] - grey[1]).mean())


def check(page: Path) -> list[str]:
    """Run a page; everything that it shows and that is not so."""
    with tempfile.TemporaryDirectory() as name:
        blocks = run_page(page, Path(name))
        wrong = [line for block in blocks for line in differences(block)]
        for kept, written in images(page, Path(name)):
            if not kept.is_file() or image_difference(kept, written) > 0.02:
                wrong.append(f"{kept.relative_to(ROOT)} is not the image that the page draws")
    return wrong


def write(page: Path) -> list[str]:
    """Run a page, and keep what it prints and draws; nothing is wrong with it then."""
    with tempfile.TemporaryDirectory() as name:
        blocks = run_page(page, Path(name))
        for kept, written in images(page, Path(name)):
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(written, kept)
    text = page.read_text(encoding="utf-8")
    for block in reversed(blocks):
        if block.shown is not None and list(differences(block)):
            text = f"{text[: block.end_of_code]}\n```text\n{block.printed}```\n{text[block.end :]}"
    page.write_text(text, encoding="utf-8")
    return []


def outcome(page: Path, write_into: bool) -> str | None:
    """What is to be said of a page that is as it says: None; otherwise why not."""
    try:
        wrong = write(page) if write_into else check(page)
    except MissingData as error:
        return f"not run: {error}"
    return "; ".join(wrong) if wrong else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, help="Markdown files; all when left out")
    parser.add_argument("--write", action="store_true", help="write outputs and images into the pages")
    parser.add_argument("--jobs", type=int, default=1, help="pages run at a time")
    arguments = parser.parse_args()
    failed = False
    chosen = [path.resolve() for path in arguments.pages] or pages()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for page, said in zip(chosen, pool.map(outcome, chosen, repeat(arguments.write)), strict=True):
            failed |= said is not None and not said.startswith("not run: ")
            print(f"{page.relative_to(ROOT)}: {said or 'ok'}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
