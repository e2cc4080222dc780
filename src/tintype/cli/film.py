"""``tintype colorize`` for films: one after another, with frames per second and the time left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tintype.cli.face import Face, terminable
from tintype.cli.film_options import FilmWork
from tintype.cli.tally import print_line
from tintype.errors import TintypeError, UsageError

if TYPE_CHECKING:
    from tintype.engine import Colorizer
    from tintype.options import Options
    from tintype.video.film import FilmOptions, FilmProgress

States = Generator["FilmProgress", None, None]


def colorize_films(work: FilmWork, options: Options, how: FilmOptions, face: Face) -> int:
    """Colorize films.

    Args:
        work: which.
        options: as for pictures.
        how: of films.
        face: says what went wrong.

    Returns:
        0, or 1 when a film failed.

    Raises:
        UsageError: one output file for several films.
    """
    targets = [_target(name, work) for name in work.inputs]
    if len(set(targets)) < len(targets):
        raise UsageError(f"Several films would be written to {targets[0]}; give -o a folder.")
    if work.hls_keep:
        raise UsageError("--hls-keep is for pieces: add --hls.")
    maker = _Maker(work, options, how)
    failed = 0
    for name, target in zip(work.inputs, targets, strict=True):
        if _is_there(target) and not work.overwrite:
            face.say(f"{target} exists; --overwrite makes it again.")
            continue
        try:
            _refuse_itself(Path(name), target)
            target.parent.mkdir(parents=True, exist_ok=True)
            with terminable():
                show_all(maker.states(name, target), name, face)
            print_line(str(target))
        except (TintypeError, OSError) as error:
            failed += 1
            face.log(error)
            face.say(f"{name}: {error}" if name not in str(error) else str(error))
    return int(failed > 0)


def _target(name: str, work: FilmWork) -> Path:
    from tintype.video.names import preview_of, target_of

    suffix = "-grey" if work.store_grey and not work.output else None
    if work.preview is not None:
        return preview_of(Path(name), work.output)
    return target_of(Path(name), work.output, suffix if work.suffix is None else work.suffix)


def _is_there(target: Path) -> bool:
    """Whether a film is finished; pictures of unfinished work are not in the way."""
    from tintype.video.names import is_sequence
    from tintype.video.segments import parts_of
    from tintype.video.sequences import numbers_of

    if not is_sequence(str(target)):
        return target.exists()
    going_on = parts_of(target).is_dir()
    return target.parent.is_dir() and not going_on and bool(numbers_of(target))


def _refuse_itself(source: Path, target: Path) -> None:
    same = target.exists() and source.exists() and target.samefile(source)
    if same or target.absolute() == source.absolute():
        raise UsageError(f"{target} would replace its own original.")


@dataclass
class _Maker:
    """Makes films one after another with one model, which is loaded when it is needed."""

    work: FilmWork
    options: Options
    how: FilmOptions
    _colorizer: Colorizer | None = None

    def states(self, name: str, target: Path) -> States:
        """Make a film; yields how far it is."""
        from tintype.video.film import colorize_film
        from tintype.video.preview import Sample, write_preview
        from tintype.video.storing import store_grey

        if self.work.store_grey:
            return store_grey(name, target, self.how)
        self._colorizer = self._colorizer or load(self.options, self.work.device)
        if self.work.preview is not None:
            sample = Sample.parse(self.work.preview)
            return write_preview(self._colorizer, name, target, sample, self.options, self.how)
        return colorize_film(self._colorizer, name, target, self.options, self.how)


def load(options: Options, device: str) -> Colorizer:
    """The model, on half of the cores: decoder, encoder and window need the others."""
    from tintype.engine import Colorizer
    from tintype.runtime import available_cores

    return Colorizer.load(options.model, device, max(1, available_cores() // 2))


def show_all(states: States, name: str, face: Face) -> None:
    """Do the work to its end, with a bar; say what is to be known of it."""
    with contextlib.closing(states), _bar() as show:
        for state in states:
            show(state)
            for note in state.notes:
                face.say(f"{name}: {note}")


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[FilmProgress], None]]:
    """A bar on stderr when that is a terminal; yields what is told each state."""
    if not sys.stderr.isatty():
        yield lambda state: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} frames{task.fields[rate]}"),
        TimeLeftColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as shown:
        task = shown.add_task("starting", total=1, rate="")
        begun: list[tuple[float, int]] = []

        def show(state: FilmProgress) -> None:
            if not begun:
                begun.append((time.monotonic(), state.done))
            since, first = begun[0]
            frames = (state.done - first) / max(time.monotonic() - since, 1e-3)
            real = f", {frames / state.rate:.2f} × real time" if state.rate else ""
            shown.update(
                task,
                completed=state.done,
                total=max(state.total, state.done),
                description=state.stage,
                rate=f", {frames:.1f} frames/s{real}",
            )

        yield show
