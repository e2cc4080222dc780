"""What a client is told when something is wrong: problem details (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tintype.errors import (
    AlreadyColour,
    MissingExtra,
    ModelNotFound,
    TintypeError,
    UnreadableFilm,
    UnreadableImage,
    UnwritableFilm,
    UnwritableImage,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[TintypeError], int], ...] = (
    (UsageError, 422),
    (AlreadyColour, 409),
    (UnreadableImage, 422),
    (UnreadableFilm, 422),
    (UnwritableFilm, 422),
    (ModelNotFound, 404),
    (MissingExtra, 415),
    (UnwritableImage, 507),
)


class Problem(HTTPException):
    """A request that cannot be fulfilled.

    Args:
        status: of HTTP.
        detail: one sentence for people.
        kind: for programs, in words joined by hyphens.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind or _kind_of(HTTPStatus(status).phrase)

    def response(self) -> JSONResponse:
        """The answer."""
        content = {
            "type": f"urn:tintype:problem:{self.kind}",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
        }
        return JSONResponse(content, self.status_code, self.headers, MEDIA_TYPE)


def problem_of(error: TintypeError) -> Problem:
    """The problem that an error of the library is for a client."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return Problem(status, str(error), _kind_of(type(error).__name__))


def _kind_of(words: str) -> str:
    """ "AlreadyColour" and "Already colour" as "already-colour"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words)
    return "-".join(re.findall(r"[a-z0-9]+", spaced.lower()))
