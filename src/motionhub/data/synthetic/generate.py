"""Synthetic motion: seeded actions, compositions and crossing people as `SkeletonSequence`s.

Coordinates are those of a Kinect, as in N-UCLA: metres, y up, z away from the camera at the origin, and right-handed:
the left side of a person who faces the camera has the smaller x (drawn with x to the right, a mirror image).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motionhub.data.synthetic.body import LAYOUT, Body, pose_body
from motionhub.data.synthetic.channels import Channels, Motion, mirrored, sample, softened, swaying, varied
from motionhub.data.synthetic.gait import body_track, smooth_height_limit
from motionhub.data.synthetic.motions import MOTIONS
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


ACTIONS: tuple[str, ...] = tuple(MOTIONS)
_ARM, _LEG = ("elbow", "wrist", "hand"), ("knee", "ankle", "foot")
# Body parts that a table, a door or another person hides.
HIDDEN_PARTS: dict[str, tuple[str, ...]] = {
    **{f"{side} arm": tuple(f"{side}_{joint}" for joint in _ARM) for side in ("left", "right")},
    **{f"{side} leg": tuple(f"{side}_{joint}" for joint in _LEG) for side in ("left", "right")},
    "lower body": ("mid_hip", *(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", *_LEG))),
}
# In a composition: the frames in which one action has ended and the next has not begun.
BACKGROUND = -1


@dataclass(frozen=True)
class Scene:
    """The person's place, the camera, and the sensor's errors.

    Args:
        heading: degrees to the person's left at the start; 0 faces the camera.
        place: metres to the right (x) and away (z) of the middle of the scene, which the camera looks at.
        camera_yaw: the camera's azimuth: degrees by which the scene turns about its middle, to the left.
        camera_pitch: degrees by which the camera looks down; at 0 the floor is at y = -camera_height.
        camera_height: metres above the floor.
        distance: metres from the camera to the middle of the scene.
        noise: standard deviation in metres of independent Gaussian noise on every coordinate.
        dropout: probability that a joint is missing (NaN) in a frame, independent.
        occlusion: probability that one body part of a person (`HIDDEN_PARTS`) is missing for a quarter to three
            quarters of the clip.
        focal: None for 3-D in metres; the focal length in pixels for the 2-D image, see `project_pinhole`. The camera
            then tilts towards a point one metre above the floor in the middle of the scene.
        image_size: `(width, height)` of the image in pixels.

    Examples:
        >>> scene = motionhub.Scene(focal=1000.0, noise=0.01)
        >>> clip = motionhub.generate("wave", seed=0, scene=scene)
        >>> clip.num_dims, clip.unit
        (2, 'pixel')
    """

    heading: float = 0.0
    place: tuple[float, float] = (0.0, 0.0)
    camera_yaw: float = 0.0
    camera_pitch: float = 0.0
    camera_height: float = 0.9
    distance: float = 3.0
    noise: float = 0.0
    dropout: float = 0.0
    occlusion: float = 0.0
    focal: float | None = None
    image_size: tuple[int, int] = (1920, 1080)

    def __post_init__(self) -> None:
        if self.focal is not None:
            _check(focal=self.focal, width=self.image_size[0], height=self.image_size[1])
        for name in ("dropout", "occlusion"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a probability in 0..1, got {getattr(self, name)!r}.")
        if self.noise < 0:
            raise ValueError(f"noise must be a standard deviation >= 0 in metres, got {self.noise!r}.")

    @property
    def tilt(self) -> float:
        """Degrees up from the sensor's axis to a point one metre above the floor in the middle of the scene."""
        return self.camera_pitch + float(np.degrees(np.arctan2(1 - self.camera_height, self.distance)))


def generate(
    action: str | Motion,
    *,
    seed: int | np.random.Generator = 0,
    body: Body | None = None,
    scene: Scene | None = None,
    speed: float = 1.0,
    style: float = 1.0,
    variety: float = 1.0,
    left_handed: bool | None = None,
    num_frames: int | None = None,
    fps: float = 30.0,
    second_person: str | None = None,
    layout: str | SkeletonLayout = "kinect-20",
) -> SkeletonSequence:
    """One clip of one action, a little different for every seed.

    Args:
        action: one of `ACTIONS`, or key poses of your own.
        seed: a number or a generator; the same seed gives the same clip, bit for bit.
        body: proportions; drawn by the seed when None.
        scene: place, camera, noise and missing joints; `Scene()` when None.
        speed: tempo, 2 is twice as fast.
        style: amplitude of the movements, 1 as in the tables; 0 leaves the path over the floor only.
        variety: how far places and times of the poses are from the tables: 1 as people differ, up to 3.5.
        left_handed: mirrors the motion; drawn by the seed (one in eight) when None.
        num_frames: length of the clip from the start of the action; after the action the last pose holds (or walking
            continues). None is the natural length, `duration * fps / speed`.
        fps: frames per second.
        second_person: action of a second person, who faces the first at 1.2 m; one of `ACTIONS`.
        layout: any layout; joints that Kinect v1 lacks are converted or missing, see `convert_layout`.

    Returns:
        `SkeletonSequence` of one or two people in metres.

    Raises:
        ValueError: an unknown action, or a number out of its range.

    Examples:
        >>> clip = motionhub.generate("sit down", seed=3, num_frames=60, layout="coco-17")
        >>> clip.keypoints.shape
        (1, 60, 17, 3)
    """
    motion = _motion(action)
    _check(speed=speed, fps=fps)
    generator = np.random.default_rng(seed)
    if num_frames is None:
        num_frames = max(1, round(motion.duration * fps / speed))
    _check(num_frames=num_frames)
    people = [_person(motion, body, num_frames, fps, speed, style, left_handed, generator, variety)]
    if second_person is not None:
        other = _person(_motion(second_person), None, num_frames, fps, speed, style, None, generator)
        people = [people[0] - [0, 0, 0.6], other * [-1.0, 1.0, -1.0] + [0, 0, 0.6]]
    return film(np.stack(people), scene, fps, generator, layout)


def compose(
    actions: Sequence[str],
    *,
    seed: int | np.random.Generator = 0,
    body: Body | None = None,
    scene: Scene | None = None,
    speed: float = 1.0,
    style: float = 1.0,
    pause: float = 0.7,
    fps: float = 30.0,
    layout: str | SkeletonLayout = "kinect-20",
) -> tuple[SkeletonSequence, np.ndarray]:
    """An untrimmed clip of consecutive actions of one person, with a label for every frame.

    Between two actions the body moves from the last pose to the next first one in about `pause` seconds.

    Returns:
        the sequence, and `(num_frames,)` int64: index into `ACTIONS`, or `BACKGROUND` between actions.

    Raises:
        ValueError: no action, an unknown one, or a number out of its range.

    Examples:
        >>> recording, labels = motionhub.compose(["sit down", "stand up"], seed=0)
        >>> recording.num_frames == len(labels)
        True
    """
    if not actions or isinstance(actions, str):
        raise ValueError(f"compose expects a list of at least one action of {list(ACTIONS)}, got {actions!r}.")
    motions = [(_motion(action), speed) for action in actions]
    how: dict[str, Any] = {"body": body, "scene": scene, "style": style, "pause": pause, "fps": fps, "layout": layout}
    sequence, spans = compose_motions(motions, seed=seed, **how)
    labels = np.full(sequence.num_frames, BACKGROUND)
    for action, (start, end) in zip(actions, spans, strict=True):
        labels[start:end] = ACTIONS.index(action)
    return sequence, labels.astype(np.int64)


def compose_motions(
    motions: Sequence[tuple[Motion, float]],
    *,
    seed: int | np.random.Generator = 0,
    body: Body | None = None,
    scene: Scene | None = None,
    style: float = 1.0,
    pause: float = 0.7,
    fps: float = 30.0,
    layout: str | SkeletonLayout = "kinect-20",
) -> tuple[SkeletonSequence, list[tuple[int, int]]]:
    """`compose` for key poses of one's own, each at a speed of its own.

    Returns:
        the sequence, and of each motion its first frame and the frame after its last.
    """
    for _, speed in motions:
        _check(speed=speed, fps=fps, pause=pause)
    generator = np.random.default_rng(seed)
    body = body or Body.random(generator)
    gap, parts = max(1, round(pause * fps)), []
    spans: list[tuple[int, int]] = []
    for motion, speed in motions:
        times = np.arange(max(1, round(motion.duration * fps / speed))) / fps
        parts.append(_sampled(varied(motion, style, generator), times, speed))
        start = spans[-1][1] + gap if spans else 0
        spans.append((start, start + len(times)))
    channels = softened(_joined(parts, gap), fps)
    channels = swaying(channels, np.arange(len(channels["speed"])) / fps, generator)
    keypoints = _posed(body, channels, fps, 0.0)
    return film(centred(keypoints)[None], scene, fps, generator, layout), spans


def crossing_people(
    *,
    seed: int | np.random.Generator = 0,
    scene: Scene | None = None,
    speed: float = 1.2,
    num_frames: int = 90,
    fps: float = 30.0,
    layout: str | SkeletonLayout = "kinect-20",
) -> SkeletonSequence:
    """Three people who walk through the middle of the scene in different directions, so that they hide each other.

    They pass the middle one after the other, about half a metre apart.
    """
    _check(speed=speed, fps=fps, num_frames=num_frames)
    generator, people = np.random.default_rng(seed), []
    turned = generator.uniform(0, 360)
    for index in range(3):
        body, phase, own = Body.random(generator), generator.random(), speed * generator.uniform(0.85, 1.15)
        walking = sample(Motion(1.0, {"speed": [(0.0, own)]}), np.zeros(num_frames))
        channels = swaying(walking, np.arange(num_frames) / fps, generator)
        late = own * (index - 1) * 0.4
        path = centred(_posed(body, channels, fps, phase)) + [0.3, 0.0, -late]
        people.append(_turn(path, turned + 360 * index / 3 + generator.uniform(-15, 15)))
    return film(np.stack(people), scene, fps, generator, layout)


def project_pinhole(
    sequence: SkeletonSequence, focal: float, image_size: tuple[int, int] = (1920, 1080), tilt: float = 0.0
) -> SkeletonSequence:
    """The image of a pinhole camera at the sensor: pixels from the upper left corner, y downward, not mirrored.

    The optical axis meets the middle of the image; a joint behind the camera or outside the image is missing.

    Args:
        sequence: 3-D in metres, in the coordinates of this module.
        focal: length in pixels: a metre at `z` metres has `focal / z` pixels.
        image_size: `(width, height)` in pixels.
        tilt: degrees by which the camera is turned up from the sensor's axis.

    Raises:
        ValueError: the sequence is not 3-D in metres, or the focal length not positive.
    """
    _check(focal=focal, width=image_size[0], height=image_size[1])
    if sequence.num_dims != 3 or sequence.unit != "metre":
        raise ValueError(
            f"project_pinhole needs 3-D keypoints in metres, got {sequence.num_dims}-D in {sequence.unit}s; "
            "generate them without Scene(focal=...)."
        )
    sine, cosine = np.sin(np.radians(tilt)), np.cos(np.radians(tilt))
    places = sequence.keypoints @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    depth = np.where(places[..., 2:] > 0, places[..., 2:], np.nan)
    pixels = np.asarray(image_size) / 2 - focal * places[..., :2] / depth
    inside = ((pixels >= 0) & (pixels < np.asarray(image_size))).all(axis=-1, keepdims=True)
    return sequence.replace(keypoints=np.where(inside, pixels, np.nan), unit="pixel", image_size=image_size, up="-y")


def _motion(action: str | Motion) -> Motion:
    if isinstance(action, Motion):
        return action
    if action not in MOTIONS:
        raise ValueError(f"action must be one of {list(ACTIONS)}, got {action!r}.")
    return MOTIONS[action]


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"{name} must be a positive number, got {value!r}.")


def _person(
    motion: Motion,
    body: Body | None,
    num_frames: int,
    fps: float,
    speed: float,
    style: float,
    left_handed: bool | None,
    generator: np.random.Generator,
    variety: float = 1.0,
) -> np.ndarray:
    """`(num_frames, 20, 3)` in the ground frame, its path centred on the origin."""
    # Always drawn, in this order, so that passing a body does not change the motion.
    drawn, hand, phase = Body.random(generator), generator.random(), generator.random()
    times = np.arange(num_frames) / fps
    channels = softened(_sampled(varied(motion, style, generator, variety), times, speed), fps)
    channels = swaying(channels, times, generator)
    if (hand < 0.125) if left_handed is None else left_handed:
        channels = mirrored(channels)
    return centred(_posed(body or drawn, channels, fps, phase))


def _sampled(motion: Motion, times: np.ndarray, speed: float) -> Channels:
    """The motion's channels at `speed` times its tempo; its path over the floor is the same."""
    channels = sample(motion, times * speed)
    return {**channels, "speed": channels["speed"] * speed}


def _posed(body: Body, channels: Channels, fps: float, phase: float) -> np.ndarray:
    track = body_track(body, channels, fps, phase)
    return pose_body(body, track, smooth_height_limit(body, track, fps))


def centred(keypoints: np.ndarray) -> np.ndarray:
    """The middle of the path of `mid_hip` above the origin."""
    root = keypoints[:, LAYOUT.index("mid_hip")]
    middle = (root.min(axis=0) + root.max(axis=0)) / 2
    return keypoints - [middle[0], 0.0, middle[2]]


def _joined(parts: list[Channels], gap: int) -> Channels:
    """Concatenated channels with `gap` blended frames between them; headings add up."""
    ease = (np.arange(1, gap + 1) / (gap + 1)) ** 2 * (3 - 2 * np.arange(1, gap + 1) / (gap + 1))
    joined = {name: [values] for name, values in parts[0].items()}
    for part in parts[1:]:
        for name, values in part.items():
            before = joined[name][-1][-1]
            after = values + (before - values[0]) if name == "turn" else values
            weight = ease.reshape(-1, *(1,) * (values.ndim - 1))
            joined[name] += [before + (after[0] - before) * weight, after]
    return {name: np.concatenate(pieces) for name, pieces in joined.items()}


def _turn(keypoints: np.ndarray, degrees: float) -> np.ndarray:
    """Turned about the vertical through the origin, positive to the left as in the ground frame."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return keypoints @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def film(
    people: np.ndarray,
    scene: Scene | None,
    fps: float,
    generator: np.random.Generator,
    layout: str | SkeletonLayout = LAYOUT,
) -> SkeletonSequence:
    """From the ground frame `(people, frames, 20, 3)` into the camera's, with noise and missing joints."""
    scene = scene or Scene()
    # 180: heading 0 is towards the camera, against its z.
    keypoints = _turn(people, 180.0 + scene.heading) + [scene.place[0], 0.0, scene.place[1]]
    keypoints = _turn(keypoints, scene.camera_yaw) + [0.0, -scene.camera_height, scene.distance]
    sine, cosine = np.sin(np.radians(scene.camera_pitch)), np.cos(np.radians(scene.camera_pitch))
    keypoints = keypoints @ np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    if scene.noise:
        keypoints = keypoints + scene.noise * generator.standard_normal(keypoints.shape)
    if scene.dropout:
        lost = generator.random(keypoints.shape[:-1]) < scene.dropout
        keypoints = np.where(lost[..., None], np.nan, keypoints)
    if scene.occlusion:
        hidden = _hidden(len(keypoints), keypoints.shape[1], scene.occlusion, generator)
        keypoints = np.where(hidden[..., None], np.nan, keypoints)
    sequence = SkeletonSequence(keypoints, layout=LAYOUT, fps=fps, unit="metre", up="y")
    # The layout first, then the image: the middle of two joints is not the middle of their pixels.
    converted = sequence if layout in (LAYOUT, LAYOUT.name) else convert_layout(sequence, layout)
    return converted if scene.focal is None else project_pinhole(converted, scene.focal, scene.image_size, scene.tilt)


def _hidden(num_people: int, num_frames: int, probability: float, generator: np.random.Generator) -> np.ndarray:
    """`(people, frames, 20)`: of each person at most one part, for one stretch of time."""
    hidden = np.zeros((num_people, num_frames, LAYOUT.num_joints), bool)
    for person in hidden:
        # Always drawn, so that the probability does not change later draws.
        chance, part = generator.random(), HIDDEN_PARTS[str(generator.choice(list(HIDDEN_PARTS)))]
        length = max(1, round(num_frames * generator.uniform(0.25, 0.75)))
        start = int(generator.integers(num_frames - length + 1))
        if chance < probability:
            person[start : start + length, [LAYOUT.index(joint) for joint in part]] = True
    return hidden
