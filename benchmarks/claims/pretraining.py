"""What does pre-training without labels give? OR-VPE, ViA, LAC and contrast of views, on real motions.

    python benchmarks/claims/pretraining.py --data FOLDER --seeds 0 1 2

What trains, tests and compares: README.md. `--output` keeps a number for each arm, seed and column, so the table can
be made in parts; `--encoders` keeps what was trained, for further columns.
"""

import argparse
import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import experiment
import motions
import numpy as np
import torch
from experiment import Called, kept
from motions import DEVELOP, Batch, Clips, small_encoder, whole
from torch import Generator, Tensor, nn

from motionhub.losses.contrastive import info_nce
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.via import ViaConfig, ViaForMotionRetargeting
from motionhub.objectives.lac import LacPairs
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.objectives.or_vpe import OrVpe
from motionhub.objectives.self_supervised import SelfSupervised
from motionhub.objectives.via import ViaCycle, ViaPairs
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Gate, Results, Scores, columns_of, gate_lines


RATE = 1e-3  # of fine-tuning, the encoder's
UPDATES = {0.05: 160, 0.1: 160, 1.0: 480}  # of fine-tuning, by share of the labels
# (better arm, other arm, column, least difference in points): half of what trials on this kind of data gave; and the
# papers' claim itself, that pre-training helps, and more than one that teaches nothing
GATES = (
    Gate("ViA pairs", "random weights", "any side", 10.0),
    Gate("contrast of views", "random weights", "any side", 10.0),
    Gate("ViA pairs", "random weights", "any body", 12.0),
    Gate("contrast of views", "random weights", "any body", 12.0),
    *(
        Gate(arm, control, "N-UCLA 10 %")
        for control in ("random weights", "contrast of other clips")
        for arm in ("OR-VPE", "ViA pairs", "contrast of views")
    ),
)
RAW, VIEW_COLUMNS = "raw coordinates", ("front", "any side", "any body")
PAPER = """The papers, per cent. Penn Action, ViA: linear random 29.8 < without labels 90.2 < labels 97.3; 5 % of the
labels 32.4 < 65.8, 10 % 39.8 < 85.2, all 94.0 < 97.7 < 98.0. OR-VPE: Penn Action linear 78.5, all labels 77.2 < 93.3;
N-UCLA linear 56.7, all labels 78.2 < 84.5. So ViA is above OR-VPE, and labels are above both."""


@dataclass(eq=False, repr=False)
class Labels(SelfSupervised):
    """The supervised bound: a linear layer on the encoder."""

    num_labels: int

    def network(self, model: Any, run: Any) -> nn.Module:
        return projected(model, nn.Linear(model.config.hidden_size, self.num_labels))

    def forward(self, network: nn.Module, batch: Batch) -> Batch:
        return {"loss": nn.functional.cross_entropy(network(batch), batch["labels"])}


@dataclass(eq=False, repr=False)
class Views(SelfSupervised):
    """Two views of each clip are alike, other clips are not; `shuffled`: the second view is of the next clip."""

    shuffled: bool = False
    num_views: int = field(default=2, init=False)

    def network(self, model: Any, run: Any) -> nn.Module:
        size = model.config.hidden_size
        return projected(model, nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size)))

    def forward(self, network: nn.Module, batch: Batch) -> Batch:
        first, second = network(batch).chunk(2)
        if self.shuffled:
            second = second.roll(1, 0)
        made, same = torch.cat([first, second]), torch.eye(len(first), dtype=torch.bool).repeat(2, 2)
        return {"loss": info_nce(made, torch.cat([second, first]), made, temperature=0.1, negative_mask=~same)}


def projected(encoder: Any, head: nn.Module) -> Called:
    """Encoder and what is laid on it."""
    parts = nn.ModuleList([encoder, head])
    return Called(parts, lambda parts, batch: parts[1](parts[0](**motions.inputs_of(batch)).pooler_output))


def one_camera(clips: Clips, rows: Tensor, generator: Generator) -> Batch:
    """Each clip always by the camera of its row, on its own body."""
    return motions.images(motions.windows(clips, rows, generator), motions.looks_at(rows, motions.ANY_VIEW))


def new_looks(clips: Clips, rows: Tensor, generator: Generator) -> Batch:
    batch = motions.windows(clips, rows, generator)
    return motions.images(batch, motions.looks_at(rows, motions.ANY_BODY, generator))


def retargeting_model() -> Any:
    config = ViaConfig(encoder_config=motions.encoder_config(), num_directions=16, decoder_channels=[64, 48])
    model = ViaForMotionRetargeting(config)
    model.via.encoder = small_encoder()
    return model


def trained(arm: str, clips: Clips, epochs: int, seed: int, encoder: Callable[[str, int], Any]) -> Any:
    """The model of an arm; every arm begins with the same random numbers. `encoder(arm, seed)` gives others."""
    torch.manual_seed(seed)
    if arm == "random weights":
        return small_encoder()
    if arm in UNPAIRED:
        cycle, start = ViaCycle(triplet_weight=UNPAIRED[arm], cluster_epochs=1), encoder("ViA pairs", seed)
        return motions.pretrained(copy.deepcopy(start), cycle, clips, one_camera, max(1, epochs // 2), seed)
    # `windows` gives clips in 3-D: objectives that draw bodies and cameras themselves are given those.
    if arm == "ViA pairs":
        pairs = ViaPairs(motions.LAYOUT, ranges=motions.ANY_BODY)
        return motions.pretrained(retargeting_model(), pairs, clips, motions.windows, epochs, seed)
    if arm == "LAC contrast":
        generator = LacModel(LacConfig(layout=motions.LAYOUT.name, num_joints=motions.LAYOUT.num_joints))
        made = LacPairs(motions.LAYOUT, ranges=motions.ANY_BODY)
        motions.pretrained(generator, made, clips, motions.windows, 4 * epochs, seed)
        contrast = LacContrast(generator, motions.FRAMES, queue_size=512, momentum=0.99, num_positives=2)
        return motions.pretrained(small_encoder(), contrast, clips, one_camera, epochs, seed)
    if arm == "OR-VPE":
        return or_vpe(clips, one_camera, epochs, seed)
    labels = Labels(int(clips.labels.max()) + 1)
    objective = labels if arm == "labels" else Views(shuffled=arm == "contrast of other clips")
    return motions.pretrained(small_encoder(), objective, clips, new_looks, epochs, seed)


def or_vpe(clips: Clips, show: motions.Show, epochs: int, seed: int, **options: Any) -> Any:
    """Its queue fills for about an epoch, in which nothing is learned."""
    objective = OrVpe(motions.LAYOUT, temperature=0.1, mapping="none", num_views=2, **options)
    return motions.pretrained(small_encoder(), objective, clips, show, epochs + 1, seed)


# weight of the triplets of ViA without pairs
UNPAIRED = {"ViA, then without pairs": 0.05, "ViA, then without pairs, triplets 1": 1.0}
ARMS = (
    *("random weights", "labels", "OR-VPE", "ViA pairs", *UNPAIRED),
    *("LAC contrast", "contrast of views", "contrast of other clips"),
)


class Data:
    """Splits of the four datasets.

    Args:
        folder, cache: of the archives, and of what was read from them.
        develop: for choosing numbers: none of the clips results are reported on. N-UCLA: view 1 only, its last three
            subjects test; Penn Action: the training part, halved; Bandai-Namco: the style "elderly" tests.
        most: clips of a dataset, for a quick look.
    """

    def __init__(self, folder: Path, cache: Path | None, develop: bool = False, most: int | None = None) -> None:
        loaded = (motions.load(name, folder, cache) for name in motions.FILES)
        bandai, utd, nucla, penn = (motions.thinned(clips, most) for clips in loaded)
        self.styles, self.held_styles = (bandai.of(part) for part in motions.style_parts(bandai.setups, develop))
        self.unlabelled = motions.joined(self.styles, utd)
        first_view, in_front = nucla.cameras == 1, motions.first_of_each(penn.labels, 0.6)
        if develop:
            nucla, penn = nucla.of(first_view), penn.of(in_front)
            first_view = nucla.subjects < nucla.subjects.unique()[-3]
            in_front = motions.first_of_each(penn.labels, 0.5)
        self.tasks: dict[str, tuple[Clips, Clips, Callable[[Batch], Batch]]] = {
            "N-UCLA": (nucla.of(first_view), nucla.of(~first_view), motions.kinect_camera),
            "Penn": (penn.of(in_front), penn.of(~in_front), motions.photographs),
        }


def view_batches(data: Data) -> list[Batch]:
    """Front views to fit on; held styles from the front, from any side, and on any body. The same for every arm."""
    looks = [motions.FRONT, motions.FRONT, motions.ANY_VIEW, motions.ANY_BODY]
    parts = [data.styles, data.held_styles, data.held_styles, data.held_styles]
    return [motions.seen_from(parts[number], looks[number], number) for number in range(4)]


def linear_scores(features: Callable[[Batch], np.ndarray], data: Data, seed: int) -> Scores:
    scores = {}
    for name, (train, test, finish) in data.tasks.items():
        fit, tested = whole(train, finish), whole(test, finish)
        (scores[f"{name} linear"],) = motions.probe(features, [fit], [tested])
        scores[f"{name} plain"] = motions.plain_probe(features, fit, tested, seed)
    train, *tests = view_batches(data)
    return scores | dict(zip(VIEW_COLUMNS, motions.probe(features, [train], tests), strict=True))


def fine_tuned_scores(model: Any, data: Data, updates: dict[float, int], seed: int) -> Scores:
    """`updates` by share of the labels."""
    scores = {}
    for name, (train, test, finish) in data.tasks.items():
        for share, count in updates.items():
            few = train.of(motions.few_rows(train.labels, share, seed))
            scores[f"{name} {share:.0%}".replace("%", " %")] = motions.fine_tuned_accuracy(
                copy.deepcopy(model), few, finish, whole(test, finish), count, seed, RATE
            )
    return scores


def table(results: Results) -> list[str]:
    found = columns_of(results)
    columns = [f"{task} {kind}" for task in ("N-UCLA", "Penn") for kind in ("linear", "plain", "5 %", "10 %", "100 %")]
    columns = [name for name in [*columns, *VIEW_COLUMNS] if name in found]
    return comparison.table(results, columns, seeds=True)


def judged(model: Any, data: Data, options: argparse.Namespace, seed: int) -> Scores:
    """All columns of an encoder that are asked for."""
    found: Scores = {}
    if not options.no_probes:
        found |= linear_scores(lambda batch: motions.features_of(model, batch), data, seed)
    updates = {share: 2 if options.quick else UPDATES[share] for share in options.shares}
    return found | fine_tuned_scores(model, data, updates, seed)


def main(argv: Sequence[str] | None = None) -> int:
    parser = experiment.command_line(__doc__, ARMS, develop=DEVELOP, quick="few clips, one epoch: does it run")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--shares", type=float, nargs="*", choices=UPDATES, default=UPDATES, help="of fine-tuning")
    parser.add_argument("--no-probes", action="store_true", help="fine-tuning alone")
    parser.add_argument("--encoders", type=Path, help="folder that keeps the trained encoders")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    data = Data(options.data, options.cache, options.develop, 120 if options.quick else None)
    epochs = 1 if options.quick else options.epochs

    @cache
    def encoder(arm: str, seed: int) -> Any:
        """Trained once; in files of `--encoders`, where they are kept, for the next run."""
        name = f"{arm.replace(',', '').replace(' ', '-')}-{epochs}-epochs-seed-{seed}.pt"
        model = retargeting_model() if arm.startswith("ViA") else small_encoder()
        make = partial(trained, arm, data.unlabelled, epochs, seed, encoder)
        model.load_state_dict(kept(options.encoders, name, lambda: make().state_dict()))
        return model.eval()

    def score(arm: str, seed: int) -> Scores:
        if arm == RAW:
            return linear_scores(motions.raw_features, data, seed)
        model = encoder(arm, seed)
        return judged(model.via if arm.startswith("ViA") else model, data, options, seed)

    arms = [*([] if options.no_probes else [RAW]), *options.arms]
    results = experiment.measure(arms, options.seeds, score, options.output)
    print("\n".join([*table(results), "", PAPER, "", *gate_lines(results, GATES)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
