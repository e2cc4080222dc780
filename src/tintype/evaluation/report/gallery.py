"""What pictures a report shows: sections of shots, each shot one picture in several versions."""

from __future__ import annotations

from dataclasses import dataclass

from tintype.errors import UsageError

TRUTH = "truth"
GREY = "grey"


@dataclass(frozen=True)
class Shot:
    """One picture in all its versions.

    Attributes:
        name: of the picture in the set.
        caption: why it is shown, or what to look at; may be empty.
        views: "truth", "grey" and row labels, in the order they are shown, to an encoded JPEG,
            PNG or WebP of one size.
    """

    name: str
    caption: str
    views: dict[str, bytes]


@dataclass(frozen=True)
class Section:
    """Shots that belong together.

    Attributes:
        title: "Best pictures".
        note: how they were chosen, in a sentence; may be empty.
        shots: in the order they are shown.
    """

    title: str
    note: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Gallery:
    """All pictures of a report.

    Attributes:
        sections: in the order they are shown.
    """

    sections: tuple[Section, ...]


def mime_type(encoded: bytes, name: str) -> str:
    """The kind of a picture, by its first bytes.

    Args:
        encoded: JPEG, PNG or WebP.
        name: of the picture, for the message.

    Raises:
        UsageError: when it is none of them.
    """
    if encoded.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
        return "image/webp"
    raise UsageError(f"A page can show JPEG, PNG and WebP, and {name} is none of them.")
