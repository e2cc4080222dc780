"""What is in the pictures: each decoded once, measured, and noted so that a scan can be resumed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyvips
from numpy.typing import NDArray

from tintype.color import rgb_to_lab
from tintype.errors import MissingExtra, UnreadableImage
from tintype.evaluation.fairness import find_skin
from tintype.images import atomic, read_image
from tintype.images.reading import unreadable
from tintype.progress import Progress
from tintype.runtime import available_cores
from tintype.training.prepare.duplicates import coarse_colours, fingerprint
from tintype.training.prepare.found import Found, Layout

LARGEST_PIXELS = 89_000_000
"""Pictures of more are taken for bombs, as by Pillow: a file of kilobytes can claim any size."""

SKIN_SIDE = 256
"""Faces are sought at this short side or at that of the prepared pictures, if larger."""

NO_FACE = -1

FORMAT = 1
"""Counts up when a measurement changes, so that older notes are not taken up."""

ROW = np.dtype(
    [
        ("source", np.int32),
        ("number", np.int64),
        ("digest", np.uint8, (32,)),  # sha256 of the bytes
        ("print", np.uint16, (8,)),
        ("colours", np.uint8, (48,)),
        ("size", np.int32, (2,)),  # height and width before the reduction; 0 when unreadable
        ("chroma", np.float32),  # mean C*ab
        ("skin", np.int8),  # group of the surest face, or NO_FACE
    ]
)
"""What is noted of a picture."""

_CHUNK = 2048
_IN_WORK = 4  # pictures per thread that are held at once

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Look:
    """How pictures are looked at.

    Attributes:
        short_side: what they are reduced to; 0 leaves them.
        skin: whether faces are sought and their tones grouped.
    """

    short_side: int
    skin: bool


@dataclass
class Notes:
    """What a scan has found so far in one source.

    Attributes:
        rows: (n,) of ``ROW``.
        faults: number of a picture to why it cannot be read.
    """

    rows: NDArray[np.void] = field(default_factory=lambda: np.empty(0, ROW))
    faults: dict[int, str] = field(default_factory=dict)

    def add(self, more: Notes) -> None:
        """Append what comes next."""
        self.rows = np.concatenate([self.rows, more.rows])
        self.faults |= more.faults


def decode(found: Found, name: str, short_side: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A picture upright, in sRGB, reduced to a short side; smaller ones stay as they are.

    Args:
        found: the picture.
        name: what messages call it.
        short_side: in pixels; 0 leaves it.

    Returns:
        uint8 (H, W, 3), and its (height, width) before.

    Raises:
        UnreadableImage: truncated, empty, too large, animated or no picture.
        MissingExtra: HEIC, and the package for it is not installed.
    """
    with unreadable(name):
        if found.pixels is None:
            image = read_image(found.data, name=name, max_pixels=LARGEST_PIXELS).pixels()
        else:
            image = pyvips.Image.new_from_array(found.pixels())
        size = image.height, image.width
        height, width = _reduced(size, short_side)
        if (height, width) != size:
            # Not Picture.small: its products of matrices start threads in every thread here.
            scale = width / image.width
            image = image.resize(scale, vscale=height / image.height, kernel="cubic")
        pixels = image.numpy().reshape(height, width, -1)
    if pixels.dtype == np.uint16:
        pixels = np.rint(pixels / np.float32(257)).astype(np.uint8)
    return (np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels), size


def _reduced(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    scale = min(1.0, short_side / min(size)) if short_side else 1.0
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def _examine(found: Found, name: str, look: Look) -> tuple[NDArray[np.void], str]:
    """The row of a picture, without its source, and why it cannot be read."""
    row = np.zeros((), ROW)
    row["number"], row["skin"] = found.number, NO_FACE
    row["digest"] = np.frombuffer(hashlib.sha256(found.data).digest(), np.uint8)
    try:
        pixels, size = decode(found, name, look.short_side)
    except (UnreadableImage, MissingExtra) as error:
        return row, str(error)
    lab = rgb_to_lab(pixels[::2, ::2].astype(np.float32) / 255)
    row["size"], row["chroma"] = size, np.hypot(lab[..., 1], lab[..., 2]).mean()
    row["print"], row["colours"] = fingerprint(pixels), coarse_colours(pixels)
    if look.skin:
        large = 0 if look.short_side == 0 else max(SKIN_SIDE, look.short_side)
        faces = find_skin(decode(found, name, large)[0]).faces
        row["skin"] = faces[0].group if faces else NO_FACE
    return row, ""


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of all items, in order, one thread per core and a few items at once in memory."""
    stream, threads = iter(items), available_cores()
    with ThreadPoolExecutor(threads) as pool:
        while part := list(islice(stream, _IN_WORK * threads)):
            yield from pool.map(work, part)


def scan(layout: Layout, where: Path, look: Look, folder: Path, notes: Notes) -> Iterator[Progress]:
    """Look at all pictures of a source, going on where an interrupted scan of it stopped.

    Args:
        layout: the source.
        where: its path.
        look: how.
        folder: where notes are kept; must exist.
        notes: filled with what was found.

    Yields:
        Pictures looked at, of how many.

    Raises:
        UsageError: an archive or an array of the source is damaged.
    """
    entries = layout.entries
    key = _key(layout, where, look)
    while _take_up(folder / f"scan-{key}-{len(notes.rows)}.npz", notes):
        pass
    start = done = len(notes.rows)
    rows: list[NDArray[np.void]] = []
    faults: dict[int, str] = {}

    def examined(found: Found) -> tuple[NDArray[np.void], str]:
        return _examine(found, entries[found.number].name, look)

    for row, fault in in_threads(examined, layout.read(lambda number: number >= start)):
        rows.append(row)
        if fault:
            faults[int(row["number"])] = fault
        if len(rows) == _CHUNK or done + len(rows) == len(entries):
            part = Notes(np.stack(rows), faults)
            _keep(folder / f"scan-{key}-{done}.npz", part)
            notes.add(part)
            done, rows, faults = done + len(rows), [], {}
        yield Progress(done + len(rows), len(entries), f"scanning {where.name}")


def _key(layout: Layout, where: Path, look: Look) -> str:
    """Changes when other pictures would be found, or the same ones looked at otherwise."""
    state = where.stat() if where.is_file() else None
    facts = [
        [FORMAT, look.short_side, look.skin, str(where.resolve())],
        [state.st_size, state.st_mtime_ns] if state else [],
        [entry.name for entry in layout.entries],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _keep(path: Path, notes: Notes) -> None:
    with atomic(path) as file:
        np.savez(file, rows=notes.rows, faults=np.array(json.dumps(notes.faults)))


def _take_up(path: Path, notes: Notes) -> bool:
    """Add what an earlier scan kept; a file that cannot be read is as good as none."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            rows, faults = stored["rows"], json.loads(str(stored["faults"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    if rows.dtype != ROW or not len(rows):
        return False
    notes.add(Notes(rows, {int(number): fault for number, fault in faults.items()}))
    return True
