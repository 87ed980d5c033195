"""Checkpoints on disk, each written completely before it replaces the previous one.

`best/` and `last/` are `from_pretrained` folders (model, processor, metrics.json, training.json); `last/state/` holds
what a resume needs.
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


# safetensors and torch raise other errors than OSError for a full disk.
WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)
# Config entries that do not affect what a model computes.
VOLATILE = ("_name_or_path", "architectures", "dtype", "transformers_version")


@dataclass
class Progress:
    """The progress of a run.

    Args:
        epoch: the 0-based epoch in progress.
        epoch_updates: updates done in it.
        step: updates done altogether.
        seconds: training and evaluation time, over all interruptions.
        best_metric, best_epoch: of the best evaluation so far, or None.
        history: the scalars of every evaluation.
        machines: `machine_facts` of every machine, in order.
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
    """A checkpoint could not be written; the message says why and whether an earlier one exists."""

    def __str__(self) -> str:
        return str(self.strerror)


def gathered_weights(model: Any) -> dict[str, torch.Tensor] | None:
    """The whole weights of a model that FSDP shares out, or None if it does not. Called in every process."""
    state = model.state_dict()
    if not any(hasattr(value, "full_tensor") for value in state.values()):
        return None
    return {name: value.full_tensor() if hasattr(value, "full_tensor") else value for name, value in state.items()}


def save_model_folder(
    folder: Path, model: Any, processor: Any, recipe: TrainingRecipe, metrics: dict[str, Any], weights: Any = None
) -> None:
    """Writes what `from_pretrained` reads, metrics.json and training.json. Called in the main process only.

    Args:
        weights: `gathered_weights(model)`.
    """
    had_bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # its "Writing model shards" would break the bar of the run
    try:
        model.save_pretrained(folder, state_dict=weights)
    finally:
        if had_bar:
            transformers_logging.enable_progress_bar()
    if processor is not None:
        processor.save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    recipe.to_file(folder / "training.json", machine=False)


def save_state(folder: Path, accelerator: Accelerator, progress: Progress, run_facts: dict[str, Any]) -> None:
    """Writes weights, optimizer, schedule, random states and progress. Called in every process."""
    accelerator.save_state(str(folder))
    if accelerator.is_main_process:
        content = {"progress": asdict(progress), **run_facts}
        (folder / "progress.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def write_folder(final: Path, accelerator: Accelerator, write: Callable[[Path], None], step: int) -> None:
    """Calls `write(folder)` in every process on a temporary folder, which replaces `final` when all have succeeded.

    Raises:
        CheckpointError: in every process, when one of them could not write; `final` is unchanged.
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
        failure = _failure(final, step, problem)  # with the space that is free now, not after cleaning up
        if accelerator.is_main_process:
            shutil.rmtree(writing, ignore_errors=True)
        number = problem.errno if isinstance(problem, OSError) and problem.errno else errno.EIO
        raise CheckpointError(number, failure) from problem
    if accelerator.is_main_process:
        _take_place(writing, final)
    accelerator.wait_for_everyone()


def _take_place(new: Path, final: Path) -> None:
    """Replaces `final` in two renames; a kill between them leaves `.NAME.old`, which `find_state` reads."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _failure(final: Path, step: int, problem: BaseException | None) -> str:
    reason = "another process could not write" if problem is None else _reason(problem)
    free = shutil.disk_usage(final.parent).free / 2**20 if final.parent.exists() else 0.0
    kept = f"The previous {final} is intact" if final.exists() else f"There is no earlier {final}"
    again = "it resumes from the last checkpoint" if final.exists() else "it starts anew"
    return (
        f"Could not save the checkpoint of update {step} to {final}: {reason} ({free:.0f} MiB free there). {kept}. "
        f"Free some space and run the same command again: {again}."
    )


def _reason(problem: BaseException) -> str:
    """Why a file was not written; torch quotes the line of its source instead."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    quoted = "enforce fail" in str(problem) or "unexpected pos" in str(problem)
    return "the disk did not take a whole file" if quoted else " ".join(str(problem).split())[:300]


def find_state(recipe: TrainingRecipe) -> Path | None:
    """The `state` folder to resume from, or None to start anew; a ValueError where `resume` names one without."""
    if recipe.resume == "none":
        return None
    folder = Path(recipe.output_dir) / "last" if recipe.resume == "auto" else Path(recipe.resume)
    for candidate in (folder / "state", folder, folder.with_name(f".{folder.name}.old") / "state"):
        if (candidate / "progress.json").is_file():
            return candidate
    if recipe.resume == "auto":
        return None
    raise ValueError(
        f"resume={recipe.resume!r} holds no training state (state/progress.json); use a folder such as runs/x/last, "
        "'auto' for output_dir/last, or 'none' to start anew."
    )


def read_progress(state: Path, recipe: TrainingRecipe, run_facts: dict[str, Any]) -> Progress:
    """The progress in a state folder.

    Raises:
        ValueError: `facts_of_run` have changed, other than the number of processes (an update has the same clips with
            any) and the precision that `mixed_precision="auto"` chooses.
    """
    content = _read_progress_file(state / "progress.json")
    free = ("num_processes", *(("mixed_precision",) if recipe.mixed_precision == "auto" else ()))
    changed = differences(content, {name: value for name, value in run_facts.items() if name not in free})
    if changed:
        raise ValueError(
            f"{state} belongs to another run: {', '.join(changed)}. Change it back to resume that run, or start anew "
            f"with resume='none' (--resume none) or another output_dir (--output_dir, now {recipe.output_dir!r})."
        )
    # Older states record no more of the machine.
    older = {name: content[name] for name in ("mixed_precision", "num_processes") if name in content}
    return Progress(**{"machines": [older], **content["progress"]})


def _read_progress_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = {*Progress.__dataclass_fields__}
        if not isinstance(content["progress"], dict) or not {*content["progress"]} <= fields:
            raise ValueError(f"expected the fields {sorted(fields)}")
        return dict(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> ValueError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ValueError(
        f"{path}: the training state is damaged ({reason}); give an earlier one (resume=FOLDER, --resume FOLDER), or "
        "start anew with resume='none' (--resume none)."
    )


def load_state(state: Path, accelerator: Accelerator) -> None:
    """Loads the weights, optimizer, schedule and random states of `save_state`. Called in every process.

    A process beyond those that saved keeps the random state it has.

    Raises:
        ValueError: names the file that is absent or damaged. Accelerate itself goes on without random states.
    """
    saved = int(_read_progress_file(state / "progress.json").get("num_processes", 1))
    if accelerator.process_index < saved:
        _check_random_states(state, accelerator)
    try:
        accelerator.load_state(str(state))
    except Exception as error:
        raise _damaged(_first_damaged(state) or state, error) from None


def _check_random_states(state: Path, accelerator: Accelerator) -> None:
    from accelerate.utils import RNG_STATE_NAME, load

    random_states = state / f"{RNG_STATE_NAME}_{accelerator.process_index}.pkl"
    try:
        absent = {"random_state", "numpy_random_seed", "torch_manual_seed"} - {*load(random_states)}
        if absent:
            raise ValueError(f"it lacks {sorted(absent)}")
    except Exception as error:  # the types of damaged pickles are many
        raise _damaged(random_states, error) from None


def _first_damaged(state: Path) -> Path | None:
    """The first file of a state that cannot be read alone."""
    from accelerate.utils import load
    from safetensors import safe_open

    for path in sorted(state.iterdir()):
        try:
            if path.suffix in (".bin", ".pkl"):
                load(path, map_location="cpu")
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as content:
                    content.keys()
        except Exception:
            return path
    return None


def machine_facts(precision: str, processes: int) -> dict[str, Any]:
    """The facts of a machine, or of several, that rounding on the CPU depends on."""
    return {
        "num_processes": processes,
        "mixed_precision": precision,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def facts_of_run(
    recipe: TrainingRecipe, model: PreTrainedModel, processor: Any, train_clips: Any, eval_clips: Any, processes: int
) -> dict[str, Any]:
    """The facts that a resumed run must not change, as JSON values; `model` has the starting weights."""
    facts = recipe.fixed_on_resume()
    facts.update(num_clips=len(train_clips), num_processes=processes)
    facts["training clips and labels"] = _fingerprint(train_clips)
    facts["evaluation clips and labels"] = _fingerprint(eval_clips)
    facts["config"] = {name: value for name, value in model.config.to_dict().items() if name not in VOLATILE}
    facts["processor"] = processor.to_dict() if hasattr(processor, "to_dict") else None
    if hasattr(processor, "augmentation"):  # flat, as in runs of earlier versions
        facts["processor"] = {**facts["processor"], **asdict(processor.augmentation)}
        facts["processor"].pop("augmentation", None)
    facts["starting weights"] = weights_hash(model)
    # JSON turns integer keys into strings, as in the saved facts
    return dict(json.loads(json.dumps(facts, default=str)))


def _fingerprint(clips: Any) -> str | None:
    return str(clips.fingerprint()) if hasattr(clips, "fingerprint") else None


def differences(
    before: dict[str, Any], now: dict[str, Any], words: str = "{name} was {old}, is now {new}"
) -> list[str]:
    """A text for every changed fact, or entry of a dictionary."""
    found = []
    for name, value in now.items():
        old = before.get(name)
        if old == value:
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            keys = [key for key in {**old, **value} if old.get(key) != value.get(key)]
            found += [_words(words, f"{name}.{key}", old.get(key), value.get(key)) for key in keys]
        elif " " in name:  # a hash
            found.append(f"the {name} differ")
        else:
            found.append(_words(words, name, old, value))
    return found


def _words(words: str, name: str, old: Any, new: Any) -> str:
    return words.format(name=name, old=_shortly(old), new=_shortly(new))


def _shortly(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
