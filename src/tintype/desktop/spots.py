"""Colours that the user gives at spots of a picture, and which ones there are to choose from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tintype import color
from tintype.options import Hint

REACH = 100.0
"""ab at the edge of the disc of colours."""

_RADIUS = 0.02  # of the side of a square with the picture's area
_DARKEST, _BRIGHTEST = 4.0, 96.0  # L beyond which there is next to no colour to choose
_SLACK = 0.002  # of a channel: rounding must not tear holes into the disc


@dataclass(frozen=True)
class Spot:
    """A colour at a place.

    Attributes:
        x: part of the picture's width, [0, 1).
        y: part of its height, [0, 1).
        L: the lightness there, with which the colour is shown.
        a: of CIE Lab.
        b: of CIE Lab.
    """

    x: float
    y: float
    L: float
    a: float
    b: float

    @property
    def hex(self) -> str:
        """The colour as sRGB "#rrggbb"."""
        rgb = color.lab_to_rgb(np.array([self.L, self.a, self.b]))
        codes = np.rint(255 * np.clip(rgb, 0, 1)).astype(int)
        return "#{:02x}{:02x}{:02x}".format(*codes)

    def coloured(self, a: float, b: float) -> Spot:
        """The same spot in the nearest colour of that hue that sRGB has at its lightness."""
        limit = float(color.largest_chroma(np.array(self.L), np.array(math.atan2(b, a))))
        scale = min(1.0, limit / max(math.hypot(a, b), 1e-6))
        return replace(self, a=a * scale, b=b * scale)

    def hint(self, size: tuple[int, int]) -> Hint:
        """As the engine takes it, for a picture of this (height, width) in pixels."""
        height, width = size
        x, y = (
            min(length - 1.0, max(0.0, part * length - 0.5))
            for part, length in ((self.x, width), (self.y, height))
        )
        return Hint(x, y, self.hex, _RADIUS * math.sqrt(height * width))


def clipped_lightness(L: float) -> float:
    """A lightness at which colours can be told apart."""
    return min(_BRIGHTEST, max(_DARKEST, L))


def disc_pixels(L: float, side: int) -> NDArray[np.uint8]:
    """All colours that sRGB has at a lightness, by a across and b up.

    Args:
        L: CIE lightness.
        side: of the square in pixels; its edges are at ±``REACH``.

    Returns:
        (side, side, 4) RGBA, transparent where there is no such colour.
    """
    line = ((np.arange(side) + 0.5) / side * 2 - 1) * REACH
    a, b = np.meshgrid(line, -line)
    rgb = color.lab_to_rgb(np.stack([np.full_like(a, L), a, b], axis=-1))
    shown = ((rgb >= -_SLACK) & (rgb <= 1 + _SLACK)).all(axis=-1)
    pixels = np.rint(255 * np.clip(np.dstack([rgb, shown]), 0, 1))
    return pixels.astype(np.uint8)


class Spots:
    """The spots of one picture, with what was before and what was taken back.

    Attributes:
        now: in the order in which they were given; later ones cover earlier ones.
    """

    def __init__(self) -> None:
        self.now: tuple[Spot, ...] = ()
        self._done: list[tuple[Spot, ...]] = []
        self._undone: list[tuple[Spot, ...]] = []
        self._before: tuple[Spot, ...] | None = None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to be undone."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a step was undone that can be done again."""
        return bool(self._undone)

    def put(self, spots: tuple[Spot, ...]) -> None:
        """Take a step: other spots instead of these."""
        self.drag(spots)
        self.drop()

    def drag(self, spots: tuple[Spot, ...]) -> None:
        """Take a part of a step that goes on until :meth:`drop`: it is undone as a whole."""
        if self._before is None:
            self._before = self.now
        self.now = spots

    def drop(self) -> None:
        """End a step."""
        if self._before is not None and self._before != self.now:
            self._done.append(self._before)
            self._undone.clear()
        self._before = None

    def add(self, spot: Spot) -> int:
        """One more; gives its number."""
        self.put((*self.now, spot))
        return len(self.now) - 1

    def remove(self, number: int) -> None:
        """One less."""
        self.put(self.now[:number] + self.now[number + 1 :])

    def with_one(self, number: int, spot: Spot) -> tuple[Spot, ...]:
        """The spots with another one at a number."""
        return (*self.now[:number], spot, *self.now[number + 1 :])

    def undo(self) -> bool:
        """Take the last step back; False when there is none."""
        return self._step(self._done, self._undone)

    def redo(self) -> bool:
        """Take the step again that was taken back last; False when there is none."""
        return self._step(self._undone, self._done)

    def _step(self, come: list[tuple[Spot, ...]], go: list[tuple[Spot, ...]]) -> bool:
        self.drop()
        if not come:
            return False
        go.append(self.now)
        self.now = come.pop()
        return True
