"""What colour hints are worth: PSNR against their number.

    python benchmarks/hints.py SET.tar... [--limit 100] [--counts 0,1,5,10] [--model NAME|FILE]

At 256×256 as ``tintype evaluate`` does. Hints lie at random places, the same for all models, each a
square of 7 px with the mean true colour below it. Prints a Markdown table: PSNR over that of the
grey picture, and the mean CIEDE2000 within the hints' squares.
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
from tintype.evaluation.metrics import delta_e2000, psnr
from tintype.images.sets import pictures_in

Float = NDArray[np.float32]

SIDE_PX = 256
HINT_PX = 7


def drawn(ab: Float, count: int, seed: int) -> tuple[Float, Float]:
    """Hints (1, 2, H, W) and their mask (1, 1, H, W) of true colours (2, H, W)."""
    rng = np.random.default_rng(seed)
    hints, mask = np.zeros((1, *ab.shape), np.float32), np.zeros((1, 1, *ab.shape[1:]), np.float32)
    for top, left in rng.integers(0, SIDE_PX - HINT_PX, (count, 2)):
        spot = np.s_[top : top + HINT_PX, left : left + HINT_PX]
        hints[0][:, *spot] = ab[:, *spot].mean((1, 2), keepdims=True)
        mask[0, 0][spot] = 1
    return hints, mask


def scores(
    colorizer: Colorizer, rgb: NDArray[np.uint8], counts: list[int], seed: int
) -> list[tuple[float, float]]:
    """dB over grey and CIEDE2000 within the hints, for each count."""
    lab = rgb_to_lab(rgb / 255).astype(np.float32)
    L, ab = lab[..., 0].clip(0, 100)[None, None], lab[..., 1:].transpose(2, 0, 1)
    grey = psnr(join_rows(rgb, np.zeros_like(ab)), rgb)
    found = []
    for count in counts:
        hints, mask = drawn(ab, count, seed)
        answer = colorizer.predict(L, hints, mask) if count else colorizer.predict(L)
        made = join_rows(rgb, Chroma(answer.ab[0], rgb.shape[:2]).rows(0, SIDE_PX))
        away = delta_e2000(rgb_to_lab(made / 255), lab)[mask[0, 0] > 0]
        found.append((psnr(made, rgb) - grey, float(away.mean()) if count else np.nan))
    return found


def main(path: Path, limit: int, counts: list[int], model: str) -> None:
    """Measure the first pictures of a set and print the table."""
    colorizer = Colorizer.load(model)
    pictures = itertools.islice(pictures_in(path), limit)
    found = np.array(
        [
            scores(colorizer, read_truth(name, data, SIDE_PX), counts, seed)
            for seed, (name, data) in enumerate(pictures)
        ]
    )
    sys.stdout.write(f"\n{path.name}, {len(found)} pictures\n\n")
    sys.stdout.write("| hints | dB over grey | CIEDE2000 within |\n|---|---|---|\n")
    for count, (gain, away) in zip(counts, found.mean(0), strict=True):
        sys.stdout.write(f"| {count} | +{gain:.2f} | {'' if not count else f'{away:.1f}'} |\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--counts", default="0,1,5,10,50,100")
    parser.add_argument("--model", default="tintype")
    asked = parser.parse_args()
    for each in asked.sets:
        main(each, asked.limit, [int(count) for count in asked.counts.split(",")], asked.model)
