"""How near a folder comes to the engine alone: pictures per second of both, and their ratio.

    python benchmarks/folder.py [--pictures 24] [--megapixels 1] [--model NAME|FILE] [--rounds 3]

The engine alone colorizes the same pictures as arrays in memory, once in one thread (the network
using all cores) and once with one worker per core, each round beside a run of the folder; the
faster of the two is what the folder is held to. Start-up and loading the model are taken out by
the difference to a folder of four pictures.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tintype import Colorizer, Options
from tintype.runtime import available_cores


def make_pictures(folder: Path, count: int, megapixels: float) -> list[np.ndarray]:
    """Write smooth grey JPEGs with some grain, 3:2, and return them as they decode."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    y, x = np.mgrid[0:height, 0 : height * 3 // 2] / height
    pictures = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        waves = 128 + 80 * np.sin(5 * x + seed) * np.cos(4 * y) + rng.normal(0, 4, x.shape)
        path = folder / f"{seed:03d}.jpg"
        Image.fromarray(np.clip(waves, 0, 255).astype(np.uint8)).save(path, quality=90)
        pictures.append(np.asarray(Image.open(path)))
    return pictures


def in_memory(model: str, pictures: list[np.ndarray], workers: int) -> float:
    """Pictures per second of the engine with so many workers."""
    colorizer = Colorizer.load(model, threads=available_cores() // workers)
    colorizer.colorize(pictures[0], Options())
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(colorizer.colorize, pictures))
    return len(pictures) / (time.perf_counter() - start)


def on_disk(model: str, source: Path, few: Path) -> float:
    """Pictures per second of the command, from the difference between a folder and a small one."""

    def run(folder: Path) -> tuple[int, float]:
        with tempfile.TemporaryDirectory() as target:
            command = [sys.executable, "-m", "tintype.cli", "colorize", str(folder), "-o", target]
            start = time.perf_counter()
            subprocess.run([*command, "--model", model], check=True, capture_output=True)
            return len(list(folder.iterdir())), time.perf_counter() - start

    (many, long), (some, short) = run(source), run(few)
    return (many - some) / (long - short)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--megapixels", type=float, default=1.0)
    parser.add_argument("--model", default="tintype")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as few:
        pictures = make_pictures(Path(work), given.pictures, given.megapixels)
        make_pictures(Path(few), 4, given.megapixels)
        for _ in range(given.rounds):
            one = in_memory(given.model, pictures, 1)
            many = in_memory(given.model, pictures, available_cores())
            folder = on_disk(given.model, Path(work), Path(few))
            ratios.append(folder / max(one, many))
            sys.stdout.write(
                f"engine, one thread {one:.2f}/s, a worker per core {many:.2f}/s; "
                f"folder {folder:.2f}/s: {100 * ratios[-1]:.0f} %\n"
            )
    sys.stdout.write(f"median {100 * statistics.median(ratios):.0f} %\n")


if __name__ == "__main__":
    main()
