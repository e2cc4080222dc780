"""What an uploaded file is, by its content, and what it may be called."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from tintype.errors import UnreadableImage, UnwritableFilm
from tintype.images import read_image
from tintype.server.jobs.records import Kind
from tintype.video.names import WRITABLE
from tintype.video.sniffing import HEAD_BYTES, holds_film

_LONGEST_NAME = 120
_ZIP = b"PK\x03\x04"
_FILMS = (
    (b"\x00\x00\x01\xba", ".mpg"),
    (b"\x00\x00\x01\xb3", ".mpg"),
    (b"GIF8", ".gif"),
    (b"FLV\x01", ".flv"),
    (b"OggS", ".ogv"),
    (b"\x30\x26\xb2\x75", ".wmv"),
    (b"\x06\x0e\x2b\x34", ".mxf"),
    (b"nut/multimedia", ".nut"),
    (b"YUV4MPEG2", ".y4m"),
    (b"DKIF", ".ivf"),
)
PICTURES = {
    "jpeg": (".jpg", "image/jpeg"),
    "png": (".png", "image/png"),
    "tiff": (".tif", "image/tiff"),
    "webp": (".webp", "image/webp"),
    "avif": (".avif", "image/avif"),
    "heic": (".heic", "image/heic"),
    "bmp": (".bmp", "image/bmp"),
}
"""Format to the suffix of its files and their media type."""

RESULTS = dict(PICTURES.values()) | {
    ".mp4": "video/mp4",
    ".m4v": "video/x-m4v",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".webm": "video/webm",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ts": "video/mp2t",
    ".gif": "image/gif",
    ".zip": "application/zip",
}
"""Suffix of a result to its media type, which systems do not agree about."""


class Upload(NamedTuple):
    """What a file is.

    Attributes:
        kind: of the job that it makes.
        suffix: by its content, whatever its name says.
    """

    kind: Kind
    suffix: str


def recognised(path: Path, name: str) -> Upload:
    """What a file is, by its first bytes.

    Args:
        path: where it is.
        name: what the client calls it.

    Raises:
        UnreadableImage: it is neither a film nor a zip nor a picture.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(_ZIP):
        return Upload("pictures", ".zip")
    if holds_film(head):
        return Upload("film", _film_suffix(head))
    try:
        return Upload("picture", PICTURES[read_image(path).format][0])
    except UnreadableImage as error:
        raise UnreadableImage(str(error).replace(str(path), name[:_LONGEST_NAME])) from error


def _film_suffix(head: bytes) -> str:
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return ".webm" if b"webm" in head[:64] else ".mkv"
    if head[:4] == b"RIFF":
        return ".avi"
    if head[4:8] == b"ftyp":
        return ".mov" if head[8:12] == b"qt  " else ".mp4"
    if head.startswith((b"\x00\x00\x00\x01", b"\x47")):
        return ".ts" if head[:1] == b"\x47" else ".h264"
    return next((suffix for start, suffix in _FILMS if head.startswith(start)), ".mov")


def film_target(suffix: str, wanted: str | None) -> str:
    """The suffix of a film's result.

    Args:
        suffix: of the source.
        wanted: by the client, if anything.

    Raises:
        UnwritableFilm: a film cannot be written so.
    """
    if wanted is None:
        return suffix if suffix in WRITABLE else ".mkv"
    wanted = f".{wanted.lower().removeprefix('.')}"
    if wanted not in WRITABLE:
        known = " ".join(WRITABLE)
        raise UnwritableFilm(f'A film cannot be written as "{wanted[:20]}"; known are {known}.')
    return wanted


def safe_name(name: str | None, suffix: str) -> str:
    """A file name that harms nowhere: the client's own, without folders and odd characters."""
    last = re.split(r"[\\/]", name or "")[-1]
    plain = "".join(c for c in last if unicodedata.category(c)[0] not in "CZ" or c == " ")
    stem = re.sub(r'[<>:"|?*%]', "_", plain).strip(" .")
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    return f"{stem[:_LONGEST_NAME] or 'picture'}{suffix}"
