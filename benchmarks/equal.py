"""Compare networks at one colourfulness, since paler is nearer by itself.

python benchmarks/equal.py SET.tar MODEL... [--at 20] [--every 3] [--kinds] [--old FAULT,...]

At 256×256 as ``tintype evaluate`` does. Each network's ab are multiplied by the factor that brings
its mean colourfulness to the one asked for. Prints a Markdown table: the factor, the colourfulness
reached, PSNR over that of the grey picture and mean CIEDE2000, with the half width of its 95 %
interval over the pictures. With --kinds a second one: dB over grey by the source of the pictures,
which is what their names begin with. With --old the networks see the greys as film of these faults
shows them ("orthochromatic", "vignette", and so on of ``training.config.Film``; each picture with
its own, the same for every network), and their colours are joined with the true L.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tintype import Colorizer
from tintype.color import rgb_to_lab
from tintype.engine.chroma import Chroma
from tintype.engine.join import join_rows
from tintype.evaluation.benchmark import read_truth
from tintype.evaluation.metrics import colourfulness, delta_e2000, psnr
from tintype.images.sets import pictures_in
from tintype.training.augment import disturb_lightness, film_lightness
from tintype.training.config import Film

SIDE_PX = 256
STEPS = 4  # of the search for the factor
LARGEST = 6.0  # factor: beyond it a network has no colours to bring out

NEW = {"tone": 0.0, "grain": 0.0, "blur": 0.0}  # greys as a camera of today makes them

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


def seen(truths: list[Rgb], old: list[str]) -> list[NDArray[np.float32]]:
    """The L (256, 256) that networks see: the truth's, or as film of the given faults shows it."""
    film = Film(**NEW | dict.fromkeys(old, 1.0))
    found = []
    for number, truth in enumerate(truths):
        rgb = torch.from_numpy(truth / np.float32(255)).permute(2, 0, 1)[None]
        rngs = [np.random.default_rng(number)]
        L = film_lightness(rgb_to_lab(rgb, axis=1)[:, :1], rgb, film, rngs)
        L = disturb_lightness(L, film, rngs)
        found.append(L[0, 0].numpy())
    return found


def measured(
    model: str, truths: list[Rgb], greys: list[NDArray[np.float32]], wanted: float
) -> tuple[float, Rows]:
    """The factor; and of each picture colourfulness, dB over grey and mean CIEDE2000."""
    colorizer = Colorizer.load(model)
    labs = [rgb_to_lab(truth / 255).astype(np.float32) for truth in truths]
    found = [colorizer.predict(grey[None, None].clip(0, 100)).ab[0] for grey in greys]
    factor = factor_for(truths, found, wanted)
    rows = []
    for truth, lab, ab in zip(truths, labs, found, strict=True):
        made, grey = coloured(truth, ab, factor), coloured(truth, ab, 0.0)
        away = delta_e2000(rgb_to_lab(made / 255), lab).mean()
        rows.append((colourfulness(made), psnr(made, truth) - psnr(grey, truth), away))
    return factor, np.array(rows)


def main(
    pictures: Path, models: list[str], wanted: float, every: int, kinds: bool, old: list[str]
) -> None:
    """Print the tables."""
    chosen = list(itertools.islice(pictures_in(pictures), 0, None, every))
    truths = [read_truth(name, data, SIDE_PX) for name, data in chosen]
    greys = seen(truths, old)
    sources = np.array([re.split("[-_]", Path(name).name)[0] for name, _ in chosen])
    by_kind: dict[str, list[str]] = {}
    sys.stdout.write(f"{pictures.name}, {len(truths)} pictures\n\n")
    sys.stdout.write("| network | factor | colourfulness | over grey, dB | ΔE2000 |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for model in models:
        name = Path(model).stem
        factor, rows = measured(model, truths, greys, wanted)
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
    parser.add_argument("--old", help="faults of the greys", default="")
    asked = parser.parse_args()
    faults = asked.old.split(",") if asked.old else []
    main(asked.set, asked.models, asked.at, asked.every, asked.kinds, faults)
