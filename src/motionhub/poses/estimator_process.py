"""A pose estimator in a process of its own: a decoder that crashes or hangs ends one video, not the run.

The process loads the estimator once and answers for one video after another; requests and answers are pickles on its
standard input and output.
"""

import faulthandler
import importlib
import importlib.metadata
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionhub.poses.estimators import ESTIMATORS, get_estimator
from motionhub.poses.estimators.estimator import Estimator
from motionhub.poses.windows import Detections, detect_in_file
from motionhub.version import __version__


# Not by `-m`: classes of a module that runs as `__main__` cannot be unpickled elsewhere.
_CHILD = "from motionhub.poses.estimator_process import main; main()"
_LONGEST_TRACE = 4000  # characters of a report
# Packages whose version changes what is detected.
_OF_ESTIMATORS = {
    "mediapipe": ("mediapipe",),
    "rtmlib": ("rtmlib", "onnxruntime"),
    "vitpose": ("transformers", "torch"),
}


@dataclass(frozen=True)
class Failure:
    """Why a video has no keypoints of an estimator: class of the error, message, and trace."""

    kind: str
    message: str
    trace: str = ""


class EstimatorUnusable(ValueError):
    """The estimator cannot be loaded on this machine; no other video would fare better."""


class EstimatorProcess:
    """An estimator in a child process, which is started anew after a crash.

    Args:
        estimator: a key of `poses.estimators.ESTIMATORS`, or `package.module:Class` of your own.
        options: of the estimator.
        timeout: seconds for one request; then the process is ended. None: no limit.

    Raises:
        EstimatorUnusable: it cannot be loaded; the message has the install command.
    """

    def __init__(self, estimator: str, options: Mapping[str, Any] | None = None, timeout: float | None = None) -> None:
        self.estimator, self.options, self.timeout = estimator, dict(options or {}), timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # what the process says on stderr, for traces
        self._start()

    def detect(self, path: Path, number: int = 0, count: int = 1, **windows: float) -> list[Detections] | Failure:
        """As `windows.detect_in_file`; a video that fails, crashes the process or takes too long is a `Failure`.

        A process that the system kills (SIGKILL, mostly for memory) gets one more try.
        """
        request = (str(path), number, count, windows)
        answer, killed = self._ask(request)
        if killed:
            answer, _ = self._ask(request)
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _start(self) -> None:
        self.close()
        words = [sys.executable, "-c", _CHILD, str(os.getpid())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        self._process = subprocess.Popen(words, env=environment, **pipes)
        answer, _ = self._exchange((self.estimator, self.options), None)
        if isinstance(answer, Failure):
            self.close()
            raise EstimatorUnusable(f"estimator {self.estimator!r}: {answer.kind}: {answer.message}")

    def _ask(self, request: tuple[Any, ...]) -> tuple[Any, bool]:
        if self._process is None:
            self._start()
        return self._exchange(request, self.timeout)

    def _exchange(self, request: Any, timeout: float | None) -> tuple[Any, bool]:
        """The answer to a request, and whether the system killed the process."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout, end) if timeout is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        self._errors.truncate(0)
        try:
            pickle.dump(request, process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout), False
        except (EOFError, OSError, pickle.UnpicklingError):
            status = process.wait()
        finally:
            if timer is not None:
                timer.cancel()
        failure = self._ended(status, timeout if late.is_set() else None)
        self.close()
        return failure, status == -signal.SIGKILL and not late.is_set()

    def _ended(self, status: int, timeout: float | None) -> Failure:
        self._errors.seek(0)
        trace = self._errors.read().decode(errors="replace").strip("\0")[-_LONGEST_TRACE:]
        if timeout is not None:
            return Failure("TimeoutError", f"not done after {timeout:g} s; its process was ended", trace)
        if status == -signal.SIGKILL:
            what = "the system ended the process (SIGKILL), mostly for memory: fewer workers, or more memory for each"
            return Failure("MemoryError", what, trace)
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return Failure("ProcessCrashed", f"the process of the estimator crashed ({name})", trace)


def load_estimator(estimator: str, options: Mapping[str, Any] | None = None) -> Estimator:
    """A named estimator, or `package.module:Class` of the user.

    Raises:
        ValueError: there is none of that name, or an unknown option.
        ImportError: its package is not installed.
    """
    if estimator in ESTIMATORS:
        return get_estimator(estimator, options)
    module, _, name = estimator.partition(":")
    try:
        made: Estimator = getattr(importlib.import_module(module), name)(**(options or {}))
    except AttributeError:
        raise ValueError(f"{estimator}: the module {module} has no class {name!r}.") from None
    except TypeError as error:
        raise ValueError(f"Estimator {estimator!r}: {error}.") from None
    return made


def versions(estimators: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions on this machine of what determines the bytes of the results: of all workers they must be the same."""
    names = ["av", "numpy", "pyarrow", *(name for one in estimators for name in _OF_ESTIMATORS.get(one, ()))]
    found = {"motionhub": __version__, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def failure_of(error: BaseException) -> Failure:
    """Class, message and trace of an error."""
    trace = "".join(traceback.format_exception(error))[-_LONGEST_TRACE:]
    return Failure(type(error).__name__, " ".join(str(error).split()), trace)


def main() -> None:
    """Answers requests until the other end of the pipe is closed."""
    faulthandler.enable()  # the trace of a native crash
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print does not get between the answers
    requests = sys.stdin.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()

    def answer(value: Any) -> None:
        pickle.dump(value, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()

    try:
        finder = load_estimator(*pickle.load(requests))
    except Exception as error:  # reported by the parent
        answer(failure_of(error))
        return
    answer("ready")
    while True:
        try:
            path, number, count, windows = pickle.load(requests)
        except EOFError:
            return
        try:
            answer(detect_in_file(Path(path), finder, number, count, **windows))
        except Exception as error:  # one broken video does not stop the others
            answer(failure_of(error))


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent, also in the middle of a long video."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
