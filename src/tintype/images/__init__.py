"""Picture files in and out: what a picture is, how it is read, and how a result is written.

Everything is lazy and streams through libvips: opening reads headers, writing pulls the pixels
through whatever was done to them, so a scan of any size passes in constant memory. Exceptions,
which are held whole: BMP and HEIC (decoded by Pillow and pillow-heif), AVIF, WebP, progressive
JPEG, interlaced PNG, and what EXIF says must be turned (on disk from 100 MB of samples on).
"""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyvips
from numpy.typing import NDArray

from tintype.errors import UnreadableImage, UnwritableImage, UsageError
from tintype.images import containers, headers, reading
from tintype.images.headers import Encoding, Page
from tintype.images.metadata import Metadata
from tintype.images.reading import Format, reason_of, unreadable
from tintype.images.replacing import atomic
from tintype.images.resampling import grey_as_rgb, resampled
from tintype.images.tone import Tone, classify_tone
from tintype.images.writing import Order, Sheet, encode
from tintype.images.xmp import is_marked, updated_xmp

__all__ = [
    "SUFFIXES",
    "Encoding",
    "Format",
    "Page",
    "Picture",
    "Tone",
    "classify_tone",
    "encode_image",
    "format_of",
    "read_image",
    "write_image",
]

_FORMATS: dict[str, Format] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
    ".heic": "heic",
    ".heif": "heic",
    ".hif": "heic",
    ".bmp": "bmp",
    ".dib": "bmp",
}

SUFFIXES: frozenset[str] = frozenset(_FORMATS)
"""The suffixes, in lower case, of the files that can be read and written."""

_KNOWN = "JPEG, PNG, TIFF, WebP, AVIF, HEIC and BMP"
_HEAD_BYTES = 64


def format_of(name: str | Path) -> Format:
    """The format that a file name or a suffix (".jpg") stands for.

    Raises:
        UnwritableImage: the suffix is none of ``SUFFIXES``.
    """
    text = str(name).lower()
    suffix = Path(text).suffix or (text if text.startswith(".") else "")
    if suffix not in _FORMATS:
        raise UnwritableImage(
            f"{name} has no suffix of a picture that can be written: use one of "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    return _FORMATS[suffix]


@dataclass(frozen=True)
class Picture:
    """A picture file whose headers have been read, and whose pixels can be asked for.

    Attributes:
        source: the path, or the file's bytes.
        name: what messages call it.
        format: by content, whatever the name says.
        pages: the header of each page; several for TIFF only.
        tintype_mark: whether the file says that Tintype made it.
    """

    source: Path | bytes = field(repr=False)
    name: str
    format: Format
    pages: tuple[Page, ...]
    tintype_mark: bool

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first page, upright."""
        return self.pages[0].size

    @property
    def depth(self) -> Literal[8, 16]:
        """Bits per sample of the first page."""
        return self.pages[0].depth

    @property
    def n_pages(self) -> int:
        """The number of pages."""
        return len(self.pages)

    def name_of(self, page: int) -> str:
        """What messages call a page, counted from 0."""
        return self.name if self.n_pages == 1 else f"Page {page + 1} of {self.name}"

    @property
    def has_alpha(self) -> bool:
        """Whether the first page has transparency."""
        return self.pages[0].has_alpha

    @property
    def profile(self) -> bytes | None:
        """The wide-gamut RGB profile that results come back through; None: sRGB."""
        return self.pages[0].profile

    @property
    def encoding(self) -> Encoding:
        """How the first page was stored."""
        return self.pages[0].encoding

    def pixels(self, page: int = 0) -> pyvips.Image:
        """The colour of a page as a fresh lazy pipeline.

        Returns:
            An image of 1 band (grey) or 3 bands (sRGB), upright, without transparency; uchar, or
            ushort for 16 bits per sample and for pages of 8 bits under a profile that had to be
            applied (writing rounds to the file's depth again). Read it from top to bottom, once.
            Evaluating it raises ``pyvips.Error`` when the file is damaged; ``write_image``,
            ``encode_image`` and ``small`` turn that into ``UnreadableImage``.

        Raises:
            UnreadableImage: the file has gone or changed.
        """
        with unreadable(self.name):
            return reading.to_srgb(self._raw(page), self.pages[page].encoding.bits).autorot()

    def alpha(self, page: int = 0) -> pyvips.Image | None:
        """The transparency of a page: 1 band, upright, at the page's depth; None without."""
        header = self.pages[page]
        if not header.has_alpha:
            return None
        with unreadable(self.name):
            raw = self._raw(page)
            band = raw[reading.colour_bands(raw)]
            if header.encoding.bits in (10, 12):
                band = reading.expanded(band, header.encoding.bits)
            return band.autorot()

    def small(self, height: int, width: int, page: int = 0) -> NDArray[np.float32]:
        """A page at exactly the size asked for; keeping the aspect is the caller's business.

        JPEG is decoded at reduced size, everything is averaged in whole boxes, as long as twice
        the size asked for remains; the rest is a triangle filter. Nothing overshoots. At the
        page's own size the values are the exact ones.

        Returns:
            (height, width, 3) float32, sRGB in [0, 1], upright.

        Raises:
            UnreadableImage: the file is damaged.
        """
        header = self.pages[page]
        with unreadable(self.name):
            if (height, width) == header.size:
                return grey_as_rgb(_as_floats(self.pixels(page)))
            opened = reading.Opened(self.source, self.format)
            # Both leave at least twice the size asked for to the better filter.
            shrink = opened.shrink_for(header.size, height, width)
            wanted = (2 * height * shrink, 2 * width * shrink)
            boxes = [max(1, a // b) for a, b in zip(header.size, wanted, strict=True)]
            down, across = boxes[::-1] if header.orientation >= 5 else boxes
            raw = opened.raw(header.directory, shrink=shrink)
            reduced = raw[: reading.colour_bands(raw)].shrink(across, down, ceil=True)
            image = reading.to_srgb(reduced, header.encoding.bits).copy_memory().autorot()
            extent = (header.size[0] / (shrink * boxes[0]), header.size[1] / (shrink * boxes[1]))
            return grey_as_rgb(resampled(_as_floats(image), (height, width), extent))

    def _raw(self, page: int) -> pyvips.Image:
        # A mirrored page can still be read from top to bottom; a turned one cannot.
        header = self.pages[page]
        opened = reading.Opened(self.source, self.format)
        return opened.raw(header.directory, once=header.orientation <= 2)


def _as_floats(image: pyvips.Image) -> NDArray[np.float32]:
    """(height, width, 1 or 3) in [0, 1]."""
    pixels = image.numpy().reshape(image.height, image.width, image.bands)
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def read_image(
    source: Path | bytes, *, name: str | None = None, max_pixels: int = 500_000_000
) -> Picture:
    """Open a picture: its kind by content, its headers, not yet its pixels.

    Args:
        source: a path, or the bytes of a file.
        name: what messages call it; the path by default.
        max_pixels: the most pixels that a page may have.

    Raises:
        UnreadableImage: no such file, a folder, empty, no picture, damaged, animated, too large.
        MissingExtra: HEIC, and the package for it is not installed.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    with unreadable(name), _opened(source, name) as file:
        head = file.read(_HEAD_BYTES)
        opened = reading.Opened(source, _kind(head, name))
        pages = headers.read_pages(opened, file, name, max_pixels)
    marked = is_marked(pages[0].metadata.xmp)
    return Picture(source, name, opened.kind, pages, marked)


def _opened(source: Path | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    mode = source.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnreadableImage(f"{name} is a folder, not a picture.")
    if not stat.S_ISREG(mode):
        raise UnreadableImage(f"{name} is not a regular file.")
    return source.open("rb")


def _kind(head: bytes, name: str) -> Format:
    if not head:
        raise UnreadableImage(f"{name} is empty.")
    kind = containers.kind_of(head)
    if kind is None:
        raise UnreadableImage(f"{name} is not a picture that can be read: {_KNOWN} are.")
    if kind == "gif":
        raise UnreadableImage(f"{name} is a GIF; save it as PNG, an animation frame by frame.")
    if kind == "avif-sequence":
        raise UnreadableImage(headers.animation_message(name))
    return kind


def write_image(
    picture: Picture,
    pages: Sequence[pyvips.Image],
    target: Path,
    *,
    mark: str | None,
    quality: int | None = None,
) -> tuple[str, ...]:
    """Write a result with everything else of the original; whole, or not at all.

    Transparency, EXIF, XMP, IPTC captions and resolution come from the original, orientation and
    thumbnails go; a wide-gamut profile comes back, all else is sRGB and says so. The format is
    that of the target's suffix; depth, quality and compression are the original's where the
    format can hold them.

    Args:
        picture: the original.
        pages: one image per page: 3 bands, sRGB, uchar or ushort, upright, of the page's size.
        target: the file to write; what stands there is replaced in one step.
        mark: the value of xmp:CreatorTool, such as "Tintype 0.1.0 (tintype 2)"; None: no mark.
        quality: 1-100 for lossy formats; None: the original's.

    Returns:
        Notes on what the format could not hold.

    Raises:
        UnwritableImage: a read-only folder, a full disk, an unsuited format.
        UnreadableImage: the original turned out to be damaged.
        UsageError: pages that do not fit the picture, or a quality outside 1-100.
        MissingExtra: a HEIC target, and the package for it is not installed.
    """
    order = Order(format_of(target), quality)
    with _translated(picture, str(target)), atomic(target) as file:
        return _write(picture, pages, file, order, mark, str(target))


def encode_image(
    picture: Picture,
    pages: Sequence[pyvips.Image],
    *,
    format: Format | None = None,
    mark: str | None,
    quality: int | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a result, and notes; see :func:`write_image`.

    Args:
        picture: the original.
        pages: one image per page.
        format: the original's by default.
        mark: the value of xmp:CreatorTool; None: no mark.
        quality: 1-100 for lossy formats; None: the original's.

    Raises:
        UnwritableImage, UnreadableImage, UsageError, MissingExtra: as :func:`write_image`.
    """
    file = io.BytesIO()
    order = Order(format or picture.format, quality)
    result = f"the result for {picture.name}"
    with _translated(picture, result):
        notes = _write(picture, pages, file, order, mark, result)
    return file.getvalue(), notes


def _write(
    picture: Picture,
    pages: Sequence[pyvips.Image],
    file: BinaryIO,
    order: Order,
    mark: str | None,
    name: str,
) -> tuple[str, ...]:
    _check(picture, pages, order)
    sheets, notes = [], []
    for index, (image, page) in enumerate(zip(pages, picture.pages, strict=True)):
        xmp, note = updated_xmp(page.metadata.xmp, mark)
        metadata: Metadata = replace(page.metadata, xmp=xmp)
        sheets.append(Sheet(image, picture.alpha(index), page, metadata))
        notes += [note] if note else []
    return (*notes, *encode(file, sheets, order, name))


def _check(picture: Picture, pages: Sequence[pyvips.Image], order: Order) -> None:
    if len(pages) != picture.n_pages:
        raise UsageError(f"{picture.name} has {picture.n_pages} pages, and {len(pages)} came.")
    for image, page in zip(pages, picture.pages, strict=True):
        found = (image.height, image.width), image.bands, image.format in ("uchar", "ushort")
        if found != (page.size, 3, True):
            raise UsageError(
                f"{picture.name}: a page to write must be 3 bands of uchar or ushort at "
                f"{page.size}, not {image.bands} of {image.format} at {found[0]}."
            )
    if order.quality is not None and not 1 <= order.quality <= 100:
        raise UsageError(f"A quality of {order.quality} makes no sense: it runs from 1 to 100.")


@contextmanager
def _translated(picture: Picture, name: str) -> Iterator[None]:
    """Say of a failed write whether the original or the target was to blame."""
    try:
        yield
    except OSError as error:
        raise UnwritableImage(f"{name} cannot be written: {error.strerror or error}.") from error
    except (pyvips.Error, ValueError, RuntimeError) as error:
        _decode_all(picture)
        raise UnwritableImage(f"{name} cannot be written: {reason_of(error)}.") from error


def _decode_all(picture: Picture) -> None:
    """Read every pixel once more, to see whether the original is whole."""
    with unreadable(picture.name):
        for page in range(picture.n_pages):
            picture.pixels(page).avg()
