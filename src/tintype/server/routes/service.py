"""What is not about a picture: whether the server is well, what it offers, what it is like."""

from __future__ import annotations

import asyncio
from collections import Counter

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from tintype.server.problems import Problem
from tintype.server.routes.forms import PROBLEMS
from tintype.server.schemas import ModelBody
from tintype.server.state import state_of

router = APIRouter(tags=["Service"])

_SOON = {"Retry-After": "5"}
_METRICS = "text/plain; version=0.0.4; charset=utf-8"

_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tintype API</title>
<link rel="stylesheet" href="/docs/files/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="docs"></div>
<script src="/docs/files/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""


@router.get("/healthz", summary="Whether the process lives", response_class=PlainTextResponse)
async def healthz() -> str:
    """Answers as long as the process does."""
    return "ok"


@router.get(
    "/readyz",
    summary="Whether it can work",
    response_class=PlainTextResponse,
    responses={503: PROBLEMS[503]},
)
async def readyz(request: Request) -> str:
    """Whether the default network is loaded and the folder of the jobs can be written."""
    state = state_of(request)
    if not state.ready:
        raise Problem(503, "The network is not loaded yet.", headers=_SOON)
    if not await asyncio.to_thread(state.jobs.is_writable):
        raise Problem(503, "The folder of the jobs cannot be written.", headers=_SOON)
    return "ok"


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=PlainTextResponse,
    responses={code: PROBLEMS[code] for code in (401, 429)},
)
async def metrics(request: Request) -> Response:
    """Requests, pictures, jobs, memory."""
    state = state_of(request)
    now = state.metrics.gauges
    now.labels("pictures in work").set(state.gate.working)
    now.labels("pictures waiting").set(state.gate.waiting)
    now.labels("live views").set(state.live)
    counts = Counter(job.state for job in await asyncio.to_thread(state.jobs.all))
    for name in ("queued", "running", "done", "failed", "cancelled"):
        now.labels(f"jobs {name}").set(counts[name])
    return Response(state.metrics.text(), media_type=_METRICS)


@router.get(
    "/v1/models",
    summary="List networks",
    responses={code: PROBLEMS[code] for code in (401, 429)},
)
async def models(request: Request) -> list[ModelBody]:
    """What ``model`` may name; those that are not ready are not on this server."""
    shelf = state_of(request).shelf
    return [
        ModelBody(
            name=record.name,
            version=record.version,
            summary=record.summary,
            licence=record.licence,
            paper=record.paper,
            guided=shelf.takes_hints(record.name),
            ready=record.is_here,
            default=record.name == shelf.default,
        )
        for record in shelf.offered()
    ]


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The API, to be read and tried; every file of it comes from this server."""
    return HTMLResponse(_DOCS)
