"""An exported folder and its graphs on ONNX Runtime: NumPy arrays in, NumPy arrays out; no torch.

The folder: `model.onnx` (one file), `export.json` (what this module needs of the model), `preprocessor_config.json`,
`config.json`; of zero-shot models also `labels.onnx`, `text_bank.json` and `text_bank.safetensors`.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.bounded import read_json
from motionhub.runtime.answers import frames_of_clip
from motionhub.runtime.checkpoint_fields import read_fields
from motionhub.runtime.external_data import has_external_data
from motionhub.runtime.skeleton_steps import SkeletonSteps, padded_array
from motionhub.skeletons.layout import MAX_JOINTS


FACTS = "export.json"
GRAPH = "model.onnx"
LABELS = "labels.onnx"
PROCESSOR = "preprocessor_config.json"
SCHEMA = 1  # of `motionhub` in export.json; a change that earlier versions cannot read raises it
TASKS = (
    "action-classification",
    "action-segmentation",
    "skeleton-feature-extraction",
    "zero-shot-action-classification",
    "zero-shot-action-segmentation",
)
INPUTS = ("keypoints", "joint_mask", "attention_mask")
# Of the facts: their kind, and of whole numbers the least and the most.
_FACTS: dict[str, tuple[type, int, int]] = {
    **{"tasks": (list, 0, 0), "labels": (list, 0, 0), "exact_frames": (bool, 0, 0), "exclusive": (bool, 0, 0)},
    **{"people": (int, 1, 256), "frames": (int, 1, 2**17), "joints": (int, 1, MAX_JOINTS), "dims": (int, 2, 3)},
    "frame_stride": (int, 1, 2**10),
}
_MOST_POSES = 2**21
# Of a graph that takes any number of frames: differences and borders of shorter clips are special cases.
LEAST_STEPS = 4
PER_FRAME = ("last_hidden_state", "pose", "view")  # outputs `(batch, people, frames of the features, ...)`


class ExportedProcessor(SkeletonSteps):
    """`SkeletonProcessor` of an exported folder, in test mode only, without torch.

    Args:
        fields: of `preprocessor_config.json`; all of them, as `motionhub export` writes it.
    """

    def __init__(self, fields: dict[str, Any], where: str = PROCESSOR) -> None:
        kind = fields.get("feature_extractor_type")
        if kind != "SkeletonProcessor":
            raise ValueError(f"{where}: expected the file of a SkeletonProcessor, got {kind!r}; export it again.")
        if hidden := sorted({*fields} & {*dir(SkeletonSteps)}):
            raise ValueError(f"{where}: {hidden} are no fields of a SkeletonProcessor; export it again.")
        vars(self).update(fields)
        try:
            self._check_fields()
        except (AttributeError, TypeError) as error:
            raise ValueError(f"{where}: {error}; write it again with motionhub export of this version.") from None


class ExportedGraph:
    """The network of an exported folder.

    Args:
        folder: of `motionhub export --to onnx`.
        threads: of ONNX Runtime; None: its own choice.

    Raises:
        ValueError: the folder is none, a file is missing, broken, or of a newer version.
        ImportError: onnxruntime is not installed.

    Attributes:
        facts: `motionhub` of `export.json`: task, labels, frames, people, outputs, versions.
    """

    def __init__(self, folder: str | os.PathLike[str], threads: int | None = None) -> None:
        self.folder, self.threads = Path(folder), threads
        self.facts = read_facts(self.folder)
        self._session = open_session(self.folder / GRAPH, threads)
        self._labels = open_session(self.folder / LABELS, threads) if self.facts.get("projection_size") else None
        self.any_frames = self.facts.get("any_frames") is True
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._outputs = [made.name for made in self._session.get_outputs()]

    def __call__(
        self, keypoints: np.ndarray, joint_mask: np.ndarray | None = None, attention_mask: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """The outputs by name, each with the batch in front.

        Args:
            keypoints, joint_mask, attention_mask: `(batch, people, frames, joints, dims)`, `(batch, people, frames,
                joints)` and `(batch, people, frames)`, as the processor makes them; None: all True. A clip shorter
                than the graph's frames is padded, and its outputs are cut again; where the graph takes any number
                (`any_frames`), up to a multiple of its stride.

        Raises:
            ValueError: more people or frames than the graph takes, other joints or dims, or fewer frames for a model
                that averages padding.
        """
        batch, people, frames, joints, _ = keypoints.shape
        most_people, most_frames = self.facts["people"], self._frames_for(frames)
        expected = (self.facts["joints"], self.facts["dims"])
        if people > most_people or frames > most_frames or keypoints.shape[3:] != expected:
            raise ValueError(
                f"{self.folder} takes at most {most_people} people and {most_frames} frames of {expected[0]} joints "
                f"and {expected[1]} dims, got {keypoints.shape}; export it with --frames {frames}, or give shorter "
                "clips made by its own processor."
            )
        if self.facts["exact_frames"] and frames != most_frames:
            raise ValueError(
                f"{self.folder} averages padded frames (pooling='official'), so it takes clips of exactly "
                f"{most_frames} frames, got {frames}; "
                + (f"give {most_frames}." if self.any_frames else f"export it with --frames {frames}.")
            )
        joint_mask = np.ones((batch, people, frames, joints), bool) if joint_mask is None else joint_mask
        attention_mask = np.ones((batch, people, frames), bool) if attention_mask is None else attention_mask
        given = (keypoints.astype(np.float32), joint_mask.astype(bool), attention_mask.astype(bool))
        sizes = (batch, most_people, most_frames)
        feed = {name: padded_array(value, *sizes) for name, value in zip(INPUTS, given, strict=True)}
        made = self._made(self._session, {name: feed[name] for name in self._inputs if name in feed})
        pairs = [(name, value) for name, value in zip(self._outputs, made, strict=True) if value.ndim]
        return {name: self._cut(name, value, people, frames) for name, value in pairs}

    def _frames_for(self, frames: int) -> int:
        """How many frames the graph gets for a clip of so many."""
        if not self.any_frames or self.facts["people"] * frames > _MOST_POSES:
            return int(self.facts["frames"])
        return whole_steps(frames, self.facts["frame_stride"])

    def similarities(self, motions: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """`(n, m)` similarities of embeddings `(n, projection_size)` and text vectors `(m, text_size)`."""
        if self._labels is None:
            raise ValueError(f"{self.folder} is no zero-shot model; it has the labels {self.facts['labels'][:5]}.")
        feed = {"motion_embeds": motions.astype(np.float32), "text_features": texts.astype(np.float32)}
        return np.asarray(self._made(self._labels, feed)[0])

    def _made(self, session: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs; a ValueError where the graph does not fit its facts, or takes more memory than there is."""
        try:
            return list(session.run(None, feed))
        except Exception as error:  # the exceptions of onnxruntime have no common base
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{self.folder}: its graph cannot be run ({reason}); export it again.") from None

    def frame_logits(self, keypoints: np.ndarray, attention_mask: np.ndarray, *, window: int, hop: int) -> np.ndarray:
        """`(frames, labels)` of one clip `(people, frames, joints, dims)`, as `predict_windows` of the model."""
        from motionhub.runtime.answers import window_starts

        mask = frames_of_clip(attention_mask)
        frames, labels = int(mask.any(0).sum()), len(self.facts["labels"])
        logits = np.zeros((keypoints.shape[1], labels), np.float32)
        counts = np.zeros((keypoints.shape[1], 1), np.float32)
        for start in window_starts(frames, window, hop) if frames else ():
            part = slice(start, min(start + window, frames))
            made = self(keypoints[None, :, part], attention_mask=mask[None, :, part])["logits"][0]
            logits[part] += made
            counts[part] += 1
        return np.asarray(logits / counts.clip(min=1))

    def _cut(self, name: str, value: np.ndarray, people: int, frames: int) -> np.ndarray:
        """Without the people and frames that were padded."""
        if name == "logits" and value.ndim == 3:
            return value[:, :frames]
        if name in PER_FRAME:
            return value[:, :people, : -(-frames // self.facts["frame_stride"])]
        return value


def whole_steps(frames: int, stride: int) -> int:
    """The next multiple of the stride, `LEAST_STEPS` or more: what a graph without a fixed number of frames takes."""
    return max(LEAST_STEPS, -(-frames // stride)) * stride


def check_tasks(graph: ExportedGraph) -> None:
    """Raises a ValueError for a graph of a task that needs more than one forward pass."""
    tasks = graph.facts["tasks"]
    if not set(tasks) & set(TASKS):
        raise ValueError(
            f"{graph.folder} is of {tasks or 'no task'}, and exported folders are run for {list(TASKS)}; call the "
            "graph itself: transformers.exporters.ExportedModel.from_pretrained(folder)."
        )


def read_facts(folder: Path) -> dict[str, Any]:
    """`motionhub` of an exported folder's `export.json`; a ValueError where it is missing or cannot be read."""
    path = folder / FACTS
    again = "make it with: motionhub export CHECKPOINT --to onnx -o FOLDER"
    if not path.is_file():
        raise ValueError(f"{folder}: expected a folder of an exported model with {FACTS}, found none; {again}.")
    try:
        facts: dict[str, Any] = read_json(path)["motionhub"]
        schema = int(facts["schema"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not of motionhub export ({type(error).__name__}: {error}); {again}.") from None
    if schema > SCHEMA:
        made_by = str(dict(facts.get("versions") or {}).get("motionhub", "a newer version"))[:40]
        raise ValueError(
            f"{folder} was exported by motionhub {made_by} (schema {schema}), this one reads schema {SCHEMA}; run: "
            "pip install --upgrade motionhub"
        )
    for name, (kind, least, most) in _FACTS.items():
        value = facts.get(name)
        if not isinstance(value, kind) or (isinstance(value, int) and kind is int and not least <= value <= most):
            wanted = f"a number from {least} to {most}" if kind is int else f"a {kind.__name__}"
            raise ValueError(f"{path}: {name}: expected {wanted}, got {str(value)[:60]!r}; {again}.")
    if facts["people"] * facts["frames"] > _MOST_POSES:
        raise ValueError(f"{path}: {facts['people']} people in {facts['frames']} frames are too many; {again}.")
    if not all(isinstance(name, str) for name in (*facts["tasks"], *facts["labels"])):
        raise ValueError(f"{path}: tasks and labels must be texts; {again}.")
    return facts


def read_processor(folder: Path) -> ExportedProcessor:
    """The processor of an exported folder; a ValueError where its file is missing or broken."""
    path = folder / PROCESSOR
    if not path.is_file():
        raise ValueError(f"{folder} has no {PROCESSOR}; copy the checkpoint's own file there, or export it again.")
    return ExportedProcessor(read_fields(path), str(path))


def open_session(path: Path, threads: int | None = None) -> Any:
    """An ONNX Runtime session on the CPU; a ValueError for a missing or broken file."""
    if not path.is_file():
        raise ValueError(f"{path.parent} has no {path.name}; copy the whole folder, or export it again.")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("Exported models need ONNX Runtime; run: pip install onnxruntime") from error
    try:
        elsewhere = has_external_data(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}); copy it again whole, or export it again.") from None
    if elsewhere:
        raise ValueError(f"{path} keeps numbers in other files, which is refused; export it again, into one file.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the exceptions of onnxruntime have no common base
        reason = " ".join(str(error).replace(str(path), path.name).split())[:200]
        raise ValueError(f"{path} cannot be read ({reason}); copy it again whole, or export it again.") from None
