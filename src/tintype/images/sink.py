"""The file that libvips writes to: any binary file, its beginning rewritten on the way."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

import pyvips


class Sink:
    """A file that libvips writes to; remembers the operating system's own error.

    Args:
        file: where to write, from its present position on.
        rewrite: given the first bytes, says what to write in their place, or None for "more".
    """

    def __init__(self, file: BinaryIO, rewrite: Callable[[bytes], bytes | None] | None = None):
        self.error: OSError | None = None
        self._file, self._base = file, file.tell()
        self._rewrite, self._held = rewrite, b""
        self.target = pyvips.TargetCustom()
        self.target.on_write(self._write)
        self.target.on_read(self._file.read)
        self.target.on_seek(self._seek)
        self.target.on_end(lambda: 0)

    def _write(self, data: bytes) -> int:
        try:
            if self._rewrite is None:
                self._file.write(data)
                return len(data)
            self._held += data
            head = self._rewrite(self._held)
            if head is not None:
                self._file.write(head)
                self._rewrite, self._held = None, b""
        except OSError as error:
            self.error = error
            return -1
        return len(data)

    def _seek(self, offset: int, whence: int) -> int:
        try:
            start = self._base if whence == io.SEEK_SET else 0
            return self._file.seek(start + offset, whence) - self._base
        except OSError as error:
            self.error = error
            return -1

    def save(self, image: pyvips.Image, saver: str, **options: object) -> None:
        """Encode; an error of the file is raised as itself, not as libvips's account of it."""
        try:
            getattr(image, saver)(self.target, **options)
        except pyvips.Error as error:
            if self.error is not None:
                raise self.error from error
            raise
