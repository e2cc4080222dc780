"""One run at a time on one DEST: a file that its holder renews, and that outlives no dead holder.

In a folder the file is created by a hard link, which one of two runs gets. Object storage has no
such step here: both write, wait, and read back, and the one whose words stand goes on; that tells
two runs apart while their requests take less than two seconds. In both, a holder reads the file
before each part of the ledger, and stops when it is another's.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tintype.archive.keys import OWN
from tintype.archive.places import Place
from tintype.errors import TintypeError, UnwritableImage

KEY = f"{OWN}/lease.json"
"""Where the lease lies, below DEST."""

BEAT_S = 10.0
"""How often a holder renews it."""

STALE_S = 60.0
"""A holder that has not renewed it for so long counts as dead."""

_TRIES = 3


@dataclass(frozen=True)
class Claim:
    """What the file says.

    Attributes:
        run: the run's id.
        token: a secret of this holder's.
        host: its machine's name.
        boot: which start of the machine that is, where the system says so.
        pid: its process.
        born: when that process began, in the system's own count; 0 where it does not say.
        beat: when the claim was last renewed, seconds since 1970.
    """

    run: str
    token: str
    host: str
    boot: str
    pid: int
    born: int
    beat: float


class Lease:
    """A lease that is held."""

    def __init__(self, place: Place, claim: Claim) -> None:
        self._place = place
        self._claim = claim
        self._over = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._keep, name="tintype-lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that it is still ours.

        Raises:
            UnwritableImage: another run holds it now.
        """
        if not self._lost:
            found = read(self._place)
            self._lost = found is None or found.token != self._claim.token
        if self._lost:
            raise UnwritableImage(
                f"This run was taken for dead and another goes on in {self._place.address}; "
                "what it had entered so far is kept."
            )

    def release(self) -> None:
        """Give it back."""
        self._over.set()
        self._thread.join()
        found = read(self._place)
        if found is not None and found.token == self._claim.token:
            self._place.remove(KEY)

    def _keep(self) -> None:
        while not self._over.wait(BEAT_S):
            with suppress(OSError):  # the next beat may go through; a reader waits for several
                found = read(self._place)
                if found is None or found.token != self._claim.token:
                    self._lost = True
                    return
                self._claim = replace(self._claim, beat=time.time())
                self._place.write(KEY, _json(self._claim))


@contextmanager
def held(place: Place, run: str) -> Iterator[Lease]:
    """Hold the lease of a DEST.

    Raises:
        UnwritableImage: another run works there.
    """
    lease = _take(place, run)
    try:
        yield lease
    finally:
        with suppress(OSError, TintypeError):
            lease.release()


def read(place: Place) -> Claim | None:
    """Who holds a DEST; None when nobody does."""
    try:
        return Claim(**json.loads(place.read(KEY)))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def alive(claim: Claim) -> bool:
    """Whether a holder still works, as far as this machine can tell."""
    if (claim.host, claim.boot) == (socket.gethostname(), _boot()):
        born = _born(claim.pid)
        return born is not None and born == claim.born
    return time.time() - claim.beat < STALE_S


def _take(place: Place, run: str) -> Lease:
    mine = Claim(
        run=run,
        token=secrets.token_hex(16),
        host=socket.gethostname(),
        boot=_boot(),
        pid=os.getpid(),
        born=_born(os.getpid()) or 0,
        beat=time.time(),
    )
    for _ in range(_TRIES):
        if place.create(KEY, _json(mine)):
            return Lease(place, mine)
        other = read(place)
        if other is not None and _works(place, other):
            raise UnwritableImage(_busy(place, other))
        _clear(place, other)
    raise UnwritableImage(f"Another run is starting in {place.address}; try again in a minute.")


def _works(place: Place, claim: Claim) -> bool:
    """Whether a holder works; one whose clock may be wrong is watched for longer than a beat."""
    if alive(claim):
        return True
    if claim.host == socket.gethostname():
        return False
    time.sleep(1.5 * BEAT_S)
    later = read(place)
    return later is not None and later != claim


def _clear(place: Place, dead: Claim | None) -> None:
    """Remove a dead holder's file, unless another has just put its own there."""
    found = read(place)
    if found is None or dead is None or found.token == dead.token:
        place.remove(KEY)


def _busy(place: Place, other: Claim) -> str:
    ago = max(0, round(time.time() - other.beat))
    return (
        f"Run {other.run} works in {place.address} already, in process {other.pid} of "
        f"{other.host} (last heard of {ago} s ago); wait for it, or stop it."
    )


def _json(claim: Claim) -> bytes:
    return json.dumps(asdict(claim)).encode()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _born(pid: int) -> int | None:
    """When a process began; 0 where the system does not say; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *rest = stat.rpartition(")")[2].split()
        # Field 22 of proc(5); a zombie is as good as gone.
        return None if state == "Z" else int(rest[18])
    except (OSError, ValueError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return 0
    return 0
