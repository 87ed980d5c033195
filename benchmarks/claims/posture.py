"""Does CV-MIM tell poses apart whatever the camera? CV-MIM and its baselines on real poses, without labels.

    python benchmarks/claims/posture.py --data FOLDER --seeds 0 1 2

What trains and what is measured: posture.md. Nothing is chosen by these numbers.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import experiment
import motions
import numpy as np
import torch
from experiment import Called, fit
from hcn import Hcn
from motions import DEVELOP, Clips
from posture_poses import FRAMES, LAYOUT, Data, Images, thirteen
from torch import Generator, Tensor, nn

from motionhub.data.datasets.penn import CAMERA_SIDES
from motionhub.geometry.alignment import turned_error
from motionhub.losses.mutual_information import mutual_information_loss
from motionhub.models.cv_mim import CvMimConfig, CvMimModel, ResTcn, TemporalConvNet
from motionhub.models.st_gcn import StGcnConfig, StGcnForActionClassification
from motionhub.nn.keras_layers import init_keras
from motionhub.objectives.cv_mim import CvMim
from motionhub.objectives.pose_baselines import CrossReconstruction, DirectInformation, PrVipe
from motionhub.objectives.pose_views import PoseViews
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Gate, Scores, gate_lines


WIDTH, UPDATES, CLIPS_PER_UPDATE, RATE = 128, 1500, 64, 0.02  # four poses a clip: 256 as in the paper
HEAD_UPDATES, HEAD_BATCH, HEAD_RATE, HEAD_AVERAGE = 300, 32, 3e-3, 0.95
SAME_POSE = 0.1
SIDES = ("left", "right", "front", "back")
# Table 1 of the paper: Penn Action, single-shot, average over the four sides.
PAPER = {
    "raw, Res-TCN": 82.21,
    "raw, ConvNet": 78.49,
    "auto-encoder": 85.47,
    "VAE": 86.00,
    "beta-VAE": 83.82,
    "InfoNCE (eq. 2)": 83.27,
    "DIM (eq. 2)": 80.14,
    "Pr-VIPE": 89.03,
    "CV-MIM": 91.75,
    # Table 5, the same measure.
    "CV-MIM, concatenation": 90.5,
    "CV-MIM, product": 90.2,
    "w/o L_inter": 86.1,
    "w/o L_prior": 89.3,
}


class OtherPoses(CvMim):
    """The negative control: the second image is of another pose."""

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        sampler: Any = self.views

        def shuffled(given: dict[str, Tensor]) -> PoseViews:
            views = sampler(given)
            order = torch.randperm(len(views.points), generator=Generator().manual_seed(int(given["seeds"][0])))
            images, seen = views.images.clone(), views.seen.clone()
            images[1], seen[1] = images[1][order], seen[1][order]
            return replace(views, images=images, seen=seen)

        self.views = shuffled  # type: ignore[assignment]
        losses = super().forward(model, batch)
        self.views = sampler
        return losses


class OtherScores(CvMim):
    """The estimators differ in two things, the loss and what it compares; here each compares what the other does.

    Jensen-Shannon gets the angles over the temperature, InfoNCE the dot products.
    """

    def information(self, first: Tensor, second: Tensor) -> Tensor:
        if self.estimator == "jsd":
            scale = self.temperature**-0.5
            angles = [scale * nn.functional.normalize(value, dim=1) for value in (first, second)]
            return mutual_information_loss(*angles, estimator="jsd")
        products, own = first @ second.mT, torch.arange(len(first))
        return (nn.functional.cross_entropy(products, own) + nn.functional.cross_entropy(products.mT, own)) / 2


class QuickDropout(nn.Module):
    """Dropout of a share in 256ths, eight numbers from one draw: five times as fast on a processor."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(256 * share)

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return values
        draws = torch.empty(-(-values.numel() // 8), dtype=torch.long).random_(-(2**63), None).view(torch.uint8)
        kept = draws[: values.numel()].view(values.shape) >= self.dropped
        return values * (kept * (256 / (256 - self.dropped)))


def with_quick_dropout(network: nn.Module) -> nn.Module:
    for module in list(network.modules()):
        for name, part in module.named_children():
            if isinstance(part, nn.Dropout):
                setattr(module, name, QuickDropout(part.p))
    return network


GAUSSIAN = {"embedder": "gaussian"}
PROBABILISTIC = {"embedder": "gaussian-elu", "pose_size": 16, "view_size": 0, "dropout": 0.3}
# name -> options of the encoder, objective (None: random weights)
ARMS: dict[str, tuple[dict[str, Any], Callable[[], Any] | None]] = {
    "random weights": ({}, None),
    "auto-encoder": ({}, lambda: CrossReconstruction(LAYOUT)),
    "VAE": (GAUSSIAN, lambda: CrossReconstruction(LAYOUT)),
    "beta-VAE": (GAUSSIAN, lambda: CrossReconstruction(LAYOUT, divergence_weight=0.04)),
    "InfoNCE (eq. 2)": ({}, lambda: DirectInformation(LAYOUT)),
    "DIM (eq. 2)": ({}, lambda: DirectInformation(LAYOUT, estimator="jsd")),
    "Pr-VIPE": (PROBABILISTIC, lambda: PrVipe(LAYOUT)),
    "CV-MIM": ({}, lambda: CvMim(LAYOUT)),
    "CV-MIM, other poses": ({}, lambda: OtherPoses(LAYOUT)),
    "CV-MIM, InfoNCE": ({}, lambda: CvMim(LAYOUT, estimator="infonce")),
    "CV-MIM, negatives x 20": ({}, lambda: CvMim(LAYOUT, negative_weight=20.0)),
    "CV-MIM, JSD of angles": ({}, lambda: OtherScores(LAYOUT)),
    "CV-MIM, InfoNCE of products": ({}, lambda: OtherScores(LAYOUT, estimator="infonce")),
    "CV-MIM, concatenation": ({}, lambda: CvMim(LAYOUT, fusion="concatenation")),
    "CV-MIM, product": ({}, lambda: CvMim(LAYOUT, fusion="product")),
    "w/o L_inter": ({}, lambda: CvMim(LAYOUT, disentangle_weight=0.0)),
    "w/o L_prior": ({}, lambda: CvMim(LAYOUT, prior_weight=0.0)),
    "w/o both": ({}, lambda: CvMim(LAYOUT, disentangle_weight=0.0, prior_weight=0.0)),
    "w/o both, InfoNCE": (
        {},
        lambda: CvMim(LAYOUT, disentangle_weight=0.0, prior_weight=0.0, estimator="infonce"),
    ),
}
RAW = ("raw, ConvNet", "raw, Res-TCN", "raw, HCN", "raw, ST-GCN")
# Half of what the trial gave; last the explanation of the estimators' gap, and table 5.
GATES = (
    Gate("CV-MIM, InfoNCE", "raw, ConvNet", "hit@1", 15.0),
    Gate("CV-MIM, InfoNCE", "auto-encoder", "hit@1", 15.0),
    Gate("CV-MIM", "auto-encoder", "hit@1"),
    Gate("CV-MIM", "CV-MIM, other poses", "hit@1", 10.0),
    Gate("CV-MIM, InfoNCE", "raw, ConvNet", "any view", 12.0),
    Gate("CV-MIM, InfoNCE", "auto-encoder", "any view", 12.0),
    Gate("CV-MIM", "raw, ConvNet", "any view", 12.0),
    Gate("CV-MIM", "raw, ConvNet", "Penn"),
    Gate("CV-MIM", "Pr-VIPE", "Penn"),
    Gate("CV-MIM, InfoNCE", "CV-MIM", "hit@1"),
    Gate("CV-MIM, negatives x 20", "CV-MIM", "hit@1"),
    Gate("CV-MIM", "w/o L_inter", "Penn"),
    Gate("CV-MIM", "w/o L_prior", "Penn"),
)
COLUMNS = (
    "hit@1",
    "hit@1 cosine",
    "view hit@1",
    *SIDES,
    "Penn",
    "Penn known",
    "Penn all sides",
    "front view",
    "any view",
)


def trained(arm: str, data: Data, updates: int, seed: int) -> CvMimModel:
    """The encoder of an arm, its every random number decided by the seed."""
    torch.manual_seed(seed)
    options, make = ARMS[arm]
    model = CvMimModel(CvMimConfig(width=WIDTH, **options))
    if make is None:
        return model.eval()
    with_quick_dropout(model)
    size = min(CLIPS_PER_UPDATE, len(data.unlabelled))
    epochs = max(1, round(updates / (len(data.unlabelled) // size)))
    own = {"learning_rate": RATE, "schedule": "step", "milestones": [], "warmup_epochs": 0.0, "max_grad_norm": None}
    made: CvMimModel = motions.pretrained(
        model, make(), data.unlabelled, in_3d, epochs, seed, batch_size=CLIPS_PER_UPDATE, **own
    )
    return made


def in_3d(clips: Clips, rows: Tensor, generator: Generator) -> motions.Batch:
    points, seen = thirteen(clips.of(rows))
    present = torch.ones(len(rows), 1, points.shape[1], dtype=torch.bool)
    return {"keypoints": points.unsqueeze(1), "joint_mask": seen.unsqueeze(1), "attention_mask": present}


@torch.inference_mode()
def vectors(model: CvMimModel | None, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Pose and view vectors `(..., size)`; without a model the coordinates, for both."""
    if model is None:
        raw = points.flatten(-2)
        return raw, raw
    flat, there = points.flatten(0, -3), seen.flatten(0, -2)
    codes = [model.encode(*part) for part in zip(flat.split(8192), there.split(8192), strict=True)]
    pose, view = (torch.cat([getattr(code, name) for code in codes]) for name in ("pose", "view"))
    return tuple(value.unflatten(0, points.shape[:-2]) for value in (pose, view))  # type: ignore[return-value]


def saved(model: CvMimModel, folder: Path) -> None:
    """As a checkpoint for `motionhub index --model`."""
    model.save_pretrained(folder)
    SkeletonProcessor(layout=LAYOUT.name, num_people=1, normalization="torso").save_pretrained(folder)


def retrieval_scores(model: CvMimModel | None, data: Data) -> Scores:
    """Share of queries whose nearest image by another camera shows the pose, up to a turn about the vertical."""
    queries, gallery = vectors(model, *data.queries), vectors(model, *data.gallery)
    found = {}
    for name, (one, other) in {"hit@1": (queries[0], gallery[0]), "view hit@1": (queries[1], gallery[1])}.items():
        if one.shape[1]:
            found[name] = hit(torch.cdist(one, other).argmin(1), data)
    units = [nn.functional.normalize(value, dim=1) for value in (queries[0], gallery[0])]
    found["hit@1 cosine"] = hit((units[0] @ units[1].mT).argmax(1), data)
    return found


def hit(nearest: Tensor, data: Data) -> float:
    errors = turned_error(data.poses, data.poses[nearest], data.visible & data.visible[nearest])
    return float((errors < SAME_POSE).float().mean())


def classified(
    train: Tensor, labels: Tensor, tests: Sequence[Tensor], make: Callable[[int], nn.Module], seed: int
) -> list[Tensor]:
    """Predictions for each of the tests of a network trained as the paper trains its heads: Adam, averaged weights."""
    torch.manual_seed(seed)
    network = make(int(labels.max()) + 1)
    network.apply(lambda module: None if init_keras(module) else None)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(HEAD_AVERAGE), use_buffers=True
    )
    with_quick_dropout(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=HEAD_RATE, eps=1e-7, fused=True)
    generator = Generator().manual_seed(seed)

    def loss_of(rows: Tensor) -> Tensor:
        with motions.half_precision():  # up to twice as fast
            logits = network(train[rows])
        return nn.functional.cross_entropy(logits.float(), labels[rows])

    size = min(HEAD_BATCH, len(train))
    batches = (torch.randint(len(train), (size,), generator=generator) for _ in range(HEAD_UPDATES))
    fit(network, batches, loss_of, optimizer, after_update=lambda: average.update_parameters(network))
    average.eval()
    with torch.inference_mode():
        return [torch.cat([average(part).argmax(1) for part in test.split(256)]) for test in tests]


def on_whole_clips(head: nn.Module) -> Called:
    """A temporal head on clips of one length."""
    return Called(head, lambda head, clips: head(clips.flatten(2), torch.full((len(clips),), clips.shape[1])))


def graph(num_labels: int) -> Called:
    """A small ST-GCN on raw poses."""
    sizes = {"in_channels": 2, "num_people": 1, "channels": [32, 64, 128], "strides": [1, 2, 2]}
    config = StGcnConfig(layout=LAYOUT.name, num_joints=13, num_labels=num_labels, **sizes)
    return Called(StGcnForActionClassification(config), lambda model, points: model(points.unsqueeze(1)).logits)


def head_of(arm: str, size: int) -> Callable[[int], nn.Module]:
    """The network that is trained with labels, by its number of classes."""
    if arm == "raw, Res-TCN":
        return lambda labels: on_whole_clips(ResTcn(size, labels))
    if arm == "raw, HCN":
        return lambda labels: Hcn(13, 2, FRAMES, labels)
    if arm == "raw, ST-GCN":
        return graph
    return lambda labels: on_whole_clips(TemporalConvNet(size, labels))


def action_scores(arm: str, model: CvMimModel | None, data: Data, seed: int, all_sides: bool) -> Scores:
    def features(images: Images) -> Tensor:
        points = images.points if model is None else vectors(model, images.points, images.seen)[0]
        return points if arm in ("raw, HCN", "raw, ST-GCN") else points.flatten(2)

    scores: Scores = {}
    train, test = features(data.penn_train), features(data.penn_test)
    make = head_of(arm, train.flatten(2).shape[2])
    for side in SIDES:
        rows = data.penn_train.sides == CAMERA_SIDES[side]
        labels = data.penn_train.labels[rows]
        (predicted,) = classified(train[rows], labels, [test], make, seed)
        right = (predicted == data.penn_test.labels).float()
        scores[side] = float(right.mean())
        known = torch.isin(data.penn_test.labels, labels.unique())
        scores[f"{side} known"] = float(right[known].mean())
    scores["Penn"] = float(np.mean([scores[side] for side in SIDES]))
    scores["Penn known"] = float(np.mean([scores.pop(f"{side} known") for side in SIDES]))
    if all_sides:
        (full,) = classified(train, data.penn_train.labels, [test], make, seed)
        scores["Penn all sides"] = float((full == data.penn_test.labels).float().mean())
    tests = [data.front_test, data.any_test]
    made = classified(features(data.front), data.front.labels, [features(one) for one in tests], make, seed)
    for name, predicted, one in zip(("front view", "any view"), made, tests, strict=True):
        scores[name] = float((predicted == one.labels).float().mean())
    return scores


def main(argv: Sequence[str] | None = None) -> int:
    quick = "few clips and updates: does it run"
    parser = experiment.command_line(__doc__, (*RAW, *ARMS), develop=DEVELOP, quick=quick)
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--skip", nargs="*", choices=(*RAW, *ARMS), default=(), help="arms to leave out")
    parser.add_argument("--all-sides", action="store_true", help="Penn with training clips of all sides too")
    parser.add_argument("--retrieval-only", action="store_true", help="no labels at all: for longer training")
    parser.add_argument("--save", type=Path, help="folder for the encoders, as checkpoints: SAVE/ARM-SEED")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    data = Data(options.data, options.cache, options.develop, 60 if options.quick else None)

    def score(arm: str, seed: int) -> Scores:
        model = None if arm in RAW else trained(arm, data, 3 if options.quick else options.updates, seed)
        if options.save and model is not None:
            saved(model, options.save / f"{arm}-{seed}")
        found = retrieval_scores(model, data) if arm in ARMS or arm == "raw, ConvNet" else {}
        return found if options.retrieval_only else found | action_scores(arm, model, data, seed, options.all_sides)

    arms = [arm for arm in options.arms if arm not in options.skip]
    results = experiment.measure(arms, options.seeds, score, options.output)
    print("\n".join([*comparison.table(results, COLUMNS, paper=PAPER), "", *gate_lines(results, GATES)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
