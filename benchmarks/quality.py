"""What a model scores on a tar file of colour photographs, the grey picture beside it.

python benchmarks/quality.py SET.tar [--model NAME|FILE] [--limit N] [--strength S ...]
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

from tintype import Colorizer, Options
from tintype.evaluation.benchmark import measure, pictures_of

SIZE_PX = 256


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tar", type=Path)
    parser.add_argument("--model", default="tintype")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--strength", type=float, nargs="+", default=[1.0])
    given = parser.parse_args()
    colorizer = Colorizer.load(given.model)
    strengths = [0.0, *given.strength]
    options = tuple(Options(strength=s, working_size=SIZE_PX, force=True) for s in strengths)
    rows = measure(islice(pictures_of(given.tar, SIZE_PX), given.limit), colorizer, options)
    write = sys.stdout.write
    write(f"{given.tar.name}, {rows[0].pictures} pictures at {SIZE_PX}×{SIZE_PX}\n\n")
    write("| | PSNR dB | over grey | SSIM | ImgSim % | colourfulness | AuC % |\n")
    write("|---|---|---|---|---|---|---|\n")
    for strength, row in zip(strengths, rows, strict=True):
        name = (
            f"{colorizer.name} {colorizer.version}, strength {strength:g}" if strength else "grey"
        )
        gain = f"{row.psnr - rows[0].psnr:+.2f}" if strength else ""
        write(
            f"| {name} | {row.psnr:.2f} | {gain} | {row.ssim:.4f} | {row.img_sim:.2f} "
            f"| {row.colourfulness:.1f} | {row.auc:.1f} |\n"
        )


if __name__ == "__main__":
    main()
