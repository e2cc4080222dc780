"""What is sent and answered, as schemas of OpenAPI: options derive from ``Options``."""

from __future__ import annotations

import base64
import binascii
from dataclasses import fields
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from tintype.engine import Hint, Options, Report
from tintype.errors import UsageError
from tintype.server.jobs.records import Job, Kind, State
from tintype.server.problems import Problem
from tintype.temporal import STEADY
from tintype.video.names import WRITABLE

_NOT_ASKED = ("hints", "references", "batch_size")  # they have forms of their own, or no meaning
LARGEST_VIEW = 1024
"""Largest working size that is taken: the time it costs grows with its square."""


class HintBody(BaseModel):
    """A colour at a point of the picture."""

    model_config = ConfigDict(extra="forbid")

    x: float = Field(description="Pixels from the left edge of the upright picture.")
    y: float = Field(description="Pixels from its upper edge.")
    colour: str = Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#6fa8dc"])
    radius: float = Field(default=8.0, ge=0, description="Pixels around the point.")


def _option_fields() -> dict[str, Any]:
    kinds, made = get_type_hints(Options), {}
    for each in fields(Options):
        if each.name in _NOT_ASKED:
            continue
        low, high = each.metadata.get("range", (None, None))
        if each.name == "working_size":
            high = LARGEST_VIEW
        told = str(each.metadata["help"]).split(", or path")[0]  # nobody names files of the server
        if high != each.metadata.get("range", (None, high))[1]:
            told = told.replace(str(each.metadata["range"][1]), str(high))
        made[each.name] = (
            kinds[each.name],
            Field(default=each.default, ge=low, le=high, description=told),
        )
    return made


class _OptionsBase(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


OptionsBody: type[BaseModel] = create_model(
    "Options",
    __base__=_OptionsBase,
    hints=(list[HintBody], Field(default=[], max_length=200)),
    **_option_fields(),
)
"""How a picture is colorized, in JSON."""

OptionsForm: type[BaseModel] = create_model(
    "OptionsForm",
    __base__=_OptionsBase,
    hint=(
        list[str],
        Field(default=[], max_length=200, description="x,y,#rrggbb or x,y,#rrggbb,radius"),
    ),
    **_option_fields(),
)
"""The same as fields of a form."""


class FilmForm(BaseModel):
    """How a film is made, beside what holds for every picture."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    steady: float = Field(default=STEADY, ge=0, le=1, description="0 colours frames one by one.")
    container: str | None = Field(
        default=None,
        description="Suffix of the result; the source's own when it can be written.",
        json_schema_extra={"enum": [None, *WRITABLE]},
    )
    codec: str | None = Field(default=None, max_length=20, examples=["h264"])
    crf: int | None = Field(default=None, ge=0, le=63, description="Lower is better.")
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] | None = None
    sample: str | None = Field(
        default=None,
        max_length=20,
        description="Make so much of it first, grey beside coloured, without sound: links.sample.",
        examples=["5s", "5s@01:20"],
    )
    drop_unsupported: bool = Field(
        default=True, description="Leave out streams that the container cannot hold; they are told."
    )


class ColorizeBody(BaseModel):
    """A picture to be coloured, in JSON."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="The picture's file, in base64; a data URL is taken, too.")
    options: OptionsBody = Field(default_factory=OptionsBody)  # type: ignore[valid-type]
    reference: str | None = Field(default=None, description="A picture in colour, in base64.")
    confidence: bool = Field(default=False, description="Answer how sure each colour is, too.")


class ColorizedBody(BaseModel):
    """A coloured picture, in JSON."""

    image: str = Field(description="The coloured picture's file, in base64, in the same format.")
    media_type: str = Field(examples=["image/jpeg"])
    confidence: str | None = Field(
        default=None, description="A grey PNG in base64: white where the colours are sure."
    )
    report: ReportBody


class ReportBody(BaseModel):
    """What was done to a picture."""

    width: int
    height: int
    pages: int
    tone: Literal["grey", "toned", "colour"] = Field(description="What the picture was.")
    model: str = Field(description="Name and version.")
    notes: list[str]
    seconds: float
    confidence: float | None = Field(default=None, description="Mean over the picture, 0 to 1.")

    @classmethod
    def of(cls, report: Report) -> ReportBody:
        """The report of the engine, without the server's paths."""
        return cls(
            width=report.size[1],
            height=report.size[0],
            pages=report.pages,
            tone=report.tone,
            model=report.model,
            notes=list(report.notes),
            seconds=round(report.seconds, 4),
            confidence=report.confidence,
        )


class PredictionBody(BaseModel):
    """The colours of a view, for whoever joins them with the picture's own lightness."""

    height: int = Field(description="Rows of ab; one covers ``stride`` rows of the view.")
    width: int
    stride: int
    ab: str = Field(
        description="Base64 of int16, little-endian, hundredths of CIE a* row by row, then of b*."
    )
    confidence: str | None = Field(
        default=None, description="Base64 of uint8, row by row: 255 is sure. None: it cannot say."
    )
    guided: bool = Field(description="Whether the network takes hints.")
    variants: bool = Field(description="Whether it knows other colourings.")
    model: str = Field(description="Name and version.")


class StudyBody(BaseModel):
    """A picture as a public study's clients send and receive it."""

    image: str = Field(description="In base64; a data URL is taken, too.")


class ProgressBody(BaseModel):
    """How far a job is."""

    done: int = Field(description="Frames or files finished.")
    total: int = Field(description="In all; 0 when that is not known.")
    stage: str
    rate: float = Field(description="Frames or files per second.")


class LinksBody(BaseModel):
    """Where the parts of a job are."""

    self: str
    events: str
    cancel: str
    result: str | None = None
    confidence: str | None = None
    watch: str | None = Field(default=None, description="HLS of a film while it is being made.")
    sample: str | None = Field(default=None, description="The sample of a film, once it is there.")


class JobBody(BaseModel):
    """A job as it is now."""

    id: str
    kind: Kind
    name: str
    state: State
    attempts: int = Field(description="How often a worker has taken it.")
    progress: ProgressBody
    error: str | None = None
    notes: list[str] = []
    created: float = Field(description="Seconds since 1970.")
    finished: float | None = None
    links: LinksBody

    @classmethod
    def of(cls, job: Job, *, watched: bool = False, sampled: bool = False) -> JobBody:
        """A record, for clients.

        Args:
            job: the record.
            watched: whether there is something to watch.
            sampled: whether its sample is finished.
        """
        here, ended = f"/v1/jobs/{job.id}", job.outcome
        done = ended is not None and ended.state == "done"
        second = done and ended is not None and len(ended.results) > 1
        advance = job.advance
        return cls(
            id=job.id,
            kind=job.order.kind,
            name=job.order.name,
            state=job.state,
            attempts=job.attempts,
            progress=ProgressBody(
                done=advance.done, total=advance.total, stage=advance.stage, rate=advance.rate
            ),
            error=(ended.error or None) if ended else None,
            notes=list(ended.notes) if ended else [],
            created=job.order.created,
            finished=ended.finished if ended else None,
            links=LinksBody(
                self=here,
                events=f"{here}/events",
                cancel=f"{here}/cancel",
                result=f"{here}/result" if done else None,
                confidence=f"{here}/result?part=confidence" if second else None,
                watch=f"{here}/watch/index.m3u8" if watched else None,
                sample=f"{here}/sample" if sampled else None,
            ),
        )


class ModelBody(BaseModel):
    """A network."""

    name: str
    version: str
    summary: str
    licence: str
    paper: str
    guided: bool | None = Field(description="Whether it takes hints; null until it is loaded.")
    ready: bool = Field(description="Whether its weights are here.")
    default: bool = Field(description="Whether it is used where none is named.")


class ProblemBody(BaseModel):
    """What was wrong (RFC 9457)."""

    type: str = Field(examples=["urn:tintype:problem:already-colour"])
    title: str
    status: int
    detail: str


ColorizedBody.model_rebuild()


def engine_options(body: BaseModel, references: tuple[str, ...] = ()) -> Options:
    """The engine's options of what was sent.

    Args:
        body: ``OptionsBody`` or ``OptionsForm``.
        references: paths of pictures that were sent along.

    Raises:
        Problem: a value that makes no sense.
    """
    given = body.model_dump()
    lines, points = given.pop("hint", []), given.pop("hints", [])
    try:
        hints = [Hint.parse(line) for line in lines] + [Hint(**point) for point in points]
        return Options(**given, hints=tuple(hints), references=references)
    except UsageError as error:
        raise Problem(422, str(error), "usage-error") from error


def parsed(kind: type[BaseModel], given: object) -> BaseModel:
    """What was sent as a schema's object.

    Raises:
        Problem: it does not fit, in one sentence.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise Problem(422, sentence_of(error.errors()), "usage-error") from error


def sentence_of(errors: Any) -> str:
    """The first of pydantic's errors as a sentence."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    more = f" ({len(errors) - 1} more.)" if len(errors) > 1 else ""
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}.{more}"


def decoded(text: str, what: str) -> bytes:
    """The bytes of base64.

    Args:
        text: with or without the head of a data URL.
        what: what it is, for the sentence.

    Raises:
        Problem: it is none.
    """
    head, comma, tail = text.partition(",")
    if comma and not (head.startswith("data:") and head.endswith(";base64")):
        raise Problem(422, f"{what} is not base64.", "usage-error")
    try:
        return base64.b64decode((tail if comma else text).strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(422, f"{what} is not base64.", "usage-error") from error
