"""Checkpoints on disk: a folder appears whole or not at all, and the one before stays until then.

`best/` and `last/` are `from_pretrained` folders (model, processor, metrics.json, training.json); `last/state/` also
holds what a resume needs.
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
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from motionhub.nn.weights import weights_hash
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.processes import any_process


# safetensors and torch report a full disk as errors of their own.
WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)
# Entries of a config that say how a model came about, not what it computes.
VOLATILE = ("_name_or_path", "architectures", "dtype", "transformers_version")


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
        machines: what it computed with (see `machine_facts`), in order; several when it was resumed elsewhere.
    """

    epoch: int = 0
    epoch_updates: int = 0
    step: int = 0
    seconds: float = 0.0
    best_metric: float | None = None
    best_epoch: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)


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
    recipe.to_file(folder / "training.json", machine=False)


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
    if any_process(accelerator, problem is not None):
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

    With `mixed_precision="auto"` what it means on this machine may differ from what it meant before.

    Raises:
        ValueError: a fact of the run (see `facts_of_run`) is not that of the run that saved it.
    """
    content = json.loads((state / "progress.json").read_text(encoding="utf-8"))
    free = ("mixed_precision",) if recipe.mixed_precision == "auto" else ()
    changed = _differences(content, {name: value for name, value in run_facts.items() if name not in free})
    if changed:
        raise ValueError(
            f"{state} belongs to another run: {', '.join(changed)}. Set it back to continue that run, or start anew "
            f"with resume='none' (--resume none) or another output_dir (--output_dir, now {recipe.output_dir!r})."
        )
    # States written before machines were noted have the precision among the facts only.
    return Progress(**{"machines": [{"mixed_precision": content["mixed_precision"]}], **content["progress"]})


def machine_facts(precision: str) -> dict[str, Any]:
    """What rounding depends on besides the recipe: equal facts give equal numbers bit for bit on CPU."""
    return {
        "mixed_precision": precision,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def facts_of_run(
    recipe: TrainingRecipe, model: PreTrainedModel, processor: Any, train_clips: Any, eval_clips: Any, processes: int
) -> dict[str, Any]:
    """What must be the same for a resumed run to be the run it continues, as JSON values.

    Args:
        model: with the weights the run starts from.
        train_clips, eval_clips: their `fingerprint()` is taken, where they have one, besides their number.
    """
    facts = recipe.fixed_on_resume()
    facts.update(num_clips=len(train_clips), num_processes=processes)
    facts["training clips and labels"] = _fingerprint(train_clips)
    facts["evaluation clips and labels"] = _fingerprint(eval_clips)
    facts["config"] = {name: value for name, value in model.config.to_dict().items() if name not in VOLATILE}
    facts["processor"] = processor.to_dict() if hasattr(processor, "to_dict") else None
    if hasattr(processor, "augmentation"):  # field by field, as in runs of earlier versions
        facts["processor"] = {**facts["processor"], **asdict(processor.augmentation)}
        facts["processor"].pop("augmentation", None)
    facts["starting weights"] = weights_hash(model)
    # through JSON, as the other side of the comparison: integer keys become strings
    return dict(json.loads(json.dumps(facts, default=str)))


def _fingerprint(clips: Any) -> str | None:
    return str(clips.fingerprint()) if hasattr(clips, "fingerprint") else None


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One text per fact; of dictionaries per entry, of hashes only that they differ."""
    found = []
    for name, value in now.items():
        old = before.get(name)
        if old == value:
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            keys = [key for key in {**old, **value} if old.get(key) != value.get(key)]
            found += [f"{name}.{key} was {_shortly(old.get(key))}, is now {_shortly(value.get(key))}" for key in keys]
        elif " " in name:  # a hash
            found.append(f"the {name} differ")
        else:
            found.append(f"{name} was {_shortly(old)}, is now {_shortly(value)}")
    return found


def _shortly(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
