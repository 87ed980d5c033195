"""Exact pairs of Mixamo motions for retargeting networks: two motions, each by two characters, seen by two cameras.

Preparation, windows, characters, cameras and projection follow Aberman et al. 2019 (official code
https://github.com/ChrisWu1997/2D-Motion-Retargeting), also used by LAC. Clips are in pixels of a canvas of 512 x 512,
of which `RetargetProcessor(smoothing=0)` makes the official rows.
"""

from pathlib import Path

import numpy as np

from motionhub.data.datasets.mixamo import FPS, LAYOUT, TEST_CHARACTERS, TRAIN_CHARACTERS, load, with_middles
from motionhub.data.views.pairs import MotionPair
from motionhub.skeletons.sequence import SkeletonSequence


UNIT = 128.0  # canvas pixels of a unit in 3-D
CANVAS = (512, 512)
AZIMUTHS = (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0)
SIZES = (0.5, 1.5)  # least and greatest factor of a body
TRAIN_WINDOW, TEST_WINDOW = (64, 32), (120, 60)  # frames, and frames from one window to the next
_SIDES = ("right", "left")


def prepared(motion: np.ndarray) -> np.ndarray:
    """`(frames, 15, 3)` as stored -> canvas pixels, neck and hips in the middle."""
    return with_middles(UNIT * np.asarray(motion))


def body_frame(motion: np.ndarray, azimuth: float) -> np.ndarray:
    """Rows are the axes (right, depth, up) of a camera at `azimuth` degrees from the person's mean facing direction.

    `motion` is `(frames, 15, 3)`, z up. Raises ValueError if the person has no horizontal width.
    """
    right, left = (motion[:, [LAYOUT.index(f"{side}_{part}") for part in ("shoulder", "hip")]] for side in _SIDES)
    across = (right - left).mean((0, 1), dtype=np.float64)
    up = np.array([0.0, 0.0, 1.0])
    depth = np.cross(across, up)
    if not np.linalg.norm(depth) > 0:
        raise ValueError("Shoulders and hips have no horizontal direction, so the facing direction is unknown.")
    depth /= np.linalg.norm(depth)
    sine, cosine = np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))
    turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    return np.stack([np.cross(depth, up), depth, up]) @ turn


def projected(motion: np.ndarray, azimuth: float | None = None) -> np.ndarray:
    """`(frames, 15, 2)`, y downward, of a `prepared` motion: along the axes of `body_frame`, or of the world."""
    axes = np.eye(3) if azimuth is None else body_frame(motion, azimuth)
    return (motion @ axes[[0, 2]].T * [1.0, -1.0]).astype(np.float32)


def windows(num_frames: int, length: int, step: int) -> list[slice]:
    """The official windows, `num_frames // step - 1` of them (step is half a length)."""
    return [slice(start * step, start * step + length) for start in range(num_frames // step - 1)]


class MixamoPairs:
    """Pairs by number: pair `i` is always the same, and its first motion is window `i` (modulo their number).

    The other motion is of another animation; the two views differ in character, azimuth and size.

    Args:
        root: holds `CHARACTER/ANIMATION/motions/NUMBER.npy`. Motions that one of the characters lacks are left out.
        training: the official training characters and windows, otherwise those of the test.
        seed: of everything random.

    Raises:
        ValueError: fewer than two characters or animations.
    """

    def __init__(self, root: str | Path, *, training: bool = True, seed: int = 0) -> None:
        self.root, self.seed = Path(root), seed
        known, window = (TRAIN_CHARACTERS, TRAIN_WINDOW) if training else (TEST_CHARACTERS, TEST_WINDOW)
        present = [name for name in known if (self.root / name).is_dir()]
        if len(present) < 2:
            raise ValueError(
                f"Pairs need two or more characters in {self.root}, got {present}; the "
                f"{'training' if training else 'test'} characters are {known}."
            )
        self.characters = present
        shared = [
            {"/".join(path.parts[-3:]) for path in (self.root / name).glob("*/motions/*.npy")} for name in present
        ]
        self.windows: list[tuple[str, slice]] = []
        for name in sorted(set.intersection(*shared)):
            frames = min(len(load(self.root / character / name)) for character in present)
            self.windows += [(name, part) for part in windows(frames, *window)]
        if len({_animation(name) for name, _ in self.windows}) < 2:
            raise ValueError(
                f"Pairs need windows of {window[0]} frames of two or more animations that all of {present} "
                f"have, found {len(self.windows)} windows in {self.root}."
            )

    def __len__(self) -> int:
        """Windows, each the first motion of a pair."""
        return len(self.windows)

    def pair(self, number: int) -> MotionPair:
        """2-D clips in `lac-15`, pixels."""
        random = np.random.default_rng([self.seed, number])
        first = self.windows[number % len(self)]
        others = [each for each in self.windows if _animation(each[0]) != _animation(first[0])]
        second = others[int(random.integers(len(others)))]
        names = random.choice(len(self.characters), 2, replace=False)
        cameras = random.choice(AZIMUTHS, 2, replace=False).tolist()
        views = [
            (self.characters[name], camera, float(random.uniform(*SIZES)))
            for name, camera in zip(names, cameras, strict=True)
        ]
        return MotionPair(
            self._clip(first, *views[0]),
            self._clip(second, *views[1]),
            self._clip(first, *views[1]),
            self._clip(second, *views[0]),
        )

    def _clip(self, window: tuple[str, slice], character: str, azimuth: float, size: float) -> SkeletonSequence:
        name, frames = window
        points = projected(size * prepared(load(self.root / character / name)[frames]), azimuth)
        return SkeletonSequence(points[None], layout=LAYOUT, fps=FPS, unit="pixel", image_size=CANVAS, up="-y")


def _animation(name: str) -> str:
    return name.split("/")[0]
