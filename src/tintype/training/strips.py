"""The validation pictures of a run as files: strips of the first of each set, one for each time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.color import lab_to_rgb, rgb_to_lab
from tintype.images.replacing import atomic

FOLDER = "pictures"

_SIDE_PX = 160
_QUALITY = 85


class Strips(NamedTuple):
    """The strips of one set.

    Attributes:
        pictures: in each strip, side by side.
        grey, truth: names of the files.
        moments: pictures seen in training, ascending, to the name of what was predicted then.
    """

    pictures: int
    grey: str
    truth: str
    moments: dict[int, str]


def strip_of(pictures: NDArray[np.uint8]) -> Image.Image:
    """Square pictures (n, H, H, 3) side by side, each at most 160 px wide."""
    side = min(_SIDE_PX, pictures.shape[1])
    strip = Image.new("RGB", (side * len(pictures), side))
    for index, picture in enumerate(pictures):
        small = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        strip.paste(small, (side * index, 0))
    return strip


def greyed(strip: Image.Image) -> Image.Image:
    """The same in the grey of its lightness."""
    lab = rgb_to_lab(np.asarray(strip) / 255)
    rgb = lab_to_rgb(lab * (1.0, 0.0, 0.0))
    return Image.fromarray(np.uint8(np.round(rgb.clip(0, 1) * 255)))


def write_strip(
    run: Path, name: str, moment: int | Literal["grey", "truth"], strip: Image.Image
) -> None:
    """Write a strip of the set ``name``, WebP; it appears whole or not at all."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    what = moment if isinstance(moment, str) else f"{moment:07}"
    with atomic(folder / f"{_file_name(name)}-{what}.webp") as file:
        strip.save(file, "WEBP", quality=_QUALITY)


def remove_after(run: Path, seen: int) -> None:
    """Take away what was predicted after the picture number ``seen``."""
    for path in (run / FOLDER).glob("*.webp"):
        moment = path.stem.rpartition("-")[2]
        if moment.isdecimal() and int(moment) > seen:
            path.unlink()


def strips_in(run: Path) -> dict[str, Strips]:
    """The strips of a run, by set."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((run / FOLDER).glob("*.webp")):
        name, _, what = path.stem.rpartition("-")
        found.setdefault(unquote(name), {})[what] = path.name
    strips = {}
    for name, files in found.items():
        moments = {int(what): file for what, file in files.items() if what.isdecimal()}
        if moments and {"grey", "truth"} <= set(files):
            with Image.open(run / FOLDER / files["truth"]) as image:
                count = image.width // image.height
            ordered = dict(sorted(moments.items()))
            strips[name] = Strips(count, files["grey"], files["truth"], ordered)
    return strips


def _file_name(name: str) -> str:
    """A set's name as part of a file's: reversibly, whatever it holds."""
    return quote(name, safe="")
