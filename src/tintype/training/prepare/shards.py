"""How the chosen pictures are stored: encoded one by one, and gathered in tar shards."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.images.replacing import atomic
from tintype.training.prepare.order import QUALITY, Format

AVIF_SPEED = 9
"""7 ms per picture of 160 px; at 6 it is 40 ms for a quarter less bytes and 1.7 dB more."""


def encode(pixels: NDArray[np.uint8], format: Format, quality: int | None) -> bytes:
    """A picture file of uint8 sRGB (H, W, 3), without metadata.

    AVIF keeps the chroma at full size; WebP's lossy coding halves it, so that its quality 100
    means lossless here.
    """
    chosen = QUALITY[format] if quality is None else quality
    options: dict[Format, dict[str, object]] = {
        "avif": {"subsampling": "4:4:4", "speed": AVIF_SPEED, "max_threads": 1, "quality": chosen},
        "webp": {"lossless": chosen == 100, "quality": chosen},
        "png": {},
    }
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options[format])
    return file.getvalue()


def cut(sizes: Sequence[int], limit_bytes: int) -> list[slice]:
    """Cut files of these sizes into shards, none larger than the limit if its files allow it."""
    starts, room = [], 0
    for index, size in enumerate(sizes):
        stored = tarfile.BLOCKSIZE * (1 + -(-size // tarfile.BLOCKSIZE))
        if not index or stored > room:
            starts.append(index)
            room = limit_bytes - 2 * tarfile.BLOCKSIZE  # the end's two blocks
        room -= stored
    return list(map(slice, starts, [*starts[1:], len(sizes)]))


def write_shards(
    folder: Path, side: str, files: Sequence[tuple[str, Path]], limit_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Write a side as ``SIDE-00.tar`` and so on; the same pictures give the same bytes.

    Each appears whole or not at all. ``files`` are names in the shards and where the content lies.

    Yields:
        Each file's name and content as it is written.
    """
    parts = cut([path.stat().st_size for _, path in files], limit_bytes)
    digits = max(2, len(str(len(parts) - 1)))
    for number, part in enumerate(parts):
        with (
            atomic(folder / f"{side}-{number:0{digits}}.tar") as file,
            tarfile.open(fileobj=file, mode="w") as tar,
        ):
            for name, path in files[part]:
                data = path.read_bytes()
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
                yield name, data
