"""What segmentation is compared with: ridge regression on the joints of half a second, and the most frequent class.

It also tells what a mirror image is to the ridge, which explains what mirroring in training does.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

import motionhub
from motionhub.augment.policy import mirror
from motionhub.intervals.decode import DecodingRule
from motionhub.metrics.segmentation import FrameScores, segmentation_report
from motionhub.training.start import class_names_of_dataset
from motionhub.training.tasks.segmentation import FrameLabelDataset


def frames_of(
    clips: FrameLabelDataset, reach: int, mirrored: bool = False
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Per clip: the joints of each frame and of `reach` before and after it, every other one; the labels."""
    features, labels = [], []
    layout = motionhub.get_layout(clips.processor.layout)
    for index in range(len(clips)):
        item = clips[index]
        points = mirror(item["keypoints"], layout) if mirrored else item["keypoints"]
        flat = points.transpose(0, 1).flatten(1).numpy()
        places = np.arange(len(flat))[:, None] + np.arange(-reach, reach + 1, 2)
        features.append(flat[places.clip(0, len(flat) - 1)].reshape(len(flat), -1))
        labels.append(item["labels"].numpy())
    return features, labels


class Controls:
    """Ridge regression to the classes of the frame, and the frequencies of the classes."""

    reach, strength = 7, 100.0

    def __init__(self, splits: Any, processor: Any) -> None:
        self.names = class_names_of_dataset(splits["train"])
        self.train, self.test = (FrameLabelDataset(splits[name], processor, training=False) for name in splits)
        self.features, self.labels = frames_of(self.train, self.reach)
        self.tested, self.truth = frames_of(self.test, self.reach)
        self.ridge = Ridge(self.strength).fit(np.concatenate(self.features), np.concatenate(self.labels))

    def rows(self, ablations: bool) -> dict[str, dict[str, Any]]:
        """The report of each control."""
        frequencies = np.concatenate(self.labels).mean(0)
        said = {
            "ridge on half a second of joints": self.answers(self.ridge),
            "most frequent class": [np.tile(frequencies, (len(clip), 1)) for clip in self.tested],
        }
        if ablations:
            images = frames_of(self.train, self.reach, mirrored=True)[0]
            both = Ridge(2 * self.strength).fit(
                np.concatenate([*self.features, *images]), np.concatenate([*self.labels, *self.labels])
            )
            said["ridge, fitted on mirror images too"] = self.answers(both)
        return {name: self.report(scores) for name, scores in said.items()}

    def answers(self, ridge: Ridge) -> list[np.ndarray]:
        return [ridge.predict(clip).clip(0, 1) for clip in self.tested]

    def report(self, scores: list[np.ndarray]) -> dict[str, Any]:
        background = self.test.background
        rule = DecodingRule(threshold=0.0, exclusive=True, background=background)
        clips = [
            FrameScores(self.test.name_of(index), own, labels, 30.0)
            for index, (own, labels) in enumerate(zip(scores, self.truth, strict=True))
        ]
        return segmentation_report(clips, self.names, rule, exclusive=True, background=background)

    def mirror_images(self) -> list[str]:
        """A table: by the ridge's answer on a test frame, its most frequent one on the mirror image of that frame."""
        seen, image = (
            self.ridge.predict(np.concatenate(clips)).argmax(1)
            for clips in (self.tested, frames_of(self.test, self.reach, mirrored=True)[0])
        )
        lines = ["| answer | frames | answer on the mirror image | share |", "|---|---|---|---|"]
        for number, name in enumerate(self.names):
            counts = np.bincount(image[seen == number], minlength=len(self.names))
            if counts.any():
                share = f"{counts.max() / counts.sum():.0%}".replace("%", " %")
                lines.append(f"| {name} | {counts.sum()} | {self.names[counts.argmax()]} | {share} |")
        return lines
