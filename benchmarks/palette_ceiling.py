"""The best that a palette can do: true pictures whose pixels take the palette's nearest colour.

python benchmarks/palette_ceiling.py SET MODEL.onnx...

The models are networks with a palette, as `tintype export` writes them.

Two ceilings at 256×256: the palette's colour as it is, and its ab joined with the picture's own
lightness, as the engine does with predictions. Prints a Markdown table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.color import rgb_to_lab
from tintype.engine.join import join_rows
from tintype.evaluation.benchmark import read_truth
from tintype.evaluation.contestants import grey_of
from tintype.evaluation.metrics import colourfulness, img_sim, psnr
from tintype.images.sets import pictures_in
from tintype.runtime import Session


def nearest(rgb: NDArray[np.uint8], palette: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number of the palette's nearest colour in RGB, (H, W)."""
    distance = ((rgb[..., None, :] / 255 - palette) ** 2).sum(-1)
    return np.asarray(distance.argmin(-1))


def main(pictures: Path, models: list[Path]) -> None:
    """Print the table."""
    sys.stdout.write("| palette | joined | PSNR, dB | ImgSim, % | colourfulness |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for model in models:
        buffers = json.loads(Session(model, device="cpu").metadata["buffers"])
        palette = np.asarray(buffers["colours.rgb"], np.float64)
        ab = rgb_to_lab(palette)[:, 1:].astype(np.float32)
        rows: dict[str, list[tuple[float, float, float]]] = {"no": [], "with its own L": []}
        for name, data in pictures_in(pictures):
            truth = read_truth(name, data, 256)
            chosen = nearest(truth, palette)
            plain = np.uint8(np.rint(palette[chosen] * 255))
            own = join_rows(grey_of(truth, "lightness")[..., :1], ab[chosen].transpose(2, 0, 1))
            for found, picture in zip(rows.values(), (plain, own), strict=True):
                figures = psnr(picture, truth), img_sim(picture, truth), colourfulness(picture)
                found.append(figures)
        for joined, found in rows.items():
            mean = np.mean(found, axis=0)
            sys.stdout.write(
                f"| {len(palette)} | {joined} | {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.1f} |\n"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
