"""Alarm rules, `"fall down>0.6 for 0.5s"`: parsed, checked, and applied to the probabilities of a stream."""

import math
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field


INACTIVE = "inactive"
_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)")
_RULE = re.compile(r"(?P<conditions>.+?)(?:\s+for\s+(?P<seconds>[\d.]+\s*[a-z]*))?", flags=re.DOTALL)
_FORM = '"LABEL>PROBABILITY for SECONDS", such as "fall down>0.6 for 0.5s", or "inactive for 60s"'


@dataclass(frozen=True)
class AlarmRule:
    """When an alarm is raised for a person.

    Args:
        above: label -> the probability that it must exceed, all labels at once.
        seconds: how long without interruption; 0 for a single window of the model.
        inactive: True: the person must also have kept still for `seconds`.
        cooldown: seconds after an alarm of this rule in which it raises no other, of anybody. What still holds
            afterwards is raised then.

    Raises:
        ValueError: no condition, a probability at which it never or always fires, negative or endless seconds.

    Examples:
        >>> rule = motionhub.AlarmRule.parse("lying on the floor>0.5, inactive for 1 min", cooldown=20)
        >>> rule.above, rule.seconds, rule.inactive
        ({'lying on the floor': 0.5}, 60.0, True)
        >>> str(rule)
        'lying on the floor>0.5, inactive for 60s'
    """

    above: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    inactive: bool = False
    cooldown: float = 20.0

    def __post_init__(self) -> None:
        if not self.above and not self.inactive:
            raise ValueError(f"An alarm needs a condition: {_FORM}.")
        for label, probability in self.above.items():
            if not 0 < probability < 1:
                kind = "always" if probability <= 0 else "never"
                raise ValueError(
                    f"probability: {label}>{probability:g} {kind} holds; expected a number above 0 and below 1, such "
                    f'as "{label}>0.6".'
                )
        for name in ("seconds", "cooldown"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be 0 or more, got {value!r}.")
        if self.inactive and not self.seconds:
            raise ValueError('seconds: inactive needs a duration, such as "inactive for 60s".')

    @classmethod
    def parse(cls, text: str, cooldown: float = 20.0) -> "AlarmRule":
        """The rule of `"CONDITION[, CONDITION ...] [for SECONDS]"`; a condition is `LABEL>PROBABILITY` or `inactive`.

        Raises:
            ValueError: anything else, naming what was expected.
        """
        found = _RULE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"An alarm is {_FORM}; got {text!r}.")
        above: dict[str, float] = {}
        inactive = False
        for condition in found["conditions"].split(","):
            label, sign, number = condition.rpartition(">")
            if condition.strip() == INACTIVE:
                inactive = True
                continue
            label = label.strip()
            try:
                if not (label and sign):
                    raise ValueError
                probability = float(number)
            except ValueError:
                raise ValueError(
                    f"An alarm is {_FORM}; got {text!r}, of which {condition.strip()!r} is neither."
                ) from None
            if label in above:
                raise ValueError(f"label: {label!r} occurs twice in {text!r}; leave one out.")
            above[label] = probability
        seconds = 0.0 if found["seconds"] is None else seconds_of(found["seconds"], "for")
        return cls(above, seconds, inactive, cooldown)

    def __str__(self) -> str:
        conditions = [f"{label}>{probability:g}" for label, probability in self.above.items()]
        text = ", ".join([*conditions, *([INACTIVE] if self.inactive else [])])
        return f"{text} for {self.seconds:g}s" if self.seconds else text

    @property
    def name(self) -> str:
        """What the alarm is about: its labels."""
        return ", ".join([*self.above, *([INACTIVE] if self.inactive else [])])

    def check(self, labels: Sequence[str], exclusive: bool = True, longest: float | None = None) -> None:
        """Raises ValueError, naming the field, if the rule can never fire.

        Args:
            labels: of the model.
            exclusive: whether the probabilities of the labels have a sum of 1.
            longest: seconds of the recording; None: a stream without end.
        """
        for label in self.above:
            if label not in labels:
                raise ValueError(
                    f"label: {label!r} of the alarm {str(self)!r} is none of {list(labels)}; add it to labels."
                )
        if exclusive and sum(self.above.values()) >= 1:
            raise ValueError(
                f"probability: the labels of the alarm {str(self)!r} exclude each other, so they cannot reach these "
                "probabilities at once; lower them, or write two alarms."
            )
        if longest is not None and self.seconds > longest:
            raise ValueError(
                f"seconds: the alarm {str(self)!r} needs {self.seconds:g} s, but the recording has {longest:.3g} s; "
                "shorten it."
            )


def seconds_of(text: str | float, name: str) -> float:
    """Seconds of `20`, `"20s"`, `"500 ms"`, `"2 min"` or `"1 h"`. Raises ValueError, with the name, for others."""
    found = _SECONDS.fullmatch(str(text).strip())
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{name}: expected a duration such as 20s, 500ms, 2min or 1h, got {text!r}.")
    return float(found[1]) * _UNITS[found[2]]


@dataclass
class _Held:
    """From and until which second a rule holds for a person, and whether its alarm was raised."""

    since: float
    until: float
    raised: bool = False
    waited: bool = False


class AlarmTimer:
    """Applies one rule to a stream, step by step.

    Args:
        rule: the rule.
        max_gap: seconds of interruption that do not end what holds.

    `suppressed` counts the alarms that the cooldown held back.
    """

    def __init__(self, rule: AlarmRule, max_gap: float = 0.0) -> None:
        self.rule, self.suppressed = rule, 0
        self.max_gap = max_gap if rule.above else 0.0  # any movement ends inactivity
        self._people: dict[Hashable, _Held] = {}
        self._last = -math.inf

    def update(self, person: Hashable, begin: float, end: float, holds: bool, still: float = math.inf) -> float | None:
        """The second since which the rule has held, if the step `begin` to `end` of a person raises its alarm.

        Args:
            holds: whether the probabilities exceed those of the rule.
            still: seconds for which the person has kept still.
        """
        held = self._people.get(person)
        if held is not None and (begin if holds else end) - held.until > self.max_gap + 1e-9:
            held = None
            del self._people[person]
        if not holds:
            return None
        if held is None:
            held = self._people[person] = _Held(begin, end)
        held.until = end
        long_enough = end - held.since >= self.rule.seconds - 1e-9
        if held.raised or not long_enough or (self.rule.inactive and still < self.rule.seconds - 1e-9):
            return None
        if end - self._last < self.rule.cooldown:
            self.suppressed += not held.waited
            held.waited = True
            return None
        held.raised, self._last = True, end
        return held.since

    def forget(self, person: Hashable) -> None:
        """The person has gone."""
        self._people.pop(person, None)
