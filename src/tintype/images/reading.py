"""How a page of a picture file becomes a libvips image: raw as stored, and from there sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from tintype.errors import MissingExtra, UnreadableImage
from tintype.images import containers, profiles

Format = containers.Still

_LOADERS: dict[str, str] = {
    "jpeg": "jpegload",
    "png": "pngload",
    "tiff": "tiffload",
    "webp": "webpload",
    "avif": "heifload",
}
# libvips shrinks JPEG by averaging blocks; half of the reduction is left to a better kernel.
_SHRINKS = (8, 4, 2)


def reason_of(error: BaseException) -> str:
    """The first line of what a library said, without its own prefix."""
    detail = error.detail if isinstance(error, pyvips.Error) else str(error)
    line = next((part.strip() for part in str(detail).splitlines() if part.strip()), "")
    prefix, _, rest = line.partition(": ")
    return rest if rest and " " not in prefix else line or type(error).__name__


@contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Turn what the decoders raise into one sentence that names the picture."""
    try:
        yield
    except (UnreadableImage, MissingExtra):
        raise
    except OSError as error:
        raise UnreadableImage(f"{name} cannot be read: {error.strerror or error}.") from error
    except pyvips.Error as error:
        # libvips keeps one message for the whole process: what it says may be of another picture.
        raise UnreadableImage(f"{name} cannot be read: it is truncated or damaged.") from error
    except (ValueError, SyntaxError, struct.error, RuntimeError, EOFError) as error:
        raise UnreadableImage(f"{name} cannot be read: {reason_of(error)}.") from error


@cache
def _block_untrusted_loaders() -> None:
    pyvips.block_untrusted_set(True)


@dataclass(frozen=True)
class Opened:
    """A file whose kind is known; opens pages of it as often as needed."""

    source: Path | bytes
    kind: Format

    def header(self, page: int = 0) -> pyvips.Image:
        """The page's size, bands and metadata; its pixels may be black."""
        if self.kind == "bmp":
            return _bmp(self.source, decode=False)
        if self.kind == "heic":
            return _heic(self.source, decode=False)
        return self.raw(page)

    def raw(self, page: int = 0, *, shrink: int = 1, once: bool = True) -> pyvips.Image:
        """The page as stored, lazily: its bands, orientation and profile untouched.

        Args:
            page: counted from 0.
            shrink: 1, 2, 4 or 8; other than 1 for JPEG only.
            once: pixels will be asked for from top to bottom, once.
        """
        if self.kind == "bmp":
            return _bmp(self.source, decode=True)
        if self.kind == "heic":
            return _heic(self.source, decode=True)
        _block_untrusted_loaders()
        # A cached result would outlive a change of the file.
        options: dict[str, object] = {"fail_on": "error", "revalidate": True}
        if once:
            options["access"] = "sequential"
        if self.kind == "tiff":
            # Without a limit of 50 MB on what libtiff allocates, which a scan in one strip exceeds:
            # what is read is bounded by the size of the file and by our own limit of pixels.
            options |= {"page": page, "unlimited": True}
        if shrink > 1:
            options["shrink"] = shrink
        loader = _LOADERS[self.kind]
        if isinstance(self.source, bytes):
            return getattr(pyvips.Image, f"{loader}_buffer")(self.source, **options)
        return getattr(pyvips.Image, loader)(bytes(self.source), **options)

    def shrink_for(self, size: tuple[int, int], height: int, width: int) -> int:
        """The reduction to ask of the decoder of a page when ``height`` × ``width`` is wanted."""
        if self.kind != "jpeg":
            return 1
        room = min(size[0] / height, size[1] / width) / 2
        return next((s for s in _SHRINKS if room >= s), 1)


def _binary(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def from_array(array: NDArray[np.generic]) -> pyvips.Image:
    """Pixels (height, width[, bands]), uint8 or uint16, as a picture of grey or sRGB."""
    return _named(pyvips.Image.new_from_array(np.ascontiguousarray(array)))


def _blank(size: tuple[int, int], bands: int, depth: int) -> pyvips.Image:
    """A picture of (width, height) that costs nothing, to hang a header on."""
    image = pyvips.Image.black(*size, bands=bands)
    return _named(image.cast("ushort") if depth == 16 else image)


def _named(image: pyvips.Image) -> pyvips.Image:
    wide, grey = image.format == "ushort", image.bands < 3
    kind = ("grey16" if wide else "b-w") if grey else ("rgb16" if wide else "srgb")
    return image.copy(interpretation=kind)


def _bmp(source: Path | bytes, *, decode: bool) -> pyvips.Image:
    # The class itself, not Image.open: the size is checked against our own limit.
    from PIL.BmpImagePlugin import BmpImageFile

    with _binary(source) as file, BmpImageFile(file) as bitmap:
        mode = {"1": "L", "L": "L", "RGBA": "RGBA"}.get(bitmap.mode, "RGB")
        if decode:
            image = from_array(np.asarray(bitmap.convert(mode)))
        else:
            image = _blank(bitmap.size, {"L": 1, "RGB": 3, "RGBA": 4}[mode], 8)
        dpi = bitmap.info.get("dpi", (0, 0))
        return image.copy(xres=dpi[0] / 25.4, yres=dpi[1] / 25.4)


def _heic(source: Path | bytes, *, decode: bool) -> pyvips.Image:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtra("Reading HEIC", "heic") from error
    with _binary(source) as file:
        opened = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
        image = opened[opened.primary_index]
        name, _, deep = image.mode.partition(";")
        if decode:
            pixels = from_array(np.asarray(image))
        else:
            pixels = _blank(image.size, len(name), 16 if deep else 8)
    info = cast(dict[str, Any], image.info)
    if info.get("icc_profile"):
        pixels = profiles.with_profile(pixels, info["icc_profile"])
    for field, content in (("exif-data", info.get("exif")), ("xmp-data", info.get("xmp"))):
        if content:
            pixels.set_type(pyvips.GValue.blob_type, field, content)
    pixels.set_type(pyvips.GValue.gint_type, "bits-per-sample", info["bit_depth"])
    return pixels


def blob(image: pyvips.Image, name: str) -> bytes | None:
    """A blob of an image's metadata, or None."""
    return bytes(image.get(name)) if image.get_typeof(name) else None


def colour_bands(image: pyvips.Image) -> int:
    """How many of an image's bands hold colour: 1, 3 or 4 (CMYK)."""
    if image.interpretation == "cmyk":
        return 4
    grey = image.interpretation in ("b-w", "grey16") or image.bands < 3
    return 1 if grey else 3


def to_srgb(image: pyvips.Image, bits: int) -> pyvips.Image:
    """The colour of a raw page as sRGB or grey.

    Args:
        image: as :meth:`Opened.raw` gives it.
        bits: per sample, as stored.

    Returns:
        uchar or ushort, 1 or 3 bands; ushort also for an 8-bit page whose profile had to be
        applied: that is done at 16 bits.
    """
    bands = colour_bands(image)
    profile = blob(image, "icc-profile-data")
    image = image[:bands] if image.bands > bands else image
    if bits in (10, 12):
        image = expanded(image, bits)
    if bands == 4:
        return profiles.through_tables(image)
    if bands == 1:
        curve = profiles.grey_curve(profile) if profile else None
        grey = image if curve is None else profiles.apply_curve(image, curve)
        return grey.copy(interpretation="b-w" if grey.format == "uchar" else "grey16")
    if image.interpretation not in ("srgb", "rgb16", "rgb", "multiband"):
        return image.colourspace("rgb16")
    image = image.copy(interpretation="srgb" if image.format == "uchar" else "rgb16")
    if profile is None or profiles.role_of_rgb(profile) == "none":
        return image
    return profiles.rgb_to_srgb(image, profile)


def expanded(image: pyvips.Image, bits: int) -> pyvips.Image:
    """Values whose upper 10 or 12 of 16 bits are used, spread over the whole of 0-65535."""
    most = ((1 << bits) - 1) << (16 - bits)
    return image.linear(65535 / most, 0.5).cast("ushort").copy(interpretation=image.interpretation)


def contracted(image: pyvips.Image, bits: int) -> pyvips.Image:
    """The inverse of :func:`expanded`, rounded."""
    steps = image.linear(((1 << bits) - 1) / 65535, 0.5).cast("ushort")
    return (steps << (16 - bits)).cast("ushort").copy(interpretation=image.interpretation)
