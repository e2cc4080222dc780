"""Films, zips and large scans as jobs: submitted, watched, cancelled, fetched."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.datastructures import UploadFile

from tintype.errors import TintypeError, UsageError
from tintype.server.jobs.records import Job, Jobs, Order
from tintype.server.problems import Problem, problem_of
from tintype.server.routes.forms import (
    PROBLEMS,
    disposition,
    fields_of,
    form_of,
    form_schema,
    switch,
    with_default,
)
from tintype.server.schemas import FilmForm, JobBody, OptionsForm, engine_options, parsed
from tintype.server.state import State, owner_of, state_of
from tintype.server.uploads import RESULTS, film_target, recognised, safe_name
from tintype.video.names import PLAYLIST

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

_LOOK_S = 0.5
_ALIVE_S = 15.0
_LONGEST_SAMPLE_S = 60
_PIECE = re.compile(rf"index\{PLAYLIST}|\d{{6}}\.ts")
_TYPES = {PLAYLIST: "application/vnd.apple.mpegurl", ".ts": "video/mp2t"}
_RESULT: dict[str, Any] = {media_type: {} for media_type in RESULTS.values()}
_SAMPLE: dict[str, Any] = {RESULTS[".mp4"]: {}}
_IN_PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The part that Range asks for."},
    416: {"description": "The file has no such part."},
    **PROBLEMS,
}
_FILM_FIELDS = frozenset(FilmForm.model_fields)

_EXAMPLE = {
    "id": "Zl1mPq0cT2yJ4w8nVb6sXg",
    "kind": "film",
    "name": "harbour-1931.mp4",
    "state": "running",
    "attempts": 1,
    "progress": {"done": 1200, "total": 4800, "stage": "colouring", "rate": 31.5},
    "notes": [],
    "created": 1767225600.0,
    "links": {
        "self": "/v1/jobs/Zl1mPq0cT2yJ4w8nVb6sXg",
        "events": "/v1/jobs/Zl1mPq0cT2yJ4w8nVb6sXg/events",
        "cancel": "/v1/jobs/Zl1mPq0cT2yJ4w8nVb6sXg/cancel",
        "watch": "/v1/jobs/Zl1mPq0cT2yJ4w8nVb6sXg/watch/index.m3u8",
    },
}
_JOB: dict[str, Any] = {"content": {"application/json": {"example": _EXAMPLE}}}


@router.post(
    "",
    status_code=202,
    summary="Submit a job",
    response_model=JobBody,
    responses={202: {"description": "It is written down and waits.", **_JOB}, **PROBLEMS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": form_schema(OptionsForm, FilmForm),
                    "example": {"steady": 0.85, "container": ".mp4"},
                }
            },
        }
    },
)
async def submit(request: Request) -> Response:
    """A film, a zip of pictures, or one large picture; what it is, its content says."""
    state, owner = state_of(request), owner_of(request)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem(415, "Send multipart/form-data.")
    await asyncio.to_thread(_refuse_crowd, state)
    async with form_of(request) as form:
        fields = fields_of(form)
        film = parsed(FilmForm, {k: fields.pop(k) for k in _FILM_FIELDS & set(fields)})
        confidence = switch(fields, "confidence")
        options = parsed(OptionsForm, with_default(fields, state))
        file, reference = form["file"], form.get("reference")
        assert isinstance(file, UploadFile)
        other = reference.file if isinstance(reference, UploadFile) else None
        given = _Given(file.file, file.filename, other, options, film, confidence, owner)
        try:
            job = await asyncio.to_thread(_accept, state, given)
        except TintypeError as error:
            raise problem_of(error) from error
        except OSError as error:
            raise Problem(507, "The server's disk cannot take the file.") from error
    await asyncio.to_thread(state.worker.put, job.id)
    headers = {"Location": f"/v1/jobs/{job.id}"}
    return JSONResponse(JobBody.of(job).model_dump(), 202, headers)


class _Given:
    """What was sent, before it is a job."""

    def __init__(
        self,
        file: BinaryIO,
        name: str | None,
        reference: BinaryIO | None,
        options: Any,
        film: Any,
        confidence: bool,
        owner: str,
    ) -> None:
        self.file, self.name, self.reference = file, name, reference
        self.options, self.film = options, film
        self.confidence, self.owner = confidence, owner


def _accept(state: State, given: _Given) -> Job:
    """Write the upload and its record; from then on the job is not lost."""
    _refuse_crowd(state)  # again: the upload may have taken an hour
    with state.jobs.upload() as (job_id, folder):
        path = folder / "given"
        _copy(given.file, path)
        upload = recognised(path, given.name or "the file")
        source = path.rename(folder / f"given{upload.suffix}")
        references: tuple[str, ...] = ()
        if given.reference is not None:
            _copy(given.reference, folder / "reference")
            references = ("reference",)
        options = engine_options(given.options, references)
        state.shelf.get(options.model)  # says now when there is no such network
        target = upload.suffix
        film = given.film.model_dump(exclude_none=True)
        container = film.pop("container", None)
        if "sample" in film:
            _refuse_sample(film["sample"])
        if upload.kind == "film" and given.reference is not None:
            sentence = "A reference is for pictures; this API takes none for films."
            raise Problem(422, sentence, "usage-error")
        if upload.kind == "film" and options.hints:
            raise Problem(
                422, "Hints are for pictures; this API takes none for films.", "usage-error"
            )
        if upload.kind == "film" and given.confidence:
            raise Problem(422, "A film has no confidence picture; pictures have.", "usage-error")
        if upload.kind == "film":
            target = film_target(upload.suffix, container)
        order = Order(
            kind=upload.kind,
            name=safe_name(given.name, upload.suffix),
            source=source.name,
            target=f"result{target}",
            options=_plain(given.options) | ({"references": references} if references else {}),
            film=film if upload.kind == "film" else {},
            confidence=given.confidence,
            owner=given.owner,
            created=time.time(),
        )
        return state.jobs.submit(job_id, order)


def _refuse_crowd(state: State) -> None:
    if state.jobs.unfinished() >= state.settings.limits.jobs:
        retry = {"Retry-After": "60"}
        raise Problem(503, "Too many jobs are waiting; try again later.", "busy", retry)


def _refuse_sample(wanted: str) -> None:
    """Say now what would fail later: what is no part of a film, or too long a one."""
    from tintype.video.preview import Sample  # brings FFmpeg, which the server else does without

    if Sample.parse(wanted).length_s > _LONGEST_SAMPLE_S:
        raise UsageError(f"A sample has {_LONGEST_SAMPLE_S} seconds at most.")


def _plain(options: Any) -> dict[str, object]:
    """Options as a record holds them: hints as objects, without what is as ever."""
    engine = engine_options(options)
    given = options.model_dump(exclude_defaults=True, exclude={"hint"})
    if engine.hints:
        given["hints"] = [vars(hint) for hint in engine.hints]
    return {**given, "model": engine.model}


def _copy(source: BinaryIO, target: Path) -> None:
    source.seek(0)
    with target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


@router.get("", summary="List jobs", responses=PROBLEMS)
async def listed(request: Request) -> list[JobBody]:
    """The jobs of whoever asks, the newest first."""
    state, owner = state_of(request), owner_of(request)
    jobs = await asyncio.to_thread(state.jobs.all)
    return [_body(state.jobs, job) for job in jobs if job.order.owner == owner]


@router.get("/{job_id}", summary="One job", responses={200: _JOB, **PROBLEMS})
async def shown(request: Request, job_id: str) -> JobBody:
    """Where a job stands."""
    return _body(state_of(request).jobs, await _job(request, job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job", status_code=202, responses=PROBLEMS)
async def cancelled(request: Request, job_id: str) -> JobBody:
    """Stop a job; one that has ended stays as it is."""
    job, jobs = await _job(request, job_id), state_of(request).jobs
    await asyncio.to_thread(jobs.cancel, job.id)
    return _body(jobs, await _job(request, job_id))


@router.delete(
    "/{job_id}",
    summary="Forget a job",
    status_code=204,
    responses=PROBLEMS,
    response_class=Response,
)
async def forgotten(request: Request, job_id: str) -> Response:
    """Remove a job that has ended, and its files."""
    job, jobs = await _job(request, job_id), state_of(request).jobs
    if job.outcome is None:
        raise Problem(409, "The job has not ended; cancel it first.")
    await asyncio.to_thread(jobs.remove, job.id)
    return Response(status_code=204)


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses={
        200: {"description": "An event whenever it changes.", "content": {"text/event-stream": {}}},
        **PROBLEMS,
    },
)
async def events(request: Request, job_id: str) -> StreamingResponse:
    """Server-sent events, each a job as of ``GET /v1/jobs/{id}``; the last when it has ended."""
    job = await _job(request, job_id)
    stream = _events(state_of(request).jobs, job)
    headers = {"X-Accel-Buffering": "no"}  # nginx would hold them back otherwise
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")


async def _events(jobs: Jobs, job: Job) -> AsyncIterator[str]:
    last, said = "", time.monotonic()
    now: Job | None = job
    while now is not None:
        text = _body(jobs, now).model_dump_json()
        if text != last:
            last, said = text, time.monotonic()
            yield f"event: job\ndata: {text}\n\n"
        elif time.monotonic() - said > _ALIVE_S:
            said = time.monotonic()
            yield ": alive\n\n"
        if now.outcome is not None:
            return
        await asyncio.sleep(_LOOK_S)
        now = await asyncio.to_thread(jobs.get, job.id)


@router.get(
    "/{job_id}/result",
    summary="Fetch the result",
    response_class=FileResponse,
    responses={
        200: {"description": "The file.", "content": _RESULT},
        **_IN_PARTS,
    },
)
async def result(request: Request, job_id: str, part: str = "result") -> FileResponse:
    """The finished film, picture or zip; ``part=confidence`` is a picture's confidence."""
    job, jobs = await _job(request, job_id), state_of(request).jobs
    if job.outcome is None or job.outcome.state != "done":
        raise Problem(409, f"There is no result: the job is {job.state}.")
    number = {"result": 0, "confidence": 1}.get(part, 99)
    if number >= len(job.outcome.results):
        raise Problem(404, f'The job has no part "{part[:40]}".')
    path = jobs.folder(job.id) / job.outcome.results[number]
    stem = job.order.name.rsplit(".", 1)[0]
    name = f"{stem}-{'color' if number == 0 else part}{path.suffix}"
    headers = {"Content-Disposition": disposition(name, "attachment")}
    return FileResponse(path, headers=headers, media_type=RESULTS[path.suffix])


@router.get(
    "/{job_id}/watch/{piece}",
    summary="Watch a film while it is made",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The playlist index.m3u8 (HLS), or one of its pieces.",
            "content": {media_type: {} for media_type in _TYPES.values()},
        },
        **PROBLEMS,
    },
)
async def watch(request: Request, job_id: str, piece: str) -> FileResponse:
    """HLS of what is finished; the playlist grows, and ends when the film does."""
    job, jobs = await _job(request, job_id), state_of(request).jobs
    path = jobs.watched(job) / piece
    if not _PIECE.fullmatch(piece) or not path.is_file():
        raise Problem(404, "There is nothing to watch here, or not yet.")
    return FileResponse(path, media_type=_TYPES[path.suffix])


@router.get(
    "/{job_id}/sample",
    summary="See a film's sample",
    response_class=FileResponse,
    responses={
        200: {"description": "Some seconds of it, grey beside coloured.", "content": _SAMPLE},
        **_IN_PARTS,
    },
)
async def sample(request: Request, job_id: str) -> FileResponse:
    """What was asked for with ``sample``; it is there before the film is."""
    job = await _job(request, job_id)
    path = state_of(request).jobs.sample(job)
    if not path.is_file():
        raise Problem(404, "The job has no sample, or not yet.")
    return FileResponse(path, media_type=RESULTS[path.suffix])


def _body(jobs: Jobs, job: Job) -> JobBody:
    watched = (jobs.watched(job) / f"index{PLAYLIST}").is_file()
    return JobBody.of(job, watched=watched, sampled=jobs.sample(job).is_file())


async def _job(request: Request, job_id: str) -> Job:
    """A job of whoever asks.

    Raises:
        Problem: there is none of that number; others' do not exist.
    """
    job = await asyncio.to_thread(state_of(request).jobs.get, job_id)
    if job is None or job.order.owner != owner_of(request):
        raise Problem(404, "There is no such job.")
    return job
