"""How far apart a model's variants are, where it is sure and where it is not.

    python benchmarks/variants.py SET.tar [--limit 100] [--variants 5] [--model NAME|FILE]

At 256×256 and the network's own resolution: the mean CIEDE2000 between any two of the colourings 0
to N - 1, by the confidence of the likely one. Prints a Markdown table.
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
from tintype.evaluation.benchmark import read_truth
from tintype.evaluation.metrics import delta_e2000
from tintype.images.sets import pictures_in

SIDE_PX = 256
BINS = 10


def apart(
    colorizer: Colorizer, rgb: NDArray[np.uint8], variants: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Mean CIEDE2000 between variants and the confidence, both (h, w)."""
    lab = rgb_to_lab(rgb / 255)
    L = np.asarray(lab[..., 0].clip(0, 100), np.float32)[None, None]
    likely = colorizer.predict(L, confidence=True)
    step = likely.stride
    centres = L[0, 0, step // 2 :: step, step // 2 :: step]
    answers = [colorizer.predict(L, variant=number).ab[0] for number in range(variants)]
    labs = [np.stack([centres, *ab], -1) for ab in answers]
    pairs = [delta_e2000(one, other) for one, other in itertools.combinations(labs, 2)]
    return np.mean(pairs, axis=0), likely.confidence[0, 0]


def main(path: Path, limit: int, variants: int, model: str) -> None:
    """Measure the first pictures of a set and print the table."""
    colorizer = Colorizer.load(model)
    found = []
    for name, data in itertools.islice(pictures_in(path), limit):
        found.append(apart(colorizer, read_truth(name, data, SIDE_PX), variants))
    distance, sure = (
        np.concatenate([each.ravel() for each in part]) for part in zip(*found, strict=True)
    )
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    sys.stdout.write("| confidence | of the pixels | mean CIEDE2000 |\n|---|---|---|\n")
    for number in range(BINS):
        here = bins == number
        if here.any():
            span = f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}"
            sys.stdout.write(f"| {span} | {here.mean():.1%} | {distance[here].mean():.1f} |\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--variants", type=int, default=5)
    parser.add_argument("--model", default="tintype")
    asked = parser.parse_args()
    main(asked.set, asked.limit, asked.variants, asked.model)
