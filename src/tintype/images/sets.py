"""Sets of pictures, as training and measuring read them: a tar file or a folder of any nesting."""

from __future__ import annotations

import io
import lzma
import tarfile
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from PIL import Image

from tintype.errors import UsageError
from tintype.images import SUFFIXES

_OPENING = threading.Lock()

DAMAGED = (OSError, ValueError, SyntaxError, EOFError, RuntimeError)
"""What Pillow raises for files that are damaged or no pictures, when they are opened or decoded."""


def open_checked(data: bytes) -> Image.Image:
    """Open a picture file with Pillow; what claims too many pixels raises instead of warning.

    Raises:
        Image.DecompressionBombError, Image.DecompressionBombWarning: too many pixels.
        One of DAMAGED: it is damaged or no picture.
    """
    # What warnings do is a setting of the whole process: one thread at a time.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data))


def pictures_in(
    source: Path, wanted: Callable[[int], bool] | None = None
) -> Iterator[tuple[str, bytes]]:
    """The picture files of a set, one after another, so that a set of any length passes.

    Args:
        source: a tar file, read in its own order, or a folder, read in the order of the names.
        wanted: which of them are read, by their number from 0; all by default.

    Yields:
        Each file's path inside the set, with "/", and its content. Files with another suffix
        than a picture's are passed over; one that cannot be read has no content.

    Raises:
        UsageError: when the source does not exist, or is neither a folder nor a tar file.
    """
    with _readable(source):
        for number, (name, read) in enumerate(_files(source)):
            if wanted is None or wanted(number):
                yield name, read()


def names_in(source: Path) -> Iterator[str]:
    """The names that :func:`pictures_in` yields, without reading the pictures.

    Args and errors as there.
    """
    with _readable(source):
        for name, _ in _files(source):
            yield name


def _files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of the pictures, each with what reads it before the next is asked for."""
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES):
            if path.is_file() or path.is_symlink():
                yield path.relative_to(source).as_posix(), partial(_content, path)
        return
    with tarfile.open(source) as tar:
        for member in tar:
            if PurePosixPath(member.name).suffix.lower() in SUFFIXES and member.isfile():
                stored = tar.extractfile(member)
                if stored is not None:
                    yield member.name, stored.read
        _check_end(tar)


def _content(path: Path) -> bytes:
    """What a file holds; nothing, if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _check_end(tar: tarfile.TarFile) -> None:
    """``tarfile`` takes a damaged header for the end; at the end there are zeros or nothing.

    Raises:
        tarfile.ReadError: there is something else.
    """
    if tar.fileobj is not None:
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"it is damaged at byte {tar.offset}")


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0].rstrip(":")
        raise UsageError(f"Cannot read the pictures in {source}: {reason}.") from error
