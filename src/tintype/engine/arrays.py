"""How NumPy arrays and PIL pictures become pixels for the engine, and how they come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tintype.engine.join import Pixels
from tintype.errors import UsageError
from tintype.images.resampling import grey_as_rgb, resampled

if TYPE_CHECKING:
    from PIL.Image import Image

_OF_A_PROFILE = ("L", "LA", "La", "I;16", "RGB", "RGBA", "RGBa", "P", "PA")
"""Modes whose colours are those that a profile is about."""

_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
"""Modes in which Pillow keeps colours times alpha, and those without."""

_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")


@dataclass(frozen=True)
class Opaque:
    """A picture without its alpha."""

    pixels: Pixels
    """(height, width, 1 or 3) sRGB, uint8, uint16, or float in [0, 1]."""
    alpha: Pixels | None
    """(height, width, 1) of the same dtype, or None."""

    def with_alpha(self, rgb: Pixels) -> Pixels:
        """Put the alpha back behind colours (height, width, 3)."""
        return rgb if self.alpha is None else np.concatenate([rgb, self.alpha], axis=-1)


def from_array(array: NDArray[np.generic]) -> Opaque:
    """Take an array as a picture.

    Args:
        array: (height, width) or (height, width, 1 to 4) sRGB; 2 and 4 channels end with alpha.
            uint8, uint16, or float in [0, 1].

    Raises:
        UsageError: another shape or dtype, an empty array, or values that are not finite or
            outside the range.
    """
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape or array.shape[2] > 4:
        raise UsageError(
            f"A picture must be (height, width) or (height, width, channels), not {array.shape}."
        )
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16) and not np.issubdtype(
        array.dtype, np.floating
    ):
        raise UsageError(f"Pixels must be uint8, uint16 or float, not {array.dtype}.")
    # NaN fails both comparisons.
    if array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 1):
        raise UsageError("Pixels of type float must be finite and lie in [0, 1].")
    colours = array.shape[2] if array.shape[2] % 2 else array.shape[2] - 1
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    alpha = None if colours == array.shape[2] else native[..., colours:]
    return Opaque(native[..., :colours], alpha)


def from_pil(image: Image) -> tuple[Opaque, Callable[[Pixels], Image]]:
    """Take a PIL picture, turned upright once if its EXIF asks for it, its ICC profile applied.

    Returns:
        The picture, and what turns joined pixels back into a PIL picture: RGB or RGBA with 8 bits,
        for PIL has no colour pictures with more. Resolution and EXIF are kept.

    Raises:
        UsageError: a mode of float, or of more than 16 bits.
    """
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK":
        opaque = Opaque(_of_cmyk(upright, profile), None)
    else:
        opaque = from_array(_pixels_of(upright))
        if profile and image.mode in _OF_A_PROFILE:
            opaque = _in_srgb(opaque, profile)

    def back(pixels: Pixels) -> Image.Image:
        if pixels.dtype == np.uint16:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        result = Image.fromarray(np.ascontiguousarray(pixels))
        result.info.update({k: v for k, v in upright.info.items() if k in ("dpi", "exif")})
        return result

    return opaque, back


def _in_srgb(opaque: Opaque, profile: bytes) -> Opaque:
    """The picture in sRGB; at 16 bits where a profile had to be applied, as for files."""
    from tintype.images import profiles, reading

    stored = opaque.pixels
    image = profiles.with_profile(reading.from_array(stored), profile)
    found = reading.to_srgb(image, 8 * stored.itemsize)
    pixels = found.numpy().reshape(*stored.shape[:2], -1)
    alpha = opaque.alpha
    if alpha is not None and pixels.dtype != alpha.dtype:
        alpha = alpha.astype(np.uint16) * 257
    return Opaque(pixels, alpha)


def _of_cmyk(image: Image, profile: bytes | None) -> Pixels:
    """sRGB at 16 bits, as for files."""
    from tintype.images import profiles, reading

    inks = reading.from_array(np.asarray(image)).copy(interpretation="cmyk")
    inks = profiles.with_profile(inks, profile) if profile else inks
    return reading.to_srgb(inks, 8).numpy()


def _pixels_of(image: Image) -> NDArray[np.generic]:
    """The pixels of an upright PIL picture: grey, RGB or RGBA."""
    if image.mode in _SIXTEEN_BIT:
        pixels = np.asarray(image)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise UsageError("A PIL picture of mode I must hold values of at most 16 bits.")
        return pixels.astype(np.uint16)
    if image.mode == "F":
        raise UsageError("A PIL picture of mode F has no known range: give an array in [0, 1].")
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode == "LA":
        return np.asarray(image)
    if "A" in image.getbands() or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("L", "1") else "RGB"))


def shrink(pixels: Pixels, height: int, width: int) -> NDArray[np.float32]:
    """The picture at another size, with antialiasing; at its own size the exact pixels.

    Args:
        pixels: (H, W, 1 or 3) sRGB, uint8, uint16, or float in [0, 1].
        height: in pixels.
        width: in pixels.

    Returns:
        sRGB (height, width, 3) float32 in [0, 1].
    """
    import pyvips

    top = 256**pixels.dtype.itemsize - 1 if pixels.dtype.kind == "u" else 1
    own = pixels if top > 1 else pixels.astype(np.float32)
    # As for files, so that both give the same colours: whole boxes first, then the better filter.
    boxes = [max(1, old // (2 * new)) for old, new in zip(own.shape, (height, width), strict=False)]
    if boxes != [1, 1]:
        image = pyvips.Image.new_from_array(own).shrink(boxes[1], boxes[0], ceil=True)
        own = image.numpy().reshape(image.height, image.width, image.bands)
    own = own.astype(np.float32) / np.float32(top)
    if pixels.shape[:2] != (height, width):
        extent = (pixels.shape[0] / boxes[0], pixels.shape[1] / boxes[1])
        own = resampled(own, (height, width), extent)
    return grey_as_rgb(own)
