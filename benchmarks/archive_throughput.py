"""How near ``archive run`` comes to the engine alone, on this machine's own Ray.

    python benchmarks/archive_throughput.py [--pictures 2000] [--model NAME|FILE] [--rounds 1]

The engine colours the same files from bytes to bytes with ``Colorizer.colorize``, once with all
cores for one picture at a time and once with a thread per core and one over; the faster of the two,
measured before and after the archive's run, is what it is held to. The archive's rate is told
twice: with everything (starting Ray, loading the model, listing, the ledger), and from its first
row to its last.
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
import pyarrow.parquet as pq
from PIL import Image

from tintype import Colorizer
from tintype.archive.ledger import FOLDER
from tintype.runtime import available_cores

MEGAPIXELS = (0.2, 0.5, 1.0, 1.0, 2.0, 4.0)


def make_pictures(folder: Path, count: int) -> list[Path]:
    """Grey pictures of mixed size, most JPEG, some PNG and TIFF; each made once, then copied."""
    paths: list[Path] = []
    originals: dict[int, bytes] = {}
    for number in range(count):
        kind = number % (4 * len(MEGAPIXELS))
        suffix = (".jpg", ".jpg", ".tif", ".png")[kind // len(MEGAPIXELS)]
        if kind not in originals:
            originals[kind] = _picture(folder, MEGAPIXELS[kind % len(MEGAPIXELS)], suffix, kind)
        path = folder / f"box{number // 100:03d}" / f"{number:06d}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(originals[kind])
        paths.append(path)
    return paths


def _picture(folder: Path, megapixels: float, suffix: str, seed: int) -> bytes:
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    y, x = np.mgrid[0:height, 0 : height * 3 // 2] / height
    rng = np.random.default_rng(seed)
    waves = 128 + 80 * np.sin(5 * x + seed) * np.cos(4 * y) + rng.normal(0, 4, x.shape)
    path = folder / f"original{suffix}"
    Image.fromarray(np.clip(waves, 0, 255).astype(np.uint8)).save(path)
    data = path.read_bytes()
    path.unlink()
    return data


def engine(model: str, paths: list[Path], workers: int, threads: int) -> float:
    """Pictures per second of ``Colorizer.colorize`` from bytes to bytes."""
    colorizer = Colorizer.load(model, threads=threads)
    colorizer.colorize(paths[0].read_bytes())
    contents = [path.read_bytes() for path in paths]
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(colorizer.colorize, contents):
            pass
    return len(paths) / (time.perf_counter() - start)


def fastest_engine(model: str, paths: list[Path]) -> float:
    """The better of two ways to use the cores."""
    cores = available_cores()
    return max(engine(model, paths, 1, cores), engine(model, paths, cores + 1, 1))


def archive(model: str, source: Path) -> tuple[float, float]:
    """Pictures per second of the command: of all its time, and between its first and last row."""
    with tempfile.TemporaryDirectory() as dest:
        command = [sys.executable, "-m", "tintype.cli", "archive", "run", str(source), dest]
        start = time.perf_counter()
        subprocess.run([*command, "--model", model], check=True)
        took = time.perf_counter() - start
        rows = pq.read_table(Path(dest) / FOLDER, columns=["finished_at", "seconds"])
        finished = np.sort(rows["finished_at"].cast("int64").to_numpy()) / 1e6
        steady = (len(finished) - 1) / max(1e-9, finished[-1] - finished[0])
        return len(finished) / took, steady


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--compared", type=int, default=240, help="pictures of the engine's runs")
    parser.add_argument("--model", default="tintype")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as work:
        paths = make_pictures(Path(work), given.pictures)
        some = paths[: given.compared]
        for _ in range(given.rounds):
            before = fastest_engine(given.model, some)
            whole, steady = archive(given.model, Path(work))
            alone = (before + fastest_engine(given.model, some)) / 2
            ratios.append(whole / alone)
            sys.stdout.write(
                f"engine {alone:.2f}/s (before {before:.2f}); archive {whole:.2f}/s with "
                f"everything: {whole / alone:.3f}; from first row to last {steady:.2f}/s: "
                f"{steady / alone:.3f}\n"
            )
    sys.stdout.write(f"median with everything {statistics.median(ratios):.3f}\n")


if __name__ == "__main__":
    main()
