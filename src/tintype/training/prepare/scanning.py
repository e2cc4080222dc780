"""What is in the pictures: each decoded once, measured, and noted so that a scan can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyvips
from numpy.typing import NDArray

from tintype.color import rgb_to_lab
from tintype.errors import MissingExtra, UnreadableImage
from tintype.evaluation.fairness import find_skin
from tintype.evaluation.metrics import colourfulness
from tintype.images import read_image
from tintype.images.reading import unreadable
from tintype.progress import Progress
from tintype.runtime import available_cores
from tintype.training.prepare.duplicates import coarse_colours, fingerprint
from tintype.training.prepare.found import Layout
from tintype.training.prepare.order import Order

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
        ("number", np.int64),  # in its source
        ("digest", np.uint8, (32,)),  # sha256 of the bytes
        ("print", np.uint16, (8,)),
        ("colours", np.int16, (48,)),
        ("size", np.int32, (2,)),  # height and width before the reduction; 0 when unreadable
        ("chroma", np.float32),  # mean C*ab
        ("colourfulness", np.float32),  # signed, see metrics.colourfulness
        ("skin", np.int8),  # group of the surest face, or NO_FACE
        ("fate", np.int8),  # index into selecting.FATES
        ("side", np.int16),  # index into the split, or NOT_TAKEN
        ("lent", np.bool_),  # whether it came from another side's stretch of the hashes
        ("own", np.bool_),  # whether it is on its side because its set says so
        ("whole", np.bool_),  # false where a crash left zeros
    ]
)
"""What is noted of a picture; a scan leaves its source, fate, side, lent and own to others."""

_IN_WORK = 4  # pictures per thread that are held at once

Item = TypeVar("Item")
Result = TypeVar("Result")


def decode(
    data: bytes,
    name: str,
    short_side: int,
    pixels_of: Callable[[bytes], NDArray[np.uint8]] | None = None,
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A picture upright, in sRGB, reduced to a short side; smaller ones stay as they are.

    Args:
        data: its file; what ``pixels_of`` makes pixels of, if it is given.
        name: what messages call it.
        short_side: in pixels; 0 leaves it.
        pixels_of: see ``Layout.pixels``.

    Returns:
        uint8 (H, W, 3), and its (height, width) before.

    Raises:
        UnreadableImage: truncated, empty, too large, animated or no picture.
        MissingExtra: HEIC, and the package for it is not installed.
    """
    with unreadable(name):
        if pixels_of is None:
            image = read_image(data, name=name, max_pixels=LARGEST_PIXELS).pixels()
        else:
            image = pyvips.Image.new_from_array(pixels_of(data))
        size = image.height, image.width
        height, width = reduced(size, short_side)
        if (height, width) != size:
            # Not Picture.small: its products of matrices start threads in every thread here.
            scales = width / image.width, height / image.height
            image = image.resize(scales[0], vscale=scales[1], kernel="cubic")
        pixels = image.numpy().reshape(height, width, -1)
    if pixels.dtype == np.uint16:
        pixels = np.rint(pixels / np.float32(257)).astype(np.uint8)
    return np.broadcast_to(pixels, (height, width, 3)), size


def reduced(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """What (height, width) becomes when the short side may have so many pixels; 0: any number."""
    scale = min(1.0, short_side / min(size)) if short_side else 1.0
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of all items, in order, one thread per core and a few items at once in memory."""
    stream, threads = iter(items), available_cores()
    with ThreadPoolExecutor(threads) as pool:
        while part := list(islice(stream, _IN_WORK * threads)):
            yield from pool.map(work, part)


def scan(
    layout: Layout, where: Path, order: Order, folder: Path
) -> Generator[Progress, None, NDArray[np.void]]:
    """Look at all pictures of a source, (n,) of ``ROW``, going on from the notes in a folder.

    Raises:
        UsageError: an archive or an array of the source is damaged.
    """
    notes = folder / f"scan-{_key(layout, where, order)}"
    notes.touch()
    # Parts of a row and zeros, as a kill or a crash leaves them, are written over.
    known = np.fromfile(notes, ROW)
    known = known[: int(known["whole"].cumprod().sum())]
    total = len(layout.entries)
    # What could not be read may be whole by now, or its package installed.
    numbers = [*np.flatnonzero(_unread(known)).tolist(), *range(len(known), total)]
    files = zip(numbers, layout.read(numbers), strict=True)
    with notes.open("r+b") as file:
        rows = in_threads(partial(_examine, layout, order), files)
        for done, row in enumerate(rows, total - len(numbers) + 1):
            file.seek(int(row["number"]) * ROW.itemsize)
            file.write(row.tobytes())
            file.flush()
            yield Progress(done, total, f"scanning {where.name}")
    return np.fromfile(notes, ROW)


def _unread(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    return np.asarray(rows["size"].min(axis=1) == 0)


def _key(layout: Layout, where: Path, order: Order) -> str:
    """Changes when other pictures would be found, or the same ones looked at otherwise."""
    state = where.stat()
    facts = [
        [FORMAT, order.short_side, order.stratify == "skin", str(where.resolve())],
        [state.st_size, state.st_mtime_ns] if where.is_file() else [],
        [entry.name for entry in layout.entries],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _examine(layout: Layout, order: Order, picture: tuple[int, bytes]) -> NDArray[np.void]:
    number, data = picture
    name = layout.entries[number].name
    row = np.zeros((), ROW)
    row["number"], row["skin"], row["whole"] = number, NO_FACE, True
    row["digest"] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
    try:
        pixels, row["size"] = decode(data, name, order.short_side, layout.pixels)
    except (UnreadableImage, MissingExtra):
        return row
    lab = rgb_to_lab(pixels[::2, ::2].astype(np.float32) / 255)
    row["chroma"] = np.hypot(lab[..., 1], lab[..., 2]).mean()
    row["colourfulness"] = colourfulness(pixels)
    row["print"], row["colours"] = fingerprint(pixels), coarse_colours(pixels)
    if order.stratify == "skin":
        large = max(SKIN_SIDE, order.short_side) if order.short_side else 0
        faces = find_skin(decode(data, name, large, layout.pixels)[0]).faces
        row["skin"] = faces[0].group if faces else NO_FACE
    return row


def faults(layout: Layout, rows: NDArray[np.void]) -> dict[str, str]:
    """Why the pictures of a source's rows that cannot be read cannot, by their names."""
    numbers = rows["number"][_unread(rows)].tolist()
    found = {}
    for number, data in zip(numbers, layout.read(numbers), strict=True):
        name = layout.entries[number].name
        try:
            decode(data, name, 0, layout.pixels)
        except (UnreadableImage, MissingExtra) as error:
            found[name] = str(error)
    return found
