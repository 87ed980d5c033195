"""Files that are decoded in a process of their own, decoded in a fork of this one: much faster to start."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from motionhub.data.formats import decoding_process


def forked(command: list[str], stdin: Any, **_: Any) -> subprocess.CompletedProcess[bytes]:
    """Stands in for `subprocess.run` of a decoding script: forks this process, which has the libraries already.

    The script's own limits apply, its memory beyond what this process has.
    """
    request = json.loads(command[-1])
    request["memory"] += address_space()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(stdin.fileno(), 0)
        os.dup2(writing, 1)
        status = 1
        try:
            sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
            sys.argv = [command[-2], json.dumps(request)]
            decoding_process.main()
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        output = stream.read()
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output, b"")


def address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
