"""What the window has done in the background: opening, colouring, saving, and many at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tintype.batch import Batch, Outcome, share_cores
from tintype.batch.plan import Plan, make_plan
from tintype.desktop.plate import PASTED, Answer, Plate, Source, answered, opened
from tintype.engine import Colorizer, Options
from tintype.engine.join import join_rows
from tintype.errors import TintypeError, UnreadableImage, UnwritableImage
from tintype.options import Hint

Step = Literal["open", "colour", "save", "many"]
"""What was being done."""


@dataclass(frozen=True)
class Opened:
    """A picture can be shown, in grey."""

    plate: Plate


@dataclass(frozen=True)
class Coloured:
    """The network has answered."""

    plate: Plate
    answer: Answer


@dataclass(frozen=True)
class Saved:
    """A result was written.

    Attributes:
        target: where.
        notes: what the format could not hold.
        seconds: how long it took.
    """

    target: Path
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Failed:
    """Something could not be done.

    Attributes:
        step: what.
        sentence: why.
    """

    step: Step
    sentence: str


@dataclass(frozen=True)
class Run:
    """How far a run over many pictures is.

    Attributes:
        total: pictures in all.
        counts: how many were ``done``, ``current``, ``skipped`` and ``failed``.
        failures: a sentence for each that failed, in order.
        seconds: since it was begun.
        ended: whether nothing more comes.
    """

    total: int
    counts: Counter[str] = field(default_factory=Counter)
    failures: tuple[str, ...] = ()
    seconds: float = 0.0
    ended: bool = False

    def __str__(self) -> str:
        amounts = {
            "coloured": self.counts["done"],
            "done before": self.counts["current"],
            "skipped": self.counts["skipped"],
            "failed": self.counts["failed"],
            "left to do": self.total - self.counts.total(),
        }
        told = [f"{n} {what}" for what, n in amounts.items() if n or what == "coloured"]
        return f"{', '.join(told)}, in {self.seconds:.1f} s."


Event = Opened | Coloured | Saved | Failed | Run
Events = Generator[Event, None, None]


class Refusal(TintypeError):
    """Why a step was not taken, and which."""

    def __init__(self, step: Step, cause: Exception) -> None:
        super().__init__(sentence_of(cause))
        self.step = step


def failure_of(error: Exception) -> Failed:
    """An error as something that the window can say."""
    return Failed(error.step if isinstance(error, Refusal) else "colour", sentence_of(error))


def sentence_of(error: Exception) -> str:
    """An error as a sentence."""
    if isinstance(error, TintypeError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}."
    return f"Unexpected {type(error).__name__}: {str(error).rstrip('.') or 'no message'}."


def open_picture(
    find: Callable[[], Source | None], colorizer: Colorizer, side: int, variant: int = 0
) -> Events:
    """Open a picture, then colour it.

    Args:
        find: gives the file, or its content; None when there is none.
        colorizer: the network.
        side: the working size.
        variant: with which of the plausible colourings it begins.
    """
    try:
        source = find()
        if source is None:
            raise UnreadableImage("There is no picture on the clipboard.")
        plate = opened(source)
    except Exception as error:
        raise Refusal("open", error) from error
    plate.variant = variant
    yield Opened(plate)
    yield from colour(plate, (), colorizer, side, variant)


def colour(
    plate: Plate, hints: tuple[Hint, ...], colorizer: Colorizer, side: int, variant: int = 0
) -> Events:
    """Ask the network for a picture's colours, with those that were given."""
    yield Coloured(plate, answered(colorizer, plate, hints, side, variant))


def warm() -> Events:
    """Make the tables that joining needs, so that the first picture does not wait for them."""
    join_rows(np.full((1, 1, 1), 128, np.uint8), np.full((2, 1, 1), 120, np.float32))
    yield from ()


def save(source: Source, target: Path, options: Options, colorizer: Colorizer) -> Events:
    """Write a result at full resolution, in the format of its suffix."""
    try:
        if isinstance(source, Path) and target.exists() and target.samefile(source):
            raise UnwritableImage(f"{target.name} is the original; give the result another name.")
        _, report = colorizer.colorize_file(source, target, options)
    except Exception as error:
        raise Refusal("save", error) from error
    yield Saved(target, report.notes, report.seconds)


def suggested(source: Source) -> str:
    """A name for the result that is not the original's."""
    if isinstance(source, Path):
        return f"{source.stem}-color{source.suffix}"
    return f"{PASTED.replace(' ', '-')}-color.png"


def colour_many(
    inputs: Sequence[Path], folder: Path, options: Options, device: str, stop: threading.Event
) -> Events:
    """Colour many pictures into a folder.

    Args:
        inputs: files, and folders with everything below them.
        folder: for the results; if it is the pictures' own, the results get names of their own.
        options: strength and the like.
        device: as of ``Colorizer.load``.
        stop: when set, what is in work is finished and nothing else begun.
    """
    try:
        own = {(path if path.is_dir() else path.parent).resolve() for path in inputs}
        beside = folder.resolve() in own
        plan = make_plan([str(path) for path in inputs], None if beside else str(folder))
        if not plan.tasks and not plan.refused:
            raise UnreadableImage(f"{inputs[0]} holds no picture that is still to be coloured.")
        yield from _run(plan, options, device, stop)
    except Exception as error:
        raise Refusal("many", error) from error


def _run(plan: Plan, options: Options, device: str, stop: threading.Event) -> Events:
    begun_s = time.perf_counter()
    total = len(plan.tasks) + len(plan.refused)
    counts = Counter({"failed": len(plan.refused)})
    failures = tuple(str(error) for _, error in plan.refused)
    yield Run(total, counts, failures)
    jobs, threads = share_cores(len(plan.tasks))
    batch = Batch(Colorizer.load(options.model, device, threads), options)
    for outcome in batch.run(plan.tasks, jobs, stop):
        counts = counts + Counter({outcome.status: 1})
        if outcome.status == "failed":
            failures += (_why(outcome),)
        yield Run(total, counts, failures, time.perf_counter() - begun_s)
    yield Run(total, counts, failures, time.perf_counter() - begun_s, ended=True)


def _why(outcome: Outcome) -> str:
    error = outcome.error
    text = sentence_of(error) if isinstance(error, Exception) else outcome.message
    return text if outcome.task.label in text else f"{outcome.task.label}: {text}"
