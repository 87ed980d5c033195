"""Licences of datasets: their ids on the Hub, and whether they let others pass the clips on."""

import re
from dataclasses import dataclass


# Ids of the Hub that data (and a few programs) are published under; SPDX names are the same but for the aliases.
HUB_LICENCES = frozenset(
    "mit apache-2.0 bsd bsd-2-clause bsd-3-clause unlicense gpl-3.0 gfdl cc0-1.0 pddl odc-by odbl etalab-2.0 c-uda "
    "cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 "
    "cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 "
    "cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0".split()
)
_ALIASES = {
    "cc0": "cc0-1.0",
    "mit-license": "mit",
    "apache-license-2.0": "apache-2.0",
    "pddl-1.0": "pddl",
    "odc-by-1.0": "odc-by",
    "odbl-1.0": "odbl",
    "gpl-3.0-only": "gpl-3.0",
    "gpl-3.0-or-later": "gpl-3.0",
}
# Everything else, "no licence text" too, stays with who has it.
_OPEN = re.compile(r"(mit|apache|bsd|cc0|cc[ -]by|odc|pddl|public domain)\b", re.IGNORECASE)
_FORBIDS = re.compile(r"\b(no|not|never|without|non)\b[\w\s,-]*\bre-?distribut", re.IGNORECASE)
UNSTATED = "as the owner of the data says"


@dataclass(frozen=True)
class OwnTerms:
    """What the owner of clips says of them.

    Args:
        licence: an id of the Hub or of SPDX such as "cc-by-4.0", or words of one's own.
        homepage: address where the data and the terms are described; words of one's own need it.
        citation: what others shall cite; may be empty.
    """

    licence: str
    homepage: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        if not self.licence.strip():
            raise ValueError("The licence is empty; say an id such as cc-by-4.0 (--licence), or leave it out.")
        if not self.homepage.strip() and hub_licence(self.licence) is None:
            raise ValueError(
                f"{self.licence!r} is no licence id that the Hub knows, such as cc-by-4.0, cc0-1.0 or mit; terms in "
                "words of your own need an address where they stand (--homepage)."
            )


def hub_licence(text: str) -> str | None:
    """The Hub's id of the licence that a text begins with ("CC BY-NC 4.0, ...": cc-by-nc-4.0); None without one."""
    name = re.sub(r"\s+", "-", re.split(r"[,;(]", text)[0].strip().casefold())
    name = _ALIASES.get(name, name)
    return name if name in HUB_LICENCES else None


def lets_pass_on(text: str, *, by_owner: bool = False) -> bool:
    """Whether others may hand out clips under these terms.

    Args:
        by_owner: the text is the owner's own word to whoever gets the clips from him: then words that are no known
            licence do not hinder him, unless they forbid redistribution.
    """
    if text == UNSTATED:
        return False
    known = hub_licence(text) is not None or _OPEN.match(text) is not None
    return known or (by_owner and _FORBIDS.search(text) is None)
