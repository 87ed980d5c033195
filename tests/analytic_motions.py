"""Synthetic motions whose joints are known in closed form."""

import numpy as np

from motionhub.data.synthetic.body import LAYOUT, Body, pose_body
from motionhub.data.synthetic.channels import Channels, Motion, sample
from motionhub.data.synthetic.gait import body_track, smooth_height_limit, step_cycle
from motionhub.data.synthetic.generate import Scene, centred, film
from motionhub.skeletons.sequence import SkeletonSequence


def straight_walk(
    speed: float = 1.2, *, num_frames: int = 60, fps: float = 30.0, scene: Scene | None = None, seed: int = 0
) -> SkeletonSequence:
    """Walking whose `mid_hip` moves exactly `speed * time` metres along the heading, at constant height.

    `seed` is for the noise and the missing joints of `scene` only.
    """

    def walking(frames: int) -> Channels:
        return sample(Motion(1.0, {"speed": [(0.0, speed)]}), np.zeros(frames))

    body = Body()
    # The height that a whole step allows, sampled finely, so that it does not depend on the clip's length.
    cycle = body_track(body, walking(128), 128 / step_cycle(speed))
    limit = np.full(num_frames, smooth_height_limit(body, cycle, 1.0).min())
    keypoints = pose_body(body, body_track(body, walking(num_frames), fps), limit)
    return film(centred(keypoints)[None], scene, fps, np.random.default_rng(seed))


def pendulum_arm(
    frequency: float = 0.5, amplitude: float = 60.0, *, num_frames: int = 60, fps: float = 30.0
) -> SkeletonSequence:
    """A person who stands still and swings the stretched right arm about the shoulder, in the plane of the heading.

    The arm's angle from hanging down, forward positive, is `amplitude * sin(2 pi frequency time)` degrees.
    """
    body, times = Body(), np.arange(num_frames) / fps
    track = body_track(body, sample(Motion(1.0, {}), times), fps)
    keypoints = pose_body(body, track, smooth_height_limit(body, track, fps))
    angle = np.radians(amplitude) * np.sin(2 * np.pi * frequency * times)
    direction = np.stack([np.zeros(num_frames), -np.cos(angle), np.sin(angle)], axis=-1)
    shoulder = keypoints[:, LAYOUT.index("right_shoulder")]
    lengths = {"right_elbow": body.upper_arm, "right_wrist": body.arm, "right_hand": body.arm + body.hand}
    for joint, length in lengths.items():
        keypoints[:, LAYOUT.index(joint)] = shoulder + length * direction
    return film(centred(keypoints)[None], None, fps, np.random.default_rng(0))
