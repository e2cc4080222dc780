"""Pictures, coloured at once: ``POST /v1/colorize``, and as a public study had it."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from fastapi import APIRouter, Request, Response
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from tintype.engine import Options, Report
from tintype.errors import TintypeError, UsageError
from tintype.images import read_image
from tintype.server.problems import Problem, problem_of
from tintype.server.routes.forms import (
    FILE_ALONE,
    PROBLEMS,
    disposition,
    fields_of,
    form_of,
    form_schema,
    ref,
    switch,
    with_default,
)
from tintype.server.schemas import (
    ColorizeBody,
    ColorizedBody,
    OptionsForm,
    ReportBody,
    StudyBody,
    decoded,
    engine_options,
    parsed,
    sentence_of,
)
from tintype.server.state import State, state_of
from tintype.server.uploads import PICTURES, safe_name

router = APIRouter(tags=["Pictures"])

_PREVIEW = 2048


@dataclass(frozen=True)
class Asked:
    """What a client wants.

    Attributes:
        picture: the file.
        name: of the file, for the answer.
        options: how, without the reference.
        reference: a picture in colour, if one was sent.
        confidence: whether it is asked for.
        as_json: whether the answer is to be JSON.
    """

    picture: bytes
    name: str
    options: Options
    reference: bytes | None
    confidence: bool
    as_json: bool


@dataclass(frozen=True)
class Made:
    """What came of it.

    Attributes:
        picture: the file.
        format: of the file.
        confidence: a PNG, if it was asked for.
        report: what was done.
    """

    picture: bytes
    format: str
    confidence: bytes | None
    report: Report


async def _asked(request: Request, state: State) -> Asked:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    wants = request.headers.get("accept", "")
    if kind == "application/json":
        return await _asked_in_json(request, state, wants)
    if kind != "multipart/form-data":
        sentence = "Send multipart/form-data, or application/json with base64."
        raise Problem(415, sentence)
    async with form_of(request) as form:
        fields = fields_of(form)
        confidence = switch(fields, "confidence")
        options = engine_options(parsed(OptionsForm, with_default(fields, state)))
        file, reference = form["file"], form.get("reference")
        assert isinstance(file, UploadFile)
        other = await reference.read() if isinstance(reference, UploadFile) else None
        as_json = "application/json" in wants or confidence
        return Asked(await file.read(), file.filename or "", options, other, confidence, as_json)


async def _asked_in_json(request: Request, state: State, wants: str) -> Asked:
    try:
        given = ColorizeBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise Problem(422, sentence_of(error.errors()), "usage-error") from error
    chosen: BaseModel = given.options
    options = engine_options(chosen)
    if "model" not in chosen.model_fields_set:
        options = replace(options, model=state.settings.model)
    reference = None if given.reference is None else decoded(given.reference, "reference")
    as_json = not wants.startswith("image/") or given.confidence
    return Asked(decoded(given.image, "image"), "", options, reference, given.confidence, as_json)


def colorized(state: State, asked: Asked) -> Made:
    """Colour a picture; runs in a thread.

    Raises:
        TintypeError: as ``Colorizer.colorize_file``.
    """
    picture = read_image(asked.picture)
    pixels, limits = sum(p.size[0] * p.size[1] for p in picture.pages), state.settings.limits
    if pixels > limits.pixels or picture.n_pages > limits.pages:
        raise UsageError(
            f"The picture has {pixels} pixels on {picture.n_pages} pages; at once {limits.pixels} "
            f"on {limits.pages} are taken, in a job more: /v1/jobs."
        )
    colorizer = state.shelf.get(asked.options.model)
    if asked.confidence and not colorizer.gives_confidence:
        raise UsageError(f'The model "{colorizer.name}" does not say how sure it is.')
    state.metrics.megapixels.inc(pixels / 1e6)
    with _reference(asked, limits.pixels) as options:
        if asked.confidence:
            made, sure, report = colorizer.colorize_with_confidence(asked.picture, options)
            return Made(made, picture.format, sure, report)
        data, report = colorizer.colorize_file(asked.picture, None, options)
    assert data is not None
    return Made(data, picture.format, None, report)


@contextmanager
def _reference(asked: Asked, pixels: int) -> Iterator[Options]:
    """The options with the reference as a file, whose place nobody is told."""
    if asked.reference is None:
        yield asked.options
        return
    with tempfile.TemporaryDirectory(prefix="tintype-") as folder:
        path = Path(folder) / f"reference{_suffix_of(asked.reference, pixels)}"
        path.write_bytes(asked.reference)
        try:
            yield replace(asked.options, references=(str(path),))
        except TintypeError as error:
            told = problem_of(error)
            sentence = told.detail.replace(f"{folder}/", "")
            raise Problem(told.status_code, sentence, told.kind) from error


def _suffix_of(reference: bytes, pixels: int) -> str:
    picture = read_image(reference, name="The reference", max_pixels=pixels)
    return PICTURES[picture.format][0]


@router.post(
    "/v1/colorize",
    summary="Colour a picture",
    responses={
        200: {
            "description": "The coloured picture in the format of the one sent, or JSON.",
            "content": {
                "image/*": {"schema": {"type": "string", "format": "binary"}},
                "application/json": {"schema": ref(ColorizedBody)},
            },
        },
        **PROBLEMS,
    },
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": form_schema(OptionsForm),
                    "example": {"strength": 1.0, "hint": ["120,80,#6fa8dc"]},
                },
                "application/json": {
                    "schema": ref(ColorizeBody),
                    "example": {"image": "/9j/4AAQSkZJRg…", "options": {"strength": 1.0}},
                },
            },
        }
    },
)
async def colorize(request: Request) -> Response:
    """Give a picture its colours: a form with a file, or JSON with base64.

    The format, depth, metadata and profile of the file are kept. A form is answered with the
    picture, unless it accepts ``application/json`` or asks for the confidence; JSON is answered
    with JSON, unless it accepts ``image/*``.
    """
    state = state_of(request)
    asked = await _asked(request, state)
    made = await _run(request, asked)
    suffix, media_type = PICTURES[made.format]
    if asked.as_json:
        return _json(made, media_type)
    headers = {
        "Content-Disposition": disposition(safe_name(asked.name, suffix)),
        "Tintype-Report": json.dumps(ReportBody.of(made.report).model_dump()),
    }
    return Response(made.picture, 200, headers, media_type)


async def _run(request: Request, asked: Asked) -> Made:
    state = state_of(request)
    try:
        return await state.gate.run_for(request.is_disconnected, colorized, state, asked)
    except TintypeError as error:
        problem = problem_of(error)
        raise problem from error


def _json(made: Made, media_type: str) -> Response:
    confidence = None if made.confidence is None else base64.b64encode(made.confidence).decode()
    body = ColorizedBody(
        image=base64.b64encode(made.picture).decode(),
        media_type=media_type,
        confidence=confidence,
        report=ReportBody.of(made.report),
    )
    return Response(body.model_dump_json(), media_type="application/json")


@router.post(
    "/v1/preview",
    summary="Show a picture small",
    responses={
        200: {
            "description": "The first page as it is, upright, at most 2048 pixels wide or high.",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        **PROBLEMS,
    },
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": FILE_ALONE}},
        }
    },
)
async def preview(request: Request) -> Response:
    """A JPEG of any picture that can be read, for browsers that cannot open it."""
    state = state_of(request)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem(415, "Send multipart/form-data.")
    async with form_of(request) as form:
        file = form["file"]
        assert isinstance(file, UploadFile)
        data = await file.read()
    try:
        small = await state.gate.run(_small, data, state.settings.limits.pixels)
    except TintypeError as error:
        raise problem_of(error) from error
    return Response(small, media_type="image/jpeg")


def _small(data: bytes, limit: int) -> bytes:
    picture = read_image(data)
    height, width = picture.size
    if height * width > limit:
        raise UsageError(f"The picture has {height * width} pixels; {limit} are taken.")
    factor = min(1.0, _PREVIEW / max(height, width))
    rgb = picture.small(max(1, round(height * factor)), max(1, round(width * factor)))
    file = io.BytesIO()
    pixels = np.rint(rgb.clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=92)
    return file.getvalue()


@router.post("/colorized", summary="Colour a picture, as a public study did", responses=PROBLEMS)
async def colorized_as_studied(request: Request, body: StudyBody) -> StudyBody:
    """JSON with base64 in and out; pictures in colour are coloured anew."""
    state = state_of(request)
    options = Options(model=state.settings.model, force=True)
    asked = Asked(decoded(body.image, "image"), "", options, None, False, True)
    made = await _run(request, asked)
    return StudyBody(image=base64.b64encode(made.picture).decode())
