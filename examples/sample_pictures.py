"""Write sample photographs, in colour and made grey, into a folder: what ``make demo`` colorizes.

    python examples/sample_pictures.py FOLDER

They come with scikit-image: an astronaut (NASA) and a rocket (SpaceX), both in the public domain,
a cat and a cup of coffee (CC0). Nothing is fetched.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from tintype.color import luma

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")


def write_samples(folder: Path) -> None:
    """Write ``original/NAME.png`` and ``grey/NAME.jpg`` (BT.601 luma) for each sample."""
    for sub in ("original", "grey"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        rgb = getattr(data, name)()
        Image.fromarray(rgb).save(folder / "original" / f"{name}.png")
        grey = luma(rgb.astype(np.float32)).round().astype(np.uint8)
        Image.fromarray(grey).save(folder / "grey" / f"{name}.jpg", quality=92)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
