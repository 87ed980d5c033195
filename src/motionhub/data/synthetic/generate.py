"""Synthetic motion: seeded actions, compositions, crossing people and analytic motions as `SkeletonSequence`s.

Coordinates are those of a Kinect, as in N-UCLA: metres, y up, z away from the camera at the origin, and right-handed:
the left side of a person who faces the camera has the smaller x (drawn with x to the right, a mirror image).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motionhub.data.synthetic.body import LAYOUT, Body, pose_body
from motionhub.data.synthetic.channels import (
    Channels,
    Motion,
    mirrored,
    sample,
    softened,
    swaying,
    varied,
)
from motionhub.data.synthetic.gait import body_track, smooth_height_limit, step_cycle
from motionhub.data.synthetic.motions import MOTIONS
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


ACTIONS: tuple[str, ...] = tuple(MOTIONS)
_ARM, _LEG = ("elbow", "wrist", "hand"), ("knee", "ankle", "foot")
# What a table, a door or another person hides as a whole.
HIDDEN_PARTS: dict[str, tuple[str, ...]] = {
    **{f"{side} arm": tuple(f"{side}_{joint}" for joint in _ARM) for side in ("left", "right")},
    **{f"{side} leg": tuple(f"{side}_{joint}" for joint in _LEG) for side in ("left", "right")},
    "lower body": ("mid_hip", *(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", *_LEG))),
}
# In a composition: the frames in which one action has ended and the next has not begun.
BACKGROUND = -1


@dataclass(frozen=True)
class Scene:
    """Where the person stands and what the sensor makes of it.

    Args:
        heading: degrees to the person's left at the start; 0 faces the camera.
        place: metres to the right (x) and away (z) of the middle of the scene, which the camera looks at.
        camera_yaw: degrees by which the scene is turned about its middle before the camera, to the left like headings:
            the camera's azimuth.
        camera_pitch: degrees by which the camera looks down; at 0 the floor is at y = -camera_height.
        camera_height: metres above the floor.
        distance: metres from the camera to the middle of the scene.
        noise: standard deviation in metres of independent Gaussian noise on every coordinate.
        dropout: probability that a joint is missing (NaN) in a frame, independent.
        occlusion: probability that one body part of a person, an arm, a leg or all below the waist (`HIDDEN_PARTS`),
            is missing for a stretch of a quarter to three quarters of the clip.
        focal: None for 3-D in metres; the focal length in pixels for the 2-D image, see `project_pinhole`. For it the
            camera stays in its place and is tilted to what is a metre above the floor in the middle of the scene, so
            that its elevation is that of `camera_height` over `distance`.
        image_size: `(width, height)` of the image in pixels.
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
        """Degrees up from the sensor's axis to what is a metre above the floor in the middle of the scene."""
        return self.camera_pitch + float(np.degrees(np.arctan2(1 - self.camera_height, self.distance)))


def generate(
    action: str | Motion,
    *,
    seed: int | np.random.Generator = 0,
    body: Body | None = None,
    scene: Scene | None = None,
    speed: float = 1.0,
    style: float = 1.0,
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
        left_handed: mirrors the motion; drawn by the seed (one in eight) when None.
        num_frames: length of the clip, from the start of the action: cut when shorter than the action, holding the
            last pose (or walking on) when longer. None is the natural length, `duration * fps / speed`.
        fps: frames per second.
        second_person: action of a second person, who faces the first at 1.2 m; one of `ACTIONS`.
        layout: any layout; joints that Kinect v1 does not have are converted or missing, see `convert_layout`.

    Returns:
        `SkeletonSequence` of one or two people in metres.

    Raises:
        ValueError: an unknown action, or a number out of its range.
    """
    motion = _motion(action)
    _check(speed=speed, fps=fps)
    generator = np.random.default_rng(seed)
    if num_frames is None:
        num_frames = max(1, round(motion.duration * fps / speed))
    _check(num_frames=num_frames)
    people = [_person(motion, body, num_frames, fps, speed, style, left_handed, generator)]
    if second_person is not None:
        other = _person(_motion(second_person), None, num_frames, fps, speed, style, None, generator)
        people = [people[0] - [0, 0, 0.6], other * [-1.0, 1.0, -1.0] + [0, 0, 0.6]]
    return _filmed(np.stack(people), scene, fps, generator, layout)


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
    """An untrimmed clip of several actions by one person, one after the other, with a label for every frame.

    Between two actions the body goes from the last pose to the next first one in about `pause` seconds.

    Returns:
        the sequence, and `(num_frames,)` int64: index into `ACTIONS`, or `BACKGROUND` between actions.

    Raises:
        ValueError: no action, an unknown one, or a number out of its range.
    """
    if not actions or isinstance(actions, str):
        raise ValueError(f"compose expects a list of at least one action of {list(ACTIONS)}, got {actions!r}.")
    _check(speed=speed, fps=fps, pause=pause)
    generator = np.random.default_rng(seed)
    body = body or Body.random(generator)
    parts, labels = [], []
    for action in actions:
        motion = varied(_motion(action), style, generator)
        times = np.arange(max(1, round(motion.duration * fps / speed))) / fps
        parts.append(_tempo(sample(motion, times * speed), speed))
        labels.append(np.full(len(times), ACTIONS.index(action)))
    gap = max(1, round(pause * fps))
    channels = softened(_joined(parts, gap), fps)
    channels = swaying(channels, np.arange(len(channels["speed"])) / fps, generator)
    keypoints = _posed(body, channels, fps, 0.0)
    between = np.full(gap, BACKGROUND)
    frame_labels = np.concatenate([labels[0], *(part for label in labels[1:] for part in (between, label))])
    sequence = _filmed(_centred(keypoints)[None], scene, fps, generator, layout)
    return sequence, frame_labels.astype(np.int64)


def crossing_people(
    num_people: int = 3,
    *,
    seed: int | np.random.Generator = 0,
    scene: Scene | None = None,
    speed: float = 1.2,
    num_frames: int = 90,
    fps: float = 30.0,
    layout: str | SkeletonLayout = "kinect-20",
) -> SkeletonSequence:
    """People who walk straight through the middle of the scene, each another way, one behind the other's back.

    Headings are spread evenly and then turned a little; each passes the middle at its own side, about half a metre
    from the next, and a moment later. From every camera somebody hides somebody else.

    Raises:
        ValueError: a number out of its range.
    """
    _check(speed=speed, fps=fps, num_people=num_people, num_frames=num_frames)
    generator, people = np.random.default_rng(seed), []
    turned = generator.uniform(0, 360)
    for index in range(num_people):
        body, phase, own = Body.random(generator), generator.random(), speed * generator.uniform(0.85, 1.15)
        channels = swaying(_walking(own, num_frames), np.arange(num_frames) / fps, generator)
        late = own * (index - (num_people - 1) / 2) * 0.4
        path = _centred(_posed(body, channels, fps, phase)) + [0.3, 0.0, -late]
        people.append(_turn(path, turned + 360 * index / num_people + generator.uniform(-15, 15)))
    return _filmed(np.stack(people), scene, fps, generator, layout)


def straight_walk(
    speed: float = 1.2,
    *,
    num_frames: int = 60,
    fps: float = 30.0,
    body: Body | None = None,
    scene: Scene | None = None,
    seed: int | np.random.Generator = 0,
) -> SkeletonSequence:
    """Walking whose `mid_hip` moves exactly `speed * time` metres along the heading, at constant height.

    `seed` is for the noise and the missing joints of `scene` only.
    """
    _check(fps=fps, speed=speed, num_frames=num_frames)
    body = body or Body()
    # The height that a whole step allows, sampled finely, so that it does not depend on the clip's length.
    cycle = body_track(body, _walking(speed, 128), 128 / step_cycle(speed))
    limit = np.full(num_frames, smooth_height_limit(body, cycle, 1.0).min())
    keypoints = pose_body(body, body_track(body, _walking(speed, num_frames), fps), limit)
    return _filmed(_centred(keypoints)[None], scene, fps, np.random.default_rng(seed))


def pendulum_arm(
    frequency: float = 0.5,
    amplitude: float = 60.0,
    *,
    num_frames: int = 60,
    fps: float = 30.0,
    body: Body | None = None,
    scene: Scene | None = None,
    seed: int | np.random.Generator = 0,
) -> SkeletonSequence:
    """A person who stands still and swings the stretched right arm like a pendulum about the shoulder.

    The arm's angle from hanging down, forward positive, is `amplitude * sin(2 pi frequency time)` degrees, in the
    plane of the heading; the wrist stays on the circle of radius `body.arm`. `seed` is for noise and missing joints.
    """
    _check(fps=fps, num_frames=num_frames)
    body = body or Body()
    times = np.arange(num_frames) / fps
    keypoints = _posed(body, sample(Motion(1.0, {}), times), fps, 0.0)
    angle = np.radians(amplitude) * np.sin(2 * np.pi * frequency * times)
    direction = np.stack([np.zeros(num_frames), -np.cos(angle), np.sin(angle)], axis=-1)
    shoulder = keypoints[:, LAYOUT.index("right_shoulder")]
    lengths = {"right_elbow": body.upper_arm, "right_wrist": body.arm, "right_hand": body.arm + body.hand}
    for joint, length in lengths.items():
        keypoints[:, LAYOUT.index(joint)] = shoulder + length * direction
    return _filmed(_centred(keypoints)[None], scene, fps, np.random.default_rng(seed))


def project_pinhole(
    sequence: SkeletonSequence, focal: float, image_size: tuple[int, int] = (1920, 1080), tilt: float = 0.0
) -> SkeletonSequence:
    """What a pinhole camera in the sensor's place sees: pixels from the upper left corner, y downward, not mirrored.

    The optical axis meets the middle of the image; a joint behind the camera or outside the image is missing.

    Args:
        sequence: 3-D in metres, in the coordinates of this module.
        focal: length in pixels: of a metre, `focal / z` pixels are seen at `z` metres.
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
    return sequence.replace(keypoints=np.where(inside, pixels, np.nan), unit="pixel", image_size=image_size)


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


def _walking(speed: float, num_frames: int) -> Channels:
    """Walking at one speed in metres a second."""
    return sample(Motion(1.0, {"speed": [(0.0, float(speed))]}), np.zeros(num_frames))


def _person(
    motion: Motion,
    body: Body | None,
    num_frames: int,
    fps: float,
    speed: float,
    style: float,
    left_handed: bool | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """`(num_frames, 20, 3)` in the ground frame, its path centred on the origin."""
    # Drawn in this order whatever is given, so that fixing the body does not change the motion.
    drawn, hand, phase = Body.random(generator), generator.random(), generator.random()
    times = np.arange(num_frames) / fps
    channels = softened(_tempo(sample(varied(motion, style, generator), times * speed), speed), fps)
    channels = swaying(channels, times, generator)
    if (hand < 0.125) if left_handed is None else left_handed:
        channels = mirrored(channels)
    return _centred(_posed(body or drawn, channels, fps, phase))


def _tempo(channels: Channels, speed: float) -> Channels:
    """Walking at the tempo of the rest: the same path in less time."""
    return {**channels, "speed": channels["speed"] * speed}


def _posed(body: Body, channels: Channels, fps: float, phase: float) -> np.ndarray:
    track = body_track(body, channels, fps, phase)
    return pose_body(body, track, smooth_height_limit(body, track, fps))


def _centred(keypoints: np.ndarray) -> np.ndarray:
    """The middle of the path of `mid_hip` above the origin."""
    root = keypoints[:, LAYOUT.index("mid_hip")]
    middle = (root.min(axis=0) + root.max(axis=0)) / 2
    return keypoints - [middle[0], 0.0, middle[2]]


def _joined(parts: list[Channels], gap: int) -> Channels:
    """Channels one after the other, with `gap` frames that blend; headings add up, nobody moves on in a gap."""
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


def _filmed(
    people: np.ndarray,
    scene: Scene | None,
    fps: float,
    generator: np.random.Generator,
    layout: str | SkeletonLayout = LAYOUT,
) -> SkeletonSequence:
    """From the ground frame `(people, frames, 20, 3)` into the camera's, with noise and missing joints."""
    scene = scene or Scene()
    # 180: who walks forward from heading 0 comes towards the camera, against its z.
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
    sequence = SkeletonSequence(keypoints, layout=LAYOUT, fps=fps, unit="metre")
    # The layout first, then the image: the middle of two joints is not the middle of their pixels.
    converted = sequence if layout in (LAYOUT, LAYOUT.name) else convert_layout(sequence, layout)
    return converted if scene.focal is None else project_pinhole(converted, scene.focal, scene.image_size, scene.tilt)


def _hidden(num_people: int, num_frames: int, probability: float, generator: np.random.Generator) -> np.ndarray:
    """`(people, frames, 20)`: of each person at most one part, for one stretch of time."""
    hidden = np.zeros((num_people, num_frames, LAYOUT.num_joints), bool)
    for person in hidden:
        # Drawn whether or not they are used, so that the probability does not change who is hidden next.
        chance, part = generator.random(), HIDDEN_PARTS[str(generator.choice(list(HIDDEN_PARTS)))]
        length = max(1, round(num_frames * generator.uniform(0.25, 0.75)))
        start = int(generator.integers(num_frames - length + 1))
        if chance < probability:
            person[start : start + length, [LAYOUT.index(joint) for joint in part]] = True
    return hidden
