"""The directories of a TIFF: reading their tags, and writing pages with tags of our choice.

libvips decodes and encodes the pixels; this module carries what it drops: the descriptive tags,
EXIF and GPS, and pages that differ in size. An EXIF block is a small TIFF, so it is read and
written here as well (TIFF 6.0; Adobe's TIFF Technical Note 1; BigTIFF of libtiff).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, NamedTuple

ByteOrder = Literal["<", ">"]

EXIF_POINTER, GPS_POINTER, INTEROP_POINTER = 0x8769, 0x8825, 0xA005
_POINTERS = (EXIF_POINTER, GPS_POINTER, INTEROP_POINTER)
STRIP_OFFSETS, TILE_OFFSETS = 273, 324
ORIENTATION = 274
XMP, IPTC, PHOTOSHOP, ICC = 700, 33723, 34377, 34675
_LAYERS = 37724  # Photoshop's own copy of the pixels
JPEG_TABLES = 347

# What describes how the pixels are stored, not the picture: never carried to another file.
# 254-301 and 317-347 by TIFF 6.0 and its notes, 512-532 old JPEG and YCbCr.
STRUCTURE = frozenset(
    (
        *(*range(254, 260), *range(262, 267), 273, 274, *range(277, 282), 284, *range(288, 294)),
        *(300, 301, *range(317, 329), 330, *range(332, 337), *range(338, 348), *range(512, 522)),
        *(*range(529, 533), XMP, IPTC, PHOTOSHOP, ICC, _LAYERS),
    )
)
RESOLUTION = frozenset((282, 283, 296))

# Bytes per value and the size of the units that byte order turns round, by TIFF field type.
_TYPES = {1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2)}
_TYPES |= {9: (4, 4), 10: (8, 4), 11: (4, 4), 12: (8, 8), 13: (4, 4)}
_TYPES |= {16: (8, 8), 17: (8, 8), 18: (8, 8)}
_LONG, _LONG8 = 4, 16
_MOST_PAGES = 10_000


class Entry(NamedTuple):
    """One tag's value: the field type, the number of values, and them as little-endian bytes."""

    type: int
    length: int
    data: bytes

    def numbers(self) -> list[int]:
        """The values of an integer tag."""
        size = _TYPES[self.type][0]
        signed = self.type in (6, 8, 9, 17)
        chunks = (self.data[i : i + size] for i in range(0, self.length * size, size))
        return [int.from_bytes(c, "little", signed=signed) for c in chunks]


@dataclass
class Directory:
    """The tags of one page, and the directories (EXIF, GPS) that some of them point to."""

    tags: dict[int, Entry] = field(default_factory=dict)
    children: dict[int, Directory] = field(default_factory=dict)

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of an integer tag, or the default when it is absent or no integer."""
        entry = self.tags.get(tag)
        if entry is None or entry.type in (5, 10, 11, 12) or not entry.length:
            return default
        return entry.numbers()[0]


class _Layout(NamedTuple):
    """How offsets and counts are stored: the byte order, and BigTIFF or not."""

    order: ByteOrder
    big: bool

    def number(self, data: bytes, at: int = 0) -> int:
        return int(struct.unpack_from(self.order + ("Q" if self.big else "I"), data, at)[0])

    def packed(self, value: int) -> bytes:
        return struct.pack(self.order + ("Q" if self.big else "I"), value)

    @property
    def word(self) -> int:
        """Bytes of an offset."""
        return 8 if self.big else 4

    def turned(self, data: bytes, unit: int) -> bytes:
        """Turn values of ``unit`` bytes between this byte order and little-endian."""
        if self.order == "<" or unit == 1:
            return data
        return b"".join(data[i : i + unit][::-1] for i in range(0, len(data), unit))


class _Budget:
    """How many bytes of tags may still be read: no honest file's are more than the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._left = file.seek(0, io.SEEK_END)

    def spend(self, size: int) -> None:
        """Note that so many were read.

        Raises:
            ValueError: there is no more to read: tags share their bytes, to fill the memory.
        """
        self._left -= size
        if self._left < 0:
            raise ValueError("the tags of a TIFF are larger than the file")


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("a TIFF directory points outside the file")
    return data


def _header(file: BinaryIO, base: int) -> tuple[_Layout, int]:
    """The layout and the offset of the first directory."""
    head = _read(file, base, 8)
    order: ByteOrder = "<" if head[:2] == b"II" else ">"
    magic = struct.unpack_from(order + "H", head, 2)[0]
    if head[:2] not in (b"II", b"MM") or magic not in (42, 43):
        raise ValueError("not a TIFF")
    layout = _Layout(order, magic == 43)
    where = _read(file, base + 8, 8) if layout.big else head[4:]
    return layout, layout.number(where)


def _read_directory(
    file: BinaryIO, base: int, offset: int, layout: _Layout, budget: _Budget, depth: int = 0
) -> tuple[Directory, int]:
    """One directory and the offset of the next (0: none); offsets count from ``base``."""
    size, count_code = (20, "Q") if layout.big else (12, "H")
    count_size = struct.calcsize(layout.order + count_code)
    count = struct.unpack(layout.order + count_code, _read(file, base + offset, count_size))[0]
    if count > 65535:
        raise ValueError("a TIFF directory is damaged")
    table = _read(file, base + offset + count_size, count * size + layout.word)
    found = Directory()
    for i in range(count):
        _read_entry(file, base, table[i * size : (i + 1) * size], layout, found, budget, depth)
    return found, layout.number(table, count * size)


def _read_entry(
    file: BinaryIO,
    base: int,
    raw: bytes,
    layout: _Layout,
    into: Directory,
    budget: _Budget,
    depth: int,
) -> None:
    tag, kind = struct.unpack_from(layout.order + "HH", raw)
    count = layout.number(raw, 4)
    if kind not in _TYPES or tag == _LAYERS:
        return
    size, unit = _TYPES[kind]
    at = 4 + layout.word
    if count * size <= layout.word:
        data = raw[at : at + count * size]
    else:
        try:
            data = _read(file, base + layout.number(raw, at), count * size)
        except (ValueError, OverflowError, MemoryError):
            return
        budget.spend(len(data))
    entry = Entry(kind, count, layout.turned(data, unit))
    if tag in _POINTERS and depth < 2 and count == 1:
        try:
            child, _ = _read_directory(file, base, entry.numbers()[0], layout, budget, depth + 1)
        except ValueError:
            return
        into.children[tag] = child
    else:
        into.tags[tag] = entry


def read_directories(file: BinaryIO, base: int = 0) -> list[Directory]:
    """The directories of a TIFF (or of an EXIF block) that starts at ``base``, one per page.

    Raises:
        ValueError: no TIFF, cut off, or directories that run in a circle.
    """
    layout, offset = _header(file, base)
    budget = _Budget(file)
    pages: list[Directory] = []
    seen: set[int] = set()
    while offset:
        if offset in seen or len(pages) >= _MOST_PAGES:
            raise ValueError("the TIFF directories run in a circle")
        seen.add(offset)
        directory, offset = _read_directory(file, base, offset, layout, budget)
        pages.append(directory)
    return pages


def is_bigtiff(file: BinaryIO) -> bool:
    """Whether a TIFF uses the 64-bit layout."""
    return _header(file, 0)[0].big


def descriptive(directory: Directory) -> Directory:
    """What tells about the picture: all tags but those of storage, XMP, IPTC and ICC."""
    kept = {t: e for t, e in directory.tags.items() if t not in STRUCTURE and e.type != 13}
    return Directory(kept, directory.children)


def _serialised(directory: Directory, at: int, layout: _Layout, following: int = 0) -> bytes:
    """A directory as it stands at file position ``at``, its children and values behind it."""
    tags = dict(directory.tags)
    for tag in directory.children:
        tags[tag] = Entry(_LONG8 if layout.big else _LONG, 1, bytes(8 if layout.big else 4))
    count_code, entry_size = ("Q", 20) if layout.big else ("H", 12)
    start = at + struct.calcsize("<" + count_code) + len(tags) * entry_size + layout.word
    table, heap = b"", bytearray()
    for tag, entry in sorted(tags.items()):
        here = start + len(heap)
        data = layout.turned(entry.data, _TYPES[entry.type][1])
        if tag in directory.children:
            heap += _serialised(directory.children[tag], here, layout)
            data = layout.packed(here)
        elif len(data) > layout.word:
            heap += data
            data = layout.packed(here)
        heap += bytes(-len(heap) % 8)
        table += struct.pack(layout.order + "HH", tag, entry.type) + layout.packed(entry.length)
        table += data.ljust(layout.word, b"\0")
    count = struct.pack(layout.order + count_code, len(tags))
    return count + table + layout.packed(following) + bytes(heap)


def exif_block(directory: Directory) -> bytes | None:
    """The descriptive tags of a page as an EXIF block; None when there are none."""
    carried = descriptive(directory)
    if not carried.tags.keys() - RESOLUTION and not carried.children:
        return None
    return b"II*\0" + struct.pack("<I", 8) + _serialised(carried, 8, _Layout("<", False))


def parsed_block(block: bytes | None) -> Directory:
    """The descriptive tags of an EXIF block; empty when there is none or it is damaged."""
    if block is None:
        return Directory()
    try:
        pages = read_directories(io.BytesIO(block))
    except ValueError:
        return Directory()
    return descriptive(pages[0]) if pages else Directory()


@dataclass(frozen=True)
class PageWriter:
    """One page to write.

    Attributes:
        encode: writes a one-page TIFF at the current position of the file it is given; offsets
            inside count from there.
        extra: the tags and children to add to what ``encode`` wrote, which wins.
        dropped: tags of what ``encode`` wrote that are left out.
    """

    encode: Callable[[BinaryIO], None]
    extra: Directory
    dropped: frozenset[int] = frozenset()


def write_pages(file: BinaryIO, pages: Sequence[PageWriter]) -> None:
    """Write a TIFF of one or more pages, which may differ in size and kind.

    Each page is encoded in place as a TIFF of its own; a new directory behind it takes over its
    tags, with the offsets moved and the extra tags added, and is linked to the one before.

    Args:
        file: readable, writable, empty.
        pages: at least one; all of the same layout (BigTIFF or not).

    Raises:
        ValueError: the file grows beyond the 4 GB that a classic TIFF can address.
    """
    link = 0
    for page in pages:
        base = _aligned_end(file)
        file.seek(base)
        page.encode(file)
        layout, _ = _header(file, base)
        written = read_directories(file, base)[0]
        directory = _merged(written, page, base, layout)
        at = _aligned_end(file)
        if not layout.big and at >= 1 << 32:
            raise ValueError("the TIFF would be larger than 4 GB")
        file.seek(at)
        file.write(_serialised(directory, at, layout))
        link = link or (8 if layout.big else 4)
        file.seek(link)
        file.write(layout.packed(at))
        count = len(directory.tags) + len(directory.children)
        link = at + (8 + 20 * count if layout.big else 2 + 12 * count)


def _aligned_end(file: BinaryIO) -> int:
    """The end of the file, padded to 16 bytes."""
    end = file.seek(0, io.SEEK_END)
    file.write(bytes(-end % 16))
    return file.tell()


def _merged(written: Directory, page: PageWriter, base: int, layout: _Layout) -> Directory:
    tags = {t: e for t, e in page.extra.tags.items() if layout.big or e.type not in (16, 17, 18)}
    dropped = page.dropped | {ORIENTATION}
    tags |= {t: e for t, e in written.tags.items() if t not in dropped}
    for tag in (STRIP_OFFSETS, TILE_OFFSETS):
        if tag in tags:
            tags[tag] = _moved(tags[tag], base, layout)
    return Directory(tags, page.extra.children)


def _moved(entry: Entry, base: int, layout: _Layout) -> Entry:
    kind, size = (_LONG8, 8) if layout.big else (_LONG, 4)
    values = [v + base for v in entry.numbers()]
    if not layout.big and max(values, default=0) >= 1 << 32:
        raise ValueError("the TIFF would be larger than 4 GB")
    return Entry(kind, entry.length, b"".join(v.to_bytes(size, "little") for v in values))
