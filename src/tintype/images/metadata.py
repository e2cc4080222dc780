"""What travels with a picture beside its pixels, and how EXIF and captions are kept true."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from tintype.images import tiff

_EXIF_HEADER = b"Exif\0\0"
_PIXEL_WIDTH, _PIXEL_HEIGHT = 40962, 40963
_THUMBNAIL_OFFSET, _THUMBNAIL_SIZE = 513, 514

_IPTC_RESOURCE = 0x0404
# Photoshop image resources that describe the old pixels: thumbnails, ICC profile, and copies of
# EXIF and XMP (Adobe Photoshop File Formats Specification, "Image Resource IDs").
_STALE_RESOURCES = frozenset((0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424))


@dataclass(frozen=True)
class Metadata:
    """What a page carries, in the form that any format can take from.

    Attributes:
        exif: a cleaned EXIF block without its "Exif" header.
        xmp: the XMP packet.
        resources: Photoshop image resources; resource 0x0404 holds the IPTC-IIM captions.
        segments: whole JPEG segments carried as they are (comments, extended XMP and others).
        chunks: whole PNG chunks carried as they are (texts).
        lost_exif: whether there was an EXIF block, too damaged to be carried.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    resources: bytes | None = None
    segments: tuple[bytes, ...] = ()
    chunks: tuple[bytes, ...] = ()
    lost_exif: bool = False

    def cleaned(self, *, turned: bool) -> Metadata:
        """Without what describes the old pixels; see :func:`clean_exif`."""
        exif = None if self.exif is None else clean_exif(self.exif, turned=turned)
        return replace(
            self,
            exif=exif or None,
            resources=clean_resources(self.resources),
            lost_exif=self.exif is not None and exif is None,
        )


def clean_exif(block: bytes, *, turned: bool) -> bytes | None:
    """Take the orientation, storage tags and thumbnail out of an EXIF block, in place.

    Nothing moves, so the private notes of camera makers, which hold absolute offsets, stay valid.

    Args:
        block: with or without the "Exif" header.
        turned: the picture has been turned by 90°, so its two recorded sides change places.

    Returns:
        The block without header, empty when nothing is left; None when it is damaged.
    """
    data = bytearray(block.removeprefix(_EXIF_HEADER))
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(data[:2])]
        start = struct.unpack_from(order + "I", data, 4)[0]
        kept, following = _entries(data, start, order)
        count = struct.unpack_from(order + "H", data, start)[0]
        _drop_thumbnail(data, following, order)
        for tag, at in list(kept.items()):
            if tag == tiff.EXIF_POINTER and turned:
                _swap_sides(data, struct.unpack_from(order + "I", data, at + 8)[0], order)
    except (KeyError, struct.error):
        return None
    raw = [bytes(data[at : at + 12]) for tag, at in kept.items() if tag not in tiff.STRUCTURE]
    old = 2 + 12 * count + 4
    new = struct.pack(order + "H", len(raw)) + b"".join(raw) + bytes(4)
    data[start : start + old] = new.ljust(old, b"\0")
    return bytes(data) if raw else b""


def _entries(data: bytearray, start: int, order: str) -> tuple[dict[int, int], int]:
    """Where each tag's 12 bytes stand, the first of equal ones, and the next directory's offset."""
    count = struct.unpack_from(order + "H", data, start)[0]
    at = [start + 2 + 12 * i for i in range(count)]
    tags: dict[int, int] = {}
    for place in at:
        tags.setdefault(struct.unpack_from(order + "H", data, place)[0], place)
    return tags, struct.unpack_from(order + "I", data, start + 2 + 12 * count)[0]


def _swap_sides(data: bytearray, start: int, order: str) -> None:
    tags, _ = _entries(data, start, order)
    if _PIXEL_WIDTH in tags and _PIXEL_HEIGHT in tags:
        w, h = tags[_PIXEL_WIDTH] + 2, tags[_PIXEL_HEIGHT] + 2
        data[w : w + 10], data[h : h + 10] = data[h : h + 10], data[w : w + 10]


def _drop_thumbnail(data: bytearray, start: int, order: str) -> None:
    """Cut the thumbnail off when it is the last thing in the block, else blank it."""
    if not start:
        return
    try:
        tags, _ = _entries(data, start, order)
        offset, size = (
            struct.unpack_from(order + "I", data, tags[t] + 8)[0]
            for t in (_THUMBNAIL_OFFSET, _THUMBNAIL_SIZE)
        )
    except (KeyError, struct.error):
        return
    if offset > start and offset + size >= len(data) - 1:
        del data[offset:]
    elif offset + size <= len(data):
        data[offset : offset + size] = bytes(size)


def clean_resources(resources: bytes | None) -> bytes | None:
    """Photoshop image resources without those that describe the old pixels."""
    parts = [raw for kind, raw, _ in _resources(resources or b"") if kind not in _STALE_RESOURCES]
    return b"".join(parts) or None


def _resources(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """(identifier, whole resource, its content) of each image resource."""
    found = []
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        kind = struct.unpack_from(">H", data, at + 4)[0]
        name = (data[at + 6] + 2) & ~1
        if at + 10 + name > len(data):
            break
        size = struct.unpack_from(">I", data, at + 6 + name)[0]
        start = at + 10 + name
        end = start + size + (size & 1)
        found.append((kind, data[at:end].ljust(end - at, b"\0"), data[start : start + size]))
        at = end
    return found


def iptc_of(resources: bytes | None) -> bytes | None:
    """The IPTC-IIM captions inside Photoshop image resources."""
    return next((c for k, _, c in _resources(resources or b"") if k == _IPTC_RESOURCE), None)


def resources_of_iptc(iptc: bytes) -> bytes:
    """IPTC-IIM captions as one Photoshop image resource."""
    head = b"8BIM" + struct.pack(">H", _IPTC_RESOURCE) + b"\0\0" + struct.pack(">I", len(iptc))
    return head + iptc + bytes(len(iptc) & 1)
