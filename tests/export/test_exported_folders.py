"""Small models exported and run: the folder's pipeline and the predictor answer as the model's own pipeline."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline

from motionhub import (
    ExportedStream,
    Predictor,
    SkeletonProcessor,
    SkeletonSequence,
    StreamingSegmenter,
    TMorConfig,
    TMorForZeroShotActionClassification,
    UnikConfig,
    UnikForActionClassification,
    UnikForActionSegmentation,
    UnikModel,
    generate,
)
from motionhub.export.folder import export_checkpoint
from motionhub.runtime.graph import ExportedGraph
from motionhub.towers.text_bank import TextBank


pytestmark = pytest.mark.slow  # tracing
TOWER = {"kind": "sentence-transformers", "name": "no-such-tower", "dim": 4}
ZERO_SHOT = ["zero-shot-action-classification", "zero-shot-action-segmentation"]
MODELS: dict[str, tuple[Any, list[str]]] = {
    "classifier": (UnikForActionClassification, ["action-classification"]),
    "segmenter": (UnikForActionSegmentation, ["action-segmentation"]),
    "encoder": (UnikModel, ["skeleton-feature-extraction"]),
    "zero-shot": (TMorForZeroShotActionClassification, ZERO_SHOT),
}
CALLS = [
    ("classifier", "action-classification", {}),
    ("segmenter", "action-segmentation", {"return_scores": True, "threshold": 0.2}),
    ("encoder", "skeleton-feature-extraction", {}),
    ("encoder", "skeleton-feature-extraction", {"level": "step", "normalize": False}),
    ("zero-shot", ZERO_SHOT[0], {"candidate_labels": ["sit down", "wave"]}),
    ("zero-shot", ZERO_SHOT[0], {"candidate_labels": {"sit": "sit down"}, "none_label": None, "multi_label": True}),
    ("zero-shot", ZERO_SHOT[1], {"candidate_labels": ["sit", "wave"], "background": ["sit down"]}),
]


def model_of(kind: str) -> Any:
    torch.manual_seed(0)
    encoder = UnikConfig(layout="coco-17", num_joints=17, num_people=1, channels=[8, 8], strides=[1, 2], num_labels=3)
    if kind != "zero-shot":
        return MODELS[kind][0](encoder).eval()
    levels = {"rejection_threshold": 0.1, "score_temperature": 0.3, "calibrated_stacking": 0.2, "window_seconds": 1.0}
    return MODELS[kind][0](TMorConfig(encoder_config=encoder, projection_size=6, text_size=4, **levels)).eval()


def processor_of(kind: str) -> SkeletonProcessor:
    fixed = {"num_frames": 24, "test_sampling": "all" if kind == "segmenter" else "resize"}
    steps = {"normalization": "centre", "scale": "extent", "fill": "interpolate"}
    return SkeletonProcessor(layout="coco-17", num_people=1, upright=kind == "zero-shot", **fixed, **steps)


def bank() -> TextBank:
    vectors = torch.nn.functional.normalize(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    return TextBank(["sit down", "wave", "sit"], vectors, TOWER, torch.ones(4) / 2, learned=["wave"])


def clips() -> list[SkeletonSequence]:
    """Of several lengths, one person gone for a while, a tenth of the joints missing."""
    made = []
    for seed, frames in enumerate((24, 31, 70, 12)):
        clip = generate("sit down", seed=seed, num_frames=frames)
        points = clip.keypoints.copy()
        points[np.random.default_rng(seed).random(points.shape[:3]) < 0.1] = np.nan
        points[:, frames // 2 : frames // 2 + 3] = np.nan
        made.append(clip.replace(keypoints=points))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def find(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("exported") / kind
            given = {"tasks": MODELS[kind][1], "bank": bank() if kind == "zero-shot" else None, "num_clips": 4}
            given["stream"] = 24 if kind == "segmenter" else None
            export_checkpoint(model_of(kind), processor_of(kind), made[kind], **given)
        return made[kind]

    return find


def assert_close(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)
    elif isinstance(expected, float | np.ndarray):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    else:
        assert found == expected


@pytest.mark.parametrize(("kind", "task", "options"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
def test_folder_and_predictor_answer_as_the_model(kind, task, options, folder):
    own = {"text_bank": bank()} if kind == "zero-shot" else {}
    pipe = pipeline(task, model=model_of(kind), feature_extractor=processor_of(kind), **own)
    exported, predictor = pipeline(task, model=str(folder(kind))), Predictor(folder(kind), task)
    for clip in clips():
        expected = pipe(clip, **options)
        assert_close(exported(clip, **options), expected)
        assert_close(predictor(clip, **options), expected)


def test_parity_states_what_was_compared(folder):
    parity = json.loads((folder("classifier") / "parity.json").read_text())
    assert parity["clips"] == 4 and parity["same_first_answer"] == 1.0
    assert 0 <= parity["largest_difference"] < 1e-4
    assert set(parity["milliseconds"]) == {"1 thread", "2 threads"}


def test_the_card_has_one_section_edge(folder):
    path = folder("classifier")
    export_checkpoint(
        model_of("classifier"),
        processor_of("classifier"),
        path,
        tasks=["action-classification"],
        source=path,
        num_clips=2,
    )
    assert (path / "README.md").read_text().count("## Edge\n") == 1


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 8, 25, 61])
def test_a_graph_without_a_fixed_number_of_frames_takes_clips_of_any_length(frames, folder):
    keypoints = torch.randn(2, 1, frames, 17, 2, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 1, frames, dtype=torch.bool)
    made = ExportedGraph(folder("segmenter"))(keypoints.numpy(), attention_mask=mask.numpy())["logits"]
    np.testing.assert_allclose(made, model_of("segmenter")(keypoints, attention_mask=mask).logits, atol=1e-4)


def test_a_longer_clip_than_the_graph_takes_names_the_option(folder):
    graph = ExportedGraph(folder("classifier"))
    graph.any_frames = False  # as of families whose graphs have a fixed number of frames
    with pytest.raises(ValueError, match="at most 1 people and 24 frames.*--frames 25"):
        graph(np.zeros((1, 1, 25, 17, 2), np.float32))


def test_options_and_labels_that_are_not_there(folder):
    clip = clips()[0]
    with pytest.raises(ValueError, match="no option 'topk'"):
        Predictor(folder("classifier"))(clip, topk=1)
    with pytest.raises(ValueError, match="needs layout, fps and unit"):
        Predictor(folder("classifier"))(clip.keypoints)
    with pytest.raises(ValueError, match="has the tasks .'action-classification'., got 'action-segmentation'"):
        Predictor(folder("classifier"), "action-segmentation")
    with pytest.raises(ValueError, match="lacks 'juggle'.*--phrases"):
        Predictor(folder("zero-shot"))(clip, candidate_labels=["juggle"])


def test_a_folder_with_files_of_the_user_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty and no exported folder; pass a new folder with -o"):
        export_checkpoint(model_of("classifier"), processor_of("classifier"), tmp_path)


@pytest.mark.parametrize("kind", ["classifier", "zero-shot"])
def test_eight_threads_get_the_serial_answers_of_a_predictor(kind, folder):
    predictor = Predictor(folder(kind), threads=1)
    options = {"candidate_labels": ["sit down", "wave"]} if kind == "zero-shot" else {}
    serial = [predictor(clip, **options) for clip in clips()]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda clip: predictor(clip, **options), clips() * 6))
    assert found == serial * 6


def test_streams_of_one_folder_in_eight_threads_do_not_disturb_each_other(folder):
    path = folder("segmenter")
    clips = np.random.default_rng(0).normal(size=(8, 1, 30, 17, 2)).astype(np.float32)

    def streamed(keypoints: np.ndarray) -> np.ndarray:
        stream = ExportedStream(path)
        return np.concatenate([*(stream.add(part) for part in np.split(keypoints, 6, axis=1)), stream.finish()])

    serial = [streamed(clip) for clip in clips]
    with ThreadPoolExecutor(8) as pool:
        for found, expected in zip(pool.map(streamed, clips), serial, strict=True):
            np.testing.assert_array_equal(found, expected)


@torch.no_grad()
def test_the_graph_of_a_stream_answers_as_the_stream(folder):
    keypoints = torch.randn(1, 45, 17, 2, generator=torch.Generator().manual_seed(0))
    early = StreamingSegmenter(model_of("segmenter"), context=24)
    expected = torch.cat([early.add(keypoints), early.finish()]).numpy()
    stream = ExportedStream(folder("segmenter"))
    made = [stream.add(part.numpy()) for part in keypoints.split(10, dim=1)]
    np.testing.assert_allclose(np.concatenate([*made, stream.finish()]), expected, atol=1e-5, rtol=1e-4)
    card = (folder("segmenter") / "README.md").read_text()
    assert f"come {stream.delay} frames after their frame and depend on {early.receptive_field} frames" in card


def test_a_stream_of_a_classifier_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="A stream is exported of a segmentation model to onnx"):
        export_checkpoint(model_of("classifier"), processor_of("classifier"), tmp_path / "new", stream=24)
    assert not (tmp_path / "new").exists()
