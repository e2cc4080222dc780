"""What a coloured frame looks like on the screen: upright, at its size, grey, coloured or split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import av
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from tintype.desktop.screen import halves
from tintype.video.probe import Film

View = Literal["colour", "split", "grey"]
VIEWS: tuple[View, ...] = ("colour", "split", "grey")
"""What the window can show, in the order in which the space bar goes through them."""

_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}
_FAST = Interpolation.BILINEAR
_FINE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class Shown:
    """A frame that can be put on the screen.

    Attributes:
        frame: its coloured planes at full size.
        time_s: in the film, or since the camera was opened.
        colour: RGB, as large as it is shown.
        grey: L, of the same size.
    """

    frame: av.VideoFrame
    time_s: float
    colour: Image.Image
    grey: Image.Image

    def composed(self, view: View, split: float) -> Image.Image:
        """The picture of a view, RGB.

        Args:
            view: which.
            split: what part of the width is grey, from the left.
        """
        if view == "colour":
            return self.colour
        if view == "grey":
            return self.grey.convert("RGB")
        return halves(self.colour, self.grey, split)


def upright_size(film: Film) -> tuple[int, int]:
    """(height, width) of a film's frames, upright and in square pixels."""
    height, width = film.size
    wide = (height, max(1, round(width * film.aspect)))
    return wide[::-1] if film.rotation % 180 else wide


class Printer:
    """Makes pictures of frames; keeps its scalers, so one thread at a time.

    Args:
        film: what the frames are of.
        size: (height, width) of the upright pictures.
        fine: whether colours are brought to full size with care, or quickly.
    """

    def __init__(self, film: Film, size: tuple[int, int], *, fine: bool = False) -> None:
        self._film = film
        self._turn = _TURNS.get(film.rotation % 360)
        self._size = size[::-1] if film.rotation % 180 else size
        self._flags = _FINE if fine else _FAST
        self._in_colour, self._in_grey = VideoReformatter(), VideoReformatter()

    def colour(self, frame: av.VideoFrame) -> Image.Image:
        """RGB."""
        return self._print(self._in_colour, frame, "rgb24")

    def grey(self, frame: av.VideoFrame) -> Image.Image:
        """L: the frame's Y' alone."""
        return self._print(self._in_grey, frame, "gray")

    def _print(self, scaler: VideoReformatter, frame: av.VideoFrame, kind: str) -> Image.Image:
        height, width = self._size
        told = self._film.signal.to_rgb
        small = scaler.reformat(frame, width, height, kind, interpolation=self._flags, **told)
        picture = Image.fromarray(small.to_ndarray())
        return picture if self._turn is None else picture.transpose(self._turn)
