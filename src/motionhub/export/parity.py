"""How an exported graph compares with its model: largest difference, same first answers, milliseconds per clip."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionhub.data.datasets.reading import read
from motionhub.data.synthetic.generate import ACTIONS, generate
from motionhub.processing.collate import collate_skeletons
from motionhub.runtime.graph import INPUTS, ExportedGraph
from motionhub.skeletons.sequence import SkeletonSequence


CLIPS = 100
THREADS = (1, 2)
REPEATS = 20
_PIXELS = {"unit": "pixel", "image_size": (640, 480), "up": None}


def parity_clips(count: int, dims: int, files: Sequence[str | Path] = (), seed: int = 0) -> list[SkeletonSequence]:
    """Clips of files first, then generated ones, of 20 to 120 frames; a tenth of their joints is missing.

    Args:
        count: number of clips.
        dims: of the model's input: 2 gives pixels.
        files: of any readable format.
    """
    rng = np.random.default_rng(seed)
    found = [clip for path in files for clip in read(str(path))][: count // 2 if files else 0]
    names = list(ACTIONS)
    for index in range(count - len(found)):
        clip = generate(names[index % len(names)], seed=index, num_frames=int(rng.integers(20, 120)))
        points = clip.keypoints.copy()
        points[rng.random(points.shape[:3]) < 0.1] = np.nan
        if dims == 2:
            clip = clip.replace(keypoints=points[..., :2] * [200, -200] + [320, 400], **_PIXELS)
        else:
            clip = clip.replace(keypoints=points)
        found.append(clip)
    return found


def compare(model: Any, processor: Any, folder: Path, clips: Sequence[SkeletonSequence]) -> dict[str, Any]:
    """What `parity.json` says of an ONNX folder.

    Args:
        model: whose graph it is, in evaluation mode.
        processor: of the model.
        clips: see `parity_clips`; those that do not fit the processor are left out and counted.
    """
    graph = ExportedGraph(folder, threads=1)
    samples = []
    for clip in clips:
        try:
            sample = processor.process(clip)
            samples.append(sample if graph.any_frames else first_frames(sample, graph.facts["frames"]))
        except ValueError:
            continue
    if not samples:
        raise ValueError(f"None of the {len(clips)} clips fits the processor of {folder}; pass others by --clips.")
    name = answer_name(graph.facts)
    largest, same, eager_all, made_all = 0.0, 0, [], []
    for sample in samples:
        batch = collate_skeletons([sample])
        inputs = {each: batch[each] for each in INPUTS}
        with torch.inference_mode():
            eager = model(**inputs)[name].float().numpy()
        made = graph(**{each: value.numpy() for each, value in inputs.items()})[name]
        largest = max(largest, float(np.abs(eager - made).max()))
        eager_all.append(first_answer(eager, name))
        made_all.append(first_answer(made, name))
    if name == "logits":
        same = sum(bool(np.array_equal(one, other)) for one, other in zip(eager_all, made_all, strict=True))
    else:
        same = int((nearest(np.stack(eager_all)) == nearest(np.stack(made_all))).sum())
    return {
        "output": name,
        "clips": len(samples),
        "left_out": len(clips) - len(samples),
        "largest_difference": largest,
        "same_first_answer": same / len(samples),
        "milliseconds": milliseconds(model, folder, samples[0]),
    }


def first_frames(sample: dict[str, Any], frames: int) -> dict[str, Any]:
    """A sample that is not longer than the graph."""
    return {name: value[:, :frames] for name, value in sample.items()}


def answer_name(facts: dict[str, Any]) -> str:
    """The output that answers: logits, scores, motion_embeds or pooler_output."""
    names = facts["outputs"]
    return next(name for name in ("logits", "scores", "motion_embeds", "pooler_output") if name in names)


def first_answer(values: np.ndarray, name: str) -> np.ndarray:
    """The best label of the clip or of every frame; of embeddings the vector itself."""
    return np.asarray(values[0].argmax(-1) if name == "logits" else values.reshape(-1))


def nearest(vectors: np.ndarray) -> np.ndarray:
    """Of each vector the most similar other one; of single numbers the order."""
    if vectors.shape[1] == 1:
        return np.asarray(vectors[:, 0].argsort())
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    return np.asarray(similar.argmax(1))


def milliseconds(model: Any, folder: Path, sample: dict[str, Any]) -> dict[str, dict[str, float]]:
    """`{"1 thread": {"torch": ms, "onnxruntime": ms}, ...}`: the best of 20 runs of one clip, taking turns."""
    batch = collate_skeletons([sample])
    tensors = {name: batch[name] for name in INPUTS}
    arrays = {name: value.numpy() for name, value in tensors.items()}
    before, found = torch.get_num_threads(), {}
    try:
        for threads in THREADS:
            torch.set_num_threads(threads)
            graph = ExportedGraph(folder, threads=threads)

            def eager() -> None:
                with torch.inference_mode():
                    model(**tensors)

            runs: dict[str, Callable[[], Any]] = {"torch": eager, "onnxruntime": partial(graph, **arrays)}
            best = dict.fromkeys(runs, float("inf"))
            for _ in range(REPEATS):
                for name, run in runs.items():
                    start = time.perf_counter()
                    run()
                    best[name] = min(best[name], time.perf_counter() - start)
            key = "1 thread" if threads == 1 else f"{threads} threads"
            found[key] = {name: round(seconds * 1000, 2) for name, seconds in best.items()}
    finally:
        torch.set_num_threads(before)
    return found
