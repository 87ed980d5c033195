"""A progress bar for work that leaves a file behind whenever a part of it is done, whoever does it and where.

It does not know what the parts are.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm.auto import tqdm


class FolderProgress:
    """A bar that counts the sources of finished parts by looking at the folder, so that it serves every engine."""

    def __init__(self, folder: Path, parts: Mapping[str, Sequence[str]], progress: bool | None) -> None:
        self.folder, self.pending = folder, {name: len(part) for name, part in parts.items()}
        total = sum(self.pending.values())
        # tqdm: disable=None is "off where stderr is no terminal"
        disable = None if progress is None else not progress
        self.bar = tqdm(total=total, desc="reading", unit=" files", disable=disable)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "FolderProgress":
        if not self.bar.disable:
            self._look()
            self.bar.initial = self.bar.n  # what was there before does not count as speed
            self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        if not self.bar.disable:
            self.thread.join()
            self._look()
        self.bar.close()

    def _watch(self) -> None:
        while not self.stopped.wait(0.5):
            self._look()

    def _look(self) -> None:
        done = [name for name in self.pending if (self.folder / f"{name}.json").is_file()]
        self.bar.update(sum(self.pending.pop(name) for name in done))
