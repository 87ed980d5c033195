"""`motionhub features`: a saved dataset with the vectors of frozen encoders as further columns."""

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from motionhub.cli.models import load
from motionhub.cli.options import BatchSize, Progress, model_option
from motionhub.hub.packaged import check_weights


# A video takes a second or so: an interruption may cost that many seconds.
VIDEO_ROWS = 16
_TEXT = "Text tower: all-MiniLM-L6-v2, or KIND:NAME such as transformers-clip:FOLDER"
_TEXT_OF = "Texts of the clip, of its class's name, both, or its class_descriptions"
_VIDEO_TOWER = "a ViCLIP, a video encoder, a CLIP or SigLIP (mean of the frames), or open-clip:NAME@WEIGHTS"


def features(
    dataset: Annotated[str, Argument(help="Folder of a saved dataset (motionhub dataset build)")],
    *,
    out: Annotated[str, Option(help="New folder, or that of the run to resume")],
    text: Annotated[str | None, Option(metavar="TOWER", help=_TEXT)] = None,
    text_of: Annotated[Literal["caption", "label", "both", "description"], Option(help=_TEXT_OF)] = "both",
    phrasings: Annotated[int, Option(help="Phrasings of a class, at most")] = 4,
    encoder: Annotated[str | None, model_option("an encoder of motion")] = None,
    videos: Annotated[str | None, Option(help="Folder of videos named by clip_id, for --video_tower")] = None,
    video_tower: Annotated[str | None, model_option(_VIDEO_TOWER)] = None,
    chunk_rows: Annotated[int | None, Option(help="Clips per part that is kept; by default 512, videos 16")] = None,
    batch_size: BatchSize = 64,
    device: Annotated[str, Option(help="Where encoders of motion and video run")] = "cpu",
    progress: Progress = None,
) -> None:
    """A dataset with vectors of its clips by frozen encoders as further columns.

    Encodes every clip once, with constant memory. Run again after an interruption, it resumes. Columns:
    caption_features and label_features (--text), skeleton_features (--encoder), video_features (--videos): flat
    float32 lists, empty where a clip has nothing to encode; features.json says by which encoder.
    """
    from motionhub.data.build.feature_columns import CHUNK_ROWS, add_feature_columns

    if chunk_rows is not None and chunk_rows < 1:
        raise ValueError(f"--chunk_rows must be at least 1, got {chunk_rows}.")
    if (videos is None) != (video_tower is None):
        raise ValueError("--videos FOLDER and --video_tower MODEL go together.")
    columns = [] if text is None else _text_columns(text, text_of, Path(dataset), phrasings, batch_size)
    if encoder is not None:
        from motionhub.training.features import skeleton_column

        columns.append(skeleton_column(*load(encoder), encoder, device=device, batch_size=batch_size))
    if videos is not None and video_tower is not None:
        columns.append(_video_column(videos, video_tower, device))
    if not columns:
        raise ValueError("Name at least one encoder: --text TOWER, --encoder MODEL, or --videos with --video_tower.")
    chunk_rows = chunk_rows or (VIDEO_ROWS if videos else CHUNK_ROWS)
    made = add_feature_columns(dataset, out, columns, chunk_rows=chunk_rows, progress=progress)
    left = f", {made.kept} parts were there" if made.kept else ""
    print(f"{made.folder}: {made.num_rows} clips with {', '.join(column.name for column in columns)}{left}")
    for name, count in made.empty.items():
        if count:
            print(f"  {name}: {count} clips had nothing to encode")


def _text_columns(name: str, text_of: str, dataset: Path, phrasings: int, batch_size: int) -> list[Any]:
    from motionhub.towers.text_towers import load_text_tower
    from motionhub.training.features import caption_column, label_column

    tower = load_text_tower(name)
    if text_of == "description":
        return [caption_column(tower, "description_features", batch_size=batch_size, column="class_descriptions")]
    columns = [caption_column(tower, batch_size=batch_size)] if text_of != "label" else []
    if text_of != "caption":
        names = _class_names(dataset)
        if names:
            columns.append(label_column(tower, names, phrasings=phrasings, batch_size=batch_size))
        elif text_of == "label":
            raise ValueError(f"{dataset} has no names of classes; take --text_of caption.")
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


def _video_column(videos: str, source: str, device: str) -> Any:
    from transformers.utils.logging import disable_progress_bar

    import motionhub.auto  # noqa: F401  (registers the models)
    from motionhub.processing.video_clip import clip_processor
    from motionhub.towers.video_towers import load_video_tower
    from motionhub.training.features import video_column, video_embedder

    disable_progress_bar()
    check_weights(source)
    tower = load_video_tower(source, device)
    processor = clip_processor(source, tower.pixels)
    facts = {"tower": tower.config, "pixels": {**processor.to_dict()}}
    return video_column(video_embedder(tower, processor), videos, facts)
