"""Views larger than a network knows: it takes things that fill them for something else.

Beyond twice its own working size its colours are those of that size, and only what is finer comes
from the larger view: two bands of a Laplacian pyramid (Burt and Adelson 1983), one from each.
"""

from __future__ import annotations

import numpy as np

from tintype.engine.view import working_shape
from tintype.images.resampling import resampled
from tintype.runtime import Float, Prediction

_LARGEST = 2
"""Working sizes in the side of the largest view whose colours are taken as they are."""
_HARDLY = 1.05
"""A view larger by less than this is as good as that one."""

Size = tuple[int, int]


def known_shape(shape: Size, working_size: int) -> Size | None:
    """At which size a network should see a view for its colours; None: at the view's own.

    Args:
        shape: (height, width) of the view in pixels.
        working_size: the network's own.
    """
    height, width = working_shape(shape, _LARGEST * working_size)
    return (height, width) if height * width * _HARDLY**2 < shape[0] * shape[1] else None


def shrunk(
    L: Float, hint_ab: Float | None, hint_mask: Float | None, size: Size
) -> tuple[Float, Float | None, Float | None]:
    """A view and its hints at a smaller size (height, width); what a hint touches is hinted."""
    if hint_ab is None or hint_mask is None:
        return _resampled(L, size), hint_ab, hint_mask
    part = _resampled(hint_mask, size)
    ab = _resampled(hint_ab * hint_mask, size)
    ab /= np.where(part > 0, part, 1)
    return _resampled(L, size), ab, (part > 0).astype(np.float32)


def finer(known: Prediction, own: Prediction, known_size: Size, size: Size) -> Prediction:
    """The colours of a view with what is finer in those of a larger one; as sure as the first.

    Args:
        known: of the smaller view.
        own: of the larger one.
        known_size: (height, width) of the smaller view in pixels.
        size: of the larger one.
    """
    cells, fine = known.ab.shape[2:], own.ab.shape[2:]
    ratio = [
        (new / own.stride) / (old / known.stride) for new, old in zip(size, known_size, strict=True)
    ]
    down = (cells[0] * ratio[0], cells[1] * ratio[1])
    up = (fine[0] / ratio[0], fine[1] / ratio[1])
    ab = own.ab + _resampled(known.ab - _resampled(own.ab, cells, down), fine, up)
    sure = known.confidence
    return Prediction(ab, None if sure is None else _resampled(sure, fine, up), own.stride)


def _resampled(planes: Float, size: Size, extent: tuple[float, float] | None = None) -> Float:
    """(N, C, H, W) as (N, C, *size); the part of it that ``extent`` covers, or all."""
    part = extent or (float(planes.shape[2]), float(planes.shape[3]))
    each = [resampled(plane.transpose(1, 2, 0), size, part) for plane in planes]
    return np.stack(each).transpose(0, 3, 1, 2)
