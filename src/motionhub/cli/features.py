"""`motionhub features`: a saved dataset with the vectors of frozen encoders as further columns.

It computes nothing itself (`build/feature_columns.py`, `training/features.py`). Every import that costs time is inside
the command that needs it.
"""

import argparse
from pathlib import Path
from typing import Any

from motionhub.hub.packaged import A_MODEL, check_weights, model_id


# A video takes a second or so: a kill may cost that many seconds.
VIDEO_ROWS = 16


def add_command(commands: Any) -> None:
    """Adds the command to the subparsers of `motionhub`."""
    command = commands.add_parser(
        "features",
        help="a dataset with vectors of its clips by frozen encoders as further columns",
        description="Encodes every clip once, with constant memory. Run again after a kill, it continues. Columns: "
        "caption_features and label_features (--text), skeleton_features (--encoder), video_features (--videos): flat "
        "float32 lists, empty where a clip has nothing to encode; features.json says by which encoder.",
    )
    command.add_argument("dataset", metavar="DATASET", help="folder of a saved dataset (motionhub dataset build)")
    command.add_argument("--out", required=True, help="new folder, or that of the run to go on with")
    command.add_argument(
        "--text", metavar="TOWER", help="text tower: all-MiniLM-L6-v2, or KIND:NAME such as transformers-clip:FOLDER"
    )
    of = ("caption", "label", "both", "description")
    which = "texts of the clip, of its class's name, both (default), or its class_descriptions"
    command.add_argument("--text_of", choices=of, default="both", help=which)
    command.add_argument("--phrasings", type=int, default=4, help="of a class, at most (default 4)")
    command.add_argument("--encoder", type=model_id, help=f"{A_MODEL} of an encoder of motion")
    command.add_argument("--videos", help="folder of videos named by clip_id, for --video_tower")
    command.add_argument(
        "--video_tower",
        type=model_id,
        help="folder or Hub id of a ViCLIP, of a video encoder, or of a CLIP or SigLIP (mean of the frames), or "
        "open-clip:NAME@WEIGHTS",
    )
    command.add_argument(
        "--chunk_rows", type=int, default=None, help="clips encoded, and kept, at once (default 512, videos 16)"
    )
    command.add_argument("--batch_size", type=int, default=64)
    command.add_argument("--device", default="cpu", help="where encoders of motion and video run (default cpu)")
    command.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=None, help="default: on terminals"
    )
    command.set_defaults(run=_features)


def _features(arguments: argparse.Namespace) -> int:
    from motionhub.data.build.feature_columns import CHUNK_ROWS, add_feature_columns

    if arguments.chunk_rows is not None and arguments.chunk_rows < 1:
        raise ValueError(f"--chunk_rows must be at least 1, got {arguments.chunk_rows}.")
    if (arguments.videos is None) != (arguments.video_tower is None):
        raise ValueError("--videos FOLDER and --video_tower MODEL go together.")
    columns = [*_text_columns(arguments), *_skeleton_columns(arguments), *_video_columns(arguments)]
    if not columns:
        raise ValueError("Name at least one encoder: --text TOWER, --encoder MODEL, or --videos with --video_tower.")
    chunk_rows = arguments.chunk_rows or (VIDEO_ROWS if arguments.videos else CHUNK_ROWS)
    made = add_feature_columns(
        arguments.dataset, arguments.out, columns, chunk_rows=chunk_rows, progress=arguments.progress
    )
    left = f", {made.kept} parts were there" if made.kept else ""
    print(f"{made.folder}: {made.num_rows} clips with {', '.join(column.name for column in columns)}{left}")
    for name, count in made.empty.items():
        if count:
            print(f"  {name}: {count} clips had nothing to encode")
    return 0


def _text_columns(arguments: argparse.Namespace) -> list[Any]:
    if arguments.text is None:
        return []
    from motionhub.towers.text_towers import load_text_tower
    from motionhub.training.features import caption_column, label_column

    tower = load_text_tower(arguments.text)
    if arguments.text_of == "description":
        options = {"batch_size": arguments.batch_size, "column": "class_descriptions"}
        return [caption_column(tower, "description_features", **options)]
    columns = [caption_column(tower, batch_size=arguments.batch_size)] if arguments.text_of != "label" else []
    if arguments.text_of != "caption":
        names = _class_names(Path(arguments.dataset))
        if names:
            columns.append(label_column(tower, names, phrasings=arguments.phrasings, batch_size=arguments.batch_size))
        elif arguments.text_of == "label":
            raise ValueError(f"{arguments.dataset} has no names of classes; take --text_of caption.")
    return columns


def _class_names(folder: Path) -> list[str]:
    """The names of the labels; empty where the dataset has numbers only."""
    from datasets import ClassLabel, load_dataset_builder

    if not folder.is_dir():
        raise ValueError(f"{folder}: expected the folder of a saved dataset.")
    features = load_dataset_builder(str(folder)).info.features
    if features is None:
        from datasets import Features
        from pyarrow.parquet import read_schema  # type: ignore[import-untyped]

        features = Features.from_arrow_schema(read_schema(next(iter(sorted(folder.rglob("*.parquet"))))))
    label = features.get("label")
    return list(label.names) if isinstance(label, ClassLabel) else []


def _skeleton_columns(arguments: argparse.Namespace) -> list[Any]:
    if arguments.encoder is None:
        return []
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar

    import motionhub.auto  # noqa: F401  (the command line does not register the models by itself)
    from motionhub.training.features import skeleton_column
    from motionhub.training.start import load_checkpoint

    disable_progress_bar()
    model, processor = load_checkpoint(arguments.encoder, AutoModel)
    options = {"device": arguments.device, "batch_size": arguments.batch_size}
    return [skeleton_column(model, processor, arguments.encoder, **options)]


def _video_columns(arguments: argparse.Namespace) -> list[Any]:
    if arguments.videos is None:
        return []
    from transformers.utils.logging import disable_progress_bar

    import motionhub.auto  # noqa: F401  (the command line does not register the models by itself)
    from motionhub.processing.video_clip import clip_processor
    from motionhub.towers.video_towers import load_video_tower
    from motionhub.training.features import video_column, video_embedder

    disable_progress_bar()
    check_weights(arguments.video_tower)
    tower = load_video_tower(arguments.video_tower, arguments.device)
    processor = clip_processor(arguments.video_tower, tower.pixels)
    facts = {"tower": tower.config, "pixels": {**processor.to_dict()}}
    return [video_column(video_embedder(tower, processor), arguments.videos, facts)]
