"""The pictures that a page for review shows: each scan beside its colours."""

from __future__ import annotations

from tintype.archive.listing import Source
from tintype.archive.places import Place
from tintype.archive.report_rows import Scan
from tintype.archive.scan import LARGE_BYTES
from tintype.archive.thumbnails import thumbnail
from tintype.errors import TintypeError


class Pictures:
    """Gives small pictures of a scan, before and after."""

    def __init__(self, dest: Place, source: str) -> None:
        """Prepare.

        Args:
            dest: where results are.
            source: SOURCE of the last run.
        """
        self._dest = dest
        self._source = Source(source, dest.address)

    def __call__(self, scan: Scan) -> tuple[bytes, bytes] | None:
        """JPEGs of the original and its result; None where one of them cannot be had.

        Of a scan without a result, that needs no colours or failed, the original is shown twice.
        """
        before = self._small(*self._source.locate(scan.source))
        after = before if scan.result is None else self._small(self._dest, scan.result)
        return None if before is None or after is None else (before, after)

    @staticmethod
    def _small(place: Place, key: str) -> bytes | None:
        try:
            found = place.find(key)
            if found is None or found.size > LARGE_BYTES:
                return None
            return thumbnail(place.read(key))
        except (OSError, ValueError, TintypeError):
            return None
