"""What ``prepare`` is asked for: the sources, and what is to become of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import features

from tintype.errors import UsageError
from tintype.training.prepare.splitting import COUNT, Split

Format = Literal["avif", "webp", "png"]
Strata = Literal["none", "source", "skin"]

DEFAULT_SPLIT = "train=0.9,val=0.1"

QUALITY: dict[Format, int] = {"avif": 80, "webp": 92, "png": 100}
"""When none is asked for: about 41 dB at 160 px. PNG loses nothing."""

NOT_STATED = "not stated"

_NAME = re.compile(r"\w[\w-]{0,39}")
_ARCHIVE_SUFFIX = re.compile(r"\.(tar(\.\w+)?|t[bgx]z2?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A data set on disk.

    Attributes:
        name: how the files made of it begin, and what options call it.
        path: a folder or a tar file.
        kind: a key of ``layouts.LAYOUTS``; None: found out.
        take: draw so many of its usable pictures; None: all.
        licence: of its pictures.
    """

    name: str
    path: Path
    kind: str | None = None
    take: int | None = None
    licence: str = NOT_STATED


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        sources: of distinct names, in the order of the names, so that no other order matters.
        target: the folder to write.
        split: the sides; None is ``DEFAULT_SPLIT``.
        own_splits: whether a set's own lists or folders say which side a picture is on.
        stratify: what each side is balanced over.
        short_side: of the stored pictures in px; larger ones are reduced; 0 leaves all.
        least_chroma: pictures whose mean C*ab lies below are grey and left out.
        shard_mb: size of a shard in 10⁶ bytes.
        format: of the stored pictures.
        quality: of their coding, 1-100; None is that of ``QUALITY``.
        ready: whether L, ab and bins are stored, too.
        privacy: a remark on people in the pictures; "" for what is known.
        overwrite: whether a set that stands in the target may be replaced.
    """

    sources: tuple[Source, ...]
    target: Path
    split: Split | None = None
    own_splits: bool = False
    stratify: Strata = "none"
    short_side: int = 160
    least_chroma: float = 3.0
    shard_mb: int = 40
    format: Format = "avif"
    quality: int | None = None
    ready: bool = False
    privacy: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.format != "png" and not features.check(self.format):
            raise UsageError(f"The installed Pillow cannot write {self.format}; take png.")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"A quality of {self.quality} makes no sense: it runs from 1 to 100.")
        target = self.target.resolve()
        for source in self.sources:
            path = source.path.resolve()
            if path == target or path in target.parents or target in path.parents:
                raise UsageError(f"{self.target} and the source {source.path} lie in one another.")


def sources_of(
    places: Sequence[str],
    layouts: Sequence[str] = (),
    takes: Sequence[str] = (),
    licences: Sequence[str] = (),
) -> tuple[Source, ...]:
    """The sources of a command, in the order of their names.

    Args:
        places: each a path or ``NAME=path``; a path names itself.
        layouts, takes, licences: each ``NAME=value``, once for each source at most.

    Raises:
        UsageError: two are called the same, an option names none of them, a number is none.
    """
    paths: dict[str, Path] = {}
    for name, path in map(_named, places):
        if name in paths:
            raise UsageError(
                f"Two sources are called {name}: {paths[name]} and {path}; call one NAME=path."
            )
        paths[name] = path
    kinds = _by_name("layout", layouts, paths)
    said = _by_name("licence", licences, paths)
    counts = {name: _number(text) for name, text in _by_name("take", takes, paths).items()}
    return tuple(
        Source(name, path, kinds.get(name), counts.get(name), said.get(name, NOT_STATED))
        for name, path in sorted(paths.items())
    )


def _named(place: str) -> tuple[str, Path]:
    name, _, path = place.partition("=")
    if path and _NAME.fullmatch(name) and not Path(place).exists():
        return name, Path(path)
    return plain(_ARCHIVE_SUFFIX.sub("", Path(place).resolve().name)) or "pictures", Path(place)


def _by_name(option: str, given: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """``NAME=value`` as a table."""
    found: dict[str, str] = {}
    for text in given:
        name, _, value = text.partition("=")
        if not value or name in found:
            raise UsageError(f"--{option} {text!r} should be NAME=value, once for each source.")
        if name not in known:
            raise UsageError(
                f"--{option} names {name}, and the sources are {', '.join(sorted(known))}."
            )
        found[name] = value
    return found


def _number(text: str) -> int:
    if COUNT.fullmatch(text):
        return int(text)
    raise UsageError(f"--take needs a number of pictures after the source's name, not {text!r}.")


def plain(name: str) -> str:
    """A name as a part of a file name: letters, digits, - and _ only."""
    return re.sub(r"[^\w-]+", "_", name).strip("_-")[:40]
