"""Making the ledger plain again: one row a scan, in few parts, so that any tool opens it as it is.

A new part is written before the old ones go. A crash between the two leaves rows twice, equal ones,
of which readers count one, and the next run's end clears them away.
"""

from __future__ import annotations

import secrets

import pyarrow as pa

from tintype.archive.ledger import Part, read_part, surveyed, write_part
from tintype.archive.places import Place

FULL_ROWS = 250_000
"""A part with so many rows is left alone while all of them stand."""


def compact(place: Place, run: str) -> int:
    """Rewrite parts that are small or hold rows that no longer count.

    At most ``FULL_ROWS`` rows and the parts they come from are held at a time.

    Args:
        place: DEST; the caller holds its lease.
        run: goes into the names of new parts.

    Returns:
        How many rows stand.
    """
    parts = surveyed(place)
    rows = sum(int(part.keep.sum()) for part in parts)
    stale = [part for part in parts if not part.keep.all() or len(part.keep) < FULL_ROWS // 2]
    if len(stale) == 1 and stale[0].keep.all() and len(stale[0].keep):
        return rows  # already one plain part
    group: list[Part] = []
    for part in stale:
        if group and sum(int(each.keep.sum()) for each in [*group, part]) > FULL_ROWS:
            _merge(place, run, group)
            group = []
        group.append(part)
    if group:
        _merge(place, run, group)
    return rows


def _merge(place: Place, run: str, group: list[Part]) -> None:
    if len(group) == 1 and group[0].keep.all() and len(group[0].keep):
        return
    tables = [read_part(place, part.key).filter(pa.array(part.keep)) for part in group]
    whole = pa.concat_tables(tables)
    if len(whole):
        write_part(place, f"{run}-c{secrets.token_hex(4)}", whole.sort_by("id"))
    for part in group:
        place.remove(part.key)
