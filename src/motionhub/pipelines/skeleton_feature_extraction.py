"""`pipeline("skeleton-feature-extraction", model=...)`: feature vectors per sequence, frame or joint."""

import warnings
from inspect import signature
from typing import Any

import numpy as np
import torch

from motionhub.pipelines.skeleton_pipeline import Clip, SkeletonPipeline, process, take, take_input_parameters
from motionhub.skeletons.sequence import SkeletonSequence


LEVELS = ("sequence", "frame", "step", "joint")
REPRESENTATIONS = ("pose", "view")


class SkeletonFeatureExtractionPipeline(SkeletonPipeline):
    """Embeds every person. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        level: `"sequence"` (default): a vector per person. `"frame"`: one for every frame of the clip; where the
            processor samples the clip or the encoder has a stride, the nearest of its vectors, with a warning that
            says how many there are. `"step"`: those, without repetition. `"joint"`: a vector per step and joint.
        return_times: True: each input gives `{"features": array, "times": (rows,) seconds}`, of the levels with time.
        representation: of an encoder that disentangles pose from viewpoint (CV-MIM): `"pose"` or `"view"`, in place of
            the features its config names.
        normalize: True (default) scales every vector to length 1.

    Returns:
        For each input a float32 array: sequence `(P, C)`, frame `(P, T, C)`, step `(P, T', C)`, joint `(P, T', V, C)`,
        of `P` people in the order of the input, `T` frames, `C` channels, `V` joints of the model's layout, `T'` =
        processed frames / the encoder's `frame_stride`, rounded up. Rows of people without valid keypoints are NaN
        (with a warning when all are). `per_person=False` pools the people and drops the first axis.
    """

    needs_motion = False  # a pose has features too

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        given = take(kwargs, "level", "normalize", "representation", "return_times")
        given = {name: value for name, value in given.items() if value is not None}
        for name, choices in (("level", LEVELS), ("representation", REPRESENTATIONS)):
            if given.get(name, choices[0]) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {given[name]!r}.")
        preprocess = take_input_parameters(kwargs)
        forward = take(dict(given), "level", "representation")
        postprocess = {**take(given, "level", "normalize", "return_times"), **take(dict(preprocess), "per_person")}
        if postprocess.get("return_times") and postprocess.get("level", LEVELS[0]) == LEVELS[0]:
            raise ValueError("return_times is of vectors over time: give level='frame', 'step' or 'joint' too.")
        return preprocess, forward, postprocess

    def sample_of(self, part: SkeletonSequence, name: str) -> dict[str, Any]:
        """Adds the source frame of each frame of the sample as `"frames"`."""
        if "frame_labels" not in signature(self.feature_extractor.process).parameters:  # it keeps every frame
            sample = process(self.feature_extractor, part, name)
            frames = np.asarray(sample["attention_mask"]).shape[-1]
            return sample | {"frames": np.linspace(0, part.num_frames - 1, frames)}
        sample = process(self.feature_extractor, part, name, frame_labels=np.arange(part.num_frames))
        sample["frames"] = sample.pop("labels")
        return sample

    def _forward(  # type: ignore[override]
        self, batch: dict[str, Any], level: str = "sequence", representation: str | None = None
    ) -> dict[str, torch.Tensor]:
        outputs = self.model(**batch["model"])
        if representation is not None:
            return {"features": self._represented(outputs, batch["model"], level, representation)}
        if level == "sequence":
            return {"features": outputs.pooler_output.float()}
        present = batch["model"]["attention_mask"].any(dim=-1)[:, :, None, None, None]
        states = outputs.last_hidden_state.float()  # (samples, people, frames, joints, channels)
        if level == "joint" and states.shape[3] != self.model.config.num_joints:
            raise ValueError(
                f"{type(self.model).__name__} gives one vector for the whole body in a frame; use level='frame'."
            )
        features = (states * present).sum(dim=1) / present.sum(dim=1)
        return {"features": features if level == "joint" else features.mean(dim=2)}

    def _represented(self, outputs: Any, inputs: dict[str, Any], level: str, representation: str) -> torch.Tensor:
        """Pose or view vectors `(samples, T', C)`, or their means over the frames with a detected joint."""
        values = outputs.get(representation)
        if values is None or not values.shape[-1] or level == "joint":
            raise ValueError(
                f"{type(self.model).__name__} gives no {representation} vectors of {level}s; omit representation, or "
                "use level='frame' or 'sequence' with an encoder such as CvMimModel."
            )
        present = inputs["attention_mask"].any(dim=-1)[:, :, None, None]
        frames = (values.float() * present).sum(dim=1) / present.sum(dim=1)
        if level != "sequence":
            return frames
        valid = (inputs["joint_mask"].any(-1) & inputs["attention_mask"]).any(1).unsqueeze(-1)
        return (frames * valid).sum(1) / valid.sum(1).clamp(min=1)

    def postprocess(
        self,
        model_outputs: Any,
        level: str = "sequence",
        normalize: bool = True,
        per_person: bool = True,
        return_times: bool = False,
    ) -> Any:
        clip, outputs = model_outputs
        config = self.model.config
        size = outputs["features"].shape[-1] if clip.samples else config.hidden_size
        ends = [np.flatnonzero(np.asarray(sample["attention_mask"]).any(axis=0))[-1] + 1 for sample in clip.samples]
        lengths = [-(-int(end) // config.frame_stride) for end in ends]  # without the padding after the last person
        frames = clip.sequence.num_frames
        length = frames if level == "frame" else max(lengths, default=0)
        shape = {"sequence": (size,), "joint": (length, config.num_joints, size)}.get(level, (length, size))
        features = np.full((clip.sequence.num_people if per_person else 1, *shape), np.nan, dtype=np.float32)
        steps = [self._steps(clip, index) for index in range(len(clip.rows))] if level != "sequence" else []
        for index, row in enumerate(clip.rows):
            values = outputs["features"][index].numpy()
            values = values if level == "sequence" else values[: lengths[index]]  # without the batch's padding
            if level == "frame":
                own = steps[index][: len(values)]
                _warn_if_coarser(clip.name, len(own), frames)
                values = values[np.abs(own[None] - np.arange(frames)[:, None]).argmin(axis=1)]
            features[row or 0, : len(values)] = values
        if normalize:
            norms = np.linalg.norm(features, axis=-1, keepdims=True)
            features = features / np.maximum(norms, np.finfo(np.float32).tiny)
        features = features if per_person else features[0]
        if not return_times:
            return features
        longest = max(steps, key=len, default=np.zeros(0))
        moments = np.arange(frames) if level == "frame" else longest[:length]
        return {"features": features, "times": moments / clip.sequence.fps}

    def _steps(self, clip: Clip, index: int) -> np.ndarray:
        """The source frame of each vector of a sample: vector k stands at its frame `k * frame_stride`."""
        sample = clip.samples[index]
        real = np.atleast_1d(np.asarray(sample["attention_mask"]).any(axis=0))
        frames = np.asarray(sample["frames"], dtype=np.float64).reshape(len(real), -1)[:, 0]
        return frames[: np.flatnonzero(real)[-1] + 1 : self.model.config.frame_stride]


def _warn_if_coarser(name: str, steps: int, frames: int) -> None:
    if steps < frames:
        text = f"{name}: {steps} feature vectors for {frames} frames, as the model sees the clip at a lower rate"
        warnings.warn(f"{text}; each frame has the nearest, and level='step' gives those {steps}.", stacklevel=2)
