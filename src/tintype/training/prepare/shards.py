"""How the chosen pictures are stored: encoded one by one, gathered, and written as tar shards."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from tintype.errors import UsageError
from tintype.images import atomic
from tintype.progress import Progress
from tintype.training.prepare.order import QUALITY, Format

AVIF_SPEED = 9
"""7 ms per picture of 160 px; at 6 it is 40 ms for a quarter less bytes and 1.7 dB more."""

_SAVE_EVERY = 512


def check_format(format: Format, quality: int | None) -> None:
    """Find out before the work whether pictures can be written so.

    Raises:
        UsageError: the installed Pillow cannot, or the quality is out of range.
    """
    if format != "png" and not features.check(format):
        raise UsageError(f"The installed Pillow cannot write {format}; take png.")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"A quality of {quality} makes no sense: it runs from 1 to 100.")


def encode(pixels: NDArray[np.uint8], format: Format, quality: int | None) -> bytes:
    """A picture file of uint8 sRGB (H, W, 3), without metadata.

    AVIF keeps the chroma at full size; WebP's lossy coding halves it, so that its quality 100
    means lossless here.
    """
    chosen = QUALITY[format] if quality is None else quality
    options: dict[str, object] = {"quality": chosen}
    if format == "avif":
        options |= {"subsampling": "4:4:4", "speed": AVIF_SPEED, "max_threads": 1}
    if format == "webp":
        options |= {"lossless": chosen == 100}
    if format == "png":
        options = {}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


class Spool:
    """Encoded pictures one after another in a file, taken up again after an interruption.

    Attributes:
        ends: for each picture, where it ends in the file; 0 before the first.
    """

    def __init__(self, folder: Path, plan: str) -> None:
        """Take up what an earlier run of the same plan left, or start anew.

        Args:
            folder: must exist.
            plan: changes with the pictures, their order and how they are encoded.
        """
        self._data, self._index, self._plan = folder / "encoded", folder / "encoded.npz", plan
        self.ends = [0]
        try:
            with self._index.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["plan"]) == plan and stored["ends"][-1] <= self._data.stat().st_size:
                    self.ends = stored["ends"].tolist()
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            pass

    def __len__(self) -> int:
        return len(self.ends) - 1

    def fill(self, encoded: Iterator[bytes], total: int) -> Iterator[Progress]:
        """Add the pictures that are still missing.

        Args:
            encoded: these pictures' files.
            total: how many there will be.
        """
        self._data.touch()
        with self._data.open("r+b") as file:
            file.truncate(self.ends[-1])
            file.seek(self.ends[-1])
            for data in encoded:
                file.write(data)
                self.ends.append(self.ends[-1] + len(data))
                if len(self) % _SAVE_EVERY == 0 or len(self) == total:
                    file.flush()
                    with atomic(self._index) as index:
                        np.savez(index, plan=np.array(self._plan), ends=np.array(self.ends))
                yield Progress(len(self), total, "encoding")

    def pictures(self, chosen: list[int]) -> Iterator[bytes]:
        """The files of some pictures, in the order asked for."""
        with self._data.open("rb") as file:
            for index in chosen:
                file.seek(self.ends[index])
                yield file.read(self.ends[index + 1] - self.ends[index])


@dataclass(frozen=True)
class Shard:
    """Which pictures go into a shard.

    Attributes:
        name: of its file.
        pictures: indices into the spool.
    """

    name: str
    pictures: list[int]


def plan_shards(side: str, pictures: list[int], sizes: list[int], limit_bytes: int) -> list[Shard]:
    """Cut a side into shards, none larger than the limit if its pictures allow it.

    Args:
        side: its name.
        pictures: indices into the spool, in the order wanted.
        sizes: bytes of each of the spool's pictures.
        limit_bytes: of a shard.
    """
    cut: list[list[int]] = []
    room = 0
    for index in pictures:
        size = tarfile.BLOCKSIZE * (1 + -(-sizes[index] // tarfile.BLOCKSIZE))
        if not cut or size > room:
            cut.append([])
            room = limit_bytes - 2 * tarfile.BLOCKSIZE  # the end's two blocks
        cut[-1].append(index)
        room -= size
    digits = max(2, len(str(len(cut) - 1)))
    return [Shard(f"{side}-{number:0{digits}}.tar", each) for number, each in enumerate(cut)]


def write_shard(path: Path, names: list[str], files: Iterator[bytes]) -> None:
    """Write a tar file, whole or not at all; the same pictures give the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    with (
        atomic(path) as file,
        tarfile.open(fileobj=file, mode="w") as tar,
    ):
        for name, data in zip(names, files, strict=True):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
