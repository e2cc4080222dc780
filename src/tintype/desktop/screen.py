"""What all windows share: how they are opened, their colours, and the line between two halves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

from PIL import Image

from tintype.errors import TintypeError

if TYPE_CHECKING:
    import tkinter as tk

_MARK = "#17191c"
_REACH_PX = 12  # of the arrows beside the line


@contextmanager
def open_screen() -> Iterator[tk.Tk]:
    """A window that is not shown yet; it is gone in the end.

    Raises:
        TintypeError: Python was built without Tk, or there is no screen.
    """
    try:
        import tkinter
    except ImportError as error:
        raise TintypeError(
            "A window needs Python's tkinter, which is missing here. On Debian and Ubuntu it "
            "is the package python3-tk; on macOS with Homebrew, python-tk."
        ) from error
    try:
        root = tkinter.Tk(className="Tintype")
    except tkinter.TclError as error:
        raise TintypeError(
            f"No screen: {error}. Without one, tintype colorize writes its results to files."
        ) from error
    try:
        root.withdraw()
        yield root
    finally:
        root.destroy()


def fitted(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The size of a picture as large as it fits into a box, its aspect kept.

    Args:
        size: (height, width) of the picture.
        box: (height, width).
    """
    scale = min(Fraction(box[0], size[0]), Fraction(box[1], size[1]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def halves(colour: Image.Image, grey: Image.Image, split: float) -> Image.Image:
    """A picture whose left part is grey, RGB.

    Args:
        colour: RGB.
        grey: L or RGB, of the same size.
        split: what part of the width is grey, from the left.
    """
    picture = colour.copy()
    edge = round(split * picture.width)
    if edge:
        picture.paste(grey.crop((0, 0, edge, picture.height)))
    return picture


def draw_split(canvas: tk.Canvas, x: float, top: float, bottom: float) -> None:
    """Draw the line between grey and colour anew, with a handle in its middle.

    Args:
        canvas: on which; the tag of all that belongs to the line is "split".
        x: where.
        top: of the line.
        bottom: of the line.
    """
    canvas.delete("split")
    y, reach = (top + bottom) / 2, _REACH_PX
    canvas.create_line(x - 1, top, x - 1, bottom, fill=_MARK, tags="split")
    canvas.create_line(x, top, x, bottom, fill="white", tags="split")
    canvas.create_line(x + 1, top, x + 1, bottom, fill=_MARK, tags="split")
    for side in (-1, 1):
        points = (x + side * 3, y - reach / 2, x + side * 3, y + reach / 2, x + side * reach, y)
        canvas.create_polygon(*points, fill="white", outline=_MARK, tags="split")
