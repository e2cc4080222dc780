"""Whether colours swing with what should not matter: how far they are from the picture as it is.

    python benchmarks/stability.py FOLDER [--model NAME|FILE]

Each picture of the folder is colorized as it is, at other sizes (the whole scan reduced or
enlarged, the engine choosing its own working size), at other working sizes, with a tenth cut off
at one side or the other, and a little lighter, darker, harder and softer. The colours of both
results are brought to 128×128 and compared there, of a cut one with the same part of the whole, at
the L of the picture as it is: by CIEDE2000, and by the plain distance in ab. The mean over the
pictures, and the worst of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tintype import Colorizer, Options
from tintype.color import rgb_to_lab
from tintype.evaluation.metrics import delta_e2000
from tintype.images import SUFFIXES

FACTORS = (0.25, 0.5, 2.0, 4.0)
WORKING_SIZES = (128, 192, 384, 512, 1024)
CUT = 0.1
TONES = {"lighter": (1.0, 20), "darker": (1.0, -20), "harder": (1.15, 0), "softer": (0.85, 0)}
"""Factor on the distance from mid-grey, and what is added, of 255."""

SIDE_PX = 128

Box = tuple[int, int, int, int]


class Change(NamedTuple):
    """A changed picture, how it is coloured, and which part of the whole it shows."""

    name: str
    picture: Image.Image
    options: Options
    box: Box


def changes(grey: Image.Image) -> Iterator[Change]:
    """All that is done to a picture."""
    width, height = grey.size
    whole = (0, 0, width, height)
    for factor in FACTORS:
        size = tuple(max(1, round(side * factor)) for side in grey.size)
        resized = grey.resize(size, Image.Resampling.LANCZOS)
        yield Change(f"picture at {factor:g} of its size", resized, Options(), whole)
    for size_px in WORKING_SIZES:
        yield Change(f"working size {size_px}", grey, Options(working_size=size_px), whole)
    right, low = round(width * CUT), round(height * CUT)
    boxes: tuple[Box, ...] = (
        (right, low, width, height),
        (0, 0, width - right, height - low),
        (right, 0, width, height - low),
        (0, low, width - right, height),
    )
    for box in boxes:
        yield Change("a tenth cut off at two sides", grey.crop(box), Options(), box)
    pixels = np.asarray(grey, np.float32)
    for name, (factor, added) in TONES.items():
        toned = np.clip((pixels - 128) * factor + 128 + added, 0, 255).astype(np.uint8)
        yield Change(name, Image.fromarray(toned), Options(), whole)


def coloured(colorizer: Colorizer, grey: Image.Image, options: Options) -> Image.Image:
    """The picture with its colours."""
    return Image.fromarray(np.asarray(colorizer.colorize(np.asarray(grey), options)))


def lab_of(rgb: Image.Image) -> np.ndarray:
    """Lab, area-averaged to (128, 128, 3)."""
    small = np.asarray(rgb.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    return rgb_to_lab(small / 255)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="tintype")
    given = parser.parse_args()
    colorizer = Colorizer.load(given.model)
    sums: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(p for p in given.folder.iterdir() if p.suffix.lower() in SUFFIXES):
        grey = Image.open(path).convert("L")
        own = coloured(colorizer, grey, Options())
        for change in changes(grey):
            as_it_is = lab_of(own.crop(change.box))
            other = lab_of(coloured(colorizer, change.picture, change.options))
            other[..., 0] = as_it_is[..., 0]
            away = np.linalg.norm(other - as_it_is, axis=-1)
            means = delta_e2000(other, as_it_is).mean(), away.mean()
            sums.setdefault(change.name, []).append((float(means[0]), float(means[1])))
    sys.stdout.write("| change | ΔE2000 | worst | in ab | worst |\n|---|---|---|---|---|\n")
    for name, found in sums.items():
        cells = zip(np.mean(found, 0), np.max(found, 0), strict=True)
        sys.stdout.write(
            f"| {name} | " + " | ".join(f"{a:.1f} | {b:.1f}" for a, b in cells) + " |\n"
        )


if __name__ == "__main__":
    main()
