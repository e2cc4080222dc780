"""How frames that were coloured by hand steer the scenes they are from.

A reference is written FILE@TIME. It steers from the beginning of the scene that is shown at that
time to the scene's end: places that look alike take its colours, and the steadier carries them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tintype.engine import Colorizer, Options
from tintype.errors import UsageError
from tintype.reference import Float, Reference
from tintype.temporal import Steadier, cells_of
from tintype.video.decoding import Damage, first_time, frames_of
from tintype.video.names import CLOCK, clock_s
from tintype.video.planes import Painter
from tintype.video.probe import Film
from tintype.video.segments import State

_LONGEST_SCENE_S = 120  # the beginning of a scene is looked for no farther back

_FORM = re.compile(f"(?P<file>.+)@(?P<time>{CLOCK})")


@dataclass(frozen=True)
class KeyFrame:
    """A frame coloured by hand.

    Attributes:
        start: timestamp of the first frame of its scene, in units of the film.
        reference: its colours.
    """

    start: int
    reference: Reference


class KeyFrames:
    """The references of a film, and which of them steers the scene being coloured.

    Args:
        frames: by the time their scenes begin.
    """

    def __init__(self, frames: list[KeyFrame]) -> None:
        self._frames = sorted(frames, key=lambda frame: frame.start)
        self._scene = -1  # the scene that is steered
        self._active = -1  # and the number of what steers it

    def steered(self, pts: int, scene: int, L: Float, guess: Float) -> Float:
        """The colours of a frame.

        Args:
            pts: its timestamp.
            scene: number of its scene, as the steadier counts.
            L: (h, w) lightness of the view.
            guess: (2, gh, gw) predicted ab.
        """
        reference = self.active(pts, scene)
        return guess if reference is None else reference.steer(L, guess)

    def active(self, pts: int, scene: int) -> Reference | None:
        """What steers a frame; arguments as above."""
        begun = [n for n, frame in enumerate(self._frames) if frame.start <= pts]
        if begun and begun[-1] > self._active:
            self._active, self._scene = begun[-1], scene
        if self._active < 0 or scene != self._scene:
            return None
        return self._frames[self._active].reference

    def state(self) -> State:
        """What is remembered, as an array; :meth:`restore` takes it back."""
        return {"keyframes": np.array([self._scene, self._active])} if self._frames else {}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        if "keyframes" in state:
            self._scene, self._active = (int(n) for n in np.asarray(state["keyframes"]))


def key_frames(colorizer: Colorizer, film: Film, options: Options) -> KeyFrames:
    """Read the references that the options name and find where their scenes begin.

    Raises:
        UsageError: one is written otherwise than FILE@TIME, lies beyond the film's end, or has no
            colours.
        UnreadableImage: one cannot be read.
    """
    size = options.working_size or colorizer.working_size
    frames = []
    for text in options.references:
        path, time_s = parse_reference(text)
        reference = colorizer.reference(path, size)
        frames.append(KeyFrame(scene_start(film, time_s, reference.L.shape), reference))
    return KeyFrames(frames)


def parse_reference(text: str) -> tuple[Path, Fraction]:
    """The file and the time in seconds of a reference.

    Args:
        text: ``FILE@TIME``, the time as seconds, M:S or H:M:S, with a fraction if need be.

    Raises:
        UsageError: it is written otherwise.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(
            f'The reference "{text}" says no time; for film it is written FILE@TIME, such as '
            "frame.png@00:12."
        )
    return Path(match["file"]), clock_s(match["time"])


def scene_start(film: Film, time_s: Fraction, view: tuple[int, ...]) -> int:
    """When the scene that is shown at a time begins.

    Args:
        film: a film.
        time_s: in seconds.
        view: (height, width) at which its frames are compared.

    Returns:
        The timestamp of the scene's first frame, in units of ``film.time_base``.

    Raises:
        UsageError: the film ends before.
    """
    begin = first_time(film)
    wanted = begin + int(time_s / film.time_base)
    back = begin + int(max(Fraction(0), time_s - _LONGEST_SCENE_S) / film.time_base)
    seen = list(_scenes(film, back, wanted, (view[0], view[1])))
    later = itertools.islice(frames_of(film.source, film, Damage(), wanted or None), 1)
    if not seen or not any(True for _ in later):
        raise UsageError(f"{film.source} shows nothing at {float(time_s):g} s.")
    scene = seen[-1][1]
    return next(pts for pts, number in seen if number == scene)


def _scenes(film: Film, start: int, end: int, view: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Timestamp and scene number of the frames from one time to another."""
    painter, steadier = Painter(film.signal, view), Steadier(1.0)
    for frame in frames_of(film.source, film, Damage(), start or None):
        pts = frame.pts or 0
        if pts > end:
            return
        L = painter.lightness(painter.codes(painter.opened(frame)))
        steadier.look(L)
        steadier.settle(np.zeros((2, *cells_of(L).shape), np.float32))
        yield pts, steadier.number
