"""What the claims' benchmarks share: real motions as tensors in one layout, a small encoder, and how it is judged.

Every dataset becomes 64 frames (the whole clip, linear in time) of the 15 joints that all of them have. The encoder
is a UNIK of three blocks (24, 32, 64 channels) on 32 frames in 2-D: images with the root in the middle of every
frame and extent 1. Motions in 3-D become images by a body and a camera (`augment.view_params`); N-UCLA is seen by
its own cameras, Penn Action is 2-D as it comes.
"""

import contextlib
import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from experiment import fit, kept
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Generator, Tensor, nn
from torch.nn import functional

from motionhub.augment.view_params import ViewParams, ViewRanges, apply_view, draw_views, limb_responses
from motionhub.data.build.build import build_dataset
from motionhub.data.datasets.bandai_namco import BANDAI_TEST_STYLES, STYLES
from motionhub.data.views.image_files import read_utd_mhad_depth
from motionhub.models.skeleton_encoder import SkeletonEncoderOutput
from motionhub.models.unik import UnikConfig, UnikModel
from motionhub.nn.precision import choose_precision
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.runtime.steps import fill_missing
from motionhub.skeletons.bodies import GROUPS
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import from_row
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.dataset import ClipDataset, item_seed
from motionhub.training.order import EpochOrder
from motionhub.training.trainer import TrainingResult, train


LAYOUT = get_layout("smarthome-15")
ROOT = LAYOUT.index(LAYOUT.root)
STORED, FRAMES = 64, 32
DEVELOP = "for choosing numbers: parts no result is reported on"  # help of --develop
LEAST_CROP = 0.7  # of the clip, in training
FILES = {
    "bandai-namco": "bandai_namco_2_subset.zip",
    "utd-mhad": "utd_mhad_s1-6.zip",
    "n-ucla": "nucla_views12.zip",
    "penn-action": "penn_action_train.zip",
}
ANY_VIEW = ViewRanges(bone_factor=(1.0, 1.0))
ANY_BODY = ViewRanges()
FRONT = ViewRanges(bone_factor=(1.0, 1.0), azimuth=15.0, elevation=0.0)

Batch = dict[str, Tensor]
Show = Callable[[Any, Tensor, Generator], Batch]  # clips, rows, random numbers


def half_precision() -> contextlib.AbstractContextManager[object]:
    """Autocast to bfloat16 where this CPU computes it, nothing elsewhere (it would be 20 times as slow)."""
    cpu = torch.device("cpu")
    return choose_precision("auto", cpu).autocast(cpu)


@dataclass(frozen=True)
class Clips:
    """Clips of one dataset, or of several.

    Args:
        keypoints: `(clips, STORED, joints, dims)`, zeros where a joint is never seen.
        seen: `(clips, STORED, joints)` bool.
        labels, subjects, cameras, setups: `(clips,)` int64; a setup is a style of Bandai-Namco.
    """

    keypoints: Tensor
    seen: Tensor
    labels: Tensor
    subjects: Tensor
    cameras: Tensor
    setups: Tensor

    def __len__(self) -> int:
        return len(self.keypoints)

    def of(self, rows: Tensor) -> "Clips":
        return Clips(*(value[rows] for value in vars(self).values()))


def load(name: str, folder: Path, cache: Path | None = None) -> Clips:
    """All clips of a dataset; `cache` is a folder that keeps them, for the next time."""

    def read() -> dict[str, Tensor]:
        rows = build_dataset(name, folder / FILES[name])["full"]
        columns = [torch.tensor(rows[column]) for column in ("label", "subject", "camera", "setup")]
        return vars(stored(map(from_row, rows.with_format("numpy")), columns))

    return Clips(**kept(cache, f"{name}.pt", read))


def concatenated(*clips: Clips) -> Clips:
    return Clips(*(torch.cat(columns) for columns in zip(*(vars(one).values() for one in clips), strict=True)))


def joined(first: Clips, second: Clips) -> Clips:
    """Clips of two datasets without classes in common: the labels of the second come after those of the first."""
    return concatenated(first, replace(second, labels=second.labels + first.labels.max() + 1))


def thinned(rows: Any, most: int | None) -> Any:
    """At most so many of some clips, or of anything that `Tensor` indexes, evenly spread."""
    if most is None or len(rows) <= most:
        return rows
    return rows.of(torch.linspace(0, len(rows) - 1, most).long())


def first_of_each(groups: Tensor, share: float) -> Tensor:
    """Bool per clip: the first ones of every group; neighbours can be of one video, so parts are consecutive."""
    first = torch.zeros(len(groups), dtype=torch.bool)
    for group in groups.unique():
        rows = (groups == group).nonzero().squeeze(1)
        first[rows[: max(1, round(share * len(rows)))]] = True
    return first


def style_parts(styles: Tensor, develop: bool) -> tuple[Tensor, Tensor]:
    """Bool per clip of Bandai-Namco: trains, tests. `develop`: "elderly" tests, the test styles are left out."""
    held = torch.tensor([STYLES.index(style) for style in BANDAI_TEST_STYLES])
    tested = torch.tensor([STYLES.index("elderly")]) if develop else held
    return ~torch.isin(styles, torch.cat([tested, held])), torch.isin(styles, tested)


def stored(sequences: Iterable[Any], columns: Sequence[Tensor]) -> Clips:
    found = [_stored(sequence) for sequence in sequences]
    return Clips(torch.stack([one for one, _ in found]), torch.stack([seen for _, seen in found]), *columns)


def _stored(sequence: Any) -> tuple[Tensor, Tensor]:
    """`(STORED, joints, dims)` and `(STORED, joints)`: gaps are filled in time, joints never seen stay unseen."""
    points = sequence.keypoints[:1]
    never = np.isnan(points[..., :1]).all(1, keepdims=True)
    filled = np.where(never, np.nan, fill_missing(points, "interpolate")).astype(np.float32)
    confidence = None if sequence.confidence is None else sequence.confidence[:1]
    whole = sequence.replace(keypoints=filled, confidence=confidence, track_ids=sequence.track_ids[:1])
    processor = SkeletonProcessor(
        layout=LAYOUT.name,
        num_dims=sequence.num_dims,
        num_people=1,
        num_frames=STORED,
        normalization="none",
        test_sampling="resize",
    )
    sample = processor.process(whole)
    return sample["keypoints"][0], sample["joint_mask"][0]


def windows(clips: Clips, rows: Tensor, generator: Generator | None) -> Batch:
    """FRAMES frames of the clips, spread over the whole or, with a generator, over a random part of each."""
    share, start = torch.ones(len(rows), 1), torch.zeros(len(rows), 1)
    if generator is not None:
        share = LEAST_CROP + (1 - LEAST_CROP) * torch.rand(len(rows), 1, generator=generator)
        start = (1 - share) * torch.rand(len(rows), 1, generator=generator)
    places = ((start + share * (torch.arange(FRAMES) + 0.5) / FRAMES) * STORED).long().clamp(max=STORED - 1)
    return of_frames(clips, rows, places)


def whole(clips: Clips, finish: Callable[[Batch], Batch]) -> Batch:
    return finish(windows(clips, torch.arange(len(clips)), None))


def of_frames(clips: Clips, rows: Tensor, frames: Tensor) -> Batch:
    """Chosen frames `(rows, frames)` of clips."""
    chosen = (rows[:, None], frames)
    return {
        "keypoints": clips.keypoints[chosen].unsqueeze(1),
        "joint_mask": clips.seen[chosen].unsqueeze(1),
        "attention_mask": torch.ones(len(rows), 1, frames.shape[1], dtype=torch.bool),
        "index": rows,
        "labels": clips.labels[rows],
    }


def images(batch: Batch, looks: ViewParams) -> Batch:
    """A batch in 3-D with its looks."""
    made = apply_view(batch["keypoints"], batch["joint_mask"], looks, RESPONSES, root=ROOT)
    return {**batch, "keypoints": made[0], "joint_mask": made[1]}


def photographs(batch: Batch) -> Batch:
    """A batch of pixels: the root, or failing that the mean of what is seen, in the middle of a frame; extent 1."""
    points, seen = batch["keypoints"], batch["joint_mask"]
    weight = seen.unsqueeze(-1).to(points.dtype)
    mean = (points * weight).sum(3, keepdim=True) / weight.sum(3, keepdim=True).clamp(min=1)
    centre = torch.where(seen[..., ROOT : ROOT + 1, None], points[..., ROOT : ROOT + 1, :], mean)
    moved = (points - centre) * weight
    extent = (moved.square().sum((2, 3, 4)) / weight.sum((2, 3, 4)).clamp(min=1)).sqrt().clamp(min=1e-6)
    return {**batch, "keypoints": moved / extent[..., None, None, None]}


def kinect_camera(batch: Batch) -> Batch:
    """A batch of Kinect skeletons as their own camera saw them (it stands at the origin and looks along +z)."""
    clips = len(batch["keypoints"])
    looks = ViewParams(torch.ones(clips, len(GROUPS)), torch.tensor([[torch.pi, 0.0, 0.0]]).repeat(clips, 1))
    return images(batch, looks)


class Encoder(UnikModel):
    """The small UNIK; its convolutions in bfloat16 where the CPU computes it, everything around in float32."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        with half_precision():
            output = super().forward(*inputs, **named)
        return SkeletonEncoderOutput(**{name: value.float() for name, value in output.items()})


def encoder_config(layout: SkeletonLayout = LAYOUT, **options: Any) -> UnikConfig:
    """Three UNIK blocks of 24, 32 and 64 channels."""
    sizes = {"num_people": 1, "channels": [24, 32, 64], "strides": [1, 2, 2]}
    return UnikConfig(layout=layout.name, num_joints=layout.num_joints, **sizes, **options)


def small_encoder() -> Encoder:
    return Encoder(encoder_config())


class ShownClips(ClipDataset):
    """Clips for `train`, which `show(clips, rows, generator)` turns into a batch; its `seeds` are those of `train`."""

    def __init__(self, clips: Any, show: Show, seed: int) -> None:
        self.clips, self.rows, self.show, self.seed, self.epoch = clips, clips, show, seed, 0

    def __len__(self) -> int:
        return len(self.clips)

    def fingerprint(self) -> str:
        return hashlib.sha256(self.clips.labels.numpy().tobytes()).hexdigest()

    def epoch_order(self, batch_size: int, seed: int, drop_last: bool) -> EpochOrder:
        return EpochOrder(len(self), batch_size, seed, drop_last)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        draw = torch.tensor(item_seed(self.seed, self.epoch, index))
        return {"index": torch.tensor(index), "row": torch.tensor(index), "draw": draw}

    def batch(self, items: Sequence[dict[str, Tensor]]) -> Batch:
        generator = Generator().manual_seed(int(items[0]["draw"]))
        return self.show(self.clips, torch.stack([item["row"] for item in items]), generator)


def pretrained(
    model: Any, objective: Any, clips: Any, show: Show, epochs: int, seed: int, *, batch_size: int = 64, **recipe: Any
) -> Any:
    """`model` after `motionhub`'s training with an objective: AdamW, cosine, unless `recipe` says otherwise."""
    own = {"learning_rate": 2e-3, "weight_decay": 0.01, "max_grad_norm": 1.0, "schedule": "cosine"}
    shown = ShownClips(clips, show, seed)
    trained_by_recipe(
        model, objective, shown, shown.batch, epochs, seed, batch_size=batch_size, optimizer="adamw", **own | recipe
    )
    return model.eval()


def trained_by_recipe(
    model: Any,
    objective: Any,
    dataset: Any,
    collate: Any,
    epochs: int,
    seed: int,
    *,
    processor: Any = None,
    **recipe: Any,
) -> TrainingResult:
    """`train` from random weights on the CPU; nothing is kept but the weights, unless there is an `output_dir`."""
    own = {
        "mode": "scratch",
        "epochs": epochs,
        "seed": seed,
        "warmup_epochs": 0.1 * epochs,
        "checkpoint_epochs": epochs,
    }
    quiet = {"mixed_precision": "no", "resume": "none", "progress_bar": False, "cpu": True}
    with TemporaryDirectory() as folder:
        settings = TrainingRecipe(**{**own, **quiet, "output_dir": folder, **recipe})
        return train(model, processor, dataset, None, settings, objective=objective, collate=collate)


def spread(num_frames: int, count: int) -> list[int]:
    """The middle frames of `count` equal parts; of a shorter clip some more than once."""
    return ((np.arange(count) + 0.5) / count * num_frames).astype(int).tolist()


def depth_recordings(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name, such as `a1_s1_t1`, and depth map `(frames, height, width)` of the recordings of UTD-MHAD."""
    with TemporaryDirectory() as place, zipfile.ZipFile(folder / "utd_mhad_depth_s1-2_t1.zip") as archive:
        archive.extractall(place)
        for path in sorted(Path(place).rglob("*_depth.mat")):
            yield path.name.removesuffix("_depth.mat"), read_utd_mhad_depth(path)


def seeds_of(rows: Tensor, generator: Generator | None = None) -> Tensor:
    """A seed for each clip: its own row, always the same (one camera per recording), or new ones."""
    return rows if generator is None else torch.randint(2**62, (len(rows),), generator=generator)


def inputs_of(batch: Batch) -> Batch:
    """What a model is given of a batch."""
    return {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask")}


@torch.inference_mode()
def features_of(encoder: Any, batch: Batch) -> np.ndarray:
    """`(clips, channels)`."""
    encoder.eval()
    inputs = inputs_of(batch)
    parts = [
        encoder(**{name: value[start : start + 256] for name, value in inputs.items()}).pooler_output.float()
        for start in range(0, len(inputs["keypoints"]), 256)
    ]
    return torch.cat(parts).numpy()


def raw_features(batch: Batch) -> np.ndarray:
    """Coordinates of every second frame, as they are."""
    return batch["keypoints"][:, 0, ::2].flatten(1).numpy()


def fitted(features: np.ndarray, labels: np.ndarray) -> Any:
    """A logistic regression on standardised features, as `metrics.embeddings.linear_accuracy` fits it."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(features, labels)


def probe(features: Callable[[Batch], np.ndarray], train: Sequence[Batch], tests: Sequence[Batch]) -> list[float]:
    """Accuracy of a logistic regression, fitted on all of `train`, on each of the tests."""
    given = np.concatenate([features(batch) for batch in train])
    classifier = fitted(given, np.concatenate([batch["labels"].numpy() for batch in train]))
    return [float(classifier.score(features(test), test["labels"].numpy())) for test in tests]


def plain_probe(features: Callable[[Batch], np.ndarray], train: Batch, test: Batch, seed: int) -> float:
    """Accuracy of the papers' linear evaluation: SGD at 0.1, 30 epochs, on features as they come.

    Unlike the logistic regression it depends on their scale: small features are not learned in that time.
    """
    torch.manual_seed(seed)
    given, tested = (torch.from_numpy(features(batch)) for batch in (train, test))
    head = nn.Linear(given.shape[1], int(test["labels"].max()) + 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    updates = -(-len(given) // 64)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [10 * updates, 20 * updates])
    batches = (rows for _ in range(30) for rows in torch.randperm(len(given)).split(64))
    fit(
        head,
        batches,
        lambda rows: functional.cross_entropy(head(given[rows]), train["labels"][rows]),
        optimizer,
        schedule,
    )
    return float((head(tested).argmax(1) == test["labels"]).float().mean())


def few_rows(labels: Tensor, share: float, seed: int) -> Tensor:
    """A share of every class, at least one clip of each."""
    generator = Generator().manual_seed(seed)
    chosen = []
    for label in labels.unique():
        rows = (labels == label).nonzero().squeeze(1)
        chosen.append(rows[torch.randperm(len(rows), generator=generator)[: max(1, round(share * len(rows)))]])
    return torch.cat(chosen)


def fine_tuned_accuracy(
    encoder: Any, clips: Clips, finish: Callable[[Batch], Batch], test: Batch, updates: int, seed: int, rate: float
) -> float:
    """Accuracy after training encoder and a new linear layer on `clips`, batches of at most 32; changes `encoder`."""
    torch.manual_seed(seed)
    generator = Generator().manual_seed(seed)
    head = nn.Linear(encoder.config.hidden_size, int(test["labels"].max()) + 1)
    groups = [{"params": encoder.parameters(), "lr": rate}, {"params": head.parameters(), "lr": 5 * rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)

    def loss_of(rows: Tensor) -> Tensor:
        batch = finish(windows(clips, rows, generator))
        return functional.cross_entropy(head(encoder(**inputs_of(batch)).pooler_output.float()), batch["labels"])

    drawn = (torch.randperm(len(clips), generator=generator)[:32] for _ in range(updates))
    fit(encoder, drawn, loss_of, optimizer, schedule)
    with torch.inference_mode():
        predicted = head(torch.from_numpy(features_of(encoder, test))).argmax(1)
    return float((predicted == test["labels"]).float().mean())


def looks_at(rows: Tensor, ranges: ViewRanges, generator: Generator | None = None) -> ViewParams:
    return draw_views(seeds_of(rows, generator), ranges)


def seen_from(clips: Clips, ranges: ViewRanges, number: int) -> Batch:
    """All clips whole, each by a camera of its own; other numbers are other cameras."""
    rows = torch.arange(len(clips))
    return images(windows(clips, rows, None), looks_at(rows + 10_000 * number, ranges))


RESPONSES = limb_responses(LAYOUT)
