"""`pipeline("skeleton-feature-extraction", model=...)`: feature vectors per sequence, frame or joint."""

from typing import Any

import numpy as np
import torch

from motionhub.pipelines.skeleton_pipeline import SkeletonPipeline, take, take_input_parameters


LEVELS = ("sequence", "frame", "joint")
REPRESENTATIONS = ("pose", "view")


class SkeletonFeatureExtractionPipeline(SkeletonPipeline):
    """Embeds every person. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        level: `"sequence"` (default), `"frame"` or `"joint"`.
        representation: of an encoder that disentangles pose from viewpoint (CV-MIM): `"pose"` or `"view"`, in place of
            the features its config names.
        normalize: True (default) scales every vector to length 1.

    Returns:
        For each input a float32 array: sequence `(P, C)`, frame `(P, T', C)`, joint `(P, T', V, C)`, of `P` people in
        the order of the input, `C` channels, `V` joints of the model's layout, `T'` = processed frames / the encoder's
        `frame_stride`, rounded up. Rows of people without valid keypoints are NaN (with a warning when all are).
        `per_person=False` pools the people and drops the first axis.
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        given = take(kwargs, "level", "normalize", "representation")
        given = {name: value for name, value in given.items() if value is not None}
        for name, choices in (("level", LEVELS), ("representation", REPRESENTATIONS)):
            if given.get(name, choices[0]) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {given[name]!r}.")
        preprocess = take_input_parameters(kwargs)
        forward = take(dict(given), "level", "representation")
        postprocess = {**take(given, "level", "normalize"), **take(dict(preprocess), "per_person")}
        return preprocess, forward, postprocess

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
        if level == "frame":
            return frames
        valid = (inputs["joint_mask"].any(-1) & inputs["attention_mask"]).any(1).unsqueeze(-1)
        return (frames * valid).sum(1) / valid.sum(1).clamp(min=1)

    def postprocess(
        self, model_outputs: Any, level: str = "sequence", normalize: bool = True, per_person: bool = True
    ) -> np.ndarray:
        clip, outputs = model_outputs
        config = self.model.config
        size = outputs["features"].shape[-1] if clip.samples else config.hidden_size
        ends = [np.flatnonzero(np.asarray(sample["attention_mask"]).any(axis=0))[-1] + 1 for sample in clip.samples]
        lengths = [-(-int(end) // config.frame_stride) for end in ends]  # without the padding after the last person
        length = max(lengths, default=0)
        shape = {"sequence": (size,), "frame": (length, size), "joint": (length, config.num_joints, size)}[level]
        features = np.full((clip.sequence.num_people if per_person else 1, *shape), np.nan, dtype=np.float32)
        for index, row in enumerate(clip.rows):
            values = outputs["features"][index].numpy()
            values = values if level == "sequence" else values[: lengths[index]]  # without the batch's padding
            features[row or 0, : len(values)] = values
        if normalize:
            norms = np.linalg.norm(features, axis=-1, keepdims=True)
            features = features / np.maximum(norms, np.finfo(np.float32).tiny)
        return features if per_person else features[0]
