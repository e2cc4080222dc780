"""What all windows share: how they are opened, their colours, and the line between two halves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

from PIL import Image

from tintype.desktop.marks import handle
from tintype.errors import TintypeError

if TYPE_CHECKING:
    import tkinter as tk

    from PIL import ImageTk

_SHADE = "#17191c"  # beside the line, so that it is seen on white as well


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


def photo_of(image: Image.Image, master: tk.Misc) -> ImageTk.PhotoImage:
    """A picture as Tk shows it; it must be kept, for Tk does not."""
    from PIL import ImageTk

    return ImageTk.PhotoImage(image, master=master)


class Seam:
    """The line between grey and colour on a canvas, with a handle in its middle.

    Args:
        canvas: on which; the tag of all that belongs to the line is "seam".
    """

    def __init__(self, canvas: tk.Canvas) -> None:
        self._canvas = canvas
        self._handle = photo_of(handle(), canvas)
        self._lines = [
            canvas.create_line(0, 0, 0, 0, fill=fill, tags="seam", state="hidden")
            for fill in (_SHADE, "white", _SHADE)
        ]
        self._knob = canvas.create_image(0, 0, image=self._handle, tags="seam", state="hidden")

    def move(self, x: float, top: float, bottom: float) -> None:
        """Show it at a place, over all else."""
        canvas = self._canvas
        for offset, line in zip((-1, 0, 1), self._lines, strict=True):
            canvas.coords(line, x + offset, top, x + offset, bottom)
        canvas.coords(self._knob, x, (top + bottom) / 2)
        canvas.itemconfigure("seam", state="normal")
        canvas.tag_raise("seam")

    def hide(self) -> None:
        """Show it no more."""
        self._canvas.itemconfigure("seam", state="hidden")
