"""Colorizing film: decode, colour and encode, overlapping; steady, resumable, the sound untouched.

The film is made in segments, which lie beside the output until the last is finished and all are
joined with the source's other streams. Interrupted work goes on after the last finished segment
and gives the same film, packet by packet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from tintype.engine import Colorizer, Options
from tintype.errors import UsageError
from tintype.options import decisive
from tintype.temporal import STEADY
from tintype.video.decoding import Damage, frames_of
from tintype.video.encoding import Encoding, SegmentEncoder
from tintype.video.keyframes import key_frames
from tintype.video.names import is_sequence
from tintype.video.outputs import Output, output_for
from tintype.video.overlay import with_rate
from tintype.video.painting import (
    FilmFrame,
    Paint,
    Painted,
    film_frames,
    painted_frames,
    refuse_colour,
)
from tintype.video.pictures import PictureWriter
from tintype.video.probe import Film
from tintype.video.segments import SEGMENT_S, Position, Segments
from tintype.video.sequences import numbered, run_of
from tintype.video.stages import ahead

__all__ = [
    "Encoding",
    "Film",
    "FilmFrame",
    "FilmOptions",
    "FilmProgress",
    "colorize_film",
    "film_frames",
    "make_film",
    "painted_frames",
    "painter_of",
    "probed",
]

_NEARLY = 0.98  # of a film: sound often lasts a little longer than the picture
_AHEAD = 6  # frames that wait between two stages


@dataclass(frozen=True)
class FilmOptions:
    """How a film is colorized, beside what holds for every picture.

    Attributes:
        steady: 0 colours each frame by itself, 1 is steadiest.
        encoding: of the picture.
        drop_unsupported: leave out streams that the output cannot hold.
        rate: frames per second of numbered pictures; None: 24.
        fps_overlay: draw the measured frames per second into the picture.
    """

    steady: float = STEADY
    encoding: Encoding = field(default_factory=Encoding)
    drop_unsupported: bool = False
    rate: Fraction | None = None
    fps_overlay: bool = False


@dataclass(frozen=True)
class FilmProgress:
    """How far a film is.

    Attributes:
        done: frames finished, those of earlier work included.
        total: in all, as far as is known; 0 when the film does not say.
        stage: what is being done, for people.
        rate: frames per second when the film is shown.
        predicted: frames that the network has seen in this work.
        notes: what the user should know, one sentence each; at the end.
    """

    done: int
    total: int
    stage: str
    rate: float
    predicted: int = 0
    notes: tuple[str, ...] = ()


def colorize_film(
    colorizer: Colorizer,
    source: str | Path,
    target: Path,
    options: Options | None = None,
    how: FilmOptions | None = None,
) -> Generator[FilmProgress, None, None]:
    """Give a film its colours.

    Args:
        colorizer: a loaded model.
        source: the film, or the pattern of numbered pictures (``scan_%04d.png``).
        target: the output; its suffix says the container. It appears when it is whole. A pattern
            gets numbered pictures, each of which appears when it is whole.
        options: of the pictures: strength, working size, force, mark.
        how: of the film.

    Yields:
        Progress for each frame.

    Raises:
        UnreadableFilm: the source cannot be opened or decoded.
        UnwritableFilm: the output's container, codec or disk does not take it.
        AlreadyColour: the film has colours and ``options.force`` is not set.
        UsageError: options that make no sense together.
    """
    options, how = options or Options(), how or FilmOptions()
    film = probed(source, how)
    output = output_for(
        film,
        target,
        how.encoding,
        colorizer.mark if options.mark else None,
        quality=options.quality,
        drop_unsupported=how.drop_unsupported,
    )
    if not options.force:
        refuse_colour(film)
    made_with = {
        "model": [colorizer.name, colorizer.version],
        "options": hashlib.sha256(repr(decisive(options)).encode()).hexdigest(),
        "how": asdict(how),
    }
    yield from make_film(output, painter_of(colorizer, film, options, how), made_with)


def probed(source: str | Path, how: FilmOptions) -> Film:
    """Look at a film, or at numbered pictures as one.

    Raises:
        UnreadableFilm: it cannot be opened.
        UsageError: a rate for a film that has its own.
    """
    if how.rate is not None and not is_sequence(str(source)):
        raise UsageError(f"--rate is for numbered pictures; {source} has a rate of its own.")
    return Film.probe(source, how.rate)


def painter_of(colorizer: Colorizer, film: Film, options: Options, how: FilmOptions) -> Paint:
    """What gives the frames of a film their colours.

    Args:
        colorizer: a loaded model.
        film: what they are of.
        options: strength and working size.
        how: steadiness, and whether the rate is drawn.
    """

    keys = key_frames(colorizer, film, options)  # says now what is wrong with a reference

    def paint(frames: Iterator[av.VideoFrame], at: Position) -> Iterator[Painted]:
        painted = painted_frames(colorizer, film, frames, options, how.steady, at, keys=keys)
        return with_rate(painted, film.signal) if how.fps_overlay else painted

    return paint


def make_film(
    output: Output, paint: Paint, made_with: Mapping[str, object]
) -> Generator[FilmProgress, None, None]:
    """Write a film, going on with earlier work on the same one.

    Args:
        output: what and where.
        paint: what its frames go through.
        made_with: what the frames depend on, beside the source and the encoding.

    Yields:
        Progress for each frame.

    Raises:
        UnreadableFilm: the source cannot be decoded.
        UnwritableFilm: the disk is full, or the output does not take a stream.
    """
    film = output.film
    segments = output.segments({**made_with, **_source_and_encoding(output)})
    at, damage = segments.open(), Damage()
    predicted, rate = 0, float(film.rate)
    for shown in _make_segments(output, paint, segments, at, damage):
        predicted += shown.predicted
        yield FilmProgress(shown.number + 1, film.frames or 0, "colouring", rate, predicted)
    at = segments.open()
    yield FilmProgress(at.frame, film.frames or at.frame, "joining", rate, predicted)
    output.finish(segments, at.segment)
    segments.remove()
    damaged = (f"{damage.packets} damaged packets were skipped.",) if damage.packets else ()
    notes = (*output.notes(), *damaged, *_cut_short(film, at.frame))
    yield FilmProgress(at.frame, at.frame, "done", rate, predicted, notes)


def _cut_short(film: Film, frames: int) -> Iterator[str]:
    shown_s, said_s = float(frames / film.rate), film.duration_s or 0.0
    if shown_s < _NEARLY * said_s - 1:
        yield f"The picture ends after {shown_s:.1f} of {said_s:.1f} seconds that are announced."


def _source_and_encoding(output: Output) -> dict[str, object]:
    path = Path(output.film.source)
    files = [path] if path.is_file() else []
    if is_sequence(output.film.source):
        files = [numbered(path, number) for number in run_of(path)]
    stats = [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, files)]
    return {
        "film": asdict(output.film),
        "files": hashlib.sha256(repr(stats).encode()).hexdigest(),
        "encoder": [output.encoder, asdict(output.encoding)],
    }


def _make_segments(
    output: Output, paint: Paint, segments: Segments, at: Position, damage: Damage
) -> Iterator[Painted]:
    """Encode what is missing; yields each frame as it has been encoded."""
    if at.ended:
        return
    film = output.film
    length = max(2, round(SEGMENT_S * film.rate))
    frames = ahead(frames_of(film.source, film, damage, at.pts), _AHEAD)
    painted = ahead(paint(frames, at), _AHEAD)
    number, writer, before = at.segment, None, None
    try:
        for each in painted:
            if before is not None and each.number % length == 0 and writer is not None:
                writer.close()
                segments.finish(number, before.state, each.number, each.frame.pts)
                number, writer = number + 1, None
            if writer is None:
                writer = _writer(output, segments.part(number), each.number)
            writer.write(each.frame)
            before = each
            yield each
        if writer is not None and before is not None:
            writer.close()
            segments.finish(number, before.state, before.number + 1, None)
    finally:
        painted.close()
        frames.close()


def _writer(output: Output, part: Path, start: int) -> SegmentEncoder | PictureWriter:
    """What writes the segment that begins with a frame."""
    pictures = output.pictures(part, start)
    if pictures is not None:
        return pictures
    return SegmentEncoder(part, output.film, output.encoder, output.encoding)
