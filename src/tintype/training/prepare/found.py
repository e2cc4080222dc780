"""What every layout of a data set gives: which pictures there are, and what they contain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Entry(NamedTuple):
    """A picture, before it is read.

    Attributes:
        name: inside its source, with "/".
        label: its class; "" for none.
        side: "train", "val" or "test" where the set itself says so; "" elsewhere.
    """

    name: str
    label: str = ""
    side: str = ""


@dataclass(frozen=True)
class Layout:
    """A data set on disk.

    Attributes:
        entries: all pictures, in an order that depends on nothing but the set.
        read: gives of the pictures with some numbers, ascending, the bytes that their content
            hash is taken of: each one's file, empty if it cannot be read, or its part of an array.
        pixels: makes uint8 sRGB (H, W, 3) of such bytes where they are no picture file.
        kind: a key of ``layouts.LAYOUTS``.
    """

    entries: Sequence[Entry]
    read: Callable[[Sequence[int]], Iterator[bytes]]
    pixels: Callable[[bytes], NDArray[np.uint8]] | None = None
    kind: str = ""
