"""A pytest plugin (`-p other_machine`): folders list their files in another order, as on another file system."""

import os
import random
from collections.abc import Iterator
from typing import Any


LISTDIR, SCANDIR = os.listdir, os.scandir
ORDER = random.Random(7)


class ShuffledScan:
    """What `os.scandir` gives, in another order."""

    def __init__(self, *where: Any) -> None:
        with SCANDIR(*where) as entries:
            self.entries = list(entries)
        ORDER.shuffle(self.entries)
        self.rest = iter(self.entries)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self.rest)

    def __enter__(self) -> "ShuffledScan":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.rest = iter(())


def shuffled_listdir(*where: Any) -> list[Any]:
    names = LISTDIR(*where)
    ORDER.shuffle(names)
    return names


os.listdir, os.scandir = shuffled_listdir, ShuffledScan
