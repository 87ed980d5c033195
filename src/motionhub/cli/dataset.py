"""`motionhub dataset build` and `generate`: datasets of raw files, and of synthetic motion.

It computes nothing itself. Every import that costs time is inside the command that needs it.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from motionhub.cli.help_tables import add_late_help, data_sets_and_protocols


def add_dataset(commands: Any) -> None:
    """Adds the command and its actions to the subparsers of `motionhub`."""
    dataset = commands.add_parser("dataset", help="make a Hugging Face dataset of raw files")
    actions = dataset.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_build(actions)
    _add_generate(actions)


def _add_build(actions: Any) -> None:
    build = actions.add_parser(
        "build",
        help="parquet shards and a card of the raw files of a data set",
        description="Parquet shards and a card of the raw files of a data set. Run again after a kill, it continues. "
        "Exit status: 0 all files read, 1 made without the broken files listed at the end, 2 nothing made.",
        add_help=False,
    )
    add_late_help(build, data_sets_and_protocols)
    build.add_argument(
        "name", help="name of the data set, such as n-ucla, penn-action or NTU-60; all are listed below"
    )
    build.add_argument("--raw", help="folder or zip file with the raw files")
    build.add_argument("--out", required=True, help="new folder for the parquet files and the card")
    build.add_argument(
        "--exclude",
        help="text file with names of clips to leave out, such as NTU's missing skeletons: "
        "that list is heeded by itself where it lies in RAW",
    )
    build.add_argument("--num_proc", type=int, default=None, help="processes that read files")
    build.add_argument("--strict", action="store_true", help="stop at the first broken file")
    build.add_argument(
        "--expect",
        choices=("paper", "subset"),
        default="paper",
        help="paper (default): other counts of clips, classes or performers than the papers state are an error. "
        "subset: fewer are accepted",
    )
    build.add_argument("--engine", choices=("datasets", "ray"), default="datasets", help="ray: on many machines")
    build.add_argument("--progress", action=argparse.BooleanOptionalAction, default=None, help="default: on terminals")
    video = build.add_argument_group("posetics of raw videos, instead of --raw: poses by several estimators, SST-A")
    video.add_argument("--videos", help="folder of videos: a folder per class, or a labels.csv (file,label,licence)")
    video.add_argument(
        "--experts",
        nargs="+",
        default=["mediapipe"],
        metavar="EXPERT",
        help="estimators, with options such as mediapipe:num_people=2, or folders of other programs' keypoints",
    )
    video.add_argument("--poses", help="folder that keeps what the experts found (default: OUT.poses)")
    video.add_argument("--merging", help="CSV of labels (source,label,class) that become one class")
    own = build.add_argument_group("terms of your own clips (NAME folder); `motionhub push` needs the licence")
    own.add_argument("--licence", help="what others may do: an id such as cc-by-4.0, or your words with --homepage")
    own.add_argument("--homepage", help="address where data and terms are described")
    own.add_argument("--citation", help="what others shall cite")
    build.set_defaults(run=_dataset_build)


def _add_generate(actions: Any) -> None:
    generate = actions.add_parser("generate", help="a labelled dataset of synthetic motion, free to share")
    generate.add_argument("--out", required=True, help="new folder for the parquet file and the card")
    generate.add_argument("--num_clips", type=int, default=1000, help="default 1000")
    generate.add_argument("--seed", type=int, default=0, help="the same seed gives the same clips (default 0)")
    generate.add_argument("--layout", default="kinect-20", help="joint layout (default kinect-20)")
    generate.add_argument("--fps", type=float, default=30.0, help="frames per second (default 30)")
    generate.add_argument("--num_dims", type=int, default=3, choices=(2, 3), help="2: pixels; 3: metres (default)")
    generate.set_defaults(run=_dataset_generate)


def _dataset_generate(arguments: argparse.Namespace) -> int:
    from motionhub.data.synthetic.dataset import save_generated

    folder = save_generated(
        arguments.out,
        arguments.num_clips,
        seed=arguments.seed,
        layout=arguments.layout,
        fps=arguments.fps,
        num_dims=arguments.num_dims,
    )
    print(f"{folder}: {arguments.num_clips} clips; datasets.load_dataset({str(folder)!r})")
    return 0


def _dataset_build(arguments: argparse.Namespace) -> int:
    from motionhub.data.build.build import save_dataset_report
    from motionhub.data.datasets.licences import OwnTerms

    if arguments.licence is None and (arguments.homepage or arguments.citation):
        raise ValueError("--homepage and --citation go with --licence; say what others may do with the clips.")
    own = (arguments.licence, arguments.homepage or "", arguments.citation or "")
    terms = None if arguments.licence is None else OwnTerms(*own)
    if (arguments.raw is None) == (arguments.videos is None):
        raise ValueError("Give --raw, the folder of the data set's files, or --videos, a folder of videos.")
    if arguments.videos is not None:
        return _build_of_videos(arguments, terms)
    made = save_dataset_report(
        arguments.name,
        arguments.raw,
        arguments.out,
        strict=arguments.strict,
        num_proc=arguments.num_proc,
        exclude=arguments.exclude,
        engine=arguments.engine,
        progress=arguments.progress,
        draw_layout=_draw_layout,
        expect=arguments.expect,
        terms=terms,
    )
    print(f"{made.folder}: {made.num_clips} clips of {made.num_files - len(made.broken)} files")
    print(f"datasets.load_dataset({str(made.folder)!r}, PROTOCOL); its README.md lists the protocols")
    return 1 if made.broken else 0


def _build_of_videos(arguments: argparse.Namespace, terms: Any) -> int:
    from motionhub.data.datasets.label_merging import read_label_merging
    from motionhub.poses.video_dataset import build_of_videos

    if arguments.name != "posetics":
        raise ValueError(
            f"--videos makes a data set as Posetics was made; the name is posetics, not {arguments.name!r}."
        )
    made, poses = build_of_videos(
        arguments.videos,
        arguments.out,
        arguments.poses or f"{arguments.out.rstrip('/')}.poses",
        arguments.experts,
        merging=None if arguments.merging is None else read_label_merging("posetics", arguments.merging),
        terms=terms,
        num_proc=arguments.num_proc,
        engine=arguments.engine,
        progress=arguments.progress,
        draw_layout=_draw_layout,
    )
    for name, reason in poses.left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    for name, reason in poses.failures.items():
        print(f"without an expert: {name}: {reason}", file=sys.stderr)
    lifted = ", with keypoints_3d (people, frames, joints, 3) in metres" if poses.lifted else ""
    print(f"{made.folder}: {made.num_clips} of {len(poses.kept) + len(poses.left_out)} videos{lifted}")
    print(f"datasets.load_dataset({str(made.folder)!r})")
    return 1 if poses.left_out else 0


def _draw_layout(name: str, path: Path) -> None:
    """The joints of a layout on a person of the synthetic generator; none without the extra `viz`."""
    from motionhub.data.synthetic.generate import generate
    from motionhub.visualization.draw import draw_frame

    try:
        draw_frame(generate("wave", num_frames=2, layout=name), 0, path)
    except (ImportError, ValueError) as error:
        print(f"motionhub: note: no picture of the layout on the card: {error}", file=sys.stderr)
