"""The progress bar: on stderr, and only when that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tintype.progress import Progress as State

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Bar:
    """What a run may do with its bar.

    Attributes:
        advance: ``advance(done, failed)``: one more picture is finished; so many have been
            colorized and so many have failed up to now.
        line: prints a line without tearing the bar.
    """

    advance: Advance
    line: Callable[[str], None]


@contextlib.contextmanager
def progress(total: int, line: Callable[[str], None]) -> Iterator[Bar]:
    """A bar over ``total`` pictures with pictures per second and the time left.

    Args:
        total: how many pictures; for a single one there is no bar.
        line: how a line is printed when there is no bar.
    """
    if total < 2 or not sys.stderr.isatty():
        yield Bar(lambda done, failed: None, line)
        return
    with _rich_bar(total, line) as bar:
        yield bar


@contextlib.contextmanager
def _rich_bar(total: int, line: Callable[[str], None]) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeLeftColumn(),
        TextColumn("left{task.fields[trouble]}"),
    )
    console = Console(stderr=True)
    started = time.monotonic()
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as shown:
        task = shown.add_task("", total=total, rate="", trouble="")

        def advance(done: int, failed: int) -> None:
            rate = f"{done / max(time.monotonic() - started, 1e-3):.2f} pictures/s"
            trouble = f", {failed} failed" if failed else ""
            shown.update(task, advance=1, rate=rate, trouble=trouble)

        def above(text: str) -> None:
            console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

        yield Bar(advance, above if sys.stdout.isatty() else line)


@contextlib.contextmanager
def download_bar(name: str) -> Iterator[Advance]:
    """A bar over the bytes of a download; yields what is to be told (done, total)."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False
    ) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def work_bar(states: Iterable[State]) -> None:
    """Do long work to its end, its stage and how far it is on stderr when that is a terminal."""
    if not sys.stderr.isatty():
        for _ in states:
            pass
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeLeftColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task("starting", total=1)
        for state in states:
            shown.update(
                task, completed=state.done, total=state.total or 1, description=state.stage
            )
