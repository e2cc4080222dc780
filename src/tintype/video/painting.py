"""How decoded frames get their colours: what the network sees, what is steadied, what is painted.

One frame after another, with no look ahead; films, streams and the live view are painted alike.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tintype.engine import Colorizer, Options
from tintype.engine.steering import guess_on_cells
from tintype.engine.view import working_shape
from tintype.errors import AlreadyColour
from tintype.images.tone import classify_tone
from tintype.motion import STRIDE
from tintype.temporal import STEADY, Steadier
from tintype.video.decoding import Damage, frames_of
from tintype.video.keyframes import KeyFrames, key_frames
from tintype.video.planes import Painter, rgb_of
from tintype.video.probe import Film
from tintype.video.segments import Position, State

_NONE = None, None
_SAMPLES = 8  # frames looked at, one a second, to tell whether a film is in colour


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


Paint = Callable[[Iterator[av.VideoFrame], Position], Iterator[Painted]]
"""What turns decoded frames, from a position on, into those that are shown."""


def painted_frames(
    colorizer: Colorizer,
    film: Film,
    frames: Iterator[av.VideoFrame],
    options: Options,
    steady: float = STEADY,
    at: Position | None = None,
    affords: Callable[[], bool] = lambda: True,
    keys: KeyFrames | None = None,
) -> Iterator[Painted]:
    """Colour frames one after another.

    Args:
        colorizer: a loaded model.
        film: what the frames are of.
        frames: decoded, in order; they are changed.
        options: strength, working size and references.
        steady: as of ``FilmOptions``.
        at: where they begin, with the state there.
        affords: whether there is time for a prediction, asked for frames that can do without.
        keys: the references, read already; None reads those of the options.

    Raises:
        UsageError, UnreadableImage: as ``keyframes.key_frames``.
    """
    at = at or Position()
    view = working_shape(film.size, options.working_size or colorizer.working_size)
    painter, steadier = Painter(film.signal, view), Steadier(steady)
    keys = keys or key_frames(colorizer, film, options)
    if at.state is not None:
        steadier.restore(at.state)
        keys.restore(at.state)
    for number, each in enumerate(frames, at.frame):
        frame = painter.opened(each)
        codes = painter.codes(frame)
        L = painter.lightness(codes)
        wanted = steadier.look(L) and (steadier.lost or affords())
        guess = sure = None
        if wanted:
            answer = colorizer.predict(L[None, None], variant=options.variant)
            guess, sure = guess_on_cells(answer, view)
        if guess is not None:
            guess = keys.steered(frame.pts or 0, steadier.number, L, guess)
        ab = steadier.settle(guess, sure)
        chroma = painter.chroma(codes, ab * np.float32(options.strength), _covered(view))
        state = steadier.state() | keys.state()
        yield Painted(painter.painted(frame, chroma), number, state, wanted)


def _covered(view: tuple[int, int]) -> tuple[float, float]:
    return view[0] / STRIDE, view[1] / STRIDE


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


def only_grey(frames: Iterator[av.VideoFrame], film: Film) -> Generator[av.VideoFrame, None, None]:
    """Pass frames on, as long as those looked at in the first seconds are grey.

    Raises:
        AlreadyColour: they have colours.
    """
    if film.pixel_format.startswith("gray"):
        yield from frames
        return
    view = working_shape(film.size, 64)
    every = max(1, round(film.rate))
    for number, frame in enumerate(frames):
        if number % every == 0 and number < _SAMPLES * every:
            small = frame.reformat(view[1], view[0], "rgb24", interpolation="AREA").to_ndarray()
            if classify_tone(small.astype(np.float32) / 255) == "colour":
                raise AlreadyColour(f"{film.source} is already in colour; --force recolours it.")
        yield frame


def refuse_colour(film: Film) -> None:
    """Look at a few frames of the beginning.

    Raises:
        AlreadyColour: they have colours.
        UnreadableFilm: they cannot be decoded.
    """
    if film.pixel_format.startswith("gray"):
        return
    last = _SAMPLES * max(1, round(film.rate))
    with contextlib.closing(only_grey(frames_of(film.source, film, Damage()), film)) as frames:
        for _ in itertools.islice(frames, last):
            pass
