"""How a reference picture steers the colours of another: read once, then asked for each page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tintype import color
from tintype.engine.view import working_shape
from tintype.errors import UsageError
from tintype.images import classify_tone, read_image
from tintype.motion import STRIDE
from tintype.reference import Reference, on_cells, on_grid
from tintype.runtime import Float, Prediction

if TYPE_CHECKING:
    from tintype.engine import Colorizer
    from tintype.options import Options

Predict = Callable[[Float], Prediction]

_KEPT = 8


class References:
    """The reference pictures that a model has seen lately.

    Args:
        predict: the network: L (1, 1, H, W) to its prediction.
    """

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, int], Reference] = {}

    def get(self, path: Path, working_size: int) -> Reference:
        """A reference picture as the network sees it.

        Args:
            path: a picture in colour.
            working_size: as of ``view.working_shape``.

        Raises:
            UnreadableImage: it cannot be read.
            UsageError: it has no colours.
        """
        changed = path.stat().st_mtime_ns if path.is_file() else 0
        key = (str(path), changed, working_size)
        with self._lock:
            if key not in self._seen:
                while len(self._seen) >= _KEPT:
                    del self._seen[next(iter(self._seen))]
                self._seen[key] = self._read(path, working_size)
            return self._seen[key]

    def _read(self, path: Path, working_size: int) -> Reference:
        picture = read_image(path)
        rgb = picture.small(*working_shape(picture.size, working_size))
        if classify_tone(rgb) == "grey":
            raise UsageError(f"The reference {path} has no colours to lend.")
        lab = color.rgb_to_lab(rgb.astype(np.float64)).astype(np.float32)
        L, ab = lab[..., 0].clip(0, 100), lab[..., 1:].transpose(2, 0, 1)
        guess, _ = guess_on_cells(self._predict(L[None, None]), L.shape)
        return Reference(L, guess, on_cells(ab))


def check(model: Colorizer, options: Options) -> Reference | None:
    """Find out whether a model can do what is asked for, whatever the picture.

    Returns:
        The reference that the options name, as the model sees it.

    Raises:
        UsageError: hints or a variant for a model that knows none, several references, or one
            without colours.
        UnreadableImage: the reference cannot be read.
    """
    if options.hints and not model.guided:
        raise UsageError(f'The model "{model.name}" takes no colour hints.')
    if options.variant and not model.has_variants:
        raise UsageError(f'The model "{model.name}" knows one colouring only: no variants.')
    if len(options.references) > 1:
        raise UsageError("A picture takes the colours of one reference, not of several.")
    found = (model.reference(Path(name), options.working_size) for name in options.references)
    return next(found, None)


def steered(
    reference: Reference, L: Float, answer: Prediction, without_hints: Prediction | None = None
) -> Float:
    """The colours that a reference lends, on the cells of ``temporal.STRIDE``.

    Args:
        reference: what lends them.
        L: (H, W) of the picture, as the network saw it.
        answer: of this picture alone.
        without_hints: what it was without its hints, if it had any: what these change is laid over
            what the reference lends, which would override it.

    Returns:
        ab (2, gh, gw).
    """
    guess, _ = guess_on_cells(answer, L.shape)
    if without_hints is None:
        return reference.steer(L, guess)
    bare, _ = guess_on_cells(without_hints, L.shape)
    return reference.steer(L, bare) + guess - bare


def guess_on_cells(answer: Prediction, view: tuple[int, int]) -> tuple[Float, Float | None]:
    """The first prediction of an answer on the cells of ``temporal.STRIDE``.

    Args:
        answer: of one picture.
        view: (height, width) of its L.

    Returns:
        ab (2, gh, gw), and the confidence (gh, gw) where there is one.
    """
    size = -(-view[0] // STRIDE), -(-view[1] // STRIDE)
    ab = on_grid(answer.ab[0], answer.stride, size)
    sure = answer.confidence
    return ab, None if sure is None else on_grid(sure[0], answer.stride, size)[0]
