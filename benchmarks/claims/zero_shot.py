"""Can words name motions that were never recorded for training? T-MOR on real clips, against controls.

    python benchmarks/claims/zero_shot.py --data FOLDER --seeds 0 1 2

"splits": the classes of UTD-MHAD, N-UCLA and Penn Action, those of one meaning made one, are divided in five; each
fifth is unseen once. Of a seen class every fourth performer (of Penn every fourth clip) is for the test. Columns: ZSL,
unseen clips among unseen classes; then with all classes to choose from the accuracy of seen, of unseen clips, and
their harmonic mean H; "H as is" without the bonus; AUROC of "none of these", seen test clips against unseen clips
by the best similarity to a seen class. From cosines, and from standard scores (`models.t_mor.SimilarityNormalizer`,
measured on the training clips). PRECOG-2016 has no names ("action 1"), so there is nothing to read.

The bonus: a model that was only ever rewarded for seen classes calls nearly everything by them. A number is added to
the similarities of unseen classes before they are compared (calibrated stacking, Chao et al., ECCV 2016).
It is fitted on seen classes alone: every arm is also trained without a fifth of them, which plays unseen, and tested
on another quarter of the performers of the training clips. No unseen class and no test clip has a part in it.
`--develop` divides the classes otherwise; what stands above was chosen there.

"few": 5 % and 10 % of the labels of N-UCLA and of Penn Action, from encoders that were trained on the other datasets
and on Bandai-Namco, against random weights; and the dataset's own names without any label of it.

Arms of "splits": T-MOR (L_mt); the same with synthetic motions in words added (`data.synthetic_phrases`: no recording
of an unseen class, but some of their words, "squat", "clap", on drawn bodies); T-MOR with the texts of seen classes
exchanged among them (control: it learns motions but no words); a linear map (ridge) from the frozen features of a
classifier to text; and an alignment of the same features by mutual information as in SMIE (without its temporal
constraint).
"""

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import motions
import numpy as np
import torch
from motions import Batch, Clips
from pretraining import Labels
from sklearn.linear_model import Ridge
from torch import Generator, Tensor, nn
from torch.nn import functional
from worded_clips import Part, Pool, fewer_frames, last_part, made_motions, seen, texts_of, texts_of_made

from motionhub.data.datasets.datasets import get_dataset
from motionhub.metrics.open_set import auroc, fit_calibrated_stacking, harmonic_mean, seen_and_unseen
from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.objectives.t_mor import TMor


SPLITS = 5
DIVISION, DEVELOP = 1000, 999  # seeds of the order in which classes are divided
SIZES = {"projection_size": 384, "projection_hidden_size": 192, "text_size": 384, "text_projection_layers": 0}
GATE_H, GATE_TIMES = 30.0, 20.0


def t_mor(seed: int) -> Any:
    torch.manual_seed(seed)
    model = TMorModel(TMorConfig(encoder_config=motions.encoder_config(), video_size=None, temperature=0.07, **SIZES))
    model.encoder = motions.Encoder(motions.encoder_config())
    return model


def trained(part: Part, texts: Sequence[Tensor], epochs: int, seed: int) -> Any:
    objective = TMor(losses=("mt",), text_features=texts, text_negatives="classes")
    return motions.pretrained(t_mor(seed), objective, part, seen, epochs, seed)  # type: ignore[arg-type]


@torch.inference_mode()
def embedded(model: Any, pool: Pool, rows: Tensor) -> Tensor:
    parts = []
    for some in rows.split(256):
        batch = pool.batch(some)
        order = {int(row): index for index, row in enumerate(batch["index"])}
        inputs = {name: batch[name] for name in ("keypoints", "joint_mask", "attention_mask")}
        made = model(**inputs)
        made = made.pooler_output if "motion_embeds" not in made else made.motion_embeds
        parts.append(made.float()[torch.tensor([order[int(row)] for row in some])])
    return torch.cat(parts)


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
    for _ in range(15):
        for rows in torch.randperm(len(features)).split(128):
            scores = model(features[rows], texts[labels[rows]])
            same = labels[rows][:, None] == labels[rows][None]
            loss = functional.softplus(-scores.diagonal()).mean() + functional.softplus(scores[~same]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


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
    means = torch.stack([functional.normalize(text.mean(0), dim=0) for text in texts[: pool.num_real]])
    found: dict[str, Tensor] = {}
    for arm, (shown, told) in arms.items():
        model = trained(shown, [texts[label] for label in told], epochs, seed)
        embeds = embedded(model, pool, division.test)
        found[arm] = embeds @ means.T
        model.typical_motion.measure(embedded(model, pool, division.learn))
        with torch.inference_mode():
            found[f"{arm}, standard scores"] = model.similarities(embeds, means)
    torch.manual_seed(seed)
    encoder = motions.Encoder(motions.encoder_config())
    frozen = motions.pretrained(encoder, Labels(len(known)), part, seen, epochs, seed)  # type: ignore[arg-type]
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


def few_labels(parts: dict[str, tuple[Clips, list[str]]], epochs: int, seed: int) -> dict[str, dict[str, float]]:
    """Training without a dataset, test on it: by names, by a linear layer, and with few labels."""
    found: dict[str, dict[str, float]] = {}
    for left_out, view in (("n-ucla", motions.kinect_camera), ("penn-action", motions.photographs)):
        pool = Pool([part for name, part in parts.items() if name != left_out])
        part, (shown, names) = Part(pool, torch.arange(len(pool)), range(len(pool.names))), parts[left_out]
        means = torch.stack([functional.normalize(text.mean(0), dim=0) for text in texts_of(names)])
        learns = shown.cameras == shown.cameras.min() if left_out == "n-ucla" else ~last_part(shown.labels)
        train, test = (shown.of(rows.nonzero().squeeze(1)) for rows in (learns, ~learns))

        def finish(batch: Batch, view: Callable[[Batch], Batch] = view) -> Batch:
            return view(fewer_frames(batch))

        batches = [finish(motions.windows(clips, torch.arange(len(clips)), None)) for clips in (train, test)]
        for arm in ("random weights", "L_mt"):
            model = t_mor(seed) if arm == "random weights" else trained(part, texts_of(pool.names), epochs, seed)
            numbers = {
                "linear": motions.probe(partial(motions.features_of, model.encoder), batches[:1], batches[1:])[0]
            }
            for share in (0.05, 0.1):
                rows = motions.few_rows(train.labels, share, seed)
                numbers[f"{share:.0%}"] = motions.fine_tuned_accuracy(
                    copy.deepcopy(model.encoder), train.of(rows), finish, batches[1], 60, seed, 1e-3
                )
            if arm != "random weights":
                inputs = {name: batches[1][name] for name in ("keypoints", "joint_mask", "attention_mask")}
                with torch.inference_mode():
                    scores = model.eval()(**inputs).motion_embeds @ means.T
                numbers["by names"] = float((scores.argmax(1) == batches[1]["labels"]).float().mean())
            found[f"{left_out}: {arm}"] = numbers
            print(json.dumps({f"{left_out}: {arm}": numbers}), flush=True)
    return found


def table(rows: dict[str, dict[str, list[float]]]) -> str:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = ["| arm | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for arm, row in rows.items():
        cells = [
            f"{100 * np.mean(v):.1f} ± {100 * np.std(v, ddof=1):.1f}" if len(v) > 1 else f"{100 * v[0]:.1f}"
            for v in (row.get(column, [np.nan]) for column in columns)
        ]
        lines.append(f"| {arm} | " + " | ".join(cell.replace("nan", "-") for cell in cells) + " |")
    return "\n".join(lines)


def gathered(found: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    rows: dict[str, dict[str, list[float]]] = {}
    for one in found:
        for arm, numbers in one.items():
            for column, value in numbers.items():
                rows.setdefault(arm, {}).setdefault(column, []).append(value)
    return rows


def mean_of(divisions: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of every number the mean over the divisions, and H in each, as the divisions differ more than seeds do."""
    found: dict[str, dict[str, float]] = {}
    for arm, row in gathered(divisions).items():
        found[arm] = {column: float(np.mean(values)) for column, values in row.items()}
        found[arm] |= {f"H, division {place}": value for place, value in enumerate(row["H"])}
    return found


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--parts", nargs="+", choices=("splits", "few"), default=["splits", "few"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(SPLITS)))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--develop", action="store_true", help="other divisions of the classes, to choose methods by")
    parser.add_argument("--quick", action="store_true", help="does it run: one epoch, one fold")
    chosen = parser.parse_args(words)
    if chosen.quick:
        chosen.epochs, chosen.folds, chosen.seeds = 1, chosen.folds[:1], chosen.seeds[:1]
    names = ("utd-mhad", "n-ucla", "penn-action", "bandai-namco")
    wanted = names if "few" in chosen.parts else names[:3]
    parts = {
        name: (motions.load(name, chosen.data, chosen.cache), list(get_dataset(name).class_names)) for name in wanted
    }
    begin, report = time.perf_counter(), {}
    for name in chosen.parts:
        found: list[dict[str, dict[str, float]]] = []
        taken: dict[int, dict[str, float]] = {}
        for seed in chosen.seeds:
            if name == "splits":
                pool = Pool([*(parts[each] for each in names[:3]), made_motions(chosen.cache)])
                texts = texts_of(pool.names[: pool.num_real]) + texts_of_made()
                divisions = []
                for fold in chosen.folds:
                    outer, inner = divided(pool, fold, DEVELOP if chosen.develop else DIVISION)
                    if fold not in taken:
                        taken[fold] = bonuses(pool, texts, outer, inner, chosen.epochs)
                    divisions.append(split_arms(pool, texts, outer, taken[fold], chosen.epochs, seed))
                    print(json.dumps({"fold": fold, "seed": seed, **divisions[-1]}), flush=True)
                found.append(mean_of(divisions))
            else:
                found.append(few_labels(parts, chosen.epochs, seed))
                print(json.dumps({"seed": seed, **found[-1]}), flush=True)
        report[name] = gathered(found)
        print(f"\n{name} ({len(found)} seeds)\n{table(report[name])}\n", flush=True)
    print(f"{time.perf_counter() - begin:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")
    return verdict(report)


def verdict(report: dict[str, Any]) -> int:
    """The gate: the harmonic mean at least 30 and far above that with shuffled texts."""
    if "splits" not in report:
        return 0
    own, shuffled = (100 * np.mean(report["splits"][arm]["H"]) for arm in ("T-MOR", "shuffled texts"))
    holds = bool(own >= GATE_H and own >= GATE_TIMES * shuffled)
    print(f"H {own:.1f} (shuffled texts {shuffled:.1f}), needed {GATE_H:g} and {GATE_TIMES:g} times shuffled: {holds}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
