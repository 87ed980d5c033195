"""A stream of frames through an exported step: NumPy and ONNX Runtime, no torch.

`stream.onnx` holds the step of `models/streaming_step.py`; here are its state, the rings of the attention's products,
and the interpolation between scores.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.runtime.graph import open_session, read_facts, read_processor


STREAM = "stream.onnx"
ENDLESS = 2**40  # frames of a stream whose end is not known


class ExportedStream:
    """Logits of a stream of frames, each computed once; equals `StreamingSegmenter` with the same context.

    Args:
        folder: of `motionhub export CHECKPOINT --stream CONTEXT -o FOLDER`, a segmentation model.
        threads: of ONNX Runtime; None: its own choice.

    Attributes:
        facts: `stream` of `export.json`: context, frames of a step, delay, receptive field, shapes of the state.
        delay: frames after a frame that must be there before its logits are.
        processor: the folder's, for the frames.

    Raises:
        ValueError: the folder has no stream, or a file of it is broken.

    Examples:
        >>> try:
        ...     motionhub.ExportedStream("no-such-folder")
        ... except ValueError as error:
        ...     print(str(error)[:70])
        no-such-folder: expected a folder of an exported model with export.jso
    """

    def __init__(self, folder: str | os.PathLike[str], threads: int | None = None) -> None:
        self.folder = Path(folder)
        facts = read_facts(self.folder)
        if "stream" not in facts:
            raise ValueError(
                f"{self.folder} has no stream; make it with: motionhub export CHECKPOINT --stream 64 -o {self.folder}"
            )
        self.facts: dict[str, Any] = facts["stream"]
        self.shape = (facts["people"], facts["joints"], facts["dims"])
        self.processor = read_processor(self.folder)
        self.delay = int(self.facts["delay"])
        self._session = open_session(self.folder / STREAM, threads)
        self._begin()

    def _begin(self) -> None:
        self._state = {name: np.zeros(shape, np.float32) for name, shape in self.facts["state"].items()}
        context = self.facts["context"]
        bases = [name for name in self._state if name.startswith("base_")]
        self._rings = {name: np.zeros((context, *_of_one_frame(self._state[name])), np.float32) for name in bases}
        self._sums = {name: np.zeros(_of_one_frame(self._state[name])) for name in bases}  # float64: no trace of hours
        people, joints, dims = self.shape
        self._waiting = np.zeros((people, 0, joints, dims), np.float32)
        self._scores = np.zeros((0, self.facts["labels"]), np.float32)  # the last ones, from `_first` on
        self._first = self._position = self._received = self._given = 0

    def add(self, keypoints: np.ndarray) -> np.ndarray:
        """The logits `(frames, labels)` that became final with `keypoints (people, frames, joints, dims)`.

        Raises:
            ValueError: other people, joints or dims than the graph's.
        """
        people, joints, dims = self.shape
        if keypoints.ndim != 4 or (keypoints.shape[0], *keypoints.shape[2:]) != (people, joints, dims):
            raise ValueError(
                f"{self.folder} takes streams of ({people} people, frames, {joints} joints, {dims} dims), got "
                f"{keypoints.shape}; make them with its own processor, absent people as zeros."
            )
        self._received += keypoints.shape[1]
        self._waiting = np.concatenate([self._waiting, keypoints.astype(np.float32)], axis=1)
        size = self.facts["frames"]
        while self._waiting.shape[1] >= size:
            self._step(self._waiting[:, :size], ENDLESS)
            self._waiting = self._waiting[:, size:]
        return self._final(last=False)

    def finish(self) -> np.ndarray:
        """The logits of the remaining frames, at the end of the stream; a new stream can follow."""
        size, needed = self.facts["frames"], -(-self._received // self.facts["stride"])
        while self._received and self._first + len(self._scores) < needed:
            part = self._waiting[:, :size]
            rest = size - part.shape[1]
            self._step(np.pad(part, ((0, 0), (0, rest), (0, 0), (0, 0))), self._received)
            self._waiting = self._waiting[:, size:]
        made = self._final(last=True)
        self._begin()
        return made

    def _step(self, keypoints: np.ndarray, length: int) -> None:
        """One run of the graph; scores of before the first frame are dropped."""
        place = [np.array([number], np.int64) for number in (self._position, length)]
        leaving = {name: self._leaving(name, length) for name in self._rings}
        for name, (_, products, _) in leaving.items():
            bases = self._sums[name][:, None] - products.astype(np.float64).cumsum(1)
            self._state[name] = bases.astype(np.float32)
        feed = {"keypoints": np.ascontiguousarray(keypoints), "position": place[0], "length": place[1], **self._state}
        score, *state = self._session.run(None, feed)
        for name, value in zip(self._state, state, strict=True):
            if name in leaving:
                places, old, valid = leaving[name]
                self._sums[name] += (value[:, valid].astype(np.float64) - old[:, valid]).sum(1)
                self._rings[name][places[valid]] = value[:, valid].swapaxes(0, 1)
            else:
                self._state[name] = value
        index = self._position // self.facts["stride"] - self.facts["late"]
        self._position += self.facts["frames"]
        if index >= 0:
            self._scores = np.concatenate([self._scores, score])

    def _leaving(self, name: str, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the new frames of a block go in its ring, the products there, and which of the frames are any."""
        block = self.facts["blocks"][int(name.removeprefix("base_"))]
        count = self._state[name].shape[1]
        times = self._position // block["rate"] - block["behind"] + np.arange(count)
        valid = (times >= 0) & (times < -(-length // block["rate"]))
        places = times % self.facts["context"]
        products = self._rings[name][places].swapaxes(0, 1) * valid[None, :, None, None, None]
        return places, products, valid

    def _final(self, last: bool) -> np.ndarray:
        """Logits at the frame rate: linear between scores, or each repeated; flat after the last."""
        stride, first = self.facts["stride"], self._first
        scored = first + len(self._scores)
        if last:
            scored = min(scored, -(-self._received // stride))
        end = self._received if last else max((scored - 1) * stride + 1, self._given)
        if not scored:
            return self._scores[:0]
        frames = np.arange(self._given, end)
        left = np.minimum(frames // stride, scored - 1)
        held = self._scores[left - first]
        if self.facts["upsampling"] != "repeat":
            following = self._scores[np.minimum(left + 1, scored - 1) - first]
            held = held + (following - held) * ((frames % stride) / stride).astype(np.float32)[:, None]
        self._given = max(end, self._given)
        kept = max(min(self._given // stride, scored - 1), first)
        self._scores, self._first = self._scores[kept - first :], kept
        return np.asarray(held)


def _of_one_frame(base: np.ndarray) -> tuple[int, ...]:
    return (base.shape[0], *base.shape[2:])
