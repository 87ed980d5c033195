"""The papers whose methods or data the library uses, as listed in `papers.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paper:
    """One publication.

    Args:
        key: BibTeX key, and the name in `PAPERS`.
        title, year: as printed.
        authors: full names if known, in printed order.
        venue: conference, journal or school.
        url: of its text, or of the dataset it introduces.
        kind: BibTeX entry type: `"inproceedings"`, `"article"` or `"phdthesis"`.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    url: str
    kind: str = "inproceedings"

    @property
    def reference(self) -> str:
        """One line for people, for example `A, B: Title. Venue, 2021`."""
        return f"{', '.join(self.authors)}: {self.title}. {self.venue}, {self.year}."

    @property
    def bibtex(self) -> str:
        """The BibTeX entry; double braces keep the capitals of the title."""
        venue_field = {"inproceedings": "booktitle", "article": "journal", "phdthesis": "school"}[self.kind]
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.authors),
            venue_field: self.venue,
            "year": str(self.year),
            "url": self.url,
        }
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        return f"@{self.kind}{{{self.key},\n{lines}\n}}"


def _listed() -> dict[str, Paper]:
    with Path(__file__).with_name("papers.toml").open("rb") as file:
        papers = tomllib.load(file)
    return {key: Paper(key, **{**facts, "authors": tuple(facts["authors"])}) for key, facts in papers.items()}


PAPERS = _listed()


def get_paper(key: str) -> Paper:
    """The paper `key`. Raises ValueError listing all keys."""
    if key not in PAPERS:
        raise ValueError(f"Unknown paper {key!r}; expected one of {sorted(PAPERS)}.")
    return PAPERS[key]
