"""What `make test-wheel` runs where only the wheel is installed: `python -I check_wheel.py REPOSITORY`, anywhere else.

The README's first Python example and `motionhub predict` of a small file answer as in the repository, every packaged
id loads, no connection is opened, and no cache is written.
"""

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any


CONNECTIONS: list[Any] = []


def main(repository: Path) -> None:
    socket.getaddrinfo = socket.socket.connect = refused  # type: ignore[method-assign, assignment]
    first = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(first, "README.md", "exec"), names := {})
    best = re.match(r"0 \[\('([^']*)'", shown.getvalue())
    check(best is not None and best[1] == "sit down", f"the first example of the README prints {shown.getvalue()!r}")
    library = names["motionhub"]
    check(repository not in Path(library.__file__).parents, f"motionhub is {library.__file__}, not that of the wheel")
    check_every_id(repository)
    check_predict()
    check(not CONNECTIONS, f"connections were tried: {CONNECTIONS}")
    check(not Path(os.environ["HF_HOME"]).exists(), "a cache was written")
    print("The wheel works: first example of the README, all packaged ids, motionhub predict.")


def check_every_id(repository: Path) -> None:
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

    for folder in sorted(path.parent for path in (repository / "hub_configs").glob("*/config.json")):
        source = f"motionhub/{folder.name}"
        AutoConfig.from_pretrained(source)
        AutoFeatureExtractor.from_pretrained(source)
        if (folder / "model.safetensors").is_file():
            AutoModel.from_pretrained(source)


def check_predict() -> None:
    """The file is the one that the first example wrote."""
    words = ["predict", "clip.npz", "--labels", "sit down, wave, fall down", "--model", "tmor-small"]
    command = Path(sysconfig.get_path("scripts")) / "motionhub"
    done = subprocess.run([command, *words], capture_output=True, text=True)
    best = re.search(r"%  (.*)", done.stdout)
    check(done.returncode == 0 and best is not None and best[1] == "sit down", f"{words}: {done.stdout}{done.stderr}")


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(f"The wheel does not work: {otherwise}")


def refused(*arguments: Any, **options: Any) -> Any:
    CONNECTIONS.append(arguments)
    raise OSError("no network here")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
