"""The arguments of a run: `RunArguments` names data and model, `TrainingRecipe` holds the checked hyperparameters."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from motionhub.bounded import read_json
from motionhub.hub.packaged import folder_of, model_id, similar_ids


# Facts of the machine: a later run does not take them from a checkpoint's training.json.
MACHINE_FIELDS = {"num_workers", "output_dir", "resume", "checkpoint_epochs", "checkpoint_updates", "log_updates"}
MACHINE_FIELDS |= {"cpu", "num_processes", "timeout", "log_with", "tensorboard", "progress_bar"}
# A resumed run may change these, and `epochs` without the cosine schedule.
FREE_ON_RESUME = MACHINE_FIELDS | {"repeat_classes", "milestones", "eval_batch_size", "eval_epochs", "source"}
FREE_ON_RESUME |= {"gradient_accumulation_steps"}
TRACKERS = ("tensorboard", "wandb", "trackio")


def option(default: Any, text: str) -> Any:
    """A dataclass field whose `help` becomes the command-line help."""
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass
class RunArguments:
    """Names the data and the model of a run.

    Examples:
        >>> arguments = motionhub.RunArguments(dataset="data/waves", model="unik-posetics")
        >>> arguments.eval_split, arguments.layout
        ('test', 'checkpoint')
    """

    dataset: str = field(metadata={"help": "A reader (n-ucla, ...) with --data_root, else a saved dataset or Hub id."})
    model: str = field(
        metadata={"help": "Folder, Hub id or packaged name of a checkpoint; for --mode scratch, configs are enough."}
    )
    data_root: str | None = option(None, "Folder or zip file with the raw files.")
    protocol: str | None = option(None, "Split, e.g. cross-subject; the first by default.")
    eval_split: str = option("test", "Split to evaluate on.")
    layout: str = option("checkpoint", "'dataset' (with scratch) keeps the data's joints.")
    recipe: str | None = option(
        None,
        "training.json, or a folder or packaged name with one, to follow instead of the model's own; the folder's "
        "preprocessor_config.json prepares the clips, in the model's layout.",
    )
    class_order: Literal["dataset", "protocol"] = option(
        "dataset",
        "'protocol' numbers the classes as the protocol does (Smarthome's cv1 and cv2: 19 classes in an order of "
        "their own), 'dataset' as the dataset does.",
    )
    stream: bool = option(False, "Read a saved dataset shard by shard, for datasets larger than memory.")

    def __post_init__(self) -> None:
        self.model = model_id(self.model)


@dataclass
class TrainingRecipe:
    """The hyperparameters of `train`; the defaults are those of UNIK's official yaml files.

    `batch_size` counts the clips of one parameter update. Processes and accumulation steps share them, so neither
    changes the result (up to rounding; batch norm sees the clips of one forward pass only).

    Examples:
        >>> recipe = motionhub.TrainingRecipe(mode="scratch", epochs=10, milestones=[6, 8])
        >>> recipe.replace(batch_size=8).batch_size
        8
    """

    mode: Literal["finetune", "linear", "scratch"] = option(
        "finetune",
        "finetune: train all weights of a checkpoint. linear: train the head only; the backbone and its batch-norm "
        "statistics are frozen. scratch: train all weights from random ones.",
    )
    label_fraction: float = option(1.0, "Share of the training clips of each class to use, e.g. 0.05 (few-label).")
    repeat_classes: Literal["none", "smarthome-cross-view"] = option(
        "none",
        "smarthome-cross-view: repeat training clips of rare classes in an epoch, as UNIK's code does for Smarthome's "
        "cv1 and cv2. none: every clip once.",
    )
    optimizer: Literal["sgd", "adamw"] = option("sgd", "sgd with Nesterov momentum, or adamw.")
    learning_rate: float = option(0.1, "Learning rate at the start (step) or after the warm-up (cosine).")
    momentum: float = option(0.9, "Momentum of sgd.")
    weight_decay: float = option(1e-4, "Weight decay. adamw does not apply it to biases and norm weights.")
    schedule: Literal["step", "cosine"] = option("step", "step: times gamma at each milestone. cosine: down to 0.")
    milestones: list[int] = option([30, 40], "Epochs (0-based) at which the learning rate is multiplied by gamma.")
    gamma: float = option(0.1, "Factor of the step schedule.")
    warmup_epochs: float = option(0.0, "Linear warm-up of either schedule, in epochs.")
    epochs: int = option(
        50, "Passes over the training clips. A resumed run may have more, except with cosine, which ends at the last."
    )
    batch_size: int = option(32, "Clips of one parameter update, over all processes and accumulation steps.")
    eval_batch_size: int = option(64, "Clips of one evaluation batch, over all processes.")
    gradient_accumulation_steps: int = option(1, "Cut an update into this many forward passes, to save memory.")
    drop_last: bool = option(
        True,
        "Drop the clips that do not fill the last update of an epoch; otherwise clips of its start fill the update.",
    )
    max_grad_norm: float | None = option(None, "Clip the norm of the gradient to this; none: no clipping.")
    mixed_precision: Literal["auto", "bf16", "no"] = option(
        "auto",
        "bf16: autocast the forward pass to bfloat16. no: float32. auto: bf16 where the hardware supports it (CPU: "
        "AVX-512-BF16 or AMX), else float32; the log says which.",
    )
    label_smoothing: float = option(0.0, "Cross-entropy label smoothing, 0 to below 1.")
    augmentation: str | None = option(
        None,
        "Augmentation of skeleton clips, as JSON fields of AugmentationPolicy, e.g. "
        '{"mirror_probability": 0.5}. none: that of the checkpoint\'s processor.',
    )
    seed: int = option(1, "Seed of order, augmentation, dropout and the few-label choice.")
    num_workers: int = option(0, "Data loader workers per training process; they do not change the result.")
    output_dir: str = option("runs/motionhub", "Folder for checkpoints (best/, last/), metrics and log.jsonl.")
    resume: str = option(
        "auto",
        "auto: resume from output_dir/last if it exists. none: start anew. Or a folder such as runs/x/last.",
    )
    eval_epochs: int = option(1, "Evaluate every this many epochs, and after the last one.")
    checkpoint_epochs: int = option(1, "Save last/ every this many epochs, and after the last one.")
    checkpoint_updates: int | None = option(None, "Also save last/ every this many updates, inside long epochs.")
    log_updates: int = option(10, "Write a line to log.jsonl every this many updates.")
    cpu: bool = option(False, "Use the CPU even if there is an accelerator.")
    num_processes: int | None = option(None, "Require this number of processes. none: any number.")
    timeout: int = option(600, "Seconds that a process waits for another one before the run ends with an error.")
    log_with: list[str] = option([], "Accelerate trackers besides log.jsonl: tensorboard, wandb, trackio.")
    tensorboard: bool = option(False, "Same as --log_with tensorboard: events in output_dir/tensorboard.")
    progress_bar: bool = option(True, "Show a progress bar, on terminals only.")
    source: str = option("", "Source of these hyperparameters; has no effect.")

    def __post_init__(self) -> None:
        for entry in fields(self):
            allowed = get_args(entry.type)
            if getattr(entry.type, "__origin__", None) is Literal and getattr(self, entry.name) not in allowed:
                raise ValueError(f"{entry.name} must be one of {allowed}, got {getattr(self, entry.name)!r}.")
        trackers: Any = self.log_with
        self.log_with = [trackers] if isinstance(trackers, str) else list(trackers)
        if unknown := sorted(set(self.log_with) - set(TRACKERS)):
            raise ValueError(f"log_with must be of {TRACKERS}, got {unknown}.")
        self._check_numbers()
        if self.schedule == "step" and sorted(set(self.milestones)) != list(self.milestones):
            raise ValueError(f"milestones must be epochs in rising order, e.g. [30, 40], got {self.milestones}.")

    def _check_numbers(self) -> None:
        counts = ["epochs", "batch_size", "eval_batch_size", "gradient_accumulation_steps"]
        counts += ["eval_epochs", "checkpoint_epochs", "log_updates", "timeout"]
        counts += [name for name in ("checkpoint_updates", "num_processes") if getattr(self, name) is not None]
        for name in counts:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
        ranges = {
            "label_fraction": (0.0 < self.label_fraction <= 1.0, "in (0, 1]"),
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "momentum": (0 <= self.momentum < 1, "in [0, 1)"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "gamma": (0 < self.gamma <= 1, "in (0, 1]"),
            "warmup_epochs": (self.warmup_epochs >= 0, "at least 0"),
            "max_grad_norm": (self.max_grad_norm is None or self.max_grad_norm > 0, "above 0, or none"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "in [0, 1)"),
            "num_workers": (self.num_workers >= 0, "at least 0"),
            "seed": (self.seed >= 0, "at least 0"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:  # a NaN fits nowhere
                raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}.")
        if self.batch_size % self.gradient_accumulation_steps:
            raise ValueError(
                "batch_size counts the clips of one update, so it must be a multiple of gradient_accumulation_steps "
                f"({self.gradient_accumulation_steps}); got {self.batch_size}."
            )

    @classmethod
    def from_file(cls, path: str | Path, **changes: Any) -> "TrainingRecipe":
        """The recipe in a JSON file such as `hub_configs/<checkpoint>/training.json`, with some fields changed.

        Raises:
            ValueError: no such file, not JSON, an unknown field, or a value out of range.
        """
        return cls(**{**read_recipe_file(path), **changes})

    def to_file(self, path: str | Path, *, machine: bool = True) -> None:
        """Writes the fields as JSON, without MACHINE_FIELDS unless `machine`."""
        content = {name: value for name, value in asdict(self).items() if machine or name not in MACHINE_FIELDS}
        Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def fixed_on_resume(self) -> dict[str, Any]:
        """The fields that a resumed run must not change."""
        free = FREE_ON_RESUME if self.schedule == "cosine" else FREE_ON_RESUME | {"epochs"}
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in free}

    def replace(self, **changes: Any) -> "TrainingRecipe":
        """A checked copy with some fields changed."""
        return replace(self, **changes)


def read_recipe_file(path: str | Path) -> dict[str, Any]:
    """The fields of a recipe file, e.g. for `parser.set_defaults(**fields)`.

    Args:
        path: a JSON file, a folder with a training.json, or a packaged name such as `unik-penn`.

    Examples:
        >>> motionhub.TrainingRecipe(epochs=3).to_file("training.json")
        >>> motionhub.read_recipe_file("training.json")["epochs"]
        3
    """
    path = folder_of(path)
    if path.is_dir():
        path = path / "training.json"
    try:
        content = read_json(path, object)
    except FileNotFoundError:
        similar = similar_ids(str(path))
        meant = f"Did you mean {' or '.join(similar)}? Or write" if similar else "Write"
        raise ValueError(
            f"No recipe at {path}. {meant} one with TrainingRecipe(...).to_file({str(path)!r})."
        ) from None
    known = [entry.name for entry in fields(TrainingRecipe)]
    unknown = sorted(set(content) - set(known)) if isinstance(content, dict) else None
    if unknown is None or unknown:
        raise ValueError(
            f"{path} must be a JSON object with fields of TrainingRecipe ({', '.join(known)}), got {unknown}."
        )
    return content
