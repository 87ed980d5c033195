"""A dataset of poses from raw videos, as Posetics: several estimators, SST-A, and a filter by detected people.

Thesis of Di Yang, section 3.5: clips of Kinetics-400; poses by LCR-Net++ refined by SSTA-PRS; a clip is kept when more
than half of its frames have a pose. Here the caller chooses the estimators.
"""

import csv
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.atomic import atomic_path, write_text
from motionhub.bounded import read_json
from motionhub.data.build.build import SavedDataset, save_dataset_report
from motionhub.data.build.feature_columns import FeatureColumn, add_feature_columns
from motionhub.data.build.store import Store
from motionhub.data.datasets.clip_table import COLUMNS, LabelMerging, load_table
from motionhub.data.datasets.folder import TABLE
from motionhub.data.datasets.licences import OwnTerms
from motionhub.data.datasets.reading import read
from motionhub.data.video.reader import VIDEO_SUFFIXES
from motionhub.poses.estimators import ESTIMATORS, parse_option
from motionhub.poses.extraction_job import extract_files, write_clip
from motionhub.poses.refine import aggregate_experts
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.sequence import SkeletonSequence


LAYOUT = "posetics-17"
MIN_PRESENT = 0.5
REPORT = "videos.json"
WORLD = "world"


@dataclass(frozen=True)
class Expert:
    """A pose estimator with its options.

    Args:
        name: of its folder of results; unique among the experts.
        estimator: a key of `poses.estimators.ESTIMATORS`, or a folder with another program's file `NAME.json` (or a
            folder `NAME`) for the video NAME.
        options: of the estimator.
    """

    name: str
    estimator: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Expert":
        """`mediapipe`, `mediapipe:num_people=2,follow=false`, or a folder.

        Raises:
            ValueError: no such estimator or folder, or malformed options.
        """
        if Path(text).is_dir():
            return cls(Path(text).name, text, {})
        name, _, rest = text.partition(":")
        if name not in ESTIMATORS:
            raise ValueError(
                f"An expert is one of {list(ESTIMATORS)}, optionally with options (mediapipe:num_people=2), or a "
                f"folder with another program's keypoints, one file per video; got {text!r}."
            )
        options = dict(parse_option(part) for part in rest.split(",") if part)
        return cls(text.replace(":", "-").replace(",", "-"), name, options)


@dataclass(frozen=True)
class PosesOfVideos:
    """The result of `poses_of_videos`.

    Args:
        folder: pose files and their `labels.csv`, for `data.build.save_dataset("folder", folder, ...)`.
        kept: names of its videos.
        left_out: name of a dropped video -> reason.
        failures: name of a kept video -> the error of an expert that could not read it, `"expert: error"`.
        lifted: whether `folder/../world` has keypoints in metres of the same names.
    """

    folder: Path
    kept: tuple[str, ...]
    left_out: dict[str, str]
    failures: dict[str, str]
    lifted: bool


def poses_of_videos(
    videos: str | os.PathLike[str],
    work: str | os.PathLike[str],
    experts: Sequence[str] = ("mediapipe",),
    *,
    layout: str = LAYOUT,
    min_present: float = MIN_PRESENT,
    merging: LabelMerging | None = None,
    num_proc: int | None = None,
    engine: str = "datasets",
    progress: bool | None = None,
    **options: Any,
) -> PosesOfVideos:
    """Pose files of all videos of a folder, aggregated over the experts; resumes after interruption.

    Args:
        videos: a folder per class, or with a `labels.csv` (file, label; split, subject, licence, ... as for the
            reader "folder") that names videos.
        work: folder of each expert's results (`work/experts/NAME`), the aggregates (`work/clips`) and keypoints in
            metres (`work/world`, if the first expert lifts).
        experts: see `Expert.parse`; a single one is not aggregated.
        layout: of the output.
        min_present: a clip is kept when a person is detected in more than this share of its frames.
        merging: of labels.
        num_proc, engine, progress, options: see `extraction_job.extract_files`.

    Raises:
        ValueError: no videos, a label without a video, unknown experts, or no video with a detected person.
    """
    if not 0 <= min_present < 1:
        raise ValueError(f"min_present is a share of frames in 0..1, below 1, got {min_present}.")
    asked = [Expert.parse(text) for text in experts]
    if not asked or len({expert.name for expert in asked}) < len(asked):
        raise ValueError(f"Pass at least one expert, each once; got {list(experts)}.")
    lines = labelled_videos(Path(videos))
    work = Path(work)
    job: dict[str, Any] = {"num_proc": num_proc, "engine": engine, "progress": progress, **options}
    found = {expert.name: _run(expert, lines, work, **job) for expert in asked}
    errors = _errors(found, lines)
    kept, left_out, lifted = [], {}, False
    for name, line in lines.items():
        paths = [folder / f"{name}.npz" for folder in found.values()]
        reason = _aggregate(name, paths, work, layout, min_present)
        if reason is not None:
            left_out[name] = errors.pop(name, reason)
            continue
        lifted |= _lift(name, work, asked[0], layout)
        label = line["label"] if merging is None else merging.class_of(line["label"], line.get("source", ""))
        kept.append({**line, "file": f"{name}.npz", "label": label})
    report = {"experts": list(experts), "kept": len(kept), "left_out": left_out, "failures": errors}
    write_text(work / REPORT, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if not kept:
        raise ValueError(f"No person is detected for long enough in any of {len(lines)} videos; see {work / REPORT}.")
    _write_table(work / "clips" / TABLE, kept)
    return PosesOfVideos(work / "clips", tuple(line["file"][:-4] for line in kept), left_out, errors, lifted)


def build_of_videos(
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    work: str | os.PathLike[str],
    experts: Sequence[str] = ("mediapipe",),
    *,
    merging: LabelMerging | None = None,
    terms: OwnTerms | None = None,
    num_proc: int | None = None,
    engine: str = "datasets",
    progress: bool | None = None,
    draw_layout: Callable[[str, Path], None] | None = None,
    **options: Any,
) -> tuple[SavedDataset, PosesOfVideos]:
    """A saved dataset of the poses in videos: `poses_of_videos`, then `data.build.save_dataset_report`.

    If the first expert lifts, the column `keypoints_3d` has metres, flat, of shape (people, frames, joints, 3); NaN is
    missing, and it is empty for clips without them.

    Args:
        videos, work, experts, merging, num_proc, engine, progress, options: see `poses_of_videos`.
        out: the new dataset.
        terms, draw_layout: see `save_dataset_report`.
    """
    out, work = Path(out), Path(work)
    if out.exists():
        raise ValueError(f"{out} exists; choose another name, or remove it.")
    job: dict[str, Any] = {"num_proc": num_proc, "engine": engine, "progress": progress}
    poses = poses_of_videos(videos, work, experts, merging=merging, **job, **options)
    plain = work / "dataset" if poses.lifted else out
    shutil.rmtree(work / "dataset", ignore_errors=True)
    how = ", aggregated by SST-A" if len(experts) > 1 else ""
    named = (
        f"Poses of the videos in {Path(videos).name}",
        f"Keypoints by {', '.join(experts)}{how}; clips without a person for most frames are left out, as in Posetics",
    )
    made = save_dataset_report("folder", poses.folder, plain, terms=terms, draw_layout=draw_layout, named=named, **job)
    if poses.lifted:
        column = FeatureColumn("keypoints_3d", ("clip_id",), partial(world_keypoints, work), {"of": experts[0]}, True)
        add_feature_columns(plain, out, [column], progress=progress)
        shutil.rmtree(plain)
    return replace(made, folder=out), poses


def labelled_videos(folder: Path) -> dict[str, dict[str, str]]:
    """Name of a video (its path below the folder, `/` as `--`) -> its line of the table; `video` is its path.

    Raises:
        ValueError: no folder, no videos, or parts of videos (start_s).
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder of videos.")
    table = folder / TABLE
    lines: dict[str, dict[str, str]] = {}
    if table.is_file():
        for file, rows in load_table(table).items():
            if len(rows) > 1 or rows[0].times:
                raise ValueError(f"{table}: {file} has start and end times; cut the video into files first.")
            cells = {name: "" if value is None else str(value) for name, value in asdict(rows[0]).items()}
            cells["split"] = {1: "train", 0: "test", None: ""}[rows[0].trains]
            lines[_name_of(file)] = {**cells, "video": str(folder / file)}
    else:
        for path in sorted(folder.glob("*/*")):
            if path.suffix.lower() in VIDEO_SUFFIXES:
                file = path.relative_to(folder).as_posix()
                lines[_name_of(file)] = {"video": str(path), "label": path.parent.name}
    if not lines:
        raise ValueError(
            f"{folder} has no videos: expected {TABLE} (file,label) or a folder of videos for each class, of "
            f"{', '.join(sorted(VIDEO_SUFFIXES))}."
        )
    paths = [os.path.relpath(line["video"], folder) for line in lines.values()]
    if outside := Store(str(folder)).links_outside(paths):
        raise ValueError(f"{folder}: links to files elsewhere are not followed: {outside[:3]}; copy the files there.")
    return lines


def _name_of(file: str) -> str:
    return Path(file).with_suffix("").as_posix().replace("/", "--")


def _run(expert: Expert, lines: Mapping[str, Mapping[str, str]], work: Path, **options: Any) -> Path:
    """The folder of the expert's results, `NAME.npz` for each video."""
    folder = work / "experts" / expert.name
    folder.mkdir(parents=True, exist_ok=True)
    named = {name: line["video"] for name, line in lines.items()}
    if expert.estimator in ESTIMATORS:
        extract_files(named, folder, expert.estimator, world=True, estimator_options=dict(expert.options), **options)
        return folder
    for name, video in named.items():  # another program's keypoints
        stem, target = Path(video).stem, folder / f"{name}.npz"
        files = sorted(path for path in Path(expert.estimator).glob(f"{stem}*") if stem in (path.stem, path.name))
        if files and not target.exists():
            for clip in read(files[0])[:1]:
                write_clip(clip, target)
    return folder


def _aggregate(name: str, paths: Sequence[Path], work: Path, layout: str, min_present: float) -> str | None:
    """Writes `work/clips/NAME.npz`, or returns why the clip is dropped."""
    existing = [read(path)[0] for path in paths if path.is_file()]
    clip = aggregate_clips(existing, layout, min_present) if existing else "no expert has keypoints of it"
    if isinstance(clip, str):
        return clip
    write_clip(clip, work / "clips" / f"{name}.npz")
    return None


def aggregate_clips(found: Sequence[SkeletonSequence], layout: str, min_present: float) -> SkeletonSequence | str:
    """One clip of the experts' clips of a video, or why it is dropped."""
    clips = [clip for clip in found if clip.num_people and clip.num_frames]
    if not clips:
        return "no person detected"
    clip: SkeletonSequence = convert_layout(clips[0] if len(clips) == 1 else aggregate_experts(clips)[0], layout)
    present = float(clip.joint_mask.any(axis=(0, 2)).mean())
    if present <= min_present:
        return f"a person is detected in {present:.0%} of the frames, not in more than {min_present:.0%}"
    return clip


def _errors(found: Mapping[str, Path], lines: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Errors of experts that could not read a video: name of the video -> `"expert: error"`.

    Raises:
        ValueError: an expert has no keypoints at all.
    """
    errors: dict[str, str] = {}
    for expert, folder in found.items():
        failed = {name: _error(folder, name) for name in lines if not (folder / f"{name}.npz").is_file()}
        if len(failed) == len(lines):
            first = next(iter(failed.values()))
            raise ValueError(f"Expert {expert!r} has keypoints of none of the {len(lines)} videos: {first}")
        errors |= {name: f"{expert}: {error}" for name, error in failed.items()}
    return errors


def _error(folder: Path, name: str) -> str:
    report = folder / f"{name}.report.json"
    if not report.is_file():
        return "no file of the video's name."
    return str(read_json(report).get("error", "nothing was written."))


def _lift(name: str, work: Path, first: Expert, layout: str) -> bool:
    """Writes `work/world/NAME.npz`: the first expert's keypoints in metres, of the clip's people and frames."""
    source = work / "experts" / first.name / f"{name}.world.npz"
    if not source.is_file():
        return False
    [clip] = read(work / "clips" / f"{name}.npz")
    solid = convert_layout(read(source)[0], layout)
    keypoints = np.full((*clip.keypoints.shape[:3], 3), np.nan, dtype=np.float32)
    rows = dict(zip(clip.track_ids or range(clip.num_people), range(clip.num_people), strict=True))
    for track, person in zip(solid.track_ids or range(solid.num_people), solid.keypoints, strict=True):
        if track in rows:
            frames = min(len(person), clip.num_frames)
            keypoints[rows[track], :frames] = person[:frames]
    lifted = replace(solid, keypoints=keypoints, confidence=None, track_ids=clip.track_ids)
    write_clip(lifted, work / WORLD / f"{name}.npz")
    return True


def world_keypoints(work: Path, rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
    """`(people, frames, joints, 3)` metres of the dataset's clips, empty for clips without them."""
    paths = [work / WORLD / row["clip_id"] for row in rows]
    return [read(path)[0].keypoints if path.is_file() else np.zeros((0,), np.float32) for path in paths]


def _write_table(path: Path, lines: Sequence[Mapping[str, str]]) -> None:
    columns = [name for name in COLUMNS if not name.endswith("_s")]
    with atomic_path(path) as writing, writing.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        table.writeheader()
        table.writerows(lines)
