"""Work beside the window: one thing after another in a thread, the newer instead of the older."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Event = TypeVar("Event")

Job = Generator[Event, None, None]


class Worker(Generic[Event]):
    """Does jobs in a thread of its own; what they yield can be taken by the window's.

    Args:
        name: of the thread.
        failed: what an error of a job becomes; called in the thread.
    """

    def __init__(self, name: str, failed: Callable[[Exception], Event]) -> None:
        self._failed = failed
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Job[Event]]] = deque()
        self._events: deque[tuple[int, Event]] = deque()
        self._ordered = self._oldest = self._working = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether something is left to do or to be taken."""
        with self._changed:
            return bool(self._waiting or self._working or self._events)

    def order(self, job: Job[Event], *, instead: bool = False) -> None:
        """Have a job done.

        Args:
            job: yields what is to be taken; used by the thread only.
            instead: of all that was ordered before, which counts no more.
        """
        with self._changed:
            self._ordered += 1
            if instead:
                self._oldest = self._ordered
                self._waiting.clear()
                self._events.clear()
            self._waiting.append((self._ordered, job))
            self._changed.notify()

    def take(self) -> list[Event]:
        """What has come of the jobs since it was asked last, in order."""
        with self._changed:
            events = [event for _, event in self._events]
            self._events.clear()
            return events

    def close(self, patience_s: float, *, finish: bool = False) -> None:
        """Wait for the job in work.

        Args:
            patience_s: how long.
            finish: do what was ordered before, too; else no other job is begun.
        """
        with self._changed:
            self._closed = True
            if not finish:
                self._waiting.clear()
            self._changed.notify()
        self._thread.join(patience_s)

    def _work(self) -> None:
        while (found := self._next()) is not None:
            number, job = found
            try:
                for event in job:
                    if not self._put(number, event):
                        break
            except Exception as error:
                self._put(number, self._failed(error))
            finally:
                job.close()

    def _next(self) -> tuple[int, Job[Event]] | None:
        with self._changed:
            self._working = 0
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            number, job = self._waiting.popleft()
            self._working = number
            return number, job

    def _put(self, number: int, event: Event) -> bool:
        """Whether the job still counts."""
        with self._changed:
            if number >= self._oldest:
                self._events.append((number, event))
            return number >= self._oldest
