"""What the network sees of a picture: at which size, padded how, with which hints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype import color
from tintype.errors import AlreadyColour, UsageError
from tintype.images import classify_tone
from tintype.images.tone import Tone
from tintype.options import Hint, Options
from tintype.runtime import GRAIN, Float

_LONGEST = 4
"""No side of the view is longer than this many working sizes: panoramas are seen smaller."""


def working_shape(size: tuple[int, int], working_size: int) -> tuple[int, int]:
    """The size at which the network sees a picture.

    The area is that of a square with sides of ``working_size`` and the aspect ratio is kept, so
    that the network sees things as large whatever the picture's size.

    Args:
        size: (height, width) of the picture in pixels.
        working_size: in pixels.

    Returns:
        (height, width) in pixels, each at least 1.
    """
    height, width = size
    scale = working_size / math.sqrt(height * width)
    scale = min(scale, _LONGEST * working_size / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


@dataclass(frozen=True)
class Page:
    """One page as the network is to see it.

    Attributes:
        size: (height, width) of the full page in pixels.
        L: (1, 1, height, width) of the view.
    """

    size: tuple[int, int]
    L: Float


def look(rgb: Float, size: tuple[int, int], name: str, options: Options) -> tuple[Tone, Page]:
    """Take a reduced picture (height, width, 3) in [0, 1] as the network's view of a page.

    Raises:
        AlreadyColour: it is in colour, and recolouring was not asked for.
    """
    tone = classify_tone(rgb)
    if tone == "colour" and not options.force:
        raise AlreadyColour(f"{name} is already in colour; --force (force=True) recolours it.")
    L = color.rgb_to_lab(rgb.astype(np.float64))[..., 0].astype(np.float32)
    return tone, Page(size, np.clip(L, 0, 100)[None, None])


def pad(planes: NDArray[np.float32]) -> Float:
    """Repeat the last row and column until both sides are multiples of 32.

    Args:
        planes: (N, C, H, W).
    """
    height, width = planes.shape[2:]
    below, beside = -height % GRAIN, -width % GRAIN
    return np.pad(planes, ((0, 0), (0, 0), (0, below), (0, beside)), mode="edge")


def draw_hints(
    hints: Sequence[Hint], size: tuple[int, int], view: tuple[int, int]
) -> tuple[Float, Float]:
    """Draw hints as discs at the size of the network's view.

    Args:
        hints: points in pixels of the picture; later ones cover earlier ones.
        size: (height, width) of the picture.
        view: (height, width) of the view.

    Returns:
        hint_ab (1, 2, *view) CIE a*b* and hint_mask (1, 1, *view), 1 where there is a hint.

    Raises:
        UsageError: a point outside the picture.
    """
    ab, mask = np.zeros((1, 2, *view), np.float32), np.zeros((1, 1, *view), np.float32)
    # The centres of the view's cells in pixels of the picture; pixel 0 spans [-0.5, 0.5].
    rows = (np.arange(view[0]) + 0.5) * size[0] / view[0] - 0.5
    columns = (np.arange(view[1]) + 0.5) * size[1] / view[1] - 0.5
    for hint in hints:
        if not (0 <= hint.x < size[1] and 0 <= hint.y < size[0]):
            raise UsageError(
                f"The hint at ({hint.x:g}, {hint.y:g}) lies outside the picture, "
                f"which is {size[1]} wide and {size[0]} high."
            )
        disc = np.hypot(columns[None] - hint.x, rows[:, None] - hint.y) <= hint.radius
        disc[np.abs(rows - hint.y).argmin(), np.abs(columns - hint.x).argmin()] = True
        lab = color.rgb_to_lab(np.array(hint.rgb))
        ab[0, :, disc] = lab[1:]
        mask[0, 0, disc] = 1
    return ab, mask


def hints_of(pages: Sequence[Page], hints: Sequence[Hint]) -> tuple[Float, Float] | tuple[()]:
    """The same hints drawn on each of the views, as hint_ab and hint_mask; nothing without any."""
    if not hints:
        return ()
    drawn = [draw_hints(hints, page.size, page.L.shape[2:]) for page in pages]
    return np.concatenate([ab for ab, _ in drawn]), np.concatenate([mask for _, mask in drawn])
