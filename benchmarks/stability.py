"""Whether colours swing with a picture's size: mean ΔE (CIE76) against the picture as it is.

    python benchmarks/stability.py FOLDER [--model NAME|FILE]

Each picture of the folder is colorized as it is, at other sizes (the whole scan reduced or
enlarged, the engine choosing its own working size) and at other working sizes. The ab of each
result is brought to 128×128 and compared there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tintype import Colorizer, Options
from tintype.color import rgb_to_lab
from tintype.images import SUFFIXES

FACTORS = (0.25, 0.5, 2.0, 4.0)
WORKING_SIZES = (128, 192, 384, 512)
SIDE_PX = 128


def ab_of(colorizer: Colorizer, grey: Image.Image, options: Options) -> np.ndarray:
    """ab of the result, area-averaged to (128, 128, 2)."""
    rgb = Image.fromarray(np.asarray(colorizer.colorize(np.asarray(grey), options)))
    small = np.asarray(rgb.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    return rgb_to_lab(small / 255)[..., 1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="tintype")
    given = parser.parse_args()
    colorizer = Colorizer.load(given.model)
    sums: dict[str, list[float]] = {}
    for path in sorted(p for p in given.folder.iterdir() if p.suffix.lower() in SUFFIXES):
        grey = Image.open(path).convert("L")
        own = ab_of(colorizer, grey, Options())

        def note(name: str, picture: Image.Image, options: Options, own: np.ndarray = own) -> None:
            error = np.hypot(*np.moveaxis(ab_of(colorizer, picture, options) - own, -1, 0))
            sums.setdefault(name, []).append(float(error.mean()))

        for factor in FACTORS:
            size = tuple(max(1, round(side * factor)) for side in grey.size)
            resized = grey.resize(size, Image.Resampling.LANCZOS)
            note(f"picture at {factor:g} of its size", resized, Options())
        for size_px in WORKING_SIZES:
            note(f"working size {size_px}", grey, Options(working_size=size_px))
    for name, errors in sums.items():
        sys.stdout.write(f"{name:28} mean {np.mean(errors):.2f}  worst {max(errors):.2f}\n")


if __name__ == "__main__":
    main()
