"""What the header of a picture file says of each page: size, depth, profile, how it was stored."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Literal

import pyvips

from tintype.errors import UnreadableImage
from tintype.images import containers, profiles, tiff
from tintype.images.metadata import Metadata, resources_of_iptc
from tintype.images.reading import Opened, blob, colour_bands

DEFAULT_QUALITY = 90

# TIFF compressions by number (TIFF 6.0 and libtiff's tiff.h); the others become deflate.
_COMPRESSIONS = {1: "none", 5: "lzw", 7: "jpeg", 8: "deflate", 32946: "deflate"}
_COMPRESSIONS |= {32773: "packbits", 50000: "zstd", 50001: "webp"}
_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _TILE_WIDTH, _TILE_HEIGHT = 254, 259, 262, 322, 323
_SUB_IFDS, _DNG_VERSION, _RESOLUTION_UNIT, _EXTRA_SAMPLES = 330, 50706, 296, 338
_SMALLER, _MASK = 1, 4  # kinds of directories (TIFF 6.0, NewSubfileType)
_TRANSPARENCY = (1, 2)  # kinds of extra samples: associated and unassociated alpha
_SENSOR_DATA = (32803, 34892)  # photometric: colour filter array, linear raw
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Encoding:
    """How a picture was stored.

    Attributes:
        quality: 1-100, the quality of its JPEG by the scale of the Independent JPEG Group; 90 for
            other formats.
        lossless: whether nothing was lost: PNG, BMP, most TIFF, WebP with a VP8L chunk, AVIF and
            HEIC that store RGB itself (identity matrix).
        compression: of a TIFF, by libvips's names ("none", "lzw", "deflate"...); else None.
        progressive: a JPEG in several scans.
        tile: (height, width) of a TIFF's tiles; None for strips and other formats.
        bits: per sample: 8, 16, or 10 and 12 for AVIF and HEIC.
        big: a BigTIFF.
    """

    quality: int = DEFAULT_QUALITY
    lossless: bool = False
    compression: str | None = None
    progressive: bool = False
    tile: tuple[int, int] | None = None
    bits: int = 8
    big: bool = False


@dataclass(frozen=True)
class Page:
    """One page of a picture file, by its header.

    Attributes:
        size: (height, width), upright.
        depth: 8 or 16 bits per sample.
        has_alpha: whether it has transparency; other channels of a TIFF are none.
        profile: the wide-gamut RGB profile to come back through; None: sRGB.
        encoding: how it was stored.
        metadata: what it carries beside the pixels.
        orientation: 1-8 as in EXIF, still to be applied.
        resolution: (x, y) in pixels per mm, upright, and whether the file counts by inches; None
            when it says nothing.
        extra_bands: channels beyond colour and transparency, which are not kept.
        directory: the number of the page's own directory in a TIFF; 0 in other files.
        copies: smaller copies of the page that follow it in a TIFF, as scanners' thumbnails and
            pyramids do; they are not kept.
        masks: transparency masks that follow it as pages of their own; they are not kept.
    """

    size: tuple[int, int]
    depth: Literal[8, 16]
    has_alpha: bool
    profile: bytes | None = field(repr=False)
    encoding: Encoding
    metadata: Metadata = field(repr=False)
    orientation: int
    resolution: tuple[float, float, bool] | None
    extra_bands: int
    directory: int = 0
    copies: int = 0
    masks: int = 0


def read_pages(opened: Opened, file: BinaryIO, name: str, max_pixels: int) -> tuple[Page, ...]:
    """Read the headers of all pages.

    Raises:
        UnreadableImage: animated, too large, of samples other than 8 or 16 bits, raw camera data.
    """
    if opened.kind == "tiff":
        return _tiff_pages(opened, file, name, max_pixels)
    header, encoding = _container_facts(opened, file)
    if header.animated:
        raise UnreadableImage(animation_message(name))
    image = opened.header()
    _check_size(image.height, image.width, name, max_pixels)
    if opened.kind in ("avif", "heic"):
        found = Metadata(blob(image, "exif-data"), blob(image, "xmp-data"))
        header = containers.Header(found)
    return (_page(image, header.metadata, encoding, name, resolution=header.resolution),)


def _container_facts(opened: Opened, file: BinaryIO) -> tuple[containers.Header, Encoding]:
    """What the file's own structure says."""
    if opened.kind == "jpeg":
        header = containers.read_jpeg(file)
        return header, Encoding(quality=header.quality or DEFAULT_QUALITY)
    if opened.kind == "png":
        return containers.read_png(file), Encoding(lossless=True)
    if opened.kind == "webp":
        header = containers.read_webp(file)
        return header, Encoding(lossless=header.lossless)
    if opened.kind == "bmp":
        return containers.Header(Metadata(), resolution=True), Encoding(lossless=True)
    file.seek(0)
    lossless = containers.avif_is_lossless(file.read(_HEAD_BYTES))
    return containers.Header(Metadata()), Encoding(lossless=lossless)


def animation_message(name: str) -> str:
    """The sentence for moving pictures."""
    return f"{name} is an animation, not a photograph; give Tintype its frames one by one."


def _check_size(height: int, width: int, name: str, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise UnreadableImage(f"{name} has no pixels ({width} × {height}).")
    if height * width > max_pixels:
        raise UnreadableImage(
            f"{name} has {width} × {height} pixels ({height * width / 1e6:.0f} megapixels), "
            f"more than the limit of {max_pixels / 1e6:.0f} megapixels; reduce it or cut it up."
        )


def _tiff_pages(opened: Opened, file: BinaryIO, name: str, max_pixels: int) -> tuple[Page, ...]:
    directories = tiff.read_directories(file)
    if not directories:
        raise UnreadableImage(f"{name} cannot be read: a TIFF without pages.")
    first = directories[0]
    raw = first.number(_PHOTOMETRIC) in _SENSOR_DATA or _DNG_VERSION in first.tags
    if raw or (first.number(_SUBFILE) & _SMALLER and _SUB_IFDS in first.tags):
        raise UnreadableImage(f"{name} is a raw camera file; develop it to TIFF or JPEG first.")
    big = tiff.is_bigtiff(file)
    pages: list[Page] = []
    for index, directory in enumerate(directories):
        kind = directory.number(_SUBFILE)
        if pages and kind & (_SMALLER | _MASK):
            copies, masks = bool(kind & _SMALLER), bool(kind & _MASK)
            last = pages[-1]
            pages[-1] = replace(last, copies=last.copies + copies, masks=last.masks + masks)
            continue
        image = opened.raw(index)
        _check_size(image.height, image.width, name, max_pixels)
        encoding = _tiff_encoding(directory, image, big)
        known = tiff.RESOLUTION - {_RESOLUTION_UNIT} <= directory.tags.keys()
        known = known and directory.number(_RESOLUTION_UNIT, 2) != 1
        metadata = _tiff_metadata(directory)
        page = _page(image, metadata, encoding, name, resolution=known)
        if page.has_alpha and directory.number(_EXTRA_SAMPLES) not in _TRANSPARENCY:
            page = replace(page, has_alpha=False, extra_bands=page.extra_bands + 1)
        pages.append(replace(page, directory=index))
    return tuple(pages)


def _tiff_encoding(directory: tiff.Directory, image: pyvips.Image, big: bool) -> Encoding:
    compression = _COMPRESSIONS.get(directory.number(_COMPRESSION, 1), "deflate")
    tables = directory.tags.get(tiff.JPEG_TABLES)
    quality = containers.read_jpeg(io.BytesIO(tables.data)).quality if tables else None
    tile = None
    if directory.number(_TILE_WIDTH):
        tile = directory.number(_TILE_HEIGHT), directory.number(_TILE_WIDTH)
    return Encoding(
        quality=quality or DEFAULT_QUALITY,
        lossless=compression not in ("jpeg", "webp"),
        compression=compression,
        tile=tile,
        bits=16 if image.format == "ushort" else 8,
        big=big,
    )


def _tiff_metadata(directory: tiff.Directory) -> Metadata:
    def value(tag: int) -> bytes | None:
        return directory.tags[tag].data if tag in directory.tags else None

    iptc, resources = value(tiff.IPTC), value(tiff.PHOTOSHOP)
    if resources is None and iptc is not None:
        resources = resources_of_iptc(iptc)
    return Metadata(tiff.exif_block(directory), value(tiff.XMP), resources)


def _page(
    image: pyvips.Image, metadata: Metadata, encoding: Encoding, name: str, *, resolution: bool
) -> Page:
    if image.format not in ("uchar", "ushort"):
        raise UnreadableImage(
            f"{name} holds {image.format} samples; 8 and 16 bits per sample can be read, "
            "so convert it to 16-bit TIFF first."
        )
    bands = colour_bands(image)
    has = image.get_typeof
    orientation = image.get("orientation") if has("orientation") else 1
    turned = orientation in (5, 6, 7, 8)
    profile = blob(image, "icc-profile-data") if bands == 3 else None
    wide = profiles.role_of_rgb(profile) == "wide"
    bits = image.get("bits-per-sample") if has("bits-per-sample") else encoding.bits
    depth: Literal[8, 16] = 16 if image.format == "ushort" else 8
    stored = bits if depth == 16 and bits in (10, 12) else depth
    sides = (image.width, image.height) if turned else (image.height, image.width)
    return Page(
        size=sides,
        depth=depth,
        has_alpha=image.bands > bands,
        profile=profile if wide else None,
        encoding=_with(encoding, stored, image),
        metadata=metadata.cleaned(turned=turned),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        resolution=_resolution(image, turned) if resolution else None,
        extra_bands=max(0, image.bands - bands - 1),
    )


def _with(encoding: Encoding, bits: int, image: pyvips.Image) -> Encoding:
    progressive = bool(image.get_typeof("jpeg-multiscan") and image.get("jpeg-multiscan"))
    return replace(encoding, bits=bits, progressive=progressive)


def _resolution(image: pyvips.Image, turned: bool) -> tuple[float, float, bool] | None:
    if min(image.xres, image.yres) <= 0:
        return None
    unit = image.get("resolution-unit") if image.get_typeof("resolution-unit") else "in"
    sides = (image.yres, image.xres) if turned else (image.xres, image.yres)
    return (*sides, unit != "cm")
