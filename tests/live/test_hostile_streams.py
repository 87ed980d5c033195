"""What others send or answer does not end a stream: a line is counted, an address is refused before it starts."""

import json
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from motionhub.live.outputs import Csv, JsonLines, Sender, mqtt, webhook
from motionhub.live.scorers import _results, _unchecked
from motionhub.live.sources import MOST_CHARACTERS, frames_of_lines
from tests.helpers import error_of
from tests.live.conftest import person


POINT = {"keypoints": [[1, 2]] * 17}
LINES = {
    "deep": "[" * 100_000,
    "deep objects": '{"people":' * 50_000,
    "long": '{"people": [' + " " * MOST_CHARACTERS + "]}",
    "crowd": json.dumps({"people": [{"keypoints": [[1, 2]]}] * 300}),
    "time as text": json.dumps({"time": "x", "people": [POINT]}),
    "time as list": json.dumps({"time": [1], "people": [POINT]}),
    "time of 400 digits": '{"time": ' + "9" * 400 + ', "people": []}',
    "endless time": '{"time": 1e999, "people": []}',
    "no time": '{"time": NaN, "people": []}',
    "large number": '{"people": [{"keypoints": [[' + "9" * 400 + ", 1]]}]}",
    "digits": "9" * 5000,
    "control characters": "\x1b]0;x\x07",
}


@pytest.mark.parametrize("what", LINES)
def test_a_hostile_line_is_a_frame_with_a_short_problem_and_the_next_is_read(what):
    bad, good = frames_of_lines([LINES[what], json.dumps({"people": [POINT]})], fps=30)
    assert bad.problem is not None and bad.problem.startswith("line 1: ") and len(bad.problem) < 300
    assert bad.problem.isprintable()
    assert good.problem is None and good.keypoints.shape == (1, 17, 2)


def test_a_clock_set_far_ahead_starts_again_and_the_stream_goes_on(stream):
    live = stream()
    for time_s in (0.0, 0.1, 1.7e9, 1.7e9 + 0.1, 1e14):
        live.push(person()[None], time_s)
    for number in range(30):
        live.push(person(0.9)[None], 1e14 + 0.1 * (number + 1))
    assert live.totals()["clock_set_back"] == 2
    assert [event.label for event in live.finish()] == ["fall down"]


@pytest.mark.parametrize("time_s", [float("nan"), 1e300, 10**400, "1", True])
def test_a_time_that_is_none_is_an_error_and_changes_nothing(stream, time_s):
    live = stream()
    live.push(person()[None], 0.0)
    assert "time must be seconds" in error_of(lambda: live.push(person()[None], time_s))
    assert live.seconds == 0 and live.push(person()[None], 0.1) == []


ADDRESSES = [
    *[(webhook, url) for url in ("file:///etc/passwd", "ftp://h/x", "http://", "http://h:99999/", "http://h/a b")],
    *[(webhook, url) for url in ("http://user:secret@h/", "http://[::1", "http://h\n/x", "gopher://h")],
    *[(mqtt, url) for url in ("mqtt://h/a/#", "mqtt://h/a/+/b", "mqtt://h/a?b", "mqtt://h:x/t", "mqtt://h/%00")],
    (mqtt, "mqtt://h/" + "t" * 70_000),
]


@pytest.mark.parametrize(("make", "url"), ADDRESSES)
def test_an_address_that_cannot_work_is_refused_before_the_stream_and_without_its_password(make, url):
    message = error_of(lambda: make(url))
    assert message.startswith(make.__name__) and "secret" not in message and len(message) < 400


def test_an_answer_that_is_no_http_fails_one_event_and_the_next_is_sent():
    answers = [ValueError("topic"), RuntimeError("no HTTP"), None]
    sent = []

    def send(message):
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        sent.append(message)

    sender = Sender("x", send, retries=())
    for number in range(3):
        sender.write({"event": number})
    assert sender.close() == {"x sent": 1, "x failed": 2, "x given up": 0}
    assert sent == [{"event": 2}]


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_full_disk_does_not_end_a_stream_and_is_told_once(kind, tmp_path):
    (tmp_path / "events").symlink_to("/dev/full")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        output = kind(tmp_path / "events")
        for _ in range(2):
            output.write({"person": 1, "label": "fall down"})
    assert [str(each.message) for each in told] == [
        f"{tmp_path / 'events'}: cannot be written (No space left on device); the stream goes on"
    ]
    assert output.close()["events failed"] >= 2


def test_streams_that_share_a_pipeline_leave_its_checks_as_they_are():
    """Eight streams at once: the pipeline of the caller is never changed, not even for a moment."""
    seen = []

    class Pipe:
        checks = True

        def __call__(self, windows, batch_size):
            seen.append((shared.checks, self.checks))
            time.sleep(0.001)
            return windows

    shared = Pipe()
    quiet = [_unchecked(shared) for _ in range(8)]
    threads = [threading.Thread(target=_results, args=(pipe, [1])) for pipe in quiet for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(True, False)] * 24 and shared.checks


def test_ids_beyond_every_limit_are_people(stream):
    live = stream()
    live.push(np.stack([person(), person(0, 5)]), 0.0, [10**30, -(10**30)])
    assert live.totals()["people"] == 2


def test_a_stand_in_has_what_the_scorers_copy():
    assert not _unchecked(SimpleNamespace(checks=True)).checks
