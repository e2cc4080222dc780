"""Which inputs are films, what results are called, which codecs they take, how times look."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from tintype.errors import UsageError

PLAYLIST = ".m3u8"
"""Suffix of the list of a stream's pieces (HLS)."""

CODECS = {
    ".mp4": ("libx264", "libx265", "libsvtav1", "libvpx-vp9"),
    ".m4v": ("libx264", "libx265"),
    ".mov": ("libx264", "prores_ks", "libx265"),
    ".mkv": ("libx264", "ffv1", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "mpeg2video"),
    ".avi": ("libx264", "ffv1", "mpeg4"),
    ".webm": ("libvpx-vp9", "libsvtav1"),
    ".mpg": ("mpeg2video",),
    ".mpeg": ("mpeg2video",),
    ".ts": ("libx264", "libx265", "mpeg2video"),
    ".gif": ("gif",),
    PLAYLIST: ("libx264",),
}
"""Suffix of the output to the encoders that it takes, the usual one first."""

WRITABLE = tuple(suffix for suffix in CODECS if suffix != PLAYLIST)
"""Suffixes of films that can be written."""

READABLE = (
    *WRITABLE,
    *(".wmv", ".flv", ".m2ts", ".mts", ".vob", ".3gp", ".ogv", ".mxf", ".dv", ".nut", ".m2v"),
)
"""Suffixes of films that are read."""

PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Suffixes of numbered pictures that can be written."""

PICTURES_READ = (*PICTURES, ".bmp", ".dpx")
"""Suffixes of numbered pictures that are read."""

PIPE = "-"
"""Standard input and standard output."""

PLACE = re.compile(r"%(?:0\d+)?d")
"""Where the number stands in a pattern such as scan_%04d.png."""


CLOCK = r"(?:\d+:){0,2}\d+(?:\.\d+)?"
"""How a time in a film is written: seconds, M:S or H:M:S."""


def clock_s(text: str) -> Fraction:
    """The seconds of a time that is written as ``CLOCK`` says."""
    time_s = Fraction(0)
    for part in text.split(":"):
        time_s = 60 * time_s + Fraction(part)
    return time_s


def is_film(name: str) -> bool:
    """Whether an input is a film by its name: a suffix, an address, or numbered pictures."""
    return Path(name).suffix.lower() in READABLE or is_address(name) or is_sequence(name)


def is_address(name: str) -> bool:
    """Whether an input is an address such as rtsp://camera/1."""
    scheme, found, _ = name.partition("://")
    return bool(found) and scheme.isalnum() and len(scheme) > 1


def is_sequence(name: str) -> bool:
    """Whether a name stands for numbered pictures, such as scan_%04d.png, and is no file's."""
    path = Path(name)
    rest, places = PLACE.subn("", path.name.replace("%%", ""))
    known = path.suffix.lower() in PICTURES_READ
    return known and places == 1 and "%" not in rest and not path.exists()


def target_of(source: Path, output: str | None, suffix: str | None) -> Path:
    """Where a film's result goes.

    Args:
        source: the film, or the pattern of numbered pictures.
        output: a file, a pattern, a folder, or None for beside the source.
        suffix: added to the name; None: ``-color`` beside the source, nothing in a folder.

    Raises:
        UsageError: the output is a single picture.
    """
    kind = _kind(source)
    if output is None:
        return source.with_name(f"{source.stem}{'-color' if suffix is None else suffix}{kind}")
    path = Path(output)
    if is_sequence(output) or (path.suffix.lower() in WRITABLE and not path.is_dir()):
        return path
    if path.suffix.lower() in PICTURES_READ and not path.is_dir():
        name = f"{path.stem}_%04d{path.suffix}"
        raise UsageError(f"{output} is one picture; a film's frames go to pictures called {name}.")
    return path / f"{source.stem}{suffix or ''}{kind}"


def preview_of(source: Path, output: str | None) -> Path:
    """Where a film's sample goes: NAME-preview.EXT beside the result.

    Args:
        source, output: as of :func:`target_of`.

    Raises:
        UsageError: the output is a single picture.
    """
    result = target_of(source, output, "")
    name = PLACE.sub("", result.stem).rstrip("_-. ") or "film"
    return result.with_name(f"{name}-preview{result.suffix if _can_sample(result) else '.mp4'}")


def _can_sample(result: Path) -> bool:
    """Whether the result's kind can be written as frames come."""
    return result.suffix.lower() in (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts")


def _kind(source: Path) -> str:
    suffix = source.suffix.lower()
    if is_sequence(str(source)):
        return source.suffix if suffix in PICTURES else ".png"
    return source.suffix if suffix in WRITABLE else ".mkv"
