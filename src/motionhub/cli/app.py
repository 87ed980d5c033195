"""`motionhub app`: the page that names actions, searches, compares and judges, by Gradio."""

import signal
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from motionhub.cli.options import model_option
from motionhub.cli.report import note


_SHARE = "Refused: recordings of people would pass through another company's server"


def app_(
    files: Annotated[list[str] | None, Argument(metavar="FILE", help="Recordings, or folders, to choose from")] = None,
    *,
    model: Annotated[str, model_option("a zero-shot model, or one that labels every frame")] = "motionhub/tmor-small",
    quality: Annotated[str | None, model_option("a model of movement quality (examples train one)")] = None,
    port: Annotated[int, Option(min=0, max=65535, help="0 takes a free one")] = 7860,
    host: Annotated[str, Option(help="0.0.0.0 lets every machine of the network in")] = "127.0.0.1",
    max_mb: Annotated[int, Option(min=1, help="Of one file")] = 200,
    max_seconds: Annotated[float, Option(help="Of one video")] = 300.0,
    share: Annotated[bool, Option(help=_SHARE)] = False,
    show: Annotated[bool, Option("--open", help="Also open it in the browser")] = False,
) -> None:
    """A page in the browser: who does what when, search by text, two recordings compared, movement quality.

    It answers this machine only, until Ctrl-C, and sends nothing elsewhere.
    """
    if share:
        tunnel = f"ssh -L {port or 7860}:localhost:{port or 7860} THIS_MACHINE"
        raise ValueError(f"--share is refused: {_SHARE[9:]}. From another machine: {tunnel}, or --host 0.0.0.0.")
    from motionhub.app.models import Models
    from motionhub.app.recordings import Limits
    from motionhub.app.server import serving

    given = recordings_of(files or [])
    limits = Limits(max_mb, max_seconds)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its files go, however it ends
    with serving(Models(model, quality), given, host=host, port=port, limits=limits) as address:
        if "localhost" in address:
            print(f"{address}  (this machine only; Ctrl-C ends it)", flush=True)
        else:
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            note("every machine that reaches this address can use the page; it asks no password")
        if show:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
    print("ended; all files of the page are removed")


def recordings_of(files: list[str]) -> dict[str, Path]:
    """Names that the page shows -> files; of a folder, all videos and keypoint files in it.

    Raises:
        ValueError: no such file, or a folder without recordings.
    """
    from motionhub.data.video.reader import is_video
    from motionhub.retrieval.build import pose_files

    found: dict[str, Path] = {}
    for name in files:
        path = Path(name)
        if not path.exists():
            raise ValueError(f"{name}: there is no such file or folder.")
        inside = [path]
        if path.is_dir() and not is_video(path):
            videos = [each for each in sorted(path.rglob("*")) if each.is_file() and is_video(each)]
            inside = [*videos, *(each for each in pose_files(path) if each not in videos)]
            if not inside:
                raise ValueError(f"{name}: expected recordings in this folder, found none.")
        for each in inside:
            shown = str(each.relative_to(path.parent)) if each != path else each.name
            number = 2
            while shown in found:
                shown, number = f"{each.name} ({number})", number + 1
            found[shown] = each.resolve()
    return found
