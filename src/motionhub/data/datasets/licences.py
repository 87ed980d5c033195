"""Licences of datasets: their ids on the Hub, and whether they allow redistribution."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path


_LISTED = tomllib.loads(Path(__file__).with_name("licences.toml").read_text(encoding="utf-8"))
HUB_LICENCES = frozenset(_LISTED["hub"])
# Anything else, also "no licence text", forbids redistribution.
_OPEN = re.compile(r"(mit|apache|bsd|cc0|cc[ -]by|odc|pddl|public domain)\b", re.IGNORECASE)
_FORBIDS = re.compile(r"\b(no|not|never|without|non)\b[\w\s,-]{0,200}\bre-?distribut", re.IGNORECASE)
UNSTATED = "as the owner of the data says"


@dataclass(frozen=True)
class OwnTerms:
    """Licence, homepage and citation of a user's own clips.

    Args:
        licence: an id of the Hub or of SPDX such as "cc-by-4.0", or free text.
        homepage: address of data and terms; required for free text.
        citation: may be empty.
    """

    licence: str
    homepage: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        if not self.licence.strip():
            raise ValueError("The licence is empty; give an id such as cc-by-4.0 (--licence), or leave it out.")
        if not self.homepage.strip() and hub_licence(self.licence) is None:
            reason = f"{self.licence!r} is no licence id of the Hub, such as cc-by-4.0, cc0-1.0 or mit"
            raise ValueError(f"{reason}; other terms need the address of their text (--homepage).")


def hub_licence(text: str) -> str | None:
    """The Hub id of the licence at the start of a text ("CC BY-NC 4.0, ...": cc-by-nc-4.0), or None."""
    name = re.sub(r"\s+", "-", re.split(r"[,;(]", text)[0].strip().casefold())
    name = _LISTED["aliases"].get(name, name)
    return name if name in HUB_LICENCES else None


def lets_pass_on(text: str, *, by_owner: bool = False) -> bool:
    """Whether these terms allow redistribution; with `by_owner`, unknown terms do unless they forbid it."""
    if text == UNSTATED:
        return False
    known = hub_licence(text) is not None or _OPEN.match(text) is not None
    return known or (by_owner and _FORBIDS.search(text) is None)
