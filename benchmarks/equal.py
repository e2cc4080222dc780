"""Compare networks at one colourfulness, since paler is nearer by itself.

python benchmarks/equal.py SET.tar MODEL... [--at 20] [--every 3] [--kinds]

At 256×256 as ``tintype evaluate`` does. Each network's ab are multiplied by the factor that brings
its mean colourfulness to the one asked for. Prints a Markdown table: the factor, the colourfulness
reached, PSNR over that of the grey picture and mean CIEDE2000, with the half width of its 95 %
interval over the pictures. With --kinds a second one: dB over grey by the source of the pictures,
which is what their names begin with.
"""

from __future__ import annotations

import argparse
import itertools
import re
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
Rows = NDArray[np.float64]


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


def measured(model: str, truths: list[Rgb], wanted: float) -> tuple[float, Rows]:
    """The factor; and of each picture colourfulness, dB over grey and mean CIEDE2000."""
    colorizer = Colorizer.load(model)
    labs = [rgb_to_lab(truth / 255).astype(np.float32) for truth in truths]
    found = [colorizer.predict(lab[None, None, ..., 0].clip(0, 100)).ab[0] for lab in labs]
    factor = factor_for(truths, found, wanted)
    rows = []
    for truth, lab, ab in zip(truths, labs, found, strict=True):
        made, grey = coloured(truth, ab, factor), coloured(truth, ab, 0.0)
        away = delta_e2000(rgb_to_lab(made / 255), lab).mean()
        rows.append((colourfulness(made), psnr(made, truth) - psnr(grey, truth), away))
    return factor, np.array(rows)


def main(pictures: Path, models: list[str], wanted: float, every: int, kinds: bool) -> None:
    """Print the tables."""
    chosen = list(itertools.islice(pictures_in(pictures), 0, None, every))
    truths = [read_truth(name, data, SIDE_PX) for name, data in chosen]
    sources = np.array([re.split("[-_]", Path(name).name)[0] for name, _ in chosen])
    by_kind: dict[str, list[str]] = {}
    sys.stdout.write(f"{pictures.name}, {len(truths)} pictures\n\n")
    sys.stdout.write("| network | factor | colourfulness | over grey, dB | ΔE2000 |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for model in models:
        name = Path(model).stem
        factor, rows = measured(model, truths, wanted)
        mean, half = rows.mean(0), 1.96 * rows.std(0, ddof=1) / len(rows) ** 0.5
        sys.stdout.write(
            f"| {name} | {factor:.2f} | {mean[0]:.1f} | "
            f"{mean[1]:+.2f} ± {half[1]:.2f} | {mean[2]:.2f} ± {half[2]:.2f} |\n"
        )
        sys.stdout.flush()
        by_kind[name] = [f"{rows[sources == each, 1].mean():+.2f}" for each in np.unique(sources)]
    if kinds:
        heads = [f"{each} ({(sources == each).sum()})" for each in np.unique(sources)]
        sys.stdout.write("\n| network | " + " | ".join(heads) + " |\n")
        sys.stdout.write("|---" * (1 + len(heads)) + "|\n")
        for name, gains in by_kind.items():
            sys.stdout.write(f"| {name} | " + " | ".join(gains) + " |\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--at", type=float, default=20.0)
    parser.add_argument("--every", type=int, default=3, help="take every so many-th picture")
    parser.add_argument("--kinds", action="store_true")
    asked = parser.parse_args()
    main(asked.set, asked.models, asked.at, asked.every, asked.kinds)
