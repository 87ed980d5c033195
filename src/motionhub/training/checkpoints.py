"""Checkpoints on disk: a folder appears whole or not at all, and the one before stays until then.

`best/` and `last/` are `from_pretrained` folders (model, processor, metrics.json, training.json); `last/state/` also
holds what a resume needs. It does not know when to save nor how to train.
"""

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from motionhub.training.arguments import FIXED_ON_RESUME, TrainingRecipe


# safetensors and torch report a full disk as errors of their own.
WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)


@dataclass
class Progress:
    """How far a run has come.

    Args:
        epoch: the 0-based epoch in progress.
        epoch_updates: updates done in it.
        step: updates done altogether.
        seconds: time spent training and evaluating, over all interruptions.
        best_metric, best_epoch: of the best evaluation so far, or None.
        history: one dictionary of scalars per evaluation.
    """

    epoch: int = 0
    epoch_updates: int = 0
    step: int = 0
    seconds: float = 0.0
    best_metric: float | None = None
    best_epoch: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


class CheckpointError(OSError):
    """A checkpoint could not be written; the message says why and what is still there."""


def save_model_folder(
    folder: Path, model: Any, processor: Any, recipe: TrainingRecipe, metrics: dict[str, Any]
) -> None:
    """What `from_pretrained` reads, plus metrics.json and training.json. Called in the main process only."""
    had_bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # one "Writing model shards" bar per epoch tears ours apart
    try:
        model.save_pretrained(folder)
    finally:
        if had_bar:
            transformers_logging.enable_progress_bar()
    if processor is not None:
        processor.save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    recipe.to_file(folder / "training.json")


def save_state(folder: Path, accelerator: Accelerator, progress: Progress, run_facts: dict[str, Any]) -> None:
    """Weights, optimizer, schedule, random states (accelerate) and the progress. Called in every process."""
    accelerator.save_state(str(folder))
    if accelerator.is_main_process:
        content = {"progress": asdict(progress), **run_facts}
        (folder / "progress.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def write_folder(final: Path, accelerator: Accelerator, write: Callable[[Path], None], step: int) -> None:
    """Run `write(folder)` in every process on a temporary folder that takes the place of `final` when all succeeded.

    Raises:
        CheckpointError: in every process, when one could not write; the old `final` is untouched.
    """
    writing = final.with_name(f".{final.name}.writing")
    problem: BaseException | None = None
    if accelerator.is_main_process:
        shutil.rmtree(writing, ignore_errors=True)
    accelerator.wait_for_everyone()
    try:
        writing.mkdir(parents=True, exist_ok=True)
        write(writing)
    except WRITE_ERRORS as error:
        problem = error
    if _any_process(accelerator, problem is not None):
        if accelerator.is_main_process:
            shutil.rmtree(writing, ignore_errors=True)
        number = problem.errno if isinstance(problem, OSError) and problem.errno else errno.EIO
        raise CheckpointError(number, _failure(final, step, problem)) from problem
    if accelerator.is_main_process:
        _take_place(writing, final)
    accelerator.wait_for_everyone()


def _take_place(new: Path, final: Path) -> None:
    """Two renames: a kill between them leaves the old folder as `.NAME.old`, which `find_state` looks for."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _any_process(accelerator: Accelerator, flag: bool) -> bool:
    return bool(accelerator.gather(torch.tensor([int(flag)], device=accelerator.device)).any())


def _failure(final: Path, step: int, problem: BaseException | None) -> str:
    reason = "another process could not write" if problem is None else str(problem)
    free = shutil.disk_usage(final.parent).free / 2**20 if final.parent.exists() else 0.0
    kept = f"The previous {final} is intact" if final.exists() else f"There is no earlier {final}"
    return (
        f"Could not save the checkpoint of update {step} to {final}: {reason} ({free:.0f} MiB free there). {kept}. "
        "Free some space and run the same command again: it continues from the last checkpoint."
    )


def find_state(recipe: TrainingRecipe) -> Path | None:
    """The `state` folder to resume from, or None to start anew.

    Raises:
        ValueError: `resume` names a folder without a state.
    """
    if recipe.resume == "none":
        return None
    folder = Path(recipe.output_dir) / "last" if recipe.resume == "auto" else Path(recipe.resume)
    for candidate in (folder / "state", folder, folder.with_name(f".{folder.name}.old") / "state"):
        if (candidate / "progress.json").is_file():
            return candidate
    if recipe.resume == "auto":
        return None
    raise ValueError(
        f"resume={recipe.resume!r} holds no training state (state/progress.json); give a folder such as runs/x/last, "
        "'auto' for output_dir/last, or 'none' to start anew."
    )


def read_progress(state: Path, recipe: TrainingRecipe, run_facts: dict[str, Any]) -> Progress:
    """The progress saved in a state folder, after checking that this run continues the same experiment.

    Raises:
        ValueError: the recipe, the number of processes or the data differ from the run that saved it.
    """
    content = json.loads((state / "progress.json").read_text(encoding="utf-8"))
    before = {name: content.get(name) for name in run_facts}
    changed = {name: (before[name], run_facts[name]) for name in run_facts if before[name] != run_facts[name]}
    if changed:
        listed = ", ".join(f"{name} was {old}, is now {new}" for name, (old, new) in changed.items())
        raise ValueError(
            f"{state} belongs to another run: {listed}. Set it back to continue that run, or start anew with "
            f"resume='none' or another output_dir (now {recipe.output_dir!r})."
        )
    return Progress(**content["progress"])


def facts_of_run(recipe: TrainingRecipe, num_clips: int, num_processes: int) -> dict[str, Any]:
    """What must be the same for a resumed run to be the run it continues."""
    facts: dict[str, Any] = {name: getattr(recipe, name) for name in FIXED_ON_RESUME}
    return {**facts, "num_clips": num_clips, "num_processes": num_processes}
