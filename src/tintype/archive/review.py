"""The pictures that a page for review shows: results, or originals where there is no result."""

from __future__ import annotations

from collections.abc import Mapping

from tintype.archive.listing import Source
from tintype.archive.places import Place
from tintype.archive.scan import LARGE_BYTES
from tintype.errors import TintypeError


class Pictures:
    """Gives the file that belongs to a row of the ledger."""

    def __init__(self, dest: Place, source: str) -> None:
        """Prepare.

        Args:
            dest: where results are.
            source: SOURCE of the last run.
        """
        self._dest = dest
        self._source = Source(source, dest.address)

    def __call__(self, row: Mapping[str, object]) -> bytes | None:
        """The result's file; the original's where there is none; None where neither can be had."""
        result, source = row["result"], row["source"]
        if isinstance(result, str):
            place, key = self._dest, result
        else:
            place, key = self._source.locate(str(source))
        try:
            found = place.find(key)
            if found is None or found.size > LARGE_BYTES:
                return None
            return place.read(key)
        except (OSError, ValueError, TintypeError):
            return None
