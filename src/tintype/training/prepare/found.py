"""What every layout of a data set gives: which pictures there are, and what they contain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Wanted = Callable[[int], bool]
"""Says of a picture's number whether it is to be read."""

SIDES = {
    "train": "train",
    "training": "train",
    "seg_train": "train",
    "trainval": "train",
    "valid": "val",
    "val": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "seg_test": "test",
    "seg_pred": "",
}
"""What known sets call their folders and lists, and the side that each stands for."""


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
class Found:
    """A picture that has been read, not yet decoded.

    Attributes:
        number: index of its entry.
        data: the bytes that its content hash is taken of: its file, or its part of an array.
        pixels: gives uint8 sRGB (H, W, 3) where the layout holds no picture files; else None.
    """

    number: int
    data: bytes
    pixels: Callable[[], NDArray[np.uint8]] | None = None


class Layout(Protocol):
    """A data set on disk."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All pictures, in an order that depends on nothing but the set."""

    def read(self, wanted: Wanted) -> Iterator[Found]:
        """The wanted pictures, in the order of the entries.

        A single file that cannot be read has no data.

        Raises:
            UsageError: an archive or an array is damaged.
        """
