"""A dataset of poses from any number of videos, on one machine or many: parts, then shards, a manifest last.

Parts are small (64 videos), so that little is lost with a worker; shards of about 512 MB are made of consecutive
parts. Both are determined by the plan of the first start, so every engine, number of workers and history of crashes
gives the same bytes.
"""

import hashlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from tqdm.auto import tqdm

from motionhub.bounded import parse_json
from motionhub.data.build.engines import ENGINES
from motionhub.data.build.lease import Lease
from motionhub.data.build.shards import PARQUET
from motionhub.data.build.store import Store, store_at
from motionhub.data.formats.schema import features
from motionhub.poses.estimator_process import versions
from motionhub.poses.estimators import ESTIMATORS, parse_option
from motionhub.poses.extraction_engines import Resources, map_on_ray, marks_on_ray, run_on_this_machine
from motionhub.poses.extraction_plan import ExtractionOptions, Plan, agreed_plan, finished_parts, part_name, plan_of
from motionhub.poses.extraction_stages import Job
from motionhub.poses.video_dataset import Expert


MANIFEST, STATS, FAILURES, STATE = "manifest.json", "stats.json", "failures.jsonl", "state"
_MOST_MANIFEST = 2**30  # bytes; it names every video that was left out
_ROUNDS = 3  # in which damaged parts are made again
_REPORT_EVERY = 30.0  # seconds between two versions of stats.json
_OF_ALL_WORKERS = ("motionhub", "python", "numpy", "pyarrow")


@dataclass(frozen=True)
class ExtractedDataset:
    """The result of `extract_dataset`.

    Args:
        address: of the dataset, for `datasets.load_dataset` where it is a folder or a repository.
        manifest: shards with size, SHA-256 and clips; versions; numbers of videos, clips, and those left out.
        stats: videos per second, people, failures by class, seconds per stage.
    """

    address: str
    manifest: dict[str, Any]
    stats: dict[str, Any]


def extract_dataset(
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    experts: Sequence[str] = ("mediapipe",),
    *,
    engine: str = "datasets",
    num_proc: int | None = None,
    resources: Mapping[str, Resources] | None = None,
    timeout: float | None = None,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> ExtractedDataset:
    """Poses of all videos below an address as parquet shards at another; resumes after interruption.

    Videos that cannot be read, crash the decoder or take too long are left out, with class, message and trace of the
    error in `failures.jsonl`. The dataset is complete when `manifest.json` exists, which is written last.

    Args:
        videos: a folder, or an address of fsspec (`s3://`, `hf://`, ...); a folder per class, or with a `labels.csv`
            (file, label, licence), or neither. A clip's id is its video's path below it.
        out: a new folder or address; what an interrupted run of the same call left there is used.
        experts: names with options (`mediapipe:num_people=2`), or `package.module:Class` of your own, importable on
            all workers. Several are aggregated by SST-A.
        engine: `"datasets"`: `num_proc` processes of this machine; `"ray"`: the cluster that RAY_ADDRESS names or
            `ray.init` has connected, otherwise one on this machine.
        resources: of the workers of each expert, by its name in `experts`; Ray only.
        timeout: seconds after which the process of an estimator is ended, for one video or share of a large one.
        progress: a bar of videos; None: on terminals only.
        storage_options: of both file systems.
        options: of the rows: layout, min_present, min_confidence, min_frames, window, overlap, licence,
            videos_per_part, shard_bytes; see `extraction_plan.ExtractionOptions`.

    Raises:
        ValueError: no videos, unknown experts, other inputs than those of the interrupted run, another run that is
            writing there, workers of several versions, or no video with a detected person.
        StoreError: a store that does not answer (an OSError); finished parts are kept.
        ImportError: an estimator or Ray is not installed.

    Examples:
        >>> made = motionhub.extract_dataset("videos", "s3://bucket/poses", engine="ray")  # doctest: +SKIP
        >>> made.manifest["clips"], made.stats["videos_per_second"]  # doctest: +SKIP
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {ENGINES}, got {engine!r}.")
    asked, chosen = parse_experts(experts), ExtractionOptions(tuple(experts), **options)
    unknown = set(resources or {}) - {expert.name for expert in asked}
    if unknown:
        raise ValueError(f"resources are of experts {[expert.name for expert in asked]}, got {sorted(unknown)}.")
    source, target = store_at(videos, storage_options), store_at(out, storage_options)
    every = versions()
    expected = {name: every[name] for name in _OF_ALL_WORKERS}
    plan = plan_of(source, {**chosen.to_json(), "versions": expected})
    if (finished := _finished(target, plan)) is not None:
        return finished
    job = Job(source, target, asked, chosen, plan.class_names, plan.fingerprint, expected, timeout)
    with Lease(target) as lease:
        plan = agreed_plan(target, plan)
        run = _Run(replace(job, token=lease.token), plan, lease, engine, progress)
        made = run.finish(run.parts(num_proc, resources or {}))
    target.remove_folder(STATE)  # with the lease's own file, which its thread writes until here
    return made


class _Run:
    """One run, from the first pending part to the manifest."""

    def __init__(self, job: Job, plan: Plan, lease: Lease, engine: str, progress: bool | None) -> None:
        self.job, self.plan, self.lease, self.engine, self.progress = job, plan, lease, engine, progress
        self.began, self.made = time.perf_counter(), 0
        self.reported = self.began

    def parts(self, num_proc: int | None, resources: Mapping[str, Resources]) -> dict[int, dict[str, Any]]:
        """Makes all parts that are not there; the marks of all."""
        marks = finished_parts(self.job.out, self.plan)
        pending = [number for number in range(self.plan.num_parts) if number not in marks]
        done = sum(mark["videos"] for mark in marks.values())
        self.made += self.plan.num_videos - done
        if not pending:
            return marks
        if self.engine == "ray":
            self._on_ray(pending, marks, resources, done)
        else:
            how: dict[str, Any] = {"num_proc": num_proc, "progress": self.progress, "done": done}
            run_on_this_machine(self.job, self.plan, pending, **how)
        return marks | finished_parts(self.job.out, self.plan, pending)

    def _on_ray(
        self,
        pending: Sequence[int],
        marks: Mapping[int, dict[str, Any]],
        resources: Mapping[str, Resources],
        done: int,
    ) -> None:
        seen = list(marks.values())
        disable = None if self.progress is None else not self.progress
        with tqdm(total=self.plan.num_videos, initial=done, desc="extracting", unit=" videos", disable=disable) as bar:
            for mark in marks_on_ray(self.job, self.plan, pending, resources):
                self.lease.check()
                bar.update(mark["videos"])
                seen.append(mark)
                check_versions(self.job.out, seen[:1] + seen[-1:])
                if time.perf_counter() - self.reported > _REPORT_EVERY:
                    self.reported = time.perf_counter()
                    made = sum(one["videos"] for one in seen) - done
                    self._write_json(STATS, self._stats(seen, made))

    def finish(self, marks: dict[int, dict[str, Any]]) -> ExtractedDataset:
        """Shards, reports, card and manifest of the finished parts; damaged parts are made again."""
        check_versions(self.job.out, list(marks.values()))
        for _ in range(_ROUNDS):
            damaged = self._write_shards(marks)
            if not damaged:
                break
            for number in damaged:
                self.job.out.remove(f"{part_name(number)}.json")
            marks = self.parts(None, {})
        else:
            raise ValueError(f"{self.job.out.address}: parts {damaged} do not keep what is written; check the store.")
        return self._write_rest([marks[number] for number in sorted(marks)])

    def _write_shards(self, marks: Mapping[int, dict[str, Any]]) -> list[int]:
        """Writes the shards; numbers of parts that are not what their marks state."""
        missing = [number for number in range(self.plan.num_parts) if number not in marks]
        if missing:
            return missing
        groups = shard_groups(marks, self.job.options.shard_bytes)
        names = [f"data/clips-{number:05d}-of-{len(groups):05d}.parquet" for number in range(len(groups))]
        calls = [
            (self.job, name, [(number, marks[number]["sha256"]) for number in group])
            for name, group in zip(names, groups, strict=True)
        ]
        made = map_on_ray(write_shard, calls) if self.engine == "ray" else [write_shard(*one) for one in calls]
        self.lease.check()
        self.shards = [one for one in made if isinstance(one, dict)]
        return [number for one in made if not isinstance(one, dict) for number in one]

    def _write_rest(self, marks: Sequence[dict[str, Any]]) -> ExtractedDataset:
        out, plan = self.job.out, self.plan
        failures = [failure for mark in marks for failure in mark["failures"]]
        lines = [json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures]
        out.write(FAILURES, "".join(lines).encode())
        stats = self._stats(marks, self.made)
        self._write_json(STATS, stats)
        left_out = {name: why for mark in marks for name, why in mark["left_out"].items()}
        clips = sum(shard["clips"] for shard in self.shards)
        if not clips:
            first = next(iter(left_out.items()))
            raise ValueError(
                f"No clip is left of {plan.num_videos} videos; the first, {first[0]}: {first[1]}. See {FAILURES} in "
                f"{out.address}."
            )
        manifest = {
            "plan": plan.fingerprint,
            "options": dict(plan.options),
            "versions": marks[0]["versions"],
            "videos": plan.num_videos,
            "clips": clips,
            "left_out": left_out,
            "shards": self.shards,
        }
        out.write("README.md", _card(self.job, manifest).encode())
        self.lease.check()
        self._write_json(MANIFEST, manifest)
        return ExtractedDataset(out.address, manifest, stats)

    def _stats(self, marks: Sequence[Mapping[str, Any]], made: int) -> dict[str, Any]:
        """What the parts report, and the rate of this run."""
        wall = time.perf_counter() - self.began
        seconds: Counter[str] = Counter()
        for mark in marks:
            seconds.update(mark["seconds"])
        return {
            "videos": sum(mark["videos"] for mark in marks),
            "of_videos": self.plan.num_videos,
            "clips": sum(mark["rows"] for mark in marks),
            "people": sum(mark["people"] for mark in marks),
            "frames": sum(mark["frames"] for mark in marks),
            "left_out": sum(len(mark["left_out"]) for mark in marks),
            "failures": dict(Counter(failure["kind"] for mark in marks for failure in mark["failures"])),
            "seconds_per_stage": {name: round(value, 3) for name, value in seconds.items()},
            "engine": self.engine,
            "videos_of_this_run": made,
            "wall_seconds_of_this_run": round(wall, 3),
            "videos_per_second": round(made / max(wall, 1e-9), 3),
        }

    def _write_json(self, name: str, content: Any) -> None:
        self.job.out.write(name, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def check_versions(out: Store, marks: Sequence[Mapping[str, Any]]) -> None:
    """Raises ValueError if parts were made with several versions of a package, by several workers or runs."""
    for mark in marks[1:]:
        for name, version in marks[0]["versions"].items():
            if mark["versions"].get(name) != version:
                other = mark["versions"].get(name)
                raise ValueError(
                    f"{out.address}: parts were made with {name} {version} and {other}; install one version on all "
                    f"workers, remove {out.address}/{STATE} and run the same call again."
                )


def parse_experts(experts: Sequence[str]) -> tuple[Expert, ...]:
    """`mediapipe`, `mediapipe:num_people=2`, `package.module:Class` or `package.module:Class:option=1` of each.

    Raises:
        ValueError: none, one twice, or malformed.
    """
    found = []
    for text in experts:
        head, _, rest = text.partition(":")
        if head in ESTIMATORS:
            estimator = head
        elif rest:
            name, _, rest = rest.partition(":")
            estimator = f"{head}:{name}"
        else:
            raise ValueError(
                f"An expert is one of {list(ESTIMATORS)}, optionally with options (mediapipe:num_people=2), or "
                f"package.module:Class of your own, got {text!r}."
            )
        found.append(Expert(text, estimator, dict(parse_option(part) for part in rest.split(",") if part)))
    if not found or len({expert.name for expert in found}) < len(found):
        raise ValueError(f"Pass at least one expert, each once; got {list(experts)}.")
    return tuple(found)


def shard_groups(marks: Mapping[int, Mapping[str, Any]], shard_bytes: int) -> list[list[int]]:
    """Numbers of consecutive parts that become one shard each; parts without clips are in none.

    Examples:
        >>> from motionhub.poses.extracted_dataset import shard_groups
        >>> marks = {number: {"rows": 1, "arrow_bytes": 40} for number in range(5)}
        >>> shard_groups(marks, 80)
        [[0, 1], [2, 3], [4]]
    """
    groups: list[list[int]] = []
    size = shard_bytes
    for number in sorted(marks):
        if not marks[number]["rows"]:
            continue
        if size >= shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(number)
        size += marks[number]["arrow_bytes"]
    return groups


def write_shard(job: Job, name: str, parts: Sequence[tuple[int, str]]) -> dict[str, Any] | list[int]:
    """Writes one shard of `(number, SHA-256)` of parts; its entry in the manifest, or numbers of damaged parts.

    The parts of one shard are in memory, compressed.
    """
    schema, file = features(job.class_names).arrow_schema, io.BytesIO()
    damaged, clips = [], 0
    with pq.ParquetWriter(file, schema, compression="zstd", **PARQUET) as writer:
        for number, expected in parts:
            content = _content(job.out, f"{part_name(number)}.parquet")
            if hashlib.sha256(content).hexdigest() != expected:
                damaged.append(number)
                continue
            table = pq.read_table(pa.BufferReader(content))
            clips += table.num_rows
            writer.write_table(table)
    if damaged:
        return damaged
    content = file.getvalue()
    job.out.write(name, content)
    return {"file": name, "clips": clips, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _content(store: Store, name: str) -> bytes:
    with suppress(FileNotFoundError):
        return store.read(name)
    return b""


def _finished(out: Store, plan: Plan) -> ExtractedDataset | None:
    """The dataset that is complete already; None where none is.

    Raises:
        ValueError: a finished dataset of other inputs, or other files.
    """
    try:
        manifest = parse_json(out.read(MANIFEST), MANIFEST, most=_MOST_MANIFEST)
    except FileNotFoundError:
        there = [
            name for name in out.files() if name.split("/")[0] not in (STATE, "data", STATS, FAILURES, "README.md")
        ]
        if there:
            raise ValueError(f"{out.address}: has other files ({there[0]}); give a new output.") from None
        return None
    except ValueError:
        raise ValueError(f"{out.address}/{MANIFEST}: is damaged; remove it and run the same call again.") from None
    if manifest.get("plan") != plan.fingerprint:
        raise ValueError(f"{out.address}: has a finished dataset of other inputs or options; give another output.")
    out.remove_folder(STATE)
    with suppress(FileNotFoundError):
        return ExtractedDataset(out.address, manifest, parse_json(out.read(STATS), f"{out.address}/{STATS}"))
    return ExtractedDataset(out.address, manifest, {})


def _card(job: Job, manifest: Mapping[str, Any]) -> str:
    from jinja2 import Environment

    text = (files("motionhub.data.build") / "templates" / "extracted_poses.md").read_text(encoding="utf-8")
    return Environment(keep_trailing_newline=True).from_string(text).render(job=job, manifest=manifest)
