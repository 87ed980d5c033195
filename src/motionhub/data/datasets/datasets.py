"""The datasets by name and alias; to add one: its file, a table in `datasets.toml`, a line here or in `reading.py`."""

import re
from difflib import get_close_matches

from motionhub.data.datasets import babel, bones_seed, charades, cmu, folder, humanml3d, posecap, snapmogen
from motionhub.data.datasets.dataset import Dataset
from motionhub.data.datasets.protocols import Protocol, random_80_20
from motionhub.data.datasets.reading import OWN_FORMATS


_DESCRIBED = (humanml3d.DATASET, humanml3d.KIT, babel.DATASET, bones_seed.DATASET, cmu.DATASET, snapmogen.DATASET)
_DATASETS = (*OWN_FORMATS, *_DESCRIBED, charades.DATASET, posecap.DATASET, posecap.DATASET_3D, folder.DATASET)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _DATASETS}
# The public name.
READERS = DATASETS
_SEEDED = re.compile(r"(random-80-20)-seed-(\d{1,9})")


def get_dataset(name: str) -> Dataset:
    """The dataset called `name`, in any spelling, also by an alias. Raises ValueError with the nearest names."""
    known = {alias: dataset.name for dataset in DATASETS.values() for alias in dataset.aliases}
    known |= {_folded(each): each for each in DATASETS}
    if _folded(name) in known:
        return DATASETS[known[_folded(name)]]
    near = get_close_matches(_folded(name)[:80], known, n=6, cutoff=0.6)
    nearest = list(dict.fromkeys(known[each] for each in near))[:3]
    hint = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    raise ValueError(f"No reader is called {name!r}.{hint} The readers are {sorted(DATASETS)}.")


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def get_protocol(dataset: str, name: str) -> Protocol:
    """The protocol `name` of a dataset; `random-80-20-seed-7` is `random-80-20` with seed 7.

    Raises:
        ValueError: there is no such dataset or protocol; the message lists the existing ones.
    """
    protocols = {protocol.name: protocol for protocol in get_dataset(dataset).protocols}
    seeded = _SEEDED.fullmatch(name)
    if seeded and seeded.group(1) in protocols:
        return random_80_20(int(seeded.group(2)))
    if name not in protocols:
        raise ValueError(f"{dataset!r} has no protocol {name!r}; it has {list(protocols)}.")
    return protocols[name]
