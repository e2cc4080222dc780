"""What whoever runs a server can set: where it listens, who may ask, and how much of everything."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path

from tintype.errors import UsageError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Addresses that only this machine reaches."""


@dataclass(frozen=True)
class Limits:
    """How much one server takes on; every field can be set with ``--limit NAME=VALUE``.

    Raises:
        UsageError: a value that is no positive number.
    """

    upload_bytes: int = field(default=64 << 20, metadata={"help": "largest body for a picture"})
    job_bytes: int = field(default=4 << 30, metadata={"help": "largest body for a job"})
    held_bytes: int = field(
        default=512 << 20, metadata={"help": "of picture bodies in work, all together"}
    )
    pixels: int = field(default=50_000_000, metadata={"help": "of a picture coloured at once"})
    pages: int = field(default=64, metadata={"help": "of a picture coloured at once"})
    job_pixels: int = field(
        default=1_000_000_000,
        metadata={"help": "of all pages of a picture in a job, each 500,000,000 at most"},
    )
    film_pixels: int = field(default=4096 * 2304, metadata={"help": "of one frame of a film"})
    frames: int = field(default=500_000, metadata={"help": "of a film"})
    zip_files: int = field(default=10_000, metadata={"help": "in a zip"})
    unzipped_bytes: int = field(default=16 << 30, metadata={"help": "of a zip when unpacked"})
    job_s: float = field(default=12 * 3600.0, metadata={"help": "that one attempt at a job takes"})
    lease_s: float = field(
        default=30.0, metadata={"help": "that a worker may be silent before it counts as dead"}
    )
    header_s: float = field(default=10.0, metadata={"help": "until a request's head is here"})
    body_s: float = field(default=60.0, metadata={"help": "until a picture's body is here"})
    job_body_s: float = field(default=3600.0, metadata={"help": "until a job's body is here"})
    unread_s: float = field(default=30.0, metadata={"help": "that a client reads nothing"})
    wait_s: float = field(default=60.0, metadata={"help": "that a picture waits for its turn"})
    connections: int = field(default=512, metadata={"help": "open at a time"})
    waiting: int = field(default=128, metadata={"help": "pictures waiting for their turn"})
    jobs: int = field(default=200, metadata={"help": "jobs not yet finished"})
    keep_h: float = field(default=24.0, metadata={"help": "that a finished job is kept"})
    live: int = field(default=4, metadata={"help": "live views at a time"})
    frame_bytes: int = field(default=2 << 20, metadata={"help": "of one frame of a live view"})
    frame_pixels: int = field(default=2_100_000, metadata={"help": "of one frame of a live view"})

    def __post_init__(self) -> None:
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                raise UsageError(f"The limit {each.name} must be above 0.")

    def changed(self, changes: tuple[str, ...]) -> Limits:
        """These limits with some of them changed.

        Args:
            changes: each as "NAME=VALUE".

        Raises:
            UsageError: an unknown name, or no number.
        """
        known = {each.name: each for each in fields(self)}
        values: dict[str, int | float] = {}
        for change in changes:
            name, _, value = change.partition("=")
            if name not in known:
                raise UsageError(f'There is no limit "{name}"; there are {", ".join(known)}.')
            values[name] = _number(known[name], value)
        return replace(self, **values)  # type: ignore[arg-type]


def _number(each: Field[object], text: str) -> int | float:
    try:
        return int(text) if isinstance(each.default, int) else float(text)
    except ValueError as error:
        raise UsageError(f'The limit {each.name} should be a number, not "{text}".') from error


@dataclass(frozen=True)
class Settings:
    """How a server runs.

    Attributes:
        data: folder of the jobs; shared by all machines that work together.
        host: address it listens on.
        port: of that address.
        model: the default network.
        device: where networks run.
        redis: address of a Redis server that carries the queue; None: a file in ``data``.
        workers: jobs that this process works on at a time; 0 leaves them to others.
        api_keys: who sends none of these is refused; empty: everybody is served.
        origins: web pages of these origins may call, too ("https://example.org").
        hosts: names by which it may be called; empty: on loopback its own names, with keys any,
            else addresses and names that are not of the public DNS.
        rate: requests per minute of one client; 0: no limit.
        limits: how much of everything.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    model: str = "tintype"
    device: str = "auto"
    redis: str | None = None
    workers: int = 1
    api_keys: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    rate: int = 0
    limits: Limits = field(default_factory=Limits)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in LOOPBACK

    @property
    def names(self) -> tuple[str, ...]:
        """Names by which it may be called; empty: ``guard`` decides.

        On loopback only its own: a web page whose name was made to mean 127.0.0.1 (DNS rebinding)
        would otherwise reach it.
        """
        return self.hosts or (LOOPBACK if self.is_local else ())
