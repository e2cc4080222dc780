"""``tintype colorize`` for films: one after another, with frames per second and the time left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from tintype.cli.face import Face, terminable
from tintype.cli.tally import print_line
from tintype.errors import TintypeError, UsageError

if TYPE_CHECKING:
    from tintype.engine import Colorizer
    from tintype.options import Options
    from tintype.video.film import FilmOptions, FilmProgress

Command = TypeVar("Command", bound=Callable[..., object])


_CHOSEN = "tintype.cli.film"


@dataclass(frozen=True)
class FilmWork:
    """Which films become which files.

    Attributes:
        inputs: paths.
        output: a file for one film, else a folder.
        suffix: added to the names.
        overwrite: whether results that exist are made again.
        device: where the network runs.
    """

    inputs: Sequence[str]
    output: str | None
    suffix: str | None
    overwrite: bool
    device: str


def film_options(command: Command) -> Command:
    """Add the options that hold for films only."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _keep(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None and value is not False and parameter.name is not None:
        ctx.meta.setdefault(_CHOSEN, {})[parameter.name] = value


def _option(*names: str, **settings: object) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_keep, **settings)  # type: ignore[arg-type]


_OPTIONS = (
    _option(
        "--steady",
        type=click.FloatRange(0, 1),
        metavar="0-1",
        help="Films: how steady the colours are; 0 colours each frame by itself. [default: 0.85]",
    ),
    _option("--codec", metavar="NAME", help="Films: h264, h265, av1, vp9, prores, ffv1, mpeg2."),
    _option("--crf", type=int, metavar="N", help="Films: quality of the codec, lower is better."),
    _option("--preset", metavar="NAME", help="Films: speed of the codec, by its own names."),
    _option(
        "--drop-unsupported",
        is_flag=True,
        help="Films: leave out sound, subtitles and the like that the output cannot hold.",
    ),
)


def chosen_film_options(ctx: click.Context) -> FilmOptions:
    """The options for films that were given, over the defaults."""
    from tintype.video.encoding import Encoding
    from tintype.video.film import FilmOptions

    chosen = dict(ctx.meta.get(_CHOSEN, {}))
    encoding = {name: chosen.pop(name) for name in ("codec", "crf", "preset") if name in chosen}
    return FilmOptions(encoding=Encoding(**encoding), **chosen)


def refuse_film_options(ctx: click.Context) -> None:
    """For pictures.

    Raises:
        UsageError: an option was given that only films have.
    """
    for name in ctx.meta.get(_CHOSEN, {}):
        raise UsageError(f"--{name.replace('_', '-')} is for films, and no film was given.")


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
    from tintype.engine import Colorizer
    from tintype.runtime import available_cores
    from tintype.video.names import target_of

    targets = [target_of(Path(name), work.output, work.suffix) for name in work.inputs]
    if len(set(targets)) < len(targets):
        raise UsageError(f"Several films would be written to {targets[0]}; give -o a folder.")
    colorizer = None
    failed = 0
    for name, target in zip(work.inputs, targets, strict=True):
        if target.exists() and not work.overwrite:
            face.say(f"{target} exists; --overwrite makes it again.")
            continue
        try:
            _refuse_itself(Path(name), target)
            target.parent.mkdir(parents=True, exist_ok=True)
            # Half of the cores for the network: decoder and encoder need the others.
            threads = max(1, available_cores() // 2)
            colorizer = colorizer or Colorizer.load(options.model, work.device, threads)
            with terminable():
                _one(colorizer, name, target, options, how, face)
            print_line(str(target))
        except (TintypeError, OSError) as error:
            failed += 1
            face.log(error)
            face.say(f"{name}: {error}" if name not in str(error) else str(error))
    return int(failed > 0)


def _refuse_itself(source: Path, target: Path) -> None:
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} would replace its own original.")


def _one(
    colorizer: Colorizer, source: str, target: Path, options: Options, how: FilmOptions, face: Face
) -> None:
    from tintype.video.film import colorize_film

    states = colorize_film(colorizer, source, target, options, how)
    with contextlib.closing(states), _bar() as show:
        for state in states:
            show(state)
        for note in state.notes:
            face.say(f"{source}: {note}")


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
