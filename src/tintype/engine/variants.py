"""Which colouring a variant's number stands for: the direction in which the colours lean.

A network that predicts a distribution p(c) over colours thinks several possible in places. Variant
k looks at p(c)·exp(lean·c) instead (exponential tilting, Esscher 1932): where the network is sure
little moves, where it is not, all that leans the same way moves together.
"""

from __future__ import annotations

import math

import numpy as np

from tintype.runtime import Float

_STRENGTH = 0.025
"""Per unit of ab. Twice as much and old walls glow; half, and variants look the same."""

_FIRST = math.radians(65.0)
"""The first leans to amber, the second to teal: what a warm and a cool print would be."""

_GOLDEN = math.pi * (3 - math.sqrt(5))
"""The golden angle: however many variants there are, their directions are spread."""


def lean_of(variant: int) -> Float | None:
    """The lean of a variant as ``Session.run`` takes it; None for 0, the likely colours.

    Args:
        variant: 0 or more; the same number always is the same direction.

    Returns:
        (2,) float32, per unit of a* and b*.
    """
    if variant == 0:
        return None
    angle = _FIRST + (variant - 1) * _GOLDEN
    return np.array([math.cos(angle), math.sin(angle)], np.float32) * np.float32(_STRENGTH)
