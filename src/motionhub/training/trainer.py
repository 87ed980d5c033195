"""The training loop, on Accelerate: supervised fine-tuning, linear evaluation, and any other objective.

On CPU, an interrupted and resumed run equals an uninterrupted one bit for bit. Several processes give the result of
one with the same `batch_size`, except for batch norm, which normalises by a process's share of an update and saves the
running statistics of the main process.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from transformers import PreTrainedModel

from motionhub.bounded import read_json
from motionhub.nn.precision import choose_precision
from motionhub.processing.collate import averages_padding, collate_skeletons
from motionhub.training.agreement import (
    check_same,
    check_shared_folder,
    first_to_say,
    in_all_processes,
    package_versions,
    posted_failure,
)
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.checkpoints import (
    Progress,
    differences,
    facts_of_run,
    find_state,
    gathered_weights,
    load_state,
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
from motionhub.training.processes import LostProcess, StopRequest, build_accelerator, clips_per_update, connection_lost
from motionhub.training.tracking import RunningMean, logger, progress_bar, start_trackers


Evaluation = Callable[[torch.nn.Module, Any, Accelerator], dict[str, Any]]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run.

    Args:
        last_metrics: report of the last evaluation (empty without an evaluation set).
        best_metric, best_epoch: highest primary metric and its 0-based epoch, or None. On a test set this is biased:
            evaluate on a validation set, or report `last_metrics`.
        history: scalars of every evaluation.
        last_dir, best_dir: `from_pretrained` folders (best_dir None without an evaluation set).
        steps: parameter updates.
        seconds: training and evaluation time, over all interruptions.
        is_main_process: True in the process that should print.
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
    """Trains `model` in place; writes `best/`, `last/` and `log.jsonl` to `recipe.output_dir`.

    Args:
        model: a PreTrainedModel; with the default objective its output has `loss` and `logits`. With a
            `PretrainingObjective` it is the encoder, and the training rows need no labels.
        processor: turns rows into inputs (`process`), saved with the model. May be None with torch datasets.
        train_dataset: a `datasets.Dataset` of `motionhub.skeletons.rows`, or any torch dataset whose items `collate`
            takes (`set_epoch(epoch)` is called if it exists; random items must depend on epoch and index only).
        eval_dataset: the same, or None for no evaluation.
        objective: `objective(model, batch)` -> loss or {"loss": loss, ...}, see `training.objective`; default: the
            model's classification loss.
        collate: list of items (without their index) -> batch.
        evaluation: `evaluation(model, loader, accelerator)` -> report; default: `metrics.classification_report`. A
            PretrainingObjective needs one, such as `EmbeddingProbe`; a `"warning"` in the report is logged.
        primary_metric: entry of the report that chooses `best/`; higher is better.

    Raises:
        ValueError: labels, recipe, number of processes or an earlier run in output_dir do not fit; the loss is NaN.
        CheckpointError: a checkpoint could not be written (disk full); the earlier one is intact.
        ConnectionError: another process of the run ended (killed, out of memory); the message says how to resume.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, when the state is saved.

    Examples:
        >>> dataset = motionhub.generate_dataset(num_clips=8, seed=0, actions=["wave", "squat"])
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, normalization="centre")
        >>> config = motionhub.UnikConfig(in_channels=3, channels=[4], strides=[2], num_labels=2)
        >>> model = motionhub.UnikForActionClassification(config)
        >>> recipe = motionhub.TrainingRecipe(epochs=1, cpu=True, drop_last=False, output_dir="runs/mine")
        >>> result = motionhub.train(model, processor, dataset, None, recipe)
    """
    accelerator = build_accelerator(recipe)
    objective = as_objective(objective, recipe.label_smoothing)
    if recipe.mode == "linear":
        freeze_backbone(model)
    config = None if isinstance(objective, PretrainingObjective) else model.config
    data = partial(_clips, train_dataset, eval_dataset, processor, recipe, config, evaluation)
    loop = _Loop(accelerator, model, processor, recipe, objective, primary_metric)
    with loop.losses_of_processes_told():
        train_clips, eval_clips, evaluation = in_all_processes(accelerator, data)
        loop.prepare(train_clips, eval_clips, evaluation, collate)
        return loop.run()


def _clips(
    train_dataset: Any, eval_dataset: Any, processor: Any, recipe: TrainingRecipe, config: Any, evaluation: Any
) -> tuple[Any, Any, Evaluation | None]:
    """The clips to train and to evaluate on, and the evaluation."""
    train_clips = as_clips(train_dataset, processor, recipe, config, training=True)
    eval_clips = None if eval_dataset is None else as_clips(eval_dataset, processor, recipe, config, training=False)
    if eval_clips is not None and evaluation is None:
        if not isinstance(eval_clips, ClipDataset) or config is None:
            raise ValueError(
                "An eval_dataset that is not a datasets.Dataset, or is used with a pre-training objective, needs "
                "evaluation=..., e.g. motionhub.EmbeddingProbe."
            )
        evaluation = ClassificationEvaluation(class_names_of(config))
    return train_clips, eval_clips, evaluation


@dataclass
class _Loop:
    """The state of one run: call `prepare` once, then `run` once."""

    accelerator: Accelerator
    bare_model: PreTrainedModel
    processor: Any
    recipe: TrainingRecipe
    objective: Objective
    primary_metric: str

    def __post_init__(self) -> None:
        self.is_main_process = self.accelerator.is_main_process
        self.precision = choose_precision(self.recipe.mixed_precision, self.accelerator.device)
        self.pretraining = self.objective if isinstance(self.objective, PretrainingObjective) else None
        self.folder = Path(self.recipe.output_dir)
        self.metrics: dict[str, Any] = {}
        self.progress = Progress()

    def prepare(self, train_clips: Any, eval_clips: Any, evaluation: Evaluation | None, collate: Any) -> None:
        """Makes loaders, optimizers and schedules, and loads the state of an earlier run."""
        recipe, accelerator = self.recipe, self.accelerator
        processes = accelerator.num_processes
        facts = partial(facts_of_run, recipe, self.bare_model, self.processor, train_clips, eval_clips, processes)
        self.facts = in_all_processes(accelerator, facts)
        self.facts["mixed_precision"] = self.precision.name  # not the recipe's "auto"
        check_same(accelerator, {**self.facts, "version": package_versions()}, differences)
        check_shared_folder(accelerator, self.folder)
        size = partial(clips_per_update, len(train_clips), recipe, processes)
        self.batch_size = in_all_processes(accelerator, size)
        self.order = epoch_order(train_clips, self.batch_size, recipe)
        self.updates_per_epoch = self.order.updates
        self.network = self._network(train_clips)
        set_seed(recipe.seed, device_specific=True)  # different dropout in each process, the same in each run
        share = self.batch_size // (processes * recipe.gradient_accumulation_steps)
        if self.pretraining is not None and self.pretraining.num_views > 1:
            train_clips = Views(train_clips, self.pretraining.num_views)
        loader = build_loader(train_clips, share, recipe, collate, sampler=self.order)
        optimizers = build_optimizers(self.objective, self.network, recipe)
        schedules = [build_schedule(one, recipe, self.updates_per_epoch) for one in optimizers]
        self.model, self.loader, *prepared = accelerator.prepare(self.network, loader, *optimizers, *schedules)
        self.optimizers, self.schedules = prepared[: len(optimizers)], prepared[len(optimizers) :]
        if self.pretraining is not None and evaluation is not None and accelerator.distributed_type == "FSDP":
            raise ValueError(
                "An evaluation during pre-training calls the encoder alone, whose weights FSDP shares out: pass no "
                "evaluation, and evaluate the checkpoint afterwards, or train with DDP (examples/accelerate/ddp.yaml)."
            )
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
        """The network to optimise, equal in all processes: the model, or what a pre-training objective prepares."""
        if self.pretraining is None:
            return self.bare_model
        recipe = self.recipe
        if recipe.mode == "linear":
            raise ValueError("mode='linear' trains a head only; pre-train an encoder with 'scratch' or 'finetune'.")
        if self.pretraining.num_views > 1 and not isinstance(train_clips, ClipDataset):
            raise ValueError(
                f"num_views={self.pretraining.num_views} needs a datasets.Dataset; pass one, or num_views=1."
            )
        fingerprint = str(train_clips.fingerprint()) if hasattr(train_clips, "fingerprint") else ""
        self.facts["objective"] = {"name": type(self.pretraining).__name__, **self.pretraining.settings()}
        set_seed(recipe.seed)
        if self.accelerator.num_processes > 1:
            for value in self.bare_model.to(self.accelerator.device).state_dict().values():
                broadcast(value)
        run = RunInfo(len(train_clips), fingerprint, self.updates_per_epoch, recipe.epochs, recipe.seed)
        network = self.pretraining.prepare(self.bare_model, run)
        check_same(self.accelerator, {"objective": self.facts["objective"]}, differences)
        return network

    def _resume(self) -> Progress:
        progress = in_all_processes(self.accelerator, self._saved_progress)
        check_same(self.accelerator, {"update to resume from": progress.step}, differences)
        return progress

    def _saved_progress(self) -> Progress:
        state = find_state(self.recipe)
        if state is None:
            return Progress()
        progress = read_progress(state, self.recipe, self.facts)
        load_state(state, self.accelerator)
        metrics = state.parent / "metrics.json"
        if metrics.is_file():
            self.metrics = dict(read_json(metrics))
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
                    self._info(
                        f"{self.batch_size} clips per update: the training set has less than {recipe.batch_size}."
                    )
                self.clock = time.perf_counter() - progress.seconds
                while self.progress.epoch < recipe.epochs:
                    self._epoch()
        finally:
            for tracker in trackers:
                tracker.finish()
            self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)  # removes autocast from the forward
            self.network.eval()
            self.accelerator.free_memory()
        return self._result()

    def _info(self, message: str) -> None:
        if self.is_main_process:
            logger.info(message)

    def _report_machine(self) -> None:
        """Logs the precision that "auto" chose, and differences from the machine of an interrupted run."""
        machines, now = self.progress.machines, self._machine()
        if self.recipe.mixed_precision == "auto":
            self._info(f"mixed_precision auto: {self.precision}.")
        before = machines[-1] if machines else now
        changed = [f"{name} {before[name]} -> {now[name]}" for name in now if before.get(name, now[name]) != now[name]]
        if changed:
            keep = f" --mixed_precision {before['mixed_precision']} keeps its precision." * (
                before["mixed_precision"] != now["mixed_precision"]
            )
            self._info(
                f"From update {self.progress.step} on the machine differs ({', '.join(changed)}): the run no longer "
                f"equals an uninterrupted one bit for bit.{keep}"
            )
        if changed or not machines:
            machines.append(now)

    def _machine(self) -> dict[str, Any]:
        return machine_facts(self.precision.name, self.accelerator.num_processes)

    @contextmanager
    def losses_of_processes_told(self) -> Iterator[None]:
        """Raises ConnectionError, which is already printed, for what another process's end causes in this one."""
        try:
            yield
        except RuntimeError as error:
            if self.accelerator.num_processes == 1 or not connection_lost(error):
                raise
            lost = LostProcess(self._lost())
            if first_to_say("lost"):
                # Printed immediately: the launcher is about to end this process.
                print(f"motionhub: {lost}", file=sys.stderr, flush=True)
            raise lost from error

    def _epoch(self) -> None:
        progress = self.progress
        self.order.begin(progress.epoch, progress.epoch_updates)
        self.loader.set_epoch(progress.epoch)
        set_mode(self.network, self.recipe.mode)
        losses_since = RunningMean()
        for batch in self.loader:
            index = batch.pop("index", None)
            if self.pretraining is not None:
                batch |= self._entries(index)
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
        """Steps every optimizer and, once per update, its schedule."""
        held = self.pretraining is not None and not self.pretraining.ready()
        self.learning_rate = float(self.schedules[0].get_last_lr()[0])
        for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
            if held:
                optimizer.zero_grad()  # without gradients the step changes nothing
            optimizer.step()
            if self.accelerator.sync_gradients:
                schedule.step()
            optimizer.zero_grad()

    def _entries(self, index: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """The row and the seed of each entry of a pre-training batch."""
        assert self.pretraining is not None
        if index is None:
            raise ValueError("A pre-training objective needs the row of each clip: give items an 'index'.")
        seeds = seeds_of_entries(self.recipe.seed, self.progress.epoch, index, self.pretraining.num_views)
        return {"index": index, "seeds": seeds}

    def _lost(self) -> str:
        last = self.folder / "last"
        kept = f"The state of the last checkpoint is in {last}" if last.is_dir() else "There is no checkpoint yet"
        reason = posted_failure() or "it ended (killed, out of memory, its machine is gone)"
        return (
            f"After update {self.progress.step} process {self.accelerator.process_index} could not reach another "
            f"process of this run: {reason.rstrip('.')}. {kept}; the same command resumes from there."
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
                f"command with resume='auto' (the default) or resume={str(where)!r} resumes from there."
            )
            self._info(message)
            raise KeyboardInterrupt(message)

    def _log(self, losses: RunningMean) -> None:
        """Logs mean losses since the last record, over all processes."""
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
        """Runs the evaluation; returns whether the primary metric is the best so far."""
        progress = self.progress
        assert self.evaluation is not None
        self.model.eval()
        evaluated = self.model if self.pretraining is None else self.bare_model
        report = self.evaluation(evaluated, self.eval_loader, self.accelerator)
        if self.primary_metric not in report:
            raise ValueError(f"The evaluation has no {self.primary_metric!r}, only {list(report)}.")
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
            weights = gathered_weights(self.bare_model)
            if self.accelerator.is_main_process:
                save_model_folder(folder, self.bare_model, self.processor, self.recipe, self.metrics, weights)
            if with_state:
                save_state(folder / "state", self.accelerator, self.progress, self.facts)

        write_folder(self.folder / name, self.accelerator, write, self.progress.step)

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
