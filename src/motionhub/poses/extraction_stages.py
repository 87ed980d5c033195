"""The stages of a large extraction: an expert for each video, then tracks, SST-A, and a part of the dataset."""

import hashlib
import io
import json
import pickle
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from motionhub.data.build.lease import read_owner
from motionhub.data.build.shards import PARQUET, rows_to_table
from motionhub.data.build.store import Store
from motionhub.data.formats.schema import features
from motionhub.poses.estimator_process import EstimatorProcess, EstimatorUnusable, Failure, failure_of, versions
from motionhub.poses.extraction_plan import ExtractionOptions, PlannedVideo, part_name
from motionhub.poses.video_dataset import Expert, aggregate_clips
from motionhub.poses.windows import Detections, follow_through
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class Job:
    """What every worker knows.

    Args:
        videos, out: input and output.
        experts: pose estimators, by number.
        options: of the rows.
        class_names: of the labels.
        plan: fingerprint.
        versions: that all workers must have.
        timeout: seconds for one request to an estimator; None: no limit.
        token: of the run that owns the output.
    """

    videos: Store
    out: Store
    experts: tuple[Expert, ...]
    options: ExtractionOptions
    class_names: tuple[str, ...]
    plan: str
    versions: Mapping[str, str]
    timeout: float | None = None
    token: str = ""


@dataclass(frozen=True)
class Answer:
    """One expert's detections in a share of a video, or why there are none.

    `refused` ends the run: no other video would fare better on that machine.
    """

    found: tuple[Detections, ...] | Failure
    fetch_seconds: float = 0.0
    versions: Mapping[str, str] | None = None
    refused: str = ""


class RunEnded(ValueError):
    """A worker that cannot do its work; the message names the machine."""


class ExpertStage:
    """A pose estimator, loaded once, that answers for one share of a video after another.

    A worker without the estimator, or with other versions than the run, refuses: every answer says so.

    Args:
        job: of the run.
        number: of the expert.
    """

    def __init__(self, job: Job, number: int) -> None:
        self.job, self.number, expert = job, number, job.experts[number]
        self.versions = versions((expert.estimator,))
        self.refused = _other_versions(job.versions, self.versions)
        self.process: EstimatorProcess | None = None
        if not self.refused:
            try:
                self.process = EstimatorProcess(expert.estimator, expert.options, job.timeout)
            except EstimatorUnusable as error:
                self.refused = f"{socket.gethostname()}: {error}"

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Adds the column `answer_NUMBER` to a batch with the columns `video`, `share` and `shares`."""
        asked = zip(batch["video"], batch["share"], batch["shares"], strict=True)
        answers = [self.answer(str(name), int(share), int(count)) for name, share, count in asked]
        packed = np.array([pickle.dumps(answer) for answer in answers], dtype=object)
        refused = batch.get("refused", np.full(len(answers), "", dtype=object))
        refused = np.array([before or answer.refused for before, answer in zip(refused, answers, strict=True)])
        return {**batch, "refused": refused, f"answer_{self.number}": packed}

    def answer(self, name: str, share: int = 0, count: int = 1) -> Answer:
        """The people in a share of a video."""
        if self.process is None:
            return Answer((), refused=self.refused)
        began, options = time.perf_counter(), self.job.options
        windows = {"longest": options.window, "overlap": options.overlap}
        fetched = 0.0
        try:
            with self.job.videos.local(name) as path:
                fetched = time.perf_counter() - began
                found = _without_path(self.process.detect(path, share, count, **windows), str(path), name)
        except FileNotFoundError as error:
            found = failure_of(error)
        except (EstimatorUnusable, OSError) as error:
            # Of the machine or the store, not of the video: no answer, no access, a full disk, an estimator that could
            # not be loaded again after a crash.
            return Answer((), refused=f"{socket.gethostname()}: {name}: {error}")
        return Answer(found if isinstance(found, Failure) else tuple(found), fetched, self.versions)


def joined(
    rows: Iterable[Mapping[str, Any]], sizes: Mapping[int, int]
) -> Iterator[tuple[int, dict[str, list[Mapping[str, Any]]]]]:
    """Rows of the last expert, in any order -> parts whose rows have all come: number, video -> its rows.

    Args:
        rows: with `part`, `video`, `share`, `refused` and the answers.
        sizes: number of rows of each part.

    Raises:
        RunEnded: a worker refused, or rows of a part did not come.
    """
    waiting: dict[int, dict[tuple[str, int], Mapping[str, Any]]] = {}
    for row in rows:
        if row.get("refused"):
            raise RunEnded(str(row["refused"]))
        part = int(row["part"])
        here = waiting.setdefault(part, {})
        here[str(row["video"]), int(row["share"])] = row
        if len(here) == sizes[part]:
            yield part, _by_video(waiting.pop(part))
    if waiting:
        some = ", ".join(f"{part} ({len(here)} of {sizes[part]})" for part, here in sorted(waiting.items())[:3])
        raise RunEnded(f"The stages ended before all videos of parts {some} came; run the same call again.")


def _by_video(rows: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for (video, _), row in sorted(rows.items(), key=lambda one: one[0]):
        found.setdefault(video, []).append(row)
    return found


def finish_part(
    job: Job, number: int, videos: Sequence[PlannedVideo], answers: Mapping[str, Sequence[Sequence[Answer]]]
) -> dict[str, Any]:
    """Tracks, SST-A, and the part's file and mark, the mark last; returns the mark.

    Args:
        job: of the run.
        number: of the part.
        videos: its videos.
        answers: video -> expert -> shares in order.

    Raises:
        RunEnded: a worker refused, versions of workers differ, or another run owns the output.
    """
    began = time.perf_counter()
    seen = _one_version(job, [answer for shares in answers.values() for share in shares for answer in share])
    report: dict[str, Any] = {"left_out": {}, "failures": [], "people": 0, "frames": 0}
    rows = []
    for video in videos:
        try:
            clip = _clip_of(job, video.name, answers[video.name], report)
        except Exception as error:  # one video does not stop the others
            report["failures"].append({"video": video.name, "stage": "SST-A", **asdict(failure_of(error))})
            clip = f"{type(error).__name__}: {error}"
        if isinstance(clip, str):
            report["left_out"][video.name] = clip
            continue
        report["people"] += clip.num_people
        report["frames"] += clip.num_frames
        licence = video.licence or job.options.licence
        rows.append(to_row(clip, source="videos", label=video.label, clip_id=video.name, licence=licence))
    table = rows_to_table(rows, features(job.class_names).arrow_schema)
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd", **PARQUET)
    content = file.getvalue()
    mark = {
        "plan": job.plan,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": len(rows),
        "arrow_bytes": table.nbytes,
        "videos": len(videos),
        **report,
        "versions": seen,
        "seconds": {**_seconds(job, answers), "SST-A and writing": time.perf_counter() - began},
    }
    _check_owner(job)
    job.out.write(f"{part_name(number)}.parquet", content)
    job.out.write(f"{part_name(number)}.json", json.dumps(mark, ensure_ascii=False).encode())
    return mark


def unpacked(experts: int, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[list[Answer]]]:
    """The answers in the rows of `joined`: video -> expert -> shares in order."""
    return {
        video: [[pickle.loads(row[f"answer_{number}"]) for row in shares] for number in range(experts)]
        for video, shares in rows.items()
    }


def _clip_of(
    job: Job, name: str, answers: Sequence[Sequence[Answer]], report: dict[str, Any]
) -> SkeletonSequence | str:
    """The aggregated clip of a video, or why it is left out; failures of experts go into the report."""
    clips, failed, options = [], [], job.options
    for expert, shares in zip(job.experts, answers, strict=True):
        failure = next((share.found for share in shares if isinstance(share.found, Failure)), None)
        if failure is not None:
            report["failures"].append({"video": name, "stage": expert.name, **asdict(failure)})
            failed.append(f"{expert.name}: {failure.kind}: {failure.message}")
            continue
        windows = [window for share in shares if not isinstance(share.found, Failure) for window in share.found]
        tracks, _ = follow_through(windows, min_confidence=options.min_confidence, min_frames=options.min_frames)
        clips.append(tracks.clip)
    if not clips:
        return "; ".join(failed)
    return aggregate_clips(clips, options.layout, options.min_present)


def _one_version(job: Job, answers: Sequence[Answer]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for answer in answers:
        if answer.refused:
            raise RunEnded(answer.refused)
        for name, version in (answer.versions or {}).items():
            if seen.setdefault(name, version) != version:
                raise RunEnded(
                    f"Workers have {name} {seen[name]} and {version}; install one version on all of them, and run the "
                    "same call again."
                )
    return seen


def _without_path(found: Sequence[Detections] | Failure, path: str, name: str) -> Sequence[Detections] | Failure:
    """Failures name the video as the dataset does: a copy's path on a worker is of no use, and differs each time."""
    if not isinstance(found, Failure):
        return found
    return replace(found, message=found.message.replace(path, name), trace=found.trace.replace(path, name))


def _other_versions(expected: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Why a worker with these versions cannot take part; empty if it can."""
    for name, version in expected.items():
        if here.get(name, "absent") != version:
            got = here.get(name, "absent")
            return (
                f"{socket.gethostname()}: has {name} {got}, the run was begun with {version}; "
                f"install that there: pip install {name}=={version}"
            )
    return ""


def _check_owner(job: Job) -> None:
    """A run that lost its output writes nothing more."""
    if job.token:
        owner = read_owner(job.out)
        if owner is not None and owner["token"] != job.token:
            raise RunEnded(
                f"{job.out.address}: another run (process {owner.get('process')} on {owner.get('host')}) owns it."
            )


def _seconds(job: Job, answers: Mapping[str, Sequence[Sequence[Answer]]]) -> dict[str, float]:
    """Seconds of each stage, summed over workers."""
    found = {"fetching": 0.0}
    for shares in answers.values():
        for expert, own in zip(job.experts, shares, strict=True):
            found["fetching"] += sum(answer.fetch_seconds for answer in own)
            windows = [window for answer in own if not isinstance(answer.found, Failure) for window in answer.found]
            found[expert.name] = found.get(expert.name, 0.0) + sum(window.seconds for window in windows)
    return found
