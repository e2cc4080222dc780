"""Colouring what comes as it comes: from the network or a pipe to a file, a pipe or HLS pieces.

Everything between source and output is bounded, so a stream may last for ever. Nothing is resumed:
what has passed is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tintype.engine import Colorizer, Options
from tintype.errors import AlreadyColour
from tintype.video.encoding import Encoding, encoder_for
from tintype.video.feed import Feed, Readable
from tintype.video.film import FilmOptions, FilmProgress, painter_of
from tintype.video.painting import Paint, only_grey
from tintype.video.probe import Film
from tintype.video.recording import Recording
from tintype.video.segments import Position
from tintype.video.stages import ahead
from tintype.video.storing import grey_painter, saved, stored_as, stored_how

_AHEAD = 3  # painted frames that wait for the encoder


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is read and written, beside what holds for every film.

    Attributes:
        keep: of a folder of pieces (HLS), so many are kept; 0 keeps all.
        silence_s: how long the network may be silent, in seconds.
        stop: when set, the output is finished.
    """

    keep: int = 0
    silence_s: float = 10.0
    stop: threading.Event = field(default_factory=threading.Event)


def colorize_stream(
    colorizer: Colorizer,
    source: str | Readable,
    target: Path | None,
    options: Options | None = None,
    how: FilmOptions | None = None,
    stream: StreamOptions | None = None,
) -> Generator[FilmProgress, None, None]:
    """Give a stream its colours.

    Args:
        colorizer: a loaded model.
        source: an address, a file's path, or what is read, such as standard input.
        target: a file, a playlist (``index.m3u8``) that gets its pieces beside it, or None for
            standard output, which gets Matroska.
        options: of the pictures: strength, working size, force, mark.
        how: of the film.
        stream: of the reading and writing.

    Yields:
        Progress for each frame.

    Raises:
        UnreadableFilm: the source cannot be opened, or broke off; what came until then is written
            and plays.
        UnwritableFilm: the output's container, codec or disk does not take it.
        AlreadyColour: the stream has colours and ``options.force`` is not set.
        BrokenPipeError: nobody reads standard output any more.
    """
    options, how, stream = options or Options(), how or FilmOptions(), stream or StreamOptions()
    with Feed(source, stream.silence_s, stream.stop) as feed:
        paint = painter_of(colorizer, feed.film, options, how)
        if not options.force:
            paint = _refusing_colour(paint, feed.film)
        mark = colorizer.mark if options.mark else None
        recording = _recording(feed, feed.film, target, how.encoding, stream, mark)
        yield from _record(feed, recording, paint)


def store_stream(
    source: str | Readable,
    target: Path | None,
    how: FilmOptions | None = None,
    stream: StreamOptions | None = None,
) -> Generator[FilmProgress, None, None]:
    """Write a stream's Y' and its sound, to be coloured when it is played.

    Args:
        source, target, how, stream: as of :func:`colorize_stream`.

    Yields:
        Progress for each frame; at the end a note of the bytes saved against those received.

    Raises:
        UnreadableFilm, UnwritableFilm, BrokenPipeError: as :func:`colorize_stream`.
        UsageError: the output is no film.
    """
    how, stream = how or FilmOptions(), stream or StreamOptions()
    encoding = stored_how(target, how.encoding)
    with Feed(source, stream.silence_s, stream.stop) as feed:
        stored = stored_as(feed.film, encoder_for(target or Path("-.mkv"), encoding))
        recording = _recording(feed, stored, target, encoding, stream, None)
        paint = grey_painter(feed.film, stored)
        yield from _record(feed, recording, paint, tell_saved=True)


def _refusing_colour(paint: Paint, film: Film) -> Paint:
    return lambda frames, at: paint(only_grey(frames, film), at)


def _recording(
    feed: Feed,
    film: Film,
    target: Path | None,
    encoding: Encoding,
    stream: StreamOptions,
    mark: str | None,
) -> Recording:
    prompt = feed.live or target is None
    return Recording(
        target, film, encoding, mark, source=feed.container, prompt=prompt, keep=stream.keep
    )


def _record(
    feed: Feed, recording: Recording, paint: Paint, *, tell_saved: bool = False
) -> Generator[FilmProgress, None, None]:
    """Run the stages; the output is finished however they end."""
    total, rate = feed.film.frames or 0, float(feed.film.rate)
    done = predicted = 0
    try:
        feed.start(recording.copy)
        # The feed is closed first: who waits for its frames waits no longer.
        with closing(ahead(paint(feed.frames(), Position()), _AHEAD)) as painted, closing(feed):
            for each in painted:
                recording.write(each.frame)
                done, predicted = done + 1, predicted + each.predicted
                yield FilmProgress(done, total, "colouring", rate, predicted)
    except AlreadyColour:
        recording.abandon()
        raise
    finally:
        recording.close()
    notes = (*_notes(feed, recording, done), *([_saved(feed, recording)] if tell_saved else []))
    yield FilmProgress(done, done, "done", rate, predicted, notes)
    feed.raise_failure()


def _notes(feed: Feed, recording: Recording, done: int) -> Iterator[str]:
    if recording.lost:
        yield f"Left out: {', '.join(recording.lost)}."
    if feed.dropped:
        total = feed.dropped + done
        yield f"{feed.dropped} of {total} frames were dropped, as they came too fast."
    if feed.damaged:
        yield f"{feed.damaged} damaged packets were skipped."


def _saved(feed: Feed, recording: Recording) -> str:
    return saved(feed.received_bytes, recording.sent_bytes)
