"""How the parts of long work overlap: an iterator that runs ahead in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TypeVar, cast

Item = TypeVar("Item")

_WAIT_S = 0.1
_END = object()


def ahead(items: Iterator[Item], size: int) -> Generator[Item, None, None]:
    """The same items, made by another thread, at most ``size`` of them waiting.

    An error of the iterator is raised here, after the items before it. When the consumer stops
    early, the thread stops at its next item and the iterator is closed in it, so that nothing is
    left running and nobody waits for ever.

    Args:
        items: what is made; used by the other thread only.
        size: of the queue.
    """
    waiting: queue.Queue[object] = queue.Queue(size)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put(item, timeout=_WAIT_S)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as error:
            failure.append(error)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
            put(_END)

    thread = threading.Thread(target=work, name="tintype-stage", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            yield cast(Item, item)
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        thread.join()
