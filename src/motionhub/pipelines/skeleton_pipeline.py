"""Base of the skeleton pipelines: an input becomes a `SkeletonSequence`, its people samples, samples a batch."""

import os
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from huggingface_hub import HfApi
from transformers import AutoFeatureExtractor, Pipeline

from motionhub.data.formats.results import from_results, is_frame_result
from motionhub.data.video.reader import is_video
from motionhub.nn.precision import bf16_support
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.runtime.answers import Span, coverage
from motionhub.runtime.arrays import ARRAYS, describe, sequence_of, warn_of_findings
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.rows import from_row
from motionhub.skeletons.sequence import SkeletonSequence


SINGLE_INPUTS = (str, os.PathLike, SkeletonSequence, *ARRAYS, Mapping)
FACTS = ("layout", "fps", "unit", "image_size")
INPUT_PARAMETERS = (*FACTS, "per_person")


@dataclass(frozen=True)
class Clip:
    """One input of a pipeline, ready for the model.

    Args:
        name: for warnings.
        sequence: the input.
        rows: the position in `sequence` of each sample's person; None when all people share one sample.
        samples: output of `processor.process` for the people with valid keypoints.
        spans: first frame of each sample, and the frame after its last.
    """

    name: str
    sequence: SkeletonSequence
    rows: tuple[int | None, ...]
    samples: tuple[dict[str, Any], ...]
    spans: tuple[Span, ...]

    def track_id(self, row: int | None) -> int | None:
        """The person's at `row`; None for all people together."""
        return None if row is None or self.sequence.track_ids is None else self.sequence.track_ids[row]

    def coverage(self, *samples: int) -> float:
        """Share of detected joints in the valid frames, averaged over the samples."""
        return coverage([self.samples[index] for index in samples])


class SkeletonPipeline(Pipeline):
    """Base of the skeleton pipelines.

    An input is a path of any readable format (with `layout=`, `fps=`, `unit=` where the file lacks them), a video
    (the first installed pose estimator finds its people; 3-D models get metres relative to each person's hips if it
    lifts, as MediaPipe does), a `SkeletonSequence`, a row of a motionhub dataset, or an array `(people, frames,
    joints, dims)` or `(frames, joints, dims)` with `layout=`, `fps=` and `unit=` (and `image_size=(width, height)`
    where the processor needs it). The results of a pose estimator, a list with one item per frame as
    `motionhub.from_results` takes it, are one clip; give `fps=`. Any other list gives a list of results; any other
    iterable (a generator, a `datasets.Dataset`) gives an iterator that reads `batch_size` inputs at a time.

    Args of every call:
        per_person: True (default) passes each person to the model separately; False passes all people together.
        batch_size: inputs per forward pass. Results do not depend on it: padding is masked, and a model whose
            `pooling="official"` averages padding gets one input at a time.

    Raises:
        ValueError: the input is none of the above, or its file cannot be read.
    """

    # False leaves out the warnings of likely mistakes in an input, which cost as much as a small model.
    checks = True
    _load_processor = False
    _load_tokenizer = False
    _load_image_processor = False
    _load_video_processor = False
    # Optional for transformers, since `processor=` may replace it; __init__ requires one of them.
    _load_feature_extractor = None
    feature_extractor: Any
    needs_motion = True  # a single frame is answered with a warning

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("local_files_only", None)  # transformers forwards it after loading
        dtype = kwargs.get("dtype")
        super().__init__(*args, **kwargs)
        if dtype == "auto":
            avoid_emulated_bf16(self.model, self.device)
        if self.feature_extractor is None:
            self.feature_extractor = self.processor
        if self.feature_extractor is None:
            source = self.model.name_or_path
            raise ValueError(
                f"{type(self).__name__} needs a processor, but {source or 'the model'!r} has no readable "
                f"preprocessor_config.json{_why_unreadable(source)}; put the checkpoint's own file there, or pass "
                "feature_extractor=SkeletonProcessor(layout=...)."
            )
        _check_no_images(self.model, self.feature_extractor)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """One result for one input, a list for a list, an iterator for another iterable (see the class)."""
        if is_frame_result(inputs) or (isinstance(inputs, list | tuple) and any(map(is_frame_result, inputs))):
            inputs = _clip_of_results(inputs, kwargs)
        if isinstance(inputs, list | tuple):
            return super().__call__(list(inputs), **kwargs) if len(inputs) else []
        if isinstance(inputs, Iterable) and not isinstance(inputs, SINGLE_INPUTS):
            return super().__call__((item for item in inputs), **kwargs)
        return super().__call__(inputs, **kwargs)

    def preprocess(self, item: Any, *, per_person: bool = True, **options: Any) -> Clip:
        sequence = as_sequence(item, num_dims=dims_of(self.feature_extractor), **take(options, *FACTS))
        name = str(item) if isinstance(item, str | os.PathLike) else describe(sequence)
        if self.checks:
            warn_of_findings(sequence, name)
        if self.checks and self.needs_motion and sequence.num_frames == 1:
            warnings.warn(f"{name}: one frame holds no motion, so the answer is about a pose.", stacklevel=2)
        people: list[int | None] = list(range(sequence.num_people)) if per_person else [None]
        found = []
        for row in people:
            part = sequence if row is None else sequence.person(row)
            for span, sample in self.samples_of(part, name, **options):
                if np.asarray(sample["attention_mask"]).any():
                    found.append((row, sample, span))
        if self.checks and not found:
            warnings.warn(f"{name}: no valid keypoints of any person, so the result is empty.", stacklevel=2)
        rows, samples, spans = zip(*found, strict=True) if found else ((), (), ())
        return Clip(name, sequence, rows, samples, spans)

    def samples_of(self, part: SkeletonSequence, name: str) -> list[tuple[Span, dict[str, Any]]]:
        """Samples of one person, or of all people together, with their frames. Subclasses may cut windows."""
        return [((0, part.num_frames), self.sample_of(part, name))] if part.joint_mask.any() else []

    def sample_of(self, part: SkeletonSequence, name: str) -> dict[str, Any]:
        """The processor's output for one person, or for all people together."""
        return process(self.feature_extractor, part, name)

    def make_batch(self, clips: list[Clip]) -> dict[str, Any]:
        """All samples of the clips, padded to one shape. Subclasses may add to it."""
        return {"model": model_inputs([sample for clip in clips for sample in clip.samples])}

    def run_single(self, inputs: Any, *params: dict[str, Any]) -> Any:
        return next(self.get_iterator([inputs], 0, 1, *params))

    def get_iterator(
        self, inputs: Iterable[Any], num_workers: int, batch_size: int, *params: dict[str, Any]
    ) -> Iterator[Any]:
        """Replaces the data loader of transformers, which pads one axis only. `num_workers` has no effect."""
        preprocess_params, forward_params, postprocess_params = params
        if averages_padding(self.model.config):
            batch_size = 1
        source = iter(inputs)
        while items := list(islice(source, batch_size)):
            clips = [self.preprocess(item, **preprocess_params) for item in items]
            for clip, outputs in zip(clips, self.outputs_of(clips, **forward_params), strict=True):
                yield self.answer_of(clip, outputs, **postprocess_params)

    def outputs_of(self, clips: Sequence[Clip], **forward_params: Any) -> list[dict[str, torch.Tensor]]:
        """The model's outputs for each preprocessed clip, by one forward pass; axis 0 is the clip's samples."""
        ends = list(accumulate((len(clip.samples) for clip in clips), initial=0))
        outputs = self.forward(self.make_batch(list(clips)), **forward_params) if ends[-1] else {}
        return [{key: value[start:end] for key, value in outputs.items()} for start, end in pairwise(ends)]

    def answer_of(self, clip: Clip, outputs: dict[str, torch.Tensor], **postprocess_params: Any) -> Any:
        """The result of one clip. Raises ValueError where the model's output is not finite."""
        _check_finite(clip, outputs)
        return self.postprocess((clip, outputs), **postprocess_params)

    @abstractmethod
    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, torch.Tensor]:
        """Tensors whose first axis is the sample."""

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save model and processor (transformers' version would mark the checkpoint as needing remote code)."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.feature_extractor.save_pretrained(save_directory)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        commit_message: str = "Add model and processor",
    ) -> str:
        """Pushes model and processor as one commit to a Hub repository, created if needed; returns the commit URL.

        `revision` is a branch, created if needed, or a pull request ("refs/pr/1").
        """
        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if revision is not None and not revision.startswith("refs/pr"):
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        how: dict[str, Any] = {"revision": revision, "create_pr": create_pr, "commit_message": commit_message}
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return str(api.upload_folder(repo_id=repo_id, folder_path=folder, **how).commit_url)


def as_sequence(
    item: Any,
    *,
    layout: str | SkeletonLayout | None = None,
    fps: float | None = None,
    unit: str | None = None,
    image_size: tuple[int, int] | None = None,
    num_dims: int = 2,
) -> SkeletonSequence:
    """Any input of a pipeline as a `SkeletonSequence`.

    Args:
        layout, fps, unit, image_size: of arrays, and of files that lack them.
        num_dims: of videos: 3 gives metres if the estimator lifts, else pixels.

    Raises:
        ValueError: an array without layout, fps or unit; a file with several clips; an unsupported type.
        ImportError: a video, and PyAV or a pose estimator is not installed.
    """
    if isinstance(item, SkeletonSequence):
        return item
    if isinstance(item, str | os.PathLike) and is_video(item):
        from motionhub.poses.extraction import extract_clip

        tracks = extract_clip(item, fps=fps).tracks
        return tracks.clip if num_dims == 2 or tracks.world is None else tracks.world
    if isinstance(item, str | os.PathLike):
        from motionhub.data.datasets.reading import read  # every format: not for those who pass sequences

        sequences = read(os.fspath(item), layout=layout, fps=fps, unit=unit, image_size=image_size)
        if len(sequences) != 1:
            raise ValueError(
                f"{item}: expected one clip, got {len(sequences)}; pass the list motionhub.read(path) instead."
            )
        return sequences[0]
    if isinstance(item, Mapping):
        return from_row(item)
    if isinstance(item, ARRAYS):
        return sequence_of(item, layout=layout, fps=fps, unit=unit, image_size=image_size)
    raise ValueError(
        "A pipeline takes a path, a SkeletonSequence, a dataset row, an array with layout=, fps= and unit=, or a list "
        f"or iterator of these; got {type(item).__name__}. The results of a pose estimator, frame by frame, become a "
        "clip by motionhub.from_results(results, fps=30)."
    )


def _clip_of_results(frames: Any, kwargs: Mapping[str, Any]) -> SkeletonSequence:
    """The results of a pose estimator, frame by frame, as one clip."""
    if kwargs.get("fps") is None:
        call = "pipe(motionhub.from_results(results, fps=30))"
        raise ValueError(
            f"Results of a pose estimator, frame by frame, need the frame rate: give fps=30, or call {call}."
        )
    return from_results(frames, **{name: kwargs[name] for name in FACTS if name in kwargs})


def process(processor: Any, part: SkeletonSequence, name: str, **options: Any) -> dict[str, Any]:
    """`processor.process`, with the input's name in its error."""
    try:
        return dict(processor.process(part, **options))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def take(kwargs: dict[str, Any], *names: str) -> dict[str, Any]:
    """Removes the named arguments from a call's and returns those that are given."""
    return {name: kwargs.pop(name) for name in names if name in kwargs}


def take_input_parameters(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that describe the input. Raises ValueError for any other, such as a misspelt one."""
    if unknown := sorted(set(kwargs) - set(INPUT_PARAMETERS)):
        raise ValueError(f"Unknown pipeline arguments {unknown}; for inputs there are {list(INPUT_PARAMETERS)}.")
    return dict(kwargs)


def check_whole(**values: Any) -> None:
    """Raises ValueError unless each is a whole number of at least 1, or None."""
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be a whole number of at least 1, or None; got {value!r}.")


def dims_of(processor: Any) -> int:
    """Dimensions of the processor's output; 2 for image processors, which do not state it."""
    return int(getattr(processor, "num_dims", 2))


def _check_no_images(model: Any, processor: Any) -> None:
    for part, names in ((model, [model.main_input_name]), (processor, processor.model_input_names)):
        if "pixel_values" in names:
            raise ValueError(
                f"This pipeline takes skeletons, but {type(part).__name__} takes images: call "
                "model(**processor(images)) instead."
            )


def _check_finite(clip: Clip, results: dict[str, torch.Tensor]) -> None:
    if all(bool(value.isfinite().all()) for value in results.values()):
        return
    largest = float(np.nanmax(np.abs(clip.sequence.keypoints)))
    raise ValueError(
        f"{clip.name}: the model's output is not finite; the input's coordinates reach {largest:.3g} "
        f"{clip.sequence.unit}s. Check the unit, the coordinates, and the weights of the model."
    )


def avoid_emulated_bf16(model: torch.nn.Module, device: torch.device) -> None:
    """Converts bfloat16 weights to float32 where the device only emulates bfloat16, with a warning."""
    if getattr(model, "dtype", None) is not torch.bfloat16:
        return
    computes, reason = bf16_support(device)
    if not computes:
        warnings.warn(
            f"The weights are bfloat16, and {reason}: they are converted to float32, which is faster here. "
            "pipeline(..., dtype=torch.bfloat16) keeps them.",
            stacklevel=3,
        )
        model.float()


def _why_unreadable(source: str) -> str:
    """Why transformers cannot load the processor of a checkpoint; only loading it alone shows the error."""
    if not source:
        return ""
    try:
        AutoFeatureExtractor.from_pretrained(source)
    except (OSError, ValueError, TypeError) as error:
        return f" ({' '.join(str(error).split())})"
    return ""


def model_inputs(samples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """The model's arguments from processed samples, padded and stacked."""
    batch = collate_skeletons(samples)
    return {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask")}
