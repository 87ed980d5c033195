"""Zero-shot scores of videos by a video-text model (ViCLIP, CLIP, SigLIP, open_clip), to fuse with a motion's.

pipe("clip.mp4", candidate_labels=labels, video_tower="viclip-l-14")  # zero-shot-action-classification
scores = VideoScores("viclip-l-14")("clip.mp4", labels)
pipe("clip.json", candidate_labels=labels, video_scores=scores)
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionhub.data.video.clips import read_clips
from motionhub.data.video.reader import is_video
from motionhub.processing.video_clip import clip_processor
from motionhub.towers.text_towers import load_text_tower
from motionhub.towers.video_towers import load_video_tower


class VideoScores:
    """Probabilities of labels for videos. The tower is loaded once, and each text is encoded once.

    Args:
        tower: folder or Hub id of a video-text model, "open-clip:NAME@WEIGHTS", or the `video_tower` of a config.
        temperature: of the cosines before the softmax; 0.01 is ViCLIP's and CLIP's.
        device: of video and text encoder.

    Raises:
        ValueError: the tower has no text encoder, or no video features.
        MissingTowerError: its files are missing.
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
            labels: input of the text encoder ("a person is waving" is nearer to its training than "wave").

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
    """Scores to fuse with the motion's: those given, or a tower's for the input itself; None: no scores.

    Args:
        name: of the pipeline's input; its path if it is a file.
        given: precomputed scores.
        tower: a `VideoScores`, or its `tower` argument.

    Raises:
        ValueError: both are given, or the input is no video file.
    """
    if tower is None:
        return given
    if given is not None:
        raise ValueError("Pass video_scores or video_tower, not both.")
    if not is_video(name):
        raise ValueError(
            f"video_tower needs a video as the input, got {name!r}; for another video pass "
            "video_scores=VideoScores(tower)(video, labels)."
        )
    if not isinstance(tower, VideoScores):
        tower = _loaded(tower) if isinstance(tower, str) else VideoScores(tower)
    return tower(name, labels)


_loaded = lru_cache(maxsize=2)(VideoScores)
