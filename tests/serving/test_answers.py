"""Answers of real models over HTTP: those of the pipelines, and one line for everything that is refused."""

import io
import json
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ROOT, SMALL_CHECKPOINT
from stand_in import motion
from starlette.testclient import TestClient
from transformers import pipeline

import motionhub
from motionhub.serving.app import make_app
from motionhub.serving.gate import Limits
from motionhub.serving.models import served
from motionhub.serving.notes import warnings_by_request
from motionhub.serving.uploads import plain_name


LOCAL = "http://127.0.0.1"
CLASSIFIER, ZERO_SHOT = SMALL_CHECKPOINT, ROOT / "hub_configs" / "tmor-small"
LABELS = ["sit down", "wave"]


@pytest.fixture(scope="module")
def client():
    app = make_app(served([str(CLASSIFIER), str(ZERO_SHOT)]), Limits(json=2**20, body=2**21, frames=2000, seconds=300))
    with TestClient(app, base_url=LOCAL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def clip() -> motionhub.SkeletonSequence:
    return motionhub.generate("sit down", seed=0)


def body_of(clip: motionhub.SkeletonSequence, **more: Any) -> dict[str, Any]:
    points = np.where(np.isnan(clip.keypoints), None, clip.keypoints.astype(object)).tolist()
    return {"keypoints": points, "layout": clip.layout.name, "fps": clip.fps, "unit": clip.unit, "up": clip.up, **more}


def assert_same_scores(found: Any, expected: Any) -> None:
    assert [each["label"] for each in found] == [each["label"] for each in expected]
    np.testing.assert_allclose([each["score"] for each in found], [each["score"] for each in expected], atol=1e-5)


def test_labels_and_embeddings_are_those_of_the_pipelines(client, clip, tmp_path):
    pipe = pipeline("action-classification", model=str(CLASSIFIER))
    expected = pipe(clip, top_k=3)
    answer = client.post("/models/unik-nucla-small/labels", json=body_of(clip, top_k=3)).json()
    assert answer["model"] == "unik-nucla-small" and answer["warnings"] == []
    assert answer["people"][0]["coverage"] == expected[0]["coverage"]
    assert_same_scores(answer["people"][0]["scores"], expected[0]["scores"])
    path = motionhub.write(clip, tmp_path / "clip.npz")
    answer = client.post(
        "/models/unik-nucla-small/labels", files={"file": path.open("rb")}, data={"top_k": "3"}
    ).json()
    assert_same_scores(answer["people"][0]["scores"], expected[0]["scores"])
    features = pipeline("skeleton-feature-extraction", model=str(CLASSIFIER))(clip, level="step")
    answer = client.post("/models/unik-nucla-small/embeddings", json=body_of(clip, level="step")).json()
    np.testing.assert_allclose(answer["embeddings"], features, atol=1e-5)


def test_zero_shot_answers_are_those_of_the_pipelines(client, clip):
    both = body_of(clip, candidate_labels=LABELS)
    pipe = pipeline("zero-shot-action-classification", model=str(ZERO_SHOT))
    answer = client.post("/models/tmor-small/labels", json=both).json()
    assert_same_scores(answer["people"][0]["scores"], pipe(clip, candidate_labels=LABELS)[0]["scores"])
    answer = client.post("/models/tmor-small/labels", json={**both, "none": False}).json()
    assert [each["label"] for each in answer["people"][0]["scores"]] == LABELS
    found = pipeline("zero-shot-action-segmentation", model=pipe.model, feature_extractor=pipe.feature_extractor)
    expected = found(clip, candidate_labels=LABELS, background=["stand still"], min_duration=0.1)
    answer = client.post(
        "/models/tmor-small/intervals", json={**both, "background": ["stand still"], "min_duration": 0.1}
    )
    assert expected and answer.json()["intervals"] == [
        {**row, "score": pytest.approx(row["score"], abs=1e-5)} for row in expected
    ]


def test_eight_clients_get_the_answers_that_each_gets_alone(client):
    """Two models, three kinds of answers, and clips of other lengths, which are computed together."""
    requests = []
    for number, motion_name in enumerate(("wave", "sit down", "kick", "throw")):
        body = body_of(motionhub.generate(motion_name, seed=number, num_frames=40 + 10 * number))
        two = sorted({*LABELS, motion_name})[:2]
        requests += [
            ("/models/unik-nucla-small/labels", {**body, "top_k": 10}),
            ("/models/tmor-small/labels", {**body, "candidate_labels": LABELS}),
            (
                "/models/tmor-small/intervals",
                {**body, "candidate_labels": two},
            ),
        ]

    def ask(request: tuple[str, dict[str, Any]]) -> Any:
        answer = client.post(request[0], json=request[1])
        assert answer.status_code == 200, answer.text
        return answer.json()

    serial = [ask(request) for request in requests]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, requests * 2))
    assert len({json.dumps(each) for each in serial}) == len(serial)
    for found, expected in zip(together, serial * 2, strict=True):
        assert_same(found, expected)


def assert_same(found: Any, expected: Any) -> None:
    """Numbers to 1e-5: clips of a batch are padded to its longest one."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == (pytest.approx(expected, abs=1e-5) if isinstance(expected, float) else expected)


def test_what_the_pipelines_warn_of_is_in_the_answer(client):
    nobody = {**motion(), "keypoints": [[[[None, None]] * 17] * 4]}
    with warnings_by_request():  # as the server does; pytest takes the warnings of each test
        answer = client.post("/models/unik-nucla-small/labels", json=nobody).json()
        vectors = client.post("/models/unik-nucla-small/embeddings", json=nobody).json()
    assert answer["people"] == [] and vectors["embeddings"] == [[None] * 128]
    said = "a coco-17 sequence (people 1, frames 4): no valid keypoints of any person, so the result is empty."
    assert said in answer["warnings"] and said in vectors["warnings"]


def test_the_models_and_the_examples_of_the_document_are_true(client):
    models = {each["name"]: each for each in client.get("/models").json()}
    assert models["unik-nucla-small"]["answers"] == ["labels", "embeddings"]
    assert models["unik-nucla-small"]["labels"][0] == "pick up with one hand"
    assert models["tmor-small"] | {"layout": ""} == {
        "name": "tmor-small",
        "answers": ["labels", "intervals", "embeddings"],
        "labels": None,
        "zero_shot": True,
        "layout": "",
    }
    document = client.get("/openapi.json").json()
    posts = {path: route["post"] for path, route in document["paths"].items() if "post" in route}
    assert set(posts) == {f"/models/{name}/{kind}" for name, each in models.items() for kind in each["answers"]}
    for path, route in posts.items():
        answer = client.post(path, json=route["requestBody"]["content"]["application/json"]["example"])
        assert answer.status_code == 200, answer.text
    assert "ValidationError" not in document["components"]["schemas"]


DEEP = "[" * 100_000
MANY = motion(70, people=30)
JSON_REFUSED = {
    "nothing": (b"", 422, "Invalid JSON"),
    "no JSON": (b"\xff\xfe{", 422, "Invalid JSON"),
    "NaN": (json.dumps(motion()).replace("16, 16", "NaN, 16").encode(), 422, "null marks a missing joint"),
    "infinity": (json.dumps(motion()).replace("16, 16", "1e400, 16").encode(), 422, "expected numbers up to 1e+09"),
    "a large number": (json.dumps(motion()).replace("16, 16", "1e39, 16").encode(), 422, "expected numbers up to"),
    "a huge integer": (json.dumps(motion()).replace("16, 16", "9" * 400 + ", 16").encode(), 422, "keypoints"),
    "texts": ({**motion(), "keypoints": [[[["1", "1"]] * 17]]}, 422, "rectangular array of numbers"),
    "ragged": ({**motion(), "keypoints": [[[[1, 1]] * 17, [[1, 1]] * 16]]}, 422, "rectangular array of numbers"),
    "deep lists": (f'{{"keypoints": {DEEP}'.encode(), 422, "Invalid JSON"),
    "a null 40 deep": ({**motion(), "keypoints": json.loads("[" * 40 + "null" + "]" * 40)}, 422, "keypoints"),
    "another layout": ({**motion(), "layout": "kinect-20"}, 422, "has 20 joints"),
    "a path as layout": ({**motion(), "layout": "/etc/own.yaml"}, 422, "layout: "),
    "no rate": ({**motion(), "fps": None}, 422, "fps: Input should be a valid number"),
    "a misspelt option": ({**motion(), "topk": 3}, 422, "topk: Extra inputs are not permitted"),
    "labels of its own": ({**motion(), "candidate_labels": LABELS}, 422, "has labels of its own"),
    "30 people of 70 frames": (MANY, 413, "got 30 people x 70 frames"),
    "too many bytes": (b" " * (2**20 + 1), 413, "Expected at most 1048576 bytes"),
}
ZERO_SHOT_REFUSED = {
    "no labels": ({}, "needs candidate_labels"),
    "5,000 labels": ({"candidate_labels": [f"label {number}" for number in range(5000)]}, "at most 1000 labels"),
    "a label twice": ({"candidate_labels": ["wave", "sit down", "wave"]}, "must differ, got 'wave' and 'wave'"),
    "a blank label": ({"candidate_labels": ["wave", "  "]}, "texts with something in them"),
    "no template": ({"candidate_labels": LABELS, "hypothesis_template": "a person"}, "one {} for the label"),
    "a negative gap": ({"candidate_labels": LABELS, "max_gap": -1}, "greater than or equal to 0"),
}


def assert_one_line(answer: Any, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["detail"]
    detail = answer.json()["detail"]
    assert words in detail
    assert "\n" not in detail and "Traceback" not in detail and str(ROOT) not in detail and "/tmp" not in detail


@pytest.mark.parametrize("case", JSON_REFUSED)
def test_a_request_that_is_refused_gets_one_line(client, case):
    content, status, words = JSON_REFUSED[case]
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Content-Type": "application/json"}
    assert_one_line(client.post("/models/unik-nucla-small/labels", content=content, headers=headers), status, words)


@pytest.mark.parametrize("case", ZERO_SHOT_REFUSED)
def test_labels_and_options_that_are_refused_get_one_line(client, case):
    more, words = ZERO_SHOT_REFUSED[case]
    assert_one_line(client.post("/models/tmor-small/intervals", json={**motion(30), **more}), 422, words)


def test_other_types_routes_hosts_and_sites_are_refused(client):
    labels = "/models/unik-nucla-small/labels"
    assert_one_line(client.post(labels, content=b"x", headers={"Content-Type": "text/plain"}), 415, "got 'text/plain'")
    assert_one_line(client.post("/models/other/labels", json=motion()), 404, "There is no model 'other'")
    assert_one_line(
        client.post("/models/unik-nucla-small/intervals", json=motion()), 404, "gives labels and embeddings"
    )
    assert_one_line(client.get("/nothing"), 404, "Not Found")
    assert_one_line(client.get(labels), 405, "Method Not Allowed")
    assert_one_line(client.get("/models", headers={"Host": "example.com"}), 403, "127.0.0.1 and localhost")
    assert_one_line(client.get("/models", headers={"Origin": "http://example.com"}), 403, "other sites")
    assert client.get("/models", headers={"Origin": LOCAL}).status_code == 200


def test_names_with_escapes_are_printable_in_what_is_said_of_them(client):
    twice = {**motion(30), "candidate_labels": ["wave\x1b[2J\u202e"] * 2}
    answer = client.post("/models/tmor-small/labels", json=twice)
    assert_one_line(answer, 422, "must differ, got 'wave\\x1b[2J\\u202e'")
    answer = client.post("/models/wave%1b[2J/labels", json=twice)
    assert_one_line(answer, 404, "There is no model 'wave\\x1b[2J'")


def npz_bomb() -> bytes:
    """60 kB that unpack to 60 MB."""
    packed = io.BytesIO()
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2313441, 17, 2), }"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        array = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
        archive.writestr("keypoints.npy", array + bytes(60 * 2**20))
    return packed.getvalue()


def harmful_pickle() -> bytes:
    class Harmful:
        def __reduce__(self):
            return eval, ("open('harmed', 'w')",)

    return pickle.dumps(Harmful())


FACTS = {"layout": "coco-17", "fps": "30", "unit": "pixel"}
PLAYLIST = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
FILES_REFUSED = {
    "a zip bomb": ("clip.npz", npz_bomb, FACTS, "unpacks from"),
    "a pickle that calls": ("clip.pkl", harmful_pickle, FACTS, "clip.pkl: pickle: refused: it calls"),
    "an empty file": ("clip.json", lambda: b"", FACTS, "clip.json: "),
    "a playlist of other files": ("clip.mp4", lambda: PLAYLIST, {}, "clip.mp4: is no video"),
    "a broken video": (
        "clip.mp4",
        lambda: b"\0\0\0\x18ftypisom" + bytes(500),
        {},
        "clip.mp4: cannot be read as video",
    ),
    "no rate": ("clip.json", lambda: b'[{"keypoints": [' + b"1," * 50 + b"1]}]", {}, "clip.json"),
    "a name that leads elsewhere": ("../../etc/\x1b[2Jx.json", lambda: b"{}", FACTS, "__2Jx.json: "),
}


@pytest.mark.parametrize("case", FILES_REFUSED)
def test_a_file_that_is_refused_gets_one_line_and_is_removed(client, case):
    name, content, fields, words = FILES_REFUSED[case]
    answer = client.post("/models/unik-nucla-small/labels", files={"file": (name, content())}, data=fields)
    assert_one_line(answer, 422, words)
    assert not Path("harmed").exists()
    assert list(client.app.state.server.readers.folder.iterdir()) == []


def test_forms_without_one_file_are_refused(client):
    labels = "/models/unik-nucla-small/labels"
    clip = ("clip.npz", b"x")
    assert_one_line(client.post(labels, files={"other": clip}), 422, "the file goes into the field file")
    assert_one_line(client.post(labels, files=[("file", clip), ("file", clip)]), 400, "Too many files")
    assert_one_line(client.post(labels, data={"fps": ["30", "25"]}, files={"file": clip}), 422, "is given 2 times")
    broken = {"Content-Type": "multipart/form-data"}
    assert_one_line(client.post(labels, content=b"--x", headers=broken), 400, "boundary")
    assert_one_line(client.post(labels, files={"file": ("clip.npz", bytes(2**21 + 1))}), 413, "2097152 bytes")


def test_files_are_gone_when_the_server_ends():
    with TestClient(make_app({}), base_url=LOCAL) as client:
        folder = client.app.state.server.readers.folder
        assert folder.is_dir()
    assert not folder.exists()


def test_names_of_files_are_plain():
    assert plain_name("a b\u202e.json") == "a_b_.json"
    assert plain_name("....") == plain_name("") == "upload"
    assert plain_name("x" * 300 + ".npz").endswith("x.npz") and len(plain_name("x" * 300 + ".npz")) == 100


def test_two_models_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr("motionhub.serving.models.TorchModel", lambda source: type("Named", (), {"name": "same"}))
    with pytest.raises(ValueError, match="two models are named 'same'"):
        served(["one/same", "two/same"])


@pytest.mark.slow
def test_an_exported_folder_answers_as_its_checkpoint(clip, tmp_path):
    from helpers import run_cli

    assert run_cli("export", "unik-nucla-small", "-o", tmp_path / "edge", "--num_clips", "2") == 0
    expected = pipeline("action-classification", model=str(CLASSIFIER))(clip)
    with TestClient(make_app(served([str(tmp_path / "edge")])), base_url=LOCAL) as client:
        answer = client.post("/models/edge/labels", json=body_of(clip)).json()
        assert_same_scores(answer["people"][0]["scores"], expected[0]["scores"])
        assert client.get("/models").json()[0]["labels"][0] == "pick up with one hand"
