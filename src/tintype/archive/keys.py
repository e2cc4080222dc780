"""Which name a result gets: the original's own, below DEST and nowhere else."""

from __future__ import annotations

import re

from tintype.errors import UsageError

OWN = "_tintype"
"""The folder of DEST that holds the ledger, the lease and what is not yet finished."""

TILES = "_tiles"
"""The folder of DEST that holds tiles, a folder for each result."""

_SCHEME = re.compile(r"^[a-z][a-z0-9+]*://")


def has_scheme(text: str) -> bool:
    """Whether a text is an address such as ``s3://bucket/key``."""
    return _SCHEME.match(text) is not None


def scheme_of(address: str) -> str:
    """The scheme of an address, "" for a path."""
    match = _SCHEME.match(address)
    return match.group()[:-3] if match else ""


def result_key(source: str) -> str:
    """The key below DEST of the result of a scan.

    Args:
        source: its key below SOURCE; in a list also an absolute path or an address, of which the
            scheme and the leading slash are dropped.

    Raises:
        UsageError: the key would lead out of DEST or into Tintype's own folders of it.
    """
    rest = _SCHEME.sub("", source).lstrip("/").removeprefix("./")
    parts = rest.split("/")
    if not rest or not parts[-1]:
        raise UsageError("The name is empty or that of a folder.")
    if ".." in parts:
        raise UsageError("The name leads out of its folder with ..; give the path without it.")
    if "" in parts or "." in parts:
        raise UsageError("The name holds an empty step between slashes, or a single dot.")
    if "\0" in rest:
        raise UsageError("The name holds a zero byte.")
    if parts[0] in (OWN, TILES):
        raise UsageError(f"The name begins with {parts[0]}/, which is Tintype's own in DEST.")
    return rest


def readable(text: str) -> str:
    """A name as text that can be stored; bytes that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_text(text: str) -> bool:
    """Whether a name can be stored as it is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
