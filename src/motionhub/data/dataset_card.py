"""The README.md of a saved dataset: YAML that tells `datasets` which files make which protocol, and prose for people.

It does not write files and does not decide who trains (`splits.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData

from motionhub.data.readers import Reader
from motionhub.data.schema import features
from motionhub.data.splits import Protocol, Split
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.rows import COLUMNS, SCHEMA_VERSION


@dataclass(frozen=True)
class Cell:
    """One parquet file of a saved dataset: clips that every protocol treats alike.

    Args:
        path: below the dataset's folder.
        indices: positions of its clips in the list of rows.
        num_bytes: size in memory (Arrow).
    """

    path: str
    indices: tuple[int, ...]
    num_bytes: int


Rows = Sequence[Mapping[str, Any]]
Assigned = Mapping[Protocol, Sequence[Split]]


def render_dataset_card(
    reader: Reader,
    rows: Rows,
    cells: Sequence[Cell],
    assigned: Assigned,
    skipped: Sequence[Protocol],
    broken: Sequence[str],
    exclude: str | None = None,
) -> str:
    """The card's text.

    Args:
        reader: the data set.
        rows: of `skeletons.rows.to_row`, in any order.
        cells: the files.
        assigned: protocol -> one split per row; the first protocol is the default config.
        skipped: protocols that these files cannot fill.
        broken: one line per file that was left out.
        exclude: name of the list of clips that were left out on purpose.
    """
    sections = [
        f"# {reader.title}",
        _introduction(reader, rows),
        "## Use",
        _usage(assigned),
        "## Protocols",
        _protocols(assigned, skipped),
        f"## {'Frames' if _frame_labelled(rows) else 'Clips'} per class and split",
        _class_table(reader, rows, assigned),
        "## Columns",
        "\n".join(f"- `{name}`: {reader.column_notes.get(name, text)}" for name, text in COLUMNS.items()),
        "## Joints",
        ", ".join(f"{index} {joint}" for index, joint in enumerate(get_layout(reader.layout).joints)),
        "## Licence and citation",
        f"{reader.licence[0].upper()}{reader.licence[1:]}. Home page: {reader.homepage}\n\n{reader.citation}",
    ]
    if exclude:
        sections += ["## Clips left out", f"The clips named in the list `{exclude}`."]
    if broken:
        listed = "\n".join(f"- {line}" for line in broken)
        sections += ["## Files left out", f"{len(broken)} files could not be read:\n\n{listed}"]
    return f"---\n{_metadata(reader, rows, cells, assigned)}\n---\n\n" + "\n\n".join(sections) + "\n"


def _metadata(reader: Reader, rows: Rows, cells: Sequence[Cell], assigned: Assigned) -> str:
    data = DatasetCardData(
        pretty_name=reader.title,
        license="other",
        license_name=f"{reader.name}-terms",
        license_link=reader.homepage,
        tags=["skeleton", "human-motion", "action-recognition", "motionhub"],
        configs=_configs(cells, assigned),
    )
    configs = _cells_of_configs(cells, assigned)
    DatasetInfosDict(
        {name: _dataset_info(name, reader, splits) for name, splits in configs.items()}
    ).to_dataset_card_data(data)
    return str(data.to_yaml())


def _dataset_info(name: str, reader: Reader, splits: Mapping[str, Sequence[Cell]]) -> DatasetInfo:
    sizes = {
        split: SplitInfo(split, sum(cell.num_bytes for cell in cells), sum(len(cell.indices) for cell in cells))
        for split, cells in splits.items()
    }
    return DatasetInfo(config_name=name, features=features(reader.class_names), splits=SplitDict(sizes))


def _cells_of_configs(cells: Sequence[Cell], assigned: Assigned) -> dict[str, dict[str, list[Cell]]]:
    """Config -> split -> files; all clips of a file are in the same split, so its first one tells."""
    configs = {
        protocol.name: {
            split: [cell for cell in cells if splits[cell.indices[0]] == split] for split in ("train", "test")
        }
        for protocol, splits in assigned.items()
    }
    return {**configs, "full": {"full": list(cells)}}


def _configs(cells: Sequence[Cell], assigned: Assigned) -> list[dict[str, Any]]:
    """The `configs:` of the card; the first is what `load_dataset` takes when no name is given."""
    configs: list[dict[str, Any]] = []
    for name, splits in _cells_of_configs(cells, assigned).items():
        files = [{"split": split, "path": [cell.path for cell in chosen]} for split, chosen in splits.items()]
        configs.append({"config_name": name, "data_files": files})
    configs[0]["default"] = True
    return configs


def _introduction(reader: Reader, rows: Rows) -> str:
    frames = np.array([row["num_frames"] for row in rows])
    joints = sum(len(row["keypoints"]) // row["num_dims"] for row in rows)
    missing = sum(int(np.isnan(row["keypoints"]).sum()) // row["num_dims"] for row in rows)
    layout = get_layout(reader.layout)
    return (
        f"{len(rows)} clips of human motion as joint coordinates, {len(reader.class_names)} action classes.\n\n"
        f"- Layout: `{layout.name}`, {layout.num_joints} joints\n"
        f"- Unit: {reader.unit}\n"
        f"- Frame rate: {reader.fps:g} frames per second ({reader.fps_source})\n"
        f"- Frames per clip: {frames.min()} to {frames.max()}, median {np.median(frames):g}\n"
        f"- Missing joints: {missing} of {joints} ({missing / max(joints, 1):.2%}); {reader.missing_joints}. "
        "They are NaN, never zero.\n"
        f"- Schema version: {SCHEMA_VERSION}" + (f"\n- Note: {reader.remarks}." if reader.remarks else "")
    )


def _usage(assigned: Assigned) -> str:
    config = next((protocol.name for protocol in assigned), "full")
    split = "train" if assigned else "full"
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


def _protocols(assigned: Assigned, skipped: Sequence[Protocol]) -> str:
    lines = []
    for protocol, splits in assigned.items():
        counts = f"Here: {list(splits).count('train')} train, {list(splits).count('test')} test."
        lines.append(f"- `{protocol.name}`: {protocol.source} {counts}")
    lines += [f"- `{protocol.name}` (not in these files): {protocol.source}" for protocol in skipped]
    return "\n".join([*lines, "- `full`: every clip, in one split called `full`."])


def _class_table(reader: Reader, rows: Rows, assigned: Assigned) -> str:
    titles = ["class", "all", *(f"{protocol.name} {split}" for protocol in assigned for split in ("train", "test"))]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    labels, owners = _labels_and_rows(rows)
    masks = [np.ones(len(labels), bool)]
    masks += [np.array(splits)[owners] == split for splits in assigned.values() for split in ("train", "test")]
    for label, name in enumerate(reader.class_names):
        counts = [int((labels[mask] == label).sum()) for mask in masks]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    lines.append(f"| total | {' | '.join(str(int(mask.sum())) for mask in masks)} |")
    return "\n".join(lines)


def _frame_labelled(rows: Rows) -> bool:
    return any(len(row["frame_labels"]) for row in rows)


def _labels_and_rows(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """One label per clip (per frame, where frames have labels), and the position of the row it belongs to."""
    if not _frame_labelled(rows):
        return np.array([row["label"] for row in rows]), np.arange(len(rows))
    owners = np.repeat(np.arange(len(rows)), [len(row["frame_labels"]) for row in rows])
    return np.concatenate([row["frame_labels"] for row in rows]), owners
