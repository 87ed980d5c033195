"""How well a movement is done, judged on people that were not trained on: one subject left out at a time.

Every movement by itself: for each subject a model is trained on the clips of all the others, by the one training loop,
and scores the clips of this one; the report is of these held-out scores alone. A frozen encoder (`mode="linear"`) sees
every clip once, whatever the number of folds.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate.utils import set_seed
from datasets import ClassLabel, Dataset
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from transformers import PreTrainedModel

from motionhub.metrics.agreement import (
    Statistic,
    area_under_curve,
    bootstrap_by_subject,
    quality_report,
    rank_correlation,
)
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.processing.skeleton import with_augmentation
from motionhub.training.arguments import TrainingRecipe, option
from motionhub.training.dataset import ClipDataset, with_index
from motionhub.training.trainer import train


SCORE_COLUMN = "score"
# (training rows, held-out rows) -> a score for each held-out row
Fit = Callable[[np.ndarray, np.ndarray], Any]


@dataclass
class QualityOptions:
    """What scoring movements needs besides data, model and recipe."""

    score_column: str | None = option(
        None,
        "Where the true scores are: 'score' (any numbers), 'setup' (UI-PRMD: 1 correct, 0 incorrect), 'label' (class "
        "names that are numbers). none: the first of these that the data has.",
    )
    scores: Literal["grades", "ordinal", "value"] = option(
        "grades", "grades: a class per whole score. ordinal: above 0, 1, ... value: any number."
    )
    max_score: int = option(1, "Highest grade; 1 for incorrect and correct.")
    recurrent_size: int = option(512, "Of each direction of the head.")
    recurrent_layers: int = option(2, "Of the head.")
    resamples: int = option(2000, "Draws of subjects for the intervals.")
    final: bool = option(False, "Also train on all subjects: OUTPUT_DIR/final MOVEMENT/last, not evaluated.")


@dataclass(frozen=True)
class ScoredRows:
    """What is known of every clip of a dataset.

    Args:
        truth: `(num_clips,)` finite true scores.
        subjects: `(num_clips,)` who moves.
        movements: `(num_clips,)` names of what is done.
    """

    truth: np.ndarray
    subjects: np.ndarray
    movements: np.ndarray


def scored_rows(dataset: Dataset, column: str | None = None) -> ScoredRows:
    """The true score, the subject and the movement of every clip.

    Args:
        dataset: rows with `subject`.
        column: where the scores are. `"score"`: a column of any numbers (`dataset.add_column("score", values)`),
            `label` names the movement. `"setup"`: UI-PRMD's 1 for correct and 0 for incorrect, `label` names the
            movement. `"label"`: the class names are numbers (class folders 0, 1, 2, or the labels of a table), and all
            clips are of one movement. None: the column `score` if there is one, `setup` of UI-PRMD, else `label`.

    Raises:
        ValueError: no clips, no such scores, or a clip without a score or a subject.
    """
    if not len(dataset):
        raise ValueError("Expected scored clips, got none.")
    column = column or _column_of(dataset)
    if column not in dataset.column_names:
        raise ValueError(f"Expected a column of scores, got no {column!r}; the columns are {dataset.column_names}.")
    truth, movements = _scores_in(dataset, column), _movements(dataset, column)
    subjects = np.asarray([-1 if subject is None else subject for subject in dataset["subject"]])
    for what, unknown in (("score", ~np.isfinite(truth)), ("subject", subjects < 0)):
        if unknown.any():
            rows = np.flatnonzero(unknown)
            raise ValueError(
                f"{len(rows)} of {len(truth)} clips have no {what}, the first in rows {rows[:5].tolist()}; leave them "
                "out: dataset.select([row for row in range(len(dataset)) if ...])."
            )
    return ScoredRows(truth, subjects, movements)


def _column_of(dataset: Dataset) -> str:
    if SCORE_COLUMN in dataset.column_names:
        return SCORE_COLUMN
    return "setup" if set(dataset["source"]) == {"ui-prmd"} else "label"


def _scores_in(dataset: Dataset, column: str) -> np.ndarray:
    """`(num_clips,)`; NaN where unknown, which a negative `setup` or `label` means."""
    values = np.asarray([np.nan if value is None else value for value in dataset[column]], dtype=np.float64)
    if column not in ("setup", "label"):
        return values
    values[values < 0] = np.nan
    feature = dataset.features[column]
    if not isinstance(feature, ClassLabel):
        return values
    try:
        named = np.asarray([float(name) for name in feature.names])
    except ValueError:
        raise ValueError(
            f"The classes {feature.names[:5]} are no scores. Add scores, dataset.add_column({SCORE_COLUMN!r}, "
            "values), or name the column that has them (UI-PRMD: 'setup')."
        ) from None
    known = np.isfinite(values)
    values[known] = named[values[known].astype(int)]
    return values


def _movements(dataset: Dataset, column: str) -> np.ndarray:
    feature = dataset.features.get("label")
    if column == "label" or feature is None:
        return np.full(len(dataset), "movement")
    names = getattr(feature, "names", None)
    return np.asarray([names[label] if names and label >= 0 else str(label) for label in dataset["label"]])


def leave_one_subject_out(rows: ScoredRows, fit: Fit) -> np.ndarray:
    """Held-out scores `(num_clips,)`: every movement by itself, every subject by a fit on the others.

    NaN where nothing can be learned: all the other subjects' clips of the movement have the same score (a movement
    without incorrect clips), or there are no others.

    Args:
        fit: `fit(train, test)` gives a score to each row of `test`.

    Raises:
        ValueError: a single subject in the whole data, scores that do not fit the rows or are not finite, or no fold
            that can be learned.
    """
    if len(np.unique(rows.subjects)) < 2:
        raise ValueError(f"Leaving one subject out needs two subjects, got only subject {rows.subjects[0]}.")
    held_out = np.full(len(rows.truth), np.nan)
    for trained, tested in folds(rows):
        if np.ptp(rows.truth[trained]) == 0:
            continue
        scores = np.asarray(fit(trained, tested), dtype=np.float64)
        if scores.shape != tested.shape or not np.isfinite(scores).all():
            raise ValueError(f"Expected {len(tested)} finite scores of a fit, got {scores.shape}: {scores[:5]}.")
        held_out[tested] = scores
    if not np.isfinite(held_out).any():
        raise ValueError("In no movement do other subjects' clips differ in score: there is nothing to learn.")
    return held_out


def folds(rows: ScoredRows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and held-out rows, movement by movement and subject by subject; none for a movement of one subject."""
    for movement in np.unique(rows.movements):
        inside = rows.movements == movement
        subjects = np.unique(rows.subjects[inside])
        for subject in subjects if len(subjects) > 1 else ():
            tested = inside & (rows.subjects == subject)
            yield np.flatnonzero(inside & ~tested), np.flatnonzero(tested)


def held_out_report(rows: ScoredRows, held_out: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Agreement by movement, and its mean over the movements, with intervals by a bootstrap over subjects.

    Returns:
        `movements`: name -> `metrics.agreement.quality_report`, or `{"reason": ...}` where nothing was held out or all
        true scores are alike; `mean`: `spearman` and, of scores 0 and 1, `auc`, each as of `bootstrap_by_subject`, of
        the mean over the movements that have one (a draw takes the same subjects in all of them); `num_clips` that
        are scored and `num_unscored`.
    """
    scored = np.isfinite(held_out)
    report: dict[str, Any] = {"movements": {}, "num_clips": int(scored.sum()), "num_unscored": int((~scored).sum())}
    judged = np.zeros(len(held_out), dtype=bool)
    for movement in np.unique(rows.movements):
        chosen = scored & (rows.movements == movement)
        if not chosen.any() or np.ptp(rows.truth[chosen]) == 0:
            reason = "no fold could be learned" if not chosen.any() else "all true scores are alike"
            report["movements"][str(movement)] = {"reason": reason}
            continue
        judged |= chosen
        report["movements"][str(movement)] = quality_report(
            held_out[chosen], rows.truth[chosen], rows.subjects[chosen], resamples=resamples, seed=seed
        )
    statistics: dict[str, Statistic] = {"spearman": rank_correlation}
    if np.isin(rows.truth, (0, 1)).all():
        statistics["auc"] = area_under_curve
    chosen = np.flatnonzero(judged)
    report["mean"] = {
        name: _mean_over_movements(statistic, held_out, rows, chosen, resamples, seed)
        for name, statistic in (statistics.items() if len(chosen) else ())
    }
    return report


def _mean_over_movements(
    statistic: Statistic, held_out: np.ndarray, rows: ScoredRows, chosen: np.ndarray, resamples: int, seed: int
) -> dict[str, float]:
    def mean(drawn: np.ndarray, truth: np.ndarray) -> float:
        # The bootstrap hands out numbers of clips: a draw needs their movements too.
        clips = drawn.astype(int)
        parts = [clips[rows.movements[clips] == movement] for movement in np.unique(rows.movements[clips])]
        values = np.asarray([statistic(held_out[part], rows.truth[part]) for part in parts])
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")

    return bootstrap_by_subject(
        mean, chosen, rows.truth[chosen], rows.subjects[chosen].tolist(), resamples=resamples, seed=seed
    )


class ScoredClips(TorchDataset):
    """Clips with true scores as labels; the items of a `ClipDataset`, or `frame_features` of a frozen encoder.

    Args:
        clips: a `ClipDataset`, or a list of `(frames, channels)`.
        rows: which of them, in order.
        truth: `(num_clips,)` true scores of all.
    """

    def __init__(self, clips: ClipDataset | Sequence[Tensor], rows: np.ndarray, truth: np.ndarray) -> None:
        self.clips, self.rows, self.truth = clips, np.asarray(rows), truth

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of epoch `epoch` (0-based)."""
        if isinstance(self.clips, ClipDataset):
            self.clips.set_epoch(epoch)

    def fingerprint(self) -> str:
        """SHA-256 of which clips these are, and of their scores."""
        return hashlib.sha256(self.rows.tobytes() + self.truth[self.rows].tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row = int(self.rows[index])
        found = self.clips[row]
        item = dict(found) if isinstance(found, dict) else {"frame_features": found}
        return item | {"labels": torch.tensor(self.truth[row]), "index": torch.tensor(int(index))}


def collate_scored(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """One batch; its labels are whole numbers where all of them are, else float32."""
    labels = torch.stack([item["labels"] for item in items])
    labels = labels.long() if bool((labels == labels.round()).all()) else labels.float()
    if "frame_features" not in items[0]:
        clips = [{name: value for name, value in item.items() if name != "labels"} for item in items]
        return collate_skeletons(clips) | {"labels": labels}
    features = [item["frame_features"] for item in items]
    lengths = torch.tensor([len(feature) for feature in features])
    padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    return {"frame_features": padded, "feature_lengths": lengths, "labels": labels}


@torch.inference_mode()
def frozen_features(model: Any, processor: Any, dataset: Dataset, batch_size: int = 64) -> list[Tensor]:
    """`model.frame_features` of every clip, `(frames, channels)` each, as at test time."""
    clips, found = ClipDataset(dataset, processor, training=False), list[Tensor]()
    for batch in _batches(model.eval(), clips, batch_size, collate_skeletons):
        features, lengths = model.frame_features(**batch)
        found += [feature[:length].clone() for feature, length in zip(features, lengths.tolist(), strict=True)]
    return found


@torch.inference_mode()
def scores_of_clips(model: PreTrainedModel, clips: TorchDataset, batch_size: int = 64) -> np.ndarray:
    """The model's scores `(num_clips,)` of `ScoredClips`, in their order."""
    scores = []
    for batch in _batches(model.eval(), clips, batch_size, collate_scored):
        scores.append(model(**{name: value.to(model.device) for name, value in batch.items()}).scores.float().cpu())
    return torch.cat(scores).double().numpy()


def _batches(model: Any, clips: Any, batch_size: int, collate: Any) -> Iterator[dict[str, Tensor]]:
    """Inputs in order; where padding changes the result every clip goes alone."""
    size = 1 if averages_padding(model.config.encoder_config) else batch_size
    for batch in DataLoader(clips, size, collate_fn=with_index(collate)):
        yield {name: value for name, value in batch.items() if name not in ("index", "labels")}


def scores_of_fold(
    make_model: Callable[[], Any], processor: Any, trained: ScoredClips, tested: ScoredClips, recipe: TrainingRecipe
) -> np.ndarray:
    """A new model, trained on the clips of the others: its scores of the held-out clips."""
    set_seed(recipe.seed)
    model = make_model()
    train(model, processor, trained, None, recipe, collate=collate_scored)
    return scores_of_clips(model, tested)


def evaluate_movement_quality(
    make_model: Callable[[], Any],
    processor: Any,
    dataset: Dataset,
    recipe: TrainingRecipe,
    *,
    column: str | None = None,
    resamples: int = 2000,
) -> tuple[dict[str, Any], np.ndarray]:
    """Train and test by leaving one subject out, every movement by itself.

    Args:
        make_model: gives a new `SkeletonForMovementQuality`, the same each time it is called after the same seed.
        processor: turns rows into its inputs.
        dataset: rows with subjects and scores, see `scored_rows`.
        recipe: of every fold; with `mode="linear"` the encoder is frozen. Each fold has its folder in `output_dir`, so
            an interrupted evaluation resumes where it was.
        column: see `scored_rows`.
        resamples: of the intervals.

    Returns:
        `held_out_report`, and the held-out scores `(num_clips,)`.

    Raises:
        ValueError: scores that the model cannot learn, and what `scored_rows` and `leave_one_subject_out` raise.
    """
    rows = scored_rows(dataset, column)
    set_seed(recipe.seed)
    model = make_model()
    _check_scores(rows.truth, model.config, recipe)
    if recipe.mode == "linear":
        features = frozen_features(model, processor, dataset)
        clips: tuple[Any, Any] = features, features
    else:
        augmented = with_augmentation(processor, recipe.augmentation)
        trained = ClipDataset(dataset, augmented, training=True, seed=recipe.seed)
        clips = trained, ClipDataset(dataset, processor, training=False)

    def fit(trained: np.ndarray, tested: np.ndarray) -> np.ndarray:
        fold = _in_folder(recipe, f"{rows.movements[tested[0]]} without {rows.subjects[tested[0]]}")
        others, held_out = ScoredClips(clips[0], trained, rows.truth), ScoredClips(clips[1], tested, rows.truth)
        return scores_of_fold(make_model, processor, others, held_out, fold)

    held_out = leave_one_subject_out(rows, fit)
    return held_out_report(rows, held_out, resamples=resamples, seed=recipe.seed), held_out


def train_on_everybody(
    make_model: Callable[[], Any],
    processor: Any,
    dataset: Dataset,
    recipe: TrainingRecipe,
    column: str | None = None,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Train a model of every movement on all subjects, to be used; the folder of each.

    Nobody is left to judge it: what to expect of it is the report of `evaluate_movement_quality`, which its config
    takes along when `report` is given. The other arguments are as there.
    """
    rows = scored_rows(dataset, column)
    _check_scores(rows.truth, make_model().config, recipe)
    clips = ClipDataset(dataset, with_augmentation(processor, recipe.augmentation), training=True, seed=recipe.seed)
    folders = {}
    for movement in np.unique(rows.movements):
        chosen = ScoredClips(clips, np.flatnonzero(rows.movements == movement), rows.truth)
        set_seed(recipe.seed)
        own, model = _in_folder(recipe, f"final {movement}"), make_model()
        model.config.movement = str(movement)
        model.config.held_out = None if report is None else dict(report["movements"][str(movement)])
        folders[str(movement)] = train(model, processor, chosen, None, own, collate=collate_scored).last_dir
    return folders


def _in_folder(recipe: TrainingRecipe, name: str) -> TrainingRecipe:
    return recipe.replace(output_dir=str(Path(recipe.output_dir) / name.replace("/", "-")))


def _check_scores(truth: np.ndarray, config: Any, recipe: TrainingRecipe) -> None:
    if recipe.label_smoothing and config.scores != "grades":
        raise ValueError(f"label_smoothing={recipe.label_smoothing} is of scores='grades'; set it to 0.")
    if config.scores == "value":
        return
    whole = bool(np.equal(truth, truth.round()).all())
    if not whole or truth.min() < 0 or truth.max() > config.max_score:
        raise ValueError(
            f"scores={config.scores!r} learns whole scores 0..{config.max_score}, got {truth.min():g}..{truth.max():g}"
            f"{'' if whole else ' with fractions'}; build the model with max_score={int(np.ceil(truth.max()))}, or "
            "scores='value' for any numbers."
        )


def format_quality_report(report: dict[str, Any]) -> str:
    """A table: movements and their mean, each number with its interval by subjects."""
    columns = [name for name in ("auc", "spearman") if name in report["mean"]]
    width = max(len(name) for name in [*report["movements"], "movement"])
    lines = [f"{'movement':{width}}  " + "  ".join(f"{name:^20}" for name in columns)]
    for name, found in [*report["movements"].items(), ("mean", report["mean"])]:
        cells = [found["reason"]] if "reason" in found else [_cell(found[column]) for column in columns]
        lines.append(f"{name:{width}}  " + "  ".join(f"{cell:^20}" for cell in cells))
    lines.append(f"{report['num_clips']} clips scored, {report['num_unscored']} not; intervals: 95 %, by subjects.")
    return "\n".join(lines)


def _cell(found: dict[str, float]) -> str:
    return f"{found['value']:+.2f} [{found['lower']:+.2f} {found['upper']:+.2f}]"
