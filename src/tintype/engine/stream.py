"""How a picture that does not fit into memory is joined while libvips reads and writes it.

Bands of rows are read in order, joined by a few threads, and handed to libvips as an uncompressed
PNG that it reads like a file; no more than a few dozen bands exist at a time. (libvips itself can
join, but where colours leave the gamut it took half as long again and came less close.)
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np

from tintype.engine.chroma import Chroma
from tintype.engine.join import Pixels, bands, join_rows

if TYPE_CHECKING:
    import pyvips

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_RGB = 2  # colour type "truecolour", ISO/IEC 15948, table 11.1

_BANDS_AHEAD = 16  # how many bands may be read before they are joined


class _Reader:
    """Reads a picture once from top to bottom, in a thread so that libvips can stream it."""

    def __init__(self, pixels: pyvips.Image) -> None:
        import pyvips

        self._pixels = pixels
        self._dtype = np.dtype(np.uint16 if pixels.format == "ushort" else np.uint8)
        self._pending = bytearray()
        self._bands = iter(bands((pixels.height, pixels.width)))
        self._band = next(self._bands, None)
        self._ready: Queue[tuple[int, Pixels] | Exception | None] = Queue(_BANDS_AHEAD)
        self._stopped = False
        self._target = pyvips.TargetCustom()
        self._target.on_write(self._write)
        self._thread = Thread(target=self._run, name="tintype-read", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[int, Pixels]]:
        """Bands in order: (first row, (rows, width, bands)). Raises what libvips raised."""
        while (item := self._ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def _write(self, piece: bytes) -> int:
        """What libvips calls with the next bytes; a negative answer stops it."""
        self._pending += piece
        while self._band and not self._stopped:
            top, bottom = self._band
            shape = (bottom - top, self._pixels.width, self._pixels.bands)
            length = shape[0] * shape[1] * shape[2] * self._dtype.itemsize
            if len(self._pending) < length:
                break
            rows = np.frombuffer(bytes(self._pending[:length]), self._dtype).reshape(shape)
            del self._pending[:length]
            self._ready.put((top, rows))
            self._band = next(self._bands, None)
        return -1 if self._stopped else len(piece)

    def _run(self) -> None:
        import pyvips

        try:
            self._pixels.rawsave_target(self._target)
        except pyvips.Error as error:
            self._ready.put(error)
        else:
            self._ready.put(None)

    def stop(self) -> None:
        """Read no further; returns when the thread has ended."""
        self._stopped = True
        while self._thread.is_alive():
            with suppress(Empty):
                self._ready.get(timeout=0.02)


class JoinedImage:
    """A coloured picture as a lazy libvips image; close it when it has been written.

    ``image`` is sequential: it can be read once, from top to bottom.
    """

    def __init__(
        self, pixels: pyvips.Image, chroma: Chroma, pool: ThreadPoolExecutor, threads: int
    ) -> None:
        """Lay colours over pixels that are not read yet.

        Args:
            pixels: 1 or 3 bands, sRGB, uchar or ushort; read once, from top to bottom.
            chroma: the colours, laid over a picture of that size.
            pool: whose threads join.
            threads: how many there are.
        """
        import pyvips

        self._pixels, self._chroma = pixels, chroma
        self._pool, self._ahead = pool, 4 * threads
        self._reader: _Reader | None = None
        self._body = self._bytes()
        self._left = memoryview(b"")
        self._failure: Exception | None = None
        # libvips keeps no reference to the Python object behind its callback.
        self._source = pyvips.SourceCustom()
        self._source.on_read(self._read)
        self.image: pyvips.Image = pyvips.Image.pngload_source(
            self._source, access="sequential", fail_on="truncated", unlimited=True
        )

    def close(self) -> Exception | None:
        """Stop reading and joining; the image cannot be read any further.

        Returns:
            What went wrong with the pixels, if anything did. libvips itself only knows that the
            image ended early.
        """
        if self._reader is not None:
            self._reader.stop()
        return self._failure

    def _read(self, size: int) -> bytes:
        """What libvips calls when it wants up to ``size`` bytes more; b"" is the end."""
        try:
            while not self._left:
                self._left = memoryview(next(self._body, b"")).cast("B")
                if not self._left:
                    return b""
        except Exception as error:  # the callback is libvips's: it cannot carry an exception
            self._failure = error
            return b""
        part, self._left = self._left[:size], self._left[size:]
        return bytes(part)

    def _bytes(self) -> Iterator[bytes]:
        """The coloured picture as a PNG without compression, piece by piece."""
        height, width = self._chroma.size
        depth = 16 if self._pixels.format == "ushort" else 8
        yield PNG_SIGNATURE
        yield png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _PNG_RGB, 0, 0, 0))
        deflate = zlib.compressobj(level=0)
        # On its own, so that opening the image reads none of the picture yet.
        yield png_chunk(b"IDAT", deflate.compress(b""))
        for rows in self._joined():
            yield png_chunk(b"IDAT", deflate.compress(rows))
        yield png_chunk(b"IDAT", deflate.flush())
        yield png_chunk(b"IEND", b"")

    def _joined(self) -> Iterator[memoryview]:
        """Bands of PNG scan lines in order, while the next ones are being joined."""
        self._reader = _Reader(self._pixels)
        waiting: deque[Future[memoryview]] = deque()
        for top, rows in self._reader:
            while len(waiting) >= self._ahead:
                yield waiting.popleft().result()
            waiting.append(self._pool.submit(self._join, top, rows))
        while waiting:
            yield waiting.popleft().result()

    def _join(self, top: int, rows: Pixels) -> memoryview:
        """Scan lines of a band: each begins with its filter's number, 0 for none."""
        coloured = join_rows(rows, self._chroma.rows(top, top + len(rows)))
        if coloured.dtype.itemsize == 2:
            coloured = coloured.astype(">u2")
        lines = coloured.reshape(len(rows), -1).view(np.uint8)
        scan = np.zeros((len(rows), 1 + lines.shape[1]), np.uint8)
        scan[:, 1:] = lines
        return memoryview(scan.data).cast("B")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk (ISO/IEC 15948, section 5.3): length, kind, body, checksum."""
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
