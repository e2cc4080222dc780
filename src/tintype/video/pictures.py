"""How coloured frames become numbered pictures: whole files of the film's depth, marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pyvips
from numpy.typing import NDArray

from tintype.color import ycbcr_to_rgb
from tintype.errors import TintypeError, UnwritableFilm
from tintype.images import format_of, read_image
from tintype.images.headers import Encoding, Page
from tintype.images.metadata import Metadata
from tintype.images.reading import reason_of
from tintype.images.replacing import atomic
from tintype.images.writing import Order, Sheet, encode
from tintype.images.xmp import updated_xmp
from tintype.video.names import is_sequence
from tintype.video.planes import Codes, Signal, plane
from tintype.video.probe import Film
from tintype.video.segments import Segments
from tintype.video.sequences import numbered, numbers_of

Float = NDArray[np.float32]

_ROWS = 128  # brought to RGB at a time
_QUALITY = 95  # of a JPEG whose source has none
_DEEP = (".png", ".tif", ".tiff")


@dataclass(frozen=True)
class PictureStyle:
    """How pictures are written.

    Attributes:
        pattern: of their names.
        quality: 1-100 of a JPEG; None: the source's, or 95.
        mark: what the metadata name as the maker of the colours; None: no mark.
    """

    pattern: Path
    quality: int | None
    mark: str | None


class PictureSegments(Segments):
    """Runs of pictures instead of encoded segments; each is a list of the names in it."""

    def film(self, number: int) -> Path:
        """The list of a finished run."""
        return self.folder / f"{number:06d}.txt"

    def part(self, number: int) -> Path:
        """The list of a run while it is being made."""
        return self.folder / f"{number:06d}.part.txt"

    def is_whole(self, number: int) -> bool:
        """Whether a run is finished and all of its pictures are still there."""
        return super().is_whole(number) and all(_listed(self.film(number)))


def _listed(note: Path) -> list[bool]:
    """For each picture of a list, whether it is there."""
    if not note.is_file():
        return []
    names = note.read_text(encoding="utf-8").split("\0")[:-1]
    return [note.parent.with_name(name).is_file() for name in names]


class PictureWriter:
    """Writes a run of pictures; those that earlier work on the same run has left are kept.

    Args:
        note: the list of the run.
        style: of all pictures.
        film: what they are frames of.
        start: number of the run's first frame in the film.
    """

    def __init__(self, note: Path, style: PictureStyle, film: Film, start: int) -> None:
        self._style, self._film, self._frame = style, film, start
        self._first = first_number(film)
        self._there = _listed(note)
        self._done = 0
        self._source = Path(film.source) if is_sequence(film.source) else None
        self._note = note

    def write(self, frame: av.VideoFrame) -> None:
        """Write a frame.

        Raises:
            UnwritableFilm: the disk is full.
        """
        # Of numbered pictures, FFmpeg counts those, too, that it cannot decode.
        index = self._frame if self._source is None else frame.pts or 0
        number, place = self._first + index, self._done
        path = numbered(self._style.pattern, number)
        self._frame, self._done = self._frame + 1, place + 1
        if place < len(self._there) and self._there[place]:
            return
        original = None if self._source is None else numbered(self._source, number)
        write_frame(frame, self._film, path, self._style, original)
        if place >= len(self._there):
            self._list(path)

    def _list(self, path: Path) -> None:
        try:
            with self._note.open("a", encoding="utf-8") as note:
                note.write(f"{path.name}\0")
        except OSError as error:
            raise UnwritableFilm(f"{self._note} cannot be written: {error.strerror}.") from error

    def close(self) -> None:
        """Nothing is left to do: each picture was finished when it was written."""


def first_number(film: Film) -> int:
    """The number of the first picture: the source's own, or 1.

    Raises:
        UnreadableFilm: the source's folder cannot be read.
    """
    return numbers_of(Path(film.source))[0] if is_sequence(film.source) else 1


def write_frame(
    frame: av.VideoFrame, film: Film, path: Path, style: PictureStyle, original: Path | None
) -> None:
    """Write one frame as a picture, whole or not at all.

    Args:
        frame: in the signal's planar format.
        film: what it is of.
        path: the picture.
        style: quality and mark.
        original: the picture that it was, whose resolution and metadata are kept; None: none.

    Raises:
        UnwritableFilm: the disk is full, or the format cannot hold it.
    """
    depth: Literal[8, 16] = 16 if film.signal.depth > 8 and path.suffix.lower() in _DEEP else 8
    rgb = np.rot90(rgb_at_depth(frame, film.signal, depth), film.rotation // 90)
    page = _page_like(original, (rgb.shape[0], rgb.shape[1]), depth)
    image = pyvips.Image.new_from_array(np.ascontiguousarray(rgb))
    xmp, _ = updated_xmp(page.metadata.xmp, style.mark)
    sheet = Sheet(image, None, page, replace(page.metadata, xmp=xmp))
    try:
        with atomic(path) as file:
            encode(file, [sheet], Order(format_of(path), style.quality), str(path))
    except OSError as error:
        raise UnwritableFilm(f"{path} cannot be written: {error.strerror or error}.") from error
    except pyvips.Error as error:
        raise UnwritableFilm(f"{path} cannot be written: {reason_of(error)}.") from error


def _page_like(original: Path | None, size: tuple[int, int], depth: Literal[8, 16]) -> Page:
    """The header of the picture to be written, with what can be kept of the original's."""
    fresh = Page(size, depth, False, None, Encoding(_QUALITY), Metadata(), 1, None, 0)
    if original is None:
        return fresh
    try:
        page = read_image(original).pages[0]
    except TintypeError:  # what only FFmpeg can read
        return fresh
    return replace(
        fresh, metadata=page.metadata, resolution=page.resolution, encoding=page.encoding
    )


def rgb_at_depth(
    frame: av.VideoFrame, signal: Signal, depth: Literal[8, 16]
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A frame as sRGB (height, width, 3) whose Y' is the frame's own.

    A colour outside of sRGB loses chroma at constant Y'; no channel is clipped alone.
    """
    black, span = signal.grey_levels
    centre, unit = signal.chroma_levels
    grey = plane(frame, 0)
    blue, red = (_enlarged(plane(frame, number), grey.shape) for number in (1, 2))
    top = 2**depth - 1
    rgb = np.empty((*grey.shape, 3), np.uint16 if depth == 16 else np.uint8)
    for start in range(0, len(grey), _ROWS):
        rows = slice(start, start + _ROWS)
        Y = np.clip((grey[rows].astype(np.float32) - black) / span, 0, 1)
        Cb, Cr = ((each[rows].astype(np.float32) - centre) / unit for each in (blue, red))
        away = ycbcr_to_rgb(np.stack([np.zeros_like(Y), Cb, Cr], -1), signal.matrix)
        rgb[rows] = np.rint(_inside(Y, away) * top)
    return rgb


def _inside(Y: Float, away: Float) -> Float:
    """Y' and as much of the way from it to R'G'B' as stays in [0, 1]: (h, w, 3)."""
    grey = Y[..., None]
    room = np.where(away > 0, 1 - grey, grey) / np.maximum(np.abs(away), np.float32(1e-6))
    return grey + away * np.minimum(room.min(-1, keepdims=True), 1)


def _enlarged(codes: Codes, size: tuple[int, ...]) -> Codes:
    """A chroma plane at the size of Y', by cubic convolution."""
    if codes.shape == size:
        return codes
    kind = "gray" if codes.dtype == np.uint8 else "gray16le"
    whole = av.VideoFrame.from_ndarray(codes.copy(), kind)
    return plane(whole.reformat(size[1], size[0], kind, interpolation="BICUBIC"), 0)
