"""Pictures that are Lab and bins already: flat arrays on disk that are mapped, not decoded.

For each side there are ``SIDE.u8`` (uint8, for each picture H×W×3: L·255/100, a + 128, b + 128,
rounded), ``SIDE.u16`` (uint16, for each picture H×W: the nearest of the 313 bins of the colour
before rounding) and ``SIDE.npz`` (``offsets``, ``sizes``, ``names``, as of the training's own
cache; offsets count the values of ``SIDE.u8``, a third of that those of ``SIDE.u16``).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from timeit import Timer

import numpy as np
from numpy.typing import NDArray

from tintype.bins import bin_of_colour
from tintype.color import rgb_to_lab
from tintype.errors import TrainingError
from tintype.images.replacing import atomic
from tintype.images.sets import open_checked

_OFFSET = np.array([0, 128, 128], np.float32)
_SCALE = np.array([255 / 100, 1, 1], np.float32)

CROP = 128
"""Side in px of the crops that speed is measured with; smaller pictures are taken whole."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """uint8 sRGB (H, W, 3) of a picture in a shard."""
    return np.asarray(open_checked(data).convert("RGB"))


def codes_of(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Codes, uint8 (H, W, 3), and bins, uint16 (H, W) in 0..312, of uint8 sRGB (H, W, 3)."""
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
        """Map the files of a side in a folder.

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
    """Write the ready pictures of a side, given by names and uint8 sRGB (H, W, 3).

    The index comes last and makes them valid.

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


def measure_speeds(ready: ReadyPictures, files: Sequence[bytes]) -> dict[str, float]:
    """Pictures per second of one core's time, from where they lie to Lab and bins of a crop.

    Returns:
        From "images", the files, which are those of the first ready pictures; from "pixels",
        decoded RGB in memory, as the training's cache has it; from "ready".
    """
    decoded = list(map(decode, files))

    def from_pixels(rgb: NDArray[np.uint8]) -> object:
        lab = rgb_to_lab(rgb[:CROP, :CROP].astype(np.float32) / 255)
        return lab, bin_of_colour(lab[..., 1:])

    def from_ready(index: int) -> object:
        lab = lab_of_codes(ready.codes(index)[:CROP, :CROP])
        return lab, ready.bins(index)[:CROP, :CROP].astype(np.int64)

    ways: dict[str, Callable[[], list[object]]] = {
        "images": lambda: [from_pixels(decode(data)) for data in files],
        "pixels": lambda: [from_pixels(rgb) for rgb in decoded],
        "ready": lambda: [from_ready(index) for index in range(len(files))],
    }
    # It is the time of this process that counts: what else the machine does is no matter.
    taken = {way: Timer(make, timer=process_time).autorange() for way, make in ways.items()}
    return {way: rounds * len(files) / spent_s for way, (rounds, spent_s) in taken.items()}
