"""Doing a job: a film, a zip of pictures, or one large picture; run in a process of its own.

``python -m tintype.server.jobs.work`` is started by ``worker``, so that a decoder that dies over a
hostile file, or memory that is never given back, harms neither the server nor another job. It ends
when its standard input is closed, which happens when whoever started it dies.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tintype.errors import TintypeError, UnreadableFilm, UnreadableImage, UnwritableFilm, UsageError
from tintype.options import Hint, Options
from tintype.server.jobs.archives import pack, unpack
from tintype.server.jobs.records import GIVEN, MADE, SAMPLE, Advance, Jobs, Order, Outcome
from tintype.server.settings import Limits

if TYPE_CHECKING:
    from tintype.batch import Outcome as BatchOutcome
    from tintype.engine import Colorizer
    from tintype.video.encoding import Encoding
    from tintype.video.film import FilmOptions
    from tintype.video.probe import Film
    from tintype.video.watching import Watching

_NOTE_EVERY_S = 0.5
_NICENESS = 10  # pictures that somebody waits for go before


@dataclass(frozen=True)
class Assignment:
    """What one process is to do.

    Attributes:
        data: folder of the jobs.
        job_id: which.
        attempt: as it was claimed.
        device: where networks run.
        threads: cores to use.
        limits: of pixels, frames and files.
    """

    data: Path
    job_id: str
    attempt: int
    device: str
    threads: int
    limits: Limits


@dataclass(frozen=True)
class _Desk:
    """Where the work on one job lies.

    Attributes:
        task: what is to be done.
        order: what was asked for.
        folder: of the job.
        work: of the attempt.
        note: says how far the work is.
    """

    task: Assignment
    order: Order
    folder: Path
    work: Path
    note: Callable[[Advance], None]

    @property
    def source(self) -> Path:
        """The uploaded file."""
        return self.folder / self.order.source

    @property
    def target(self) -> Path:
        """Where the result is made."""
        return self.work / self.order.target

    @property
    def options(self) -> Options:
        """What was asked for."""
        given = dict(self.order.options)
        hints = given.pop("hints", ())
        references = given.pop("references", ())
        if isinstance(hints, list | tuple):
            given["hints"] = tuple(Hint(**hint) for hint in hints)
        if isinstance(references, list | tuple):
            given["references"] = tuple(str(self.folder / name) for name in references)
        return Options(**given)  # type: ignore[arg-type]


def do(task: Assignment) -> None:
    """Do a job and say how it ended."""
    jobs = Jobs(task.data)
    job = jobs.get(task.job_id)
    if job is None:
        return
    folder, work = jobs.folder(task.job_id), jobs.work(task.job_id, task.attempt)
    note = _sparing(lambda advance: jobs.note(task.job_id, task.attempt, advance))
    desk = _Desk(task, job.order, folder, work, note)
    try:
        results, notes = _WAYS[job.order.kind](desk)
        names = tuple(str(path.relative_to(folder)) for path in results)
        told = tuple(_without_paths(note, folder, desk) for note in notes)
        outcome = Outcome("done", names, notes=told)
    except TintypeError as error:
        outcome = Outcome("failed", error=_without_paths(str(error), folder, desk))
    except OSError as error:
        reason = error.strerror or "a file cannot be read or written"
        outcome = Outcome("failed", error=f"The server's disk: {reason}.")
    if jobs.beat(task.job_id, task.attempt):  # else another attempt has it, and this one's files
        jobs.finish(task.job_id, outcome)


def _without_paths(text: str, folder: Path, desk: _Desk) -> str:
    """A sentence with the user's own file names instead of the server's."""
    text = text.replace(str(desk.source), desk.order.name)
    for place in (desk.work, folder):
        text = text.replace(f"{place}/", "")
    return text


def _sparing(note: Callable[[Advance], None]) -> Callable[[Advance], None]:
    """Says not more than twice a second how far the work is, and how fast it goes."""
    begun: dict[bool, tuple[float, int]] = {}
    last = [0.0]

    def say(advance: Advance) -> None:
        now = time.monotonic()
        since, first = begun.setdefault(advance.stage == "sample", (now, advance.done))
        if now - last[0] < _NOTE_EVERY_S and advance.done < advance.total:
            return
        last[0] = now
        rate = (advance.done - first) / max(now - since, 1e-3)
        note(Advance(advance.done, advance.total, advance.stage, round(rate, 2)))

    return say


def _film(desk: _Desk) -> tuple[list[Path], tuple[str, ...]]:
    from fractions import Fraction

    from tintype.engine import Colorizer
    from tintype.video.encoding import Encoding
    from tintype.video.film import FilmOptions, colorize_film
    from tintype.video.probe import Film

    film = Film.probe(desk.source)
    limits = desk.task.limits
    if film.size[0] * film.size[1] > limits.film_pixels:
        raise UnreadableFilm(
            f"The film's frames of {film.size[1]} × {film.size[0]} pixels are larger than the "
            f"{limits.film_pixels} that this server takes."
        )
    if (film.frames or 0) > limits.frames or film.rate > Fraction(1000):
        raise UnreadableFilm(
            f"The film has {film.frames} frames; this server takes {limits.frames} at most."
        )
    given = dict(desk.order.film)
    wanted = given.pop("sample", None)
    encoding = {name: given.pop(name) for name in ("codec", "crf", "preset") if name in given}
    how = FilmOptions(encoding=Encoding(**encoding), **given)  # type: ignore[arg-type]
    colorizer = Colorizer.load(desk.options.model, desk.task.device, desk.task.threads)
    if isinstance(wanted, str):
        _sample(desk, colorizer, film, wanted, how)
    watching = _watching(desk, film, how.encoding)
    notes: tuple[str, ...] = ()
    for state in colorize_film(colorizer, desk.source, desk.target, desk.options, how):
        if state.done > limits.frames:
            raise UnreadableFilm(f"The film has more than the {limits.frames} frames allowed here.")
        desk.note(Advance(state.done, max(state.total, state.done), state.stage))
        notes = state.notes or notes
        watching = _updated(watching)
    if watching is not None:
        with suppress(UnwritableFilm):  # of pieces that are seen while the film is made
            watching.close()
    return [desk.target], notes


def _sample(desk: _Desk, colorizer: Colorizer, film: Film, wanted: str, how: FilmOptions) -> None:
    """Make a film's sample, unless an earlier attempt has, or the film is not longer."""
    from tintype.video.encoding import Encoding
    from tintype.video.preview import Sample, write_preview

    path, part = desk.work / SAMPLE, Sample.parse(wanted)
    length_s = (film.frames or 0) / film.rate
    if path.exists() or 0 < length_s <= part.start_s + part.length_s:
        return
    how = replace(how, encoding=Encoding())
    for state in write_preview(colorizer, desk.source, path, part, desk.options, how):
        desk.note(Advance(state.done, max(state.total, state.done), "sample"))


def _watching(desk: _Desk, film: Film, encoding: Encoding) -> Watching | None:
    """What makes the film watchable while it is made, where browsers would play it."""
    from tintype.video.encoding import encoder_for
    from tintype.video.segments import parts_of
    from tintype.video.watching import WATCHED_CODECS, Watching

    if encoder_for(desk.target, encoding) not in WATCHED_CODECS:
        return None
    return Watching(film, parts_of(desk.target), desk.work / "watch")


def _updated(watching: Watching | None) -> Watching | None:
    """Add what is finished to what can be watched; None when that fails, which stops no film."""
    if watching is not None:
        try:
            watching.update()
        except UnwritableFilm:
            return None
    return watching


def _picture(desk: _Desk) -> tuple[list[Path], tuple[str, ...]]:
    from tintype.engine import Colorizer

    _refuse_large(desk.source, desk.task.limits.job_pixels)
    desk.note(Advance(0, 1, "colouring"))
    colorizer = Colorizer.load(desk.options.model, desk.task.device, desk.task.threads)
    sure = desk.work / "confidence.png" if desk.order.confidence else None
    _, report = colorizer.colorize_file(desk.source, desk.target, desk.options, sure)
    desk.note(Advance(1, 1, "colouring"))
    return [desk.target, *([sure] if sure else [])], report.notes


def _pictures(desk: _Desk) -> tuple[list[Path], tuple[str, ...]]:
    from tintype.batch import Batch, share_cores
    from tintype.batch.plan import make_plan
    from tintype.engine import Colorizer

    given, made = desk.work / GIVEN, desk.work / MADE
    if not given.exists():
        unpack(desk.source, given, desk.task.limits)
    plan = make_plan([str(given)], str(made), confidence=desk.order.confidence)
    if not plan.tasks:
        raise UnreadableImage("The zip holds no pictures.")
    jobs, threads = share_cores(len(plan.tasks), desk.task.threads)
    colorizer = Colorizer.load(desk.options.model, desk.task.device, threads)
    batch = Batch(colorizer, desk.options)
    rows: list[dict[str, object]] = []
    for outcome in batch.run(plan.tasks, jobs):
        rows.append(_row(outcome, given))
        desk.note(Advance(len(rows), len(plan.tasks), "colouring"))
    if not any(row["status"] in ("done", "current") for row in rows):
        raise UnreadableImage(
            f"None of the {len(rows)} pictures was coloured: {rows[0]['message']}"
        )
    pack(made, desk.target, sorted(rows, key=lambda row: str(row["file"])))
    left = sum(row["status"] not in ("done", "current") for row in rows)
    notes = (f"{left} of {len(rows)} pictures were not coloured: see report.json.",) if left else ()
    return [desk.target], notes


def _row(outcome: BatchOutcome, given: Path) -> dict[str, object]:
    source = outcome.task.source
    name = str(source.relative_to(given)) if isinstance(source, Path) else ""
    message = outcome.message.replace(f"{given}/", "")
    return {"file": name, "status": outcome.status, "message": message}


def _refuse_large(source: Path, pixels: int) -> None:
    from tintype.images import read_image

    picture = read_image(source)
    count = sum(page.size[0] * page.size[1] for page in picture.pages)
    if count > pixels:
        raise UsageError(f"The picture has {count} pixels; this server takes {pixels} at most.")


_WAYS = {"film": _film, "picture": _picture, "pictures": _pictures}


def _end_with_parent() -> None:
    """Wait until standard input is closed, and end."""
    while sys.stdin.buffer.read(1):
        pass
    _leave(1)


def _leave(status: int) -> None:
    os._exit(status)  # what is unfinished is marked as such; a codec's threads would wait on


def _arguments(given: list[str]) -> Iterator[Assignment]:
    data, job_id, attempt, device, threads, *changes = given
    limits = Limits().changed(tuple(changes))
    yield Assignment(Path(data), job_id, int(attempt), device, int(threads), limits)


def main(given: list[str]) -> None:
    """Do the job that the arguments name."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(AttributeError, OSError):  # not on Windows
        os.nice(_NICENESS)
    for task in _arguments(given):
        do(task)
    _leave(0)


if __name__ == "__main__":
    main(sys.argv[1:])
