"""What the routes share: forms as they come in, and how they and problems are described."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from tintype.server.problems import Problem
from tintype.server.schemas import ProblemBody
from tintype.server.state import State

_MOST_FIELDS = 300  # 200 of them hints
_FIELD_BYTES = 4096


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """The form that was sent; its files are gone afterwards.

    Raises:
        Problem: it is none.
    """
    try:
        sent = request.form(max_files=2, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES)
        form = await sent
    except OSError as error:
        raise Problem(507, "The server's disk cannot take the file.") from error
    try:
        if not isinstance(form.get("file"), UploadFile):
            raise Problem(422, 'The form has no file called "file".', "usage-error")
        yield form
    finally:
        await form.close()


def fields_of(form: FormData, several: tuple[str, ...] = ("hint",)) -> dict[str, Any]:
    """The fields of a form that are no files; those that may come several times as lists."""
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in ("file", "reference"):
                raise Problem(422, f'A file called "{name[:80]}" is not expected.', "usage-error")
        elif name in several:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def with_default(given: dict[str, Any], state: State) -> dict[str, Any]:
    """Options with the server's own network where none was named."""
    return {"model": state.settings.model, **given}


def switch(fields: dict[str, Any], name: str) -> bool:
    """Take a yes or no out of the fields of a form.

    Raises:
        Problem: it is neither.
    """
    text = str(fields.pop(name, "false")).lower()
    if text not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise Problem(422, f"{name}: should be true or false.", "usage-error")
    return text in ("true", "1", "yes", "on")


def disposition(name: str, kind: str = "inline") -> str:
    """A Content-Disposition that gives a file its name, in any script (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"


_FORM: dict[str, dict[str, object]] = {
    "file": {"type": "string", "format": "binary", "description": "The picture's or film's file."},
    "reference": {
        "type": "string",
        "format": "binary",
        "description": "A picture in colour that lends its colours.",
    },
    "confidence": {
        "type": "boolean",
        "default": False,
        "description": "Answer how sure the colours of a picture are, too.",
    },
}


def form_schema(*kinds: type[BaseModel]) -> dict[str, Any]:
    """The schema of a form: a file, and the fields of some models."""
    fields = dict(_FORM)
    for kind in kinds:
        fields |= kind.model_json_schema()["properties"]
    return {"type": "object", "required": ["file"], "properties": fields}


FILE_ALONE: dict[str, object] = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": _FORM["file"]},
}
"""The schema of a form that holds but a file."""


def ref(kind: type[BaseModel]) -> dict[str, str]:
    """Where a model's schema stands in the description of the API."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "description": told}
    for status, told in (
        (400, "The request cannot be understood."),
        (401, "An API key is needed."),
        (403, "A page of another origin."),
        (404, "There is no such thing."),
        (408, "The body came too slowly."),
        (
            409,
            "It does not go with what is there: the picture is in colour, the job has not ended.",
        ),
        (413, "The body is too large."),
        (415, "Another content type is expected."),
        (421, "The server does not answer to that name."),
        (422, "The picture, film or options cannot be used."),
        (429, "Too many requests."),
        (431, "The head of the request is too long."),
        (503, "The server is busy."),
        (507, "The disk is full."),
    )
}
