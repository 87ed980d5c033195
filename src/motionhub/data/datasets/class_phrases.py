"""Phrases for about 2,000 actions: paraphrases, movements of body parts, and class names in datasets.

`action_phrases.csv` holds the library's own phrases with verbs in base form ("sit down"), several per cell separated
by ";". A phrase with a {slot} is one phrase for each value in `action_phrase_slots.csv`.
"""

import csv
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path


PHRASES = Path(__file__).with_name("action_phrases.csv")
SLOTS = Path(__file__).with_name("action_phrase_slots.csv")
# In the order of the table's columns.
PARTS = ("arms", "legs", "trunk", "head")
_DOUBLED = re.compile(r"(?:[^aeiou]|qu)*[aeiou][^aeiouwxy]")


@dataclass(frozen=True)
class ActionPhrase:
    """One action.

    Attributes:
        phrase: in base form, "sit down".
        domain: everyday, sport, rehab, care, or people (two of them).
        paraphrases: in base form.
        classes: spellings in datasets that are no form of the phrase.
        parts: movement of a body part, for some of `PARTS`.
    """

    phrase: str
    domain: str = ""
    paraphrases: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def progressive(self) -> str:
        """Such as "sitting down"."""
        return _first_word(self.phrase, progressive_form)

    @property
    def present(self) -> str:
        """Such as "sits down"."""
        return _first_word(self.phrase, third_person)

    @property
    def texts(self) -> tuple[str, ...]:
        """The phrase, its paraphrases, and each of them as sentences about a person; unique."""
        phrases = (self.phrase, *self.paraphrases)
        forms = [f"a person is {_first_word(text, progressive_form)}" for text in phrases]
        forms += [f"someone {_first_word(text, third_person)}" for text in phrases]
        return tuple(dict.fromkeys((*phrases, self.progressive, *forms)))


@cache
def action_phrases() -> tuple[ActionPhrase, ...]:
    """All actions in the order of the table; lines with the same phrase become one action with all their texts."""
    found: dict[str, ActionPhrase] = {}
    for action in itertools.chain.from_iterable(map(_expanded, _lines(PHRASES))):
        key = spelling_key(action.phrase)
        found[key] = _merged(found[key], action) if key in found else action
    return tuple(found.values())


def find_action(class_name: str) -> ActionPhrase | None:
    """The action of a dataset's class name ("Cook.Cleandishes"), or None where the table has none."""
    return _actions_by_spelling().get(spelling_key(class_name))


def class_texts(class_name: str) -> tuple[str, ...]:
    """Phrases for a class, the phrase itself first; for a class not in the table, its own name made readable.

    Raises:
        ValueError: the name has no letter or digit.

    Examples:
        >>> motionhub.class_texts("WatchTV")[0]
        'watch television'
    """
    action = find_action(class_name)
    if action is not None:
        return action.texts
    readable = spelling_key(class_name)
    if not readable:
        raise ValueError(f"Expected the name of a class, got {class_name!r}.")
    return (readable, f"a person, {readable}")


def bank_phrases() -> tuple[list[str], dict[str, str]]:
    """All phrases and paraphrases; and other spelling (verb forms, class names of datasets) -> phrase."""
    phrases = dict.fromkeys(text for action in action_phrases() for text in (action.phrase, *action.paraphrases))
    known = {spelling_key(text) for text in phrases}
    aliases: dict[str, str] = {}
    for action in action_phrases():
        for spelling in (action.progressive, action.present, *action.classes):
            if spelling_key(spelling) not in known:
                aliases.setdefault(spelling, action.phrase)
    return list(phrases), aliases


def spelling_key(name: str) -> str:
    """The letters and digits of a name as lower-case words, without "someone is": "WatchTV" -> "watch tv"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[^\w']+|_", " ", words).casefold().strip().removeprefix("someone is ")


def progressive_form(verb: str) -> str:
    """Sit -> sitting, make -> making, lie -> lying."""
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return f"{verb[:-1]}ing"
    return f"{verb}{verb[-1]}ing" if _DOUBLED.fullmatch(verb) else f"{verb}ing"


def third_person(verb: str) -> str:
    """Sit -> sits, catch -> catches, carry -> carries."""
    if verb in ("have", "be"):
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{verb}s"


def _first_word(phrase: str, form: Callable[[str], str]) -> str:
    """A phrase with another form of its verb, and of verbs joined by "and" or "or"."""
    words = phrase.split(" ")
    for place, word in enumerate(words):
        if place == 0 or (words[place - 1] in ("and", "or") and word in _verbs()):
            words[place] = form(word)
    return " ".join(words)


@cache
def _verbs() -> frozenset[str]:
    return frozenset(line["phrase"].split(" ")[0] for line in _lines(PHRASES))


@cache
def _actions_by_spelling() -> dict[str, ActionPhrase]:
    """Class names go before phrases, and these before paraphrases."""
    found: dict[str, ActionPhrase] = {}
    for rank in range(3):
        for action in action_phrases():
            for name in (action.classes, (action.phrase, action.progressive), action.paraphrases)[rank]:
                found.setdefault(spelling_key(name), action)
    return found


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _slots() -> dict[str, tuple[str, ...]]:
    return {line["slot"]: tuple(line["values"].split(";")) for line in _lines(SLOTS)}


def _expanded(line: dict[str, str]) -> Iterator[ActionPhrase]:
    """The actions of one line: one for each combination of the values of its slots."""
    names = re.findall(r"{(\w+)}", line["phrase"])
    paraphrases, classes = ([text for text in line[key].split(";") if text] for key in ("paraphrases", "classes"))
    for values in itertools.product(*(_slots()[name] for name in names)):
        filled = dict(zip(names, values, strict=True))
        yield ActionPhrase(
            phrase=line["phrase"].format(**filled),
            domain=line["domain"],
            paraphrases=tuple(text.format(**filled) for text in paraphrases),
            classes=tuple(classes),
            parts={part: line[part] for part in PARTS if line[part]},
        )


def _merged(first: ActionPhrase, second: ActionPhrase) -> ActionPhrase:
    return replace(
        first,
        paraphrases=tuple(dict.fromkeys(first.paraphrases + second.paraphrases)),
        classes=tuple(dict.fromkeys(first.classes + second.classes)),
        parts=second.parts | first.parts,
    )
