"""What a film file holds: pictures, rate, range, sound, subtitles, chapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import ColorRange

from tintype.color import Luma
from tintype.errors import UnreadableFilm
from tintype.video.names import is_sequence
from tintype.video.planes import Signal, is_rgb, planar_format
from tintype.video.sequences import pictures_for_ffmpeg
from tintype.video.sniffing import CONTAINERS, HEAD_BYTES, holds_film

FieldOrder = Literal["progressive", "top field first", "bottom field first"]

_MATRICES: dict[int, Luma] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
_SPACES: dict[Luma, int] = {"bt709": 1, "bt601": 6, "bt2020": 9}
_FIELD_ORDERS: dict[int, FieldOrder] = {
    2: "top field first",
    4: "top field first",  # coded top first, shown bottom first and the like: the coded order
    3: "bottom field first",
    5: "bottom field first",
}
_HD_LINES = 720
_FASTEST = 1000  # frames per second


@dataclass(frozen=True)
class OtherStream:
    """A stream beside the picture, which is copied.

    Attributes:
        index: its number in the file.
        kind: "audio", "subtitle", "data", "attachment", or "video" for a cover picture.
        codec: name of its codec, "" when it has none.
        language: as three letters, "" when not said.
    """

    index: int
    kind: str
    codec: str
    language: str

    def __str__(self) -> str:
        extra = ", ".join(part for part in (self.codec, self.language) if part)
        return f"stream {self.index} ({self.kind}{', ' if extra else ''}{extra})"


@dataclass(frozen=True)
class Film:
    """What is known of a film before it is decoded.

    Attributes:
        source: path or address.
        container: FFmpeg's name of its container.
        codec: of the picture.
        pixel_format: FFmpeg's name.
        size: (height, width) of the stored frames in pixels.
        aspect: width of a pixel divided by its height.
        rotation: degrees, counter-clockwise, that players turn the picture by.
        rate: frames per second on average.
        frames: how many there are, None when the file does not say.
        duration_s: in seconds, None when the file does not say.
        time_base: unit of its timestamps in seconds.
        signal: how samples stand for light.
        field_order: of interlaced film.
        reordered: whether frames are stored in another order than they are shown.
        others: the other streams.
        chapters: how many.
    """

    source: str
    container: str
    codec: str
    pixel_format: str
    size: tuple[int, int]
    aspect: Fraction
    rotation: int
    rate: Fraction
    frames: int | None
    duration_s: float | None
    time_base: Fraction
    signal: Signal
    field_order: FieldOrder
    reordered: bool
    others: tuple[OtherStream, ...]
    chapters: int

    @classmethod
    def probe(cls, source: str | Path, rate: Fraction | None = None) -> Film:
        """Look at a film.

        Args:
            source: a file, an address that FFmpeg can open, or numbered pictures
                (``scan_%04d.png``).
            rate: frames per second of numbered pictures; None: 24.

        Raises:
            UnreadableFilm: it cannot be opened, or holds no moving picture.
        """
        options = {} if rate is None else {"framerate": str(rate)}
        with opened(source, options) as container:
            return film_of(container, str(source))


@contextmanager
def opened(source: str | Path, options: dict[str, str] | None = None) -> Iterator[InputContainer]:
    """A film, open for reading; several frames are decoded at a time.

    A file that begins as a film is read as one: a playlist further on in it, which FFmpeg might
    find more likely, would make it open other files and addresses.

    Raises:
        UnreadableFilm: it cannot be opened, or, while it is read, turns out to be damaged.
    """
    name, kind, options = str(source), None, options or {}
    if is_sequence(name):
        name, kind, options = pictures_for_ffmpeg(Path(source), options)
    elif _begins_as_film(name):
        options = {**options, "format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        name = str(Path(name).absolute())  # a colon in it would be a protocol's
    try:
        container = av.open(name, format=kind, options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UnreadableFilm(f"{source} cannot be opened as a film: {reason_of(error)}.") from error
    with container:
        yield container


def _begins_as_film(name: str) -> bool:
    path = Path(name)
    if not path.is_file():  # an address, a pipe or a device
        return False
    with suppress(OSError), path.open("rb") as file:
        return holds_film(file.read(HEAD_BYTES))
    return False


def picture_of(container: InputContainer, source: str) -> av.VideoStream:
    """The stream that is coloured: the first that is no cover.

    Raises:
        UnreadableFilm: there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            stream.thread_type = "AUTO"
            return stream
    raise UnreadableFilm(f"{source} holds no moving picture.")


def film_of(container: InputContainer, source: str) -> Film:
    """What an open film is; reads its first frame.

    Raises:
        UnreadableFilm: no moving picture, or none that can be decoded.
    """
    stream = picture_of(container, source)
    return described(container, stream, _first_frame(container, stream, source), source)


def described(
    container: InputContainer, stream: av.VideoStream, frame: av.VideoFrame, source: str
) -> Film:
    """What an open film is, by its first frame."""
    context = stream.codec_context
    name = frame.format.name
    depth = frame.format.components[0].bits
    signal = Signal(
        planar_format(name), _planar_depth(name, depth), _full_range(frame, name), _matrix(frame)
    )
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    if rate > _FASTEST and stream.guessed_rate:  # raw DV says its clock's
        rate = stream.guessed_rate
    duration = _duration(container, stream)
    return Film(
        source=source,
        container=container.format.name,
        codec=context.name,
        pixel_format=name,
        size=(frame.height, frame.width),
        aspect=stream.sample_aspect_ratio or context.sample_aspect_ratio or Fraction(1),
        rotation=int(frame.rotation),
        rate=Fraction(rate),
        frames=stream.frames or (round(duration * rate) if duration else None),
        duration_s=duration,
        time_base=Fraction(stream.time_base or Fraction(1, 1000)),
        signal=signal,
        field_order=_field_order(context, frame.interlaced_frame),
        reordered=bool(context.has_b_frames),
        others=tuple(_others(container, stream)),
        chapters=len(container.chapters()),
    )


def _first_frame(container: InputContainer, stream: av.VideoStream, source: str) -> av.VideoFrame:
    try:
        for frame in container.decode(stream):
            return frame
    except av.FFmpegError as error:
        raise UnreadableFilm(f"{source} cannot be decoded: {reason_of(error)}.") from error
    raise UnreadableFilm(f"{source} holds no frame that can be decoded.")


def _planar_depth(name: str, depth: int) -> int:
    return (16 if planar_format(name).endswith("16le") else 8) if is_rgb(name) else depth


def _full_range(frame: av.VideoFrame, name: str) -> bool:
    if is_rgb(name) or name.startswith("yuvj"):
        return True
    return frame.color_range == ColorRange.JPEG or (
        name.startswith("gray") and frame.color_range != ColorRange.MPEG
    )


def _matrix(frame: av.VideoFrame) -> Luma:
    """What the film says; where it is silent, BT.709 for high definition and BT.601 below."""
    said = _MATRICES.get(int(frame.colorspace))
    return said or ("bt709" if frame.height >= _HD_LINES else "bt601")


def space_of(matrix: Luma) -> int:
    """FFmpeg's number of a matrix."""
    return _SPACES[matrix]


def _field_order(context: av.VideoCodecContext, interlaced: bool) -> FieldOrder:
    if context.field_order in _FIELD_ORDERS:
        return _FIELD_ORDERS[context.field_order]
    if not interlaced:
        return "progressive"
    return "bottom field first" if context.name == "dvvideo" else "top field first"


def _duration(container: InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _others(container: InputContainer, picture: av.VideoStream) -> Iterator[OtherStream]:
    for stream in container.streams:
        if stream.index != picture.index:
            context = getattr(stream, "codec_context", None)
            name = context.name if context is not None else ""
            if stream.type == "data" and not name:
                continue  # chapters and a timecode, which are copied as such; a camera's own data
            yield OtherStream(stream.index, stream.type, name, stream.language or "")


def reason_of(error: BaseException) -> str:
    """What FFmpeg or the system said, without an end stop."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).rstrip(".")
