"""What the finished shards hold, read back as training reads them: figures for the data card."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.bins import bin_of_colour, in_gamut_centres
from tintype.color import rgb_to_lab
from tintype.evaluation.metrics import colourfulness
from tintype.images.sets import pictures_in
from tintype.training.prepare.scanning import in_threads

_EVERY = 2  # of the pixels, across and down, that the prior counts


@dataclass
class Measures:
    """Figures of one side.

    Attributes:
        colourfulness: of each picture, signed (see ``metrics.colourfulness``).
        sizes: (height, width) of each.
        bins: (313,) pixels counted.
    """

    colourfulness: list[float] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    bins: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(in_gamut_centres()), np.int64)
    )


def decode_file(data: bytes) -> NDArray[np.uint8]:
    """uint8 sRGB (H, W, 3) of a picture in a shard."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def measured(shards: list[Path], measures: Measures) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Names and pixels of the pictures in shards, measured as they pass.

    Args:
        shards: tar files.
        measures: filled.
    """

    def one(item: tuple[str, bytes]) -> tuple[str, NDArray[np.uint8], float, NDArray[np.int64]]:
        name, data = item
        rgb = decode_file(data)
        lab = rgb_to_lab(rgb[::_EVERY, ::_EVERY].astype(np.float32) / 255)
        counts = np.bincount(bin_of_colour(lab[..., 1:]).ravel(), minlength=len(measures.bins))
        return PurePosixPath(name).name, rgb, colourfulness(rgb), counts

    files = (item for shard in shards for item in pictures_in(shard))
    for name, rgb, colourful, counts in in_threads(one, files):
        measures.colourfulness.append(colourful)
        measures.sizes.append((rgb.shape[0], rgb.shape[1]))
        measures.bins += counts
        yield name, rgb
