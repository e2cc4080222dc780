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
    height, width, channels = pixels.shape
    lines = (rows @ pixels.reshape(height, width * channels)).reshape(-1, width, channels)
    return np.stack([lines[..., c] @ columns.T for c in range(channels)], axis=-1)


def grey_as_rgb(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width, 1 or 3) as (height, width, 3): grey is R = G = B."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


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
