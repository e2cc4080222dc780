"""Colours alone: ``POST /v1/predict`` takes a network's view of a picture and gives ab."""

from __future__ import annotations

import base64
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray

from tintype.engine import Hint
from tintype.engine.view import Page, hints_of
from tintype.errors import TintypeError, UsageError
from tintype.runtime import Prediction
from tintype.server.problems import Problem, problem_of
from tintype.server.routes.forms import PROBLEMS
from tintype.server.schemas import LARGEST_VIEW, PredictionBody
from tintype.server.state import State, state_of

router = APIRouter(tags=["Pictures"])

_LONGEST = 4 * LARGEST_VIEW
_MOST_PIXELS = LARGEST_VIEW * LARGEST_VIEW

Side = Annotated[int, Query(ge=1, le=_LONGEST, description="Of the view, in pixels.")]


@router.post(
    "/v1/predict",
    summary="Predict colours",
    responses=PROBLEMS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def predict(
    request: Request,
    height: Side,
    width: Side,
    hint: Annotated[list[str], Query(max_length=200)] = [],  # noqa: B006
    variant: Annotated[int, Query(ge=0, le=99)] = 0,
    model: str | None = None,
) -> PredictionBody:
    """The ab of a view: L as height × width bytes, row by row, 255 standing for L* = 100.

    For programs that join L and ab themselves, as the page does, so that strength costs nothing.
    Hints are x,y,#rrggbb[,radius] in pixels of the view.
    """
    state, body = state_of(request), await request.body()
    if height * width > _MOST_PIXELS or len(body) != height * width:
        raise Problem(422, f"The body should be {height} × {width} bytes, at most {_MOST_PIXELS}.")
    L = np.frombuffer(body, np.uint8).reshape(1, 1, height, width) * np.float32(100 / 255)
    try:
        hints = tuple(Hint.parse(text) for text in hint)
        return await state.gate.run(
            _predicted, state, model or state.settings.model, L, hints, variant
        )
    except TintypeError as error:
        raise problem_of(error) from error


def _predicted(
    state: State, model: str, L: NDArray[np.float32], hints: tuple[Hint, ...], variant: int
) -> PredictionBody:
    colorizer = state.shelf.get(model)
    if hints and not colorizer.guided:
        raise UsageError(f'The model "{colorizer.name}" takes no colour hints.')
    view = (L.shape[2], L.shape[3])
    drawn = hints_of([Page(view, L)], hints)
    asks = colorizer.gives_confidence
    answer: Prediction = colorizer.predict(L, *drawn, variant=variant, confidence=asks)
    ab = np.rint(answer.ab[0] * 100).clip(-32768, 32767).astype("<i2")
    sure = answer.confidence
    return PredictionBody(
        height=ab.shape[1],
        width=ab.shape[2],
        stride=answer.stride,
        ab=base64.b64encode(ab.tobytes()).decode(),
        confidence=None if sure is None else _bytes_of(sure[0, 0]),
        guided=colorizer.guided,
        variants=colorizer.has_variants,
        model=f"{colorizer.name} {colorizer.version}",
    )


def _bytes_of(sure: NDArray[np.float32]) -> str:
    return base64.b64encode(np.rint(sure.clip(0, 1) * 255).astype(np.uint8).tobytes()).decode()
