"""Phrases of a text bank, found by normalised spelling ("Sit_down" is "sit down")."""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence


# The verb form after the subject has an alias of its own.
_SUBJECT = re.compile(r"^(?:someone|somebody|(?:a|the) (?:person|man|woman))(?: is)? ")
SAME_MEANING = 0.9  # cosine from which a text counts as learned ("left" and "right" of a motion are as near)


def normalised_spelling(phrase: str) -> str:
    """Lower case with single spaces: "Drink_From-Cup " -> "drink from cup"; every script keeps its letters."""
    folded = unicodedata.normalize("NFKC", phrase).casefold().replace("\u2019", "'")
    # Marks (Mn, Mc) are part of letters in many scripts.
    kept = (char if char.isalnum() or char == "'" or unicodedata.category(char)[0] == "M" else " " for char in folded)
    return " ".join("".join(kept).split())


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list. Raises ValueError for a single string, a blank text or something that is no string."""
    if isinstance(texts, str):
        raise ValueError(f"Expected a list of texts, got the single text {texts[:60]!r}; write [text].")
    listed = list(texts)
    for index, text in enumerate(listed):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"Expected texts with something in them, got {text!r} at place {index}.")
    return listed


class Phrases:
    """The rows of phrases, and of other spellings of them.

    Args:
        phrases: distinct in normalised spelling.
        aliases: other spellings -> phrase.

    Raises:
        ValueError: two phrases are spelled alike, or an alias is of an unknown phrase.
    """

    def __init__(self, phrases: Sequence[str], aliases: Mapping[str, str] | None = None) -> None:
        self.phrases = list(phrases)
        self._places: dict[str, int] = {}
        for place, phrase in enumerate(self.phrases):
            first = self._places.setdefault(normalised_spelling(phrase), place)
            if first != place:
                raise ValueError(
                    f"Expected phrases of different spelling, got {self.phrases[first]!r} and {phrase!r}."
                )
        for alias, phrase in (aliases or {}).items():
            if normalised_spelling(phrase) not in self._places:
                raise ValueError(f"Expected the alias {alias!r} to be of a phrase of the bank, got {phrase!r}.")
            self._places.setdefault(normalised_spelling(alias), self._places[normalised_spelling(phrase)])

    def place(self, phrase: str) -> int | None:
        """The row of a phrase, also after "a person is"; None if it is unknown."""
        spelling = normalised_spelling(phrase)
        return self._places.get(spelling, self._places.get(_SUBJECT.sub("", spelling)))

    def nearest(self, phrase: str, count: int = 3) -> list[str]:
        """Known phrases of most similar spelling, best first; empty if none is similar."""
        wanted = normalised_spelling(phrase)[:80]
        # A phrase may have several matching aliases.
        found = difflib.get_close_matches(wanted, self._places, n=4 * count, cutoff=0.4)
        return list(dict.fromkeys(self.phrases[self._places[spelling]] for spelling in found))[:count]

    def unknown_message(self, unknown: Sequence[str], how: str) -> str:
        """The error for phrases that the bank lacks; `how` states what helps."""
        shown = ", ".join(
            f"{phrase[:60]!r} (similar known phrases: {', '.join(map(repr, self.nearest(phrase))) or 'none'})"
            for phrase in unknown[:5]
        )
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        bank = f"The checkpoint's bank of {len(self.phrases)} phrases"
        return f"{bank} lacks {shown}{more}. Use known phrases, or {how}."
