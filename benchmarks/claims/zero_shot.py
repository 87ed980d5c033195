"""Can words name motions that were never recorded for training? T-MOR on real clips, against controls.

    python benchmarks/claims/zero_shot.py --data FOLDER --seeds 0 1 2

What the parts, columns and arms mean: zero_shot.md.
"""

import argparse
import copy
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import experiment
import motions
import numpy as np
import torch
from captioned_clips import (
    Part,
    Pool,
    made_motions,
    means_of,
    named_right,
    seen,
    split_batches,
    texts_of,
    texts_of_made,
)
from motions import Clips
from pretraining import Labels
from sklearn.linear_model import Ridge
from torch import Generator, Tensor, nn
from torch.nn import functional

from motionhub.data.datasets.datasets import get_dataset
from motionhub.metrics.open_set import auroc, fit_calibrated_stacking, harmonic_mean, seen_and_unseen
from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.objectives.t_mor import TMor
from motionhub.reproduction import comparison
from motionhub.reproduction.comparison import Results, Scores


SPLITS = 5
DIVISION, DEVELOP = 1000, 999  # seeds of the order in which classes are divided
SIZES = {"projection_size": 384, "projection_hidden_size": 192, "text_size": 384, "text_projection_layers": 0}
GATE_H, GATE_TIMES = 30.0, 20.0


def t_mor(seed: int, video_size: int | None = None) -> Any:
    torch.manual_seed(seed)
    config = TMorConfig(encoder_config=motions.encoder_config(), video_size=video_size, temperature=0.07, **SIZES)
    model = TMorModel(config)
    model.encoder = motions.small_encoder()
    return model


def trained(part: Part, texts: Sequence[Tensor], epochs: int, seed: int) -> Any:
    objective = TMor(losses=("mt",), text_features=texts, text_negatives="classes")
    return motions.pretrained(t_mor(seed), objective, part, seen, epochs, seed)


@torch.inference_mode()
def embedded(model: Any, pool: Pool, rows: Tensor) -> Tensor:
    outputs = (model(**motions.inputs_of(pool.batch(some))) for some in rows.split(256))
    name = "motion_embeds" if isinstance(model, TMorModel) else "pooler_output"
    return torch.cat([output[name].float() for output in outputs])


def measured(scores: Tensor, labels: Tensor, unseen: Tensor, bonus: float) -> dict[str, float]:
    """All columns."""
    new = unseen[labels]
    among = scores[new].masked_fill(~unseen, -torch.inf).argmax(1)
    best = scores.masked_fill(unseen, -torch.inf).max(1).values
    seen_right, unseen_right = seen_and_unseen(scores, labels, unseen, bonus)
    return {
        "ZSL": float((among == labels[new]).float().mean()),
        "seen": seen_right,
        "unseen": unseen_right,
        "H": harmonic_mean(seen_right, unseen_right),
        "H as is": harmonic_mean(*seen_and_unseen(scores, labels, unseen)),
        "AUROC none": auroc(best[~new], best[new]),
    }


class Agreement(nn.Module):
    """SMIE's estimator: how much a motion's features and a text have to do with each other."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.motion, self.text = nn.Linear(features, 128), nn.Linear(size, 128)
        self.score = nn.Sequential(nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, features: Tensor, texts: Tensor) -> Tensor:
        """`(n, m)` of every motion with every text."""
        pairs = (len(features), len(texts), 128)
        both = [self.motion(features)[:, None].expand(pairs), self.text(texts)[None].expand(pairs)]
        made: Tensor = self.score(torch.cat(both, dim=-1)).squeeze(-1)
        return made


def aligned(features: Tensor, labels: Tensor, texts: Tensor, seed: int) -> Agreement:
    """Jensen-Shannon mutual information: the own text against those of the other clips of a batch."""
    torch.manual_seed(seed)
    model = Agreement(features.shape[1], texts.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def loss_of(rows: Tensor) -> Tensor:
        scores = model(features[rows], texts[labels[rows]])
        same = labels[rows][:, None] == labels[rows][None]
        return functional.softplus(-scores.diagonal()).mean() + functional.softplus(scores[~same]).mean()

    experiment.fit(
        model, (rows for _ in range(15) for rows in torch.randperm(len(features)).split(128)), loss_of, optimizer
    )
    return model


@torch.inference_mode()
def frozen_scores(arm: str, train: tuple[Tensor, Tensor], test: Tensor, texts: Tensor, seed: int) -> Tensor:
    """What the two baselines say of frozen features."""
    mean, deviation = train[0].mean(0), train[0].std(0) + 1e-6
    given, tested = (train[0] - mean) / deviation, (test - mean) / deviation
    if arm == "linear map":
        fitted = Ridge(alpha=100.0).fit(given.numpy(), texts[train[1]].numpy())
        made = torch.from_numpy(fitted.predict(tested.numpy())).float()
        return functional.normalize(made, dim=1) @ texts.T
    with torch.inference_mode(False), torch.enable_grad():
        model = aligned(given.clone(), train[1].clone(), texts.clone(), seed)
    return torch.cat([model(some, texts) for some in tested.split(128)])


@dataclass(frozen=True)
class Division:
    """Which classes are unseen, which clips teach and which test."""

    unseen: Tensor
    learn: Tensor
    test: Tensor

    @property
    def known(self) -> list[int]:
        return (~self.unseen).nonzero().squeeze(1).tolist()


def divided(pool: Pool, fold: int, order_seed: int) -> tuple[Division, Division]:
    """A division of the classes, and within its training clips another one, for the bonus.

    The classes unseen in the second are a fifth of those seen in the first; the classes unseen in the first are not in
    it at all: neither their clips nor, among the classes to choose from, their names (see `scored`).
    """
    order = torch.randperm(pool.num_real, generator=Generator().manual_seed(order_seed))
    unseen = torch.zeros(pool.num_real, dtype=torch.bool)
    unseen[order[fold::SPLITS]] = True
    outer = _divided(pool, unseen, torch.arange(len(pool)), pool.tests)
    known = [label for label in order.tolist() if not unseen[label]]
    held_back = torch.zeros_like(unseen)
    held_back[known[::SPLITS]] = True
    return outer, _divided(pool, held_back, outer.learn, pool.inner_tests)


def _divided(pool: Pool, unseen: Tensor, rows: Tensor, tests: Tensor) -> Division:
    rows = rows[pool.labels[rows] < pool.num_real]
    new = unseen[pool.labels[rows]]
    return Division(unseen, rows[~new & ~tests[rows]], rows[new | tests[rows]])


def arm_scores(
    pool: Pool, texts: Sequence[Tensor], division: Division, allowed: list[int], epochs: int, seed: int
) -> dict[str, Tensor]:
    """What every arm, trained on a division, says of its test clips: similarities to the real classes."""
    known = [label for label in division.known if label in allowed]
    made = (pool.labels >= pool.num_real).nonzero().squeeze(1)
    part = Part(pool, division.learn, known)
    wide = Part(pool, torch.cat([division.learn, made]), [*known, *range(pool.num_real, len(pool.names))])
    moved = dict(zip(known, known[1:] + known[:1], strict=True))
    arms = {
        "T-MOR": (part, known),
        "T-MOR, synthetic motions too": (wide, wide.classes),
        "shuffled texts": (part, [moved[label] for label in known]),
    }
    means = means_of(texts[: pool.num_real])
    found: dict[str, Tensor] = {}
    for arm, (shown, described) in arms.items():
        model = trained(shown, [texts[label] for label in described], epochs, seed)
        embeds = embedded(model, pool, division.test)
        found[arm] = embeds @ means.T
        model.typical_motion.measure(embedded(model, pool, division.learn))
        with torch.inference_mode():
            found[f"{arm}, standard scores"] = model.similarities(embeds, means)
    torch.manual_seed(seed)
    frozen = motions.pretrained(motions.small_encoder(), Labels(len(known)), part, seen, epochs, seed)
    train = (embedded(frozen, pool, division.learn), pool.labels[division.learn])
    features = embedded(frozen, pool, division.test)
    for arm in ("linear map", "SMIE-style"):
        found[arm] = frozen_scores(arm, train, features, means, seed)
    return found


def bonuses(pool: Pool, texts: Sequence[Tensor], outer: Division, inner: Division, epochs: int) -> dict[str, float]:
    """Of every arm, fitted on the inner division with seed 0; all seeds of a division share it."""
    allowed = torch.tensor(outer.known)
    scores = arm_scores(pool, texts, inner, outer.known, epochs, 0)
    place = {label: index for index, label in enumerate(outer.known)}
    labels = torch.tensor([place[int(label)] for label in pool.labels[inner.test]])
    return {
        arm: fit_calibrated_stacking(table[:, allowed], labels, inner.unseen[allowed]) for arm, table in scores.items()
    }


def split_arms(
    pool: Pool, texts: Sequence[Tensor], outer: Division, bonus: dict[str, float], epochs: int, seed: int
) -> dict[str, dict[str, float]]:
    """Every arm on one division of the classes, with the bonuses of its unseen classes."""
    scores = arm_scores(pool, texts, outer, outer.known, epochs, seed)
    return {arm: measured(table, pool.labels[outer.test], outer.unseen, bonus[arm]) for arm, table in scores.items()}


def few_labels(parts: dict[str, tuple[Clips, list[str]]], epochs: int, seed: int) -> dict[str, Scores]:
    """Training without a dataset, test on it: by names, by a linear layer, and with few labels."""
    found: dict[str, Scores] = {}
    for left_out in ("n-ucla", "penn-action"):
        pool = Pool([part for name, part in parts.items() if name != left_out])
        part, (shown, names) = Part(pool, torch.arange(len(pool)), range(len(pool.names))), parts[left_out]
        train, (fit, test), finish = split_batches(left_out, shown)
        for arm in ("random weights", "L_mt"):
            model = t_mor(seed) if arm == "random weights" else trained(part, texts_of(pool.names), epochs, seed)
            numbers = {"linear": motions.probe(partial(motions.features_of, model.encoder), [fit], [test])[0]}
            for share in (0.05, 0.1):
                few, encoder = train.of(motions.few_rows(train.labels, share, seed)), copy.deepcopy(model.encoder)
                numbers[f"{share:.0%}"] = motions.fine_tuned_accuracy(encoder, few, finish, test, 60, seed, 1e-3)
            if arm != "random weights":
                numbers["by names"] = named_right(model, test, means_of(texts_of(names)))
            found[f"{left_out}: {arm}"] = numbers
    return found


def mean_of(divisions: Sequence[dict[str, Scores]]) -> dict[str, Scores]:
    """Of every number the mean over the divisions, and H in each, as the divisions differ more than seeds do."""
    found: dict[str, Scores] = {}
    for arm, first in divisions[0].items():
        found[arm] = {column: float(np.mean([one[arm][column] for one in divisions])) for column in first}
        found[arm] |= {f"H, division {place}": one[arm]["H"] for place, one in enumerate(divisions)}
    return found


def main(argv: Sequence[str] | None = None) -> int:
    develop, quick = "other divisions of the classes, to choose methods by", "does it run: one epoch, one fold"
    parser = experiment.command_line(__doc__, seeds=[0], develop=develop, quick=quick)
    parser.add_argument("--parts", nargs="+", choices=("splits", "few"), default=["splits", "few"])
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(SPLITS)))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", type=Path, dest="output", help="the same as --output")
    chosen = parser.parse_args(argv)
    if chosen.quick:
        chosen.epochs, chosen.folds, chosen.seeds = 1, chosen.folds[:1], chosen.seeds[:1]
    names = ("utd-mhad", "n-ucla", "penn-action", "bandai-namco")
    wanted = names if "few" in chosen.parts else names[:3]
    parts = {
        name: (motions.load(name, chosen.data, chosen.cache), list(get_dataset(name).class_names)) for name in wanted
    }
    makers = {"few": lambda seed: few_labels(parts, chosen.epochs, seed)}
    if "splits" in chosen.parts:
        makers["splits"] = over_folds([parts[name] for name in names[:3]], chosen)
    report: dict[str, Results] = {}
    for name in chosen.parts:
        report[name] = {}
        for seed in chosen.seeds:
            for arm, numbers in makers[name](seed).items():
                report[name].setdefault(arm, {})[str(seed)] = numbers
            print(
                json.dumps({"seed": seed, **{arm: seeds[str(seed)] for arm, seeds in report[name].items()}}),
                flush=True,
            )
        print("\n".join(["", name, *comparison.table(report[name]), ""]), flush=True)
    experiment.save(report, chosen.output)
    return verdict(report)


def over_folds(
    parts: Sequence[tuple[Clips, list[str]]], chosen: argparse.Namespace
) -> Callable[[int], dict[str, Scores]]:
    """Of a seed, the arms on every division of the classes, each with the bonuses of that division."""
    pool = Pool([*parts, made_motions(chosen.cache)])
    texts = texts_of(pool.names[: pool.num_real]) + texts_of_made()
    divisions = [divided(pool, fold, DEVELOP if chosen.develop else DIVISION) for fold in chosen.folds]
    taken = [bonuses(pool, texts, outer, inner, chosen.epochs) for outer, inner in divisions]

    def arms(seed: int) -> dict[str, Scores]:
        folds = zip(divisions, taken, strict=True)
        return mean_of([split_arms(pool, texts, outer, bonus, chosen.epochs, seed) for (outer, _), bonus in folds])

    return arms


def verdict(report: dict[str, Results]) -> int:
    """The gate: the harmonic mean at least 30 and far above that with shuffled texts."""
    if "splits" not in report:
        return 0
    own, shuffled = (
        100 * np.mean(list(comparison.by_seed(report["splits"], arm, "H").values()))
        for arm in ("T-MOR", "shuffled texts")
    )
    holds = bool(own >= GATE_H and own >= GATE_TIMES * shuffled)
    print(f"H {own:.1f} (shuffled texts {shuffled:.1f}), needed {GATE_H:g} and {GATE_TIMES:g} times shuffled: {holds}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
