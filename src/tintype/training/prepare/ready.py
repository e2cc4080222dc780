"""Pictures that are Lab and bins already: flat arrays on disk that are mapped, not decoded.

For each side there are ``SIDE.u8`` (uint8, for each picture H×W×3: L·255/100, a + 128, b + 128,
rounded), ``SIDE.u16`` (uint16, for each picture H×W: the nearest of the 313 bins of the colour
before rounding) and ``SIDE.npz`` (``offsets``, ``sizes``, ``names``, as of the training's own
cache; offsets count the values of ``SIDE.u8``, a third of that those of ``SIDE.u16``).
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.bins import bin_of_colour
from tintype.color import rgb_to_lab
from tintype.errors import TrainingError
from tintype.images import atomic

_OFFSET = np.array([0, 128, 128], np.float32)
_SCALE = np.array([255 / 100, 1, 1], np.float32)

CROP = 128
"""Side in px of the crops that speed is measured with; smaller pictures are taken whole."""

_MEASURED_S = 1.0

Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Lab (H, W, 3) and bins (H, W): what a training batch is stacked of."""


def codes_of(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Codes and bins of a picture.

    Args:
        rgb: uint8 sRGB (H, W, 3).

    Returns:
        uint8 (H, W, 3), and uint16 (H, W) in 0..312.
    """
    lab = rgb_to_lab(rgb.astype(np.float32) / 255)
    codes = np.clip(np.rint(lab * _SCALE + _OFFSET), 0, 255).astype(np.uint8)
    return codes, bin_of_colour(lab[..., 1:]).astype(np.uint16)


def lab_of_codes(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE Lab of codes (..., 3): right to 0.2 in L and 0.5 in a and b."""
    return np.asarray((codes - _OFFSET) / _SCALE, np.float32)


@dataclass(frozen=True)
class ReadyPictures:
    """The ready pictures of one side.

    Attributes:
        pixels: uint8, the codes of all pictures (H, W, 3) one after another.
        labels: uint16, the bins of all pictures (H, W) one after another.
        offsets: (n,) where each starts in ``pixels``.
        sizes: (n, 2) height and width.
        names: (n,) file names as in the shards.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    names: NDArray[np.str_]

    @classmethod
    def open(cls, folder: Path, side: str) -> ReadyPictures:
        """Map the files of a side.

        Args:
            folder: where ``SIDE.u8`` lies.
            side: "train", "val"...

        Raises:
            TrainingError: the files are missing or do not fit together.
        """
        try:
            with (folder / f"{side}.npz").open("rb") as file, np.load(file) as index:
                offsets, sizes, names = index["offsets"], index["sizes"], index["names"]
            pixels = np.memmap(folder / f"{side}.u8", np.uint8, "r")
            labels = np.memmap(folder / f"{side}.u16", np.uint16, "r")
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise TrainingError(f"No ready pictures of {side} in {folder}: {error}.") from error
        if len(pixels) != 3 * len(labels) or len(labels) != sizes.prod(axis=1).sum():
            raise TrainingError(f"The ready pictures of {side} in {folder} are not whole.")
        return cls(pixels, labels, offsets, sizes, names)

    def __len__(self) -> int:
        return len(self.offsets)

    def codes(self, index: int) -> NDArray[np.uint8]:
        """The codes of a picture, uint8 (H, W, 3); :func:`lab_of_codes` makes Lab of them."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        return self.pixels[start : start + 3 * height * width].reshape(height, width, 3)

    def bins(self, index: int) -> NDArray[np.uint16]:
        """The bins of a picture, uint16 (H, W) in 0..312."""
        height, width = self.sizes[index]
        start = self.offsets[index] // 3
        return self.labels[start : start + height * width].reshape(height, width)


def write_ready(
    folder: Path, side: str, pictures: Iterator[tuple[str, NDArray[np.uint8]]]
) -> Iterator[int]:
    """Write the ready pictures of a side; the index comes last and makes them valid.

    Args:
        folder: must exist.
        side: its name.
        pictures: names and uint8 sRGB (H, W, 3).

    Yields:
        How many are written.
    """
    offsets, sizes, names = [0], [], []
    with atomic(folder / f"{side}.u8") as pixels, atomic(folder / f"{side}.u16") as labels:
        for name, rgb in pictures:
            codes, bins = codes_of(rgb)
            pixels.write(codes.data)
            labels.write(bins.data)
            offsets.append(offsets[-1] + codes.size)
            sizes.append(rgb.shape[:2])
            names.append(name)
            yield len(names)
    with atomic(folder / f"{side}.npz") as file:
        np.savez(file, offsets=offsets[:-1], sizes=sizes, names=names)


@dataclass(frozen=True)
class Speeds:
    """Pictures per second of one core's time, from where they lie to Lab and bins of a crop.

    Attributes:
        images: decoding the picture files.
        pixels: from decoded RGB in memory, as the training's cache has it.
        ready: from the ready arrays.
    """

    images: float
    pixels: float
    ready: float


def measure_speeds(
    ready: ReadyPictures, files: list[bytes], decode: Callable[[bytes], NDArray[np.uint8]]
) -> Speeds:
    """Make crops of the same pictures in three ways, about a second each.

    Args:
        ready: as :func:`write_ready` wrote them.
        files: the first of the same pictures as files, in the same order.
        decode: a file to uint8 sRGB (H, W, 3).
    """
    decoded = [decode(data) for data in files]

    def from_pixels(rgb: NDArray[np.uint8]) -> Labelled:
        lab = rgb_to_lab(rgb[:CROP, :CROP].astype(np.float32) / 255)
        return lab, bin_of_colour(lab[..., 1:])

    def from_ready(index: int) -> Labelled:
        lab = lab_of_codes(ready.codes(index)[:CROP, :CROP])
        return lab, ready.bins(index)[:CROP, :CROP].astype(np.int64)

    return Speeds(
        images=_rate(lambda i: from_pixels(decode(files[i])), len(files)),
        pixels=_rate(lambda i: from_pixels(decoded[i]), len(files)),
        ready=_rate(from_ready, len(files)),
    )


def _rate(make: Callable[[int], Labelled], count: int) -> float:
    """Calls per second, over whole rounds through ``count`` pictures; the first warms up.

    It is the time of this process that counts: what else the machine does is no matter.
    """
    for index in range(count):
        make(index)
    rounds, started = 0, time.process_time()
    while (spent := time.process_time() - started) < _MEASURED_S:
        for index in range(count):
            make(index)
        rounds += 1
    return rounds * count / spent
