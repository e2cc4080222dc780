"""The application: routes, errors as problems, what is counted, how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tintype import __version__
from tintype.batch import share_cores
from tintype.errors import TintypeError
from tintype.server.gate import Gate
from tintype.server.guard import Guard
from tintype.server.jobs.records import Jobs
from tintype.server.jobs.worker import Worker
from tintype.server.metrics import Counted, Metrics
from tintype.server.problems import MEDIA_TYPE, Problem, problem_of
from tintype.server.routes import jobs, live, page, pictures, predict, service
from tintype.server.schemas import ColorizeBody, ColorizedBody, sentence_of
from tintype.server.settings import Settings
from tintype.server.shelf import Shelf
from tintype.server.state import State
from tintype.zoo import graph_file

log = logging.getLogger("tintype.server")

_STATIC = Path(__file__).parent / "static"
_MANY = 1000  # pictures: as many in work as the cores can use

_ABOUT = (
    "Gives black-and-white photographs and film their colour. The colours are invented: likely "
    "ones, not the ones that were there; results say so in their metadata."
)


def create_app(settings: Settings) -> FastAPI:
    """An application of its own; several may live in one process.

    Args:
        settings: how it runs.

    Raises:
        TintypeError: the default network cannot be had, or the queue not be opened.
    """
    graph_file(settings.model)
    settings.data.mkdir(0o700, parents=True, exist_ok=True)
    app = FastAPI(
        title="Tintype",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.tintype = _new_state(settings)
    for part in (pictures, predict, jobs, service, live, page):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=_STATIC))
    app.mount("/docs/files", StaticFiles(packages=[("fastapi_offline", "static")]))
    app.add_middleware(Counted, metrics=app.state.tintype.metrics)
    _answer_errors(app)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["Tintype-Report", "Content-Disposition", "Location"],
        )
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def guarded(app: FastAPI) -> ASGIApp:
    """The application behind its guard: what is to be served."""
    state: State = app.state.tintype
    return Guard(app, state.settings)


def _new_state(settings: Settings) -> State:
    at_once, threads = share_cores(_MANY)
    records = Jobs(settings.data, settings.limits.lease_s)
    return State(
        settings=settings,
        shelf=Shelf(settings.model, settings.device, threads),
        gate=Gate(at_once, settings.limits),
        live_gate=Gate(1, settings.limits),
        jobs=records,
        worker=Worker(settings, records),
        metrics=Metrics(),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.tintype
    state.worker.start()
    loading = asyncio.create_task(_load(state))
    try:
        yield
    finally:
        loading.cancel()
        await asyncio.to_thread(state.worker.stop)
        state.gate.close()
        state.live_gate.close()


async def _load(state: State) -> None:
    try:
        await asyncio.to_thread(state.shelf.get, state.settings.model)
    except TintypeError as error:
        log.error("The network cannot be loaded: %s", error)
        return
    state.ready = True


def _answer_errors(app: FastAPI) -> None:
    async def as_problem(_: Request, error: Exception) -> Response:
        return _problem_for(error).response()

    for kind in (HTTPException, RequestValidationError, ClientDisconnect, TintypeError, Exception):
        app.add_exception_handler(kind, as_problem)


def _problem_for(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case ClientDisconnect():
            return Problem(400, "The connection was closed before the request was whole.")
        case RequestValidationError():
            return Problem(422, sentence_of(error.errors()), "usage-error")
        case HTTPException():
            headers = dict(error.headers or {})
            return Problem(error.status_code, f"{error.detail}.".replace("..", "."), None, headers)
        case TintypeError():
            return problem_of(error)
    log.error("A request failed in a way that nobody thought of.", exc_info=error)
    return Problem(500, "The server failed; its log says more.")


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description of the API, with the schemas that no signature names."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    schemas = made["components"]["schemas"]
    for kind in (ColorizeBody, ColorizedBody):
        schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[kind.__name__] = schema
    _name_problems(made)
    made["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    made["security"] = [{}, {"bearer": []}, {"key": []}]
    app.openapi_schema = made
    return made


def _name_problems(made: dict[str, Any]) -> None:
    """Problems have a media type of their own, which FastAPI cannot be told."""
    for operations in made["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {})
                if status[0] in "45" and "application/json" in content:
                    answer["content"] = {MEDIA_TYPE: content["application/json"]}
