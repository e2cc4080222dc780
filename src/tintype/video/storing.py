"""How film is stored grey: its Y' alone with its sound, to be coloured when it is played."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import av

from tintype.errors import UsageError
from tintype.video.encoding import Encoding, encoder_for
from tintype.video.film import FilmOptions, FilmProgress, make_film, probed
from tintype.video.names import PLAYLIST, WRITABLE
from tintype.video.outputs import output_for
from tintype.video.painting import Paint, Painted
from tintype.video.planes import Painter, plane
from tintype.video.probe import Film
from tintype.video.segments import Position

_MONOCHROME = ("ffv1",)
"""Encoders that store no chroma at all; the others would save a thousandth, and few players show
what they write."""

_CRF = {"libx264": 23, "libx265": 25, "libsvtav1": 32, "libvpx-vp9": 31}
"""Qualities that save bytes against most sources, where none is asked for."""


def stored_how(target: Path | None, encoding: Encoding) -> Encoding:
    """How grey film is encoded: as asked for, and otherwise so that bytes are saved.

    Args:
        target: the output; None is standard output.
        encoding: what was asked for.

    Raises:
        UsageError: the output is a GIF or numbered pictures.
        UnwritableFilm: the container does not take the codec.
    """
    path = target or Path("-.mkv")
    if path.suffix.lower() not in (*WRITABLE, PLAYLIST) or path.suffix.lower() == ".gif":
        raise UsageError(f"Film is stored grey in a film file such as .mkv, not in {target}.")
    usual = _CRF.get(encoder_for(path, encoding))
    return encoding if encoding.crf is not None else replace(encoding, crf=usual)


def stored_as(film: Film, encoder: str) -> Film:
    """What a film is when only its Y' is stored: grey, or 4:2:0 with empty chroma.

    Args:
        film: the source.
        encoder: by FFmpeg's name.
    """
    kind = "gray" if encoder in _MONOCHROME else "yuv420p"
    deep = f"{film.signal.depth}le" if film.signal.depth > 8 else ""
    return replace(film, signal=replace(film.signal, format=kind + deep))


def grey_painter(film: Film, stored: Film) -> Paint:
    """What leaves of each frame its Y', untouched.

    Args:
        film: the source.
        stored: what is written, of :func:`stored_as`.
    """
    opening = Painter(film.signal, film.size)

    def paint(frames: Iterator[av.VideoFrame], at: Position) -> Iterator[Painted]:
        for number, frame in enumerate(frames, at.frame):
            grey = av.VideoFrame(frame.width, frame.height, stored.signal.format)
            plane(grey, 0)[:] = plane(opening.opened(frame), 0)
            for chroma in range(1, len(grey.planes)):
                plane(grey, chroma)[:] = int(stored.signal.chroma_levels[0])
            grey.pts, grey.time_base = frame.pts, frame.time_base
            yield Painted(grey, number, {}, predicted=False)

    return paint


def store_grey(
    source: str | Path, target: Path, how: FilmOptions | None = None
) -> Generator[FilmProgress, None, None]:
    """Write a film's Y' and everything beside its picture.

    Args:
        source: the film; whether it is in colour does not matter.
        target: the output.
        how: encoding, rate and what may be dropped.

    Yields:
        Progress for each frame; at the end a note of the bytes saved.

    Raises:
        UnreadableFilm, UnwritableFilm, UsageError: as ``colorize_film``.
    """
    how = how or FilmOptions()
    film = probed(source, how)
    encoding = stored_how(target, how.encoding)
    stored = stored_as(film, encoder_for(target, encoding))
    output = output_for(stored, target, encoding, None, drop_unsupported=how.drop_unsupported)
    for state in make_film(output, grey_painter(film, stored), {"grey": True}):
        if state.stage == "done" and Path(source).is_file():
            sizes = Path(source).stat().st_size, target.stat().st_size
            state = replace(state, notes=(*state.notes, saved(*sizes)))  # noqa: PLW2901
        yield state


def saved(before: int, after: int) -> str:
    """The sentence on bytes.

    Args:
        before: bytes of the source.
        after: bytes of what was written.
    """
    share = abs(before - after) / max(before, 1)
    kind = "saved" if after <= before else "more than before"
    return f"{before:,} bytes became {after:,}: {abs(before - after):,} {kind} ({share:.0%})."
