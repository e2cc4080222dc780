"""Colorizing film: decode, colour and encode, overlapping; steady, resumable, the sound untouched.

The film is made in segments, which lie beside the output until the last is finished and all are
joined with the source's other streams. Interrupted work goes on after the last finished segment
and gives the same film, packet by packet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tintype.engine import Colorizer, Options
from tintype.engine.view import working_shape
from tintype.errors import AlreadyColour, UnwritableFilm
from tintype.images.tone import classify_tone
from tintype.temporal import STRIDE, Steadier
from tintype.video.decoding import Damage, frames_of, has_steady_rate
from tintype.video.encoding import (
    Encoding,
    SegmentEncoder,
    encoder_for,
    holds_any_rate,
    output_format,
)
from tintype.video.joining import join_film, refuse_losses, unsupported_streams
from tintype.video.planes import Painter, rgb_of
from tintype.video.probe import Film
from tintype.video.segments import SEGMENT_S, Position, Segments, State
from tintype.video.stages import ahead

__all__ = ["Encoding", "Film", "FilmOptions", "FilmProgress", "colorize_film", "painted_frames"]

STEADY = 0.85
"""How steady colours are unless asked otherwise."""

_AHEAD = 6  # frames that wait between two stages
_SAMPLES = 8  # frames looked at to tell whether a film is in colour


@dataclass(frozen=True)
class FilmOptions:
    """How a film is colorized, beside what holds for every picture.

    Attributes:
        steady: 0 colours each frame by itself, 1 is steadiest.
        encoding: of the picture.
        drop_unsupported: leave out streams that the output cannot hold.
    """

    steady: float = STEADY
    encoding: Encoding = field(default_factory=Encoding)
    drop_unsupported: bool = False


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


@dataclass(frozen=True)
class Painted:
    """A coloured frame.

    Attributes:
        frame: its planes.
        number: in the film, from 0.
        state: of the steadier after it.
        predicted: whether the network saw it.
    """

    frame: av.VideoFrame
    number: int
    state: State
    predicted: bool


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
        source: the film.
        target: the output; its suffix says the container. It appears when it is whole.
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
    film = Film.probe(source)
    encoder = encoder_for(target, how.encoding)
    losses = unsupported_streams(film, target)
    if not how.drop_unsupported:
        refuse_losses(film, target, losses)
    if not holds_any_rate(target) and not has_steady_rate(source):
        raise UnwritableFilm(
            f'The frames of {source} last differently long, which a "{target.suffix}" cannot '
            "hold. Write a .mkv."
        )
    if not options.force:
        refuse_colour(film)
    segments = Segments(target, _job(colorizer, film, options, how, encoder))
    at = segments.open()
    damage = Damage()
    predicted, rate = 0, float(film.rate)
    for shown in _make_segments(colorizer, film, options, how, encoder, segments, at, damage):
        predicted += shown.predicted
        yield FilmProgress(shown.number + 1, film.frames or 0, "colouring", rate, predicted)
    at = segments.open()
    yield FilmProgress(at.frame, film.frames or at.frame, "joining", rate, predicted)
    mark = f"Colours by {colorizer.mark}: guesses, not a record." if options.mark else None
    part = segments.folder / "joined.part"
    join_film(film, segments.finished(at.segment), target, part, losses, mark)
    segments.remove()
    notes = tuple(_notes(film, target, encoder, losses, damage))
    yield FilmProgress(at.frame, at.frame, "done", rate, predicted, notes)


def _notes(
    film: Film, target: Path, encoder: str, losses: Sequence[object], damage: Damage
) -> Iterator[str]:
    if losses:
        yield f"Left out: {', '.join(map(str, losses))}."
    if damage.packets:
        yield f"{damage.packets} damaged packets were skipped."
    kept = output_format(encoder, film.signal.format)
    if kept != film.signal.format:
        yield f"The encoder takes no {film.signal.format}; the picture is {kept}."
    if Film.probe(target).aspect != film.aspect:
        wide = f"{film.aspect.numerator}:{film.aspect.denominator}"
        yield f"The output cannot hold that pixels are {wide} wide; players will show them square."


def _job(
    colorizer: Colorizer, film: Film, options: Options, how: FilmOptions, encoder: str
) -> dict[str, object]:
    """Everything that the frames depend on."""
    path = Path(film.source)
    stat = path.stat() if path.is_file() else None
    return {
        "film": asdict(film),
        "file": None if stat is None else [stat.st_size, stat.st_mtime_ns],
        "model": [colorizer.name, colorizer.version],
        "options": hashlib.sha256(repr(options).encode()).hexdigest(),
        "how": asdict(how),
        "encoder": encoder,
    }


def refuse_colour(film: Film) -> None:
    """Look at a few frames of the beginning.

    Raises:
        AlreadyColour: they have colours.
        UnreadableFilm: they cannot be decoded.
    """
    if film.pixel_format.startswith("gray"):
        return
    view = working_shape(film.size, 64)
    frames = frames_of(film.source, film, Damage())
    every = max(1, round(film.rate))
    for number, frame in enumerate(frames):
        if number >= _SAMPLES * every:
            break
        if number % every == 0:
            small = frame.reformat(view[1], view[0], "rgb24", interpolation="AREA").to_ndarray()
            if classify_tone(small.astype(np.float32) / 255) == "colour":
                raise AlreadyColour(f"{film.source} is already in colour; --force recolours it.")


def _make_segments(
    colorizer: Colorizer,
    film: Film,
    options: Options,
    how: FilmOptions,
    encoder: str,
    segments: Segments,
    at: Position,
    damage: Damage,
) -> Iterator[Painted]:
    """Encode what is missing; yields each frame as it has been encoded."""
    if at.ended:
        return
    length = max(2, round(SEGMENT_S * film.rate))
    frames = ahead(frames_of(film.source, film, damage, at.pts), _AHEAD)
    painted = ahead(painted_frames(colorizer, film, frames, options, how.steady, at), _AHEAD)
    number, writer, before = at.segment, None, None
    try:
        for each in painted:
            if before is not None and each.number % length == 0 and writer is not None:
                writer.close()
                segments.finish(number, before.state, each.number, each.frame.pts)
                number, writer = number + 1, None
            if writer is None:
                writer = SegmentEncoder(segments.part(number), film, encoder, how.encoding)
            writer.write(each.frame)
            before = each
            yield each
        if writer is not None and before is not None:
            writer.close()
            segments.finish(number, before.state, before.number + 1, None)
    finally:
        painted.close()
        frames.close()


def painted_frames(
    colorizer: Colorizer,
    film: Film,
    frames: Iterator[av.VideoFrame],
    options: Options,
    steady: float = STEADY,
    at: Position | None = None,
) -> Iterator[Painted]:
    """Colour frames one after another.

    Args:
        colorizer: a loaded model.
        film: what the frames are of.
        frames: decoded, in order; they are changed.
        options: strength and working size.
        steady: as of ``FilmOptions``.
        at: where they begin, with the state there.
    """
    at = at or Position()
    view = working_shape(film.size, options.working_size or colorizer.working_size)
    painter, steadier = Painter(film.signal, view), Steadier(steady)
    if at.state is not None:
        steadier.restore(at.state)
    for number, each in enumerate(frames, at.frame):
        frame = painter.opened(each)
        codes = painter.codes(frame)
        L = painter.lightness(codes)
        wanted = steadier.look(L)
        ab = steadier.settle(*(_predict(colorizer, L) if wanted else (None, None)))
        chroma = painter.chroma(codes, ab * np.float32(options.strength), _covered(view))
        yield Painted(painter.painted(frame, chroma), number, steadier.state(), wanted)


@dataclass(frozen=True)
class FilmFrame:
    """A coloured frame as a picture.

    Attributes:
        number: in the film, from 0.
        time_s: when it is shown, in seconds.
        rgb: uint8 (height, width, 3) sRGB as stored: not turned, pixels as wide as in the file.
    """

    number: int
    time_s: float
    rgb: NDArray[np.uint8]


def film_frames(
    colorizer: Colorizer,
    source: str | Path,
    options: Options | None = None,
    steady: float = STEADY,
) -> Iterator[FilmFrame]:
    """Colour a film frame by frame, as they are asked for.

    Args:
        colorizer: a loaded model.
        source: the film.
        options: strength, working size and force.
        steady: as of ``FilmOptions``.

    Raises:
        UnreadableFilm, AlreadyColour: as :func:`colorize_film`.
    """
    options = options or Options()
    film = Film.probe(source)
    if not options.force:
        refuse_colour(film)
    frames = frames_of(source, film, Damage())
    for each in painted_frames(colorizer, film, frames, options, steady):
        time_s = float((each.frame.pts or 0) * film.time_base)
        yield FilmFrame(each.number, time_s, rgb_of(each.frame, film.signal))


def _covered(view: tuple[int, int]) -> tuple[float, float]:
    return view[0] / STRIDE, view[1] / STRIDE


def _predict(
    colorizer: Colorizer, L: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """ab (2, h, w) and perhaps confidence (h, w) on the steadier's grid."""
    answer = colorizer.predict(L[None, None])
    sure = answer.confidence
    height, width = -(-L.shape[0] // STRIDE), -(-L.shape[1] // STRIDE)
    ab = _on_grid(answer.ab[0], answer.stride, (height, width))
    if sure is None:
        return ab, None
    return ab, _on_grid(sure[0], answer.stride, (height, width))[0]


def _on_grid(
    planes: NDArray[np.float32], stride: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Planes (n, h, w) at a stride of their own brought to that of the steadier."""
    if stride < STRIDE:
        step = STRIDE // stride
        beyond = [
            (0, 0),
            *((0, n * step - have) for n, have in zip(size, planes.shape[1:], strict=True)),
        ]
        planes = np.pad(planes, [(a, max(0, b)) for a, b in beyond], mode="edge")
        planes = planes[:, : size[0] * step, : size[1] * step]
        return planes.reshape(len(planes), size[0], step, size[1], step).mean((2, 4))
    if stride > STRIDE:
        step = stride // STRIDE
        planes = planes.repeat(step, 1).repeat(step, 2)
    return planes[:, : size[0], : size[1]]
