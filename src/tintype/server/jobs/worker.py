"""What takes jobs from the queue and sees to it that none is forgotten."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import fields

from tintype.runtime import available_cores
from tintype.server.jobs.queue import Queue
from tintype.server.jobs.records import Jobs, Outcome
from tintype.server.settings import Limits, Settings

log = logging.getLogger("tintype.jobs")

_LOOK_S = 0.25
_MOST_LOOKS_AT_ONCE = 5.0  # seconds between two rounds of looking for forgotten jobs
_TERM_S = 5.0


class Worker:
    """Takes jobs, runs each in a process of its own, and queues again what was lost.

    Args:
        settings: of the server.
        jobs: their records.
        forgets: whether jobs that are too old are removed.
    """

    def __init__(self, settings: Settings, jobs: Jobs, *, forgets: bool = True) -> None:
        self._settings, self._jobs, self._forgets = settings, jobs, forgets
        self._stop = threading.Event()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self.queue = Queue(settings.data, settings.redis, self._run)
        self._keeper = threading.Thread(target=self._keep, name="tintype-keeper", daemon=True)

    def start(self) -> None:
        """Work in threads of this process; with no workers only look after the records."""
        if self._settings.workers:
            self.queue.start(self._settings.workers)
        self._keeper.start()

    def stop(self) -> None:
        """Stop the jobs in work, which go on elsewhere or at the next start."""
        self._stop.set()
        self.queue.stop()
        if self._keeper.is_alive():
            self._keeper.join()

    def put(self, job_id: str) -> None:
        """Queue a job; when the queue cannot be reached, that is made good for later."""
        try:
            self.queue.put(job_id)
        except OSError as error:
            log.warning("%s; job %s waits in its record.", error, job_id)

    def _run(self, job_id: str) -> None:
        if self._stop.is_set():
            return
        attempt = self._jobs.claim(job_id, self._name)
        if attempt is None:
            return
        log.info("job %s, attempt %d: begun", job_id, attempt)
        code = self._wait(job_id, attempt, self._process(job_id, attempt))
        log.info("job %s, attempt %d: ended with %s", job_id, attempt, code)
        if code == "stopped":
            self._jobs.give_back(job_id, attempt)
        elif code != "given up":
            self._release(job_id, attempt)

    def _release(self, job_id: str, attempt: int) -> None:
        """After the process ended: if it said nothing, let the job be tried again now."""
        job = self._jobs.get(job_id)
        if job is None or job.outcome is not None or job.attempts != attempt:
            return
        with suppress(OSError):
            os.utime(self._jobs.folder(job_id) / "attempts" / str(attempt), (0, 0))
        self.put(job_id)

    def _process(self, job_id: str, attempt: int) -> subprocess.Popen[bytes]:
        settings = self._settings
        threads = max(1, available_cores() // max(1, settings.workers))
        command = [sys.executable, "-m", "tintype.server.jobs.work"]
        command += [str(settings.data), job_id, str(attempt), settings.device, str(threads)]
        return subprocess.Popen(
            [*command, *_changes(settings.limits)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def _wait(self, job_id: str, attempt: int, process: subprocess.Popen[bytes]) -> str:
        """Until the process ends, or there is a reason to end it; how it ended."""
        begun = beaten = time.monotonic()
        with process:
            while process.poll() is None:
                now = time.monotonic()
                if self._jobs.is_cancelled(job_id):
                    _end(process)
                    self._jobs.finish(job_id, Outcome("cancelled"))
                elif self._stop.is_set():
                    _end(process)
                    return "stopped"
                elif now - begun > self._settings.limits.job_s:
                    _end(process)
                    sentence = "The work took longer than this server allows."
                    self._jobs.finish(job_id, Outcome("failed", error=sentence))
                elif now - beaten > self._jobs.lease_s / 6:
                    beaten = now
                    if not self._jobs.beat(job_id, attempt):
                        _end(process)
                        return "given up"
                self._pause(process)
            return f"status {process.returncode}"

    def _pause(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)

    def _keep(self) -> None:
        """Round after round: queue what is forgotten, forget what is old."""
        while not self._stop.is_set():
            try:
                self.look_after()
            except Exception:  # the keeper is the last who may give up
                log.exception("Looking after the jobs failed; it is tried again.")
            self._stop.wait(min(_MOST_LOOKS_AT_ONCE, self._jobs.lease_s / 2))

    def look_after(self) -> None:
        """Queue what nobody works on and nobody has queued; forget what is too old."""
        lost = [job.id for job in reversed(self._jobs.all()) if job.state == "queued"]
        if lost:
            waiting = self.queue.waiting()
            for job_id in lost:
                if job_id not in waiting:
                    log.info("job %s is queued again", job_id)
                    self.put(job_id)
        if self._forgets:
            self._jobs.expire(self._settings.limits.keep_h * 3600)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_TERM_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _changes(limits: Limits) -> list[str]:
    return [f"{each.name}={getattr(limits, each.name)}" for each in fields(limits)]
