"""Whether the confidence means what it says: where it is 0.8, 80 % of the pixels are nearly right.

    python benchmarks/confidence.py SET.tar... [--model NAME|FILE] [--limit 300] [--plot FILE.png]
    python benchmarks/confidence.py SET.tar... --calibrate OUT.onnx   # fit on every other picture

At 256×256 as ``tintype evaluate`` does: the engine colours the truth's own lightness, and a pixel
is nearly right within CIEDE2000 10 of the truth. Prints a Markdown table of ten bins and the
expected calibration error: the mean distance of what is said from what is found, over pixels.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype import Colorizer
from tintype.color import rgb_to_lab
from tintype.engine.chroma import Chroma, Upsampled
from tintype.engine.join import join_rows
from tintype.evaluation.benchmark import read_truth
from tintype.evaluation.metrics import delta_e2000
from tintype.images.sets import pictures_in
from tintype.zoo import graph_file

Float = NDArray[np.float64]

SIDE_PX = 256
NEAR = 10.0
"""CIEDE2000 within which a colour is nearly right."""

STEPS = 1000
"""Levels of confidence that are told apart while pixels are counted."""

BINS = 10


def counts_of(colorizer: Colorizer, rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by what is said of them, all and nearly right: (2, STEPS)."""
    lab = rgb_to_lab(rgb / 255)
    L = np.asarray(lab[..., 0].clip(0, 100), np.float32)[None, None]
    answer = colorizer.predict(L, confidence=True)
    size = rgb.shape[:2]
    ab = Chroma(answer.ab[0], size).rows(0, size[0])
    coloured = rgb_to_lab(join_rows(rgb, ab) / 255)
    said = Upsampled(answer.confidence[0], size).rows(0, size[0])[0].clip(0, 1)
    steps = np.minimum(said * STEPS, STEPS - 1).astype(np.int64)
    near = delta_e2000(coloured, lab) <= NEAR
    return np.stack([np.bincount(part.ravel(), minlength=STEPS) for part in (steps, steps[near])])


def measured(colorizer: Colorizer, sets: list[Path], limit: int) -> NDArray[np.int64]:
    """(pictures, 2, STEPS) over the first pictures of every set."""
    found = []
    for path in sets:
        for name, data in itertools.islice(pictures_in(path), limit):
            found.append(counts_of(colorizer, read_truth(name, data, SIDE_PX)))
    return np.stack(found)


def binned(counts: NDArray[np.int64]) -> Float:
    """(BINS, 3): what is said on average, what is found, share of pixels; NaN in empty bins."""
    pixels, near = counts.reshape(2, BINS, -1)
    levels = ((np.arange(STEPS) + 0.5) / STEPS).reshape(BINS, -1)
    whole = pixels.sum(1)
    with np.errstate(invalid="ignore"):
        said, right = (pixels * levels).sum(1) / whole, near.sum(1) / whole
    return np.stack([said, right, whole / whole.sum()], 1)


def calibration_error(table: Float) -> float:
    """The expected calibration error (Guo 2017, arXiv 1706.04599, eq. 3) of a table of bins."""
    return float(np.nansum(np.abs(table[:, 0] - table[:, 1]) * table[:, 2]))


def print_table(title: str, table: Float) -> None:
    """As Markdown."""
    sys.stdout.write(f"\n{title}\n\n| confidence | said | within ΔE2000 {NEAR:g} | pixels |\n")
    sys.stdout.write("|---|---|---|---|\n")
    for number, (said, right, share) in enumerate(table):
        name = f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}"
        sys.stdout.write(f"| {name} | {said:.3f} | {right:.3f} | {share:.1%} |\n")
    sys.stdout.write(f"\nExpected calibration error: {calibration_error(table):.3f}\n")


def plot(table: Float, target: Path) -> None:
    """What is found against what is said; a mark's area is its share of the pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7")
    axes.scatter(table[:, 0], table[:, 1], 1500 * table[:, 2], color="tab:blue", alpha=0.7)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence")
    axes.set_ylabel(f"share of pixels within ΔE2000 {NEAR:g}")
    figure.savefig(target, dpi=110)


def fitted(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset of the logistic of the logit that is likeliest: Newton's method.

    Args:
        counts: (2, STEPS), all pixels and those nearly right.
    """
    levels = (np.arange(STEPS) + 0.5) / STEPS
    x = np.stack([np.log(levels / (1 - levels)), np.ones(STEPS)])
    pixels, near = np.asarray(counts, np.float64)
    w = np.array([1.0, 0.0])
    for _ in range(30):
        p = 1 / (1 + np.exp(-w @ x))
        w -= np.linalg.solve((x * (pixels * p * (1 - p))) @ x.T, x @ (pixels * p - near))
    return float(w[0]), float(w[1])


def export_calibrated(graph: Path, change: tuple[float, float], target: Path) -> str:
    """Export a graph anew, its confidence put right; gives the record's sha256 and size."""
    from tintype.export import export
    from tintype.runtime import Session
    from tintype.training.restore import network_of_graph

    network, known = network_of_graph(graph).network, Session(graph, device="cpu").metadata
    old, (slope, offset) = network.config, change
    # A logistic of the logit of a logistic of the logit is one again.
    network.config = dataclasses.replace(
        old,
        confidence_slope=round(slope * old.confidence_slope, 3),
        confidence_offset=round(slope * old.confidence_offset + offset, 3),
    )
    size = int(known["working_size"])
    done = export(network, target, known["name"], known["version"], size)
    return f"{network.config}\nsha256 {done.sha256}, {done.size_bytes} bytes"


def calibrate(graph: Path, counts: NDArray[np.int64], target: Path) -> None:
    """Fit on every other picture and export."""
    said = export_calibrated(graph, fitted(counts[::2].sum(0)), target)
    sys.stdout.write(f"{said}\n")


def main() -> None:
    """Measure, print, and perhaps plot or calibrate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--model", default="tintype")
    parser.add_argument("--limit", type=int, default=150, help="pictures of each set")
    parser.add_argument("--plot", type=Path, help="a picture of the table to write (.png, .svg)")
    parser.add_argument("--calibrate", type=Path, help="the graph to write")
    parser.add_argument("--halves", action="store_true", help="a table for each half")
    given = parser.parse_args()
    counts = measured(Colorizer.load(given.model), given.sets, given.limit)
    if given.calibrate:
        calibrate(graph_file(given.model), counts, given.calibrate)
        return
    parts = {"All pictures": counts}
    if given.halves:
        parts = {"Fitted on": counts[::2], "Held out": counts[1::2]}
    for title, part in parts.items():
        print_table(f"{title} ({len(part)})", binned(part.sum(0)))
    if given.plot:
        plot(binned(counts.sum(0)), given.plot)


if __name__ == "__main__":
    main()
