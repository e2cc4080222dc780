"""How fast the work is, drawn into the picture: the measured frames per second.

The one case in which Y' is not the film's own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tintype.video.painting import Painted
from tintype.video.planes import Signal, plane

_WINDOW_S = 2.0
"""The frames of so many seconds are measured."""

_PER_HEIGHT = 18  # the digits are this part of the picture's height
_SMALLEST = 9  # pixels that a digit needs to be read


def with_rate(painted: Iterator[Painted], signal: Signal) -> Iterator[Painted]:
    """Draw into each frame how many frames per second were painted lately.

    Args:
        painted: frames as they are finished.
        signal: of their samples.
    """
    times: deque[float] = deque([time.monotonic()])
    for each in painted:
        now = time.monotonic()
        times.append(now)
        while len(times) > 2 and now - times[0] > _WINDOW_S:
            times.popleft()
        rate = (len(times) - 1) / max(now - times[0], 1e-3)
        draw(each.frame, f"{rate:.1f} fps", signal)
        yield each


def draw(frame: av.VideoFrame, text: str, signal: Signal) -> None:
    """Draw white text on black into a frame's upper left corner.

    Args:
        frame: in the signal's planar format; changed.
        text: a few letters.
        signal: of its samples.
    """
    frame.make_writable()
    black, span = signal.grey_levels
    label = _label(text, max(_SMALLEST, frame.height // _PER_HEIGHT))
    grey = plane(frame, 0)
    rows, columns = (min(sides) for sides in zip(label.shape, grey.shape, strict=True))
    grey[:rows, :columns] = np.rint(black + span * label[:rows, :columns])
    for number in (1, 2):
        chroma = plane(frame, number)
        down, across = (-(-a // b) for a, b in zip(grey.shape, chroma.shape, strict=True))
        chroma[: -(-rows // down), : -(-columns // across)] = int(signal.chroma_levels[0])


@lru_cache(maxsize=64)
def _label(text: str, height: int) -> NDArray[np.float32]:
    """Text as light in [0, 1]: (rows, columns)."""
    font = ImageFont.load_default(height)
    left, top, right, bottom = (round(side) for side in font.getbbox(text))
    edge = height // 3
    image = Image.new("L", (right - left + 2 * edge, bottom - top + 2 * edge))
    ImageDraw.Draw(image).text((edge - left, edge - top), text, fill=255, font=font)
    return np.asarray(image, np.float32) / np.float32(255)
