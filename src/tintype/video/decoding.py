"""The frames of a film in order, from the start or from a given time, damage skipped."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from tintype.errors import UnreadableFilm
from tintype.video.names import is_sequence
from tintype.video.probe import Film, opened, picture_of

HOPELESS = 500
"""So many damaged packets in a row are the end of a film."""

JUMP_S = 1
"""A clock that goes back further has been set anew."""


@dataclass
class Damage:
    """How many packets of a film could not be decoded."""

    packets: int = 0


def frames_of(
    source: str | Path,
    film: Film,
    damage: Damage,
    start: int | None = None,
    options: dict[str, str] | None = None,
) -> Generator[av.VideoFrame, None, None]:
    """Decode a film's picture.

    Args:
        source: as of ``Film.probe``.
        film: what it is.
        damage: counts what is skipped.
        start: timestamp in units of ``film.time_base`` of the first frame wanted; None begins with
            the first.
        options: for FFmpeg's reader.

    Yields:
        Frames with timestamps that rise, all of the film's size.

    Raises:
        UnreadableFilm: it cannot be opened, or nothing more can be decoded.
    """
    if start is not None and not _guesses_times(film):
        with opened(source, options) as container:
            stream = picture_of(container, str(source))
            container.seek(start, stream=stream)
            frames = in_order(_decoded(container, stream, damage), film)
            first = next(frames, None)
            if first is not None and first.pts is not None and first.pts <= start:
                if first.pts == start:
                    yield first
                yield from _from(frames, start)
                return
    with opened(source, options) as container:  # from the beginning, as seeking missed
        stream = picture_of(container, str(source))
        frames = in_order(_decoded(container, stream, damage), film)
        yield from frames if start is None else _from(frames, start)


def _guesses_times(film: Film) -> bool:
    """Whether a container knows no times of frames that are stored in another order.

    FFmpeg guesses them, otherwise after a seek than from the beginning.
    """
    return film.container == "avi" and film.reordered


def _from(frames: Iterator[av.VideoFrame], start: int) -> Iterator[av.VideoFrame]:
    return (frame for frame in frames if frame.pts is not None and frame.pts >= start)


def _decoded(
    container: InputContainer, stream: av.VideoStream, damage: Damage
) -> Iterator[av.VideoFrame]:
    in_a_row = 0
    for packet in _packets(container, stream, damage):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            damage.packets += 1
            in_a_row += 1
            if in_a_row > HOPELESS:
                raise UnreadableFilm(
                    f"{container.name} is damaged: {in_a_row} packets in a row cannot be decoded."
                ) from error
            continue
        if frames:
            in_a_row = 0
        yield from frames


def _packets(
    container: InputContainer, stream: av.VideoStream, damage: Damage
) -> Iterator[av.Packet[av.VideoStream]]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:  # a file that was cut off: what came before it counts
            damage.packets += 1
            return
        yield packet


class _Clock:
    """Tells a clock that is set anew inside a film from a single damaged time."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._latest: int | None = None
        self._late = 0  # times in a row that only a clock set anew explains

    def shows(self, time: int) -> None:
        """Take the next time, in units of ``film.time_base``.

        Raises:
            UnreadableFilm: the clock was set anew a second ago.
        """
        film = self._film
        if self._latest is None or (self._latest - time) * film.time_base <= JUMP_S:
            self._latest, self._late = max(time, self._latest or time), 0
            return
        self._late += 1
        if self._late > film.rate * JUMP_S:
            raise UnreadableFilm(
                f"The clock of {film.source} starts anew, as in recordings that were joined end to "
                'end: colour it as a stream, "tintype colorize - -o OUTPUT < FILM".'
            )


def refuse_joined(film: Film) -> None:
    """Read the times of a film in a container where recordings are joined, before any work.

    Raises:
        UnreadableFilm: its clock starts anew, or it cannot be opened.
    """
    if film.container not in ("mpegts", "mpeg"):
        return
    clock = _Clock(film)
    with opened(film.source) as container:
        for packet in _packets(container, picture_of(container, film.source), Damage()):
            if packet.dts is not None:
                clock.shows(packet.dts)


def in_order(frames: Iterator[av.VideoFrame], film: Film) -> Iterator[av.VideoFrame]:
    """Give frames without a time one, keep times rising, and bring all to one size and format.

    Raises:
        UnreadableFilm: the clock starts anew, so that times cannot be told apart.
    """
    last: int | None = None
    step = max(1, round(1 / (film.rate * film.time_base)))
    counted = _guesses_times(film)
    clock = _Clock(film)
    for frame in frames:
        pts = frame.pts if last is None or not counted else last + step
        if pts is None:
            pts = 0 if last is None else last + step
        clock.shows(pts)
        if last is not None and pts <= last:
            pts = last + 1
        odd = (frame.height, frame.width) != film.size or frame.format.name != film.pixel_format
        if odd:
            height, width = film.size
            frame = frame.reformat(width, height, film.pixel_format)  # noqa: PLW2901
        frame.pts, frame.time_base = pts, film.time_base
        last = pts
        yield frame


def first_time(film: Film) -> int:
    """When the first frame is shown, in units of ``film.time_base``."""
    with closing(frames_of(film.source, film, Damage())) as frames:
        return next((frame.pts or 0 for frame in frames), 0)


@dataclass(frozen=True)
class Timing:
    """When the frames of a film are shown.

    Attributes:
        steady: whether all last equally long, to the precision of the timestamps.
        hundredths: whether each is shown at a whole number of hundredths of a second.
        last_s: how long the last is shown, in seconds.
    """

    steady: bool
    hundredths: bool
    last_s: Fraction


def timing_of(film: Film) -> Timing:
    """Read the timestamps of a whole film; decodes nothing.

    Raises:
        UnreadableFilm: it cannot be opened.
    """
    if is_sequence(film.source):
        return Timing(steady=True, hundredths=False, last_s=1 / film.rate)
    with opened(film.source) as container:
        stream = picture_of(container, film.source)
        known = [(p.pts, p.duration) for p in container.demux(stream) if p.size]
    shown = sorted((pts, length or 0) for pts, length in known if pts is not None)
    if len(shown) < 2:
        return Timing(steady=True, hundredths=True, last_s=1 / film.rate)
    times = [pts for pts, _ in shown]
    step = Fraction(times[-1] - times[0], len(times) - 1)
    return Timing(
        steady=all(abs(t - times[0] - i * step) <= 1 for i, t in enumerate(times)),
        hundredths=all(((t - times[0]) * film.time_base * 100).denominator == 1 for t in times),
        last_s=shown[-1][1] * film.time_base or 1 / film.rate,
    )
