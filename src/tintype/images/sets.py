"""Sets of pictures, as training and measuring read them: a tar file or a folder of any nesting."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tintype.errors import UsageError
from tintype.images import SUFFIXES


def pictures_in(source: Path) -> Iterator[tuple[str, bytes]]:
    """The picture files of a set, one after another, so that a set of any length passes.

    Args:
        source: a tar file, read in its own order, or a folder, read in the order of the names.

    Yields:
        Each file's path inside the set, with "/", and its content. Files with another suffix
        than a picture's are passed over.

    Raises:
        UsageError: when the source does not exist, or is neither a folder nor a tar file.
    """
    with _readable(source):
        for name, read in _files(source):
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
            if path.is_file():
                yield path.relative_to(source).as_posix(), path.read_bytes
        return
    with tarfile.open(source) as tar:
        for member in tar:
            if PurePosixPath(member.name).suffix.lower() in SUFFIXES and member.isfile():
                stored = tar.extractfile(member)
                if stored is not None:
                    yield member.name, stored.read


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"Cannot read the pictures in {source}: {reason}.") from error
