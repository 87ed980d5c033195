"""What U-VI's claim trains and tests on: bodies drawn for cameras, real depth maps, and how reconstructions look."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import motions
import numpy as np
import torch
from torch import Tensor

from motionhub.data.build.build import build_dataset
from motionhub.data.synthetic.generate import generate
from motionhub.data.views.body_images import draw_body
from motionhub.data.views.cameras import Camera
from motionhub.data.views.view_pairs import SENSOR_DISTANCE
from motionhub.processing.posture_images import PostureImageProcessor
from motionhub.skeletons.rows import from_row


SIDE, FRAMES = 64, 16  # pixels of a side of what is kept; images of a clip, as in the paper
PIXELS = 32  # pixels of a side of what the networks see
REAL_SUBJECTS = (1, 2)
AZIMUTHS = {"front": 0.0, "between": 45.0, "side": 90.0}
FRONTS = {"bandai": 0.0, "utd": 180.0, "synthetic": 180.0}  # people before a Kinect look along -z
VIEWS = {"bandai": ("front", "between", "side"), "utd": ("front", "side")}
MOVEMENTS, GRADES, PEOPLE = ("squat", "sit down"), 5, (16, 10)  # people that train and that test, of every grade
PROCESSOR = PostureImageProcessor(image_size=SIDE, in_channels=1, depth_unit=1.0)

Views = dict[str, Tensor]  # name of a camera -> images `(clips, FRAMES, SIDE, SIDE)` uint8


def seen(sequence: Any, frames: Sequence[int], cameras: Sequence[Camera]) -> Tensor:
    """`(cameras, frames, SIDE, SIDE)` uint8: each camera's clip is cut out as one, as recorded clips are."""
    drawn = draw_body(sequence, frames, cameras, size=SIDE)
    depths = [np.stack([SENSOR_DISTANCE - moment[view].depth for moment in drawn]) for view in range(len(cameras))]
    return torch.stack([as_bytes(PROCESSOR.prepare(depth)) for depth in depths])


def as_bytes(images: Tensor) -> Tensor:
    return (images[:, 0] * 255).round().to(torch.uint8)


def as_images(stored: Any) -> Tensor:
    """uint8 `(..., SIDE, SIDE)` -> `(..., 1, PIXELS, PIXELS)` in 0..1."""
    values = torch.as_tensor(stored).float() / 255
    blocks = values.unflatten(-1, (PIXELS, -1)).unflatten(-3, (PIXELS, -1))
    return blocks.mean((-3, -1)).unsqueeze(-3)


def cameras_at(azimuths: Sequence[float], generator: np.random.Generator) -> list[Camera]:
    return [Camera(azimuth + generator.uniform(-15, 15), generator.uniform(-10, 10)) for azimuth in azimuths]


def clips_seen(sequences: Sequence[Any], source: str, names: Sequence[str], seed: int) -> Views:
    """Every sequence as each of the cameras sees it, decided by its place in the list."""
    azimuths = [FRONTS[source] + AZIMUTHS[name] for name in names]
    made = []
    for index, sequence in enumerate(sequences):
        cameras = cameras_at(azimuths, np.random.default_rng([seed, index]))
        made.append(seen(sequence, motions.spread(sequence.num_frames, FRAMES), cameras))
    return dict(zip(names, torch.stack(made, dim=1), strict=True))


def graded(movement: str, first: int, count: int, names: Sequence[str]) -> tuple[Views, Tensor]:
    """Clips of `count` people in each grade: the higher, the smaller and slower; two seconds from the start."""
    grades = [grade for grade in range(GRADES) for _ in range(count)]
    sequences = [
        generate(
            movement, seed=first + index, style=1 - 0.15 * grade, speed=1 - 0.125 * grade, fps=8.0, num_frames=FRAMES
        )
        for index, grade in enumerate(grades)
    ]
    return clips_seen(sequences, "synthetic", names, first), torch.tensor(grades)


def recorded(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    """The real depth clips `(54, FRAMES, SIDE, SIDE)`, their actions and subjects.

    Kinect's images are mirrored, these not.
    """
    processor = PostureImageProcessor(image_size=SIDE, in_channels=1)
    clips, names = [], []
    for name, depth in motions.depth_recordings(folder):
        clips.append(as_bytes(processor.prepare(depth[motions.spread(len(depth), FRAMES), :, ::-1])))
        names.append([int(part[1:]) for part in name.split("_")[:2]])
    actions, subjects = torch.tensor(names).T
    return torch.stack(clips), actions - 1, subjects


def load(folder: Path, most: int | None) -> dict[str, Any]:
    """All images, of whatever trains and tests, drawn once; `most` clips of a dataset for a quick look."""
    bandai, utd = (build_dataset(name, folder / motions.FILES[name])["full"] for name in ("bandai-namco", "utd-mhad"))
    chosen = {
        "bandai": thinned(list(range(len(bandai))), most),
        "utd": thinned([row for row, who in enumerate(utd["subject"]) if who not in REAL_SUBJECTS], most),
    }
    made: dict[str, Any] = {}
    for place, (name, rows) in enumerate(chosen.items()):
        source = {"bandai": bandai, "utd": utd}[name].select(rows)
        clips = [from_row(row) for row in source.with_format("numpy")]
        made[name] = clips_seen(clips, name, VIEWS[name], place)
        made[f"{name} labels"], made[f"{name} setups"] = (torch.tensor(source[key]) for key in ("label", "setup"))
    for movement in MOVEMENTS:
        made[f"{movement} train"] = graded(movement, 0, PEOPLE[0] if most is None else 2, ("front",))
        made[f"{movement} test"] = graded(movement, 1000, PEOPLE[1] if most is None else 2, ("front", "side"))
    made["real"], made["real labels"], made["real subjects"] = recorded(folder)
    return made


def split(drawn: dict[str, Any], develop: bool) -> dict[str, Any]:
    """What trains and what tests; to choose anything by: another style, nothing recorded, no grades."""
    is_train, is_test = motions.style_parts(drawn["bandai setups"], develop)
    data = {name: drawn[name] for name in drawn if not name.startswith("bandai")}
    for name, rows in (("train", is_train), ("test", is_test)):
        data[name] = {view: images[rows] for view, images in drawn["bandai"].items()}
        data[f"{name} labels"] = drawn["bandai labels"][rows]
    data["takes"] = torch.cat(
        [torch.stack([views["front"], views["side"]], dim=1) for views in (data["train"], drawn["utd"])]
    )  # (clips, 2, FRAMES, SIDE, SIDE)
    hidden = ("real", *MOVEMENTS) if develop else ()
    return {name: value for name, value in data.items() if not name.startswith(hidden)} if hidden else data


def thinned(rows: list[int], most: int | None) -> list[int]:
    return rows if most is None else [rows[place] for place in np.linspace(0, len(rows) - 1, most).astype(int)]


@torch.inference_mode()
def draw_reconstructions(model: Any, data: dict[str, Any], path: Path, rows: Sequence[int]) -> None:
    """A row for each of some test clips: the cameras' images beside what is drawn from one camera's posture.

    The camera of the last column is that of another clip's image: nothing of it can tell the posture.
    """
    import matplotlib.pyplot as plt

    titles = ("front", "drawn from it", "side", "front's posture,\nside's camera", "at 45 degrees",
              "front's posture, camera\nof another clip at 45")  # fmt: skip
    middle = FRAMES // 2
    front, side, between = (data["test"][view][list(rows), middle] for view in ("front", "side", "between"))
    other = data["test"]["between"][[row - 1 for row in rows], middle]
    real = [] if "real" not in data else data["real"][:: len(data["real"]) // 3, middle][:3]
    lines = [*zip(front, side, between, other, strict=True), *((each, None, None, other[0]) for each in real)]
    figure, axes = plt.subplots(len(lines), len(titles), figsize=(1.6 * len(titles), 1.7 * len(lines)), squeeze=False)
    for line, axis in zip(lines, axes, strict=True):
        for place, image in enumerate(_drawn(model, *line)):
            axis[place].axis("off")
            if image is not None:
                axis[place].imshow(image, cmap="gray", vmin=0, vmax=1)
    for title, place in zip(titles, axes[0], strict=True):
        place.set_title(title, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def _drawn(model: Any, front: Tensor, side: Tensor | None, between: Tensor | None, other: Tensor) -> list[Any]:
    """The six images of a row; None where a real clip has no second camera."""

    def camera(image: Tensor) -> tuple[Tensor, Tensor]:
        rotation, translation = model.viewpoint_encoder(as_images(image)[None])
        return rotation, translation

    pose = model.pose_encoder(as_images(front)[None])

    def by(rotation: Tensor, translation: Tensor) -> Any:
        return model.decoder(model.seen_by(pose, rotation, translation))[0, 0]

    shown = [as_images(each)[0] if each is not None else None for each in (front, side, between)]
    turned = None if side is None else by(*camera(side))
    return [shown[0], by(*camera(front)), shown[1], turned, shown[2], by(camera(other)[0], camera(front)[1])]
