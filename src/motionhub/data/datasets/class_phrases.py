"""About 2,000 actions in words: several ways to say each, what the body does in it, and how datasets call it.

The words are the library's own, in `action_phrases.csv`; a phrase with a {slot} stands for one phrase a value of
`action_phrase_slots.csv`. Cells hold several entries with ";" between them. Verbs stand in their base form ("sit
down"); the other forms follow the rules of English spelling.
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
# The parts that `models.text_anchors.with_body_parts` mixes, in the order of the table's columns.
PARTS = ("arms", "legs", "trunk", "head")
_DOUBLED = re.compile(r"(?:[^aeiou]|qu)*[aeiou][^aeiouwxy]")


@dataclass(frozen=True)
class ActionPhrase:
    """One action.

    Attributes:
        phrase: in the base form, "sit down".
        domain: everyday, sport, rehab, care, or people (two of them).
        paraphrases: the same in other words, in the base form.
        classes: how datasets spell it, where that is no form of the phrase.
        parts: what a part of the body does, for some of `PARTS`.
    """

    phrase: str
    domain: str = ""
    paraphrases: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def progressive(self) -> str:
        """ "sitting down"."""
        return _first_word(self.phrase, progressive_form)

    @property
    def present(self) -> str:
        """ "sits down"."""
        return _first_word(self.phrase, third_person)

    @property
    def texts(self) -> tuple[str, ...]:
        """The phrase, its paraphrases, and each of them as sentences about a person; all different."""
        said = (self.phrase, *self.paraphrases)
        forms = [f"a person is {_first_word(text, progressive_form)}" for text in said]
        forms += [f"someone {_first_word(text, third_person)}" for text in said]
        return tuple(dict.fromkeys((*said, self.progressive, *forms)))


@cache
def action_phrases() -> tuple[ActionPhrase, ...]:
    """All actions of the table in its order; a phrase that several lines make is one action, with the texts of all."""
    found: dict[str, ActionPhrase] = {}
    for action in itertools.chain.from_iterable(map(_expanded, _lines(PHRASES))):
        key = spelling_key(action.phrase)
        found[key] = _merged(found[key], action) if key in found else action
    return tuple(found.values())


def find_action(class_name: str) -> ActionPhrase | None:
    """The action that a class name of a dataset means ("Cook.Cleandishes"), or None where the table has none."""
    return _actions_by_spelling().get(spelling_key(class_name))


def class_texts(class_name: str) -> tuple[str, ...]:
    """Several ways to say a class, the shortest first; of a class the table lacks, its own name made readable.

    Raises:
        ValueError: the name has no letter or digit.
    """
    action = find_action(class_name)
    if action is not None:
        return action.texts
    readable = spelling_key(class_name)
    if not readable:
        raise ValueError(f"Expected the name of a class, got {class_name!r}.")
    return (readable, f"a person, {readable}")


def bank_phrases() -> tuple[list[str], dict[str, str]]:
    """What a bank of text vectors holds: phrases and paraphrases; and other spellings with the phrase each means.

    Spellings are the verb's other forms ("sitting down", "sits down") and the datasets' class names.
    """
    said = dict.fromkeys(text for action in action_phrases() for text in (action.phrase, *action.paraphrases))
    known = {spelling_key(text) for text in said}
    aliases: dict[str, str] = {}
    for action in action_phrases():
        for spelling in (action.progressive, action.present, *action.classes):
            if spelling_key(spelling) not in known:
                aliases.setdefault(spelling, action.phrase)
    return list(said), aliases


def spelling_key(name: str) -> str:
    """The letters and digits of a name as lower-case words, without "someone is": "WatchTV" -> "watch tv"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[^\w']+|_", " ", words).casefold().strip().removeprefix("someone is ")


def progressive_form(verb: str) -> str:
    """sit -> sitting, make -> making, lie -> lying."""
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return f"{verb[:-1]}ing"
    return f"{verb}{verb[-1]}ing" if _DOUBLED.fullmatch(verb) else f"{verb}ing"


def third_person(verb: str) -> str:
    """sit -> sits, catch -> catches, carry -> carries."""
    if verb in ("have", "be"):
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{verb}s"


def _first_word(phrase: str, form: Callable[[str], str]) -> str:
    """A phrase with its verb in another form, and the verbs that "and" or "or" join to it."""
    words = phrase.split(" ")
    verbs = _verbs()
    for place, word in enumerate(words):
        if place == 0 or (words[place - 1] in ("and", "or") and word in verbs):
            words[place] = form(word)
    return " ".join(words)


@cache
def _verbs() -> frozenset[str]:
    return frozenset(line["phrase"].split(" ")[0] for line in _lines(PHRASES))


@cache
def _actions_by_spelling() -> dict[str, ActionPhrase]:
    found: dict[str, ActionPhrase] = {}
    for action in action_phrases():
        for name in action.classes:
            found.setdefault(spelling_key(name), action)
    for action in action_phrases():
        for name in (action.phrase, action.progressive):
            found.setdefault(spelling_key(name), action)
    for action in action_phrases():
        for name in action.paraphrases:
            found.setdefault(spelling_key(name), action)
    return found


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _slots() -> dict[str, tuple[str, ...]]:
    return {line["slot"]: tuple(line["values"].split(";")) for line in _lines(SLOTS)}


def _expanded(line: dict[str, str]) -> Iterator[ActionPhrase]:
    """The actions of one line: one, or one for each combination of its slots' values."""
    names = re.findall(r"{(\w+)}", line["phrase"])
    for values in itertools.product(*(_slots()[name] for name in names)):
        filled = dict(zip(names, values, strict=True))
        yield ActionPhrase(
            phrase=line["phrase"].format(**filled),
            domain=line["domain"],
            paraphrases=tuple(text.format(**filled) for text in _cell(line, "paraphrases")),
            classes=_cell(line, "classes"),
            parts={part: line[part] for part in PARTS if line[part]},
        )


def _cell(line: dict[str, str], column: str) -> tuple[str, ...]:
    return tuple(text for text in line[column].split(";") if text)


def _merged(first: ActionPhrase, second: ActionPhrase) -> ActionPhrase:
    return replace(
        first,
        paraphrases=tuple(dict.fromkeys(first.paraphrases + second.paraphrases)),
        classes=tuple(dict.fromkeys(first.classes + second.classes)),
        parts=second.parts | first.parts,
    )
