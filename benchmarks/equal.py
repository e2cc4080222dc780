"""Compare networks at one colourfulness, since paler is nearer by itself.

python benchmarks/equal.py SET.tar MODEL... [--at 20] [--limit 300]

At 256×256 as ``tintype evaluate`` does. Each network's ab are multiplied by the factor that brings
its mean colourfulness to the one asked for. Prints a Markdown table: the factor, the colourfulness
reached, PSNR over that of the grey picture and mean CIEDE2000, with the half width of its 95 %
interval over the pictures.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype import Colorizer
from tintype.color import rgb_to_lab
from tintype.engine.chroma import Chroma
from tintype.engine.join import join_rows
from tintype.evaluation.benchmark import read_truth
from tintype.evaluation.metrics import colourfulness, delta_e2000, psnr
from tintype.images.sets import pictures_in

SIDE_PX = 256
STEPS = 4  # of the search for the factor
LARGEST = 6.0  # factor: beyond it a network has no colours to bring out

Rgb = NDArray[np.uint8]


def coloured(truth: Rgb, ab: NDArray[np.float32], factor: float) -> Rgb:
    """A picture with a network's ab (2, h, w), more or less of them."""
    return join_rows(truth, Chroma(factor * ab, truth.shape[:2]).rows(0, SIDE_PX))


def factor_for(truths: list[Rgb], found: list[NDArray[np.float32]], wanted: float) -> float:
    """By which the ab are multiplied to reach a mean colourfulness, by the secant method."""
    factor = 1.0
    for _ in range(STEPS):
        shown = [colourfulness(coloured(*pair, factor)) for pair in zip(truths, found, strict=True)]
        factor = float(np.clip(factor * wanted / max(np.mean(shown), 1e-3), 0, LARGEST))
    return factor


def main(pictures: Path, models: list[str], wanted: float, limit: int) -> None:
    """Print the table."""
    truths = [
        read_truth(name, data, SIDE_PX)
        for name, data in itertools.islice(pictures_in(pictures), limit)
    ]
    labs = [rgb_to_lab(truth / 255).astype(np.float32) for truth in truths]
    greys = [psnr(join_rows(truth, np.zeros((2, SIDE_PX, SIDE_PX))), truth) for truth in truths]
    sys.stdout.write(f"{pictures.name}, {len(truths)} pictures\n\n")
    sys.stdout.write("| network | factor | colourfulness | over grey, dB | ΔE2000 |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for model in models:
        colorizer = Colorizer.load(model)
        found = [colorizer.predict(lab[None, None, ..., 0].clip(0, 100)).ab[0] for lab in labs]
        factor = factor_for(truths, found, wanted)
        rows = []
        for truth, lab, grey, ab in zip(truths, labs, greys, found, strict=True):
            made = coloured(truth, ab, factor)
            away = delta_e2000(rgb_to_lab(made / 255), lab).mean()
            rows.append((colourfulness(made), psnr(made, truth) - grey, away))
        mean, half = np.mean(rows, 0), 1.96 * np.std(rows, 0, ddof=1) / len(rows) ** 0.5
        sys.stdout.write(
            f"| {Path(model).stem} | {factor:.2f} | {mean[0]:.1f} | "
            f"{mean[1]:+.2f} ± {half[1]:.2f} | {mean[2]:.2f} ± {half[2]:.2f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--at", type=float, default=20.0)
    parser.add_argument("--limit", type=int, default=300)
    asked = parser.parse_args()
    main(asked.set, asked.models, asked.at, asked.limit)
