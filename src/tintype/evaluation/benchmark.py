"""What a model scores on a set of colour photographs, through the public engine.

Protocol: the truth is squashed to size × size (bicubic), rounded to 8-bit sRGB; its own L goes
through the engine at that working size; the result is 8-bit sRGB; all pixels count; figures are
per picture, then averaged (the accuracy curve is averaged, then integrated).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tintype.color import rgb_to_lab
from tintype.engine import Colorizer
from tintype.errors import UsageError
from tintype.evaluation.metrics import (
    Picture8,
    accuracy_curve,
    auc,
    colourfulness,
    img_sim,
    psnr,
    ssim,
)
from tintype.options import Options


@dataclass(frozen=True)
class Scores:
    """Figures of one row of a table.

    Attributes:
        pictures: how many were scored.
        psnr: dB over RGB.
        ssim: structural similarity.
        img_sim: per cent.
        colourfulness: Hasler-Süsstrunk, signed.
        auc: area under the raw accuracy curve of ab, per cent.
    """

    pictures: int
    psnr: float
    ssim: float
    img_sim: float
    colourfulness: float
    auc: float


def pictures_of(tar: Path, size: int) -> Iterator[Picture8]:
    """The photographs of a tar file as the protocol wants them, unreadable ones left out.

    Raises:
        UsageError: when the file cannot be read.
    """
    try:
        with tarfile.open(tar) as members:
            for member in members:
                stored = members.extractfile(member) if member.isfile() else None
                try:
                    image = Image.open(BytesIO(stored.read() if stored else b"")).convert("RGB")
                except (OSError, UnidentifiedImageError):
                    continue
                yield np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"Cannot read the pictures in {tar}: {error}") from error


def measure(
    truths: Iterable[Picture8], colorizer: Colorizer, options: tuple[Options, ...]
) -> list[Scores]:
    """Score each set of options over the same pictures.

    Args:
        truths: colour photographs, uint8 (H, W, 3).
        colorizer: the model.
        options: one row each; ``Options(strength=0)`` is the grey picture. Recolouring must be
            allowed (``force``), since the truth itself is what the engine is given.

    Returns:
        One row for each of the options.

    Raises:
        UsageError: when there are no pictures.
    """
    rows: list[list[list[float]]] = [[] for _ in options]
    curves = [np.zeros(151) for _ in options]
    for truth in truths:
        true_ab = rgb_to_lab(truth / 255.0)[..., 1:]
        for number, option in enumerate(options):
            result = np.asarray(colorizer.colorize(truth, option), np.uint8)
            figures = [score(result, truth) for score in (psnr, ssim, img_sim)]
            rows[number].append([*figures, colourfulness(result)])
            curves[number] += accuracy_curve(rgb_to_lab(result / 255.0)[..., 1:], true_ab)
    if not rows or not rows[0]:
        raise UsageError("There are no pictures to measure on.")
    return [_scores(row, curve) for row, curve in zip(rows, curves, strict=True)]


def _scores(figures: list[list[float]], curves: NDArray[np.float64]) -> Scores:
    """Means over the pictures."""
    count = len(figures)
    means = [sum(column) / count for column in zip(*figures, strict=True)]
    return Scores(count, means[0], means[1], means[2], means[3], auc(curves / count))
