"""Small pictures for contact sheets: a JPEG of a scan or a result, read as little as can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyvips

from tintype.images import read_image

SIDE_PX = 320
"""The longer side of a thumbnail."""

_QUALITY = 78


def thumbnail(source: Path | bytes, side_px: int = SIDE_PX) -> bytes:
    """A small JPEG of a picture, upright, sRGB, without any metadata; about 15 KB.

    Args:
        source: the file, or its bytes.
        side_px: its longer side becomes this long; a smaller picture stays as it is.

    Raises:
        UnreadableImage: the picture cannot be read.
    """
    picture = read_image(source)
    scale = min(1.0, side_px / max(picture.size))
    height, width = (max(1, round(side * scale)) for side in picture.size)
    rgb_u8 = np.rint(picture.small(height, width) * 255).astype(np.uint8)
    image = pyvips.Image.new_from_array(rgb_u8).copy(interpretation="srgb")
    return bytes(image.jpegsave_buffer(Q=_QUALITY, keep="none", optimize_coding=True))
