"""What a film will look like: some seconds of it, grey and coloured side by side."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av
import numpy as np

from tintype.engine import Colorizer, Options
from tintype.errors import UnreadableFilm, UsageError
from tintype.video.decoding import Damage, first_time, frames_of
from tintype.video.film import FilmOptions, FilmProgress, painter_of, probed
from tintype.video.names import CLOCK, clock_s
from tintype.video.painting import Painted, refuse_colour
from tintype.video.planes import Signal, plane
from tintype.video.probe import Film
from tintype.video.recording import Recording
from tintype.video.segments import Position
from tintype.video.stages import ahead

_AHEAD = 6
_WRITTEN = re.compile(rf"(\d+(?:\.\d+)?)s?(?:@({CLOCK})s?)?")


@dataclass(frozen=True)
class Sample:
    """A part of a film.

    Attributes:
        length_s: how long, in seconds.
        start_s: where it begins, in seconds from the film's beginning.
    """

    length_s: Fraction
    start_s: Fraction = Fraction(0)

    @classmethod
    def parse(cls, text: str) -> Sample:
        """Read ``10s``, ``10s@80`` or ``10s@01:20``.

        Raises:
            UsageError: it is written otherwise, or nothing is left of it.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None or not Fraction(found[1]):
            raise UsageError(f'A preview is written "10s" or "10s@01:20", not "{text}".')
        return cls(Fraction(found[1]), clock_s(found[2] or "0"))


def write_preview(
    colorizer: Colorizer,
    source: str | Path,
    target: Path,
    sample: Sample,
    options: Options | None = None,
    how: FilmOptions | None = None,
) -> Generator[FilmProgress, None, None]:
    """Write a sample of a film without its sound, grey on the left and coloured on the right.

    Args:
        colorizer: a loaded model.
        source: the film.
        target: the sample.
        sample: which part.
        options: of the pictures.
        how: of the film; no rate is drawn.

    Yields:
        Progress for each frame.

    Raises:
        UnreadableFilm: the source cannot be opened or decoded, or ends before the sample begins.
        UnwritableFilm: the output's container, codec or disk does not take it.
        AlreadyColour: the film has colours and ``options.force`` is not set.
    """
    options, how = options or Options(), replace(how or FilmOptions(), fps_overlay=False)
    film = probed(source, how)
    if not options.force:
        refuse_colour(film)
    begin = first_time(film) + sample.start_s / film.time_base
    end = begin + sample.length_s / film.time_base
    wide = _doubled(film)
    mark = colorizer.mark if options.mark else None
    decoded = frames_of(film.source, film, Damage(), round(begin) if sample.start_s else None)
    frames = ahead(takewhile(lambda frame: (frame.pts or 0) < end, decoded), _AHEAD)
    painted = ahead(painter_of(colorizer, film, options, how)(frames, Position()), _AHEAD)
    total, done, predicted = round(sample.length_s * film.rate), 0, 0
    recording = Recording(target, wide, how.encoding, mark)
    try:
        with closing(frames), closing(painted):
            for each in painted:
                recording.write(_beside(each, wide, film, round(begin)))
                done, predicted = done + 1, predicted + each.predicted
                yield FilmProgress(done, total, "sample", float(film.rate), predicted)
    finally:
        recording.close()
    if not done:
        raise UnreadableFilm(f"{source} ends before the preview begins.")
    yield FilmProgress(done, done, "done", float(film.rate), predicted)


def _axis(film: Film) -> int:
    """The side of the stored frames that lies across when they are shown."""
    return 0 if film.rotation % 180 else 1


def _doubled(film: Film) -> Film:
    """The film twice beside itself; an odd last row or column is left out."""
    size = [*film.size]
    size[_axis(film)] = size[_axis(film)] // 2 * 4
    return replace(film, size=(size[0], size[1]), frames=None, others=(), chapters=0)


def _beside(painted: Painted, wide: Film, film: Film, begin: int) -> av.VideoFrame:
    """A frame without its colours, and beside it the same with them."""
    frame, axis = painted.frame, _axis(film)
    both = av.VideoFrame(wide.size[1], wide.size[0], film.signal.format)
    for number in range(3):
        into, whole = plane(both, number), plane(frame, number)
        coloured = whole[tuple(slice(0, n // (1 + (a == axis))) for a, n in enumerate(into.shape))]
        grey = coloured if number == 0 else np.full_like(coloured, _empty(film.signal))
        turned = film.rotation % 360 >= 180  # what is stored first is shown last
        into[:] = np.concatenate([coloured, grey] if turned else [grey, coloured], axis)
    both.pts, both.time_base = (frame.pts or 0) - begin, film.time_base
    return both


def _empty(signal: Signal) -> int:
    return int(signal.chroma_levels[0])
