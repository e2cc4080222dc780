"""The page: one document, and beside it the worker that keeps it for when there is no network."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parents[1] / "static"


@router.get("/")
async def root(request: Request) -> Response:
    """The page for browsers; programs are told that all is well."""
    if "text/html" in request.headers.get("accept", ""):
        return FileResponse(_STATIC / "index.html", headers={"cache-control": "no-cache"})
    return JSONResponse({"status": "ok"})


@router.get("/worker.js")
async def worker() -> FileResponse:
    """The page's worker, which must lie at the root to look after all of it."""
    return FileResponse(_STATIC / "worker.js", headers={"cache-control": "no-cache"})
