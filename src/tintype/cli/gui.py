"""``tintype gui``: a window that opens, colours and saves pictures, and whole folders."""

from __future__ import annotations

from pathlib import Path

import click

from tintype.cli.face import face_of, verbose_option
from tintype.cli.options import chosen_options, engine_options

_USELESS = ("batch_size", "hints", "references", "force")


@click.command(short_help="Open a window to colour pictures in.")
@click.argument("pictures", nargs=-1, metavar="[PICTURE]...", type=click.Path(path_type=Path))
@engine_options(leave_out=_USELESS)
@click.option(
    "--device", default="auto", help="Where the network runs: auto, cpu, cuda ... [default: auto]"
)
@verbose_option
@click.pass_context
def gui(ctx: click.Context, *, pictures: tuple[Path, ...], device: str) -> int:
    """Open a window to colour pictures in.

    PICTURE is opened at once; several, or a folder, are coloured into a folder that is asked for.

    Keys: Ctrl+O opens, Ctrl+V pastes, Ctrl+S saves, the arrow keys move the split between grey and
    colour, Ctrl+Z takes back a colour that was given.
    """
    options = chosen_options(ctx)
    from tintype.desktop.screen import open_screen

    with open_screen() as root:
        from tintype.desktop.window import PictureWindow
        from tintype.engine import Colorizer

        colorizer = Colorizer.load(options.model, device)
        PictureWindow(root, colorizer, options, device, face_of(ctx).log).run(pictures)
    return 0
