"""A picture in the window: its grey, what the network said of it, and the two joined.

The window shows the picture small, and joins it anew whenever its size or the strength changes:
the network is asked again only when a colour is given. The file is written in full, by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype import color
from tintype.desktop.screen import fitted
from tintype.desktop.spots import Spot, Spots, clipped_lightness
from tintype.engine import Colorizer, Options
from tintype.engine.chroma import Chroma
from tintype.engine.join import join, luminance
from tintype.engine.view import Page, hints_of, look, working_shape
from tintype.images import Picture, Tone, read_image
from tintype.options import Hint
from tintype.runtime import Float

Source = Path | bytes

LARGEST = (1600, 1600)
"""(height, width) of what is kept of a picture for the window; larger windows enlarge it."""

PASTED = "pasted picture"


@dataclass(frozen=True)
class Answer:
    """What the network said of a picture.

    Attributes:
        page: its view of the picture.
        tone: what the picture was.
        ab: (2, h, w) CIE a*b*.
        covered: rows and columns of ``ab`` that the picture covers.
    """

    page: Page
    tone: Tone
    ab: Float
    covered: tuple[float, float]


class Plate:
    """A picture that was opened; :func:`opened` makes it.

    Args:
        picture: the file.
        grey: (height, width, 1) uint8 sRGB, as large as it is kept for the window.

    Attributes:
        strength: factor on ab.
        variant: which of the plausible colourings.
        spots: the colours that were given.
        saved: those that are in a file already.
        answer: of the network; None before it came.
        shape: (height, width) at which it is shown.
    """

    def __init__(self, picture: Picture, grey: NDArray[np.uint8]) -> None:
        self.strength = 1.0
        self.variant = 0
        self.spots = Spots()
        self.saved: tuple[Spot, ...] = ()
        self.answer: Answer | None = None
        self.picture = picture
        self.shape: tuple[int, int] = (grey.shape[0], grey.shape[1])
        self._kept = self._shown = grey

    @property
    def name(self) -> str:
        """What to call it."""
        source = self.picture.source
        return source.name if isinstance(source, Path) else PASTED

    @property
    def unsaved(self) -> bool:
        """Whether colours were given that are in no file yet."""
        return bool(self.spots.now) and self.spots.now != self.saved

    @property
    def hints(self) -> tuple[Hint, ...]:
        """The colours that were given, as the engine takes them."""
        return tuple(spot.hint(self.picture.size) for spot in self.spots.now)

    def options(self, base: Options) -> Options:
        """How the file is to be coloured so that it becomes what is shown."""
        chosen = replace(base, strength=self.strength, variant=self.variant)
        return replace(chosen, hints=self.hints, force=True)

    def fit(self, box: tuple[int, int]) -> bool:
        """Show it as large as it fits into (height, width); whether that is another size."""
        shape = fitted(self.picture.size, box)
        if shape == self.shape:
            return False
        self.shape = shape
        reduced = min(shape[0], self._kept.shape[0]), min(shape[1], self._kept.shape[1])
        small = Image.fromarray(self._kept[..., 0]).resize(reduced[::-1], Image.Resampling.LANCZOS)
        self._shown = np.asarray(small)[..., None]
        return True

    def grey(self) -> Image.Image:
        """L, of ``shape``."""
        return self._enlarged(Image.fromarray(self._shown[..., 0]))

    def colour(self) -> Image.Image | None:
        """RGB, of ``shape``: with colours of the strength chosen; None without an answer."""
        if self.answer is None:
            return None
        size = (self._shown.shape[0], self._shown.shape[1])
        chroma = Chroma(self.answer.ab, size, self.answer.covered, self.strength)
        return self._enlarged(Image.fromarray(np.asarray(join(self._shown, chroma), np.uint8)))

    def spot_at(self, x: float, y: float) -> Spot:
        """A spot with the network's guess, at a part of the width and of the height."""
        return Spot(x, y, self.lightness(x, y), *self.guess(x, y))

    def lightness(self, x: float, y: float) -> float:
        """L there, as far as colours can be told apart at it."""
        height, width = self._kept.shape[:2]
        level = self._kept[int(y * height), int(x * width)] / np.float64(255)
        return clipped_lightness(float(color.rgb_to_lab(np.repeat(level, 3))[0]))

    def guess(self, x: float, y: float) -> tuple[float, float]:
        """The network's ab at a part of the width and of the height."""
        if self.answer is None:
            return 0.0, 0.0
        ab, (down, across) = self.answer.ab, self.answer.covered
        row, column = min(ab.shape[1] - 1, int(y * down)), min(ab.shape[2] - 1, int(x * across))
        return float(ab[0, row, column]), float(ab[1, row, column])

    def _enlarged(self, image: Image.Image) -> Image.Image:
        if image.size == self.shape[::-1]:
            return image
        return image.resize(self.shape[::-1], Image.Resampling.BICUBIC)


def opened(source: Source) -> Plate:
    """Open a picture, with as much of it as the window shows.

    Raises:
        UnreadableImage, MissingExtra: it cannot be read.
    """
    picture = read_image(source, name=None if isinstance(source, Path) else f"The {PASTED}")
    shape = min(picture.size, fitted(picture.size, LARGEST))
    rgb = np.rint(255 * picture.small(*shape)).astype(np.uint8)
    grey = color.linear_to_srgb(luminance(rgb))
    return Plate(picture, np.rint(255 * grey).astype(np.uint8)[..., None])


def answered(
    colorizer: Colorizer, plate: Plate, hints: tuple[Hint, ...], side: int, variant: int = 0
) -> Answer:
    """Ask the network for the colours of a picture, as the engine asks when it writes the file.

    Args:
        colorizer: the network.
        plate: the picture; its answer is left as it is.
        hints: colours that were given; none for a network that takes none.
        side: the working size.
        variant: which of the plausible colourings; 0 for a network that has but one.

    Raises:
        UnreadableImage: the file is damaged.
        ModelInvalid: the network's answer does not keep the contract.
    """
    picture, known = plate.picture, plate.answer
    if known is None:
        small = picture.small(*working_shape(picture.size, side))
        tone, page = look(small, picture.size, picture.name, Options(force=True))
    else:
        tone, page = known.tone, known.page
    height, width = page.L.shape[2:]
    answer = colorizer.predict(page.L, *hints_of([page], hints), variant=variant)
    return Answer(page, tone, answer.ab[0], (height / answer.stride, width / answer.stride))
