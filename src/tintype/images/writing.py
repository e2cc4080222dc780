"""How finished pages become a file: encoders, metadata, profile and resolution put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyvips

from tintype.errors import MissingExtra, UnwritableImage
from tintype.images import containers, profiles, tiff
from tintype.images.headers import Encoding, Page
from tintype.images.metadata import Metadata, iptc_of
from tintype.images.reading import Format, contracted
from tintype.images.sink import Sink

# Sides that the formats can hold.
_LONGEST_SIDE: dict[Format, int] = {"jpeg": 65_500, "webp": 16_383, "avif": 65_536, "heic": 65_536}
_DEEP: frozenset[Format] = frozenset(("png", "tiff", "avif", "heic"))
_HAS_ALPHA: frozenset[Format] = frozenset(("png", "tiff", "webp", "avif", "heic"))
# A progressive JPEG is held as coefficients until its last line, and takes twice as long.
_PROGRESSIVE_PIXELS = 4_000_000
# Above this many bytes of samples a TIFF is written with 64-bit offsets.
_CLASSIC_TIFF_BYTES = 3_500_000_000
# libvips stores JPEG in TIFF with full chroma from this quality on; below it stores RGB.
_TIFF_JPEG_FULL_CHROMA = 90
_AVIF_EFFORT = 2  # 0-9; 4, the default, takes six times as long for 11 % fewer bytes
_JPEG_SEGMENT_END = 2


@dataclass(frozen=True)
class Sheet:
    """One page to be encoded.

    Attributes:
        image: 3 bands, sRGB, uchar or ushort.
        alpha: 1 band, or None.
        page: the original's header.
        metadata: what is to be written, the mark included.
    """

    image: pyvips.Image
    alpha: pyvips.Image | None
    page: Page
    metadata: Metadata


@dataclass(frozen=True)
class Order:
    """What is asked of the encoder: the format, and a quality 1-100 (None: the original's)."""

    format: Format
    quality: int | None

    def quality_for(self, encoding: Encoding) -> int:
        """The quality to encode at."""
        return self.quality or encoding.quality

    def lossless_for(self, encoding: Encoding) -> bool:
        """Whether to keep every value, where the format has the choice."""
        return encoding.lossless and self.quality is None


def encode(file: BinaryIO, sheets: Sequence[Sheet], order: Order, name: str) -> tuple[str, ...]:
    """Write pages to a file, read-write and empty, and return what was lost on the way.

    Args:
        file: the target.
        sheets: one, or several for TIFF.
        order: format and quality.
        name: of the result, for messages.

    Raises:
        UnwritableImage: the format cannot hold the picture.
        OSError: the file cannot be written.
        pyvips.Error: the pipeline failed.
    """
    if len(sheets) > 1 and order.format != "tiff":
        raise UnwritableImage(
            f"{name} cannot be written: {order.format.upper()} holds one page, not {len(sheets)}; "
            "choose a name that ends in .tif."
        )
    limit = _LONGEST_SIDE.get(order.format)
    if limit and max(sheets[0].page.size) > limit:
        raise UnwritableImage(
            f"{name} cannot be written: {order.format.upper()} holds at most {limit} pixels a "
            "side; choose a name that ends in .tif."
        )
    notes = [note for sheet in sheets for note in _losses(sheet, order.format)]
    if order.format == "tiff":
        _tiff(file, sheets, order)
    else:
        notes += _ENCODERS[order.format](file, sheets[0], order)
    return tuple(dict.fromkeys(notes))


def _losses(sheet: Sheet, format: Format) -> list[str]:
    """What the format cannot hold of a page, as sentences without an end stop."""
    shown, metadata = format.upper(), sheet.metadata
    lost = []
    if sheet.page.extra_bands:
        lost.append("channels beyond colour and transparency are not kept")
    if metadata.lost_exif:
        lost.append("the EXIF data were damaged and are lost")
    if sheet.page.copies:
        lost.append("smaller copies of the page are not kept")
    if sheet.page.masks:
        lost.append("transparency that a TIFF keeps as a page of its own is not kept")
    if sheet.alpha is not None and format not in _HAS_ALPHA:
        lost.append(f"{shown} cannot hold transparency: it is laid on white")
    if sheet.page.depth == 16 and format not in _DEEP:
        lost.append(f"{shown} holds 8 bits per sample: the original's 16 are rounded")
    bits = _stored_bits(sheet.page, format)
    if format in ("avif", "heic") and sheet.page.depth == 16 and sheet.page.encoding.bits > bits:
        lost.append(
            f"{shown} holds {bits} bits per sample: the original's {sheet.page.encoding.bits} are "
            "rounded"
        )
    if format == "bmp" and any((metadata.exif, metadata.xmp, metadata.resources)):
        lost.append("BMP cannot hold the mark or metadata")
    elif iptc_of(metadata.resources) and format not in ("jpeg", "tiff"):
        lost.append(f"{shown} cannot hold IPTC-IIM captions")
    if metadata.chunks and format != "png":
        lost.append(f"{shown} cannot hold the texts of a PNG")
    return lost


def _prepared(sheet: Sheet, format: Format) -> pyvips.Image:
    """The page in the file's own profile, depth and bands, free of old metadata."""
    page = sheet.page
    image, profile = sheet.image, profiles.srgb_profile()
    if page.profile is not None and format != "bmp":
        image, profile = profiles.srgb_to_rgb(image, page.profile), page.profile
    depth = page.depth if format in _DEEP else 8
    image = _at_depth(image, depth)
    if sheet.alpha is not None:
        image = image.bandjoin(_at_depth(sheet.alpha, depth))
        if format not in _HAS_ALPHA:
            image = image.flatten(background=255)
    bits = _stored_bits(page, format)
    if bits in (10, 12):
        image = contracted(image, bits)
    image = image.copy(interpretation="srgb" if depth == 8 else "rgb16")
    for name in image.get_fields():
        image.remove(name)
    if page.resolution is not None:
        x, y, inches = page.resolution
        image = image.copy(xres=x, yres=y)
        image.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in" if inches else "cm")
    else:
        image = image.copy(xres=1.0, yres=1.0)
    return profiles.with_profile(image, profile)


def _stored_bits(page: Page, format: Format) -> int:
    """Bits per sample in the file: AVIF and HEIC hold 10 or 12 instead of 16."""
    if page.depth == 8 or format not in ("avif", "heic"):
        return page.depth if format in _DEEP else 8
    if format == "heic":
        return 10
    return page.encoding.bits if page.encoding.bits in (10, 12) else 12


def _at_depth(image: pyvips.Image, depth: int) -> pyvips.Image:
    """Round ushort to uchar, or spread uchar over ushort."""
    if (image.format == "ushort") == (depth == 16):
        return image
    if depth == 16:
        return image.linear(257, 0).cast("ushort").copy(interpretation="rgb16")
    return image.linear(255 / 65535, 0.5, uchar=True).copy(interpretation="srgb")


def _jpeg(file: BinaryIO, sheet: Sheet, order: Order) -> tuple[str, ...]:
    segments, lost = containers.jpeg_segments(sheet.metadata, _density(sheet.page))

    def rewrite(head: bytes) -> bytes | None:
        if len(head) < _JPEG_SEGMENT_END:
            return None
        return head[:_JPEG_SEGMENT_END] + segments + head[_JPEG_SEGMENT_END:]

    height, width = sheet.page.size
    small = height * width <= _PROGRESSIVE_PIXELS
    Sink(file, rewrite).save(
        _prepared(sheet, "jpeg"),
        "jpegsave_target",
        Q=order.quality_for(sheet.page.encoding),
        subsample_mode="off",
        interlace=small and sheet.page.encoding.progressive,
        keep="icc",
    )
    return lost


def _density(page: Page) -> bytes:
    """The density bytes of JFIF: unit (0 none, 1 inch, 2 cm), x, y."""
    if page.resolution is None:
        return b"\0\0\1\0\1"
    x, y, inches = page.resolution
    per_unit = 25.4 if inches else 10.0
    sides = [min(65535, max(1, round(v * per_unit))) for v in (x, y)]
    return bytes([1 if inches else 2]) + b"".join(v.to_bytes(2, "big") for v in sides)


def _png(file: BinaryIO, sheet: Sheet, order: Order) -> tuple[str, ...]:
    known = sheet.page.resolution is not None
    sink = Sink(file, lambda head: containers.png_head(head, sheet.metadata, resolution=known))
    sink.save(_prepared(sheet, "png"), "pngsave_target", keep="icc", compression=6)
    return ()


def _webp(file: BinaryIO, sheet: Sheet, order: Order) -> tuple[str, ...]:
    Sink(file).save(
        _prepared(sheet, "webp"),
        "webpsave_target",
        Q=order.quality_for(sheet.page.encoding),
        lossless=order.lossless_for(sheet.page.encoding),
        exact=True,
        keep="icc",
    )
    containers.append_to_webp(file, sheet.metadata)
    return ()


def _avif(file: BinaryIO, sheet: Sheet, order: Order) -> tuple[str, ...]:
    image = _prepared(sheet, "avif")
    if sheet.metadata.xmp:
        image.set_type(pyvips.GValue.blob_type, "xmp-data", sheet.metadata.xmp)
    keep = ["icc", "xmp"]
    lost: tuple[str, ...] = ()
    if sheet.metadata.exif:
        try:
            _copy_exif(sheet.metadata.exif, image)
            keep.append("exif")
        except pyvips.Error:
            lost = ("the EXIF data is damaged or too large for AVIF and is lost",)
    Sink(file).save(
        image,
        "heifsave_target",
        compression="av1",
        Q=order.quality_for(sheet.page.encoding),
        lossless=order.lossless_for(sheet.page.encoding),
        bitdepth=_stored_bits(sheet.page, "avif"),
        subsample_mode="off",
        effort=_AVIF_EFFORT,
        keep=",".join(keep),
    )
    return lost


def _copy_exif(block: bytes, image: pyvips.Image) -> None:
    """Put an EXIF block on an image as libvips itself would have read it from a file.

    libvips writes the parsed fields, not the block, so it is made to parse: from a JPEG of one
    pixel.
    """
    pixel = pyvips.Image.black(1, 1).jpegsave_buffer(keep="none")
    head, lost = containers.jpeg_segments(Metadata(exif=block), b"\0\0\1\0\1")
    if lost:
        raise pyvips.Error(lost[0])
    parsed = pyvips.Image.jpegload_buffer(pixel[:2] + head + pixel[2:])
    for name in parsed.get_fields():
        if name.startswith("exif-"):
            image.set_type(parsed.get_typeof(name), name, parsed.get(name))


def _heic(file: BinaryIO, sheet: Sheet, order: Order) -> tuple[str, ...]:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtra("Writing HEIC", "heic") from error
    image = _prepared(sheet, "heic")
    profile = image.get("icc-profile-data")
    pixels = image.numpy()
    lossless = order.lossless_for(sheet.page.encoding)
    mode = ("RGBA" if image.bands == 4 else "RGB") + (";16" if pixels.dtype == np.uint16 else "")
    options: dict[str, object] = {"chroma": 444, "icc_profile": profile}
    if lossless:
        options["matrix_coefficients"] = 0
    pillow_heif.encode(
        mode,
        (image.width, image.height),
        pixels.tobytes(),
        file,
        quality=-1 if lossless else order.quality_for(sheet.page.encoding),
        exif=sheet.metadata.exif and b"Exif\0\0" + sheet.metadata.exif,
        xmp=sheet.metadata.xmp,
        **options,
    )
    return ()


def _bmp(file: BinaryIO, sheet: Sheet, order: Order) -> tuple[str, ...]:
    from PIL import Image

    picture = Image.fromarray(_prepared(sheet, "bmp").numpy())
    options = {}
    if sheet.page.resolution is not None:
        options["dpi"] = tuple(v * 25.4 for v in sheet.page.resolution[:2])
    picture.save(file, "BMP", **options)
    return ()


_Encoder = Callable[[BinaryIO, Sheet, Order], tuple[str, ...]]
_ENCODERS: dict[Format, _Encoder] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "avif": _avif,
    "heic": _heic,
    "bmp": _bmp,
}


def _tiff(file: BinaryIO, sheets: Sequence[Sheet], order: Order) -> None:
    samples = sum(
        s.page.size[0] * s.page.size[1] * s.page.depth // 8 * (3 + s.page.has_alpha) for s in sheets
    )
    big = samples > _CLASSIC_TIFF_BYTES or sheets[0].page.encoding.big
    tiff.write_pages(file, [_tiff_page(sheet, order, big) for sheet in sheets])


def _tiff_page(sheet: Sheet, order: Order, big: bool) -> tiff.PageWriter:
    def encode_page(file: BinaryIO) -> None:
        options = _tiff_options(sheet, order) | {"bigtiff": big, "keep": "icc"}
        Sink(file).save(_prepared(sheet, "tiff"), "tiffsave_target", **options)

    known = sheet.page.resolution is not None
    dropped = frozenset() if known else tiff.RESOLUTION
    return tiff.PageWriter(encode_page, _tiff_extra(sheet.metadata), dropped)


def _tiff_options(sheet: Sheet, order: Order) -> dict[str, object]:
    encoding = sheet.page.encoding
    compression = encoding.compression or "deflate"
    if compression == "jpeg" and (sheet.page.depth == 16 or sheet.alpha is not None):
        compression = "deflate"
    quality = order.quality_for(encoding)
    options: dict[str, object] = {"compression": compression, "Q": quality}
    if compression == "webp":
        options["lossless"] = order.lossless_for(encoding)
    if compression in ("lzw", "deflate", "zstd"):
        options["predictor"] = "horizontal"
    if compression == "jpeg":
        options["rgbjpeg"] = quality < _TIFF_JPEG_FULL_CHROMA
    if encoding.tile is not None:
        height, width = (max(16, side // 16 * 16) for side in encoding.tile)
        options |= {"tile": True, "tile_height": height, "tile_width": width}
    return options


def _tiff_extra(metadata: Metadata) -> tiff.Directory:
    """The tags that libvips does not write: descriptions, EXIF, GPS, XMP, captions."""
    found = tiff.parsed_block(metadata.exif)
    tags = {t: e for t, e in found.tags.items() if t not in tiff.RESOLUTION}
    undefined, byte = 7, 1
    for tag, kind, content in (
        (tiff.XMP, byte, metadata.xmp),
        (tiff.IPTC, undefined, iptc_of(metadata.resources)),
        (tiff.PHOTOSHOP, byte, metadata.resources),
    ):
        if content:
            tags[tag] = tiff.Entry(kind, len(content), content)
    return replace(found, tags=tags)
