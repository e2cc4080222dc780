"""Where the live view's frames come from: a camera, a film file, or an address on the network.

FFmpeg reads cameras by another name on every system: v4l2 on Linux, avfoundation on macOS, dshow
on Windows. Cameras and streams are opened once, and their frames are timed as they arrive.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer

from tintype.errors import UnreadableFilm, UsageError
from tintype.video.decoding import HOPELESS, Damage, frames_of
from tintype.video.names import is_address
from tintype.video.probe import Film, described, picture_of, reason_of

_MILLISECOND = Fraction(1, 1000)
_SILENT_S = 10.0  # so long may a camera or a stream say nothing
_EMPTY_S = 0.005  # macOS answers at once, and with nothing, when no frame is there yet
_SEGMENTED = ("hls", "dash")  # streams that come in bursts of seconds, but with good timestamps
_RELIABLE = {"rtsp_flags": "prefer_tcp"}


@dataclass(frozen=True)
class Reel:
    """Frames to be shown.

    Attributes:
        name: for the window and for the names of stills.
        film: what the frames are of.
        frames: in order; can be read once.
        live: whether only the newest frame counts; else each is shown at its own time.
    """

    name: str
    film: Film
    frames: Iterator[av.VideoFrame]
    live: bool


@dataclass(frozen=True)
class Device:
    """A camera as FFmpeg knows it.

    Attributes:
        address: its path, number or name.
        format: how it is read.
        options: for that.
    """

    address: str
    format: str
    options: dict[str, str]


def open_reel(source: str, rate: Fraction | None = None) -> Reel:
    """Open what is to be shown.

    Args:
        source: the number or path of a camera, a film file, or an address.
        rate: frames per second asked of a camera.

    Raises:
        UnreadableFilm: there is no such camera, or the film or stream cannot be opened.
        UsageError: a rate for a stream, which comes as it comes.
    """
    device = device_of(source, rate, sys.platform)
    if device is not None:
        return _live(_opened(device.address, device.format, device.options), source, "camera")
    if not is_address(source):
        film = Film.probe(source)
        return Reel(Path(source).stem, film, frames_of(source, film, Damage()), live=False)
    container = _opened(source, None, _RELIABLE)
    reel = _live(container, source, "stream")
    if reel.film.duration_s is None and not reel.film.container.startswith(_SEGMENTED):
        if rate is not None:
            raise UsageError("--fps is for films and cameras; a stream comes at its own rate.")
        return reel
    container.close()
    film = Film.probe(source)
    return Reel(reel.name, film, frames_of(source, film, Damage()), live=False)


def device_of(source: str, rate: Fraction | None, platform: str) -> Device | None:
    """The camera that is meant, or None when no camera is.

    Args:
        source: a number, or what the system calls it: ``/dev/video2``, ``video=Name``.
        rate: frames per second wanted; None takes what the camera gives.
        platform: as ``sys.platform``.

    Raises:
        UnreadableFilm: on Windows, there are not so many cameras.
    """
    options = {} if rate is None else {"framerate": str(rate)}
    if platform == "darwin":
        # The built-in cameras refuse FFmpeg's default of 29.97.
        return Device(source, "avfoundation", {"framerate": "30"} | options) if _n(source) else None
    if platform == "win32":
        name = _windows_camera(int(source)) if _n(source) else source
        return Device(name, "dshow", options) if name.startswith("video=") else None
    path = f"/dev/video{source}" if _n(source) else source
    return Device(path, "v4l2", options) if path.startswith("/dev/video") else None


def _n(source: str) -> bool:
    return source.isascii() and source.isdecimal()


def _windows_camera(number: int) -> str:
    """Windows knows cameras by name only."""
    try:
        from av.device import enumerate_input_devices
    except ImportError:  # PyAV before 17
        raise UnreadableFilm(
            'This PyAV cannot count cameras; name the camera: "video=Integrated Camera".'
        ) from None
    found = [d for d in enumerate_input_devices("dshow") if "video" in d.media_types]
    if number >= len(found):
        raise UnreadableFilm(f"There is no camera {number}: {len(found)} were found.")
    return f"video={found[number].name}"  # unlike the description, no two are the same


def _opened(address: str, kind: str | None, options: dict[str, str]) -> InputContainer:
    what = "cannot be opened as a film" if kind is None else "cannot be opened as a camera"
    try:
        container = av.open(
            address, format=kind, options=options, timeout=_SILENT_S, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        advice = "" if kind is None else " Name another one, a film file or an address."
        raise UnreadableFilm(f"{address} {what}: {_reason(error)}.{advice}") from error
    return container


def _live(container: InputContainer, source: str, name: str) -> Reel:
    stream = picture_of(container, source)
    # Frames decoded side by side come late by as many frames as there are threads.
    stream.codec_context.thread_count = 1
    frames = _decoded(_packets(container, stream, source), source)
    first = next(frames, None)
    if first is None:
        raise UnreadableFilm(f"{source} gives no frame that can be decoded.")
    film = described(container, stream, first, source)
    film = replace(film, time_base=_MILLISECOND, frames=None)
    return Reel(name, film, _arriving(container, chain([first], frames), film), live=True)


def _arriving(
    container: InputContainer, frames: Iterator[av.VideoFrame], film: Film
) -> Iterator[av.VideoFrame]:
    """Frames as they come, timed by the clock in ``film.time_base``, all of the film's size."""
    begun_s = time.monotonic()
    height, width = film.size
    with container:
        for frame in frames:
            if (frame.height, frame.width, frame.format.name) != (height, width, film.pixel_format):
                frame = frame.reformat(width, height, film.pixel_format)  # noqa: PLW2901
            frame.time_base = film.time_base
            frame.pts = round((time.monotonic() - begun_s) / film.time_base)
            yield frame


def _decoded(packets: Iterator[av.Packet[av.VideoStream]], source: str) -> Iterator[av.VideoFrame]:
    damaged = 0
    for packet in packets:
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            damaged += 1
            if damaged > HOPELESS:
                raise UnreadableFilm(f"{source} gives nothing but damage.") from error
            continue
        damaged = 0
        yield from frames


def _packets(
    container: InputContainer, stream: av.VideoStream, source: str
) -> Iterator[av.Packet[av.VideoStream]]:
    until_s = time.monotonic() + _SILENT_S
    while True:
        try:
            for packet in container.demux(stream):
                until_s = time.monotonic() + _SILENT_S
                yield packet
            return
        except BlockingIOError as error:
            if time.monotonic() > until_s:
                raise UnreadableFilm(f"{source} gives no frames.") from error
        except av.FFmpegError as error:
            raise UnreadableFilm(f"{source} broke off: {_reason(error)}.") from error
        time.sleep(_EMPTY_S)


def _reason(error: Exception) -> str:
    if isinstance(error, av.ExitError):  # how FFmpeg calls a wait that was given up
        return f"nothing came for {_SILENT_S:g} s"
    return reason_of(error)
