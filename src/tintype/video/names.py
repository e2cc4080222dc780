"""Which files are films, and what a film's result is called."""

from __future__ import annotations

from pathlib import Path

WRITABLE = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm"),
    *(".mpg", ".mpeg", ".ts", ".gif"),
)
"""Suffixes of films that can be written."""

READABLE = (
    *WRITABLE,
    *(".wmv", ".flv", ".m2ts", ".mts", ".vob", ".3gp", ".ogv", ".mxf", ".dv", ".nut", ".m2v"),
)
"""Suffixes of films that are read."""


def is_film(name: str) -> bool:
    """Whether an input is a film by its suffix, or an address of one."""
    return Path(name).suffix.lower() in READABLE or is_address(name)


def is_address(name: str) -> bool:
    """Whether an input is an address such as rtsp://camera/1."""
    scheme, found, _ = name.partition("://")
    return bool(found) and scheme.isalnum() and len(scheme) > 1


def target_of(source: Path, output: str | None, suffix: str | None) -> Path:
    """Where a film's result goes.

    Args:
        source: the film.
        output: a file, a folder, or None for beside the source.
        suffix: added to the name; None: ``-color`` beside the source, nothing in a folder.
    """
    kind = source.suffix if source.suffix.lower() in WRITABLE else ".mkv"
    if output is None:
        return source.with_name(f"{source.stem}{'-color' if suffix is None else suffix}{kind}")
    path = Path(output)
    if path.suffix.lower() in WRITABLE and not path.is_dir():
        return path
    return path / f"{source.stem}{suffix or ''}{kind}"
