"""The process of `decoding.py`: runs a decoder within limits of memory and time, and writes its answer.

Nothing of motionhub is imported, for speed. Standard input is the file; the output is a line of JSON, then the numbers
of the arrays that it describes.
"""

import importlib.util
import json
import sys
from contextlib import suppress
from typing import Any


def main() -> None:
    """Decode standard input by the file of Python that the request in argv names.

    Its `decode(request, arrays)` returns what becomes JSON, fills `arrays`, and raises its `Refused` with a place in
    the file and a reason.
    """
    request = json.loads(sys.argv[1])
    _limit(request["memory"], request["seconds"])
    sys.path.extend(folder for folder in request["import_path"] if folder not in sys.path)
    decoder, arrays = _loaded(request["decoder"]), list[Any]()
    try:
        header: dict[str, Any] = {"content": decoder.decode(request, arrays)}
    except decoder.Refused as error:
        header, arrays = {"refused": error.args}, []
    except Exception as error:  # of many types, for damaged files
        header, arrays = {"refused": (request["kind"], f"cannot be read ({error}).")}, []
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n")
    for array in arrays:
        sys.stdout.buffer.write(array.ravel().view("u1"))


def _limit(memory: int, seconds: int) -> None:
    """Limits bytes and CPU seconds, and disables core dumps, where the system can; the caller has a timeout."""
    with suppress(ImportError, ValueError, OSError):  # on Windows and macOS
        import resource

        for which, limit in (("RLIMIT_CORE", 0), ("RLIMIT_CPU", seconds), ("RLIMIT_AS", memory)):
            hard = resource.getrlimit(getattr(resource, which))[1]
            most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(getattr(resource, which), (most, hard))


def _loaded(file: str) -> Any:
    spec = importlib.util.spec_from_file_location("decoder", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
