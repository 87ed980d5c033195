"""Counts of a stream, in all and by the hour."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any


HOURS = 48  # that are kept


@dataclass
class Totals:
    """What a stream held.

    Args:
        frames: that were used.
        dropped: left out because their turn came too late.
        thinned_out: left out because more came than the stated frame rate.
        out_of_order: older than the one before, left out.
        clock_set_back, holes: times the clock was set back, and frames were missing for longer than people may be.
        people, too_brief: tracks, and those of them that were seen too briefly for a score.
        ids_reused: ids that were somewhere else in the next frame.
        unreadable: frames that could not be read.
        refused: windows that the model could not score.
        alarms: raised.
    """

    frames: int = 0
    dropped: int = 0
    thinned_out: int = 0
    out_of_order: int = 0
    clock_set_back: int = 0
    holes: int = 0
    people: int = 0
    too_brief: int = 0
    ids_reused: int = 0
    unreadable: int = 0
    refused: int = 0
    alarms: int = 0
    _hours: OrderedDict[str, dict[str, list[float]]] = field(default_factory=OrderedDict)

    def add(self, label: str, hour: str, seconds: float) -> None:
        """An event that began in `hour`, such as "2026-01-31T14", has ended."""
        entry = self._hours.setdefault(hour, {}).setdefault(label, [0, 0.0])
        entry[0] += 1
        entry[1] += seconds
        while len(self._hours) > HOURS:
            self._hours.popitem(last=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; of the last 48 hours how often and how long each label was."""
        counts = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        hours = {
            hour: {
                label: {"count": int(count), "seconds": round(seconds, 1)} for label, (count, seconds) in each.items()
            }
            for hour, each in self._hours.items()
        }
        return {**counts, "hours": hours}
