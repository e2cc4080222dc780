"""What a run says of itself in DEST, for people and for ``archive status`` on other machines."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TypeVar

from tintype.archive.keys import OWN
from tintype.archive.places import Place

FOLDER = f"{OWN}/runs"
"""Where the records lie, below DEST."""

Kept = TypeVar("Kept", "Run", "Listed")


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        run: its id; later runs have later ids in the order of the alphabet.
        source: SOURCE as it was given.
        model: name or path of the model.
        model_sha256: of its graph.
        options: as in the ledger.
        engine: the options as the engine takes them, so that ``retry`` can use them again.
        tiles: the address at which tiles will be served; None where none are written.
        cores: how many cores and GPUs take part, as a text; "" when not yet known.
        started_at: when, in ISO 8601.
        finished_at: when it ended; "" while it goes on and when it was killed.
        done: how many rows it entered.
        failed: how many of them are errors.
    """

    run: str
    source: str
    model: str
    model_sha256: str
    options: str
    engine: dict[str, object]
    tiles: str | None
    cores: str
    started_at: str
    finished_at: str = ""
    done: int = 0
    failed: int = 0

    def ended(self, done: int, failed: int) -> Run:
        """The same, finished now."""
        return replace(self, finished_at=stamp(), done=done, failed=failed)


@dataclass(frozen=True)
class Listed:
    """How far a run's listing is.

    Attributes:
        listed: scans listed so far.
        found: those of them that are to be done.
        whole: whether the listing is at its end.
    """

    listed: int
    found: int
    whole: bool


def new_run() -> str:
    """An id for a run: the time to the microsecond, and something to tell machines apart."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}"


def stamp() -> str:
    """The time in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_run(place: Place, run: Run) -> None:
    """Keep a run's record."""
    place.write(f"{FOLDER}/{run.run}.json", _json(run))


def write_listed(place: Place, run: str, listed: Listed) -> None:
    """Keep how far a run's listing is."""
    place.write(f"{FOLDER}/{run}.listed", _json(listed))


def runs_of(place: Place) -> list[Run]:
    """The runs of an archive, the oldest first; records that cannot be read are passed over."""
    keys = [key for key in place.names(FOLDER) if key.endswith(".json")]
    found = (_read(place, key, Run) for key in keys)
    return [run for run in found if run is not None]


def listed_of(place: Place, run: str) -> Listed | None:
    """How far a run's listing is; None before it said so."""
    return _read(place, f"{FOLDER}/{run}.listed", Listed)


def _json(record: Run | Listed) -> bytes:
    return json.dumps(asdict(record), indent=1, ensure_ascii=False).encode()


def _read(place: Place, key: str, kind: type[Kept]) -> Kept | None:
    try:
        kept = json.loads(place.read(key))
        names = {each.name for each in fields(kind)}
        return kind(**{name: value for name, value in kept.items() if name in names})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
