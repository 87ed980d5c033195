"""The README.md of a saved dataset: YAML configs for `datasets`, one per protocol, and prose.

Datasets that may not be redistributed get a second card without clips, the recipe: how to build the same dataset from
the authors' files, and the expected counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData

from motionhub.data.build.shards import Cell, Staged
from motionhub.data.datasets.dataset import Dataset
from motionhub.data.datasets.licences import UNSTATED, OwnTerms, hub_licence, lets_pass_on
from motionhub.data.datasets.protocols import Protocol, Split
from motionhub.data.formats.schema import features
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import COLUMNS, SCHEMA_VERSION


SPLITS = ("train", "test")


@dataclass(frozen=True)
class CardFacts:
    """The contents of a card.

    Args:
        reader: the dataset.
        cells: its clips, grouped by their splits under the protocols.
        splits: protocol -> the split of each cell; the first protocol is the default config.
        skipped: protocols with a split that these files leave empty.
        frames: `(clips,)` frames of every clip.
        staged: counts of joints and missing joints, and one line per broken file.
        exclude: names of the exclusion lists that were applied.
        image: file name of an image of the layout, or None.
        differences: counts that differ from the papers'; None: not compared.
    """

    reader: Dataset
    cells: Sequence[Cell]
    splits: Mapping[Protocol, Sequence[Split]]
    skipped: Sequence[Protocol]
    frames: np.ndarray
    staged: Staged
    exclude: Sequence[str] = ()
    image: str | None = None
    differences: Sequence[str] | None = None

    def inside(self, protocol: Protocol, split: Split) -> list[Cell]:
        """The cells of one split."""
        return [cell for cell, own in zip(self.cells, self.splits[protocol], strict=True) if own == split]

    @property
    def counted(self) -> str:
        """The labelled unit: clips, frames, or actions that may overlap."""
        kinds = ("Actions", "Frames")
        return next((kind for kind in kinds if any(cell.counts[kind].any() for cell in self.cells)), "Clips")


def is_open(reader: Dataset) -> bool:
    """Whether the dataset's licence allows redistribution of its clips (`licences.lets_pass_on`)."""
    return lets_pass_on(reader.licence, by_owner=reader.owned_by_user)


def under(reader: Dataset, terms: OwnTerms | None) -> Dataset:
    """The user's own dataset under the terms they state. Raises ValueError for datasets of other authors."""
    if terms is None:
        return reader
    if not reader.owned_by_user:
        raise ValueError(
            f"{reader.title}: its authors set its licence, home page and citation ({reader.licence}); leave out "
            "--licence, --homepage and --citation. They are for clips of your own: dataset build folder."
        )
    return replace(reader, licence=terms.licence, homepage=terms.homepage, citation=terms.citation)


def render_dataset_card(card: CardFacts, recipe: bool = False) -> str:
    """The card beside the clips, or the recipe: how to build the dataset, and the expected counts."""
    from jinja2 import Environment

    template = Path(__file__).with_name("templates") / "dataset_card.md"
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters["plain"] = plain
    reader, licence = card.reader, card.reader.licence
    # Several lists are found beside the files again; a single one may lie elsewhere.
    options = f" --exclude {card.exclude[0]}" if len(card.exclude) == 1 else ""
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        card=card,
        reader=reader,
        layout=get_layout(reader.layout),
        metadata=_metadata(card, recipe),
        recipe=recipe,
        options=options + (" --expect subset" if card.differences else ""),
        open=is_open(reader),
        unstated=licence == UNSTATED,
        terms="No licence is stated."
        if licence == UNSTATED
        else f"{licence if hub_licence(licence) else licence[0].upper() + licence[1:]}.",
        median=np.median(card.frames),
        missing_percent=100 * card.staged.missing / max(card.staged.joints, 1),
        schema_version=SCHEMA_VERSION,
        columns=COLUMNS,
        config=next((protocol.name for protocol in card.splits), "full"),
        split="train" if card.splits else "full",
        protocols=[
            (protocol, *(_clips(card.inside(protocol, split)) for split in SPLITS)) for protocol in card.splits
        ],
        table=_class_table(card),
    )


def plain(text: str) -> str:
    """A name or message of a stranger in Markdown: no HTML, link, image, cell of a table or control character."""
    shown = "".join(char if char.isprintable() else "?" for char in str(text))
    return re.sub(r"\](?=[(\[])", r"\\]", shown.replace("<", "&lt;").replace("|", r"\|"))


def _terms(reader: Dataset) -> dict[str, Any]:
    tags = {"tags": ["skeleton", "human-motion", "action-recognition", "motionhub"]}
    known = hub_licence(reader.licence)
    if known is not None:
        return {"license": known, **tags}
    if reader.licence == UNSTATED:
        return tags
    return {"license": "other", "license_name": f"{reader.name}-terms", "license_link": reader.homepage, **tags}


def _metadata(card: CardFacts, recipe: bool) -> str:
    reader = card.reader
    if recipe:
        return str(DatasetCardData(pretty_name=f"{reader.title} (recipe)", **_terms(reader)).to_yaml())
    data = DatasetCardData(pretty_name=reader.title, configs=_configs(card), **_terms(reader))
    infos = DatasetInfosDict()
    for name, splits in _cells_of_configs(card).items():
        sizes = SplitDict()
        for split, cells in splits.items():
            sizes[split] = SplitInfo(split, sum(cell.num_bytes for cell in cells), _clips(cells))
        infos[name] = DatasetInfo(config_name=name, features=features(reader.class_names), splits=sizes)
    infos.to_dataset_card_data(data)
    return str(data.to_yaml())


def _cells_of_configs(card: CardFacts) -> dict[str, dict[str, list[Cell]]]:
    """Config -> split -> cells."""
    configs = {protocol.name: {split: card.inside(protocol, split) for split in SPLITS} for protocol in card.splits}
    return {**configs, "full": {"full": list(card.cells)}}


def _configs(card: CardFacts) -> list[dict[str, Any]]:
    """The `configs:` of the card; `load_dataset` takes the first by default."""
    configs: list[dict[str, Any]] = []
    for name, splits in _cells_of_configs(card).items():
        files = [
            {"split": split, "path": [f"{cell.folder}/*.parquet" for cell in chosen]}
            for split, chosen in splits.items()
        ]
        configs.append({"config_name": name, "data_files": files})
    configs[0]["default"] = True
    return configs


def _clips(cells: Sequence[Cell]) -> int:
    return sum(cell.num_clips for cell in cells)


def _class_table(card: CardFacts) -> list[list[str]]:
    """Clips (or labelled frames, or actions) per class; the total includes unlabelled ones."""
    columns = {"all": list(card.cells)}
    columns |= {f"{each.name} {split}": card.inside(each, split) for each in card.splits for split in SPLITS}
    names = card.reader.class_names
    none = np.zeros(len(names) + 1, np.int64)
    counts = np.array([sum((cell.counts[card.counted] for cell in cells), none) for cells in columns.values()])
    rows = [[name, *map(str, counts[:, label])] for label, name in enumerate(names)]
    return [["class", *columns], *rows, ["total", *map(str, counts.sum(axis=1))]]
