"""The one training loop, on Accelerate: supervised fine-tuning, linear evaluation, and any other objective.

On CPU, an interrupted and resumed run equals an uninterrupted one bit for bit; several processes give the result of
one with the same `batch_size`. Batch norm apart: it normalises by one process's share of an update, and the main
process's running statistics are the ones used and saved.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from transformers import PreTrainedModel

from motionhub.nn.precision import choose_precision
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.checkpoints import (
    Progress,
    facts_of_run,
    find_state,
    machine_facts,
    read_progress,
    save_model_folder,
    save_state,
    write_folder,
)
from motionhub.training.dataset import (
    ClipDataset,
    Views,
    as_clips,
    build_loader,
    class_names_of,
    epoch_order,
    seeds_of_entries,
)
from motionhub.training.evaluators import ClassificationEvaluation
from motionhub.training.objective import Objective, PretrainingObjective, RunInfo, as_objective, losses_of
from motionhub.training.optimization import build_optimizers, build_schedule, freeze_backbone, set_mode
from motionhub.training.processes import StopRequest, build_accelerator, clips_per_update, connection_lost
from motionhub.training.tracking import RunningMean, logger, progress_bar, start_trackers


Evaluation = Callable[[torch.nn.Module, Any, Accelerator], dict[str, Any]]


@dataclass(frozen=True)
class TrainingResult:
    """What a run ended with.

    Args:
        last_metrics: report of the last evaluation (empty without an evaluation set).
        best_metric, best_epoch: highest primary metric and its 0-based epoch, or None. Choosing the best epoch by the
            test set flatters it: for an honest number give a validation set, or report `last_metrics`.
        history: scalars of every evaluation.
        last_dir, best_dir: `from_pretrained` folders (best_dir None without an evaluation set).
        steps: parameter updates.
        seconds: training and evaluation time, over all interruptions.
        is_main_process: True in the one process that should print and continue.
    """

    last_metrics: dict[str, Any]
    best_metric: float | None
    best_epoch: int | None
    history: list[dict[str, Any]]
    last_dir: Path
    best_dir: Path | None
    steps: int
    seconds: float
    is_main_process: bool = True


def train(
    model: PreTrainedModel,
    processor: Any,
    train_dataset: Any,
    eval_dataset: Any,
    recipe: TrainingRecipe,
    *,
    objective: Objective | Callable[..., Any] | None = None,
    collate: Callable[..., dict[str, Any]] = collate_skeletons,
    evaluation: Evaluation | None = None,
    primary_metric: str = "top1",
) -> TrainingResult:
    """Train `model` in place and leave `best/`, `last/`, `log.jsonl` in `recipe.output_dir`.

    Args:
        model: a PreTrainedModel; with the default objective its output has `loss` and `logits`. With a `PretrainingObjective` it is
            the encoder, and alone is exported; the training rows then need no labels.
        processor: turns rows into inputs (`process`), saved with the model. May be None with torch datasets.
        train_dataset: a `datasets.Dataset` of `motionhub.skeletons.rows`, or any torch dataset whose items `collate`
            takes (its `set_epoch(epoch)` is called when it has one; random items must depend on epoch and index only).
        eval_dataset: likewise, or None for no evaluation.
        objective: `objective(model, batch)` -> loss or {"loss": loss, ...}; see `training.objective`. Default: the
            model's classification loss.
        collate: list of items (without their index) -> batch; `labels` in it go to the loss, whatever their shape.
        evaluation: `evaluation(model, loader, accelerator)` -> report; default: `metrics.classification_report`. A
            PretrainingObjective needs one, such as `EmbeddingProbe`; a `"warning"` in the report is shown.
        primary_metric: entry of the report that chooses `best/`; higher is better.

    Raises:
        ValueError: labels, recipe, number of processes or an earlier run in output_dir do not fit; the loss is NaN.
        CheckpointError: a checkpoint could not be written (disk full); the earlier one is intact.
        ConnectionError: another process of the run ended (killed, out of memory); says how to resume.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the state is saved and the way to resume is reported.
    """
    accelerator = build_accelerator(recipe)
    objective = as_objective(objective, recipe.label_smoothing)
    if recipe.mode == "linear":
        freeze_backbone(model)
    config = None if isinstance(objective, PretrainingObjective) else model.config
    train_clips = as_clips(train_dataset, processor, recipe, config, training=True)
    eval_clips = None if eval_dataset is None else as_clips(eval_dataset, processor, recipe, config, training=False)
    if eval_clips is not None and evaluation is None:
        if not isinstance(eval_clips, ClipDataset) or config is None:
            raise ValueError(
                "An eval_dataset that is not a datasets.Dataset, and any with a pretext objective, needs its own "
                "evaluation=..., e.g. motionhub.EmbeddingProbe."
            )
        evaluation = ClassificationEvaluation(class_names_of(config))
    loop = _Loop(accelerator, model, processor, recipe, objective, primary_metric)
    loop.prepare(train_clips, eval_clips, evaluation, collate)
    return loop.run()


@dataclass
class _Loop:
    """The state of one run. `prepare` once, then `run` once."""

    accelerator: Accelerator
    bare_model: PreTrainedModel
    processor: Any
    recipe: TrainingRecipe
    objective: Objective
    primary_metric: str

    def __post_init__(self) -> None:
        self.is_main_process = self.accelerator.is_main_process
        self.precision = choose_precision(self.recipe.mixed_precision, self.accelerator.device)
        self.pretext = self.objective if isinstance(self.objective, PretrainingObjective) else None
        self.folder = Path(self.recipe.output_dir)
        self.metrics: dict[str, Any] = {}

    def prepare(self, train_clips: Any, eval_clips: Any, evaluation: Evaluation | None, collate: Any) -> None:
        """Loaders, optimizers and schedules; then the state of an earlier run, when there is one."""
        recipe, accelerator = self.recipe, self.accelerator
        processes = accelerator.num_processes
        self.facts = facts_of_run(recipe, self.bare_model, self.processor, train_clips, eval_clips, processes)
        self.facts["mixed_precision"] = self.precision.name  # what the run computes in, where the recipe says "auto"
        self.batch_size = clips_per_update(len(train_clips), recipe, processes)
        self.order = epoch_order(train_clips, self.batch_size, recipe)
        self.updates_per_epoch = self.order.updates
        self.network = self._network(train_clips)
        set_seed(recipe.seed, device_specific=True)  # dropout: different in each process, the same in each run
        share = self.batch_size // (processes * recipe.gradient_accumulation_steps)
        if self.pretext is not None and self.pretext.num_views > 1:
            train_clips = Views(train_clips, self.pretext.num_views)
        loader = build_loader(train_clips, share, recipe, collate, sampler=self.order)
        optimizers = build_optimizers(self.objective, self.network, recipe)
        schedules = [build_schedule(one, recipe, self.updates_per_epoch) for one in optimizers]
        self.model, self.loader, *prepared = accelerator.prepare(self.network, loader, *optimizers, *schedules)
        self.optimizers, self.schedules = prepared[: len(optimizers)], prepared[len(optimizers) :]
        self.evaluation, self.eval_loader = evaluation, None
        if eval_clips is not None:
            self.eval_loader = accelerator.prepare(self._eval_loader(eval_clips, collate))
        if isinstance(self.objective, torch.nn.Module):
            self.objective.to(accelerator.device)
        accelerator.register_for_checkpointing(self.objective)
        self.progress = self._resume()

    def _eval_loader(self, clips: Any, collate: Any) -> Any:
        share = max(1, self.recipe.eval_batch_size // self.accelerator.num_processes)
        order = clips.longest_first() if isinstance(clips, ClipDataset) else None
        lengths = getattr(self.evaluation, "needs_lengths", False) and averages_padding(self.bare_model.config)
        return build_loader(clips, share, self.recipe, collate, sampler=order, lengths=lengths)

    def _network(self, train_clips: Any) -> torch.nn.Module:
        """What is optimised: the model, or what a pretext builds around it, equal in all processes."""
        if self.pretext is None:
            return self.bare_model
        recipe = self.recipe
        if recipe.mode == "linear":
            raise ValueError(
                "mode='linear' trains a head only; a pretext trains the encoder: 'scratch' or 'finetune'."
            )
        if self.pretext.num_views > 1 and not isinstance(train_clips, ClipDataset):
            raise ValueError(f"num_views={self.pretext.num_views} needs a datasets.Dataset; give one, or num_views=1.")
        fingerprint = str(train_clips.fingerprint()) if hasattr(train_clips, "fingerprint") else ""
        self.facts["objective"] = {"name": type(self.pretext).__name__, **self.pretext.settings()}
        set_seed(recipe.seed)
        if self.accelerator.num_processes > 1:
            for value in self.bare_model.to(self.accelerator.device).state_dict().values():
                broadcast(value)
        run = RunInfo(len(train_clips), fingerprint, self.updates_per_epoch, recipe.epochs, recipe.seed)
        return self.pretext.prepare(self.bare_model, run)

    def _resume(self) -> Progress:
        state = find_state(self.recipe)
        if state is None:
            return Progress()
        progress = read_progress(state, self.recipe, self.facts)
        self.accelerator.load_state(str(state))
        metrics = state.parent / "metrics.json"
        if metrics.is_file():
            self.metrics = dict(json.loads(metrics.read_text(encoding="utf-8")))
        return progress

    def run(self) -> TrainingResult:
        progress, recipe = self.progress, self.recipe
        total = recipe.epochs * self.updates_per_epoch
        self.accelerator.trackers = trackers = start_trackers(recipe, progress.step)
        shown = recipe.progress_bar and self.is_main_process
        try:
            with StopRequest() as self.stop, progress_bar(total, progress.step, shown=shown) as self.bar:
                if progress.step:
                    self._info(f"Resuming {self.folder} after update {progress.step} of {total}.")
                self._report_machine()
                if self.batch_size != recipe.batch_size:
                    self._info(f"Only {self.batch_size} clips an update: the set is smaller than {recipe.batch_size}.")
                self.clock = time.perf_counter() - progress.seconds
                self._epochs()
        finally:
            for tracker in trackers:
                tracker.finish()
            self._restore_model()
        return self._result()

    def _info(self, message: str) -> None:
        if self.is_main_process:
            logger.info(message)

    def _report_machine(self) -> None:
        """What "auto" chose here, and what differs from the machine on which an interrupted run computed before."""
        machines, now = self.progress.machines, machine_facts(self.precision.name)
        if self.recipe.mixed_precision == "auto":
            self._info(f"mixed_precision auto: {self.precision}.")
        before = machines[-1] if machines else now
        changed = [f"{name} {before[name]} -> {now[name]}" for name in now if before.get(name, now[name]) != now[name]]
        if changed:
            keep = f" --mixed_precision {before['mixed_precision']} keeps its precision." * (
                before["mixed_precision"] != now["mixed_precision"]
            )
            self._info(
                f"From update {self.progress.step} on this run computes otherwise ({', '.join(changed)}): it "
                f"no longer equals a run without interruption bit for bit.{keep}"
            )
        if changed or not machines:
            machines.append(now)

    def _epochs(self) -> None:
        try:
            while self.progress.epoch < self.recipe.epochs:
                self._epoch()
        except RuntimeError as error:
            if self.accelerator.num_processes == 1 or not connection_lost(error):
                raise
            # At once, by whichever process is left: the launcher ends it in a moment.
            print(self._lost(), file=sys.stderr, flush=True)
            raise ConnectionError(self._lost()) from error

    def _epoch(self) -> None:
        progress = self.progress
        self.order.begin(progress.epoch, progress.epoch_updates)
        self.loader.set_epoch(progress.epoch)
        set_mode(self.network, self.recipe.mode)
        losses_since = RunningMean()
        for batch in self.loader:
            index = batch.pop("index", None)
            if self.pretext is not None:
                batch |= self._entries(index, progress.epoch)
            with self.accelerator.accumulate(self.model):
                losses = losses_of(self.objective(self.model, batch))
                self.accelerator.backward(losses["loss"])
                if self.accelerator.sync_gradients and self.recipe.max_grad_norm is not None:
                    self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm)
                self._step()
            losses_since.add(losses)
            if self.accelerator.sync_gradients:
                self._after_update(losses_since)
        self._log(losses_since)
        self._end_of_epoch()

    def _step(self) -> None:
        """Every optimizer and, once an update, its schedule."""
        held = self.pretext is not None and not self.pretext.ready()
        self.learning_rate = float(self.schedules[0].get_last_lr()[0])
        for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
            if held:
                optimizer.zero_grad()  # without gradients the step moves nothing
            optimizer.step()
            if self.accelerator.sync_gradients:
                schedule.step()
            optimizer.zero_grad()

    def _entries(self, index: torch.Tensor | None, epoch: int) -> dict[str, torch.Tensor]:
        """Which row each entry of a pretext's batch is, and the seed of its random numbers."""
        assert self.pretext is not None
        if index is None:
            raise ValueError("A pretext knows clips by their row: items of train_dataset need an 'index'.")
        seeds = seeds_of_entries(self.recipe.seed, epoch, index, self.pretext.num_views)
        return {"index": index, "seeds": seeds}

    def _lost(self) -> str:
        last = self.folder / "last"
        kept = f"The state of the last checkpoint is in {last}" if last.is_dir() else "There is no checkpoint yet"
        return (
            f"After update {self.progress.step} process {self.accelerator.process_index} could not reach another "
            f"process of this run: it ended (killed, out of memory, an error that it reports itself). {kept}; the "
            "same command continues from there."
        )

    def _after_update(self, losses: RunningMean) -> None:
        progress, recipe = self.progress, self.recipe
        self.objective.after_update(self.network)
        progress.step += 1
        progress.epoch_updates += 1
        losses.updates += 1
        self.bar.update()
        if progress.step % recipe.log_updates == 0:
            self._log(losses)
        inside = progress.epoch_updates < self.updates_per_epoch
        if inside and recipe.checkpoint_updates and progress.step % recipe.checkpoint_updates == 0:
            self._save_last()
        if self.stop.agreed(self.accelerator, progress.step):
            self._save_last()
            where = self.folder / "last"
            message = (
                f"Stopped after update {progress.step} (epoch {progress.epoch}); the state is in {where}. The same "
                f"command with resume='auto' (the default) or resume={str(where)!r} continues from there."
            )
            self._info(message)
            raise KeyboardInterrupt(message)

    def _log(self, losses: RunningMean) -> None:
        """Mean losses since the last line, over all processes."""
        if not losses.updates:
            return
        means = {
            name: float(self.accelerator.reduce(value.to(self.accelerator.device), reduction="mean"))
            for name, value in losses.means().items()
        }
        if not np.isfinite(means["loss"]):
            raise ValueError(
                f"The loss is {means['loss']} at update {self.progress.step}: lower learning_rate "
                f"({self.recipe.learning_rate}), set max_grad_norm, or look for NaN in the data."
            )
        speed = losses.updates * self.batch_size / losses.elapsed()
        numbers = {**means, "learning_rate": self.learning_rate, "clips_per_second": speed}
        numbers["seconds"] = time.perf_counter() - self.clock
        self._track("train", numbers)
        losses.reset()

    def _track(self, kind: str, numbers: dict[str, Any]) -> None:
        named = {f"{kind}/{name}": value for name, value in {"epoch": self.progress.epoch, **numbers}.items()}
        self.accelerator.log(named, step=self.progress.step)
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in numbers.items() if isinstance(value, float)})

    def _end_of_epoch(self) -> None:
        progress, recipe = self.progress, self.recipe
        done = progress.epoch + 1
        last = done >= recipe.epochs
        improved = False
        if self.eval_loader is not None and (last or done % recipe.eval_epochs == 0):
            improved = self._evaluate()
        progress.epoch, progress.epoch_updates = done, 0
        if improved:
            self._write("best", with_state=False)
        if last or done % recipe.checkpoint_epochs == 0:
            self._save_last()

    def _evaluate(self) -> bool:
        """Run the evaluation; True when the primary metric is the best so far."""
        progress = self.progress
        assert self.evaluation is not None
        self.model.eval()
        evaluated = self.model if self.pretext is None else self.bare_model
        report = self.evaluation(evaluated, self.eval_loader, self.accelerator)
        if self.primary_metric not in report:
            raise ValueError(f"The evaluation has no {self.primary_metric!r}, it gives {list(report)}.")
        scalars = {name: value for name, value in report.items() if isinstance(value, int | float)}
        when = {"epoch": progress.epoch, "step": progress.step}
        self.metrics = {**when, "primary_metric": self.primary_metric, **report}
        progress.history.append({**when, **scalars})
        self._track("eval", scalars)
        if "warning" in report:
            self._info(f"After epoch {progress.epoch}: {report['warning']}")
        value = float(report[self.primary_metric])
        if progress.best_metric is not None and value <= progress.best_metric:
            return False
        progress.best_metric, progress.best_epoch = value, progress.epoch
        return True

    def _save_last(self) -> None:
        self.progress.seconds = time.perf_counter() - self.clock
        self._write("last", with_state=True)

    def _write(self, name: str, *, with_state: bool) -> None:
        def write(folder: Path) -> None:
            if self.accelerator.is_main_process:
                save_model_folder(folder, self.bare_model, self.processor, self.recipe, self.metrics)
            if with_state:
                save_state(folder / "state", self.accelerator, self.progress, self.facts)

        write_folder(self.folder / name, self.accelerator, write, self.progress.step)

    def _restore_model(self) -> None:
        """Removes autocast from around the model's forward, and leaves it in evaluation mode."""
        self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.network.eval()
        self.accelerator.free_memory()

    def _result(self) -> TrainingResult:
        progress, best = self.progress, self.folder / "best"
        return TrainingResult(
            last_metrics=self.metrics,
            best_metric=progress.best_metric,
            best_epoch=progress.best_epoch,
            history=progress.history,
            last_dir=self.folder / "last",
            best_dir=best if best.is_dir() else None,
            steps=progress.step,
            seconds=progress.seconds,
            is_main_process=self.is_main_process,
        )
