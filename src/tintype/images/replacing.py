"""Files that appear when they are whole, and leave nothing behind when they are not."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tintype.errors import UnwritableImage


def part_prefix(target: Path) -> str:
    """How the names of a target's unfinished files begin; short enough for any script."""
    return f".{target.name[:40]}."


@contextmanager
def atomic(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place when all went well, and else disappears.

    Raises:
        UnwritableImage: the target is there and no regular file.
        OSError: the file cannot be written.
    """
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "not a regular file"
        raise UnwritableImage(f"{target} cannot be written: it is {what}.")
    temporary = target.with_name(f"{part_prefix(target)}{secrets.token_hex(6)}.part")
    try:
        with temporary.open("x+b") as file:
            with suppress(OSError):  # a file that is replaced keeps its permissions
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave an empty file under the name
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(target)  # writing into an open file names none
        raise
