"""What a run is asked to do, and what its workers need to know for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tintype.archive.known import Recipe
from tintype.archive.listing import Source
from tintype.archive.tiles import address_of, check_identifier
from tintype.archive.worker import Work
from tintype.errors import UsageError
from tintype.options import Options, decisive
from tintype.runtime import Session
from tintype.zoo import graph_file, sha256_of


@dataclass(frozen=True)
class Order:
    """What a run is asked to do.

    Attributes:
        source: SOURCE.
        dest: DEST.
        options: how scans are coloured.
        tiles: the address at which IIIF tiles will be served; none are written without.
        moved: SOURCE holds the scans of the last run, which lay elsewhere.
        dry: nothing is read or coloured, only listed, given out and entered: for measuring that.
    """

    source: str
    dest: str
    options: Options
    tiles: str | None = None
    moved: bool = False
    dry: bool = False


def work_of(order: Order, run: str) -> Work:
    """What workers need for an order.

    Raises:
        UsageError: hints or references, which belong to one picture; SOURCE and DEST that do not
            go together.
        ModelNotFound, ChecksumMismatch, ModelInvalid: the model cannot be used.
    """
    if order.options.hints or order.options.references:
        raise UsageError("Hints and references belong to one picture, not to an archive.")
    if order.tiles is not None:
        check_identifier(address_of(order.tiles, "any"))
    source = Source(order.source, order.dest)
    path = graph_file(order.options.model)
    return Work(
        source=source,
        options=order.options,
        graph=path.read_bytes(),
        name=path.stem,
        recipe=Recipe(_title(path), sha256_of(path), _options(order)),
        run=run,
        tiles=order.tiles,
        dry=order.dry,
    )


def _title(path: Path) -> str:
    """Name and version, as ``Report.model`` has them."""
    told = Session(path, "cpu", 1).metadata
    return f"{told.get('name', path.stem)} {told.get('version', '0')}"


def _options(order: Order) -> str:
    """The options that change a result, as JSON with sorted keys."""
    chosen = decisive(order.options)
    if order.tiles:
        chosen["tiles"] = order.tiles
    return json.dumps(chosen, sort_keys=True, ensure_ascii=False)
