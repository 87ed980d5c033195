"""Does a contrast of segments forget the order of time, and does navigating time bring it back? LTN on real motions.

    python benchmarks/claims/time_order.py --data FOLDER --seeds 0 1 2 --output FILE.json --picture FILE.png

What the arms and columns mean: time_order.md.
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
from motions import Batch, Clips, of_frames
from torch import Generator, Tensor

from motionhub.data.datasets.bandai_namco import CLASS_NAMES
from motionhub.models.ltn import LtnConfig, LtnModel
from motionhub.objectives.ltn import LtnMoco
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Gate, Scores, gate_lines


SEGMENT, PLACES = 24, (0, 20, 40)  # frames of a segment; where the probed ones begin, of 64 frames
FPS = 30.0
FRONT = motions.ViewRanges(bone_factor=(1.0, 1.0), azimuth=0.0, elevation=0.0)
SEGMENTS = 2
ONE_START, MIRRORED, RANDOM = "MoCo, one start", "MoCo, mirrored", "random weights"
# arm -> variant of LTN
ARMS = {"MoCo": "none", "LTN v1": "v1", "LTN v2": "v2", "LTN v3": "v3", "complement": "complement"}
ARMS |= {ONE_START: "none", MIRRORED: "none"}
COLUMNS = ("Bandai content", "Bandai third", "side", "raise", "Bandai arrow", "N-UCLA content", "N-UCLA third", "sit",
           "don", "N-UCLA arrow")  # fmt: skip
# half of what a trial on this kind of data gave
GATES = (
    Gate(RANDOM, "MoCo", "raise", 20.0),
    Gate("complement", "MoCo", "raise", 20.0),
    Gate("complement", "MoCo", "Bandai content", 2.0),
)
SIT_DOWN, STAND_UP, DONNING, DOFFING = 4, 5, 6, 7


def seen_once(clips: Clips, name: str) -> Clips:
    """The clips as images of one camera each."""
    rows = torch.arange(len(clips))
    batch = of_frames(clips, rows, torch.arange(motions.STORED).expand(len(clips), -1))
    made = motions.kinect_camera(batch) if name == "n-ucla" else motions.images(batch, motions.looks_at(rows, FRONT))
    return Clips(made["keypoints"][:, 0], made["joint_mask"][:, 0], *list(vars(clips).values())[2:])


def segments(clips: Clips, rows: Tensor, generator: Generator, arm: str = "") -> Batch:
    """Random segments of the clips, turned and stretched, all first ones before all second ones."""
    parts, starts = [], torch.empty(0)
    for place in range(SEGMENTS):
        if place == 0 or arm != ONE_START:
            starts = torch.randint(motions.STORED - SEGMENT + 1, (len(rows),), generator=generator)
        part = of_frames(clips, rows, starts[:, None] + torch.arange(SEGMENT))
        parts.append({**part, "start_seconds": starts / FPS})
    batch = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    count = len(batch["keypoints"])
    angle = (2 * torch.rand(count, generator=generator) - 1) * np.radians(15)
    turned = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(count, 2, 2)
    stretch = 0.9 + 0.2 * torch.rand(count, 1, 2, generator=generator)
    points = torch.einsum("bmtvc,bdc->bmtvd", batch["keypoints"], turned * stretch)
    batch = {**batch, "keypoints": points}
    return mirrored(batch, torch.rand(count, generator=generator) < 0.5) if arm == MIRRORED else batch


def mirrored(batch: Batch, chosen: Tensor) -> Batch:
    """The chosen entries as a mirror shows them: x turned over, left joints in the places of right ones."""
    over = torch.from_numpy(motions.LAYOUT.mirror)
    points = batch["keypoints"][..., over, :] * torch.tensor([-1.0, 1.0])
    seen = batch["joint_mask"][..., over]
    return {
        **batch,
        "keypoints": torch.where(chosen[:, None, None, None, None], points, batch["keypoints"]),
        "joint_mask": torch.where(chosen[:, None, None, None], seen, batch["joint_mask"]),
    }


def trained(arm: str, clips: Clips, epochs: int, seed: int, weight: float) -> Any:
    """The encoder after training."""
    torch.manual_seed(seed)
    config = LtnConfig(
        encoder_config=motions.encoder_config(),
        variant=ARMS[arm],  # type: ignore[arg-type]
        num_directions=16,
        time_channels=16,
        time_hidden_sizes=[64],
    )
    model = LtnModel(config)
    model.encoder = motions.small_encoder()
    objective = LtnMoco(
        num_segments=SEGMENTS,
        projection_sizes=(64, 64, 32),
        queue_size=512,
        momentum=0.98,
        time_weight=weight,
        time_unit=0.25,
    )
    return motions.pretrained(model, objective, clips, partial(segments, arm=arm), epochs, seed).encoder


def segment_batch(clips: Clips) -> tuple[Batch, np.ndarray]:
    """The segments of every clip at each of PLACES, and which place."""
    rows = torch.arange(len(clips)).repeat(len(PLACES))
    places = torch.tensor(PLACES).repeat_interleave(len(clips))
    return of_frames(clips, rows, places[:, None] + torch.arange(SEGMENT)), (places // PLACES[1]).numpy()


def both_ways(encoder: Any, clips: Clips, frames: Tensor) -> np.ndarray:
    """Features of some frames of all clips, then of the same frames backwards."""
    return np.concatenate([frame_features(encoder, clips, some) for some in (frames, frames.flip(0))])


def frame_features(encoder: Any, clips: Clips, frames: Tensor) -> np.ndarray:
    return motions.features_of(encoder, of_frames(clips, torch.arange(len(clips)), frames.expand(len(clips), -1)))


def accuracy(train: np.ndarray, labels: Any, test: np.ndarray, test_labels: Any) -> float:
    return float(motions.fitted(train, np.asarray(labels)).score(test, np.asarray(test_labels)))


def scores_on(encoder: Any, train: Clips, test: Clips, name: str) -> dict[str, float]:
    """The columns of one dataset."""
    short = "Bandai" if name == "bandai-namco" else "N-UCLA"
    (seen, thirds), (unseen, test_thirds) = segment_batch(train), segment_batch(test)
    given, tested = motions.features_of(encoder, seen), motions.features_of(encoder, unseen)
    found = {
        f"{short} content": accuracy(given, seen["labels"], tested, unseen["labels"]),
        f"{short} third": accuracy(given, thirds, tested, test_thirds),
    }
    whole = ((torch.arange(SEGMENT) + 0.5) / SEGMENT * motions.STORED).long()
    found[f"{short} arrow"] = direction_accuracy(encoder, train, test, whole)
    if name == "bandai-namco":
        found["side"] = side_accuracy(given, seen["labels"], tested, unseen["labels"])
        raising = [index for index, action in enumerate(CLASS_NAMES) if action.startswith("raise")]
        found["raise"] = direction_accuracy(
            encoder, *(of_labels(c, raising) for c in (train, test)), torch.arange(SEGMENT)
        )
    else:
        for column, pair in (("sit", (SIT_DOWN, STAND_UP)), ("don", (DONNING, DOFFING))):
            kept = [of_labels(clips, pair) for clips in (train, test)]
            parts = [(frame_features(encoder, clips, whole), clips.labels) for clips in kept]
            found[column] = accuracy(*parts[0], *parts[1])
    return found


def of_labels(clips: Clips, labels: Sequence[int]) -> Clips:
    return clips.of(torch.isin(clips.labels, torch.tensor(labels)).nonzero().squeeze(1))


def direction_accuracy(encoder: Any, train: Clips, test: Clips, frames: Tensor) -> float:
    """Whether some frames of a clip are played forwards or backwards."""
    parts = [(both_ways(encoder, clips, frames), np.repeat([0, 1], len(clips))) for clips in (train, test)]
    return accuracy(*parts[0], *parts[1])


def side_accuracy(train: np.ndarray, labels: Tensor, test: np.ndarray, test_labels: Tensor) -> float:
    """Left or right, of the actions of Bandai-Namco that are named by a side."""
    side = torch.tensor([1 if "-left" in action else 2 if "-right" in action else 0 for action in CLASS_NAMES])
    given, tested = side[labels].numpy(), side[test_labels].numpy()
    return accuracy(train[given > 0], given[given > 0], test[tested > 0], tested[tested > 0])


def split(clips: Clips, name: str, develop: bool) -> tuple[Clips, Clips]:
    """Clips to train and to test on."""
    if name == "bandai-namco":
        trains, tests = motions.style_parts(clips.setups, develop)
    else:
        first, last = (6, 7) if develop else (8, 10)  # subjects that test; later ones take no part
        trains, tests = clips.subjects < first, (clips.subjects >= first) & (clips.subjects <= last)
    return clips.of(trains), clips.of(tests)


def draw(encoders: dict[str, Any], test: Clips, path: Path) -> None:
    """t-SNE of the test segments' features, coloured by where in the clip they begin."""
    import matplotlib.pyplot as plt
    from sklearn.manifold import TSNE

    batch, thirds = segment_batch(test)
    figure, axes = plt.subplots(1, len(encoders), figsize=(4 * len(encoders), 4.2), squeeze=False)
    for axis, (arm, encoder) in zip(axes[0], encoders.items(), strict=True):
        features = motions.features_of(encoder, batch)
        features = (features - features.mean(0)) / features.std(0).clip(1e-6)
        placed = TSNE(init="pca", random_state=0, perplexity=30).fit_transform(features)
        for third, (name, colour) in enumerate((("first", "#4477aa"), ("second", "#ccbb44"), ("last", "#ee6677"))):
            axis.scatter(*placed[thirds == third].T, s=6, color=colour, label=f"{name} third")
        axis.set(title=arm, xticks=[], yticks=[])
    axes[0, 0].legend(loc="lower left", fontsize=8, markerscale=2)
    figure.suptitle("Features of segments of test clips (Bandai-Namco), t-SNE: when in its clip does a segment begin?")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main(argv: Sequence[str] | None = None) -> int:
    parser = experiment.command_line(__doc__, [RANDOM, *ARMS], seeds=[0], develop=motions.DEVELOP)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--time-weight", type=float, default=1.0)
    parser.add_argument("--picture", type=Path, help="PNG of the first seed")
    options = parser.parse_args(argv)
    data = {}
    for name in ("bandai-namco", "n-ucla"):
        clips = seen_once(motions.load(name, options.data, options.cache), name)
        data[name] = split(clips, name, options.develop)
    everything = motions.joined(data["bandai-namco"][0], data["n-ucla"][0])
    encoders: dict[str, Any] = {}

    def score(arm: str, seed: int) -> Scores:
        torch.manual_seed(seed)
        if arm == RANDOM:
            encoder = motions.small_encoder().eval()
        else:
            encoder = trained(arm, everything, options.epochs, seed, options.time_weight)
        encoders.setdefault(arm, encoder)
        found: Scores = {}
        for name, parts in data.items():
            found |= scores_on(encoder, *parts, name)
        return found

    results = experiment.measure(options.arms, options.seeds, score, options.output)
    if options.picture is not None:
        shown = {arm: encoders[arm] for arm in (RANDOM, "MoCo", "LTN v3", "complement", ONE_START) if arm in encoders}
        draw(shown, data["bandai-namco"][1], options.picture)
    print("\n".join([*comparison.table(results, COLUMNS), "", *gate_lines(results, GATES)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
