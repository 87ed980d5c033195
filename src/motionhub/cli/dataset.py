"""`motionhub dataset build`, `poses` and `generate`: from raw files, from videos, and of synthetic motion."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option, Typer

from motionhub.cli.options import Command, Engine, Group, NumProc, Progress
from motionhub.cli.report import counted, note


dataset = Typer(name="dataset", cls=Group, help="Make Hugging Face datasets.")
VideoOption = partial(Option, rich_help_panel="posetics of videos, instead of --raw: by several estimators, SST-A")
TermsOption = partial(
    Option, rich_help_panel="Terms of your own clips (NAME folder); `motionhub push` needs the licence"
)
_EXCLUDE = (
    "Text file with names of clips to omit, such as NTU's missing skeletons (applied by default if it is in RAW)"
)
_EXPECT = "paper: counts must equal those of the papers. subset: fewer clips are accepted"
_EXPERTS = "Estimators, with options such as mediapipe:num_people=2, or folders of other programs' keypoints"
_CLASSES = "Estimators, with options such as mediapipe:num_people=2, or package.module:Class of your own"
_RESOURCES = "What a worker takes of a Ray cluster, such as vitpose:cpus=2,gpus=0.5,memory_gb=8,workers=1-4"
_SHOWN = 10  # videos that are left out


@dataset.command(cls=Command)
def build(
    name: Annotated[str, Argument(help="Name of the dataset, such as n-ucla or NTU-60; all are listed below")],
    *,
    raw: Annotated[str | None, Option(help="Folder or zip file with the raw files")] = None,
    out: Annotated[str, Option(help="New folder for the parquet files and the card")],
    exclude: Annotated[str | None, Option(help=_EXCLUDE)] = None,
    num_proc: NumProc = None,
    strict: Annotated[bool, Option(help="Stop at the first broken file")] = False,
    expect: Annotated[Literal["paper", "subset"], Option(help=_EXPECT)] = "paper",
    engine: Engine = "datasets",
    progress: Progress = None,
    videos: Annotated[
        str | None, VideoOption(help="A folder per class, or with labels.csv (file,label,licence)")
    ] = None,
    experts: Annotated[list[str], VideoOption(metavar="EXPERT...", help=_EXPERTS)] = ["mediapipe"],  # noqa: B006
    poses: Annotated[str | None, VideoOption(help="Folder for the experts' keypoints; by default OUT.poses")] = None,
    merging: Annotated[str | None, VideoOption(help="CSV of labels (source,label,class) to merge")] = None,
    licence: Annotated[str | None, TermsOption(help="An id such as cc-by-4.0, or a text with --homepage")] = None,
    homepage: Annotated[str | None, TermsOption(help="Address where data and terms are described")] = None,
    citation: Annotated[str | None, TermsOption(help="What users must cite")] = None,
) -> int:
    """Parquet shards and a card from the raw files of a dataset. After an interruption, run it again to resume.

    Exit status: 0 all files read, 1 made without the broken files listed at the end, 2 nothing made.
    """
    from motionhub.data.build.build import save_dataset_report

    terms = _own_terms(licence, homepage, citation)
    if (raw is None) == (videos is None):
        raise ValueError("Pass either --raw, the folder of the dataset's files, or --videos, a folder of videos.")
    how = {"num_proc": num_proc, "engine": engine, "progress": progress, "draw_layout": _draw_layout, "terms": terms}
    if videos is not None:
        if name != "posetics":
            raise ValueError(f"--videos makes a dataset like Posetics: expected the name posetics, got {name!r}.")
        return _build_of_videos(videos, out, poses or f"{out.rstrip('/')}.poses", experts, merging, how)
    made = save_dataset_report(name, raw, out, strict=strict, exclude=exclude, expect=expect, **how)  # type: ignore[arg-type]
    print(
        f"{made.folder}: {counted(made.num_clips, 'clips')} of {counted(made.num_files - len(made.broken), 'files')}"
    )
    print(f"datasets.load_dataset({str(made.folder)!r}, PROTOCOL); its README.md lists the protocols")
    return 1 if made.broken else 0


def _own_terms(licence: str | None, homepage: str | None, citation: str | None) -> Any:
    from motionhub.data.datasets.licences import OwnTerms

    if licence is not None:
        return OwnTerms(licence, homepage or "", citation or "")
    if homepage or citation:
        raise ValueError("--homepage and --citation need --licence, which states what others may do with the clips.")
    return None


def _build_of_videos(
    videos: str, out: str, poses: str, experts: list[str], merging: str | None, how: dict[str, Any]
) -> int:
    from motionhub.data.datasets.clip_table import read_label_merging
    from motionhub.poses.video_dataset import build_of_videos

    labels = None if merging is None else read_label_merging("posetics", merging)
    made, found = build_of_videos(videos, out, poses, experts, merging=labels, **how)
    for name, reason in found.left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    for name, reason in found.failures.items():
        print(f"without an expert: {name}: {reason}", file=sys.stderr)
    lifted = ", with keypoints_3d (people, frames, joints, 3) in metres" if found.lifted else ""
    print(f"{made.folder}: {made.num_clips} of {len(found.kept) + len(found.left_out)} videos{lifted}")
    print(f"datasets.load_dataset({str(made.folder)!r})")
    return 1 if found.left_out else 0


@dataset.command(cls=Command)
def poses(
    videos: Annotated[str, Argument(help="Folder of videos, or an address of fsspec (s3://, hf://, ...)")],
    *,
    out: Annotated[str, Option(help="New folder or address for the parquet shards")],
    experts: Annotated[list[str], Option(metavar="EXPERT...", help=_CLASSES)] = ["mediapipe"],  # noqa: B006
    engine: Engine = "datasets",
    num_proc: NumProc = None,
    resources: Annotated[list[str] | None, Option(metavar="EXPERT:KEY=VALUE...", help=_RESOURCES)] = None,
    layout: Annotated[str, Option(help="Joint layout")] = "posetics-17",
    min_present: Annotated[float, Option(help="Least share of frames with a person")] = 0.5,
    window: Annotated[float, Option(help="Seconds into which longer videos are cut")] = 60.0,
    timeout: Annotated[float | None, Option(help="Seconds after which a video is given up")] = None,
    videos_per_part: Annotated[int, Option(help="Videos that are finished, or lost, together")] = 64,
    shard_mb: Annotated[int, Option(help="Size of a shard in memory")] = 512,
    licence: Annotated[str | None, Option(help="Of the clips; a labels.csv may have others")] = None,
    progress: Progress = None,
) -> int:
    """Poses of any number of videos, on one machine or a Ray cluster. Run it again to resume.

    A video that cannot be read, crashes the decoder or takes too long is left out, with its error in failures.jsonl.
    Exit status: 0 all videos, 1 made without some, 2 nothing made.
    """
    from motionhub.data.datasets.licences import UNSTATED
    from motionhub.poses.extracted_dataset import extract_dataset
    from motionhub.poses.extraction_engines import Resources

    made = extract_dataset(
        videos,
        out,
        experts,
        engine=engine,
        num_proc=num_proc,
        resources=dict(map(Resources.parse, resources or ())),
        layout=layout,
        min_present=min_present,
        window=window,
        timeout=timeout,
        videos_per_part=videos_per_part,
        shard_bytes=shard_mb * 2**20,
        licence=licence or UNSTATED,
        progress=progress,
    )
    manifest, stats = made.manifest, made.stats
    for name, reason in list(manifest["left_out"].items())[:_SHOWN]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if len(manifest["left_out"]) > _SHOWN:
        print(f"... and {len(manifest['left_out']) - _SHOWN} more; see manifest.json", file=sys.stderr)
    print(f"{made.address}: {manifest['clips']} of {manifest['videos']} videos, shards {len(manifest['shards'])}")
    failed = sum(stats["failures"].values())
    print(f"people {stats['people']}, errors {failed}, {stats['videos_per_second']:g} videos a second")
    return 1 if manifest["left_out"] or failed else 0


@dataset.command(cls=Command)
def generate(
    out: Annotated[str, Option(help="New folder for the parquet file and the card")],
    num_clips: Annotated[int, Option(help="Number of clips")] = 1000,
    seed: Annotated[int, Option(help="The same seed gives the same clips")] = 0,
    layout: Annotated[str, Option(help="Joint layout")] = "kinect-20",
    fps: Annotated[float, Option(help="Frames per second")] = 30.0,
    num_dims: Annotated[Literal[2, 3], Option(help="2: pixels; 3: metres")] = 3,
) -> None:
    """A labelled dataset of synthetic motion, free to share."""
    from motionhub.data.synthetic.dataset import save_generated

    folder = save_generated(out, num_clips, seed=seed, layout=layout, fps=fps, num_dims=num_dims)
    print(f"{folder}: {counted(num_clips, 'clips')}; datasets.load_dataset({str(folder)!r})")


def _draw_layout(name: str, path: Path) -> None:
    """Draws the joints of a layout on a synthetic pose; without the extra `viz`, prints a note."""
    from motionhub.data.synthetic.generate import generate
    from motionhub.visualization.draw import draw_frame

    try:
        draw_frame(generate("wave", num_frames=2, layout=name), 0, path)
    except (ImportError, ValueError) as error:
        note(f"no image of the layout on the card: {error}")
