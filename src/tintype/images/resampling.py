"""Small arrays brought to an exact size by a triangle filter, aligned at their outer edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def resampled(
    pixels: NDArray[np.float32], size: tuple[int, int], extent: tuple[float, float]
) -> NDArray[np.float32]:
    """Reduce or enlarge a picture.

    A triangle filter (bilinear; as wide as a reduction asks for) has no negative weights: it
    neither overshoots nor rings.

    Args:
        pixels: (height, width, channels) float32.
        size: (height, width) of the result.
        extent: (height, width) in pixels of ``pixels`` that the result covers, from the top left
            corner on; less than its shape when its last row or column is only partly filled.

    Returns:
        (*size, channels) float32.
    """
    rows = _weights(pixels.shape[0], size[0], extent[0])
    columns = _weights(pixels.shape[1], size[1], extent[1])
    lines = np.tensordot(columns, pixels, axes=(1, 1))  # (width, old height, channels)
    return np.ascontiguousarray(np.tensordot(rows, lines, axes=(1, 1)), np.float32)


def _weights(old: int, new: int, extent: float) -> NDArray[np.float32]:
    """(new, old): how much of each old sample goes into each new one; rows sum to 1."""
    step = extent / new
    centres = (np.arange(new) + 0.5) * step
    distance = np.abs(centres[:, None] - (np.arange(old) + 0.5))
    weights = np.clip(1 - distance / max(step, 1), 0, None)
    # Only beyond the outermost old centres can all weights vanish: there the edge continues.
    lost = weights.sum(axis=1) == 0
    weights[lost, np.argmin(distance[lost], axis=1)] = 1
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
