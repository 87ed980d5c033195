"""`motionhub quality`: scores of movements by a model, and the report of held-out scores as one HTML file."""

import csv
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from typer import Argument, Option

from motionhub.cli.models import check_kind, load_pipeline
from motionhub.cli.options import Json, model_option, with_metadata
from motionhub.cli.recordings import check_files, check_suffix
from motionhub.cli.report import counted, save_json, who


ReportOption = partial(Option, rich_help_panel="A report of held-out scores")
_COLUMNS = ("clip_id", "movement", "subject", "score", "held_out")
_WORST = 10  # clips whose deviations are shown


@dataclass(frozen=True, eq=False)
class _Scores:
    """Columns of the table, one entry per clip that has a held-out score."""

    clips: list[str]
    movements: np.ndarray
    subjects: np.ndarray
    truth: np.ndarray
    scores: np.ndarray

    def only(self, chosen: np.ndarray) -> "_Scores":
        clips = [clip for clip, kept in zip(self.clips, chosen, strict=True) if kept]
        return _Scores(clips, *(each[chosen] for each in (self.movements, self.subjects, self.truth, self.scores)))


_FILES = "With --model: one repetition each, any readable file or video; else HELD_OUT.csv of a training"
_KIND = "ForMovementQuality"


@with_metadata
def quality(
    files: Annotated[list[str], Argument(metavar="FILE", help=_FILES)],
    *,
    model: Annotated[str | None, model_option("a model of movement quality")] = None,
    json: Json = None,
    output: Annotated[Path | None, ReportOption("-o", "--output", help="To write: .html, images inside")] = None,
    movement: Annotated[str | None, ReportOption(help="Only this movement")] = None,
    ratings: Annotated[Path | None, ReportOption(help="A therapist's: CSV clip_id,score, or ELAN in order")] = None,
    dataset: Annotated[str | None, ReportOption(help="With --data_root: also what was wrong, joint by joint")] = None,
    data_root: Annotated[str | None, ReportOption(help="The files of the dataset")] = None,
    metadata: dict[str, Any],
) -> None:
    """Score how well movements are done, by a model; or report how well its scores agree with the truth.

    With --model: the score of every person in every FILE. Without: a report of HELD_OUT.csv, which
    examples/finetune_movement_quality.py writes: agreement, per subject, and what was wrong.
    """
    report = {"--output": output, "--movement": movement, "--ratings": ratings, "--dataset": dataset}
    if model is not None:
        given = [name for name, value in report.items() if value is not None]
        if given:
            raise ValueError(
                f"{given[0]} is for the report of HELD_OUT.csv; omit it with --model (--json for a file)."
            )
        _score(files, model, json, metadata)
        return
    if len(files) != 1 or output is None:
        raise ValueError(
            "Give --model MODEL to score movements, or one HELD_OUT.csv and -o REPORT.html for the report; "
            f"got {len(files)} files, the first {files[0]}."
        )
    _report(Path(files[0]), output, movement=movement, ratings=ratings, dataset=dataset, data_root=data_root)


def _score(files: list[str], model: str, json: str | None, metadata: dict[str, Any]) -> None:
    """Prints the score of every person, how sure it is, and why it may mean nothing."""
    check_files(files)
    from motionhub.auto import AutoModelForMovementQuality

    check_kind(model, _KIND, "; a model of movement quality comes from examples/finetune_movement_quality.py.")
    pipe = load_pipeline("movement-quality", model, AutoModelForMovementQuality)
    results = {}
    for file in files:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*the score means nothing then")  # printed below
            results[file] = pipe(file, **metadata)
        print("\n".join([file, *(line for person in results[file] for line in _lines(person))]))
        if not results[file]:
            print("  no person detected")
    if json:
        save_json(results, json)


def _lines(person: dict[str, Any]) -> list[str]:
    """The score of a person, its interval, and what speaks against it."""
    interval = person["interval"]
    sure = person["interval_note"] if interval is None else f"95 % from {interval[0]:.2f} to {interval[1]:.2f}"
    line = f"  {who(person['track_id'])}: {person['score']:.2f}, {sure}"
    return [line] if person["doubt"] is None else [line, f"    {person['doubt']}; the score means nothing then"]


def _report(
    scores: Path,
    output: Path,
    *,
    movement: str | None,
    ratings: Path | None,
    dataset: str | None,
    data_root: str | None,
) -> None:
    from motionhub.visualization.html import write_report

    check_suffix(output, "--output", ".html", ".htm")
    if (dataset is None) != (data_root is None):
        raise ValueError("--dataset and --data_root go together: the clips of the scores.")
    table = _read(scores)
    if movement is not None:
        table = table.only(table.movements == movement)
        if not table.clips:
            raise ValueError(f"{scores}: no scores of {movement!r}; there are {sorted(set(_read(scores).movements))}.")
    if ratings is not None:
        table = _rated(table, ratings)
    motions = {} if dataset is None or data_root is None else _motions(dataset, data_root, set(table.clips))
    with tempfile.TemporaryDirectory() as folder:
        sections = [
            section
            for number, name in enumerate(dict.fromkeys(table.movements.tolist()))
            for section in _sections(table.only(table.movements == name), name, Path(folder) / str(number), motions)
        ]
        print(f"written: {write_report(f'Movement quality: {scores.name}', sections, output)}")


def _read(path: Path) -> _Scores:
    """The table of held-out scores; clips without one are left out."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read ({error}).") from None
    lacking = [name for name in _COLUMNS if not rows or name not in rows[0]]
    if lacking:
        raise ValueError(f"{path}: expected the columns {list(_COLUMNS)} and a row, {lacking} are absent.")
    short = [number for number, row in enumerate(rows, start=2) if any(row[name] is None for name in _COLUMNS)]
    if short:
        raise ValueError(f"{path}, line {short[0]}: expected {len(rows[0])} cells, got fewer.")
    movements, subjects = (np.array([row[name] for row in rows], dtype=object) for name in ("movement", "subject"))
    truth, scores = (
        np.array([_number(path, number, row[name]) for number, row in enumerate(rows, start=2)])
        for name in ("score", "held_out")
    )
    table = _Scores([row["clip_id"] for row in rows], movements, subjects, truth, scores)
    table = table.only(np.isfinite(table.scores) & np.isfinite(table.truth))
    if not table.clips:
        raise ValueError(f"{path}: no clip has a held-out score.")
    return table


def _number(path: Path, line: int, text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        raise ValueError(f"{path}, line {line}: expected a number, got {str(text)[:60]!r}.") from None


def _rated(table: _Scores, path: Path) -> _Scores:
    """The table with a therapist's scores as the truth; clips without one are left out."""
    if path.suffix.lower() != ".csv":
        from motionhub.data.formats.interval_files import read_intervals

        labels = [row["label"] for row in read_intervals(path)]
        if len(labels) != len(table.clips):
            raise ValueError(f"{path}: expected a label per clip ({len(table.clips)}), in order, got {len(labels)}.")
        return replace(table, truth=np.array([_number(path, row, text) for row, text in enumerate(labels, start=1)]))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"clip_id", "score"} <= set(rows[0]):
        raise ValueError(f"{path}: expected the columns clip_id and score, got {list(rows[0]) if rows else 'no row'}.")
    given = {row["clip_id"]: _number(path, number, row["score"]) for number, row in enumerate(rows, start=2)}
    truth = np.array([given.get(clip, np.nan) for clip in table.clips])
    if not np.isfinite(truth).any():
        raise ValueError(f"{path}: rates none of the clips, such as {table.clips[0]!r}; has {list(given)[:3]}.")
    return replace(table, truth=truth).only(np.isfinite(truth))


def _motions(dataset: str, data_root: str, clips: set[str]) -> dict[str, Any]:
    from motionhub.data.build.build import build_dataset
    from motionhub.skeletons.rows import from_row

    rows = build_dataset(dataset, data_root)["full"]
    return {name: from_row(rows[row]) for row, name in enumerate(rows["clip_id"]) if name in clips}


def _sections(table: _Scores, name: str, folder: Path, motions: dict[str, Any]) -> Iterator[Any]:
    from motionhub.metrics.agreement import limits_of_agreement, quality_report
    from motionhub.visualization import quality as plots
    from motionhub.visualization.html import Section

    report = quality_report(table.scores, table.truth, table.subjects.tolist())
    people = len(set(table.subjects.tolist()))
    rows: list[list[object]] = [["statistic", "value", "95 % by subjects"]]
    for each in ("auc", "spearman", "kappa"):
        if each in report:
            found = report[each]
            rows.append([each, f"{found['value']:.2f}", f"{found['lower']:.2f} to {found['upper']:.2f}"])
    held = f"{counted(len(table.clips), 'clips')} of {counted(people, 'people')}"
    text = [f"{held}; each was scored by a model that did not see that person."]
    yield Section(name, text, rows)
    if "auc" in report:
        from sklearn.metrics import roc_curve

        false_rates, true_rates, _ = roc_curve(table.truth, table.scores)
        roc = plots.plot_roc(false_rates, true_rates, report["auc"]["value"], folder / "roc.png")
        yield Section(f"{name}: right and wrong told apart", image=roc, caption="ROC curve")
        both = plots.plot_right_and_wrong(table.scores, table.truth, folder / "both.png")
        yield Section(f"{name}: scores of right and wrong clips", image=both, caption="Histograms of scores")
    else:
        limits = limits_of_agreement(table.scores, table.truth)
        lines = [limits["lower"], limits["bias"], limits["upper"]]
        bland = plots.plot_bland_altman(table.scores, table.truth, lines, folder / "bland_altman.png")
        why = [f"95 % of the differences from the therapist lie from {lines[0]:+.2f} to {lines[2]:+.2f}."]
        yield Section(f"{name}: agreement", why, image=bland, caption="Bland-Altman plot")
    subjects = plots.plot_by_subject(table.scores, table.truth, table.subjects.tolist(), folder / "subjects.png")
    yield Section(f"{name}: by subject", image=subjects, caption="Scores of each subject")
    if motions:
        yield _wrong(table, name, motions)


def _wrong(table: _Scores, name: str, motions: dict[str, Any]) -> Any:
    """What differs in the clips of the lowest scores from those that are truly correct, of other people."""
    from motionhub.kinematics.deviations import FEWEST, deviations
    from motionhub.visualization.html import Section

    best = table.truth == table.truth.max()
    rows: list[list[object]] = [["clip", "subject", "score", "what", "when", "degrees from usual"]]
    for place in np.argsort(table.scores, kind="stable"):
        others = best & (table.subjects != table.subjects[place])
        correct = [motions[table.clips[row]] for row in np.flatnonzero(others)[:: max(1, others.sum() // 12)]]
        if best[place] or table.clips[place] not in motions or len(correct) < FEWEST or len(rows) > _WORST:
            continue
        for found in deviations(motions[table.clips[place]], correct)[:2]:
            when = f"{found['start_s']:.1f}-{found['end_s']:.1f} s"
            joint, degrees = found["angle"].replace("_", " "), f"{found['difference']:+.0f}"
            facts = [table.clips[place], table.subjects[place], f"{table.scores[place]:.2f}"]
            rows.append([*facts, joint, when, degrees])
    text = ["The two joint angles that differ most from correct repetitions of other people, for the lowest scores."]
    return Section(f"{name}: what was wrong", text, rows)
