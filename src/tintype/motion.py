"""Where each part of a frame was in the frame before: block matching from coarse to fine.

Pure arrays. Lightness is compared at a half, a quarter and an eighth of the network's view.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Vectors = NDArray[np.int32]
Pyramid = tuple[Float, Float, Float]

STRIDE = 4
"""Pixels of the network's view that one cell of ab covers, along each side."""

BLOCK = 8
"""Side of a block at half size: 16 pixels of the view."""

_RESTING = 0.98  # part of the blocks that fit unmoved, so that motion is not looked for
_ZERO_BONUS = 0.3  # L: so much better must a motion be than standing still


def pyramid(L: Float) -> Pyramid:
    """L at a half, a quarter and an eighth of its size, padded to whole blocks."""
    height, width = L.shape
    whole = 2 * BLOCK
    L = np.pad(L, ((0, -height % whole), (0, -width % whole)), mode="edge")
    half = halved(L)
    quarter = halved(half)
    return half, quarter, halved(quarter)


def halved(x: Float) -> Float:
    """The mean of every 2 × 2 pixels."""
    return 0.25 * (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2])


def smooth(x: Float) -> Float:
    """The mean of each cell and its eight neighbours, over the last two axes."""
    p = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
    rows = p[..., :-2, :] + p[..., 1:-1, :] + p[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) * np.float32(1 / 9)


def find_motion(now: Pyramid, then: Pyramid, calm: float) -> Float:
    """Where each block of ``now`` was in ``then``: block matching, from coarse to fine.

    Args:
        now: a frame's pyramid.
        then: that of the frame before.
        calm: mean |ΔL| at which a block that has not moved fits; when all do, none is searched.

    Returns:
        (2, blocks down, blocks across): rows and columns to add, at half size, to parts of a
        pixel.
    """
    still = _block_means(np.abs(now[0] - then[0]), BLOCK)
    motion = np.zeros((2, *still.shape), np.int32)
    if (still <= calm).mean() > _RESTING:
        return motion.astype(np.float32)
    costs = still[None]
    for level, offsets in ((2, _WIDE), (1, _NEAR), (0, _NEAR)):
        motion *= 2
        costs = _costs(now[level], then[level], motion, offsets, BLOCK >> level)
        motion += offsets[costs.argmin(0)].transpose(2, 0, 1)
    motion = np.where(costs.min(0) < still - _ZERO_BONUS, motion, 0)
    return motion + _fractions(_costs(now[0], then[0], motion, _CROSS, BLOCK))


def _costs(now: Float, then: Float, motion: Vectors, offsets: Vectors, side: int) -> Float:
    """How badly each block fits at each offset (n, 2) from its motion: (n, down, across)."""
    tried = motion + offsets[:, :, None, None]
    there = moved(then, tried.repeat(side, 2).repeat(side, 3))
    return _block_means(np.abs(now - there), side)


def _fractions(costs: Float) -> Float:
    """Where between the pixels the least cost lies: (2, down, across) in [-0.5, 0.5].

    Args:
        costs: (5, down, across) at the offsets of ``_CROSS``; mean absolute differences rise
            about evenly on both sides of the best place, as the sides of a V do.
    """
    here, up, below, left, right = costs
    less, more = np.stack([up, left]), np.stack([below, right])
    steep = np.maximum(np.maximum(less, more) - here, 1e-3)
    return np.clip((less - more) / (2 * steep), -0.5, 0.5)


def _offsets(reach: int) -> Vectors:
    """All offsets of at most ``reach`` along each axis, (n, 2)."""
    line = np.arange(-reach, reach + 1, dtype=np.int32)
    return np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)


_NEAR, _WIDE = _offsets(1), _offsets(3)
_CROSS = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)], np.int32)
"""What is tried: three pixels each way, 24 of the view, at an eighth of its size; then one."""


def _block_means(error: Float, side: int) -> Float:
    """The mean of (..., height, width) over each block and its neighbours."""
    *n, height, width = error.shape
    blocks = error.reshape(*n, height // side, side, width // side, side).mean((-3, -1))
    return smooth(blocks)


def per_cell(motion: Float, shape: tuple[int, int]) -> Float:
    """Motion in cells, (2, gh, gw), smooth between the blocks."""
    side = 2 * BLOCK // STRIDE
    whole = motion.repeat(side, 1).repeat(side, 2)
    return smooth(whole[:, : shape[0], : shape[1]]) * np.float32(0.5)


def moved(x: Float, motion: Vectors) -> Float:
    """x (height, width) read where each pixel was, the edge repeated.

    Args:
        x: a plane.
        motion: (..., 2, height, width) rows and columns to add.

    Returns:
        (..., height, width).
    """
    height, width = x.shape
    rows = np.clip(np.arange(height)[:, None] + motion[..., 0, :, :], 0, height - 1)
    columns = np.clip(np.arange(width) + motion[..., 1, :, :], 0, width - 1)
    return cast(Float, x.ravel()[rows * width + columns])


def carried(planes: Float, motion: Float) -> Float:
    """Planes (n, gh, gw) read where each cell was, bilinearly, the edge repeated."""
    if not motion.any():
        return planes
    _, height, width = planes.shape
    rows = np.clip(np.arange(height)[:, None] + motion[0], 0, height - 1)
    columns = np.clip(np.arange(width)[None] + motion[1], 0, width - 1)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down, right = rows - top, columns - left
    below, beside = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    flat = planes.reshape(len(planes), -1)

    def at(row: NDArray[np.intp], column: NDArray[np.intp]) -> Float:
        return cast(Float, flat[:, row * width + column])

    upper = at(top, left) * (1 - right) + at(top, beside) * right
    lower = at(below, left) * (1 - right) + at(below, beside) * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
