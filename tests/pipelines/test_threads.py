"""Every pipeline answers from eight threads as it does alone: pipelines, models and processors stay as they are."""

import copy
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoFeatureExtractor, Pipeline, pipeline

import motionhub
from motionhub.auto import PIPELINES
from motionhub.data.views.cameras import project_to_pixels
from motionhub.hub.packaged import folder_of
from motionhub.pipelines.skeleton_pipeline import dims_of


THREADS, ROUNDS = 8, 3
LABELS = ("sit down", "wave", "walk", "fall down")
# Task -> checkpoint, and arguments of a call.
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "action-classification": ("unik-nucla-small", {}),
    "action-segmentation": ("unik-precog-small", {"return_scores": True}),
    "motion-retargeting": ("retarget-skeleton-aberman", {"target": None}),  # filled in below
    "movement-quality": ("movement-quality-uiprmd", {}),
    "skeleton-feature-extraction": ("unik-nucla-small", {}),
    "zero-shot-action-classification": ("tmor-small", {"candidate_labels": LABELS}),
    "zero-shot-action-segmentation": ("tmor-small", {"candidate_labels": LABELS, "return_scores": True, "hop": 1.0}),
}


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@cache
def pipe_of(task: str) -> Pipeline:
    source = f"motionhub/{SOURCES[task][0]}"
    if (folder_of(source) / "model.safetensors").is_file():
        return pipeline(task, model=source)
    torch.manual_seed(0)
    model = PIPELINES[task][1].from_config(AutoConfig.from_pretrained(source)).eval()
    return pipeline(task, model=model, feature_extractor=AutoFeatureExtractor.from_pretrained(source))


def clips_for(pipe: Pipeline) -> list[motionhub.SkeletonSequence]:
    motions = ("wave", "walk around", "sit down", "throw")
    found = []
    for number in range(THREADS):
        clip = motionhub.generate(motions[number % 4], seed=number, num_frames=40 + 5 * number)
        clip = motionhub.convert_layout(clip, pipe.feature_extractor.layout)
        if dims_of(pipe.feature_extractor) == 2:
            clip = project_to_pixels(clip, 0, 0, (640, 480))
        found.append(clip)
    return found


def plain(value: Any) -> Any:
    if isinstance(value, motionhub.SkeletonSequence):
        return plain(value.keypoints)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return np.nan_to_num(np.asarray(value)).tolist() if isinstance(value, torch.Tensor | np.ndarray) else value


def in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [plain(found.result()) for found in [pool.submit(call) for call in calls]]


def test_every_pipeline_is_tried():
    assert {*SOURCES} == {*PIPELINES}


@pytest.mark.parametrize("task", SOURCES)
def test_eight_threads_get_the_serial_answers(task):
    pipe, options = pipe_of(task), SOURCES[task][1]
    clips = clips_for(pipe)
    if "target" in options:
        options = {"target": clips[-1]}
    serial = [plain(pipe(clip, **options)) for clip in clips]
    assert serial[0] != serial[1]
    state = copy.deepcopy(pipe.feature_extractor.to_dict())
    calls = [lambda clip=clip: pipe(clip, **options) for clip in clips]
    assert in_threads(calls * ROUNDS) == serial * ROUNDS
    assert pipe.feature_extractor.to_dict() == state


PAIRS = [
    ("zero-shot-action-classification", "zero-shot-action-segmentation"),
    ("action-classification", "skeleton-feature-extraction"),
]


@pytest.mark.parametrize("tasks", PAIRS)
def test_two_pipelines_of_one_model_do_not_disturb_each_other(tasks):
    first = pipe_of(tasks[0])
    model = first.model.base_model if tasks[1] == "skeleton-feature-extraction" else first.model
    pipes = (first, pipeline(tasks[1], model=model, feature_extractor=first.feature_extractor))
    calls = [
        lambda pipe=pipe, clip=clip, task=task: pipe(clip, **SOURCES[task][1])
        for clip in clips_for(first)[:4]
        for pipe, task in zip(pipes, tasks, strict=True)
    ]
    serial = [plain(call()) for call in calls]
    assert in_threads(calls * 2) == serial * 2


def streamed(stream: Any, frames: torch.Tensor) -> list[list[float]]:
    parts = [stream.add(part) for part in frames.split(7, dim=1)]
    return torch.cat([*parts, stream.finish()]).tolist()


@pytest.mark.parametrize("kind", ["streaming", "online"])
def test_streams_of_one_model_do_not_disturb_each_other(kind):
    torch.manual_seed(0)
    config = motionhub.UnikConfig(num_people=1, num_labels=3, channels=[8, 8], strides=[1, 2])
    model = motionhub.UnikForActionSegmentation(config).eval()

    def stream() -> Any:
        if kind == "streaming":
            return motionhub.StreamingSegmenter(model, context=16)
        return motionhub.OnlineSegmenter(model, window=16, hop=8)

    clips = torch.randn(THREADS, 1, 60, config.num_joints, 2)
    serial = [streamed(stream(), clip) for clip in clips]
    assert in_threads([lambda clip=clip: streamed(stream(), clip) for clip in clips]) == serial


@pytest.mark.slow
def test_live_streams_of_one_pipeline_are_those_of_pipelines_alone():
    pipe = pipe_of("zero-shot-action-segmentation")
    clips = clips_for(pipe)[:4]

    def events(clip: motionhub.SkeletonSequence) -> list[Any]:
        facts = {"layout": clip.layout, "fps": clip.fps, "unit": clip.unit, "image_size": clip.image_size, "up": "-y"}
        live = motionhub.LiveEvents(pipe, list(LABELS), **facts)
        found = [event for points in clip.keypoints.swapaxes(0, 1) for event in live.push(points)]
        return [{**event.to_dict(), "clock": ""} for event in [*found, *live.finish()]]

    serial = [events(clip) for clip in clips]
    assert any(serial)
    assert in_threads([lambda clip=clip: events(clip) for clip in clips * 2]) == serial * 2
    assert pipe.checks
