"""Movement quality: training and evaluation by leaving one subject out, for every movement separately.

For each subject, a model trained on the clips of all others scores the held-out clips; the report covers held-out
scores only. A frozen encoder (`mode="linear"`) processes every clip once for all folds.
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
from motionhub.nn.heads import clip_features
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.processing.skeleton import with_augmentation
from motionhub.training.arguments import TrainingRecipe, option
from motionhub.training.dataset import ClipDataset, ClipProcessor, with_index
from motionhub.training.trainer import train


SCORE_COLUMN = "score"
# (training rows, held-out rows) -> a score for each held-out row
Fit = Callable[[np.ndarray, np.ndarray], Any]


@dataclass
class QualityOptions:
    """Options of movement quality besides data, model and recipe.

    Examples:
        >>> motionhub.QualityOptions(scores="ordinal", max_score=4).resamples
        2000
    """

    score_column: str | None = option(
        None,
        "Column of the true scores: 'score' (any numbers), 'setup' (UI-PRMD: 1 correct, 0 incorrect), 'label' (class "
        "names that are numbers). none: the first of these that the dataset has.",
    )
    scores: Literal["grades", "ordinal", "value"] = option(
        "grades", "grades: a class per whole score. ordinal: above 0, 1, ... value: any number."
    )
    max_score: int = option(1, "Highest grade; 1 for incorrect and correct.")
    recurrent_size: int = option(512, "Of each direction of the head.")
    recurrent_layers: int = option(2, "Of the head.")
    movement: str | None = option(None, "Only clips of this movement (the name of a class).")
    resamples: int = option(2000, "Draws of subjects for the intervals.")
    final: bool = option(False, "Also train on all subjects: OUTPUT_DIR/final MOVEMENT/last, not evaluated.")


@dataclass(frozen=True)
class ScoredRows:
    """True scores (finite), subjects and names of movements, each `(num_clips,)`."""

    truth: np.ndarray
    subjects: np.ndarray
    movements: np.ndarray


def scored_rows(dataset: Dataset, column: str | None = None) -> ScoredRows:
    """The true score, the subject and the movement of every clip.

    Args:
        dataset: rows with `subject`.
        column: with the scores. `"score"`: any numbers (`dataset.add_column("score", values)`), `label` is the
            movement. `"setup"`: UI-PRMD's 1 (correct) and 0 (incorrect), `label` is the movement. `"label"`: the class
            names are numbers (class folders 0, 1, 2), and all clips show one movement. None: `score` if it exists,
            `setup` for UI-PRMD, else `label`.

    Raises:
        ValueError: no clips, no such scores, or a clip without a score or a subject.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=4, seed=0, actions=["squat"])
        >>> dataset = dataset.remove_columns("subject").add_column("subject", [0, 0, 1, 1])
        >>> dataset = dataset.add_column("score", [0.0, 1.0, 0.0, 1.0])
        >>> motionhub.scored_rows(dataset).truth.tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    if not len(dataset):
        raise ValueError("Expected scored clips, got none.")
    if column is None:
        by_source = "setup" if set(dataset["source"]) == {"ui-prmd"} else "label"
        column = SCORE_COLUMN if SCORE_COLUMN in dataset.column_names else by_source
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


def only_movement(dataset: Dataset, movement: str | None) -> Dataset:
    """The clips of one movement; all for None.

    Raises:
        ValueError: no clip is of that class.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=8, seed=0, actions=["squat", "bow"])
        >>> kept = motionhub.only_movement(dataset, "bow")
        >>> {kept.features["label"].int2str(label) for label in kept["label"]}
        {'bow'}
    """
    if movement is None:
        return dataset
    names = _movements(dataset, SCORE_COLUMN)
    if movement not in names:
        raise ValueError(f"Expected one of the movements {sorted(set(names.tolist()))}, got {movement!r}.")
    return dataset.select(np.flatnonzero(names == movement))


def _scores_in(dataset: Dataset, column: str) -> np.ndarray:
    """`(num_clips,)`; NaN where unknown, i.e. for a negative `setup` or `label`."""
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
            f"The classes {feature.names[:5]} are not scores. Add scores with dataset.add_column({SCORE_COLUMN!r}, "
            "values), or pass the column that has them (UI-PRMD: 'setup')."
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
    """Held-out scores `(num_clips,)`, for every movement and subject by a fit on the other subjects.

    NaN where there are no other subjects, or all their clips of the movement have the same score.

    Args:
        fit: `fit(train, test)` returns a score for each row of `test`.

    Raises:
        ValueError: a single subject, scores that are not finite or one per row, or no fold that can be learned.
    """
    if len(np.unique(rows.subjects)) < 2:
        raise ValueError(f"Leaving one subject out needs two subjects, got only subject {rows.subjects[0]}.")
    held_out = np.full(len(rows.truth), np.nan)
    for trained, tested in folds(rows):
        if np.ptp(rows.truth[trained]) == 0:
            continue
        scores = np.asarray(fit(trained, tested), dtype=np.float64)
        if scores.shape != tested.shape or not np.isfinite(scores).all():
            raise ValueError(f"Expected {len(tested)} finite scores from fit, got {scores.shape}: {scores[:5]}.")
        held_out[tested] = scores
    if not np.isfinite(held_out).any():
        raise ValueError("All clips of the other subjects have the same score in every movement: nothing to learn.")
    return held_out


def folds(rows: ScoredRows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and held-out rows of every movement and subject; none for a movement of one subject."""
    for movement in np.unique(rows.movements):
        inside = rows.movements == movement
        subjects = np.unique(rows.subjects[inside])
        for subject in subjects if len(subjects) > 1 else ():
            tested = inside & (rows.subjects == subject)
            yield np.flatnonzero(inside & ~tested), np.flatnonzero(tested)


def held_out_report(rows: ScoredRows, held_out: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Agreement by movement, and its mean over the movements, with intervals by a bootstrap over subjects.

    Returns:
        `movements`: name -> `metrics.agreement.quality_report`, or `{"reason": ...}` without held-out scores or with
        equal true scores; `mean`: `spearman` and, for scores 0 and 1, `auc`, averaged over these movements, as
        `bootstrap_by_subject` (a draw has the same subjects in all movements); `num_clips` with a score and
        `num_unscored`.
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
        # The bootstrap draws the numbers of clips, which also give their movements.
        clips = drawn.astype(int)
        parts = [clips[rows.movements[clips] == movement] for movement in np.unique(rows.movements[clips])]
        values = np.asarray([statistic(held_out[part], rows.truth[part]) for part in parts])
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")

    return bootstrap_by_subject(
        mean, chosen, rows.truth[chosen], rows.subjects[chosen].tolist(), resamples=resamples, seed=seed
    )


class ScoredClips(TorchDataset):
    """Clips with true scores as labels: items of a `ClipDataset`, or `frame_features` of a frozen encoder.

    Args:
        clips: a `ClipDataset`, or a list of `(frames, channels)`.
        rows: the selected clips, in order.
        truth: `(num_clips,)` true scores of all clips.
    """

    def __init__(self, clips: ClipDataset | Sequence[Tensor], rows: np.ndarray, truth: np.ndarray) -> None:
        self.clips, self.rows, self.truth = clips, np.asarray(rows), truth

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch (0-based) that the random numbers depend on."""
        if isinstance(self.clips, ClipDataset):
            self.clips.set_epoch(epoch)

    def fingerprint(self) -> str:
        """SHA-256 of the selected clips and their scores."""
        return hashlib.sha256(self.rows.tobytes() + self.truth[self.rows].tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row = int(self.rows[index])
        found = self.clips[row]
        item = dict(found) if isinstance(found, dict) else {"frame_features": found}
        return item | {"labels": torch.tensor(self.truth[row]), "index": torch.tensor(int(index))}


def collate_scored(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch; its labels are int64 if all of them are whole, else float32."""
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
def frozen_features(model: Any, processor: ClipProcessor, dataset: Dataset, batch_size: int = 64) -> list[Tensor]:
    """`model.frame_features` of every clip at test time, `(frames, channels)` each."""
    clips, found = ClipDataset(dataset, processor, training=False), list[Tensor]()
    for batch in _batches(model.eval(), clips, batch_size, collate_skeletons):
        features, lengths = model.frame_features(**batch)
        found += [feature[:length].clone() for feature, length in zip(features, lengths.tolist(), strict=True)]
    return found


@torch.inference_mode()
def scores_of_clips(model: PreTrainedModel, clips: TorchDataset, batch_size: int = 64) -> np.ndarray:
    """The model's scores `(num_clips,)` of `ScoredClips`."""
    scores = []
    for batch in _batches(model.eval(), clips, batch_size, collate_scored):
        scores.append(model(**{name: value.to(model.device) for name, value in batch.items()}).scores.float().cpu())
    return torch.cat(scores).double().numpy()


def _batches(model: Any, clips: Any, batch_size: int, collate: Any) -> Iterator[dict[str, Tensor]]:
    """Model inputs in order, one clip at a time where padding changes the result."""
    size = 1 if averages_padding(model.config.encoder_config) else batch_size
    for batch in DataLoader(clips, size, collate_fn=with_index(collate)):
        yield {name: value for name, value in batch.items() if name not in ("index", "labels")}


def scores_of_fold(
    make_model: Callable[[], Any],
    processor: ClipProcessor,
    trained: ScoredClips,
    tested: ScoredClips,
    recipe: TrainingRecipe,
) -> np.ndarray:
    """The scores of the held-out clips by a new model, trained on the others."""
    set_seed(recipe.seed)
    model = make_model()
    train(model, processor, trained, None, recipe, collate=collate_scored)
    return scores_of_clips(model, tested)


def evaluate_movement_quality(
    make_model: Callable[[], Any],
    processor: ClipProcessor,
    dataset: Dataset,
    recipe: TrainingRecipe,
    *,
    column: str | None = None,
    resamples: int = 2000,
) -> tuple[dict[str, Any], np.ndarray]:
    """Trains and tests by leaving one subject out, for every movement separately.

    Args:
        make_model: returns a new `SkeletonForMovementQuality`, the same after the same seed.
        processor: turns rows into its inputs.
        dataset: rows with subjects and scores, see `scored_rows`.
        recipe: of every fold; `mode="linear"` freezes the encoder. Each fold has a folder in `output_dir`, so an
            interrupted evaluation resumes.
        column: see `scored_rows`.
        resamples: of the intervals.

    Returns:
        `held_out_report`, and the held-out scores `(num_clips,)`.

    Raises:
        ValueError: scores that the model cannot learn, and from `scored_rows` and `leave_one_subject_out`.

    Examples:
        >>> report, scores = motionhub.evaluate_movement_quality(  # doctest: +SKIP
        ...     make_model, processor, dataset, motionhub.TrainingRecipe(mode="linear", epochs=5)
        ... )
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
    processor: ClipProcessor,
    dataset: Dataset,
    recipe: TrainingRecipe,
    column: str | None = None,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Trains a final model of every movement on all subjects; returns the folder of each.

    No subject is left to test it: `report` of `evaluate_movement_quality` is saved in its config as the estimate.

    Examples:
        >>> recipe = motionhub.TrainingRecipe(epochs=5, output_dir="runs/quality")
        >>> folders = motionhub.train_on_everybody(make_model, processor, dataset, recipe)  # doctest: +SKIP
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
        folder = train(model, processor, chosen, None, own, collate=collate_scored).last_dir
        model.config.typical = typical_of(model, processor, dataset.select(chosen.rows))
        model.config.save_pretrained(folder)
        folders[str(movement)] = folder
    return folders


# A clip further away than the furthest training clip by this factor is another movement, and so is one that lasts less
# than half as long as the shortest, or more than twice as long as the longest. On UI-PRMD, squats of subjects 1-5 and
# the encoder of unik-nucla-small, a factor of 1.5 doubts 1 of 20 squats of subjects 6 and 7, all arm exercises and
# generated everyday actions, 4 of 10 lunges and hurdle steps, and no sit to stand, which begins as a squat ends.
_MARGIN, _SHORTER, _LONGER = 1.1, 0.5, 2.0


@torch.inference_mode()
def typical_of(model: Any, processor: ClipProcessor, dataset: Dataset) -> dict[str, Any]:
    """`config.typical` of a model trained on these clips: statistics of their features, and limits."""
    found = [
        clip_features(features[None], torch.tensor([len(features)]))[0]
        for features in frozen_features(model, processor, dataset)
    ]
    vectors = torch.stack(found).double()
    mean, std = vectors.mean(0), vectors.std(0, unbiased=False).clamp(min=1e-6)
    distances = ((vectors - mean) / std).square().mean(1)
    seconds = np.asarray(dataset["num_frames"]) / np.asarray(dataset["fps"])
    return {
        "mean": [round(value, 6) for value in mean.tolist()],
        "std": [float(f"{value:.6g}") for value in std.tolist()],
        "limit": round(_MARGIN * float(distances.max()), 3),
        "seconds": [round(_SHORTER * float(seconds.min()), 2), round(_LONGER * float(seconds.max()), 2)],
    }


def _in_folder(recipe: TrainingRecipe, name: str) -> TrainingRecipe:
    return recipe.replace(output_dir=str(Path(recipe.output_dir) / name.replace("/", "-")))


def _check_scores(truth: np.ndarray, config: Any, recipe: TrainingRecipe) -> None:
    if recipe.label_smoothing and config.scores != "grades":
        raise ValueError(f"label_smoothing={recipe.label_smoothing} needs scores='grades'; set it to 0.")
    if config.scores == "value":
        return
    whole = bool(np.equal(truth, truth.round()).all())
    if not whole or truth.min() < 0 or truth.max() > config.max_score:
        raise ValueError(
            f"scores={config.scores!r} needs whole scores 0..{config.max_score}, got {truth.min():g}..{truth.max():g}"
            f"{'' if whole else ' with fractions'}; build the model with max_score={int(np.ceil(truth.max()))}, or "
            "scores='value' for any numbers."
        )


def format_quality_report(report: dict[str, Any]) -> str:
    """A table of movements and their mean, with intervals by subjects.

    Examples:
        >>> auc = {"auc": {"value": 0.9, "lower": 0.8, "upper": 0.95}}
        >>> report = {"movements": {"squat": auc}, "mean": auc, "num_clips": 20, "num_unscored": 0}
        >>> motionhub.format_quality_report(report).splitlines()[1].split()
        ['squat', '+0.90', '[+0.80', '+0.95]']
    """
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
