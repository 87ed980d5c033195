"""The estimators of the library: the real code path of each, as far as it runs without a download."""

import hashlib
import importlib.metadata
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from motionhub.data.video.reader import Video, VideoFrame
from motionhub.poses import estimators
from motionhub.poses.estimators import get_estimator
from motionhub.skeletons.layouts import get_layout


def frame_of(image: np.ndarray, number: int = 0) -> VideoFrame:
    return VideoFrame(number, number / 10, image)


def video_of(image: np.ndarray) -> Video:
    return Video("made up", (image.shape[1], image.shape[0]), 10.0, 1)


@pytest.mark.parametrize(("name", "extra"), [("mediapipe", "video"), ("rtmlib", "rtmlib")])
def test_what_is_not_installed_is_refused_with_its_install_command(name, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf'pip install "motionhub\[{extra}\]"'):
        get_estimator(name)


def test_auto_takes_the_first_that_is_installed(monkeypatch):
    monkeypatch.setattr(estimators, "_is_importable", lambda name: name == "rtmlib")
    monkeypatch.setitem(estimators.ESTIMATORS, "rtmlib", lambda **options: options)
    assert get_estimator("auto", {"mode": "lightweight"}) == {"mode": "lightweight"}
    own = object()
    assert get_estimator(own) is own


def test_rtmlib_without_a_network_says_so_in_one_line(monkeypatch):
    def body(**_):
        raise URLError("Name or service not known")

    monkeypatch.setitem(sys.modules, "rtmlib", types.SimpleNamespace(Body=body))
    with pytest.raises(OSError, match=r"^The estimator 'rtmlib' downloads .* \(Name or service not known\); connect"):
        get_estimator("rtmlib")


def test_rtmlib_gets_the_colours_in_the_order_of_opencv(monkeypatch):
    shown = []

    class Body:
        def __init__(self, **options):
            self.options = options

        def __call__(self, image):
            shown.append(image)
            points = np.arange(68).reshape(2, 17, 2)
            return points, np.stack([np.full(17, 1.2), np.zeros(17)])  # the second is no person

    monkeypatch.setitem(sys.modules, "rtmlib", types.SimpleNamespace(Body=Body))
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 200  # red
    people = get_estimator("rtmlib", {"mode": "lightweight"})(frame_of(image))
    assert shown[0][0, 0].tolist() == [0, 0, 200]
    assert len(people) == 1 and people[0].confidence.max() == 1
    np.testing.assert_array_equal(people[0].box, [0, 1, 32, 33])


@pytest.fixture
def small_checkpoints(tmp_path):
    """A detector whose only class is "person" and a ViTPose, with random weights, and their processors."""
    pytest.importorskip("PIL")
    import torch
    from transformers import (
        AutoConfig,
        VitPoseConfig,
        VitPoseForPoseEstimation,
        YolosConfig,
        YolosForObjectDetection,
    )
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil
    from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    detector = YolosConfig(**small, image_size=[32, 32], num_detection_tokens=4, id2label={0: "person"})
    YolosForObjectDetection(detector).save_pretrained(tmp_path / "detector")
    size = {"shortest_edge": 32, "longest_edge": 32}
    YolosImageProcessorPil(size=size).save_pretrained(tmp_path / "detector")
    backbone = AutoConfig.for_model(
        "vitpose_backbone", **small, image_size=[64, 48], patch_size=[16, 16], out_indices=[2]
    )
    pose = VitPoseConfig(backbone_config=backbone, num_labels=17)
    VitPoseForPoseEstimation(pose).save_pretrained(tmp_path / "pose")
    VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(tmp_path / "pose")
    return tmp_path


def test_vitpose_places_the_joints_in_the_boxes_of_the_detector(small_checkpoints):
    options = {"detector": str(small_checkpoints / "detector"), "pose_model": str(small_checkpoints / "pose")}
    finder = get_estimator("vitpose", {**options, "min_confidence": 0.0, "num_people": 2, "device": "cpu"})
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    finder.start(video_of(image))
    people = finder(frame_of(image))
    assert len(people) == 2
    for person in people:
        left, top, right, bottom = person.box
        assert person.keypoints.shape == (17, 2) and (person.confidence >= 0).all() and (person.confidence <= 1).all()
        # The crop is the box, a quarter larger and of the network's shape (48 x 64); the network answers inside it, up
        # to the one cell by which a peak may be refined.
        width, height = right - left, bottom - top
        reach = 1.25 * np.array([max(width, height * 0.75), max(height, width / 0.75)]) / 2
        middle = np.array([left + right, top + bottom]) / 2
        assert (np.abs(person.keypoints - middle) <= reach * (1 + 2 / 12)).all()
    assert get_estimator("vitpose", {**options, "min_confidence": 1.0, "device": "cpu"})(frame_of(image)) == []


def test_vitpose_puts_a_peak_in_the_middle_of_the_heatmap_in_the_middle_of_the_box(small_checkpoints):
    import torch

    options = {"detector": str(small_checkpoints / "detector"), "pose_model": str(small_checkpoints / "pose")}
    finder = get_estimator("vitpose", {**options, "min_confidence": 0.0, "num_people": 1, "device": "cpu"})
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(12.0), indexing="ij")
    peak = torch.exp(-((rows - 7.5) ** 2 + (columns - 5.5) ** 2) / 8)
    answer = types.SimpleNamespace(heatmaps=peak.expand(1, 17, 16, 12))
    finder._pose = type("Peak", (), {"config": finder._pose.config, "__call__": lambda self, **inputs: answer})()
    person = finder(frame_of(np.zeros((96, 128, 3), np.uint8)))[0]
    middle = (person.box[:2] + person.box[2:]) / 2
    np.testing.assert_allclose(person.keypoints, np.tile(middle, (17, 1)), atol=1.5)


def test_vitpose_says_what_is_wrong_with_a_checkpoint(small_checkpoints):
    with pytest.raises(ValueError, match="absent: cannot be loaded .* hf download"):
        get_estimator("vitpose", {"detector": str(small_checkpoints / "absent")})
    with pytest.raises(ValueError, match="unexpected keyword"):
        get_estimator("vitpose", {"detectors": "x"})


@pytest.fixture(scope="module")
def landmarker():
    pytest.importorskip("mediapipe")
    return get_estimator("mediapipe")


def test_mediapipe_detects_no_person_in_an_empty_image(landmarker):
    image = np.full((120, 160, 3), 90, np.uint8)
    landmarker.start(video_of(image))
    assert landmarker(frame_of(image)) == []


def test_mediapipe_wants_a_model_that_is_there(landmarker):
    with pytest.raises(ValueError, match="no such file; expected a pose_landmarker"):
        get_estimator("mediapipe", {"model": "absent.task"})
    with pytest.raises(ValueError, match="num_people must be at least 1"):
        get_estimator("mediapipe", {"num_people": 0})


def test_mediapipe_finds_the_person_of_a_real_video(landmarker, shared):
    pytest.importorskip("av")
    from motionhub.poses import extract_clip

    found = extract_clip(shared("videos/stgcn_ta_chi.mp4"), landmarker, seconds=0.5)
    clip, world = found.clip, found.tracks.world
    assert (clip.num_people, clip.num_frames, clip.image_size) == (1, 15, (340, 256))
    joint = get_layout("mediapipe-33").index
    heights = clip.keypoints[0, :, [joint("nose"), joint("left_hip"), joint("left_ankle")], 1]
    assert (np.diff(heights, axis=0) > 10).all()  # pixels, y down: the head is above the hips, these above the feet
    hips = world.keypoints[0, :, [joint("left_hip"), joint("right_hip")]]
    assert np.abs(hips.mean(axis=0)).max() < 0.02  # the origin lies between them
    assert 0.1 < np.linalg.norm(hips[0] - hips[1], axis=-1).mean() < 0.5  # metres
    assert (world.keypoints[0, :, joint("nose"), 1] > 0.2).all()  # y up


def test_mediapipe_without_memory_gives_the_same_answer_twice(landmarker, shared):
    pytest.importorskip("av")
    from motionhub.data.video.reader import open_video

    video = open_video(shared("videos/pyskl_ntu_sample.avi"))
    frame = next(video.frames())
    anew = get_estimator("mediapipe", {"follow": False})
    anew.start(video)
    one, two = anew(frame), anew(frame)
    assert len(one) == len(two) == 2  # both people of the image
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first.keypoints, second.keypoints)


def test_mediapipe_reads_the_image_whatever_its_memory_layout(shared):
    pytest.importorskip("mediapipe")
    pytest.importorskip("av")
    from motionhub.data.video.reader import open_video

    image = next(open_video(shared("videos/stgcn_ta_chi.mp4")).frames()).image
    padded = np.zeros((image.shape[0], image.shape[1] + 7, 3), np.uint8)
    padded[:, :-7] = image
    anew = get_estimator("mediapipe", {"follow": False})
    anew.start(video_of(image))
    (one,), (two,) = anew(frame_of(np.ascontiguousarray(image))), anew(frame_of(padded[:, :-7]))
    np.testing.assert_array_equal(one.keypoints, two.keypoints)


def test_mediapipe_leaves_stderr_to_python(shared):
    """In a process of its own: MediaPipe writes past Python, and its destructor once failed when Python ended."""
    pytest.importorskip("mediapipe")
    video = str(shared("videos/stgcn_ta_chi.mp4"))
    code = (
        "import sys; from motionhub.poses import estimators, extract_clip\n"
        "lives_to_the_end = estimators.get_estimator('mediapipe')\n"
        f"found = extract_clip({video!r}, lives_to_the_end, seconds=0.2, progress=False)\n"
        "print(found.clip.num_people); print('heard', file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("1\n", "heard\n")


def test_the_networks_of_mediapipe_lie_uncompressed_with_their_licence():
    """Its reader maps the file into memory. The networks' digests are those of the file that was measured."""
    folder = Path(estimators.__file__).parent / "pose_landmarker"
    with zipfile.ZipFile(folder / "pose_landmarker_full.task") as content:
        assert {entry.compress_type for entry in content.infolist()} == {zipfile.ZIP_STORED}
        digests = {name: hashlib.sha256(content.read(name)).hexdigest()[:16] for name in content.namelist()}
    assert digests == {
        "pose_detector.tflite": "ba17bf03cccbf7c5",
        "pose_landmarks_detector.tflite": "51b8d04297537d01",
    }
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright The MediaPipe Authors" in (folder / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("version", "reports"), [("0.10.21", False), ("0.10.33", False), ("0.10.35", True), ("1.2.3", True)]
)
def test_a_mediapipe_that_reports_its_use_is_warned_of(version, reports, monkeypatch, recwarn):
    pytest.importorskip("mediapipe")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    get_estimator("mediapipe")
    warned = [str(warning.message) for warning in recwarn]
    assert any(f"MediaPipe {version} reports its use" in text for text in warned) == reports
