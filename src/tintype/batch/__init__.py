"""Doing a plan: many pictures through one colorizer, a few at a time, one bad one hurting no other.

A few threads share the colorizer, so that while one picture is in the network others are being
read and written. What a folder's manifest knows as done and current is not done again.
"""

from __future__ import annotations

import contextlib
import filecmp
import glob
import os
import secrets
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tintype.batch.manifest import (
    MANIFEST_NAME,
    Manifests,
    Recipe,
    Record,
    Stamp,
    sha256_of,
    source_stamp,
    target_stamp,
)
from tintype.errors import AlreadyColour, TintypeError, UnreadableImage, UnwritableImage
from tintype.images import read_image
from tintype.images.replacing import part_prefix
from tintype.options import decisive
from tintype.runtime import available_cores
from tintype.zoo import graph_sha256

if TYPE_CHECKING:
    from tintype.batch.plan import Task
    from tintype.engine import Colorizer
    from tintype.options import Options, Report

Status = Literal["done", "current", "skipped", "failed"]

_POLL_S = 0.2
_PART = ".part"
_FORGOTTEN_S = 86_400.0  # nobody works on a picture for longer: a file so old was left by a crash


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Attributes:
        task: the picture.
        status: ``done``: colorized now; ``current``: its result exists and is what this run would
            make; ``skipped``: it needs no colours (it has some, or is a result itself);
            ``failed``: see ``error``.
        message: why it was skipped or failed, or what to know of a done one; mostly empty.
        report: what the engine said, when ``done``.
        data: the result, when the task has no target.
        error: what went wrong, when ``failed``.
    """

    task: Task
    status: Status
    message: str = ""
    report: Report | None = None
    data: bytes | None = None
    error: BaseException | None = None


def share_cores(tasks: int, jobs: int | None = None) -> tuple[int, int]:
    """How many pictures to work on at a time, and how many threads the network gets for each.

    One core per picture wastes none: the network scales no better over the cores of one picture
    than over pictures. One picture more than there are cores fills the gaps of reading and writing
    (benchmarks/folder.py).

    Args:
        tasks: how many pictures there are.
        jobs: pictures at a time if the user said so, 1 or more.

    Returns:
        ``(jobs, threads)``, both at least 1.
    """
    cores = available_cores()
    jobs = max(1, min(jobs or cores + 1, tasks))
    return jobs, max(1, cores // jobs)


def recipe_of(colorizer: Colorizer, options: Options) -> Recipe:
    """What results of this colorizer and these options depend on, besides the pictures.

    ``force`` only says which pictures have a result.
    """
    digest = graph_sha256(options.model)
    return Recipe(
        colorizer.name, colorizer.version, digest, decisive(replace(options, force=False))
    )


class Batch:
    """A run over many pictures."""

    def __init__(self, colorizer: Colorizer, options: Options, *, overwrite: bool = False) -> None:
        """Prepare a run.

        Args:
            colorizer: the network of ``options.model``, loaded; all threads share it.
            options: the same for every picture.
            overwrite: whether results are made again, and files replaced that are not known to
                be results.
        """
        self._colorizer = colorizer
        self._options = options
        self._recipe = recipe_of(colorizer, options)
        self._overwrite = overwrite
        self._manifests = Manifests()
        self._working: dict[Future[Outcome], Task] = {}

    def run(
        self, tasks: Sequence[Task], jobs: int = 1, stop: threading.Event | None = None
    ) -> Generator[Outcome]:
        """Colorize, yielding what became of each picture as it is finished, in any order.

        Args:
            tasks: the pictures.
            jobs: how many to work on at a time.
            stop: when set, pictures in work are finished, and no other is begun or reported.

        Yields:
            One outcome for every picture that was begun.
        """
        stop = stop or threading.Event()
        _remove_forgotten(tasks)
        waiting = iter(tasks)
        working = self._working
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="tintype")
        try:
            while True:
                while len(working) < 2 * jobs and not stop.is_set():
                    if (task := next(waiting, None)) is None:
                        break
                    working[pool.submit(self._run_one, task)] = task
                if not working:
                    return
                for future in wait(working, _POLL_S, FIRST_COMPLETED).done:
                    task = working.pop(future)
                    if not future.cancelled():
                        yield _outcome_of(task, future)
                if stop.is_set():
                    _cancel(working)
        finally:
            _cancel(working)
            pool.shutdown()

    def abandon(self) -> None:
        """Remove the unfinished files of the pictures in work; the process must end right after."""
        for task in list(self._working.values()):
            for target in task.written:
                for path in _unfinished(target):
                    path.unlink(missing_ok=True)

    def _run_one(self, task: Task) -> Outcome:
        """Colorize one picture, unless there is a reason not to."""
        stamp = _stamp_of(task.source)
        if task.target is not None and not self._overwrite:
            if os.path.lexists(task.target) and self._is_current(task, task.target, stamp):
                return Outcome(task, "current")
            self._refuse_strangers(task, task.target)
        if (why := self._why_own(task)) is not None:
            return Outcome(task, "skipped", why)
        if task.target is None:
            data, report = self._colorizer.colorize_file(task.source, None, self._options_of(task))
            return Outcome(task, "done", report=report, data=data)
        return self._colorize(task, task.target, stamp)

    def _options_of(self, task: Task) -> Options:
        return (
            self._options if task.variant is None else replace(self._options, variant=task.variant)
        )

    def _recipe_of(self, task: Task) -> Recipe:
        variant = self._options_of(task).variant
        return replace(self._recipe, options={**self._recipe.options, "variant": variant})

    def _why_own(self, task: Task) -> str | None:
        """Why a picture counts as one of Tintype's own results, or None."""
        source = task.source
        if task.named and self._options.force:
            return None
        if isinstance(source, Path) and self._manifests.of(source.parent).wrote(source):
            return (
                f"left out, for {MANIFEST_NAME} beside it lists it as a result. --force colours it."
            )
        if read_image(source).tintype_mark:
            return "left out, for it carries Tintype's mark: it is a result. --force colours it."
        return None

    def _is_current(self, task: Task, target: Path, stamp: Stamp) -> bool:
        """Whether the existing result is what this run would make."""
        manifest = self._manifests.of(target.parent)
        known = manifest.get(target)
        if known is None or known.recipe != self._recipe_of(task):
            return False
        if task.confidence is not None and not (
            known.confidence_stamp and task.confidence.is_file()
        ):
            return False  # it is missing, or was left from an older result
        if not _is_untouched(target, known.target_stamp) and not _is_readable(target):
            return False  # damaged since, as by a power cut
        if stamp and known.source_stamp == stamp:
            return True
        if known.source_sha256 != sha256_of(task.source):
            return False
        with contextlib.suppress(OSError):  # it only spares the next run the checksum
            manifest.add(replace(known, source_stamp=stamp))
        return True

    def _refuse_strangers(self, task: Task, target: Path) -> None:
        """Leave alone what Tintype did not write, and what was changed since.

        Raises:
            UnwritableImage: a file is not known to be an untouched result.
        """
        known = self._manifests.of(target.parent).get(target)
        stamps = (known.target_stamp, known.confidence_stamp) if known is not None else ((), ())
        for path, stamp in zip(task.written, stamps, strict=False):
            if not os.path.lexists(path) or _is_untouched(path, stamp):
                continue
            if stamp and path.is_file() and not path.stat().st_size:
                continue  # what a power cut leaves
            if not stamp and path.is_file() and _has_mark(path):
                continue
            raise UnwritableImage(
                f"{path} exists and is not known to be an untouched result of Tintype; "
                "--overwrite replaces it."
            )

    def _colorize(self, task: Task, target: Path, stamp: Stamp) -> Outcome:
        checksum = sha256_of(task.source)
        _make_folder(target.parent)
        beside = task.confidence
        options = self._options_of(task)
        with self._aside(target) as place:
            _, report = self._colorizer.colorize_file(task.source, place, options, beside)
        if place != target:
            report = replace(report, target=str(target))
        made = target_stamp(target)
        sure: Stamp = () if beside is None else target_stamp(beside)
        record = Record(target.name, task.label, checksum, stamp, made, self._recipe_of(task), sure)
        try:
            self._manifests.of(target.parent).add(record)
        except OSError as error:
            why = f"done, but {MANIFEST_NAME} could not be written ({error.strerror})."
            return Outcome(task, "done", why, report)
        return Outcome(task, "done", report=report)

    @contextlib.contextmanager
    def _aside(self, target: Path) -> Iterator[Path]:
        """Where a result is made: its own place, or first another, to be compared.

        What carries the mark and has no record is this very result, which a run that was killed
        had no time to record, or somebody's work, such as one saved in the window.

        Raises:
            UnwritableImage: it is another one.
        """
        recorded = self._manifests.of(target.parent).get(target) is not None
        if self._overwrite or recorded or not os.path.lexists(target):
            yield target
            return
        own = secrets.token_hex(6)
        place = target.with_name(f"{part_prefix(target)}{own}{_PART}{target.suffix}")
        try:
            yield place
            if not filecmp.cmp(place, target, shallow=False):
                raise UnwritableImage(
                    f"{target} is a result that was made otherwise; --overwrite replaces it."
                )
            os.replace(place, target)
        finally:
            place.unlink(missing_ok=True)


def _unfinished(target: Path) -> Iterator[Path]:
    """Files beside a target that were to become it; images.replacing names them."""
    return target.parent.glob(f"{glob.escape(part_prefix(target))}*{_PART}*")


def _remove_forgotten(tasks: Sequence[Task]) -> None:
    """Remove what crashes left long ago of the results of a run; each folder is listed once."""
    prefixes: dict[Path, set[str]] = {}
    for path in (path for task in tasks for path in task.written):
        prefixes.setdefault(path.parent, set()).add(part_prefix(path))
    for folder, ours in prefixes.items():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                before, part, _ = entry.name.rpartition(_PART)
                if part and before[: before.rfind(".") + 1] in ours:
                    with contextlib.suppress(OSError):
                        if time.time() - entry.stat().st_mtime > _FORGOTTEN_S:
                            os.unlink(entry)


def _stamp_of(source: Path | bytes) -> Stamp:
    if isinstance(source, bytes):
        return ()
    try:
        return source_stamp(source)
    except OSError as error:
        raise UnreadableImage(f"{source} cannot be read: {error.strerror}.") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableImage(
            f"The folder {folder} cannot be made: {error.strerror or error}."
        ) from error


def _is_untouched(path: Path, stamp: Stamp) -> bool:
    """Whether a file still is what was written there."""
    return bool(stamp) and path.is_file() and target_stamp(path) == stamp


def _is_readable(path: Path) -> bool:
    try:
        read_image(path)
    except TintypeError:
        return False
    return True


def _has_mark(path: Path) -> bool:
    try:
        return read_image(path).tintype_mark
    except TintypeError:
        return False


def _cancel(working: dict[Future[Outcome], Task]) -> None:
    for future in working:
        future.cancel()


def _outcome_of(task: Task, future: Future[Outcome]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    status: Status = "skipped" if isinstance(error, AlreadyColour) else "failed"
    return Outcome(task, status, str(error), error=error)
