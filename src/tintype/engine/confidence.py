"""How sure the network is, as a picture: 8-bit grey, white where it is sure.

It is written as a PNG row by row, so that one of any size takes little memory.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.engine.chroma import Upsampled
from tintype.engine.join import bands
from tintype.engine.stream import PNG_SIGNATURE, png_chunk
from tintype.errors import UnwritableImage, UsageError
from tintype.images.replacing import atomic
from tintype.images.xmp import updated_xmp

_GREY = 0  # colour type "greyscale", ISO/IEC 15948, table 11.1
_UP = 2  # filter type: the difference from the row above, section 9.2
_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword, uncompressed, no language: section 11.3.4.5


def mean_of(sure: Upsampled) -> float:
    """The mean confidence over the cells that the network sees, in [0, 1]."""
    return float(sure.planes.mean())


def encode_confidence(sure: Upsampled, mark: str) -> bytes:
    """The confidence picture as a PNG; arguments as of :func:`write_confidence`."""
    return b"".join(_png(sure, mark))


def write_confidence(sure: Upsampled, target: Path, mark: str) -> None:
    """Write the confidence picture; whole, or not at all.

    Args:
        sure: one plane in [0, 1], laid over the picture.
        target: the PNG; what stands there is replaced in one step.
        mark: the value of xmp:CreatorTool, by which the file is known as no picture to colour.

    Raises:
        UnwritableImage: a read-only folder, a full disk.
    """
    try:
        with atomic(target) as file:
            for piece in _png(sure, mark):
                file.write(piece)
    except OSError as error:
        raise UnwritableImage(f"{target} cannot be written: {error.strerror or error}.") from error


def check_place(confidence: Path, source: Path | bytes, target: Path | None) -> None:
    """Refuse a place where the confidence picture cannot go, before any work.

    Raises:
        UsageError: the name of another kind of file, or that of the picture or of its result.
    """
    if confidence.suffix.lower() != ".png":
        raise UsageError(f"The confidence picture is a PNG; {confidence} should end in .png.")
    others = [path for path in (source, target) if isinstance(path, Path)]
    if os.path.abspath(confidence) in map(os.path.abspath, others):
        raise UsageError(f"The confidence picture needs a name of its own, not {confidence}.")


def _png(sure: Upsampled, mark: str) -> Iterator[bytes]:
    """The file, piece by piece."""
    height, width = sure.size
    yield PNG_SIGNATURE
    yield png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _GREY, 0, 0, 0))
    xmp, _ = updated_xmp(None, mark)
    yield png_chunk(b"iTXt", _XMP + (xmp or b""))
    deflate = zlib.compressobj()
    above = np.zeros((1, width), np.uint8)
    for top, bottom in bands(sure.size):
        grey = _grey(sure, top, bottom)
        lines = np.full((len(grey), 1 + width), _UP, np.uint8)
        lines[:, 1:] = grey - np.concatenate([above, grey[:-1]])
        above = grey[-1:]
        if packed := deflate.compress(memoryview(lines.data).cast("B")):
            yield png_chunk(b"IDAT", packed)
    yield png_chunk(b"IDAT", deflate.flush())
    yield png_chunk(b"IEND", b"")


def _grey(sure: Upsampled, top: int, bottom: int) -> NDArray[np.uint8]:
    """Rows (bottom - top, width); the cubic overshoots at steep edges, and is clipped."""
    values = np.clip(sure.rows(top, bottom)[0], 0, 1)
    return np.rint(values * 255).astype(np.uint8)
