"""Numbered pictures such as scan_%04d.png: which files they are, and in which order."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from tintype.errors import UnreadableFilm
from tintype.video.names import PLACE

_RATE = "24"  # frames per second of pictures for which nothing else was said


def numbered(pattern: Path, number: int) -> Path:
    """The file of one number."""
    return pattern.with_name(pattern.name % number)


def numbers_of(pattern: Path) -> list[int]:
    """The numbers of the pictures that are there, rising.

    Raises:
        UnreadableFilm: the folder cannot be read.
    """
    before, after = (re.escape(part.replace("%%", "%")) for part in _around(pattern.name))
    digits = re.compile(f"{before}([0-9]+){after}")
    try:
        names = {path.name for path in pattern.parent.iterdir()}
    except OSError as error:
        raise UnreadableFilm(f"{pattern.parent} cannot be read: {error.strerror}.") from error
    found = (int(match[1]) for match in map(digits.fullmatch, names) if match)
    return sorted({number for number in found if pattern.name % number in names})


def _around(name: str) -> tuple[str, str]:
    """What stands before the number's place and after it; a doubled % is no place."""
    place = PLACE.search(name.replace("%%", "--"))
    return (name, "") if place is None else (name[: place.start()], name[place.end() :])


def run_of(pattern: Path) -> list[int]:
    """The numbers of pictures of which none is missing.

    Raises:
        UnreadableFilm: there are none, or one is missing in between.
    """
    numbers = numbers_of(pattern)
    if not numbers:
        raise UnreadableFilm(f"There is no picture {numbered(pattern, 1)}, nor of another number.")
    for number, following in pairwise(numbers):
        if following > number + 1:
            raise UnreadableFilm(
                f"{numbered(pattern, number + 1)} is missing, but {numbered(pattern, following)} "
                "is there; number the pictures without gaps."
            )
    return numbers


def pictures_for_ffmpeg(pattern: Path, options: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    """How FFmpeg opens numbered pictures: the name, the format, the options.

    Args:
        pattern: of the names.
        options: such as another ``framerate``.

    Raises:
        UnreadableFilm: as :func:`run_of`.
    """
    folder = str(pattern.parent).replace("%", "%%")
    first = str(run_of(pattern)[0])
    known = {"framerate": _RATE, "start_number": first, "pattern_type": "sequence"}
    return f"{folder}/{pattern.name}", "image2", known | options
