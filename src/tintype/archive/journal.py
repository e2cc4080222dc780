"""Which scans a worker process had in hand when it died, so that the guilty one is found.

A decoder that crashes takes its process along, and no row is written. What is started and ended
goes into a file of this machine, a line each, written before the next step; it outlives the
process. The worker's successor reads it, does the suspects alone, and after ``BLAMED`` deaths gives
one up: the first may have been the fault of a scan beside it, two more were its own. A decoder that
never comes back is ended the same way: its process is killed.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

BLAMED = 3
"""A scan in whose work so many processes died is entered as an error."""

_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_MOST_LINES = 10_000


class Journal:
    """The file of one worker, its successors' too; threads share it."""

    def __init__(self, path: Path | None) -> None:
        """Open it.

        Args:
            path: the file; None keeps none.
        """
        self._path = path
        self._suspects = _read(path) if path is not None else Counter()
        self._in_hand = Counter(self._suspects)
        self._begun: dict[str, float] = {}
        self._lines = 0
        self._lock = threading.Lock()
        self._handle = None if path is None else os.open(path, _APPENDING, 0o600)

    def oldest_s(self) -> float:
        """For how long the scan that was taken in hand first has been there; 0 without one."""
        with self._lock:
            return time.monotonic() - min(self._begun.values(), default=time.monotonic())

    def deaths(self, id: str) -> int:
        """In how many deaths a scan was in hand and had not been ended since."""
        return self._suspects[_short(id)]

    def start(self, id: str) -> None:
        """Note that a scan is taken in hand."""
        with self._lock:
            self._in_hand[_short(id)] += 1
            self._begun[id] = time.monotonic()
            self._note("+", id)

    def end(self, id: str) -> None:
        """Note that it was done with, whatever came of it."""
        with self._lock:
            del self._in_hand[_short(id)]
            self._begun.pop(id, None)
            self._note("-", id)
            if self._lines > _MOST_LINES:
                self._shorten()

    def _note(self, sign: str, id: str) -> None:
        if self._handle is not None:
            with suppress(OSError):  # a full disk: who is to blame is then not known
                os.write(self._handle, f"{sign}{_short(id)}\n".encode())
            self._lines += 1

    def _shorten(self) -> None:
        """Keep only what is in hand."""
        if self._path is None or self._handle is None:
            return
        kept = "".join(f"+{short}\n" * count for short, count in self._in_hand.items())
        self._lines = 0
        fresh = self._path.with_suffix(".new")
        with suppress(OSError):
            fresh.write_text(kept, encoding="ascii")
            os.replace(fresh, self._path)
            opened = os.open(self._path, _APPENDING, 0o600)
            os.close(self._handle)
            self._handle = opened


def _read(path: Path) -> Counter[str]:
    """How often each scan was started and not ended."""
    open_ones: Counter[str] = Counter()
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return open_ones
    for line in lines:
        sign, short = line[:1], line[1:]
        if sign == "+":
            open_ones[short] += 1
        elif sign == "-":
            del open_ones[short]
    return open_ones


def _short(id: str) -> str:
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
