"""`motionhub serve`: models answer over HTTP, on this machine unless told otherwise."""

from functools import partial
from typing import Annotated

from typer import Argument, Option

from motionhub.cli.report import note


_NO_LOGIN = (
    "anyone who reaches {host} can send work: there is no login and no encryption. Put a proxy that has both before it"
)
LimitOption = partial(Option, rich_help_panel="Limits of a request", min=1)


def serve(
    models: Annotated[list[str], Argument(metavar="MODEL...", help="Checkpoints, or folders of motionhub export")],
    *,
    host: Annotated[str, Option(help="Address to listen on; there is no login")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="0 takes a free one")] = 8770,
    batch_size: Annotated[int, Option(min=1, help="Most requests that are computed together")] = 8,
    grace: Annotated[float, Option(metavar="SECONDS", help="For requests inside, after SIGTERM or Ctrl-C")] = 30.0,
    max_mb: Annotated[int, LimitOption(help="Of a file; of JSON at most 16")] = 64,
    max_frames: Annotated[int, LimitOption(help="Of all people together")] = 36_000,
    max_labels: Annotated[int, LimitOption(help="Candidate labels and phrasings")] = 1000,
    max_waiting: Annotated[int, LimitOption(help="Requests inside; further ones get 429")] = 64,
    max_seconds: Annotated[float, LimitOption(help="For an answer; then 503")] = 60.0,
    max_upload: Annotated[float, LimitOption(metavar="SECONDS", help="For a request to arrive; then 408")] = 30.0,
) -> None:
    """Answer keypoints and videos over HTTP with labels, intervals or embeddings, until Ctrl-C.

    POST JSON or a file to /models/NAME/labels, /intervals or /embeddings; /openapi.json describes them, /models
    lists the models, /health, /ready and /metrics are for who runs the server. SIGTERM ends it when all that was
    accepted is answered.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise ImportError('motionhub serve needs FastAPI and uvicorn: pip install "motionhub[serve]"') from None
    from motionhub.serving.app import LOOPBACK, make_app
    from motionhub.serving.gate import Limits
    from motionhub.serving.models import served
    from motionhub.serving.server import bound, is_loopback, run

    size = max_mb * 2**20
    limits = Limits(size, min(size, Limits.json), max_frames, max_labels, max_upload, max_seconds, max_waiting)
    alone = is_loopback(host)
    with bound(host, port) as listening:
        loaded = served(models)
        app = make_app(loaded, limits, batch=batch_size, hosts=(*LOOPBACK, host) if alone else ())
        if not alone:
            note(_NO_LOGIN.format(host=host))
        for model in loaded.values():
            print(f"{model.name}: {', '.join(model.kinds)}")
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        print(f"{address}/openapi.json  ({'this machine only; ' if alone else ''}Ctrl-C ends it)", flush=True)
        run(app, listening, grace=grace)
    print("stopped: every accepted request is answered")
