"""Decodes a file in a process of its own (`decoding_process.py`), as C libraries crash on some damaged files."""

import json
import os
import signal
import subprocess
import sys
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any

from motionhub.data.formats import decoding_process
from motionhub.data.formats.files import bad_file


# Wall time, as a multiple of the seconds of CPU time.
_WAITING = 10
# Threads of the process would only reserve memory.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HDF5_PLUGIN_PATH": "",
    "HDF5_USE_FILE_LOCKING": "FALSE",
}


def decoded(path: Path, decoder: str, request: dict[str, Any], *, kind: str, library: str) -> tuple[Any, memoryview]:
    """What `decode` of the Python file `decoder` returns of a file, and the numbers that follow it.

    Raises ValueError when it refuses the file, fails, or cannot be started.

    Args:
        request: with the limits `memory` in bytes and `seconds` of CPU time of the process.
        kind: of file, for errors.
        library: which decodes it, for errors.
    """
    wait = _WAITING * request["seconds"]
    folders = [folder for folder in sys.path if os.path.isabs(folder)]
    request = {"import_path": folders, "decoder": decoder, "kind": kind, **request}
    # Isolated from code in the working folder and environment variables.
    command = [os.fsdecode(get_executable() or "python"), "-I", "-S", decoding_process.__file__, json.dumps(request)]
    try:
        with path.open("rb") as file:
            done = subprocess.run(
                command,
                stdin=file,
                capture_output=True,
                timeout=wait,
                env={**os.environ, **_ENVIRONMENT},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows, no flashing console
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise bad_file(path, kind, f"not decoded in {wait} s; the file is damaged.") from None
    except OSError as error:
        raise bad_file(path, kind, f"the decoding process cannot be started ({error}).") from None
    if done.returncode:
        raise bad_file(path, kind, f"{_death(done, library)}; the file is damaged, write or download it again.")
    end = done.stdout.find(b"\n") + 1
    header = json.loads(done.stdout[:end])
    if "refused" in header:
        raise bad_file(path, *header["refused"])
    return header["content"], memoryview(done.stdout)[end:]


def _death(done: subprocess.CompletedProcess[bytes], library: str) -> str:
    if done.returncode < 0:
        known = {int(each): each.name for each in signal.Signals}
        return f"{library} crashed decoding it ({known.get(-done.returncode, -done.returncode)})"
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"{library} failed decoding it (exit status {done.returncode}: {''.join(last)[:200]})"
