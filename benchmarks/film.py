"""How fast film is coloured, as a part of what decoding and encoding alone reach in the same run.

python benchmarks/film.py CLIP... [--lines 1080] [--frames 600] [--model NAME ...] [--threads N]

The clips are scaled up, grain is added, and they are joined to one film, which is read and written
(H.264, veryfast) without any colour, then with colours at the default steadiness, then with every
frame predicted; round after round, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np

from tintype.engine import Colorizer, Options
from tintype.temporal import STEADY
from tintype.video.decoding import Damage, frames_of
from tintype.video.encoding import Encoding, SegmentEncoder
from tintype.video.film import FilmOptions, colorize_film
from tintype.video.planes import plane
from tintype.video.probe import Film
from tintype.video.stages import ahead

GRAIN = 4.0  # levels
AHEAD = 6


def make_film(clips: list[Path], lines: int, frames: int, target: Path) -> None:
    """Scale the clips up, add grain, and join them over and over until there are enough frames."""
    height, width = lines, lines * 16 // 9
    rng = np.random.default_rng(0)
    grain = rng.normal(0, GRAIN, (height + 64, width + 64)).astype(np.float32)
    with av.open(str(target), "w") as output:
        options = {"preset": "veryfast", "crf": "18"}
        stream = output.add_stream("libx264", rate=Fraction(30), options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        made = 0
        for clip in cycle(clips):
            with av.open(str(clip)) as source:
                for frame in source.decode(video=0):
                    if made == frames:
                        output.mux(stream.encode(None))
                        return
                    large = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
                    down, right = rng.integers(0, 64, 2)
                    noise = grain[down : down + height, right : right + width]
                    Y = plane(large, 0)
                    Y[:] = np.clip(Y + noise, 16, 235)
                    large.pts, large.time_base = made, Fraction(1, 30)
                    output.mux(stream.encode(large))
                    made += 1


def without_colour(source: Path, film: Film, target: Path) -> int:
    """Read and write a film in two overlapping stages; the number of frames."""
    writer = SegmentEncoder(target, film, "libx264", Encoding())
    count = 0
    with closing(ahead(frames_of(source, film, Damage()), AHEAD)) as frames:
        for frame in frames:
            writer.write(frame)
            count += 1
    writer.close()
    return count


def timed(rates: dict[str, list[float]], name: str, work: Iterator[object] | None) -> None:
    """Do the work and note its frames per second."""
    start = time.perf_counter()
    frames = predicted = 0
    for state in work or ():
        frames, predicted = state.done, state.predicted  # type: ignore[attr-defined]
    rates.setdefault(name, []).append(frames / (time.perf_counter() - start))
    sys.stdout.write(
        f"  {name}: {rates[name][-1]:.1f} frames/s, {predicted} of {frames} predicted\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Print frames per second and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--lines", type=int, default=1080)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", action="append")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "film.mp4"), Path(folder, "out.mp4")
        make_film(given.clips, given.lines, given.frames, source)
        film = Film.probe(source)
        rates: dict[str, list[float]] = {}
        for number in range(given.rounds):
            sys.stdout.write(f"round {number + 1}\n")
            start = time.perf_counter()
            count = without_colour(source, film, Path(folder, "plain.nut"))
            rates.setdefault("no colour", []).append(count / (time.perf_counter() - start))
            sys.stdout.write(f"  no colour: {rates['no colour'][-1]:.1f} frames/s\n")
            for model in given.model or ["tintype"]:
                colorizer = Colorizer.load(model, "cpu", given.threads)
                for name, steady in (("steady", STEADY), ("every frame", 0.0)):
                    how = FilmOptions(steady=steady)
                    work = colorize_film(colorizer, source, target, Options(), how)
                    timed(rates, f"{model}, {name}", work)
        best = {name: max(values) for name, values in rates.items()}
        for name, value in best.items():
            ratio = value / best["no colour"]
            sys.stdout.write(f"{name}: {value:.1f} frames/s, {ratio:.2f} of no colour\n")


if __name__ == "__main__":
    main()
