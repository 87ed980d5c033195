"""Action segmentation: datasets with labels per frame, training and evaluation. A frame may have several classes."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from datasets import ClassLabel, Dataset
from torch.utils.data import DataLoader
from transformers import AutoConfig, PreTrainedModel

from motionhub.intervals.decode import DecodingRule
from motionhub.metrics.segmentation import FrameScores, segmentation_report
from motionhub.processing.collate import collate_skeletons
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.rows import frame_labels_of
from motionhub.training.arguments import RunArguments, TrainingRecipe, option
from motionhub.training.dataset import INPUTS, ClipDataset, class_names_of, with_index
from motionhub.training.evaluators import save_report, without_wrapper
from motionhub.training.sources import check_source
from motionhub.training.start import class_names_of_dataset, prepare_start
from motionhub.training.trainer import TrainingResult, train


# The name of the class for frames without an action, if a dataset or a model has one.
BACKGROUND = "background"


@dataclass
class SegmentationOptions:
    """Options of action segmentation besides data, model and recipe.

    Examples:
        >>> motionhub.SegmentationOptions(labels="overlapping", hop=32).convention
        'scikit-learn'
    """

    labels: Literal["auto", "overlapping", "exclusive"] = option(
        "auto",
        "overlapping: several actions at once (binary cross entropy). exclusive: one at a time (cross entropy). auto: "
        "as in the model's config, else overlapping.",
    )
    add_background: bool = option(False, f"Add a class '{BACKGROUND}' for frames without an action, unless it exists.")
    windows_per_clip: int | None = option(
        None, "Training windows of every clip in an epoch; none: as many as cover the clip."
    )
    per_person: bool = option(False, "Every person separately, with the labels of the clip; else all people together.")
    hop: int | None = option(None, "Evaluation: frames from window to window; none: half a window.")
    window: int | None = option(None, "Frames of a window; none: num_frames of the checkpoint's processor.")
    convention: Literal["scikit-learn", "ms-tct"] = option(
        "scikit-learn", "Frame mAP: treatment of equal scores. ms-tct: as in the official TSU and Charades code."
    )
    event_protocol: Literal["activitynet", "pku-mmd"] = option(
        "activitynet", "Event mAP: matching of intervals. pku-mmd: as in PKU-MMD's official code."
    )

    def check_not_given(self, model: str) -> None:
        """Raises ValueError when an option is set for `model`, which classifies whole clips."""
        chosen = [entry.name for entry in fields(self) if getattr(self, entry.name) != entry.default]
        if chosen:
            raise ValueError(
                f"--{', --'.join(chosen)} is for models that label every frame, but {model} classifies whole clips: "
                "leave it out."
            )


def is_segmentation_model(source: str | Path) -> bool:
    """Whether the config of a checkpoint names a segmentation model; False where it cannot be read."""
    try:
        check_source(source, weights=False)
        names = AutoConfig.from_pretrained(str(source)).architectures
    except (OSError, ValueError, TypeError):
        return False
    return any("ForActionSegmentation" in str(name) for name in names or [])


def train_segmentation(
    splits: Any,
    arguments: RunArguments,
    recipe: TrainingRecipe,
    model_class: Any,
    options: SegmentationOptions | None = None,
) -> TrainingResult:
    """Prepares the model and both splits, trains, and evaluates on whole clips.

    Args:
        splits: datasets by split, from `load_splits`.
        model_class: `motionhub.AutoModelForActionSegmentation` or a model class.

    Raises:
        ValueError: overlapping labels for an exclusive model, and what `train` raises.

    Examples:
        >>> splits = motionhub.load_splits(arguments)  # doctest: +SKIP
        >>> result = motionhub.train_segmentation(  # doctest: +SKIP
        ...     splits, arguments, recipe, motionhub.AutoModelForActionSegmentation
        ... )
    """
    options = options or SegmentationOptions()
    if recipe.label_smoothing:
        raise ValueError(f"label_smoothing={recipe.label_smoothing} needs labels per clip; set it to 0 here.")
    chosen = [splits["train"], splits[arguments.eval_split]]
    if options.add_background:
        chosen = [with_background(split) for split in chosen]
    model, processor = prepare_start(arguments, recipe, chosen[0], model_class)
    processor = frame_processor(processor, options.window)
    if options.labels != "auto":
        exclusive = options.labels == "exclusive"
        model.config.problem_type = "single_label_classification" if exclusive else "multi_label_classification"
    windows: Any = {"per_person": options.per_person, "windows_per_clip": options.windows_per_clip}
    clips = FrameLabelDataset(chosen[0], processor, training=True, seed=recipe.seed, **windows)
    if model.exclusive and clips.overlapping:
        raise ValueError("Actions overlap in this dataset: train with --labels overlapping.")
    tested = FrameLabelDataset(chosen[1], processor, training=False, per_person=options.per_person)
    evaluation = SegmentationEvaluation(
        tested, hop=options.hop, convention=options.convention, protocol=options.event_protocol
    )
    return train(
        model,
        processor,
        clips,
        tested,
        recipe,
        collate=collate_frames,
        evaluation=evaluation,
        primary_metric="frame_map",
    )


class FrameLabelDataset(ClipDataset):
    """Rows with frame labels or segments as model inputs, with the classes of every frame.

    A training item is a random window of the processor's `num_frames`, an evaluation item the whole clip at the
    processor's frame rate. `labels` of an item are `(frames, classes)` of 0 and 1; -1 is unknown. Frames without an
    action are all 0, or of the class "background" if the dataset has one (see `with_background`).

    Args:
        dataset: rows of `motionhub.skeletons.rows` whose `label` is a ClassLabel.
        processor: samples the labels with the frames.
        training: True takes windows and augments at random; False is deterministic.
        seed: of windows and augmentation.
        windows_per_clip: windows of every clip in an epoch; by default as many as cover the clip.
        per_person: True makes every person an item, with the clip's labels where the person is detected (elsewhere
            unknown); otherwise an item has all people of a clip.

    Raises:
        ValueError: no clips, no class names, a row without labels per frame, or a processor that skips frames in the
            evaluation.
    """

    processor: SkeletonProcessor

    def __init__(
        self,
        dataset: Dataset,
        processor: SkeletonProcessor,
        *,
        training: bool,
        seed: int = 0,
        windows_per_clip: int | None = None,
        per_person: bool = False,
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise ValueError(f"Labels per frame need a datasets.Dataset, got {type(dataset).__name__}.")
        if windows_per_clip is not None and windows_per_clip < 1:
            raise ValueError(f"windows_per_clip must be at least 1, or None, got {windows_per_clip}.")
        if processor.test_sampling != "all":
            raise ValueError(
                f"Labels per frame need every frame at test time, but the processor has test_sampling="
                f"{processor.test_sampling!r}; use one with test_sampling='all' and train_sampling="
                "'random-window', e.g. processor.from_dict({**processor.to_dict(), 'test_sampling': 'all'})."
            )
        self.class_names = class_names_of_dataset(dataset)
        super().__init__(dataset, processor, training=training, seed=seed)
        columns = ("num_frames", "frame_labels", "segment_labels", "segment_starts", "segment_ends", "clip_id")
        without_motion = dataset.select_columns([name for name in columns if name in dataset.column_names])
        facts = list(without_motion.with_format("numpy"))
        self.frame_labels = [self._classes(row) for row in facts]
        self._names = [str(row.get("clip_id", "")) or f"row {number}" for number, row in enumerate(facts)]
        self._rates = [float(rate) for rate in dataset["fps"]]
        self.entries: list[tuple[int, int | None]] = []
        for row, num_people in enumerate(dataset["num_people"]):
            count = self._windows(row, windows_per_clip) if training else 1
            people = range(int(num_people)) if per_person else (None,)
            self.entries += [(row, person) for person in people for _ in range(count)]
        if not self.entries:
            raise ValueError("The dataset holds no clips, or no person in them.")

    @property
    def background(self) -> int | None:
        """The index of the background class, if there is one."""
        return self.class_names.index(BACKGROUND) if BACKGROUND in self.class_names else None

    @property
    def overlapping(self) -> bool:
        """Whether a frame has two classes."""
        return any(classes.sum(axis=1).max(initial=0) > 1 for classes in self.frame_labels)

    def __len__(self) -> int:
        return len(self.entries)

    def name_of(self, index: int) -> str:
        """The clip of an item, and its person with `per_person`."""
        row, person = self.entries[index]
        return self._names[row] if person is None else f"{self._names[row]}, person {person}"

    def fps_of(self, index: int) -> float:
        """Frames per second of an item."""
        return float(self.processor.fps or self._rates[self.entries[index][0]])

    def fingerprint(self) -> str:
        """SHA-256 of the clips' names, in order, and the classes of their frames."""
        digest = hashlib.sha256("\n".join([*self._names, *self.class_names, str(self.entries)]).encode())
        for classes in self.frame_labels:
            digest.update(np.packbits(classes > 0).tobytes())
        return digest.hexdigest()

    def longest_first(self) -> list[int]:
        """The items from the longest clip to the shortest."""
        lengths = np.array([len(self.frame_labels[row]) for row, _ in self.entries])
        return np.argsort(-lengths, kind="stable").tolist()

    def _item(self, index: int) -> dict[str, Any]:
        row, person = self.entries[index]
        sequence, classes = self._sequence(row), self.frame_labels[row].astype(np.float32)
        if person is not None:
            sequence = sequence.person(person)
            classes[~sequence.joint_mask[0].any(axis=-1)] = -1
        arrays = self.processor.process(sequence, self.training, self._generator(index), frame_labels=classes)
        item = {name: torch.as_tensor(arrays[name]) for name in (*INPUTS, "labels")}
        return item if self.training else item | {"num_frames": torch.tensor(len(item["labels"]))}

    def _classes(self, row: dict[str, Any]) -> np.ndarray:
        classes = frame_labels_of(row, len(self.class_names))
        if classes is None:
            raise ValueError(
                f"Clip {str(row['clip_id'])!r} has no labels per frame: write rows with to_row(..., frame_labels=...) "
                "or segments=..., or remove the clip with dataset.filter."
            )
        if self.background is not None:
            classes[~classes.any(axis=1), self.background] = 1
        return classes.astype(np.uint8)

    def _windows(self, row: int, windows_per_clip: int | None) -> int:
        window, rate = self.processor.num_frames, self._rates[row]
        if windows_per_clip is not None or window is None:
            return windows_per_clip or 1
        frames = len(self.frame_labels[row]) * (self.processor.fps or rate) / rate
        return max(1, -int(-frames // window))


def collate_frames(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`collate_skeletons`, with `num_frames` (batch,) for whole clips."""
    batch: dict[str, Any] = dict(collate_skeletons(items))
    if "num_frames" in items[0]:
        batch["num_frames"] = torch.stack([torch.as_tensor(item["num_frames"]) for item in items])
    return batch


def with_background(dataset: Dataset) -> Dataset:
    """The dataset with a class "background" as the last one, unless it has it."""
    names = class_names_of_dataset(dataset)
    if BACKGROUND in names:
        return dataset
    return dataset.cast_column("label", ClassLabel(names=[*names, BACKGROUND]))


def frame_processor(processor: SkeletonProcessor, window: int | None = None) -> SkeletonProcessor:
    """The processor with windows of `window` frames, and with every frame at test time."""
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1 frame, got {window}.")
    changes: dict[str, Any] = {} if window is None else {"num_frames": window}
    if processor.test_sampling != "all":
        changes |= {"test_sampling": "all", "train_sampling": "random-window", "test_num_frames": None}
    return type(processor).from_dict({**processor.to_dict(), **changes}) if changes else processor


class SegmentationEvaluation:
    """Scores whole clips window by window and reports; memory: 4 bytes per frame and class of all clips.

    Args:
        clips: the evaluation set.
        window: frames of a forward pass; default: the processor's `num_frames` (if None, the whole clip).
        hop: frames from window to window; default: half a window.
        convention, protocol: of frame and event average precision, see `metrics`.

    Raises:
        ValueError: a training set, or a hop that skips frames.
    """

    def __init__(
        self,
        clips: FrameLabelDataset,
        *,
        window: int | None = None,
        hop: int | None = None,
        convention: str = "scikit-learn",
        protocol: str = "activitynet",
    ) -> None:
        if clips.training:
            raise ValueError("An evaluation needs whole clips: FrameLabelDataset(..., training=False).")
        self.clips = clips
        self.window = window or clips.processor.num_frames
        if hop is not None and not 1 <= hop <= (self.window or hop):
            raise ValueError(f"hop must be in 1..{self.window} (the window), got {hop}.")
        self.hop = hop or (None if self.window is None else max(self.window // 2, 1))
        self.conventions = {"convention": convention, "protocol": protocol}

    def __call__(self, model: Any, loader: Any, accelerator: Accelerator) -> dict[str, Any]:
        bare: Any = without_wrapper(model, accelerator)
        return self.report(bare, self.scores(bare, loader, accelerator))

    def report(self, model: Any, scores: Sequence[FrameScores]) -> dict[str, Any]:
        """The report of `metrics.segmentation`; events are intervals with scores of at least 0.5."""
        background = self.clips.background
        rule = DecodingRule(exclusive=model.exclusive, background=background)
        return segmentation_report(
            scores,
            self.clips.class_names,
            rule,
            exclusive=model.exclusive,
            background=background,
            threshold=rule.threshold,
            **self.conventions,
        )

    @torch.no_grad()
    def scores(self, model: Any, loader: Any, accelerator: Accelerator | None = None) -> list[FrameScores]:
        """Probabilities and labels of all clips, in order, in every process."""
        found: dict[int, FrameScores] = {}
        place = next(model.parameters()).device
        for batch in loader:
            batch = {name: value.to(place) for name, value in batch.items()}
            index, labels, mask = batch["index"], batch["labels"], batch["attention_mask"]
            logits = self._logits(model, batch["keypoints"], mask).float()
            probabilities = logits.softmax(-1) if model.exclusive else logits.sigmoid()
            # No action without a person.
            probabilities = probabilities * mask.flatten(1).any(1)[:, None, None]
            parts: Any = (index, probabilities, labels, batch["num_frames"])
            if accelerator is not None:
                # Gathering needs one length.
                parts = accelerator.gather_for_metrics(accelerator.pad_across_processes(parts, dim=1))
            for row, own, truth, length in zip(*(part.cpu().numpy() for part in parts), strict=True):
                name, fps = self.clips.name_of(int(row)), self.clips.fps_of(int(row))
                found[int(row)] = FrameScores(name, own[:length], truth[:length], fps)
        return [found[row] for row in sorted(found)]

    def _logits(self, model: Any, keypoints: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.window is None:
            return model(keypoints=keypoints, attention_mask=mask).logits
        return model.predict_windows(keypoints, mask, window=self.window, hop=self.hop)


def evaluate_segmentation(
    model: PreTrainedModel,
    processor: SkeletonProcessor,
    dataset: Dataset,
    *,
    per_person: bool = False,
    batch_size: int = 16,
    output_dir: str | Path | None = None,
    **options: Any,
) -> tuple[dict[str, Any], list[FrameScores]]:
    """Labels every frame of `dataset`; the report of `metrics.segmentation` with `frames_per_second`, and the scores.

    Args:
        model: labels frames, e.g. `UnikForActionSegmentation`, with the classes of the dataset.
        output_dir: folder for `metrics.json` and `scores.npz` (probabilities and labels).
        options: of `SegmentationEvaluation`.

    Raises:
        ValueError: other classes than the model's, and what `FrameLabelDataset` and the metrics raise.
    """
    names = class_names_of(model.config)
    if BACKGROUND in names:
        dataset = with_background(dataset)
    clips = FrameLabelDataset(dataset, processor, training=False, per_person=per_person)
    if clips.class_names != names:
        raise ValueError(f"The dataset has the classes {clips.class_names[:5]}..., but the model {names[:5]}...")
    evaluation = SegmentationEvaluation(clips, **options)
    loader = DataLoader(clips, batch_size, sampler=clips.longest_first(), collate_fn=with_index(collate_frames))
    was_training, started = model.training, time.perf_counter()
    scores = evaluation.scores(model.eval(), loader)
    seconds = time.perf_counter() - started
    model.train(was_training)
    report = evaluation.report(model, scores)
    report["frames_per_second"] = sum(len(clip.labels) for clip in scores) / seconds
    if output_dir is not None:
        save_report(output_dir, report)
        save_frame_scores(Path(output_dir) / "scores.npz", scores)
    return report, scores


def save_frame_scores(path: str | Path, scores: Sequence[FrameScores]) -> None:
    """Writes `probabilities`, `labels`, `names`, `ends` (frames, cumulative) and `fps` of all clips to one `.npz`."""
    np.savez(
        path,
        names=np.asarray([clip.name for clip in scores], dtype=np.str_),
        ends=np.cumsum([len(clip.labels) for clip in scores]),
        fps=np.asarray([clip.fps for clip in scores]),
        probabilities=np.concatenate([clip.probabilities for clip in scores]).astype(np.float32),
        labels=np.concatenate([clip.labels for clip in scores]).astype(np.int8),
    )
