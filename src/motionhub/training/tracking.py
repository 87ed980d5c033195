"""Reports of a running training: `log.jsonl`, trackers of Accelerate, a progress bar and messages on stderr."""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, on_main_process
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from motionhub.training.arguments import TrainingRecipe


# Messages go to the handlers that a program adds here, else to stderr.
logger = logging.getLogger("motionhub.training")


class JsonlTracker(GeneralTracker):
    """Writes a line of JSON per record: {"kind": "train", "step": ..., "epoch": ..., numbers}.

    Lines after `first_update` are removed at the start: a resumed run repeats them.
    """

    name = "jsonl"
    requires_logging_directory = False

    def __init__(self, path: Path, first_update: int = 0) -> None:
        super().__init__()
        self.path, self.first_update = path, first_update

    @property
    def tracker(self) -> Path:
        return self.path

    @on_main_process
    def start(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.open("a", encoding="utf-8").close()
        except OSError as error:
            folder, reason = str(self.path.parent), error.strerror or error
            raise ValueError(f"output_dir {folder!r} cannot be written ({reason}); choose another folder.") from None
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        self.path.write_text("".join(filter(self._earlier, lines)), encoding="utf-8")

    def _earlier(self, line: str) -> bool:
        try:
            return bool(0 < self.first_update >= json.loads(line)["step"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return False  # truncated when the process was killed

    @on_main_process
    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        """Appends a record of values named KIND/NAME, all of one kind."""
        names = [name.partition("/") for name in values]
        numbers = dict(zip((name for _, _, name in names), values.values(), strict=True))
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": names[0][0], "step": step, **numbers}) + "\n")
        except OSError as error:  # a full disk costs this line; the next checkpoint decides whether to stop
            logger.info(f"{self.path} could not be written: {error}")


def start_trackers(recipe: TrainingRecipe, first_update: int) -> list[GeneralTracker]:
    """Starts `log.jsonl` and the trackers of `log_with`; a ValueError for a read-only folder or a missing package."""
    folder = Path(recipe.output_dir)
    trackers: list[GeneralTracker] = [JsonlTracker(folder / "log.jsonl", first_update)]
    trackers[0].start()
    for name in dict.fromkeys([*recipe.log_with, *(["tensorboard"] if recipe.tensorboard else [])]):
        try:
            if name == "tensorboard":
                tracker = LOGGER_TYPE_TO_CLASS[name](name, folder, purge_step=first_update + 1)
                tracker.start()
            else:
                tracker = LOGGER_TYPE_TO_CLASS[name]("motionhub", name=folder.name)
                tracker.start()
                tracker.store_init_configuration(asdict(recipe))
        except (ImportError, KeyError):  # accelerate 1.10 has no trackio
            package = "'motionhub[tensorboard]'" if name == "tensorboard" else f"-U accelerate {name}"
            raise ValueError(f"log_with={name!r} needs a package: pip install {package}, or leave it out.") from None
        trackers.append(tracker)
    return trackers


@contextmanager
def progress_bar(total: int, done: int, *, shown: bool) -> Iterator[tqdm]:
    """A bar on stderr, on terminals only, with messages above it."""
    hidden, level, own = not (shown and sys.stderr.isatty()), logger.level, not logger.handlers
    if own:
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        with (
            logging_redirect_tqdm([logger]) if own else nullcontext(),
            tqdm(total=total, initial=done, disable=hidden, unit="update", dynamic_ncols=True) as bar,
        ):
            yield bar
    finally:
        if own:
            logger.setLevel(level)
            logger.propagate = True


class RunningMean:
    """Mean losses since the last reset, summed on the device, without waiting for a GPU."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.passes, self.updates, self.started = 0, 0, time.perf_counter()

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        self.passes += 1
        for name, value in losses.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def means(self) -> dict[str, torch.Tensor]:
        return {name: total / self.passes for name, total in self.sums.items()}

    def elapsed(self) -> float:
        return max(time.perf_counter() - self.started, 1e-9)
