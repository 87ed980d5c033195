"""Zero-shot scores of videos by a video-text model (ViCLIP, CLIP, SigLIP, open_clip), to fuse with a motion's.

    pipe("clip.mp4", candidate_labels=labels, video_tower="viclip-l-14")  # zero-shot-action-classification
    scores = VideoScores("viclip-l-14")("clip.mp4", labels)
    pipe("clip.json", candidate_labels=labels, video_scores=scores)

The tower is loaded once, and each text encoded once, however many videos are scored.
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionhub.data.video.clips import read_clips
from motionhub.data.video.reader import is_video
from motionhub.models.t_mor import fuse_scores
from motionhub.processing.video_clip import clip_processor
from motionhub.towers.text_towers import load_text_tower
from motionhub.towers.video_towers import load_video_tower


class VideoScores:
    """Probabilities of labels for videos.

    Args:
        tower: folder or Hub id of a video-text model, "open-clip:NAME@WEIGHTS", or the `video_tower` of a config.
        temperature: of the cosines before the softmax; 0.01 is ViCLIP's and CLIP's.
        device: where both halves run.

    Raises:
        ValueError: the tower has no text half, or makes no features of videos.
        MissingTowerError: its files are not here.
    """

    def __init__(self, tower: str | Mapping[str, Any], temperature: float = 0.01, device: str = "cpu") -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}.")
        self.tower = load_video_tower(tower, device)
        self.texts = load_text_tower(self.tower.text_tower)
        self.processor = clip_processor(self.tower.name, self.tower.pixels)
        self.temperature, self.device = temperature, device

    def __call__(self, video: Any, labels: Sequence[str]) -> np.ndarray:
        """`(labels,)` float32 of sum 1, in the order of the labels.

        Args:
            video: a file, or frames `(frames, height, width, 3)` RGB.
            labels: as the text half gets them ("a person is waving" is nearer to its training than "wave").

        Raises:
            ValueError: the video cannot be read or has no frames; no labels, or a blank one.
        """
        if not len(labels):
            raise ValueError("A video is scored for at least one label, got none.")
        if isinstance(video, str | os.PathLike):
            clips = read_clips(Path(video), lambda count, fps: self.processor.frame_numbers(count, fps))
            pixels = torch.cat([self.processor.process(clip.frames) for clip in clips])
        else:
            pixels = self.processor(video)["pixel_values"]
        embeds = torch.nn.functional.normalize(self.tower.embed(pixels).mean(0), dim=0)
        texts = self.texts.encode(list(labels), device=self.device)
        return np.asarray(((texts @ embeds) / self.temperature).softmax(0))


def scores_of_video(name: str, labels: Sequence[str], given: Any = None, tower: Any = None) -> Any:
    """Scores to fuse with the motion's: those given, or a tower's of the input itself; None: nothing.

    Args:
        name: of the pipeline's input; a file where it was one.
        given: ready scores.
        tower: a `VideoScores`, or what it is made of.

    Raises:
        ValueError: both are given, or the input is no video file.
    """
    if tower is None:
        return given
    if given is not None:
        raise ValueError("Give video_scores, or a video_tower that makes them, not both.")
    if not is_video(name):
        raise ValueError(
            f"video_tower looks at the video that is the input, and {name!r} is none; of another video pass "
            "video_scores=VideoScores(tower)(video, labels)."
        )
    if isinstance(tower, str):
        tower = _loaded(tower)
    scores = tower if isinstance(tower, VideoScores) else VideoScores(tower)
    return scores(name, labels)


@lru_cache(maxsize=2)
def _loaded(tower: str) -> VideoScores:
    return VideoScores(tower)


def fused_with_video(scores: Tensor, video_scores: Any, weight: float) -> Tensor:
    """The motion's scores with those of a video-text model."""
    video = torch.as_tensor(np.asarray(video_scores, np.float32)).reshape(1, -1)
    return fuse_scores(scores, video, weight)
