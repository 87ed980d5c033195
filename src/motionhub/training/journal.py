"""What a run tells while it goes on: log.jsonl, a progress bar, optional TensorBoard; by the main process only.

It does not decide anything and nothing of it is needed to resume.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm


class Journal:
    """One line of JSON per record, and the same numbers on the progress bar and in TensorBoard.

    Args:
        folder: where `log.jsonl` is.
        total_updates, first_update: of the whole run, and done before (lines of later updates are cut off: that part
            of an interrupted run is done again).
        active: False in every process but the main one: then nothing is written.
    """

    def __init__(
        self,
        folder: Path,
        total_updates: int,
        first_update: int,
        *,
        active: bool,
        progress_bar: bool,
        tensorboard: bool,
    ) -> None:
        self.path, self.active = folder / "log.jsonl", active
        if active:
            _make(folder)
        self.board = _summary_writer(folder / "tensorboard", first_update) if active and tensorboard else None
        hidden = not (active and progress_bar and sys.stderr.isatty())
        self.bar = tqdm(total=total_updates, initial=first_update, disable=hidden, unit="update", dynamic_ncols=True)
        if active:
            self._keep_until(first_update)

    def advance(self) -> None:
        """One more update is done."""
        self.bar.update()

    def write(self, kind: str, step: int, epoch: int, numbers: dict[str, Any]) -> None:
        """Append a record; the scalar numbers also go to the bar and to TensorBoard."""
        if not self.active:
            return
        record = {"kind": kind, "step": step, "epoch": epoch, **numbers}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:  # a full disk costs this line; whether to stop is for the next checkpoint to say
            self.say(f"{self.path} could not be written: {error}")
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in numbers.items() if isinstance(value, float)})
        if self.board is not None:
            for name, value in numbers.items():
                if isinstance(value, int | float):
                    self.board.add_scalar(f"{kind}/{name}", value, step)

    def say(self, text: str) -> None:
        """A line for the reader, above the progress bar."""
        if self.active:
            self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()
        if self.board is not None:
            self.board.close()

    def _keep_until(self, update: int) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= update and update > 0:
                    kept.append(line + "\n")
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # a line cut short when the process was killed
        self.path.write_text("".join(kept), encoding="utf-8")


def _summary_writer(folder: Path, first_update: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError(
            "tensorboard=True needs TensorBoard: pip install 'motionhub[tensorboard]', or set tensorboard=False."
        ) from None
    return SummaryWriter(folder, purge_step=first_update + 1)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.jsonl").open("a", encoding="utf-8").close()
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"output_dir {str(folder)!r} cannot be written ({reason}); give another folder.") from None
