"""`make fuzz SECONDS=60`: every reader on damaged and exaggerated files, in limited memory; a table of what was found.

    python tests/fuzz/run.py --seconds 60 --seed 7 --formats csv bvh
    python tests/fuzz/run.py --seconds 36000 --files 100000 --report fuzz.txt --progress fuzz.json   # the long run

A file that is neither read nor refused in one line that names it, or that takes more than 5 s (for each 5 MB) or 1,500
MB, is a finding: it is kept below `--keep`, and the command ends with status 1. The next file is a function of seed,
format and number, so a finding can be made again: `--formats NAME --seed SEED --first NUMBER --files 1`. With
`--progress` the same command resumes after an interruption, at the last batch of each format.
"""

import argparse
import gc
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any


HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "data" / "formats")]

from exaggerate import exaggerated  # noqa: E402
from forks import address_space, forked  # noqa: E402
from format_samples import SAMPLES, Sample  # noqa: E402
from hostile_files import HOSTILE  # noqa: E402
from test_fuzz_readers import damaged  # noqa: E402

from motionhub.atomic import write_text  # noqa: E402
from motionhub.data.datasets.datasets import DATASETS  # noqa: E402
from motionhub.data.datasets.reading import read  # noqa: E402
from motionhub.data.formats import decoding  # noqa: E402
from motionhub.data.formats.formats import FORMATS  # noqa: E402


MOST_SECONDS, MOST_MEGABYTES, LONGEST_MESSAGE = 5.0, 1500, 800
# Of a batch in one process: its address space beyond today's, and the files in it.
MEMORY, BATCH = 4 * 2**30, 500
# Every format gets so many files before the next stage, in which the fastest formats come first.
STAGES = (100, 1000)


@dataclass
class Tally:
    """What came of the files of one format."""

    files: int = 0
    refused: int = 0
    all_seconds: float = 0.0
    seconds: float = 0.0
    megabytes: int = 0
    findings: list[str] = field(default_factory=list)


def made(name: str, number: int, seed: int) -> Sample:
    """The hostile files of one trial: half of them damaged, half exaggerated."""
    chance = random.Random(f"{seed} {name} {number}")
    sample = chance.choice(SAMPLES[name])
    place = chance.choice([*sample.files])
    make = damaged if chance.random() < 0.5 else exaggerated
    content = make(place, sample.files[place], chance)
    return Sample(sample.target, {**sample.files, place: content}, sample.options, sample.facts)


def written(sample: Sample, folder: Path) -> None:
    for place, content in sample.files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def outcome(name: str, sample: Sample, folder: Path) -> tuple[bool, str]:
    """Whether a reader refused the files, and what is wrong with how it did."""
    written(sample, folder)
    target, dataset = folder / sample.target, None if name in FORMATS else DATASETS.get(name)
    calls = [lambda: read(target, **sample.options)]
    if dataset is not None:
        calls += [lambda: dataset.read(target), lambda: dataset.facts_of(target)]
    refused = False
    for call in calls:
        try:
            call()
        except ValueError as error:
            refused, message = True, str(error)
            if not message.isprintable() or str(folder) not in message:
                return True, f"a message without the file, or with control characters: {message[:200]!r}"
            if len(message) > LONGEST_MESSAGE + len(str(folder)):
                return True, f"a message of {len(message)} characters: {message[:120]!r}"
        except Exception as error:
            return True, f"{type(error).__name__}: {str(error)[:200]}"
    return refused, ""


def batch(name: str, numbers: range, seed: int, folder: Path) -> Iterator[tuple[int, bool, float, str]]:
    """Number, refusal, seconds and finding of each trial."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"not done after {2 * MOST_SECONDS:g} s of computing")

    signal.signal(signal.SIGVTALRM, stop)
    for number in numbers:
        sample = made(name, number, seed)
        # A file is written over the one before; several have a folder, as readers remember lists beside their clips.
        alone = len(sample.files) == 1
        here = folder / ("file" if alone else str(number))
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * MOST_SECONDS)
        started = time.process_time()
        refused, finding = outcome(name, sample, here)
        seconds = time.process_time() - started
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        megabytes = sum(map(len, sample.files.values())) / 1e6
        if not finding and seconds > MOST_SECONDS * max(1, megabytes / 5):
            finding = f"{seconds:.1f} s"
        if not alone and not finding:
            shutil.rmtree(here, ignore_errors=True)
        if alone and finding:
            written(sample, folder / str(number))
        yield number, refused, seconds, finding


def in_a_process(name: str, numbers: range, seed: int, folder: Path, tally: Tally) -> None:
    """Runs a batch in a child with limited memory, and counts; after a child that dies, the rest in another."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        warnings.simplefilter("ignore")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        used = address_space()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        for number, refused, seconds, finding in batch(name, numbers, seed, folder):
            peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
            if peak > MOST_MEGABYTES and not finding and tally.megabytes <= MOST_MEGABYTES:
                finding = f"{peak} MB"
            line = f"{number}\t{int(refused)}\t{seconds:.3f}\t{peak}\t{finding.splitlines()[0] if finding else ''}\n"
            os.write(writing, line.encode(errors="replace"))
        shutil.rmtree(folder / "file", ignore_errors=True)
        os._exit(0)
    os.close(writing)
    last = numbers.start - 1
    with os.fdopen(reading, errors="replace") as lines:
        for line in lines:
            number, refused, seconds, peak, finding = line.rstrip("\n").split("\t", 4)
            last = int(number)
            tally.files, tally.refused = tally.files + 1, tally.refused + int(refused)
            tally.all_seconds += float(seconds)
            tally.seconds, tally.megabytes = max(tally.seconds, float(seconds)), max(tally.megabytes, int(peak))
            if finding:
                tally.findings.append(f"{name} {last}: {finding}")
    status = os.waitpid(child, 0)[1]
    if status:
        tally.files += 1
        tally.findings.append(f"{name} {last + 1}: the process ended with status {status}")
        if rest := range(last + 2, numbers.stop):
            in_a_process(name, rest, seed, folder, tally)


def table(tallies: dict[str, Tally]) -> str:
    """One line for each format."""
    heads = ("files", "refused", "findings", "ms each", "worst s", "worst MB")
    lines = [f"{'format':18s} " + " ".join(f"{head:>8s}" for head in heads)]
    for name, tally in sorted(tallies.items()):
        counts = f"{tally.files:8d} {tally.refused:8d} {len(tally.findings):8d}"
        counts += f" {1000 * tally.all_seconds / max(tally.files, 1):8.2f}"
        lines.append(f"{name:18s} {counts} {tally.seconds:8.2f} {tally.megabytes:8d}")
    files = sum(tally.files for tally in tallies.values())
    return "\n".join([*lines, f"{files} files, {sum(len(each.findings) for each in tallies.values())} findings"])


def report(tallies: dict[str, Tally]) -> str:
    """The table, and the first findings of each format."""
    findings = [finding for tally in tallies.values() for finding in tally.findings[:20]]
    hand_made = f"hand-made files: {len(HOSTILE)}, tried by tests/fuzz/test_fuzz_hostile.py"
    return "\n".join([table(tallies), *findings, hand_made])


def _run_of(arguments: argparse.Namespace) -> dict[str, int]:
    return {"seed": arguments.seed, "first": arguments.first}


def progress_of(arguments: argparse.Namespace) -> dict[str, Tally]:
    """What the run has of each format: nothing, or what `--progress` holds; a file of another run is a ValueError."""
    tallies = {name: Tally() for name in arguments.formats}
    if arguments.progress and arguments.progress.exists():
        kept = json.loads(arguments.progress.read_text(encoding="utf-8"))
        if kept["run"] != _run_of(arguments):
            raise ValueError(f"{arguments.progress}: of a run with {kept['run']}, not {_run_of(arguments)}.")
        tallies |= {name: Tally(**tally) for name, tally in kept["formats"].items() if name in tallies}
    return tallies


def write_progress(tallies: dict[str, Tally], arguments: argparse.Namespace) -> None:
    kept = {"run": _run_of(arguments), "formats": {name: asdict(tally) for name, tally in tallies.items()}}
    write_text(arguments.progress, json.dumps(kept))


def _run_stages(tallies: dict[str, Tally], arguments: argparse.Namespace) -> None:
    """Runs batches of every format up to each stage, and to `--files`, the fastest formats first."""
    end = time.monotonic() + arguments.seconds
    size = BATCH if arguments.seconds > 120 else 4
    stages = [*range(size, 10 * BATCH, size)] if arguments.seconds <= 120 else [*STAGES]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="motionhub-fuzz-", dir=memory) as temporary:
        for stage in [*(each for each in stages if each < arguments.files), arguments.files]:
            for name in sorted(tallies, key=lambda each: tallies[each].all_seconds / max(tallies[each].files, 1)):
                while tallies[name].files < stage and time.monotonic() < end:
                    first = arguments.first + tallies[name].files
                    numbers = range(first, min(first + size, arguments.first + stage))
                    in_a_process(name, numbers, arguments.seed, Path(temporary) / name, tallies[name])
                    _keep(Path(temporary) / name, arguments.keep)
                    if arguments.progress:
                        write_progress(tallies, arguments)
                    if arguments.report:
                        arguments.report.write_text(report(tallies) + "\n", encoding="utf-8")


def _keep(folder: Path, kept: Path | None) -> None:
    if kept and any(folder.iterdir() if folder.exists() else ()):
        shutil.copytree(folder, kept / folder.name, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--files", type=int, default=10**9, help="of each format, at most")
    parser.add_argument("--first", type=int, default=0, help="number of the first file of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", default=sorted(SAMPLES))
    parser.add_argument("--keep", type=Path, default=None, help="folder of the files that were findings")
    parser.add_argument("--report", type=Path, default=None, help="file that gets the table after every batch")
    parser.add_argument("--progress", type=Path, default=None, help="file by which an interrupted run resumes")
    arguments = parser.parse_args()
    import h5py  # type: ignore[import-untyped]  # noqa: F401  # before the forks, once
    import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: F401

    decoding.subprocess = SimpleNamespace(**{**vars(subprocess), "run": forked})  # type: ignore[attr-defined]
    tallies = progress_of(arguments)
    gc.freeze()  # a collection in a fork would copy every page of this process
    _run_stages(tallies, arguments)
    print(report(tallies))
    return int(any(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
