"""Pictures in turn: a few are coloured at a time, some wait, and more are sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from tintype.server.problems import Problem
from tintype.server.settings import Limits

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Gate:
    """Lets work into threads, first come, first served.

    Args:
        threads: pieces of work at a time.
        limits: how many wait, and how long.
    """

    def __init__(self, threads: int, limits: Limits) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tintype")
        self._turn = asyncio.Semaphore(threads)
        self._limits = limits
        self.waiting = self.working = 0

    async def run_for(
        self,
        is_gone: Callable[[], Awaitable[bool]],
        work: Callable[Given, Answer],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Answer:
        """Do work in a thread when its turn has come, unless nobody waits for it any more.

        Raises:
            Problem: too many wait already, it waited too long, or whoever asked is gone.
        """
        waited = await self._take_turn()
        if waited and await is_gone():
            self._turn.release()
            raise Problem(400, "Whoever asked has gone.")  # so that nobody reads it
        return await self._work(partial(work, *args, **kwargs))

    async def run(
        self, work: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
    ) -> Answer:
        """Do work in a thread when its turn has come.

        Raises:
            Problem: too many wait already, or it waited too long.
        """
        await self._take_turn()
        return await self._work(partial(work, *args, **kwargs))

    async def _take_turn(self) -> bool:
        """Whether it had to be waited for."""
        if self._turn.locked():
            await self._wait()
            return True
        await self._turn.acquire()  # which it is at once
        return False

    async def _work(self, work: Callable[[], Answer]) -> Answer:
        self.working += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, work)
        # A client that goes away must not let another in while its picture is still in work.
        future.add_done_callback(lambda _: self._leave())
        return await asyncio.shield(future)

    async def _wait(self) -> None:
        if self.waiting >= self._limits.waiting:
            raise self._busy("Too many pictures are waiting")
        self.waiting += 1
        try:
            await asyncio.wait_for(self._turn.acquire(), self._limits.wait_s)
        except TimeoutError as error:
            raise self._busy("The server is busy") from error
        finally:
            self.waiting -= 1

    def _leave(self) -> None:
        self.working -= 1
        self._turn.release()

    @staticmethod
    def _busy(why: str) -> Problem:
        return Problem(503, f"{why}; try again in a moment.", "busy", {"Retry-After": "5"})

    def close(self) -> None:
        """Let nothing more in."""
        self._pool.shutdown(wait=False, cancel_futures=True)
