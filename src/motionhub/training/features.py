"""Feature vectors of a dataset's clips from frozen encoders, as columns for `add_feature_columns`."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from motionhub.data.build.feature_columns import FeatureColumn
from motionhub.data.datasets.class_phrases import class_texts
from motionhub.data.video.reader import open_video
from motionhub.processing.collate import collate_skeletons
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.skeletons.rows import from_row
from motionhub.training.dataset import INPUTS, ClipProcessor
from motionhub.training.evaluators import map_by_length


_MOTION = (
    *("schema_version", "keypoints", "confidence", "num_people", "num_frames", "num_joints", "num_dims"),
    *("layout", "fps", "unit", "image_width", "image_height", "track_ids"),
)


class TextEncoder(Protocol):
    """A text tower, as `towers.text_towers.TextTower`."""

    @property
    def config(self) -> dict[str, Any]: ...
    def encode(self, texts: Sequence[str], batch_size: int = 64) -> torch.Tensor: ...


class VideoEncoder(Protocol):
    """A video tower, as `towers.video_towers.VideoTower`."""

    def embed(self, pixel_values: torch.Tensor) -> torch.Tensor: ...


def caption_column(
    tower: TextEncoder, name: str = "caption_features", batch_size: int = 64, column: str = "caption"
) -> FeatureColumn:
    """The vectors of a clip's texts, `(num_texts, dim)` flat, one for each line of `column`.

    Args:
        column: `"caption"` or `"class_descriptions"`.
    """

    def encode(rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
        captions = [[line.strip() for line in str(row[column] or "").splitlines() if line.strip()] for row in rows]
        vectors = tower.encode([line for lines in captions for line in lines], batch_size=batch_size).numpy()
        return list(np.split(vectors, np.cumsum([len(lines) for lines in captions])[:-1]))

    return FeatureColumn(name, (column,), encode, {"tower": tower.config, "of": column})


def label_column(
    tower: TextEncoder,
    class_names: Sequence[str],
    name: str = "label_features",
    phrasings: int = 4,
    batch_size: int = 64,
) -> FeatureColumn:
    """The vectors of the first phrasings of a clip's class, `(num_phrasings, dim)` flat; empty for label -1.

    Args:
        tower: each class is encoded once.
        class_names: in the order of the labels.
        phrasings: the maximum taken from `motionhub.class_texts`, the plain name first.
    """
    if phrasings < 1 or not class_names:
        raise ValueError(f"Expected class names and at least one phrasing, got {len(class_names)} and {phrasings}.")
    texts = [class_texts(title)[:phrasings] for title in class_names]
    known: list[np.ndarray] = []

    def encode(rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
        if not known:
            vectors = tower.encode([text for group in texts for text in group], batch_size=batch_size).numpy()
            known.extend(np.split(vectors, np.cumsum([len(group) for group in texts])[:-1]))
        labels = [-1 if row["label"] is None else int(row["label"]) for row in rows]
        beyond = [label for label in labels if label >= len(known)]
        if beyond:
            raise ValueError(f"Expected labels below {len(known)}, the number of class names, got {max(beyond)}.")
        return [known[label] if label >= 0 else np.zeros(0, np.float32) for label in labels]

    facts = {"tower": tower.config, "of": "label", "phrasings": phrasings, "class_names": list(class_names)}
    return FeatureColumn(name, ("label",), encode, facts)


def skeleton_column(
    model: nn.Module,
    processor: ClipProcessor,
    source: str,
    name: str = "skeleton_features",
    device: str = "cpu",
    batch_size: int = 32,
) -> FeatureColumn:
    """`pooler_output` `(dim,)` of every clip by a motion encoder; empty where no person is detected.

    Args:
        model: an encoder whose output has `pooler_output`; switched to evaluation mode.
        processor: of the model.
        source: name of the checkpoint in the facts.
    """
    model.eval().to(device)

    @torch.inference_mode()
    def encode(rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
        samples = [processor.process(from_row(row), training=False) for row in rows]
        present = [place for place, sample in enumerate(samples) if bool(np.asarray(sample["attention_mask"]).any())]
        present.sort(key=lambda place: samples[place]["attention_mask"].shape[1])
        found = [np.zeros(0, np.float32) for _ in rows]
        for start in range(0, len(present), batch_size):
            chosen = present[start : start + batch_size]
            batch = collate_skeletons([{name: samples[place][name] for name in INPUTS} for place in chosen])
            lengths = torch.tensor([samples[place]["attention_mask"].shape[1] for place in chosen])
            inputs = {name: value.to(device) for name, value in batch.items()}
            vectors = map_by_length(lambda batch: model(**batch).pooler_output, inputs, lengths).float().cpu().numpy()
            for place, vector in zip(chosen, vectors, strict=True):
                found[place] = vector
        return found

    return FeatureColumn(name, _MOTION, encode, {"encoder": source, "of": "keypoints"})


def video_column(
    embed: Callable[[Path], np.ndarray], folder: str | Path, facts: dict[str, Any], name: str = "video_features"
) -> FeatureColumn:
    """The vector `(dim,)` of the video `folder/CLIP_ID.*` of every clip that has one.

    Args:
        embed: a video file -> its vector; where it raises ValueError (an unreadable file) the vector is empty.
        facts: of the video tower.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"{root}: expected a folder of videos named by the clips' clip_id.")
    videos = {path.stem: path for path in sorted(root.rglob("*")) if path.is_file()}

    def encode(rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
        return [vector(videos.get(Path(str(row["clip_id"])).stem)) for row in rows]

    def vector(path: Path | None) -> np.ndarray:
        if path is not None:
            try:
                return embed(path)
            except ValueError as error:
                warnings.warn(f"{path} is left out: {error}", stacklevel=4)
        return np.zeros(0, np.float32)

    return FeatureColumn(name, ("clip_id",), encode, {**facts, "of": "video"})


def video_embedder(tower: VideoEncoder, processor: VideoClipProcessor) -> Callable[[Path], np.ndarray]:
    """A function: video file -> mean over its clips, a unit vector `(dim,)`; only sampled frames stay in memory."""

    def embed(path: Path) -> np.ndarray:
        video = open_video(path)
        # The frame count of the header may be too high.
        count = video.num_frames or sum(1 for _ in video.frames())
        views = processor.frame_numbers(count, video.fps)
        wanted = {int(number) for numbers in views for number in numbers}
        images = {frame.index: frame.image for frame in video.frames() if frame.index in wanted}
        if not images:
            raise ValueError(f"{path}: none of the sampled frames can be decoded.")
        clips = [processor.process(np.stack([_nearest(images, int(n)) for n in numbers])) for numbers in views]
        vector = torch.nn.functional.normalize(tower.embed(torch.cat(clips)).mean(dim=0), dim=-1)
        return np.asarray(vector)

    return embed


def feature_table(dataset: Any, name: str = "video_features") -> torch.Tensor:
    """A column that `motionhub features` made, as `(rows, dim)` with NaN for empty rows.

    Raises:
        ValueError: no such column, only empty rows, or rows with several vectors.

    Examples:
        >>> from datasets import Dataset
        >>> dataset = Dataset.from_dict({"video_features": [[1.0, 0.0], []]})
        >>> motionhub.feature_table(dataset).tolist()
        [[1.0, 0.0], [nan, nan]]
    """
    if name not in dataset.column_names:
        raise ValueError(f"The dataset has no column {name!r}; make it: motionhub features (see its --help).")
    vectors = [np.asarray(vector, np.float32) for vector in dataset.with_format(None)[name]]
    sizes = {len(vector) for vector in vectors} - {0}
    if len(sizes) != 1:
        raise ValueError(f"Column {name!r} must hold one vector a clip, got the sizes {sorted(sizes)}.")
    empty = np.full(sizes.pop(), np.nan, np.float32)
    return torch.from_numpy(np.stack([vector if len(vector) else empty for vector in vectors]))


def _nearest(images: Mapping[int, np.ndarray], number: int) -> np.ndarray:
    """The frame with this number, else the last decoded one before it."""
    return images[max((known for known in images if known <= number), default=min(images))]
