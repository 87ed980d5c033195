"""The README.md of a saved dataset: YAML that tells `datasets` which files make which protocol, and prose for people.

It does not write files and does not decide who trains (`splits.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData

from motionhub.data.readers import Reader
from motionhub.data.schema import COLUMNS, SCHEMA_VERSION, features
from motionhub.data.splits import Protocol, Split
from motionhub.skeletons.layouts import get_layout


Rows = Sequence[Mapping[str, Any]]
Assigned = Mapping[Protocol, Sequence[Split]]


def render_dataset_card(
    reader: Reader,
    rows: Rows,
    cells: Mapping[str, Sequence[int]],
    assigned: Assigned,
    skipped: Sequence[Protocol],
    broken: Sequence[str],
) -> str:
    """The card's text.

    Args:
        reader: the data set.
        rows: of `schema.to_row`, in any order.
        cells: parquet path -> indices of its rows.
        assigned: protocol -> one split per row; the first protocol is the default config.
        skipped: protocols that these files cannot fill.
        broken: one line per file that was left out.
    """
    sections = [
        f"# {reader.title}",
        _introduction(reader, rows),
        "## Use",
        _usage(assigned),
        "## Protocols",
        _protocols(assigned, skipped),
        "## Clips per class and split",
        _class_table(reader, rows, assigned),
        "## Columns",
        "\n".join(f"- `{name}`: {reader.column_notes.get(name, text)}" for name, text in COLUMNS.items()),
        "## Joints",
        ", ".join(f"{index} {joint}" for index, joint in enumerate(get_layout(reader.layout).joints)),
        "## Licence and citation",
        f"{reader.licence[0].upper()}{reader.licence[1:]}. Home page: {reader.homepage}\n\n{reader.citation}",
    ]
    if broken:
        listed = "\n".join(f"- {line}" for line in broken)
        sections += ["## Files left out", f"{len(broken)} files could not be read:\n\n{listed}"]
    return f"---\n{_metadata(reader, rows, cells, assigned)}\n---\n\n" + "\n\n".join(sections) + "\n"


def _metadata(reader: Reader, rows: Rows, cells: Mapping[str, Sequence[int]], assigned: Assigned) -> str:
    data = DatasetCardData(
        pretty_name=reader.title,
        license="other",
        license_name=f"{reader.name}-terms",
        license_link=reader.homepage,
        tags=["skeleton", "human-motion", "action-recognition", "motionhub"],
        configs=_configs(cells, assigned),
    )
    infos = {
        protocol.name: {split: list(splits).count(split) for split in ("train", "test")}
        for protocol, splits in assigned.items()
    }
    infos["full"] = {"full": len(rows)}
    types = features(reader.class_names)
    DatasetInfosDict(
        {
            name: DatasetInfo(
                features=types,
                config_name=name,
                splits=SplitDict(
                    {split: SplitInfo(name=split, num_examples=count) for split, count in counts.items()}
                ),
            )
            for name, counts in infos.items()
        }
    ).to_dataset_card_data(data)
    return data.to_yaml()


def _configs(cells: Mapping[str, Sequence[int]], assigned: Assigned) -> list[dict[str, Any]]:
    """Which files make which split of which protocol; all rows of a file are in the same split."""
    configs: list[dict[str, Any]] = []
    for protocol, splits in assigned.items():
        files = {
            split: [path for path, indices in cells.items() if splits[indices[0]] == split]
            for split in ("train", "test")
        }
        data_files = [{"split": split, "path": paths} for split, paths in files.items()]
        configs.append({"config_name": protocol.name, "data_files": data_files})
    configs.append({"config_name": "full", "data_files": [{"split": "full", "path": list(cells)}]})
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
        f"- Schema version: {SCHEMA_VERSION}"
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
        "With motionhub, `motionhub.data.schema.from_row(row)` gives a `SkeletonSequence`."
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
    labels = np.array([row["label"] for row in rows])
    masks = [np.ones(len(rows), bool)]
    masks += [np.array(splits) == split for splits in assigned.values() for split in ("train", "test")]
    for label, name in enumerate(reader.class_names):
        counts = [int((labels[mask] == label).sum()) for mask in masks]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    lines.append(f"| total | {' | '.join(str(int(mask.sum())) for mask in masks)} |")
    return "\n".join(lines)
