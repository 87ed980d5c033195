"""The HTTP application: one route per kind of answer, and what it says of itself."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from motionhub.serving.batching import BatchingThread
from motionhub.serving.gate import Gate, Limits, Refused
from motionhub.serving.messages import Model, check_frames
from motionhub.serving.models import ServedModel
from motionhub.serving.notes import collected_warnings, warnings_by_request
from motionhub.serving.openapi import DESCRIPTION, documented, documented_schema
from motionhub.serving.reading import read_request
from motionhub.serving.uploads import Readers
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.version import __version__


LOOPBACK = ("127.0.0.1", "localhost", "::1")
_GONE = 499  # the client closed the connection; nobody reads the status, it is counted


class Server:
    """What the routes share: models, limits, the thread that computes, the processes that read files."""

    def __init__(self, models: Mapping[str, ServedModel], limits: Limits, batch: int) -> None:
        self.models, self.limits, self.batch = dict(models), limits, batch
        self.gate = Gate(limits.waiting)

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        """While the application runs."""
        self.readers, self.thread = Readers(), BatchingThread(self.batch)
        with warnings_by_request():
            try:
                await self.readers.start()
                yield
            finally:
                self.gate.draining = True
                await asyncio.to_thread(self.thread.close)
                self.readers.close()

    async def answered(self, request: Request, name: str, kind: str) -> Response:
        """The answer of a model, or a Refused; ends early when the client leaves."""
        model = self.models.get(name)
        if model is None:
            raise Refused(404, f"There is no model {name[:100]!r}; the models are {', '.join(self.models)}.")
        if kind not in model.kinds:
            raise Refused(404, f"{name} gives {' and '.join(model.kinds)}, no {kind}.")
        with self.gate.enter():
            body = await _within(
                self.limits.upload, 408, "The request has not arrived", read_request(request, self.limits)
            )
            try:
                work = asyncio.ensure_future(
                    _within(self.limits.seconds, 503, "The answer is not ready", self._answer(model, kind, body))
                )
                gone = asyncio.ensure_future(_disconnected(request))
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
                if not work.done():
                    work.cancel()
                    with suppress(asyncio.CancelledError, Refused):
                        await work
                    raise ClientDisconnect
                return JSONResponse(work.result())
            finally:
                await body.close()

    async def _answer(self, model: ServedModel, kind: str, body: Any) -> dict[str, Any]:
        clip, options, notes = await body.opened(kind, model.num_dims, self.readers)
        check_frames(clip.num_people, clip.num_frames, self.limits)
        answer = await self._computed(model, kind, clip, model.checked(kind, options), notes)
        names = {"labels": "people"}
        return {"model": model.name, names.get(kind, kind): answer, "warnings": notes}

    async def _computed(
        self, model: ServedModel, kind: str, clip: SkeletonSequence, options: dict[str, Any], notes: list[str]
    ) -> Any:
        """What the pipeline gives, as JSON."""
        try:
            with collected_warnings(notes):
                prepared = await asyncio.to_thread(model.prepare, kind, clip, options)
            key = (model.name, kind, tuple(sorted(prepared.forward.items())))
            compute = partial(model.compute, kind, prepared.forward)
            output = await asyncio.wrap_future(self.thread.submit(key, compute, prepared.item))
            with collected_warnings(notes):
                return _plain(await asyncio.to_thread(model.finish, kind, prepared, output))
        except (ValueError, ImportError) as error:
            raise Refused(422, str(error)) from None


def make_app(
    models: Mapping[str, ServedModel],
    limits: Limits | None = None,
    *,
    batch: int = 8,
    hosts: tuple[str, ...] = LOOPBACK,
) -> FastAPI:
    """The application; `app.state.server.gate` counts its requests.

    Args:
        models: of `served`.
        limits: of a request.
        batch: the most requests that are computed together.
        hosts: names by which it may be called; empty: any. A page of a stranger cannot pretend to be of this machine.
    """
    server = Server(models, limits or Limits(), batch)
    app = FastAPI(
        title="motionhub",
        version=__version__,
        description=DESCRIPTION,
        lifespan=server.running,
        docs_url=None,  # FastAPI's pages of the document load their scripts from another host
        redoc_url=None,
    )
    app.state.server = server
    _add_state_routes(app, server)
    _add_answers(app, server)
    app.openapi = partial(documented_schema, app)  # type: ignore[method-assign]
    _add_errors(app)
    app.add_middleware(_Counted, server=server, hosts=hosts)
    return app


def _add_answers(app: FastAPI, server: Server) -> None:
    """A route for each model and kind; any other name gets the names that there are."""
    for model in server.models.values():
        for kind in model.kinds:
            answer = partial(server.answered, name=model.name, kind=kind)
            app.post(f"/models/{model.name}/{kind}", **documented(model, kind))(_request_only(answer))

    @app.post("/models/{name}/{kind}", include_in_schema=False)
    async def other(request: Request, name: str, kind: str) -> Response:
        return await server.answered(request, name, kind)


def _request_only(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The function with the one parameter that FastAPI fills."""

    async def answered(request: Request) -> Response:
        return await answer(request)

    return answered


def _add_state_routes(app: FastAPI, server: Server) -> None:
    @app.get("/health", summary="Whether the process runs", tags=["state"])
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    problem: dict[int | str, dict[str, Any]] = {503: {"description": "The server is stopping or full"}}

    @app.get("/ready", summary="Whether a request would be let in", tags=["state"], responses=problem)
    async def ready() -> dict[str, str]:
        with server.gate.enter():
            return {"status": "ready"}

    @app.get("/metrics", summary="Counts for Prometheus", tags=["state"], response_class=PlainTextResponse)
    async def metrics() -> str:
        return server.gate.metrics()

    @app.get("/models", summary="The models, their answers and labels", tags=["state"])
    async def models() -> list[Model]:
        return [
            Model(
                name=name, answers=list(each.kinds), labels=each.labels, zero_shot=each.zero_shot, layout=each.layout
            )
            for name, each in server.models.items()
        ]


def _add_errors(app: FastAPI) -> None:
    """Every error is `{"detail": one line}`."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        headers = {} if error.retry is None else {"Retry-After": str(error.retry)}
        if error.status in (408, 413, 503):  # the rest of the request is not read, or the server stops
            headers["Connection"] = "close"
        return JSONResponse({"detail": error.detail}, error.status, headers)

    @app.exception_handler(HTTPException)
    async def of_starlette(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"detail": " ".join(str(error.detail).split())}, error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=_GONE)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "The server failed on this request; its log has the reason."}, 500)


class _Counted:
    """Refuses other host names and pages of other sites, and counts answers by route and status."""

    def __init__(self, app: Any, server: Server, hosts: tuple[str, ...]) -> None:
        self.app, self.server, self.hosts = app, server, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def counting(message: Any) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self.server.gate.answers[route, message["status"]] += 1
            await send(message)

        if reason := self._foreign(scope):
            await JSONResponse({"detail": reason}, 403)(scope, receive, counting)
            return
        await self.app(scope, receive, counting)

    def _foreign(self, scope: Any) -> str:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self.hosts and _host_of(f"//{host}") not in self.hosts:
            return f"This server answers for {' and '.join(self.hosts)} only."
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "Pages of other sites are not answered."
        return ""


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def _within(seconds: float, status: int, what: str, work: Awaitable[Any]) -> Any:
    """The result, or a Refused after the time."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise Refused(status, f"{what} within {seconds:g} s; send less, or try again.", retry=1) from None


async def _disconnected(request: Request) -> None:
    """Returns when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _plain(answer: Any) -> Any:
    """Arrays as lists, NaN as null."""
    if hasattr(answer, "tolist"):
        return _plain(answer.tolist())
    if isinstance(answer, list):
        return [_plain(each) for each in answer]
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items()}
    return None if isinstance(answer, float) and not math.isfinite(answer) else answer
