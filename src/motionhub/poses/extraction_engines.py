"""Who runs the stages of a large extraction: processes of this machine, or the workers of a Ray cluster."""

import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from motionhub.data.build.engines import check_ray_starts, run_parts
from motionhub.poses.extraction_plan import Plan, PlannedVideo, part_name, shares
from motionhub.poses.extraction_stages import ExpertStage, Job, RunEnded, finish_part, joined, unpacked


# Ray's driver remembers each block; so many are a few seconds of its time.
_MOST_BLOCKS = 10_000
_GIGABYTE = 10**9
_FINISHING = 8  # parts that are finished at once, per node


@dataclass(frozen=True)
class Resources:
    """What one worker of an expert takes of a Ray cluster, and how many there may be.

    Args:
        cpus, gpus: shares are allowed.
        memory_gb: that Ray reserves; None: nothing is reserved.
        min_workers, max_workers: None: as many as fit.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gb: float | None = None
    min_workers: int = 1
    max_workers: int | None = None

    @classmethod
    def parse(cls, text: str) -> tuple[str, "Resources"]:
        """`vitpose:gpus=1,memory_gb=8,workers=1-4` -> the expert and its resources.

        Raises:
            ValueError: malformed, or an unknown resource.

        Examples:
            >>> from motionhub.poses.extraction_engines import Resources
            >>> Resources.parse("vitpose:gpus=0.5,workers=1-4")
            ('vitpose', Resources(cpus=1.0, gpus=0.5, memory_gb=None, min_workers=1, max_workers=4))
        """
        expert, _, rest = text.rpartition(":")
        values: dict[str, Any] = {}
        try:
            for part in rest.split(","):
                name, _, value = part.partition("=")
                if name == "workers":
                    low, _, high = value.partition("-")
                    values |= {"min_workers": int(low), "max_workers": int(high or low)}
                elif name in ("cpus", "gpus", "memory_gb"):
                    values[name] = float(value)
                else:
                    raise ValueError
            if (
                not expert
                or min(values.values()) < 0
                or not 1 <= values.get("min_workers", 1) <= values.get("max_workers", 1e9)
            ):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"Expected EXPERT:cpus=1,gpus=0.5,memory_gb=4,workers=1-8 (any of them), got {text!r}."
            ) from None
        return expert, cls(**values)


def run_on_this_machine(
    job: Job, plan: Plan, pending: Sequence[int], *, num_proc: int | None, progress: bool | None, done: int
) -> None:
    """Makes the pending parts, each in one of `num_proc` processes, which load every expert once."""
    parts = {part_name(number): [json.dumps(asdict(video)) for video in plan.part(number)] for number in pending}
    try:
        run_parts(parts, partial(_make_part, job), num_proc=num_proc, engine="datasets", progress=progress, done=done)
    finally:
        _close_stages()


_stages: dict[bytes, list[ExpertStage]] = {}


def _make_part(job: Job, name: str, sources: Sequence[str]) -> None:
    key = pickle.dumps(job)
    if key not in _stages:
        _stages[key] = [ExpertStage(job, number) for number in range(len(job.experts))]
    videos = [PlannedVideo(**json.loads(source)) for source in sources]
    answers = {}
    for video in videos:
        found = [stage.answer(video.name) for stage in _stages[key]]
        if refused := next((answer.refused for answer in found if answer.refused), ""):
            raise RunEnded(refused)
        answers[video.name] = [[answer] for answer in found]
    finish_part(job, int(name.rpartition("/")[2]), videos, answers)


def _close_stages() -> None:
    for stage in (stage for stages in _stages.values() for stage in stages):
        if stage.process is not None:
            stage.process.close()
    _stages.clear()


def marks_on_ray(
    job: Job, plan: Plan, pending: Sequence[int], resources: Mapping[str, Resources]
) -> Iterator[dict[str, Any]]:
    """Makes the pending parts on the workers of a Ray cluster; the marks, as parts are finished.

    One stage of Ray Data for each expert, whose workers load it once, on resources of its own. The answers meet here,
    by video; a part whose videos have all come is finished by a task. A worker or node that dies is replaced by Ray,
    and what it had in hand is done again. Videos of any trouble become failures in the report.

    Raises:
        RunEnded: a worker refused (other versions, no estimator, a store that does not answer).
        ImportError: Ray is not installed.
        RuntimeError: the cluster is gone.
    """
    ray = started_ray()
    rows, sizes = _rows(plan, pending)
    ray.data.DataContext.get_current().enable_progress_bars = False
    data = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
    for number, expert in enumerate(job.experts):
        own = resources.get(expert.name, Resources())
        data = data.map_batches(
            ExpertStage,
            fn_constructor_args=(job, number),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=own.min_workers, max_size=own.max_workers),
            num_cpus=own.cpus,
            num_gpus=own.gpus or None,
            memory=None if own.memory_gb is None else own.memory_gb * _GIGABYTE,
        )
    # Experts hold the processors; finishing takes a share of a hundredth of what they do.
    finish = ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(_finish_rows)
    most = _FINISHING * max(1, len(ray.nodes()))
    running: list[Any] = []
    with _own_errors(ray):
        for number, answers in joined(data.iter_rows(), sizes):
            running.append(finish.remote(job, number, plan.part(number), answers))
            while running:
                done, running = ray.wait(running, timeout=None if len(running) >= most else 0)
                if not done:
                    break
                yield ray.get(done[0])
        for one in running:
            yield ray.get(one)


def map_on_ray(call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """`call(*arguments)` of each, by tasks of Ray, in order."""
    ray = started_ray()
    task = ray.remote(num_cpus=1)(call)
    with _own_errors(ray):
        return list(ray.get([task.remote(*one) for one in arguments]))


def started_ray() -> Any:
    """The module `ray`, connected to the cluster that RAY_ADDRESS names, or to one on this machine.

    Raises:
        ImportError: it is not installed.
        ValueError: it cannot start workers here.
        RuntimeError: no cluster answers.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise ImportError("engine='ray' needs Ray; install it with: pip install 'motionhub[ray]'") from None
    if not ray.is_initialized():
        check_ray_starts()
        try:
            ray.init(log_to_driver=False)
        except (ConnectionError, RuntimeError) as error:
            why = " ".join(str(error).split())[:300]
            raise RuntimeError(f"No Ray cluster answers ({why}); set RAY_ADDRESS=HOST:6379, or =local.") from None
    return ray


def _rows(plan: Plan, pending: Sequence[int]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """A row for each share of each video of the pending parts, and the number of rows of each part."""
    rows, sizes = [], {}
    for number in pending:
        parts = shares(plan.part(number))
        sizes[number] = len(parts)
        rows += [
            {"part": number, "video": video.name, "share": share, "shares": video.shares} for video, share in parts
        ]
    return rows, sizes


def _finish_rows(
    job: Job, number: int, videos: Sequence[PlannedVideo], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    return finish_part(job, number, videos, unpacked(len(job.experts), rows))


@contextmanager
def _own_errors(ray: Any) -> Iterator[None]:
    """Raises what our own code raised in place of Ray's exception around it."""
    try:
        yield
    except ray.exceptions.RayError as error:
        found: BaseException | None = error
        while found is not None:
            if not type(found).__module__.startswith("ray") and isinstance(found, ValueError | OSError):
                raise found from None
            found = getattr(found, "cause", None) or found.__cause__
        raise RuntimeError(f"Ray ended the run: {' '.join(str(error).split())[-1500:]}") from None
