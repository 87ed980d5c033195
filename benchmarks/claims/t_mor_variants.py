"""T-MOR's losses one by one and together, on real clips: table 6.7 of the thesis in small.

    python benchmarks/claims/t_mor_variants.py --data FOLDER --seeds 0 1 2 [--cache FOLDER]

Trains on UTD-MHAD and Bandai-Namco (both in 3-D, seen from any side, on any body) and tests on two datasets that no
arm has seen: N-UCLA (a linear layer fitted on view 1, tested on view 2; and by its ten names, view 2) and Penn Action
(of each class the first 60 % fit the linear layer, the others test; and by its 15 names). Every arm has the encoder,
clips, epochs and optimizer of the others; only the losses differ.

L_mv needs a video of every clip and a video tower with learned weights. Neither is at hand: of UTD-MHAD 54 clips have
their depth recording (subjects 1 and 2, first takes), and there are no weights of a video tower. So there are two
kinds of L_mv, both with the features of a frozen R3D with random weights, standardised over the clips:

- "drawn": every clip's skeleton drawn as a body of capsules, in front of a depth camera (`body_images.py`). Not
  a real video: it shows nothing that the skeleton does not.
- "depth": the 54 real recordings; the other clips take no part in L_mv.

"other videos" (control) gives every clip the drawn video of another one. The videos of an epoch are always the same;
what a tower with learned weights would give is not measured here.
"""

import argparse
import json
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import motions
import numpy as np
import torch
from motions import Clips
from torch import Tensor
from torch.nn import functional
from worded_clips import Part, Pool, fewer_frames, last_part, seen, texts_of, twice
from zero_shot import SIZES, gathered, table

from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.datasets import get_dataset
from motionhub.data.views.body_images import draw_body
from motionhub.data.views.cameras import Camera
from motionhub.data.views.image_files import read_utd_mhad_depth
from motionhub.models.r3d import R3dConfig, R3dModel
from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.objectives.t_mor import TMor
from motionhub.processing.video_clip import VideoClipProcessor
from motionhub.skeletons.rows import from_row


TRAINED, TESTED = ("utd-mhad", "bandai-namco"), ("n-ucla", "penn-action")
DEPTH = "utd_mhad_depth_s1-2_t1.zip"
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


def spread(num_frames: int) -> list[int]:
    return [int((place + 0.5) / FRAMES * num_frames) for place in range(FRAMES)]


def grey(pictures: np.ndarray) -> np.ndarray:
    """Heights above the background, NaN where it is, as a grey video `(frames, height, width, 3)` uint8."""
    low, high = np.nanpercentile(pictures, (1, 99))
    shown = 0.3 + 0.7 * ((pictures - low) / max(high - low, 1e-6)).clip(0, 1)
    return np.repeat((255 * np.nan_to_num(shown))[..., None], 3, axis=-1).astype(np.uint8)


def drawn(sequence: Any) -> np.ndarray:
    """The first person from the front."""
    there = np.flatnonzero(np.isfinite(sequence.keypoints[0]).all(-1).any(-1))
    frames = [int(there[place]) for place in spread(len(there))]
    made = draw_body(sequence, frames, [Camera(0.0, 0.0, 0.0, None)], size=SIDE)
    return grey(np.stack([pictures[0].depth for pictures in made]))


def recorded(path: Path) -> np.ndarray:
    """A depth recording, cut to the square around the person."""
    depth = read_utd_mhad_depth(path).astype(np.float32)
    places = np.argwhere((depth > 0).any(0))
    centre, side = places.min(0) + np.ptp(places, axis=0) // 2, int(np.ptp(places, axis=0).max()) // 2 + 1
    padded = np.pad(depth[spread(len(depth))], ((0, 0), (side, side), (side, side)))
    cut = padded[:, centre[0] : centre[0] + 2 * side, centre[1] : centre[1] + 2 * side]
    return grey(np.where(cut > 0, -cut, np.nan))


def tower() -> tuple[Any, Any]:
    """A small R3D with random weights, and its processor."""
    torch.manual_seed(0)
    model = R3dModel(R3dConfig(stem_channels=32, depths=[1, 1, 1, 1], widths=[64, 128, 256, 512])).eval()
    return model, VideoClipProcessor(num_frames=FRAMES, image_size=SIDE, image_mean=[0.45] * 3, image_std=[0.225] * 3)


def video_features(name: str, folder: Path, cache: Path | None) -> dict[str, Tensor]:
    """`(clips, channels)` of the drawn videos and of the depth recordings, NaN where there is none."""
    kept = None if cache is None else cache / f"videos-{name}.pt"
    if kept is not None and kept.exists():
        loaded: dict[str, Tensor] = torch.load(kept)
        return loaded
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
        with zipfile.ZipFile(folder / DEPTH) as archive, TemporaryDirectory() as unpacked:
            for member in archive.namelist():
                clip = Path(member).name.removesuffix("_depth.mat")
                if member.endswith(".mat") and clip in place:
                    found[RECORDED][place[clip]] = embedded(recorded(Path(archive.extract(member, unpacked))))
    if kept is not None:
        torch.save(found, kept)
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
    torch.manual_seed(seed)
    size = videos[kind].shape[1] if kind else None
    config = TMorConfig(encoder_config=motions.encoder_config(), video_size=size, temperature=0.07, **SIZES)
    model = TMorModel(config)
    model.encoder = motions.Encoder(motions.encoder_config())
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
    made: TMorModel = motions.pretrained(
        model,
        objective,
        part,
        twice if "mm" in losses else seen,
        epochs,
        seed,  # type: ignore[arg-type]
    )
    return made


def tested(name: str, folder: Path, cache: Path | None) -> tuple[list[Any], Tensor]:
    """Batches of a dataset to fit and to test a linear layer on, and its names as vectors."""
    clips: Clips = motions.load(name, folder, cache)
    view = motions.kinect_camera if name == "n-ucla" else motions.photographs
    fits = clips.cameras == clips.cameras.min() if name == "n-ucla" else ~last_part(clips.labels)
    halves = (clips.of(rows.nonzero().squeeze(1)) for rows in (fits, ~fits))
    batches = [view(fewer_frames(motions.windows(half, torch.arange(len(half)), None))) for half in halves]
    texts = texts_of(list(get_dataset(name).class_names))
    return batches, torch.stack([functional.normalize(text.mean(0), dim=0) for text in texts])


def scores_of(model: TMorModel, tests: dict[str, tuple[list[Any], Tensor]], names: bool) -> dict[str, float]:
    found = {}
    for name, (batches, means) in tests.items():
        found[f"{name} linear"] = motions.probe(
            lambda batch: motions.features_of(model.encoder, batch), batches[:1], batches[1:]
        )[0]
        if names:
            inputs = {key: batches[1][key] for key in ("keypoints", "joint_mask", "attention_mask")}
            with torch.inference_mode():
                scores = model.eval()(**inputs).motion_embeds @ means.T
            found[f"{name} by names"] = float((scores.argmax(1) == batches[1]["labels"]).float().mean())
    return found


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the archives")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was read from them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--output", type=Path, help="JSON file of the results")
    parser.add_argument("--videos", action="store_true", help="only make the features of the videos, for --cache")
    options = parser.parse_args(words)
    found_videos = [video_features(name, options.data, options.cache) for name in TRAINED]
    if options.videos:
        return 0
    parts = [
        (motions.load(name, options.data, options.cache), list(get_dataset(name).class_names)) for name in TRAINED
    ]
    pool = Pool(parts)
    texts, part = texts_of(pool.names), Part(pool, torch.arange(len(pool)), range(len(pool.names)))
    videos = videos_of(found_videos)
    tests = {name: tested(name, options.data, options.cache) for name in TESTED}
    found = []
    for seed in options.seeds:
        found.append({})
        for arm in options.arms:
            began = time.perf_counter()
            model = trained(part, texts, videos, arm, options.epochs, seed)
            found[-1][arm] = scores_of(model, tests, "mt" in ARMS[arm][0])
            said = ", ".join(f"{name} {100 * value:.1f}" for name, value in found[-1][arm].items())
            print(f"{arm}, seed {seed}, {time.perf_counter() - began:.0f} s: {said}", flush=True)
            if options.output is not None:
                options.output.write_text(json.dumps(found, indent=1))
    print(table(gathered(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
