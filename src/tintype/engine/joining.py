"""How the pages of a file, once planned, are joined with their colours while they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tintype.engine.chroma import Chroma, Upsampled
from tintype.engine.join import join
from tintype.engine.stream import JoinedImage
from tintype.errors import UnreadableImage
from tintype.images import Picture, Tone
from tintype.options import Options

if TYPE_CHECKING:
    import pyvips

AT_ONCE_PIXELS = 4_000_000
"""Pages up to this size are joined in memory."""


class Laid(NamedTuple):
    """What the network says of a page, laid over it.

    Attributes:
        chroma: its colours.
        sure: how likely they are nearly right, where that was asked for.
    """

    chroma: Chroma
    sure: Upsampled | None


@dataclass(frozen=True)
class Plan:
    """What is known about a picture before its pixels stream through.

    Attributes:
        tone: the worst of its pages.
        chromas: the colours of each page.
        sure: as of ``Laid``, of the first page.
    """

    tone: Tone
    chromas: tuple[Chroma, ...]
    sure: Upsampled | None

    def notes(self, options: Options) -> Iterator[str]:
        """What the user should know of how it was understood."""
        if self.tone == "toned":
            yield "The picture was toned; its lightness was taken and the tone dropped."
        if self.sure is not None and len(self.chromas) > 1:
            yield f"The confidence is that of the first of {len(self.chromas)} pages."
        if self.sure is not None and options.references:
            yield "The confidence is that of the network's own colours, before the reference's."


@contextmanager
def joined(
    picture: Picture, chromas: Iterable[Chroma], threads: int
) -> Iterator[list[pyvips.Image]]:
    """The coloured pages as lazy images, joined while they are being written.

    Args:
        picture: the original.
        chromas: the colours of each page.
        threads: how many join.

    Raises:
        UnreadableImage: the picture turns out to be damaged.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="tintype-join") as pool:
        streams: list[JoinedImage] = []
        pages: list[pyvips.Image] = []
        held = 0  # pixels of all pages that are joined before the first is written
        for number, chroma in enumerate(chromas):
            pixels = picture.pixels(number)
            held += pixels.width * pixels.height
            if held <= AT_ONCE_PIXELS:
                helpers = pool if threads > 1 else None
                pages.append(_joined_at_once(pixels, chroma, helpers, picture.name))
                continue
            streams.append(JoinedImage(pixels, chroma, pool, threads))
            pages.append(streams[-1].image)
        try:
            yield pages
        finally:
            failures = [stream.close() for stream in streams]
            for failure in filter(None, failures):
                _raise_cause(failure, picture.name)


def _joined_at_once(
    pixels: pyvips.Image, chroma: Chroma, pool: Executor | None, name: str
) -> pyvips.Image:
    """A small page joined in memory, which costs less than streaming it."""
    import pyvips

    try:
        grey = pixels.numpy().reshape(*chroma.size, pixels.bands)
    except pyvips.Error as error:
        raise UnreadableImage(f"{name} is truncated or damaged.") from error
    coloured = join(grey, chroma, pool)
    kind = "rgb16" if coloured.dtype == np.uint16 else "srgb"
    return pyvips.Image.new_from_array(coloured, interpretation=kind)


def _raise_cause(failure: Exception, name: str) -> None:
    """Say why pixels ran out: libvips's errors mean a damaged picture, others are what they are."""
    import pyvips

    if isinstance(failure, pyvips.Error):
        raise UnreadableImage(f"{name} is truncated or damaged.") from failure
    raise failure
