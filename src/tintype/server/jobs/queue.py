"""Which job is next: huey carries the numbers, in a file or through Redis, and nothing else.

huey forgets a task when a worker takes it, and never gives it to another. That does no harm, for
``records`` is the truth: what it holds as neither taken nor ended is queued again by ``worker``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from huey import RedisHuey, SqliteHuey
from huey.api import Huey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer

from tintype.errors import MissingExtra, UsageError


class _Json(Serializer):  # type: ignore[misc]
    """Messages as JSON: what somebody else puts into the queue must never be run as a pickle."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict()).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(**json.loads(data))


class _Consumer(Consumer):  # type: ignore[misc]
    """Works in threads of this process, whose signals are others' business."""

    def _set_signal_handlers(self) -> None:
        pass


class Queue:
    """Numbers of jobs in the order in which they are to be done.

    Args:
        data: folder of the queue's file, when there is no Redis.
        redis: address of a Redis server; None: the file.
        run: what a worker does with a number.

    Raises:
        UsageError: the address is none.
        MissingExtra: the package for Redis is not there.
    """

    def __init__(self, data: Path, redis: str | None, run: Callable[[str], None]) -> None:
        self._huey = _huey(data, redis)
        self._task = self._huey.task(name="job")(run)
        self._consumer: _Consumer | None = None

    def put(self, job_id: str) -> None:
        """Add a number at the end.

        Raises:
            OSError: the queue cannot be reached; the job's record is there all the same, and a
                worker that reaches it will queue it.
        """
        try:
            self._task(job_id)
        except Exception as error:  # sqlite3.Error, redis.RedisError, by what is installed
            raise OSError(f"The queue cannot be reached: {error}") from error

    def waiting(self) -> set[str]:
        """The numbers in the queue.

        Raises:
            OSError: the queue cannot be reached.
        """
        try:
            return {str(task.args[0]) for task in self._huey.pending()}
        except Exception as error:
            raise OSError(f"The queue cannot be reached: {error}") from error

    def start(self, workers: int) -> None:
        """Take numbers and run them, so many at a time."""
        self._consumer = _Consumer(
            self._huey, workers, periodic=False, max_delay=1.0, check_worker_health=False
        )
        self._consumer.start()

    def stop(self) -> None:
        """Take no more, and wait for those that are running."""
        if self._consumer is not None:
            self._consumer.stop(graceful=True)


def _huey(data: Path, redis: str | None) -> Huey:
    common = {"results": False, "serializer": _Json()}
    if redis is None:
        return SqliteHuey("tintype", filename=str(data / "queue.sqlite"), fsync=True, **common)
    try:
        return RedisHuey("tintype", url=redis, **common)
    except ValueError as error:
        raise UsageError(f'"{redis}" is no address of a Redis server: {error}.') from error
    except ImportError as error:
        raise MissingExtra("A queue through Redis", "server") from error
