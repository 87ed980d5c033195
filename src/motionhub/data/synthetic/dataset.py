"""Labelled datasets of synthetic motion, free to share; a clip depends on the seed and its number only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from motionhub.data.build.build import rows_to_dataset
from motionhub.data.build.shards import write_rows
from motionhub.data.formats.schema import features
from motionhub.data.synthetic.body import Body
from motionhub.data.synthetic.generate import ACTIONS, Scene, compose, crossing_people, generate, project_pinhole
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


SOURCE, LICENCE = "motionhub-synthetic", "CC0-1.0"
NUM_SUBJECTS = 40
# Azimuths of cameras 0, 1, 2 in degrees; each clip's differs by a few.
CAMERA_YAWS = (-45.0, 0.0, 45.0)
_KINDS = ("action", "pair", "crossing", "composition")
# Seeds of bodies and lenses, beyond all clip numbers.
_BODIES, _LENSES = 2**31, 2**32
# Focal lengths in pixels: from a wide angle to a telephone's.
IMAGE_SIZE, FOCALS = (1920, 1080), (700.0, 1400.0)
_KEYPOINTS = {
    2: f"pixels of an image of {IMAGE_SIZE[0]} x {IMAGE_SIZE[1]}, y downward; what is outside it is missing",
    3: "metres before a depth camera: y up, z away from it",
}


@dataclass(frozen=True)
class Mixture:
    """The kinds of clips of a dataset, as shares of all clips; the rest are of one person with one action.

    Args:
        pairs: share of clips of two people who face each other, each with an action.
        crossings: share of clips of three people whose paths cross.
        compositions: share of untrimmed clips of three to six actions, with a label for every frame.
        noise: greatest standard deviation of the noise, in metres.
        dropout: greatest share of joints missing at random.
        occlusion: probability that furniture hides all joints below, or on one side of, an edge for some frames.
        hidden_parts: probability that a limb or the lower body of a person is hidden for some frames, see `Scene`.
    """

    pairs: float = 0.1
    crossings: float = 0.05
    compositions: float = 0.1
    noise: float = 0.015
    dropout: float = 0.05
    occlusion: float = 0.25
    hidden_parts: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.pairs, self.crossings, self.compositions)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"pairs, crossings and compositions must be shares with a sum in 0..1, got {shares}.")
        for name in ("occlusion", "hidden_parts"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a probability in 0..1, got {getattr(self, name)!r}.")
        Scene(noise=self.noise, dropout=self.dropout)


def generate_dataset(
    num_clips: int = 1000,
    *,
    seed: int = 0,
    actions: Sequence[str] = ACTIONS,
    mixture: Mixture | None = None,
    layout: str = "kinect-20",
    fps: float = 30.0,
    num_dims: int = 3,
) -> Dataset:
    """Labelled clips in the columns of `skeletons.rows.COLUMNS`, in memory; a seed gives the same clips, bit for bit.

    Args:
        num_clips: each takes about 30 ms and 100 kB.
        seed: 0 or more.
        actions: some of `data.synthetic.generate.ACTIONS`; `label` indexes them in this order.
        mixture: shares and strengths; `Mixture()` when None.
        layout, fps: of every clip.
        num_dims: 3 for metres; 2 for the images of the same motions, in pixels of `IMAGE_SIZE`.

    Raises:
        ValueError: an unknown action or layout, or a number out of its range.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0)
    """
    rows = generate_rows(
        num_clips, seed=seed, actions=actions, mixture=mixture, layout=layout, fps=fps, num_dims=num_dims
    )
    return rows_to_dataset(list(rows), list(actions))


def save_generated(out_dir: str | Path, num_clips: int = 1000, **options: Any) -> Path:
    """Write the dataset of `generate_dataset(num_clips, **options)` clip by clip for `datasets.load_dataset`.

    Args:
        out_dir: new or empty folder, which is returned.

    Raises:
        ValueError: as `generate_dataset`; or `out_dir` exists and is not empty.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise ValueError(f"{out_dir} exists and is not an empty folder; remove it or give another one.")
    rows = generate_rows(num_clips, **options)  # first, so that wrong arguments leave no file behind
    chosen = {"seed": 0, "actions": ACTIONS, "layout": "kinect-20", "num_dims": 3, **options}
    schema = features(list(chosen["actions"])).arrow_schema
    write_rows(out_dir / "clips.parquet", rows, schema, compression="zstd")
    template = Path(__file__).with_name("templates") / "dataset_card.md"
    card = template.read_text(encoding="utf-8").format(
        **{name: chosen[name] for name in ("seed", "layout", "num_dims")},
        num_clips=num_clips,
        keypoints=_KEYPOINTS[chosen["num_dims"]],
        actions=", ".join(chosen["actions"]),
        num_subjects=NUM_SUBJECTS,
        yaws=", ".join(f"{yaw:g}" for yaw in CAMERA_YAWS),
        crossing=_crossing_label(chosen["actions"]),
    )
    (out_dir / "README.md").write_text(card, encoding="utf-8")
    return out_dir


def generate_rows(
    num_clips: int,
    *,
    seed: int = 0,
    actions: Sequence[str] = ACTIONS,
    mixture: Mixture | None = None,
    layout: str = "kinect-20",
    fps: float = 30.0,
    num_dims: int = 3,
) -> Iterator[dict[str, Any]]:
    """The rows of `generate_dataset` one by one; it raises its ValueErrors at once."""
    unknown = sorted({*actions} - {*ACTIONS})
    if isinstance(actions, str) or not actions or unknown or len({*actions}) < len(actions):
        raise ValueError(f"actions must be different ones of {list(ACTIONS)}, got {list(actions)}.")
    if num_clips < 1 or seed < 0:
        raise ValueError(f"num_clips must be 1 or more and seed 0 or more, got {num_clips} and {seed}.")
    if not fps > 0:
        raise ValueError(f"fps must be a positive number, got {fps!r}.")
    if num_dims not in (2, 3):
        raise ValueError(f"num_dims must be 2 (pixels) or 3 (metres), got {num_dims!r}.")
    get_layout(layout)
    chosen = mixture or Mixture()
    return (_row(seed, number, tuple(actions), chosen, layout, fps, num_dims) for number in range(num_clips))


def _row(
    seed: int, number: int, actions: tuple[str, ...], mixture: Mixture, layout: str, fps: float, num_dims: int
) -> dict[str, Any]:
    chance = np.random.default_rng([seed, number])
    shares = (mixture.pairs, mixture.crossings, mixture.compositions)
    kind = chance.choice(_KINDS, p=[max(0.0, 1 - sum(shares)), *shares])
    subject, camera = int(chance.integers(NUM_SUBJECTS)), int(chance.integers(len(CAMERA_YAWS)))
    body = Body.random(np.random.default_rng([seed, _BODIES + subject]))
    # Actions in turn, so that small datasets are balanced too.
    action = actions[number % len(actions)]
    scene, speed = _scene(chance, camera, mixture), float(chance.uniform(0.75, 1.35))
    drawn: dict[str, Any] = {"body": body, "scene": scene, "speed": speed, "style": float(chance.uniform(0.8, 1.2))}
    drawn |= {"fps": fps, "seed": chance, "layout": layout}
    frame_labels, caption = None, action
    if kind == "composition":
        chosen = [str(each) for each in chance.choice(actions, size=chance.integers(3, 7))]
        sequence, named = compose(chosen, **drawn)
        order = np.array([actions.index(name) if name in actions else -1 for name in ACTIONS] + [-1])
        frame_labels, caption = order[named].tolist(), ", then ".join(chosen)
    elif kind == "crossing":
        action = caption = _crossing_label(actions)
        scene = replace(scene, distance=scene.distance + 1.5)  # so that no person walks past the camera
        sequence = crossing_people(seed=chance, scene=scene, speed=1.1 * speed, fps=fps, layout=layout)
    else:
        other = str(chance.choice(actions)) if kind == "pair" else None
        if other is not None:  # from the side, two people who face each other do not hide each other
            drawn["scene"] = replace(scene, heading=scene.heading + 90)
            caption = f"{action}, {other}"
        sequence = generate(action, second_person=other, **drawn)
    if chance.random() < mixture.occlusion:
        sequence = _occluded(sequence, chance)
    if num_dims == 2:  # drawn separately, so that the motions are those of the 3-D clips
        focal = float(np.random.default_rng([seed, _LENSES + number]).uniform(*FOCALS))
        sequence = project_pinhole(sequence, focal, IMAGE_SIZE, scene.tilt)
    return to_row(
        sequence,
        label=None if kind == "composition" else actions.index(action),
        frame_labels=frame_labels,
        subject=subject,
        camera=camera,
        clip_id=f"synthetic_{seed}_{number:07d}",
        caption=caption,
        source=SOURCE,
        licence=LICENCE,
    )


def _crossing_label(actions: Sequence[str]) -> str:
    return "walk around" if "walk around" in actions else actions[0]


def _scene(chance: np.random.Generator, camera: int, mixture: Mixture) -> Scene:
    return Scene(
        heading=float(chance.uniform(-35, 35)),
        place=(float(chance.uniform(-0.4, 0.4)), float(chance.uniform(-0.4, 0.4))),
        camera_yaw=CAMERA_YAWS[camera] + float(chance.uniform(-8, 8)),
        camera_pitch=float(chance.uniform(0, 20)),
        camera_height=float(chance.uniform(0.7, 1.7)),
        distance=float(chance.uniform(2.6, 4.5)),
        noise=float(chance.uniform(0, mixture.noise)),
        dropout=float(chance.uniform(0, mixture.dropout)),
        occlusion=mixture.hidden_parts,
    )


def _occluded(sequence: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    """Joints below a table's edge, or on one side of a door's, are missing for a run of frames."""
    frames = sequence.num_frames
    start = int(chance.integers(frames))
    end = start + int(chance.integers(1, max(2, frames // 2)))
    axis, above = int(chance.integers(2)), bool(chance.random() < 0.5)
    places = sequence.keypoints[..., axis]
    if not np.isfinite(places).any():
        return sequence
    edge = np.nanquantile(places, 0.35)
    hidden = places > 2 * np.nanmedian(places) - edge if axis == 0 and above else places < edge
    hidden &= ((np.arange(frames) >= start) & (np.arange(frames) < end))[None, :, None]
    return sequence.replace(keypoints=np.where(hidden[..., None], np.nan, sequence.keypoints))
