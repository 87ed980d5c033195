"""`motionhub watch`: sources become events on stdout and in files, nothing leaves the machine, and it ends cleanly."""

import io
import json
import socket
import sys

import numpy as np
import pytest

import motionhub
from motionhub.cli import watch as command
from motionhub.live import scorers
from motionhub.live import watch as watching
from motionhub.live.sources import LiveFrame
from tests.helpers import ROOT, run_cli
from tests.live.conftest import person
from tests.small_videos import greys, write_video


MODEL = ("--model", ROOT / "hub_configs" / "unik-nucla-small")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    clip, _ = motionhub.compose(["walk around", "sit down"], seed=0)
    return motionhub.write(clip, tmp_path_factory.mktemp("watch") / "clip.npz")


@pytest.fixture
def loaded_once(monkeypatch):
    pipes = {}
    original = scorers.loaded
    monkeypatch.setattr(scorers, "loaded", lambda model: pipes.setdefault(str(model), original(model)))


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_becomes_events_in_text_and_files(recording, tmp_path, capsys):
    out, table = tmp_path / "events.jsonl", tmp_path / "events.csv"
    rule = "sit down>0.5 for 0.2s"
    assert run_cli("watch", recording, *MODEL, "--alarm", rule, "--out", out, "--csv", table) == 0
    shown = capsys.readouterr().out
    assert (
        "actions are known" in shown
        and "1 x sit down" in shown
        and "ALARM  sit down" in shown
        and "1 person, 1 alarm\n" in shown
    )
    events = lines_of(out.read_text())
    (alarm,) = [event for event in events if event["event"] == "alarm"]
    assert alarm["rule"] == rule and 4 < alarm["start_s"] < 9 and alarm["delay_s"] < 3
    assert events[-1]["event"] == "totals" and events[-1]["frames"] == motionhub.read(recording)[0].num_frames
    assert len(table.read_text().splitlines()) == len(events)


def test_json_lines_on_stdin_give_json_lines_on_stdout(recording, monkeypatch, capsys):
    (clip,) = motionhub.read(recording)
    lines = [
        json.dumps({"time": frame / 30, "people": [{"id": 5, "keypoints": clip.keypoints[0, frame].tolist()}]})
        for frame in range(0, 200)
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*lines[:100], "no json", *lines[100:]])))
    metadata = ("--layout", "kinect-20", "--fps", 30, "--unit", "metre")
    assert run_cli("watch", "-", *MODEL, "--out", "-", *metadata) == 0
    shown = capsys.readouterr()
    events = lines_of(shown.out)
    assert {event["person"] for event in events[:-1]} == {5} and events[-1]["unreadable"] == 1
    assert "line 101: no JSON" in shown.err
    assert run_cli("watch", "-", *MODEL) == 2 and "--layout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--alarm", "swim>0.5"), "label: 'swim'"),
        (("--alarm", "sit down>1.5"), "probability: sit down>1.5 never"),
        (("--alarm", "sit down>0.5 for 60s"), "seconds: the alarm 'sit down>0.5 for 60s' needs 60 s"),
        (("--alarm", "sit down>0.5", "--cooldown", "a while"), "--cooldown: expected a duration"),
        (("--labels", "fly"), "none of the model's"),
        (("--labels", "sit down, Sit Down"), "--labels must differ, got 'sit down' and 'Sit Down'; leave one out"),
        (("--webhook", "ftp://x/y"), "webhook: expected"),
        (("--privacy", "--pictures", "x"), "--privacy stores no picture"),
    ],
)
def test_what_can_never_work_is_an_error_before_the_first_frame(
    recording, options, named, tmp_path, monkeypatch, capsys, loaded_once
):
    monkeypatch.chdir(tmp_path)
    assert run_cli("watch", recording, *MODEL, *options) == 2
    assert named in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_source_that_is_not_there_says_what_could_be_one(capsys, loaded_once):
    assert run_cli("watch", "nowhere.mp4", *MODEL) == 2
    assert "nowhere.mp4: no such file; expected a video" in capsys.readouterr().err


@pytest.fixture
def filmed(tmp_path, monkeypatch):
    """A video, and an estimator that always finds one person in it."""

    class Finder:
        name, layout = "stand-in", "coco-17"

        def start(self, video):
            pass

        def __call__(self, frame):
            return [(person(0.0), np.ones(17), np.full(4, np.nan), None)]

    monkeypatch.setattr(watching, "get_estimator", lambda *_: Finder())
    return write_video(tmp_path / "video.mp4", greys(30))


def test_privacy_stores_and_sends_no_picture(filmed, tmp_path, monkeypatch, capsys):
    touched = []

    def trapped(*arguments, **options):
        touched.append(arguments)
        raise OSError("the network is not to be used")

    monkeypatch.setattr(socket.socket, "connect", trapped)
    monkeypatch.setattr(socket, "getaddrinfo", trapped)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    labels = ("--labels", "fall down, walking", "--alarm", "inactive for 1s")
    assert run_cli("watch", filmed, *labels, "--out", "events.jsonl", "--csv", "events.csv", "--privacy") == 0
    after = {path.name for path in tmp_path.rglob("*")} - {path.name for path in before}
    assert after == {"events.jsonl", "events.csv"} and touched == []
    assert all(path.read_bytes() == content for path, content in before.items())
    assert "ALARM  inactive" in capsys.readouterr().out
    assert all(line.isprintable() for line in (tmp_path / "events.jsonl").read_text().splitlines())


def test_frames_keep_no_image_under_privacy_and_keep_it_otherwise(filmed):
    metadata = dict.fromkeys(("layout", "fps", "unit", "image_size"))
    for privacy in (True, False):
        source = watching.open_source(str(filmed), num_dims=2, metadata=metadata, privacy=privacy)
        frames = list(source.frames)
        assert len(frames) == 30 and {frame.image is None for frame in frames} == {privacy}
    assert source.seconds == 3.0 and source.facts["image_size"] == (64, 48)


def test_an_estimator_that_reports_to_its_maker_is_refused_under_privacy(filmed, monkeypatch):
    def reporting(*_):
        import warnings

        warnings.warn("MediaPipe 1.2 reports its use to Google", stacklevel=1)

    monkeypatch.setattr(watching, "get_estimator", reporting)
    metadata = dict.fromkeys(("layout", "fps", "unit", "image_size"))
    with pytest.raises(ValueError, match="--privacy: MediaPipe"):
        watching.open_source(str(filmed), num_dims=2, metadata=metadata, privacy=True)


def test_pictures_of_alarms_are_stored_where_they_are_asked_for(filmed, stream, tmp_path):
    live = stream(alarms=["inactive for 1s"])
    image = np.full((4, 6, 3), 200, np.uint8)
    frames = (LiveFrame(person()[None], time / 10, [0], image) for time in range(20))
    events = list(watching.watch(frames, live, [], pictures=tmp_path / "seen"))
    (path,) = (tmp_path / "seen").iterdir()
    assert path.name.startswith("alarm_") and [event.event for event in events].count("alarm") == 1


def test_an_interrupt_ends_with_the_totals(recording, monkeypatch, capsys, loaded_once):
    original = watching.frames_of_sequence

    def interrupted(sequence):
        for index, frame in enumerate(original(sequence)):
            if index == 100:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(watching, "frames_of_sequence", interrupted)
    assert run_cli("watch", recording, *MODEL) == 0
    assert "in all, 3.3 s: 100 frames, 1 person" in capsys.readouterr().out


def test_every_fault_of_the_totals_has_its_words(stream):
    counts = stream().totals()
    told = {*command._FAULTS, "seconds", "frames", "people", "alarms", "hours"}
    assert set(counts) == told
