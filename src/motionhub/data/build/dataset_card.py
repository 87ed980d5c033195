"""The README.md of a saved dataset: YAML that tells `datasets` which files make which protocol, and prose for people.

Data that may not be passed on get two cards: that of the clips, which stay where they are, and the recipe card, which
can be published: how to make the same dataset out of the authors' files, and what must come out.
"""

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
    """What a card tells.

    Args:
        reader: the dataset.
        cells: its clips, by what the protocols do with them.
        splits: protocol -> the split of each cell; the first protocol is the default config.
        skipped: protocols that these files cannot fill.
        frames: `(clips,)` frames of every clip.
        staged: joints of all clips, those that were not seen, and one line per file that was left out.
        exclude: names of the lists of clips that were left out on purpose.
        picture: file name of an image of the layout, or None.
        differences: what is not as the papers count it; None: not counted.
    """

    reader: Dataset
    cells: Sequence[Cell]
    splits: Mapping[Protocol, Sequence[Split]]
    skipped: Sequence[Protocol]
    frames: np.ndarray
    staged: Staged
    exclude: Sequence[str] = ()
    picture: str | None = None
    differences: Sequence[str] | None = None

    def inside(self, protocol: Protocol, split: Split) -> list[Cell]:
        """The cells of one split."""
        return [cell for cell, own in zip(self.cells, self.splits[protocol], strict=True) if own == split]

    @property
    def counted(self) -> str:
        """What has the labels: clips, frames, or actions that may overlap."""
        kinds = ("Actions", "Frames")
        return next((kind for kind in kinds if any(cell.counts[kind].any() for cell in self.cells)), "Clips")


def is_open(reader: Dataset) -> bool:
    """Whether the dataset's licence lets others pass its clips on (`licences.lets_pass_on`)."""
    return lets_pass_on(reader.licence, by_owner=reader.owned_by_user)


def under(reader: Dataset, terms: OwnTerms | None) -> Dataset:
    """The user's own data under the terms they state. Raises ValueError for other data: those have their authors'."""
    if terms is None:
        return reader
    if not reader.owned_by_user:
        raise ValueError(
            f"{reader.title}: its licence, home page and citation are its authors' ({reader.licence}); leave "
            "--licence, --homepage and --citation out. They are for clips of your own: dataset build folder."
        )
    return replace(reader, licence=terms.licence, homepage=terms.homepage, citation=terms.citation)


def render_dataset_card(card: CardFacts) -> str:
    """The card that lies with the clips."""
    return _rendered(card, _metadata(card), recipe=False)


def render_recipe_card(card: CardFacts) -> str:
    """The card that may be published where the clips may not: how to make them, and what must come out."""
    data = DatasetCardData(pretty_name=f"{card.reader.title} (recipe)", **_terms(card.reader))
    return _rendered(card, str(data.to_yaml()), recipe=True)


def _rendered(card: CardFacts, metadata: str, recipe: bool) -> str:
    from jinja2 import Environment

    template = Path(__file__).with_name("templates") / "dataset_card.md"
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    reader, licence = card.reader, card.reader.licence
    # Several lists lay with the files, where they are found again.
    options = f" --exclude {card.exclude[0]}" if len(card.exclude) == 1 else ""
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        card=card,
        reader=reader,
        layout=get_layout(reader.layout),
        metadata=metadata,
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


def _terms(reader: Dataset) -> dict[str, Any]:
    tags = {"tags": ["skeleton", "human-motion", "action-recognition", "motionhub"]}
    known = hub_licence(reader.licence)
    if known is not None:
        return {"license": known, **tags}
    if reader.licence == UNSTATED:
        return tags
    return {"license": "other", "license_name": f"{reader.name}-terms", "license_link": reader.homepage, **tags}


def _metadata(card: CardFacts) -> str:
    reader = card.reader
    data = DatasetCardData(pretty_name=reader.title, configs=_configs(card), **_terms(reader))
    infos = {name: _dataset_info(name, reader, splits) for name, splits in _cells_of_configs(card).items()}
    DatasetInfosDict(infos).to_dataset_card_data(data)
    return str(data.to_yaml())


def _dataset_info(name: str, reader: Dataset, splits: Mapping[str, Sequence[Cell]]) -> DatasetInfo:
    sizes = {
        split: SplitInfo(split, sum(cell.num_bytes for cell in cells), _clips(cells))
        for split, cells in splits.items()
    }
    return DatasetInfo(config_name=name, features=features(reader.class_names), splits=SplitDict(sizes))


def _cells_of_configs(card: CardFacts) -> dict[str, dict[str, list[Cell]]]:
    """Config -> split -> cells."""
    configs = {protocol.name: {split: card.inside(protocol, split) for split in SPLITS} for protocol in card.splits}
    return {**configs, "full": {"full": list(card.cells)}}


def _configs(card: CardFacts) -> list[dict[str, Any]]:
    """The `configs:` of the card; the first is what `load_dataset` takes when no name is given."""
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
    """Clips per class, or frames or actions where those have labels; the total counts those without one too."""
    columns = {"all": list(card.cells)}
    columns |= {f"{each.name} {split}": card.inside(each, split) for each in card.splits for split in SPLITS}
    names = card.reader.class_names
    none = np.zeros(len(names) + 1, np.int64)
    counts = np.array([sum((cell.counts[card.counted] for cell in cells), none) for cells in columns.values()])
    rows = [[name, *map(str, counts[:, label])] for label, name in enumerate(names)]
    return [["class", *columns], *rows, ["total", *map(str, counts.sum(axis=1))]]
