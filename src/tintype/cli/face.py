"""How every command speaks to the user (in sentences, on stderr) and how it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])
_Handler = Callable[[int, FrameType | None], None]

# Windows has no SIGHUP.
_ENDING = [signal.Signals[n] for n in ("SIGTERM", "SIGHUP") if n in signal.Signals.__members__]
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")


@dataclass
class Face:
    """What one run of the command says.

    Attributes:
        verbose: whether tracebacks are shown.
    """

    verbose: bool = False

    def say(self, text: str) -> None:
        """One line on stderr."""
        click.echo(one_line(text), err=True)

    def log(self, error: BaseException) -> None:
        """With ``--verbose``, the traceback of an error on stderr."""
        if self.verbose:
            import traceback

            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)

    def unexpected(self, error: BaseException) -> str:
        """An error that nobody foresaw, as a sentence."""
        what = str(error) or "no message"
        advice = "" if self.verbose else "; --verbose shows where"
        return f"unexpected {type(error).__name__}: {what.rstrip('.')}{advice}."


def face_of(ctx: click.Context) -> Face:
    """The face of this run."""
    return ctx.ensure_object(Face)


def verbose_option(command: Command) -> Command:
    """Add ``-v``, ``--verbose``."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            face_of(ctx).verbose = True

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=note,
        help="Show where errors come from, and name every skipped picture.",
    )(command)


def one_line(text: str) -> str:
    """Text with line ends, control characters and undecodable bytes of file names escaped."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNSAFE
        else character
        for character in text
    )


def silence_stdout() -> None:
    """Send the rest of stdout nowhere, so that closing a broken pipe says nothing."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Terminated(BaseException):
    """SIGTERM came. Like KeyboardInterrupt it passes by ``except Exception``."""


@dataclass
class Stop:
    """A wish to stop that came by signal.

    Attributes:
        event: set when the wish has come.
        signal: which signal it was; 0 before.
    """

    event: threading.Event = field(default_factory=threading.Event)
    signal: int = 0

    @property
    def status(self) -> int:
        """The exit status, 128 and the signal's number; 0 while there is no wish."""
        return 128 + self.signal if self.signal else 0


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, and a terminal that closes, end the command through its own clean-up."""

    def end(_: int, __: FrameType | None) -> None:
        raise Terminated

    with _handling(_ENDING, end):
        yield


@contextlib.contextmanager
def stoppable(leave: Callable[[], None], what: str = "the pictures in work") -> Iterator[Stop]:
    """Let Ctrl-C and SIGTERM finish what is in work, and a second one leave at once.

    Args:
        leave: what to tidy before leaving at once.
        what: what is finished, for the message.
    """
    stop = Stop()

    def end(number: int, _: FrameType | None) -> None:
        if stop.event.is_set():
            leave()
            os._exit(stop.status)
        stop.signal = number
        stop.event.set()
        # Not print: the signal may have come in the middle of one.
        with contextlib.suppress(OSError):
            message = f"\ntintype: finishing {what}; once more leaves at once.\n"
            os.write(2, message.encode())

    with _handling([signal.SIGINT, *_ENDING], end):
        yield stop


@contextlib.contextmanager
def _handling(signals: list[signal.Signals], handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [each for each in signals if signal.getsignal(each) != signal.SIG_IGN]  # unlike nohup's
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
