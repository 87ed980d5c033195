"""README and documentation: shown output is real, commands parse, named files exist, words are plain."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import motionhub
from motionhub.cli.main import app
from motionhub.training.start import parse_training


ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import run_pages  # noqa: E402


PAGES = {str(path.relative_to(ROOT)): path for path in run_pages.pages()}
each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())


def commands(program: str, page: Path) -> list[list[str]]:
    """The words of every command line that starts with `program`, continuation lines joined, comments dropped."""
    code = "\n".join(match["code"] for match in run_pages.BLOCK.finditer(page.read_text(encoding="utf-8")))
    lines = code.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith(program + " ")]


def test_a_page_that_shows_something_else_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(run_pages, "ROOT", tmp_path)
    for name in ("examples", "conversion"):
        (tmp_path / name).mkdir()
    page = tmp_path / "page.md"
    page.write_text("```python\nprint('a', 1.0)\nprint('b', 2.0)\n```\n\n```text\na 1.01\nb 2.0\n```\n")
    assert run_pages.check(page) == []
    page.write_text(page.read_text().replace("1.01", "1.1"))
    assert "shows 1.1" in run_pages.check(page)[0]
    page.write_text("```bash\necho a 1; echo b 2; echo c 3\n```\n\n```text\na 1\n...\nc 4\n```\n")
    assert "shows 4" in run_pages.check(page)[0]
    page.write_text(page.read_text().replace("c 4", "d 3"))
    assert "prints" in run_pages.check(page)[0]
    run_pages.write(page)
    assert "```text\na 1\nb 2\nc 3\n```" in page.read_text()
    page.write_text("```bash\nfalse\n```\n")
    with pytest.raises(RuntimeError, match=r"page\.md, line 2: the block fails"):
        run_pages.check(page)


def test_an_image_that_a_page_does_not_draw_is_reported(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(run_pages, "ROOT", tmp_path)
    for name in ("examples", "conversion", "images"):
        (tmp_path / name).mkdir()
    page = tmp_path / "page.md"
    draw = "from PIL import Image\nImage.new('L', (8, 8), 200).save('x.png')"
    page.write_text(f"```python\n{draw}\n```\n\n![grey](images/x.png)\n")
    assert run_pages.check(page) == ["images/x.png is not the image that the page draws"]
    run_pages.write(page)
    assert run_pages.check(page) == []
    image.new("L", (8, 8), 100).save(tmp_path / "images" / "x.png")
    assert run_pages.check(page) == ["images/x.png is not the image that the page draws"]


def test_make_targets_of_the_readme_and_contributing_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    wanted = set(re.findall(r"`make ([a-z-]+)", text))
    assert {"demo", "test", "docs"} <= wanted <= targets


def test_training_commands_parse_with_the_recipe_of_their_checkpoint(monkeypatch):
    monkeypatch.chdir(ROOT)
    (words,) = commands("accelerate launch", ROOT / "docs" / "how_to" / "train_on_many_devices.md")
    arguments, recipe = parse_training(words[3:], "")
    assert arguments.protocol == "cross-view-1-to-2"
    assert (recipe.mode, recipe.optimizer, recipe.epochs) == ("scratch", "adamw", 30)


@each_page
def test_named_files_and_folders_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<!/)\b(?:hub_configs|examples|conversion|tests|benchmarks)/[\w./-]+", text))
    assert not [name for name in named if not (ROOT / name.rstrip("./")).exists()]


def parse(words: list[str]) -> None:
    """Reads a command line as the command does, without running it; a usage error is raised."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words)


@each_page
def test_options_of_command_lines_exist(page):
    for words in commands("motionhub", page):
        if words[1] != "train":
            parse(words[1:])


def test_every_public_name_of_a_page_exists():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES.values())
    named = set(re.findall(r"\bmotionhub\.([A-Za-z]\w*)\b(?!/)", text)) - {"git", "io"}
    modules = {path.stem for path in (ROOT / "src" / "motionhub").iterdir()}
    assert named - modules <= set(motionhub.__all__)


def test_the_formats_page_has_every_format():
    from motionhub.data.formats.formats import FORMATS

    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert not [name for name in FORMATS if f"(`{name}`)" not in text]


# Words


# What the field says, for what earlier texts said. Not in prose, errors, help or names.
SAY_INSTEAD = {
    r"data sets?\b": "dataset",
    r"\bmend(s|ed|ing)?\b": "repair",
    r"\bheed(s|ed|ing)?\b": "apply",
    r"\bexchanged sides\b": "left/right swap",
    r"nobody was seen": "no person detected",
    r"there is nothing to tell": "no valid keypoints",
    r"goes? on after a kill": "resumes after interruption",
    r"\b(is|are|be|been|was|were) told\b(?! apart)|\btold\b ?[=,(\[]": "reported, stated, passed or distinguished",
    r"\bpictures_of\b|motions\.pictures": "images",
    r"in your own words": "zero-shot classification",
    r"since when": "temporal segmentation",
    r"stands? beside no published": "not comparable with published results",
    r"of the measured roof": "% of measured peak",
    r"apart from where the camera stood": "disentangled from viewpoint",
    r"It does not know": "nothing: tests/test_imports.py holds who imports whom",
}
TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "hub_configs/**/*.md", "hub_configs/**/*.yaml")
    for path in ROOT.glob(pattern)
) + sorted(
    path for folder in ("src", "examples", "benchmarks", "conversion") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("words", SAY_INSTEAD)
def test_texts_use_the_words_of_the_field(words):
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:100]}"
        for path in TEXTS
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(words, line, flags=re.IGNORECASE)
    ]
    assert not found, f"say {SAY_INSTEAD[words]!r}:\n" + "\n".join(found)


def test_headings_are_no_riddles():
    """A heading is a term or says what is done: no question, no full sentence, ten words at most."""
    wrong = []
    for path in [path for path in TEXTS if path.suffix == ".md" and "hub_configs" not in path.parts]:
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for heading in re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE):
            if heading.endswith(("?", ".", "!")) or len(heading.split()) > 10:
                wrong.append(f"{path.relative_to(ROOT)}: {heading}")
    assert not wrong, "\n".join(wrong)
