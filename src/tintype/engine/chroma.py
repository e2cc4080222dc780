"""How colours, or any planes, predicted on a coarse grid are laid over a picture of any size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tintype.errors import UsageError

Float = NDArray[np.float32]


@dataclass(frozen=True)
class _Block:
    """Target positions ``start:stop`` along one axis and the source positions they draw on."""

    start: int
    stop: int
    first: int
    last: int
    weights: Float  # (last - first, stop - start)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Catmull-Rom kernel (Keys 1981, eq. 15 with a = -1/2)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=64)
def _weights(
    start: int, stop: int, size: int, cells: int, covered: float
) -> tuple[int, int, Float]:
    """Which cells the target positions draw on (first, last) and the weights (cells, targets).

    Kept, since the frames of a film all ask for the same.
    """
    target = np.arange(start, stop)
    ratio = covered / size
    stretch = max(1.0, ratio)  # a picture smaller than its prediction needs averaging
    centre = (target + 0.5) * ratio - 0.5
    reach = int(np.ceil(2 * stretch)) + 1
    tap = np.floor(centre).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    weight = _cubic((tap - centre[:, None]) / stretch)
    weight /= weight.sum(axis=1, keepdims=True)
    tap = np.clip(tap, 0, cells - 1)  # beyond the edge the edge repeats
    used = tap[weight != 0]
    first, last = int(used.min()), int(used.max()) + 1
    matrix = np.zeros((last - first, len(target)))
    tap = np.clip(tap, first, last - 1)  # taps without weight may lie anywhere
    np.add.at(matrix, (tap - first, np.arange(len(target))[:, None]), weight)
    return first, last, matrix.astype(np.float32)


class Upsampled:
    """Planes of cells laid over a picture of another size, up-sampled by cubic convolution.

    Cell centres and pixel centres are aligned: cell ``i`` covers the ``i``-th part of the picture.
    """

    def __init__(
        self, planes: Float, size: tuple[int, int], covered: tuple[float, float] | None = None
    ) -> None:
        """Lay planes over a picture.

        Args:
            planes: (C, h, w).
            size: (height, width) of the picture in pixels.
            covered: rows and columns of the planes that the picture covers, from the top left; need
                not be whole. All of them when None.
        """
        self.size = size
        self.planes = planes
        self._covered = covered or (float(planes.shape[1]), float(planes.shape[2]))
        # Blocks just wide enough for the product of small matrices to be the cheapest way.
        step = max(16, int(6 * size[1] / self._covered[1]))
        self._blocks = [self._block(x, min(x + step, size[1])) for x in range(0, size[1], step)]

    def _block(self, start: int, stop: int) -> _Block:
        weights = _weights(start, stop, self.size[1], self.planes.shape[2], self._covered[1])
        return _Block(start, stop, *weights)

    def rows(self, start: int, stop: int) -> Float:
        """The planes at full width for the picture's rows: (C, stop - start, width)."""
        count, cells, width = self.planes.shape
        first, last, down = _weights(start, stop, self.size[0], cells, self._covered[0])
        lines = np.matmul(down.T, self.planes[:, first:last]).reshape(-1, width)
        out = np.empty((len(lines), self.size[1]), np.float32)
        for block in self._blocks:
            part = lines[:, block.first : block.last]
            np.matmul(part, block.weights, out=out[:, block.start : block.stop])
        return out.reshape(count, stop - start, self.size[1])


class Chroma(Upsampled):
    """Predicted ab laid over a picture."""

    def __init__(
        self,
        ab: NDArray[np.floating],
        size: tuple[int, int],
        covered: tuple[float, float] | None = None,
        strength: float = 1.0,
    ) -> None:
        """Lay ab over a picture.

        Args:
            ab: (2, h, w), CIE a*b*, about [-110, 110].
            size: (height, width) of the picture in pixels.
            covered: as of :class:`Upsampled`.
            strength: factor on ab.

        Raises:
            UsageError: ab of another shape.
        """
        if ab.ndim != 3 or ab.shape[0] != 2 or 0 in ab.shape:
            raise UsageError(f"ab must have the shape (2, h, w), not {ab.shape}.")
        super().__init__((ab * strength).astype(np.float32), size, covered)
