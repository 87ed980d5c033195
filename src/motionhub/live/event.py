"""One event of a stream."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LiveEvent:
    """One event of a stream.

    Args:
        event: "open", "update" (of what is still open), "close", or "alarm".
        person: number of the person, or the id that came with the keypoints.
        label: what the person does; of an alarm, what its rule is about.
        probability: mean since the start; of an alarm, now.
        coverage: share of the model's joints detected in the last window.
        start_s, end_s: seconds into the stream; of what is open, the end so far.
        time_s: seconds into the stream at which this is reported.
        clock: wall clock of `start_s`, in ISO format.
        delay_s: seconds from the start (of "close", from the end) until `time_s`.
        rule: of an alarm.

    Examples:
        >>> event = motionhub.LiveEvent("open", 0, "wave", 0.8, 1.0, 2.0, 2.5, 3.4, "2026-01-01T12:00:02", 1.4)
        >>> event.to_dict()["delay_s"]
        1.4
    """

    event: str
    person: int
    label: str
    probability: float
    coverage: float
    start_s: float
    end_s: float
    time_s: float
    clock: str
    delay_s: float
    rule: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values, rounded to milliseconds and thousandths."""
        values = {name: round(value, 3) if isinstance(value, float) else value for name, value in vars(self).items()}
        return {name: value for name, value in values.items() if value is not None}
