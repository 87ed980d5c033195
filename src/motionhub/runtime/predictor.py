"""`Predictor`: keypoints in, answers out, by an exported folder; needs NumPy and ONNX Runtime, no torch."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.runtime import answers
from motionhub.runtime import zero_shot as scores
from motionhub.runtime.arrays import ARRAYS, describe, sequence_of, warn_of_findings
from motionhub.runtime.bank import ExportedBank, label_vectors
from motionhub.runtime.graph import INPUTS, ExportedGraph, check_tasks, read_processor
from motionhub.runtime.skeleton_steps import padded_array
from motionhub.skeletons.sequence import SkeletonSequence


ZERO_SHOT = ("zero-shot-action-classification", "zero-shot-action-segmentation")
BATCH = 64


class Predictor:
    """The pipeline of an exported folder, without torch and transformers: same steps, same answers.

    Args:
        folder: of `motionhub export CHECKPOINT --to onnx -o FOLDER`.
        task: one of the folder's `tasks`; None: its first. The tasks are those of `transformers.pipeline`.
        threads: of ONNX Runtime; None: its own choice.

    Raises:
        ValueError: the folder is none, a file is missing or broken, it is of a newer version, or it has no such task.
        ImportError: onnxruntime is not installed.

    Examples:
        >>> import motionhub
        >>> motionhub.Predictor("no/such/folder")
        Traceback (most recent call last):
        ...
        ValueError: no/such/folder: expected a folder of an exported model with export.json, found none; ...
    """

    def __init__(self, folder: str | os.PathLike[str], task: str | None = None, threads: int | None = None) -> None:
        self.folder = Path(folder)
        self.graph = ExportedGraph(self.folder, threads)
        check_tasks(self.graph)
        self.facts = self.graph.facts
        tasks = self.facts["tasks"]
        if task is not None and task not in tasks:
            raise ValueError(f"{folder} has the tasks {tasks}, got {task!r}; leave task out for {tasks[0]!r}.")
        self.task = task or tasks[0]
        self.processor = read_processor(self.folder)
        self.bank = ExportedBank(self.folder) if self.task in ZERO_SHOT else None

    @property
    def labels(self) -> list[str]:
        """Of a classifier or segmenter; empty for others."""
        return list(self.facts["labels"])

    def __call__(
        self,
        keypoints: Any,
        *,
        layout: Any = None,
        fps: float | None = None,
        unit: str | None = None,
        image_size: tuple[int, int] | None = None,
        per_person: bool = True,
        **options: Any,
    ) -> Any:
        """The answer for one clip, as the pipeline of the task gives it.

        Args:
            keypoints: a `SkeletonSequence`, or an array `(people, frames, joints, dims)` or `(frames, joints, dims)`,
                NaN where a joint is missing.
            layout, fps, unit, image_size: of the array; the first three are required.
            per_person: as in the pipelines.
            options: of the task: `top_k`; `candidate_labels`, `hypothesis_template`, `multi_label`, `none_label`,
                `window`, `views`, `hop`, `background`; `threshold` and the other rules of intervals, `return_scores`;
                `level` ("sequence" or "step") and `normalize`.

        Raises:
            ValueError: an array without layout, fps or unit; another layout; a label that the bank lacks.
        """
        if isinstance(keypoints, (*ARRAYS, list)):
            given = {"layout": layout, "fps": fps, "unit": unit, "image_size": image_size}
            keypoints = sequence_of(np.asarray(keypoints), call="predictor", **given)
        if not isinstance(keypoints, SkeletonSequence):
            raise ValueError(
                f"Predictor takes a SkeletonSequence or an array, got {type(keypoints).__name__}; read a file with "
                "motionhub.read(path), which needs no torch either."
            )
        warn_of_findings(keypoints, describe(keypoints))
        answer = getattr(self, "_" + self.task.replace("-", "_"))
        if not keypoints.joint_mask.any():
            warnings.warn(f"{describe(keypoints)}: no valid keypoints of any person.", stacklevel=2)
        try:
            return answer(keypoints, list(self._people(keypoints, per_person)), **options)
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
            name = str(error).rpartition("argument ")[2]
            raise ValueError(
                f"Predictor of {self.task} has no option {name}; see help(motionhub.Predictor)."
            ) from None

    def _people(self, sequence: SkeletonSequence, per_person: bool) -> Any:
        """`(row, part)` of each person with valid keypoints; of all together the row is None."""
        for row in range(sequence.num_people) if per_person else (None,):
            part = sequence if row is None else sequence.person(row)
            if part.joint_mask.any():
                yield row, part

    def _run(self, samples: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
        """The network's outputs for samples of any length."""
        people, frames = (max(sample["attention_mask"].shape[axis] for sample in samples) for axis in (0, 1))
        found = []
        for start in range(0, len(samples), BATCH):
            some = samples[start : start + BATCH]
            batch = {name: np.stack([padded_array(each[name], people, frames) for each in some]) for name in INPUTS}
            found.append(self.graph(**batch))
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    def _action_classification(self, clip: SkeletonSequence, people: Any, top_k: int | None = 5) -> Any:
        results = []
        for row, part in people:
            sample = self.processor.arrays_of(part)
            probabilities = answers.softmax(self._run([sample])["logits"][0])
            best = answers.best_scores(self.labels, probabilities, top_k)
            results.append({"track_id": track(clip, row), "scores": best, "coverage": answers.coverage([sample])})
        return results

    def _action_segmentation(
        self,
        clip: SkeletonSequence,
        people: Any,
        return_scores: bool = False,
        window: int | None = None,
        hop: int | None = None,
        **rule: Any,
    ) -> Any:
        names = dict(enumerate(self.labels))
        decode = answers.segmentation_rule(names, self.facts["exclusive"], self.facts.get("decoding"), **rule)
        size = window or self.processor.num_frames or self.facts["frames"]
        rows: list[Any] = []
        tables: list[Any] = []
        for row, part in people:
            sample = self.processor.arrays_of(part, np.arange(part.num_frames))
            sample["frames"] = sample.pop("labels")
            times = answers.times_of_sample(sample, clip.num_frames, clip.fps)
            given = (sample["keypoints"], sample["attention_mask"])
            logits = self.graph.frame_logits(*given, window=size, hop=hop or max(size // 2, 1))[: len(times) - 1]
            likely = answers.softmax(logits) if decode.exclusive else answers.sigmoid(logits)
            tables.append({"track_id": track(clip, row), "times": times, "probabilities": likely})
            rows += answers.interval_rows(decode, track(clip, row), times, likely, names)
        return {"intervals": rows, "scores": tables} if return_scores else rows

    def _skeleton_feature_extraction(
        self, clip: SkeletonSequence, people: Any, level: str = "sequence", normalize: bool = True
    ) -> np.ndarray:
        if level not in ("sequence", "step"):
            raise ValueError(f"level must be 'sequence' or 'step' here, got {level!r}.")
        found: dict[int, np.ndarray] = {}
        for row, part in people:
            sample = self.processor.arrays_of(part)
            made = self._run([sample])
            found[row or 0] = made["pooler_output"][0] if level == "sequence" else self._frames(sample, made)
        size = self.facts["hidden_size"]
        length = max((len(each) for each in found.values()), default=0)
        shape = (size,) if level == "sequence" else (length, size)
        features = np.full((max([clip.num_people, *[row + 1 for row in found]]), *shape), np.nan, np.float32)
        for row, values in found.items():
            features[row, : len(values)] = values
        if not normalize:
            return features
        return np.asarray(features / np.linalg.norm(features, axis=-1, keepdims=True).clip(min=1e-38))

    def _frames(self, sample: dict[str, Any], made: dict[str, np.ndarray]) -> np.ndarray:
        present = sample["attention_mask"].any(-1)
        states = made["last_hidden_state"][0][present].mean((0, 2))  # (people, frames, joints, channels)
        end = np.flatnonzero(sample["attention_mask"].any(axis=0))[-1] + 1
        return np.asarray(states[: -(-int(end) // self.facts["frame_stride"])])

    def _embeddings(self, part: SkeletonSequence, **windowing: Any) -> Any:
        """Unit embeddings of the windows of one person, the windows, and its samples."""
        found = scores.windows_of(
            part,
            self.processor.arrays_of,
            upright=self.processor.upright,
            num_dims=self.processor.num_dims,
            **{"window": self.facts["window_seconds"], **windowing},
        )
        spans, samples = [span for span, _ in found], [sample for _, sample in found]
        embeds, own = scores.over_views(spans, self._run(samples)["motion_embeds"])
        return embeds, own, samples

    def _candidates(self, candidate_labels: Any, templates: Any) -> tuple[list[str], np.ndarray, np.ndarray]:
        assert self.bank is not None
        phrasings = scores.checked_labels(candidate_labels)
        vectors, new = label_vectors(phrasings, templates, self.bank, self.bank.lookup)
        return list(phrasings), vectors, new

    def _levels(self, of_windows: bool) -> scores.Levels:
        facts = self.facts
        level = facts["window_rejection_threshold"] if of_windows else None
        rejection = facts["rejection_threshold"] if level is None else level
        return scores.Levels(facts["score_temperature"], rejection, facts["calibrated_stacking"])

    def _zero_shot_action_classification(
        self,
        clip: SkeletonSequence,
        people: Any,
        candidate_labels: Any = None,
        hypothesis_template: str | Sequence[str] = "{}",
        multi_label: bool = False,
        none_label: str | None = scores.NONE,
        top_k: int | None = None,
        **windowing: Any,
    ) -> Any:
        labels, vectors, new = self._candidates(candidate_labels, hypothesis_template)
        results = []
        for row, part in people:
            embeds, _, samples = self._embeddings(part, **windowing)
            similarity = scores.over_windows(self.graph.similarities(embeds, vectors))[None]
            likely = scores.probabilities_of(similarity, new, self._levels(False), multi_label, none_label is not None)
            best = answers.best_scores([*labels, str(none_label)], likely[0], top_k)
            results.append({"track_id": track(clip, row), "scores": best, "coverage": answers.coverage(samples)})
        return results

    def _zero_shot_action_segmentation(
        self,
        clip: SkeletonSequence,
        people: Any,
        candidate_labels: Any = None,
        hypothesis_template: str | Sequence[str] = "{}",
        multi_label: bool = False,
        none_label: bool = True,
        background: Any = (),
        return_scores: bool = False,
        window: float | None = None,
        hop: float = scores.HOP,
        views: Sequence[float] = scores.VIEWS,
        **rule: Any,
    ) -> Any:
        level = self._levels(True).rejection
        given_rule = {**checked_rule(rule), "multi_label": multi_label, "none_label": none_label}
        decode = scores.decoding_rule(given_rule, level, self.facts.get("decoding"))
        given, hidden = scores.with_background(candidate_labels, background) if background else (candidate_labels, 0)
        labels, vectors, new = self._candidates(given, hypothesis_template)
        rows: list[Any] = []
        tables: list[Any] = []
        for row, part in people:
            seconds = window or self.facts["window_seconds"]
            embeds, spans, _ = self._embeddings(part, window=seconds, hop=hop, views=views)
            similarity = self.graph.similarities(embeds, vectors)
            likely = scores.probabilities_of(similarity, new, self._levels(True), multi_label, none_label)
            if none_label and not multi_label:
                likely = scores.supported(likely, similarity, level)
            frames, begin = scores.over_frames(likely, spans)
            times, whose = (begin + np.arange(len(frames) + 1)) / clip.fps, track(clip, row)
            tables.append({"track_id": whose, "times": times, "probabilities": frames, "labels": tuple(labels)})
            rows += answers.interval_rows(decode, whose, times, frames, labels[: len(labels) - hidden])
        return {"intervals": rows, "scores": tables} if return_scores else rows


def track(clip: SkeletonSequence, row: int | None) -> int | None:
    """The track of the person at `row`; None for all people together."""
    return None if row is None or clip.track_ids is None else clip.track_ids[row]


def checked_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for a name that is no rule of intervals."""
    if unknown := sorted(set(rule) - set(answers.RULES)):
        raise ValueError(f"Unknown options {unknown}; the rules of intervals are {list(answers.RULES)}.")
    return rule
