"""What each button of the page answers, without Gradio."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import motionhub
from motionhub.app import markup
from motionhub.app.desk import Desk, Memory, Shown, answered
from motionhub.app.drawing import in_pixels
from motionhub.app.models import Models
from motionhub.app.naming import Named, name_actions, sentences, words
from motionhub.app.recordings import Facts, Limits, Recording, Refused, open_recording


class Elements(HTMLParser):
    """Tags with their attributes, and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def desk(models, tmp_path) -> Desk:
    return Desk(models, Limits(), tmp_path / "answers")


def test_a_wave_is_named_with_a_bar_a_table_a_picture_and_four_files(desk, wave):
    memory = Memory()
    shown = desk.name(str(wave), "wave, squat", Facts(), memory, "one")
    found = Elements(shown.html)
    bars = [attrs for tag, attrs in found.tags if attrs.get("class") == "mh-bar"]
    assert [bar["title"].split(",")[0] for bar in bars] == ["wave"]
    assert any(text.startswith("Person 0: wave") for text in found.texts)
    files = {Path(file).suffix: Path(file) for file in shown.files}
    assert set(files) == {".csv", ".srt", ".json", ".eaf"} and all(f.stem == "my wave ü" for f in files.values())
    (row,) = json.loads(files[".json"].read_text())
    (line,) = csv.DictReader(files[".csv"].read_text().splitlines())
    assert row["label"] == line["label"] == "wave" and row["end_s"] == pytest.approx(float(line["end_s"]))
    assert bars[0]["data-seek"] == f"{row['start_s']:.3f}"
    video = motionhub.open_video(shown.video)
    assert video.num_frames / video.fps == pytest.approx(3.0, abs=0.05)
    again = desk.name(str(wave), "kick", Facts(), memory, "one")
    assert again.video == shown.video and "wave" not in again.html.replace("my wave", "")


def test_the_files_of_a_visitor_go_when_the_visitor_leaves(desk, tmp_path):
    clip = str(motionhub.write(motionhub.generate("wave", seed=0, num_frames=10), tmp_path / "short.npz"))
    for visitor in ("one", "../two"):
        desk.name(clip, "wave", Facts(), Memory(), visitor)
    assert {path.name for path in desk.folder.iterdir()} == {"one", "two"}
    desk.forget("one")
    assert {path.name for path in desk.folder.iterdir()} == {"two"}


def test_text_finds_the_moment_of_its_motion_among_recordings(desk, tmp_path):
    for action in ("kick", "sit down"):
        motionhub.write(motionhub.generate(action, seed=0), tmp_path / f"{action}.npz")
    (tmp_path / "empty.npz").touch()
    memory, files = Memory(), [str(tmp_path / f"{name}.npz") for name in ("sit down", "empty", "kick")]
    shown = desk.search(files, "someone kicks", Facts(), memory, "one", top_k=2)
    found = Elements(shown.html)
    assert found.texts[found.texts.index("similarity") + 1] == "kick.npz"
    assert "Left out: empty.npz is empty" in shown.html
    (index,) = memory.indexes.values()
    desk.search(files, "someone sits down", Facts(), memory, "one")
    assert memory.indexes == {(tuple(files), Facts()): index}  # read once
    assert "describe the movement" in desk.search(files, " ", Facts(), memory, "one").html
    assert "No recordings" in desk.search([], "kick", Facts(), memory, "one").html


@pytest.mark.slow
def test_a_recording_compared_with_itself_differs_by_nothing(desk, tmp_path):
    squat = motionhub.write(motionhub.generate("squat", seed=0), tmp_path / "squat.npz")
    shown = desk.compare(str(squat), str(squat), Facts(), Memory(), "one")
    assert "Joint angles differ by 0.0 degrees" in shown.html
    assert [attrs["src"].split(";")[0] for tag, attrs in Elements(shown.html).tags if tag == "img"] == [
        "data:image/gif",
        "data:image/png",
    ]
    assert {row["difference"] for row in csv.DictReader(Path(shown.files[0]).read_text().splitlines())} <= {
        "0.0",
        "-0.0",
        "",
    }


def test_recordings_that_cannot_be_compared_are_refused_with_what_to_do(desk, wave, tmp_path):
    flat = in_pixels(motionhub.generate("wave", seed=0, layout="coco-17"))
    shown = desk.compare(str(wave), str(motionhub.write(flat, tmp_path / "flat.npz")), Facts(), Memory(), "one")
    assert "Expected two 2-D or two 3-D motions" in shown.html and 'role="alert"' in shown.html
    assert "choose a video" in desk.compare(None, None, Facts(), Memory(), "one").html


def test_quality_without_a_model_says_why_and_names_what_is_unusual_among_correct_ones(desk, tmp_path):
    files = [
        str(motionhub.write(motionhub.generate("squat", seed=seed), tmp_path / f"{seed}.npz")) for seed in range(4)
    ]
    assert "No model of movement quality" in desk.quality(files[0], None, Facts(), Memory()).html
    assert "3 correct repetitions or more" in desk.quality(files[0], files[1:3], Facts(), Memory()).html
    shown = desk.quality(files[0], files[1:], Facts(), Memory())
    assert "What is most unusual among 3 correct repetitions" in shown.html
    assert "in standard deviations" in Elements(shown.html).texts


def test_labels_are_separated_by_commas_and_lines_and_count_once(models, wave):
    assert words("sit down;wave\n Sit  Down,,wave hand") == ["sit down", "wave", "wave hand"]
    for empty in ("", " , ;\n", None):
        with pytest.raises(Refused, match="No labels"):
            words(empty)
    with pytest.raises(Refused, match="up to 100 labels"):
        words(",".join(f"label {number}" for number in range(101)))
    named = name_actions(models, open_recording(wave), "wave, Wave")
    assert named.labels == ("wave",) and named.notes == ("A label is written twice; it counts once.",)


def test_html_in_labels_names_and_templates_is_text(tmp_path):
    label, clip = '<img src=x onerror="alert(1)">${alert(2)}{{value}}', motionhub.generate("wave", seed=0)
    rows = [{"track_id": 0, "start_s": 0.0, "end_s": 1.0, "label": label, "score": 0.9}]
    named = Named(Recording("<b>name</b>.npz", clip), (label,), rows, {0: (label, 0.5)}, ("<i>note</i>",))
    shown = markup.answer(named)
    found = Elements(shown)
    assert "${" not in shown and "{{" not in shown
    assert not {tag for tag, _ in found.tags} & {"img", "b", "i", "script"}
    assert label in found.texts and "<i>note</i>" in found.texts
    assert label in next(attrs["title"] for tag, attrs in found.tags if attrs.get("class") == "mh-bar")
    assert not Elements(markup.refusal(label)).tags[2:]


def test_who_has_no_interval_is_still_named():
    pair = np.concatenate([motionhub.generate("wave", seed=seed).keypoints for seed in range(2)])
    clip = motionhub.SkeletonSequence(pair, "kinect-20", 30, "metre", track_ids=(3, 7))
    rows = [{"track_id": 7, "start_s": 0.0, "end_s": 1.0, "label": "wave", "score": 0.9}] * 2
    assert sentences(Named(Recording("a", clip), ("wave",), rows, {3: ("none of these", 0.8)})) == [
        "Person 3: none of the labels; the whole resembles “none of these” (80%).",
        "Person 7: wave 1.0 s, 2 times.",
    ]


def test_a_package_that_is_not_installed_is_a_sentence():
    def run() -> Shown:
        raise ImportError('Drawing needs PIL: pip install "motionhub[viz]"')

    assert "motionhub[viz]" in answered(run).html and 'role="alert"' in answered(run).html


def test_a_model_for_another_task_is_refused_when_the_page_starts():
    with pytest.raises(ValueError, match="--model motionhub/unik-nucla-small: expected"):
        Models("motionhub/unik-nucla-small")
    with pytest.raises(ValueError, match="--quality tmor-small: expected"):
        Models(quality="tmor-small")


@pytest.mark.slow
def test_a_model_with_labels_of_its_own_names_by_them(tmp_path, wave):
    desk = Desk(Models("unik-precog-small"), Limits(), tmp_path)
    assert not desk.models.takes_labels and len(desk.models.own_labels) == 9
    shown = desk.name(str(wave), "", Facts(), Memory(), "one")
    assert "mh-answer" in shown.html
    assert "needs a model of motions and texts" in desk.search([str(wave)], "kick", Facts(), Memory(), "one").html
