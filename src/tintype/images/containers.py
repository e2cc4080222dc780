"""What a picture file is by its first bytes, and the metadata that its container holds.

Reading walks the segments of JPEG, the chunks of PNG and WebP, the boxes of AVIF and HEIC without
decoding a pixel. Writing puts metadata into files that libvips has encoded: byte for byte, where
libvips would rewrite it and drop the tags that it does not know.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from tintype.images import tiff
from tintype.images.metadata import Metadata
from tintype.images.xmp import mark_of, updated_xmp

Still = Literal["jpeg", "png", "tiff", "webp", "avif", "heic", "bmp"]
Moving = Literal["gif", "avif-sequence"]

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP, _PHOTOSHOP = b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0"
_SEGMENT_BYTES = 65_533  # a JPEG segment's content at most

_APP0, _APP1, _APP13, _COM = 0xE0, 0xE1, 0xED, 0xFE
# Rewritten by the encoder, or untrue of the new file: JFIF, ICC and multi-picture index, signed
# content credentials, Adobe's colour transform.
_NOT_CARRIED = frozenset((_APP0, 0xE2, 0xEB, 0xEE))

_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Texts in which ImageMagick keeps the profile of the old pixels, and EXIF.
_PNG_PROFILE = b"Raw profile type icc\0"
_PNG_EXIF = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
_PNG_XMP = b"XML:com.adobe.xmp\0"
_PNG_HEADER_END = 33
_LARGEST_CHUNK = 16 << 20

# ITU-T T.81, table K.1, in zigzag order: the luma table that quality scales.
_LUMA_ZIGZAG = np.array(
    [
        [16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40],
        [26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51],
        [56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87],
        [95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99],
    ]
).ravel()

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))


def kind_of(head: bytes) -> Still | Moving | None:
    """The kind of file by its first bytes (64 are enough); None when it is no picture we know."""
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:2] == b"BM":
        return "bmp"
    return _boxed_kind(head) if head[4:8] == b"ftyp" else None


def _boxed_kind(head: bytes) -> Still | Moving | None:
    """AVIF and HEIC by the brands in their ftyp box (ISO/IEC 23008-12, annex B)."""
    size = min(struct.unpack_from(">I", head)[0], len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))]
    if brands[0] == b"avis":
        return "avif-sequence"
    if b"avif" in brands:
        return "avif"
    return "heic" if _HEIC_BRANDS & set(brands) else None


def jpeg_quality_of(table: NDArray[np.int64]) -> int:
    """The quality, 1 to 100 by the scale of the Independent JPEG Group, nearest to a luma table.

    Args:
        table: (64,) quantisation steps in zigzag order, as DQT holds them.
    """
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)[:, None]
    tables = np.clip((_LUMA_ZIGZAG * scale + 50) // 100, 1, 255)
    distance = np.abs(tables - np.clip(table, 1, 255)).sum(axis=1)
    # Several qualities may share a table: the highest is the safe one.
    return int(qualities[::-1][np.argmin(distance[::-1])])


def _quantisation(content: bytes) -> NDArray[np.int64] | None:
    """Table 0 in the content of a DQT segment (ITU-T T.81, B.2.4.1)."""
    at = 0
    while at < len(content):
        wide, number = content[at] >> 4, content[at] & 15
        size = 128 if wide else 64
        raw = content[at + 1 : at + 1 + size]
        if number == 0 and len(raw) == size:
            return np.frombuffer(raw, ">u2" if wide else "u1").astype(np.int64)
        at += 1 + size
    return None


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of each segment before the picture data."""
    file.seek(2)
    while True:
        marker = file.read(2)
        while len(marker) == 2 and marker[1] == 0xFF:
            marker = marker[1:] + file.read(1)
        if len(marker) < 2 or marker[0] != 0xFF or marker[1] in (0xD9, 0xDA):
            return
        if marker[1] == 0x01 or 0xD0 <= marker[1] <= 0xD8:
            continue
        size = file.read(2)
        if len(size) < 2:
            return
        content = file.read(max(0, int.from_bytes(size, "big") - 2))
        yield marker[1], content


@dataclass(frozen=True)
class Header:
    """What a file's container says.

    Attributes:
        metadata: what it carries.
        quality: 1-100 by the luma table of a JPEG; None elsewhere or without a table.
        lossless: a WebP with a VP8L chunk.
        animated: a WebP or PNG of several frames.
        resolution: whether it says how many pixels make an inch or a centimetre.
    """

    metadata: Metadata
    quality: int | None = None
    lossless: bool = False
    animated: bool = False
    resolution: bool = False


def read_jpeg(file: BinaryIO) -> Header:
    """Read a JPEG's header, or only its tables as TIFF keeps them."""
    quality, exif, xmp, resolution = None, None, None, False
    resources, carried = b"", []
    for marker, content in _jpeg_segments(file):
        if marker == 0xDB and (table := _quantisation(content)) is not None:
            quality = jpeg_quality_of(table)
        elif marker == _APP0 and content.startswith(b"JFIF\0"):
            resolution = content[7:8] in (b"\1", b"\2")
        elif marker == _APP1 and content.startswith(_EXIF):
            exif = exif or content
        elif marker == _APP1 and content.startswith(_XMP):
            xmp = xmp or content.removeprefix(_XMP)
        elif marker == _APP13 and content.startswith(_PHOTOSHOP):
            resources += content.removeprefix(_PHOTOSHOP)
        elif (0xE0 <= marker <= 0xEF or marker == _COM) and marker not in _NOT_CARRIED:
            carried.append(_segment(marker, content))
    found = Metadata(exif, xmp, resources or None, tuple(carried))
    return Header(found, quality, resolution=resolution or _says_resolution(exif))


def _says_resolution(exif: bytes | None) -> bool:
    block = exif.removeprefix(_EXIF) if exif else None
    return not tiff.RESOLUTION.isdisjoint(tiff.parsed_block(block).tags)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_segments(metadata: Metadata, density: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The segments that go behind a JPEG's first two bytes, and what did not fit.

    Args:
        metadata: what to write.
        density: the five density bytes of JFIF: unit (0 none, 1 inch, 2 cm), x, y.
    """
    parts = [_segment(_APP0, b"JFIF\0\x01\x02" + density + b"\0\0")]
    lost = []
    for name, header, content in (
        ("EXIF", _EXIF, metadata.exif),
        ("XMP", _XMP, metadata.xmp),
    ):
        if content is not None and len(header + content) > _SEGMENT_BYTES:
            mark = mark_of(content) if name == "XMP" else None
            kept = updated_xmp(None, mark)[0] if mark else None
            lost.append(
                f"the {name} data is too large for JPEG ({len(content)} bytes) and is lost"
                f"{', but for the mark' if kept else ''}"
            )
            parts += [_segment(_APP1, header + kept)] if kept else []
        elif content is not None:
            parts.append(_segment(_APP1, header + content))
    room = _SEGMENT_BYTES - len(_PHOTOSHOP)
    resources = metadata.resources or b""
    for start in range(0, len(resources), room):
        parts.append(_segment(_APP13, _PHOTOSHOP + resources[start : start + room]))
    return b"".join((*parts, *metadata.segments)), tuple(lost)


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(type, size) of each chunk, the file standing at its content."""
    at = 8
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        yield kind, size
        at += 12 + size


def read_png(file: BinaryIO) -> Header:
    """Walk a PNG's chunks: metadata, acTL (animated), pHYs (resolution)."""
    exif, spare, xmp, texts, resolution = None, None, None, [], False
    for kind, size in _png_chunks(file):
        if kind == b"acTL":
            return Header(Metadata(), animated=True)
        if kind not in (b"eXIf", b"pHYs", *_PNG_TEXTS) or size > _LARGEST_CHUNK:
            continue
        content = file.read(size)
        if kind == b"eXIf":
            exif = content
        elif kind == b"pHYs":
            resolution = content[8:9] == b"\1"
        elif kind == b"iTXt" and content.startswith(_PNG_XMP):
            xmp = _international_text(content)
        elif content.startswith(_PNG_EXIF):
            spare = _exif_of_text(kind, content) or spare
        elif not content.startswith(_PNG_PROFILE):
            texts.append(_chunk(kind, content))
    return Header(Metadata(exif or spare, xmp, chunks=tuple(texts)), resolution=resolution)


def _exif_of_text(kind: bytes, content: bytes) -> bytes | None:
    """EXIF that ImageMagick wrote as text: a name, a length and lines of hexadecimal."""
    text = content.partition(b"\0")[2]
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _LARGEST_CHUNK)
        data = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except (zlib.error, ValueError):
        return None
    return data.removeprefix(_EXIF) if data.startswith(_EXIF) else None


def _international_text(content: bytes) -> bytes | None:
    """The text of an iTXt chunk (PNG 3rd edition, 11.3.3.4)."""
    rest = content[len(_PNG_XMP) :]
    packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    if len(parts) < 3:
        return None
    if not packed:
        return parts[2]
    try:
        return zlib.decompressobj().decompress(parts[2], _LARGEST_CHUNK)
    except zlib.error:
        return None


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png_head(head: bytes, metadata: Metadata, *, resolution: bool) -> bytes | None:
    """Put metadata chunks behind a PNG's header.

    Args:
        head: the file's beginning.
        metadata: what to write.
        resolution: whether to keep the resolution chunk (libvips writes one in any case).

    Returns:
        The new beginning; None while ``head`` does not yet reach the picture data.
    """
    end = head.find(b"IDAT")
    if end < 0:
        return None
    physical = head.find(b"pHYs", _PNG_HEADER_END, end)
    if physical >= 0 and not resolution:
        head = head[: physical - 4] + head[physical + 17 :]
    parts = []
    if metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(_chunk(b"iTXt", _PNG_XMP + b"\0\0\0\0" + metadata.xmp))
    return b"".join((head[:_PNG_HEADER_END], *parts, *metadata.chunks, head[_PNG_HEADER_END:]))


def _riff_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(name, size) of each chunk of a WebP, the file standing at its content."""
    at = 12
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        kind, size = struct.unpack("<4sI", head)
        yield kind, size
        at += 8 + size + (size & 1)


def read_webp(file: BinaryIO) -> Header:
    """Read the chunks of a WebP: metadata, VP8L (lossless), ANIM (animated)."""
    found: dict[bytes, bytes] = {}
    names = set()
    for kind, size in _riff_chunks(file):
        names.add(kind)
        if kind in (b"EXIF", b"XMP ") and size <= _LARGEST_CHUNK:
            found[kind] = file.read(size)
    metadata = Metadata(found.get(b"EXIF"), found.get(b"XMP "))
    return Header(metadata, lossless=b"VP8L" in names, animated=b"ANIM" in names)


def append_to_webp(file: BinaryIO, metadata: Metadata) -> None:
    """Add EXIF and XMP to an extended WebP (one with a VP8X chunk), in place."""
    flags, extra = 0, b""
    for bit, name, content in ((8, b"EXIF", metadata.exif), (4, b"XMP ", metadata.xmp)):
        if content:
            flags |= bit
            extra += name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)
    file.seek(12)
    head = file.read(9)
    if not extra or head[:4] != b"VP8X":
        return
    end = file.seek(0, 2)
    file.write(extra)
    file.seek(4)
    file.write(struct.pack("<I", end + len(extra) - 8))
    file.seek(20)
    file.write(bytes([head[8] | flags]))


def avif_is_lossless(head: bytes) -> bool:
    """Whether an AVIF stores RGB itself: an nclx colour box with matrix 0 (identity).

    The format has no flag for lossless; the identity matrix is what lossless encoders need and
    no other uses (ISO/IEC 23091-2, matrix coefficients).
    """
    at = head.find(b"colrnclx")
    return at >= 0 and head[at + 12 : at + 14] == b"\0\0"
