"""The options of ``tintype colorize`` that hold for films only, and what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import click

from tintype.errors import UsageError

if TYPE_CHECKING:
    from tintype.video.film import FilmOptions

Command = TypeVar("Command", bound=Callable[..., object])

_CHOSEN = "tintype.cli.film_options"
_NTSC = Fraction(1000, 1001)


@dataclass(frozen=True)
class FilmWork:
    """Which films become which files.

    Attributes:
        inputs: paths, patterns of numbered pictures, addresses.
        output: a file or pattern for one film, else a folder; "-" is standard output.
        suffix: added to the names.
        overwrite: whether results that exist are made again.
        device: where the network runs.
        preview: the part of each film that is shown instead; None: the whole film is made.
        store_grey: whether the films are stored without colour.
        hls: whether a folder gets pieces and their playlist.
        hls_keep: how many pieces are kept; 0: all.
    """

    inputs: Sequence[str]
    output: str | None
    suffix: str | None
    overwrite: bool
    device: str
    preview: str | None = None
    store_grey: bool = False
    hls: bool = False
    hls_keep: int = 0


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


def _rate(text: str) -> Fraction:
    """Frames per second; decimals of NTSC rates mean the exact ones, 24000/1001 and so on."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise click.BadParameter(f"{text} is no rate such as 24, 23.976 or 24000/1001.")
    exact = round(rate / _NTSC) * _NTSC
    return exact if "." in text and abs(rate - exact) < Fraction(1, 200) else rate


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
        "--rate",
        type=_rate,
        metavar="FPS",
        help="Frames per second of numbered pictures (scan_%04d.png). [default: 24]",
    ),
    _option(
        "--drop-unsupported",
        is_flag=True,
        help="Films: leave out sound, subtitles and the like that the output cannot hold.",
    ),
    _option(
        "--preview",
        metavar="10s[@01:20]",
        help="Films: write only a sample so long (from 01:20 on), grey and coloured side by side, "
        "as NAME-preview.EXT, and stop there.",
    ),
    _option(
        "--fps-overlay",
        is_flag=True,
        help="Films: draw the measured frames per second into the picture.",
    ),
    _option(
        "--store-grey",
        is_flag=True,
        help="Films: store lightness and sound alone, to be coloured when played, and tell the "
        "bytes saved.",
    ),
    _option("--hls", is_flag=True, help="Films: write HLS pieces and index.m3u8 into a folder."),
    _option(
        "--hls-keep",
        type=click.IntRange(min=2),
        metavar="N",
        help="Films: keep the last N pieces of HLS only, for streams without an end.",
    ),
)


def chosen_film_options(ctx: click.Context) -> FilmOptions:
    """The options for films that were given, over the defaults."""
    from tintype.video.encoding import Encoding
    from tintype.video.film import FilmOptions

    chosen = dict(ctx.meta.get(_CHOSEN, {}))
    encoding = {name: chosen.pop(name) for name in ("codec", "crf", "preset") if name in chosen}
    names = ("steady", "drop_unsupported", "rate", "fps_overlay")
    kept = {name: chosen[name] for name in names if name in chosen}
    return FilmOptions(encoding=Encoding(**encoding), **kept)


def chosen_film_work(
    ctx: click.Context,
    inputs: Sequence[str],
    output: str | None,
    suffix: str | None,
    overwrite: bool,
    device: str,
) -> FilmWork:
    """Which films become what, by the options that were given.

    Raises:
        UsageError: options that make no sense together.
    """
    chosen = ctx.meta.get(_CHOSEN, {})
    names = ("preview", "store_grey", "hls", "hls_keep")
    kept = {name: chosen[name] for name in names if name in chosen}
    if "store_grey" in kept:
        for other in ("preview", "fps_overlay", "steady"):
            if other in chosen:
                name = other.replace("_", "-")
                raise UsageError(f"--{name} is for colours, and --store-grey makes none.")
    return FilmWork(inputs, output, suffix, overwrite, device, **kept)


def refuse_film_options(ctx: click.Context) -> None:
    """For pictures.

    Raises:
        UsageError: an option was given that only films have.
    """
    for name in ctx.meta.get(_CHOSEN, {}):
        raise UsageError(f"--{name.replace('_', '-')} is for films, and no film was given.")
