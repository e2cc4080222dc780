"""What is known of a job: a folder of small files, each written whole and by one side only.

::

    jobs/ID/order.json      what was asked for; written with the upload, before anybody is told
    jobs/ID/attempts/N      a worker has taken it, for the N-th time; its age is the heartbeat's
    jobs/ID/work-N/         of that attempt: unfinished results, and progress.json
    jobs/ID/cancel          somebody wishes it to stop
    jobs/ID/outcome.json    how it ended; the first to write it is right

The state of a job follows from which of these there are, so there is nothing that a crash could
leave half changed. Attempts are taken by creating a file that must not exist, and outcomes by a
hard link, which hold on disks that several machines share. Their clocks must agree within a few
seconds, for a worker counts as dead when its heartbeat is older than the lease.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

from tintype.images.replacing import atomic

State = Literal["queued", "running", "done", "failed", "cancelled"]
Kind = Literal["film", "pictures", "picture"]

ATTEMPTS = 3
"""After so many workers died over a job it has failed."""

GIVEN, MADE = "given", "made"
"""Folders of a zip's pictures and results in an attempt's folder; names in them are users'."""

SAMPLE = "sample.mp4"
"""Name of a film's sample in an attempt's folder."""

_ID = re.compile(r"[0-9A-Za-z_-]{22}")


@dataclass(frozen=True)
class Order:
    """What was asked for.

    Attributes:
        kind: of the work.
        name: of the uploaded file, for people.
        source: file in the job's folder.
        target: name of the result.
        options: fields of ``tintype.Options`` that differ from the defaults.
        film: of films: steady, codec, crf, sample, drop_unsupported.
        confidence: of pictures: whether how sure the network is is asked for, too.
        owner: who may see it; "" is everybody.
        created: in seconds since 1970.
    """

    kind: Kind
    name: str
    source: str
    target: str
    options: dict[str, object] = field(default_factory=dict)
    film: dict[str, object] = field(default_factory=dict)
    confidence: bool = False
    owner: str = ""
    created: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: done, failed or cancelled.
        results: files in the job's folder, the main one first.
        error: what went wrong, one sentence.
        notes: what the user should know, one sentence each.
        finished: in seconds since 1970.
    """

    state: State
    results: tuple[str, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    finished: float = 0.0


@dataclass(frozen=True)
class Advance:
    """How far the work on a job is.

    Attributes:
        done: frames or files finished.
        total: in all; 0 when that is not known.
        stage: what is being done, for people.
        rate: of that per second.
    """

    done: int = 0
    total: int = 0
    stage: str = ""
    rate: float = 0.0


@dataclass(frozen=True)
class Job:
    """A job as it is now.

    Attributes:
        id: unguessable.
        order: what was asked for.
        state: where it stands.
        attempts: how often a worker has taken it.
        advance: of the latest attempt.
        outcome: how it ended; None while it has not.
    """

    id: str
    order: Order
    state: State
    attempts: int
    advance: Advance
    outcome: Outcome | None


class Jobs:
    """All jobs of a folder.

    Args:
        data: the folder; made when it is not there.
        lease_s: a worker whose heartbeat is older is taken for dead.
    """

    def __init__(self, data: Path, lease_s: float = 30.0) -> None:
        self._jobs, self._new = data / "jobs", data / "new"
        self.lease_s = lease_s
        for folder in (self._jobs, self._new):
            folder.mkdir(0o700, parents=True, exist_ok=True)  # they are people's pictures

    @property
    def spool(self) -> Path:
        """Where uploads are while they come in."""
        return self._new

    def folder(self, job_id: str) -> Path:
        """Where the files of a job are."""
        return self._jobs / job_id

    @contextmanager
    def upload(self) -> Iterator[tuple[str, Path]]:
        """A new job's number and a folder for what is uploaded; gone unless it is submitted."""
        job_id = secrets.token_urlsafe(16)
        folder = self._new / job_id
        folder.mkdir()
        try:
            yield job_id, folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def submit(self, job_id: str, order: Order) -> Job:
        """Make an upload a job; from then on it is never lost."""
        folder = self._new / job_id
        (folder / "attempts").mkdir()
        _write(folder / "order.json", asdict(order))
        _sync(folder)
        folder.rename(self._jobs / job_id)
        _sync(self._jobs)
        return self.get(job_id) or Job(job_id, order, "queued", 0, Advance(), None)

    def get(self, job_id: str) -> Job | None:
        """A job as it is now; None when there is none of that number."""
        if not isinstance(job_id, str) or not _ID.fullmatch(job_id):  # from the queue: anything
            return None
        folder = self._jobs / job_id
        given = _read(folder / "order.json")
        if given is None:
            return None
        attempts, order = _attempts(folder), Order(**given)  # type: ignore[arg-type]
        ended = _read(folder / "outcome.json")
        advance = Advance(**(_read(folder / f"work-{attempts}" / "progress.json") or {}))  # type: ignore[arg-type]
        if ended is not None:
            outcome = Outcome(**ended)  # type: ignore[arg-type]
            return Job(job_id, order, outcome.state, attempts, advance, outcome)
        state: State = "running" if self._is_live(folder, attempts) else "queued"
        return Job(job_id, order, state, attempts, advance, None)

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        found = (self.get(path.name) for path in self._jobs.iterdir())
        return sorted((job for job in found if job), key=lambda job: -job.order.created)

    def is_writable(self) -> bool:
        """Whether a job could be taken in."""
        probe = self._new / f".{secrets.token_hex(6)}"
        try:
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True

    def unfinished(self) -> int:
        """How many jobs have not ended."""
        orders = self._jobs.glob("*/order.json")
        return sum(not order.with_name("outcome.json").exists() for order in orders)

    def claim(self, job_id: str, worker: str) -> int | None:
        """Take a job; the attempt's number, or None when there is nothing to do.

        What an earlier attempt left is moved to this one's folder, so that a worker that was only
        thought dead finds its files gone and stops, instead of writing beside this one.
        """
        job = self.get(job_id)
        if job is None or job.state != "queued":
            return None
        if self.is_cancelled(job_id):
            self.finish(job_id, Outcome("cancelled"))
            return None
        if job.attempts >= ATTEMPTS:
            sentence = (
                f"The work broke off {job.attempts} times without saying why; it was given up."
            )
            self.finish(job_id, Outcome("failed", error=sentence))
            return None
        folder, attempt = self.folder(job_id), job.attempts + 1
        try:
            with (folder / "attempts" / str(attempt)).open("x") as file:
                file.write(worker)
        except OSError:  # another was quicker, or the job is gone
            return None
        self._take_over(folder, attempt)
        return attempt

    def _take_over(self, folder: Path, attempt: int) -> None:
        target = folder / f"work-{attempt}"
        for earlier in sorted(folder.glob("work-*")):
            for part in earlier.rglob("*.part*"):
                users = part.relative_to(earlier).parts[0] in (GIVEN, MADE)
                if part.is_file() and not users:
                    part.unlink(missing_ok=True)
            if earlier != target:
                earlier.rename(target)
        target.mkdir(exist_ok=True)

    def work(self, job_id: str, attempt: int) -> Path:
        """The folder of an attempt's unfinished results."""
        return self.folder(job_id) / f"work-{attempt}"

    def watched(self, job: Job) -> Path:
        """The folder of a film's pieces, which can be watched while it is made."""
        return self.work(job.id, job.attempts) / "watch"

    def sample(self, job: Job) -> Path:
        """Where a film's sample is when it is finished."""
        return self.work(job.id, job.attempts) / SAMPLE

    def beat(self, job_id: str, attempt: int) -> bool:
        """Say that the work goes on; False when it is no longer this attempt's."""
        folder = self.folder(job_id)
        if _attempts(folder) != attempt or (folder / "outcome.json").exists():
            return False
        with suppress(OSError):
            os.utime(folder / "attempts" / str(attempt))
        return True

    def give_back(self, job_id: str, attempt: int) -> None:
        """Leave a job to others, as when a worker is asked to stop; it does not count as tried."""
        (self.folder(job_id) / "attempts" / str(attempt)).unlink(missing_ok=True)

    def note(self, job_id: str, attempt: int, advance: Advance) -> None:
        """Say how far the work is."""
        with suppress(OSError):  # the folder went to another attempt
            _write(self.work(job_id, attempt) / "progress.json", asdict(advance))

    def finish(self, job_id: str, outcome: Outcome) -> bool:
        """Say how a job ended; False when that was said before."""
        folder = self.folder(job_id)
        draft = folder / f"outcome-{secrets.token_hex(6)}.json"
        said = asdict(outcome) | {"finished": time.time()}
        try:
            _write(draft, said)
            os.link(draft, folder / "outcome.json")
        except OSError:  # said before, or the job is gone
            return False
        finally:
            draft.unlink(missing_ok=True)
        done = outcome.state == "done"
        spent = ["given*", "reference*", f"work-*/{GIVEN}", f"work-*/{MADE}"]
        for path in chain.from_iterable(map(folder.glob, spent if done else [*spent, "work-*"])):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return True

    def cancel(self, job_id: str) -> None:
        """Wish a job to stop; one that nobody works on is cancelled at once."""
        job = self.get(job_id)
        if job is None or job.outcome is not None:
            return
        (self.folder(job_id) / "cancel").touch()
        if job.state == "queued":
            self.finish(job_id, Outcome("cancelled"))

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody wishes a job to stop."""
        return (self.folder(job_id) / "cancel").exists()

    def remove(self, job_id: str) -> None:
        """Forget a job that has ended, and all its files.

        It is gone at once, even where a file that somebody fetches cannot be removed yet.
        """
        folder, gone = self.folder(job_id), self._new / f"gone-{job_id}"
        with suppress(OSError):  # Windows keeps a folder whose files are open
            folder.rename(gone)
        for rest in (folder, gone):
            shutil.rmtree(rest, ignore_errors=True)

    def expire(self, keep_s: float) -> int:
        """Forget jobs that ended longer ago, and uploads that broke off; how many."""
        old = [
            job
            for job in self.all()
            if job.outcome is not None and job.outcome.finished < time.time() - keep_s
        ]
        for job in old:
            self.remove(job.id)
        for folder in filter(Path.is_dir, self._new.iterdir()):
            if _age_s(folder) > max(keep_s, 24 * 3600):
                shutil.rmtree(folder, ignore_errors=True)
        return len(old)

    def _is_live(self, folder: Path, attempt: int) -> bool:
        return attempt > 0 and _age_s(folder / "attempts" / str(attempt)) < self.lease_s


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _attempts(folder: Path) -> int:
    with suppress(OSError):
        return max((int(path.name) for path in (folder / "attempts").iterdir()), default=0)
    return 0


def _write(path: Path, content: dict[str, object]) -> None:
    with atomic(path) as file:
        file.write(json.dumps(content).encode())
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> dict[str, object] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _sync(folder: Path) -> None:
    """Make what a folder holds outlive a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
