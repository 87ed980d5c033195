"""The README.md of a saved dataset: YAML that tells `datasets` which files make which protocol, and prose for people.

It does not write files and does not decide who trains (`splits.py`).

Data that may not be passed on get two cards: that of the clips, which stay where they are, and the recipe card, which
can be published: how to make the same dataset out of the authors' files, and what must come out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData

from motionhub.data.build.shards import Cell
from motionhub.data.datasets.dataset import Dataset
from motionhub.data.datasets.licences import UNSTATED, OwnTerms, hub_licence, lets_pass_on
from motionhub.data.datasets.protocols import Protocol, Split
from motionhub.data.formats.schema import features
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import COLUMNS, SCHEMA_VERSION


@dataclass(frozen=True)
class CardFacts:
    """What a card tells.

    Args:
        reader: the data set.
        cells: its clips, by what the protocols do with them.
        splits: protocol -> the split of each cell; the first protocol is the default config.
        skipped: protocols that these files cannot fill.
        frames: `(clips,)` frames of every clip.
        joints, missing: joints of all clips, and those that were not seen.
        broken: one line per file that was left out.
        exclude: names of the lists of clips that were left out on purpose.
        picture: file name of a picture of the layout, or None.
        differences: what is not as the papers count it; None: nobody counted.
    """

    reader: Dataset
    cells: Sequence[Cell]
    splits: Mapping[Protocol, Sequence[Split]]
    skipped: Sequence[Protocol]
    frames: np.ndarray
    joints: int
    missing: int
    broken: Sequence[str] = ()
    exclude: Sequence[str] = ()
    picture: str | None = None
    differences: Sequence[str] | None = None

    def inside(self, protocol: Protocol, split: Split) -> list[Cell]:
        """The cells of one split."""
        return [cell for cell, own in zip(self.cells, self.splits[protocol], strict=True) if own == split]

    @property
    def counted(self) -> str:
        """What has the labels: clips, frames, or actions that may overlap."""
        if any(cell.num_segments for cell in self.cells):
            return "Actions"
        return "Frames" if any(cell.num_frame_labels for cell in self.cells) else "Clips"


def is_open(reader: Dataset) -> bool:
    """Whether the data set's licence lets others pass its clips on (`licences.lets_pass_on`)."""
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
    reader = card.reader
    sections = [
        f"# {reader.title}",
        *([] if is_open(reader) else [_warning(reader)]),
        _introduction(card),
        "## Use",
        _usage(card.splits),
        *_facts(card),
        "## Columns",
        "\n".join(f"- `{name}`: {reader.column_notes.get(name, text)}" for name, text in COLUMNS.items()),
        *_joints(card),
        *_provenance(card),
    ]
    return f"---\n{_metadata(card)}\n---\n\n" + "\n\n".join(sections) + "\n"


def render_recipe_card(card: CardFacts) -> str:
    """The card that may be published where the clips may not: how to make them, and what must come out."""
    reader = card.reader
    data = DatasetCardData(pretty_name=f"{reader.title} (recipe)", **_terms(reader))
    # Several lists lay with the files, where they are found again.
    options = f" --exclude {card.exclude[0]}" if len(card.exclude) == 1 else ""
    options += " --expect subset" if card.differences else ""
    sections = [
        f"# {reader.title}: the recipe",
        f"This repository holds no clips. Their terms ({reader.licence}) leave it to their authors to hand them out: "
        f"get the files from {reader.homepage}, then make the dataset:",
        f"```bash\npip install motionhub\nmotionhub dataset build {reader.name} --raw FOLDER_OR_ZIP --out "
        f"data/{reader.name}{options}\n```",
        "What follows is what came out of the files at hand; yours should give the same numbers.",
        _introduction(card),
        *_facts(card),
        *_joints(card),
        *_provenance(card),
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _warning(reader: Dataset) -> str:
    if reader.licence == UNSTATED:
        return (
            "> **No licence is stated**, so nobody may publish these clips. If they are yours to publish, make the "
            "dataset again with `--licence`, such as `--licence cc-by-4.0`."
        )
    return (
        f"> **Not to be published.** The terms of these clips: {reader.licence}. What may be published is the folder "
        "`recipe`, a card without clips that says how to make this dataset."
    )


def _facts(card: CardFacts) -> list[str]:
    return [
        "## Protocols",
        _protocols(card),
        f"## {card.counted} per class and split",
        _class_table(card),
        *_counts(card),
    ]


def _counts(card: CardFacts) -> list[str]:
    if card.differences is None:
        return []
    listed = "\n".join(f"- {line}" for line in card.differences)
    text = (
        f"Not as the papers count:\n\n{listed}" if listed else "Clips, classes and performers are as many as stated."
    )
    return ["## Beside the papers' counts", text]


def _joints(card: CardFacts) -> list[str]:
    layout = get_layout(card.reader.layout)
    picture = [f"![The joints of {layout.name}]({card.picture})"] if card.picture else []
    return ["## Joints", *picture, ", ".join(f"{index} {joint}" for index, joint in enumerate(layout.joints))]


def _provenance(card: CardFacts) -> list[str]:
    reader = card.reader
    sections = [
        "## Licence and citation",
        _licence(reader),
        "## How it was made",
        f"{reader.provenance}. motionhub's reader `{reader.name}` resampled, filtered and normalised nothing.",
    ]
    if card.exclude:
        lists = ", ".join(f"`{name}`" for name in card.exclude)
        sections += ["## Clips left out", f"The clips named in the list{'s' * (len(card.exclude) > 1)} {lists}."]
    if card.broken:
        listed = "\n".join(f"- {line}" for line in card.broken)
        sections += ["## Files left out", f"{len(card.broken)} files could not be read:\n\n{listed}"]
    return sections


def _licence(reader: Dataset) -> str:
    words = reader.licence if hub_licence(reader.licence) else f"{reader.licence[0].upper()}{reader.licence[1:]}"
    terms = "No licence is stated." if reader.licence == UNSTATED else f"{words}."
    home = f" Home page: {reader.homepage}" if reader.homepage else ""
    return "\n\n".join(part for part in (terms + home, reader.citation) if part)


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
        split: SplitInfo(split, sum(cell.num_bytes for cell in cells), sum(cell.num_clips for cell in cells))
        for split, cells in splits.items()
    }
    return DatasetInfo(config_name=name, features=features(reader.class_names), splits=SplitDict(sizes))


def _cells_of_configs(card: CardFacts) -> dict[str, dict[str, list[Cell]]]:
    """Config -> split -> cells."""
    configs = {
        protocol.name: {split: card.inside(protocol, split) for split in ("train", "test")} for protocol in card.splits
    }
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


def _introduction(card: CardFacts) -> str:
    reader, frames, layout = card.reader, card.frames, get_layout(card.reader.layout)
    return (
        f"{len(frames)} clips of human motion as joint coordinates, {len(reader.class_names)} action classes.\n\n"
        f"- Layout: `{layout.name}`, {layout.num_joints} joints\n"
        f"- Unit: {reader.unit}\n"
        f"- Frame rate: {reader.fps:g} frames per second ({reader.fps_source})\n"
        f"- Frames per clip: {frames.min()} to {frames.max()}, median {np.median(frames):g}\n"
        f"- Missing joints: {card.missing} of {card.joints} ({card.missing / max(card.joints, 1):.2%}); "
        f"{reader.missing_joints}. They are NaN, never zero.\n"
        f"- Schema version: {SCHEMA_VERSION}" + (f"\n- Note: {reader.remarks}." if reader.remarks else "")
    )


def _usage(splits: Mapping[Protocol, Sequence[Split]]) -> str:
    config = next((protocol.name for protocol in splits), "full")
    split = "train" if splits else "full"
    return (
        "```python\n"
        "import numpy as np\n"
        "from datasets import load_dataset\n\n"
        f'dataset = load_dataset("path/or/hub-name", "{config}", split="{split}").with_format("numpy")\n'
        "row = dataset[0]\n"
        'shape = [row[name] for name in ("num_people", "num_frames", "num_joints", "num_dims")]\n'
        'keypoints = row["keypoints"].reshape(shape)  # NaN = not seen\n'
        "```\n\n"
        "With motionhub, `motionhub.skeletons.rows.from_row(row)` gives a `SkeletonSequence`."
    )


def _protocols(card: CardFacts) -> str:
    lines = []
    for protocol in card.splits:
        train, test = (sum(cell.num_clips for cell in card.inside(protocol, split)) for split in ("train", "test"))
        lines.append(f"- `{protocol.name}`: {protocol.source} Here: {train} train, {test} test.")
    lines += [f"- `{protocol.name}` (not in these files): {protocol.source}" for protocol in card.skipped]
    return "\n".join([*lines, "- `full`: every clip, in one split called `full`."])


def _class_table(card: CardFacts) -> str:
    """Clips per class, or frames or actions where those have labels; the total counts those without one too."""
    columns = {"all": list(card.cells)}
    columns |= {
        f"{protocol.name} {split}": card.inside(protocol, split)
        for protocol in card.splits
        for split in ("train", "test")
    }
    none = np.zeros(len(card.reader.class_names), np.int64)
    counted = {
        "Clips": lambda cell: (cell.clips_of_class, cell.num_clips),
        "Frames": lambda cell: (cell.frames_of_class, cell.num_frame_labels),
        "Actions": lambda cell: (cell.segments_of_class, cell.num_segments),
    }[card.counted]
    counts = [sum((counted(cell)[0] for cell in cells), none) for cells in columns.values()]
    totals = [sum(counted(cell)[1] for cell in cells) for cells in columns.values()]
    lines = [f"| {' | '.join(['class', *columns])} |", "|" + "---|" * (len(columns) + 1)]
    for label, name in enumerate(card.reader.class_names):
        lines.append(f"| {name} | {' | '.join(str(count[label]) for count in counts)} |")
    return "\n".join([*lines, f"| total | {' | '.join(map(str, totals))} |"])
