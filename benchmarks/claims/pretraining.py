"""What does pre-training without labels give? OR-VPE, ViA, LAC and contrast of views, on real motions.

    python benchmarks/claims/pretraining.py --data FOLDER --seeds 0 1 2

Pre-training: Bandai-Namco (four styles) and UTD-MHAD in 3-D, seen as pictures by made cameras. Then frozen features
and a logistic regression, or fine-tuning with 5 %, 10 % and all labels, on N-UCLA (train view 1, test view 2) and Penn
Action (its training files; of each class the first 60 % train), both by real cameras. The view probe is fitted on
front views (15 degrees either way) of Bandai-Namco's four styles and tested on the other three: from the front, from
any side, and any bodies. FOLDER holds the four archives (`motions.FILES`).

Columns: "linear" is a logistic regression on standardised features, "plain" the papers' SGD on features as they come.

Arms: random weights; contents and actions as labels (the supervised bound); OR-VPE; ViA from pairs; ViA that goes on
without pairs; LAC's contrast of compositions; contrast of two views of a clip; the same with the second view of
another clip, which cannot teach anything (negative control); raw coordinates. Every arm has the same clips, number of
epochs (ViA without pairs half as many more, LAC's generator its own), optimizer and seeds. Cameras: OR-VPE, LAC and
ViA without pairs see each clip by one camera, as recordings are; the others draw new ones every time. ViA without
pairs has two rows: with triplets at a weight of 0.05, and of 1, the paper's.

`--output` keeps a number for each arm, seed and column: a run again replaces it, other seeds and columns stay, so the
table can be made in parts. `--encoders` keeps what was trained, for further columns.
"""

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import motions
import numpy as np
import torch
from arm_scores import cell, gate
from motions import Batch, Clips
from torch import Generator, Tensor, nn

from motionhub.data.datasets.bandai_namco import BANDAI_TEST_STYLES, STYLES
from motionhub.losses.contrastive import info_nce
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.via import ViaConfig, ViaForMotionRetargeting
from motionhub.objectives.lac import LacPairs
from motionhub.objectives.lac_contrast import LacContrast
from motionhub.objectives.or_vpe import OrVpe
from motionhub.objectives.via import ViaCycle, ViaPairs


RATE = 1e-3  # of fine-tuning, the encoder's
UPDATES = {0.05: 160, 0.1: 160, 1.0: 480}  # of fine-tuning, by share of the labels
# (better arm, other arm, column, least difference in points): half of what trials on this kind of data gave; and the
# papers' claim itself, that pre-training helps, and more than one that teaches nothing
GATES = (
    ("ViA pairs", "random weights", "any side", 10.0),
    ("contrast of views", "random weights", "any side", 10.0),
    ("ViA pairs", "random weights", "any body", 12.0),
    ("contrast of views", "random weights", "any body", 12.0),
    ("OR-VPE", "random weights", "N-UCLA 10 %", 0.0),
    ("ViA pairs", "random weights", "N-UCLA 10 %", 0.0),
    ("contrast of views", "random weights", "N-UCLA 10 %", 0.0),
    ("OR-VPE", "contrast of other clips", "N-UCLA 10 %", 0.0),
    ("ViA pairs", "contrast of other clips", "N-UCLA 10 %", 0.0),
    ("contrast of views", "contrast of other clips", "N-UCLA 10 %", 0.0),
)
PAPER = """The papers, per cent. Penn Action, ViA: linear random 29.8 < without labels 90.2 < labels 97.3; 5 % of the
labels 32.4 < 65.8, 10 % 39.8 < 85.2, all 94.0 < 97.7 < 98.0. OR-VPE: Penn Action linear 78.5, all labels 77.2 < 93.3;
N-UCLA linear 56.7, all labels 78.2 < 84.5. So ViA is above OR-VPE, and labels are above both."""

Scores = dict[str, float]  # by column
Results = dict[str, dict[str, Scores]]  # by arm, then seed (text, as JSON keeps it)


class Labels(nn.Module):
    """The supervised bound: a linear layer on the encoder."""

    num_views = 1

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.num_labels = num_labels

    def prepare(self, model: Any, run: Any) -> nn.Module:
        return Projected(model, nn.Linear(model.config.hidden_size, self.num_labels))

    def ready(self) -> bool:
        return True

    def forward(self, network: nn.Module, batch: Batch) -> Batch:
        return {"loss": nn.functional.cross_entropy(network(batch), batch["labels"])}

    def after_update(self, network: nn.Module) -> None:
        """Nothing to keep."""


class Views(nn.Module):
    """Two views of each clip are alike, other clips are not; `shuffled`: the second view is of the next clip."""

    num_views = 2

    def __init__(self, shuffled: bool = False) -> None:
        super().__init__()
        self.shuffled = shuffled

    def prepare(self, model: Any, run: Any) -> nn.Module:
        size = model.config.hidden_size
        return Projected(model, nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size)))

    def ready(self) -> bool:
        return True

    def forward(self, network: nn.Module, batch: Batch) -> Batch:
        first, second = network(batch).chunk(2)
        if self.shuffled:
            second = second.roll(1, 0)
        made, same = torch.cat([first, second]), torch.eye(len(first), dtype=torch.bool).repeat(2, 2)
        return {"loss": info_nce(made, torch.cat([second, first]), made, temperature=0.1, negative_mask=~same)}

    def after_update(self, network: nn.Module) -> None:
        """Nothing to keep."""


class Projected(nn.Module):
    """Encoder and what is laid on it."""

    def __init__(self, encoder: Any, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, batch: Batch) -> Tensor:
        inputs = {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask")}
        made: Tensor = self.head(self.encoder(**inputs).pooler_output)
        return made


def in_3d(clips: Clips, rows: Tensor, generator: Generator) -> Batch:
    """What objectives that draw looks themselves are given."""
    return {**motions.windows(clips, rows, generator), "seeds": motions.seeds_of(rows, generator)}


def one_camera(clips: Clips, rows: Tensor, generator: Generator) -> Batch:
    """Each clip always by the camera of its row, on its own body."""
    batch = motions.pictures(motions.windows(clips, rows, generator), motions.looks_at(rows, motions.ANY_VIEW))
    return {**batch, "seeds": motions.seeds_of(rows, generator)}


def new_looks(clips: Clips, rows: Tensor, generator: Generator) -> Batch:
    return motions.pictures(
        motions.windows(clips, rows, generator), motions.looks_at(rows, motions.ANY_BODY, generator)
    )


def twice(seen: Callable[[Clips, Tensor, Generator], Batch]) -> Callable[[Clips, Tensor, Generator], Batch]:
    """All first views, then all second ones."""
    return lambda clips, rows, generator: seen(clips, torch.cat([rows, rows]), generator)


def encoder() -> Any:
    return motions.Encoder(motions.encoder_config())


def retargeting_model() -> Any:
    config = ViaConfig(encoder_config=motions.encoder_config(), num_directions=16, decoder_channels=[64, 48])
    model = ViaForMotionRetargeting(config)
    model.via.encoder = encoder()
    return model


def via(clips: Clips, epochs: int, seed: int) -> Any:
    pairs = ViaPairs(motions.LAYOUT, ranges=motions.ANY_BODY)
    return motions.pretrained(retargeting_model(), pairs, clips, in_3d, epochs, seed)


def via_unpaired(model: Any, clips: Clips, epochs: int, seed: int, triplet_weight: float) -> Any:
    torch.manual_seed(seed)  # whether the pairs were learned now or read from a file
    cycle = ViaCycle(triplet_weight=triplet_weight, cluster_epochs=1)
    return motions.pretrained(copy.deepcopy(model), cycle, clips, one_camera, max(1, epochs // 2), seed)


def lac(clips: Clips, epochs: int, seed: int) -> Any:
    generator = LacModel(LacConfig(layout=motions.LAYOUT.name, num_joints=motions.LAYOUT.num_joints))
    pairs = LacPairs(motions.LAYOUT, ranges=motions.ANY_BODY)
    motions.pretrained(generator, pairs, clips, in_3d, 4 * epochs, seed)
    contrast = LacContrast(generator, motions.FRAMES, queue_size=512, momentum=0.99, num_positives=2)
    return motions.pretrained(encoder(), contrast, clips, one_camera, epochs, seed)


def or_vpe(clips: Clips, epochs: int, seed: int) -> Any:
    objective = OrVpe(motions.LAYOUT, temperature=0.1, mapping="none", num_views=2)
    return motions.pretrained(encoder(), objective, clips, twice(one_camera), epochs + 1, seed)


def trained(arm: str, clips: Clips, epochs: int, seed: int, keep: Callable[[str, Callable[[], Any]], Any]) -> Any:
    """The encoder of an arm; every arm begins with the same random numbers.

    `keep(arm, make)` is what `make()` made, now or in an earlier run; what ViA goes on with without pairs comes by it.
    """
    torch.manual_seed(seed)
    if arm == "random weights":
        return encoder().eval()
    if arm == "labels":
        objective = Labels(int(clips.labels.max()) + 1)
        return keep(arm, lambda: motions.pretrained(encoder(), objective, clips, new_looks, epochs, seed))
    if arm == "OR-VPE":
        return keep(arm, lambda: or_vpe(clips, epochs, seed))
    if arm == "ViA pairs":
        return keep(arm, lambda: via(clips, epochs, seed)).via
    if arm in UNPAIRED:
        paired = keep("ViA pairs", lambda: via(clips, epochs, seed))
        return keep(arm, lambda: via_unpaired(paired, clips, epochs, seed, UNPAIRED[arm])).via
    if arm == "LAC contrast":
        return keep(arm, lambda: lac(clips, epochs, seed))
    views = Views(shuffled=arm == "contrast of other clips")
    return keep(arm, lambda: motions.pretrained(encoder(), views, clips, twice(new_looks), epochs, seed))


class Kept:
    """Trained models of a seed: in memory, and in files of `folder` where there is one."""

    def __init__(self, folder: Path | None, epochs: int, seed: int) -> None:
        self.folder, self.mark, self.models = folder, f"{epochs}-epochs-seed-{seed}", dict[str, Any]()

    def __call__(self, arm: str, make: Callable[[], Any]) -> Any:
        if arm not in self.models:
            self.models[arm] = self._of_file(arm, make)
        return self.models[arm]

    def _of_file(self, arm: str, make: Callable[[], Any]) -> Any:
        if self.folder is None:
            return make()
        file = self.folder / f"{arm.replace(',', '').replace(' ', '-')}-{self.mark}.pt"
        if not file.exists():
            model = make()
            self.folder.mkdir(parents=True, exist_ok=True)
            torch.save(model.state_dict(), file)
            return model
        model = retargeting_model() if arm.startswith("ViA") else encoder()
        model.load_state_dict(torch.load(file))
        return model.eval()


# weight of the triplets of ViA without pairs
UNPAIRED = {
    "ViA, then without pairs": 0.05,
    "ViA, then without pairs, triplets 1": 1.0,
}
ARMS = (
    "random weights",
    "labels",
    "OR-VPE",
    "ViA pairs",
    *UNPAIRED,
    "LAC contrast",
    "contrast of views",
    "contrast of other clips",
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
        self.bandai, utd, nucla, penn = (_spread(motions.load(name, folder, cache), most) for name in motions.FILES)
        held = {STYLES.index(style) for style in BANDAI_TEST_STYLES}
        test = torch.tensor([style in held for style in self.bandai.setups.tolist()])
        if develop:
            self.bandai = self.bandai.of(~test)
            test = self.bandai.setups == STYLES.index("elderly")
        self.styles, self.held_styles = self.bandai.of(~test), self.bandai.of(test)
        self.unlabelled = motions.joined(self.styles, utd)
        first_view = nucla.cameras == 1
        if develop:
            nucla = nucla.of(first_view)
            first_view = nucla.subjects < nucla.subjects.unique()[-3]
        in_front = _first_of_each_class(penn.labels, 0.6)
        if develop:
            penn = penn.of(in_front)
            in_front = _first_of_each_class(penn.labels, 0.5)
        self.tasks: dict[str, tuple[Clips, Clips, Callable[[Batch], Batch]]] = {
            "N-UCLA": (nucla.of(first_view), nucla.of(~first_view), motions.kinect_camera),
            "Penn": (penn.of(in_front), penn.of(~in_front), motions.photographs),
        }


def _spread(clips: Clips, most: int | None) -> Clips:
    if most is None or len(clips) <= most:
        return clips
    return clips.of(torch.linspace(0, len(clips) - 1, most).long())


def _first_of_each_class(labels: Tensor, share: float) -> Tensor:
    """Bool per clip. Neighbouring clips can be of one video, so parts are of consecutive ones."""
    first = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        rows = (labels == label).nonzero().squeeze(1)
        first[rows[: max(1, round(share * len(rows)))]] = True
    return first


def whole(clips: Clips, finish: Callable[[Batch], Batch]) -> Batch:
    return finish(motions.windows(clips, torch.arange(len(clips)), None))


def view_batches(data: Data) -> list[Batch]:
    """Front views to fit on; held styles from the front, from any side, and on any body. The same for every arm."""
    looks = [motions.FRONT, motions.FRONT, motions.ANY_VIEW, motions.ANY_BODY]
    parts = [data.styles, data.held_styles, data.held_styles, data.held_styles]
    made = []
    for number, (clips, ranges) in enumerate(zip(parts, looks, strict=True)):
        rows = torch.arange(len(clips))
        batch = motions.windows(clips, rows, None)
        made.append(motions.pictures(batch, motions.looks_at(rows + 10_000 * number, ranges)))
    return made


def linear_scores(features: Callable[[Batch], np.ndarray], data: Data, seed: int) -> Scores:
    scores = {}
    for name, (train, test, finish) in data.tasks.items():
        fit, tested = whole(train, finish), whole(test, finish)
        (scores[f"{name} linear"],) = motions.probe(features, [fit], [tested])
        scores[f"{name} plain"] = motions.plain_probe(features, fit, tested, seed)
    train, *tests = view_batches(data)
    names = ("front", "any side", "any body")
    return scores | dict(zip(names, motions.probe(features, [train], tests), strict=True))


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
    """Per cent, mean and sample deviation over the seeds that an arm has."""
    columns = [f"{task} {kind}" for task in ("N-UCLA", "Penn") for kind in ("linear", "plain", "5 %", "10 %", "100 %")]
    columns = [name for name in [*columns, "front", "any side", "any body"] if any(by_seed(results, name).values())]
    lines = ["| arm | seeds | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for arm, seeds in results.items():
        cells = [with_seeds(by_seed(results, column)[arm], seeds) for column in columns]
        lines.append(f"| {arm} | {', '.join(sorted(seeds))} | " + " | ".join(cells) + " |")
    return lines


def by_seed(results: Results, column: str) -> dict[str, Scores]:
    """The numbers of a column: by arm, then by seed."""
    return {
        arm: {seed: seeds[seed][column] for seed in sorted(seeds) if column in seeds[seed]}
        for arm, seeds in results.items()
    }


def with_seeds(values: Scores, seeds: Collection[str]) -> str:
    """A cell, which names its seeds when it has not all those of the arm."""
    fewer = f" ({said_seeds(values)})" if values and len(values) < len(seeds) else ""
    return cell(list(values.values())) + fewer


def said_seeds(seeds: Collection[str]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"


def gates(results: Results) -> list[str]:
    """Paired by seed: the mean difference must exceed the least one and twice its deviation over the seeds."""
    lines = []
    for better, other, column, least in GATES:
        values = by_seed(results, column)
        first, second = values.get(better, {}), values.get(other, {})
        both = sorted(first.keys() & second.keys())
        if not both:
            continue
        name = f"{better} - {other}, {column} ({said_seeds(both)})"
        lines.append(gate(name, [first[seed] - second[seed] for seed in both], least))
    return lines


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the four archives")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was read from them")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="none: the table of --output")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=ARMS)
    parser.add_argument("--shares", type=float, nargs="*", choices=UPDATES, default=UPDATES, help="of fine-tuning")
    parser.add_argument("--no-probes", action="store_true", help="fine-tuning alone")
    parser.add_argument("--develop", action="store_true", help="for choosing numbers: parts no result is reported on")
    parser.add_argument("--quick", action="store_true", help="few clips, one epoch: does it run")
    parser.add_argument("--output", type=Path, help="numbers as JSON, by arm, seed and column")
    parser.add_argument("--encoders", type=Path, help="folder that keeps the trained encoders")
    return parser.parse_args(words)


def judged(model: Any, data: Data, options: argparse.Namespace, seed: int) -> Scores:
    """All columns of an encoder that are asked for."""
    found: Scores = {}
    if not options.no_probes:
        found |= linear_scores(lambda batch: motions.features_of(model, batch), data, seed)
    updates = {share: 2 if options.quick else UPDATES[share] for share in options.shares}
    return found | fine_tuned_scores(model, data, updates, seed)


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    torch.set_num_threads(1)
    data = Data(options.data, options.cache, options.develop, 120 if options.quick else None)
    epochs = 1 if options.quick else options.epochs
    results: Results = {}
    if options.output and options.output.exists():
        results = json.loads(options.output.read_text())
    for seed in options.seeds:
        keep = Kept(options.encoders, epochs, seed)
        if not options.no_probes:
            results.setdefault("raw coordinates", {})[str(seed)] = linear_scores(motions.raw_features, data, seed)
        for arm in options.arms:
            start = time.perf_counter()
            model = trained(arm, data.unlabelled, epochs, seed, keep)
            made = time.perf_counter() - start
            found = judged(model, data, options, seed)
            results.setdefault(arm, {}).setdefault(str(seed), {}).update(found)
            numbers = ", ".join(f"{name} {100 * value:.1f}" for name, value in found.items())
            seconds = f"{made:.0f} + {time.perf_counter() - start - made:.0f} s"
            print(f"seed {seed} {arm} ({seconds}): {numbers}", file=sys.stderr, flush=True)
            if options.output:
                options.output.write_text(json.dumps(results, indent=1))
    print("\n".join([*table(results), "", PAPER, "", *gates(results)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
