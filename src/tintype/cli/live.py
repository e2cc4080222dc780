"""``tintype live``: a camera, a film or a stream, coloured in a window while it plays."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tintype.cli.face import verbose_option
from tintype.cli.film import load
from tintype.cli.options import chosen_options, engine_options
from tintype.errors import UsageError

if TYPE_CHECKING:
    import tkinter as tk

    from tintype.desktop.live import Summary
    from tintype.options import Options

_USELESS = ("batch_size", "hints", "force", "mark", "quality")


class _Rate(click.ParamType[Fraction]):
    """Frames per second, as a number or a fraction: 25, 23.976, 24000/1001."""

    name = "rate"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """Parse.

        Raises:
            BadParameter: it is no rate from 0.1 to 1000.
        """
        try:
            rate = value if isinstance(value, Fraction) else Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if not Fraction(1, 10) <= rate <= 1000:
            self.fail(f"{value} is no number of frames per second.", param, ctx)
        return rate


@click.command(short_help="Show a camera or a film in colour while it plays.")
@click.argument("source", default="0", metavar="[SOURCE]")
@click.option(
    "--fps",
    type=_Rate(),
    metavar="RATE",
    help="Frames per second: at which a film plays, or that a camera is asked for. "
    "[default: its own]",
)
@click.option(
    "--window-size",
    metavar="WxH|N",
    help="Fit the picture into W by H pixels, or its longer side into N. [default: full size]",
)
@engine_options(leave_out=_USELESS)
@click.option(
    "--steady",
    type=click.FloatRange(0, 1),
    metavar="0-1",
    help="How steady the colours are; 0 colours each frame by itself. [default: 0.85]",
)
@click.option(
    "--device", default="auto", help="Where the network runs: auto, cpu, cuda ... [default: auto]"
)
@click.option(
    "--stills",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where stills and recordings go. [default: the current folder]",
)
@verbose_option
@click.pass_context
def live(
    ctx: click.Context,
    *,
    source: str,
    fps: Fraction | None,
    window_size: str | None,
    steady: float | None,
    device: str,
    stills: Path,
) -> int:
    """Show a camera or a film in colour while it plays.

    SOURCE is the number or the path of a camera, a film, or an address such as
    rtsp://camera/1; without it, the first camera. A film plays at its own rate: when the network
    is slower, frames are dropped. There is no sound.

    Keys: space goes through colour, split and grey; the mouse and the arrow keys move the split;
    s saves a still, r starts and stops a recording, q quits.
    """
    box = _box(window_size)
    options = chosen_options(ctx)
    from tintype.desktop.screen import open_screen

    with open_screen() as root:
        click.echo(str(_shown(root, source, fps, box, options, steady, device, stills)))
    return 0


def _shown(
    root: tk.Tk,
    source: str,
    fps: Fraction | None,
    box: tuple[int, int] | None,
    options: Options,
    steady: float | None,
    device: str,
    stills: Path,
) -> Summary:
    from tintype.desktop.album import Album
    from tintype.desktop.camera import open_reel
    from tintype.desktop.live import LiveWindow, shown_size
    from tintype.desktop.projector import Projector
    from tintype.temporal import STEADY

    reel = open_reel(source, fps)
    colorizer = load(options, device)
    size = shown_size(root, reel, box)
    pace = float(fps / reel.film.rate) if fps and not reel.live else 1.0
    smooth = STEADY if steady is None else steady
    projector = Projector(reel, colorizer, options, smooth, size, pace)
    return LiveWindow(root, reel, projector, size, Album(stills, reel, colorizer.mark)).run()


def _box(text: str | None) -> tuple[int, int] | None:
    """(height, width) that the picture is fitted into.

    Raises:
        UsageError: it is written otherwise.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{2,5})(?:[x×](\d{2,5}))?", text.strip().lower())
    if not found:
        raise UsageError(f'--window-size is written 640x480 or 640, not "{text}".')
    width, height = int(found[1]), int(found[2] or found[1])
    return height, width
