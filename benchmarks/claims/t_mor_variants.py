"""T-MOR's losses one by one and together, on real clips: table 6.7 of the thesis in small.

    python benchmarks/claims/t_mor_variants.py --data FOLDER --seeds 0 1 2 [--cache FOLDER]

What trains and tests, and why L_mv has no real tower: t_mor_variants.md.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import experiment
import motions
import numpy as np
import torch
from captioned_clips import Part, Pool, means_of, named_right, seen, split_batches, texts_of
from experiment import kept
from torch import Tensor
from zero_shot import t_mor

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import get_dataset
from motionhub.data.views.body_images import draw_body
from motionhub.data.views.cameras import Camera
from motionhub.models.r3d import R3dConfig, R3dModel
from motionhub.models.t_mor import TMorModel
from motionhub.objectives.t_mor import TMor
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Scores
from motionhub.skeletons.rows import from_row


TRAINED, TESTED = ("utd-mhad", "bandai-namco"), ("n-ucla", "penn-action")
FRAMES, SIDE = 8, 96
NONE, DRAWN, RECORDED, OTHERS = "", "drawn", "depth", "other videos"
# arm -> losses, videos
ARMS = {
    "random weights": ((), NONE),
    "L_mm": (("mm",), NONE),
    "L_mv (drawn)": (("mv",), DRAWN),
    "L_mv (depth, 54 clips)": (("mv",), RECORDED),
    "L_mv (other videos, control)": (("mv",), OTHERS),
    "L_mm + L_mv (drawn)": (("mm", "mv"), DRAWN),
    "L_mt": (("mt",), NONE),
    "L_mm + L_mt": (("mm", "mt"), NONE),
    "L_mm + L_mv (drawn) + L_mt": (("mm", "mv", "mt"), DRAWN),
}


def grey(images: np.ndarray) -> np.ndarray:
    """Heights above the background, NaN where it is, as a grey video `(frames, height, width, 3)` uint8."""
    low, high = np.nanpercentile(images, (1, 99))
    shown = 0.3 + 0.7 * ((images - low) / max(high - low, 1e-6)).clip(0, 1)
    return np.repeat((255 * np.nan_to_num(shown))[..., None], 3, axis=-1).astype(np.uint8)


def drawn(sequence: Any) -> np.ndarray:
    """The first person from the front."""
    there = np.flatnonzero(np.isfinite(sequence.keypoints[0]).all(-1).any(-1))
    frames = [int(there[place]) for place in motions.spread(len(there), FRAMES)]
    made = draw_body(sequence, frames, [Camera(0.0, 0.0, 0.0, None)], size=SIDE)
    return grey(np.stack([images[0].depth for images in made]))


def recorded(depth: np.ndarray) -> np.ndarray:
    """A depth recording, cut to the square around the person."""
    depth = depth.astype(np.float32)
    places = np.argwhere((depth > 0).any(0))
    centre, side = places.min(0) + np.ptp(places, axis=0) // 2, int(np.ptp(places, axis=0).max()) // 2 + 1
    padded = np.pad(depth[motions.spread(len(depth), FRAMES)], ((0, 0), (side, side), (side, side)))
    cut = padded[:, centre[0] : centre[0] + 2 * side, centre[1] : centre[1] + 2 * side]
    return grey(np.where(cut > 0, -cut, np.nan))


def tower() -> tuple[Any, Any]:
    """A small R3D with random weights, and its processor."""
    torch.manual_seed(0)
    model = R3dModel(R3dConfig(stem_channels=32, depths=[1, 1, 1, 1], widths=[64, 128, 256, 512])).eval()
    return model, VideoClipProcessor(num_frames=FRAMES, image_size=SIDE, image_mean=[0.45] * 3, image_std=[0.225] * 3)


def video_features(name: str, folder: Path) -> dict[str, Tensor]:
    """`(clips, channels)` of the drawn videos and of the depth recordings, NaN where there is none."""
    model, processor = tower()
    rows = build_dataset(name, folder / motions.FILES[name])["full"]

    @torch.inference_mode()
    def embedded(video: np.ndarray) -> Tensor:
        pooled: Tensor = model(processor(video)["pixel_values"]).pooler_output[0]
        return pooled

    found = {DRAWN: torch.stack([embedded(drawn(from_row(row))) for row in rows.with_format("numpy")])}
    found[RECORDED] = torch.full_like(found[DRAWN], torch.nan)
    if name == "utd-mhad":
        place = {clip: row for row, clip in enumerate(rows["clip_id"])}
        for clip, depth in motions.depth_recordings(folder):
            if clip in place:
                found[RECORDED][place[clip]] = embedded(recorded(depth))
    return found


def standardised(features: Tensor) -> Tensor:
    known = features[~features.isnan().any(1)]
    return (features - known.mean(0)) / known.std(0).clamp(min=1e-6)


def videos_of(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """By kind, a row for each clip of the pool."""
    kinds = {kind: standardised(torch.cat([part[kind] for part in parts])) for kind in (DRAWN, RECORDED)}
    return {**kinds, OTHERS: kinds[DRAWN].roll(len(kinds[DRAWN]) // 2, 0)}


def trained(
    part: Part, texts: Sequence[Tensor], videos: dict[str, Tensor], arm: str, epochs: int, seed: int
) -> TMorModel:
    losses, kind = ARMS[arm]
    model: TMorModel = t_mor(seed, videos[kind].shape[1] if kind else None)
    if not losses:
        return model.eval()
    objective = TMor(
        losses=losses,
        text_features=texts if "mt" in losses else None,
        video_features=videos[kind] if kind else None,
        text_negatives="classes",
        queue_size=1024,
        momentum=0.99,
    )
    made: TMorModel = motions.pretrained(model, objective, part, seen, epochs, seed)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    parser = experiment.command_line(__doc__, ARMS, seeds=[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--videos", action="store_true", help="only make the features of the videos, for --cache")
    options = parser.parse_args(argv)
    found_videos = [
        kept(options.cache, f"videos-{name}.pt", partial(video_features, name, options.data)) for name in TRAINED
    ]
    if options.videos:
        return 0
    loaded = {name: motions.load(name, options.data, options.cache) for name in (*TRAINED, *TESTED)}
    pool = Pool([(loaded[name], list(get_dataset(name).class_names)) for name in TRAINED])
    texts, part = texts_of(pool.names), Part(pool, torch.arange(len(pool)), range(len(pool.names)))
    videos = videos_of(found_videos)
    tests = {name: split_batches(name, loaded[name])[1] for name in TESTED}
    means = {name: means_of(texts_of(list(get_dataset(name).class_names))) for name in TESTED}

    def score(arm: str, seed: int) -> Scores:
        model = trained(part, texts, videos, arm, options.epochs, seed)
        found: Scores = {}
        for name, (fit, test) in tests.items():
            found |= {f"{name} linear": motions.probe(partial(motions.features_of, model.encoder), [fit], [test])[0]}
            if "mt" in ARMS[arm][0]:
                found[f"{name} by names"] = named_right(model, test, means[name])
        return found

    results = experiment.measure(options.arms, options.seeds, score, options.output)
    print("\n".join(comparison.table(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
