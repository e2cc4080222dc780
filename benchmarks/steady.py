"""How steady the colours of films with known truth are, and what steadiness costs in PSNR.

python benchmarks/steady.py SET.tar [--model NAME] [--frames 24] [--pictures 6] [--save FOLDER]

Short films are made of colour photographs: a still camera with grain, a pan, a zoom, a cross-fade
and a cut, and grain that breathes in brightness. Each is made grey, coloured frame by frame and
steadily, and compared with its own true colours. Where the camera moves, flicker is measured on
the part of the photograph that all frames show, each laid over the others; and always with the
grain taken out of Y' again, since flicker of colour is asked for. A moving camera changes the true
colours of a pixel, too, if only by resampling: the truth's own change stands beside, and the last
figure of flicker is how much of what was beyond it is gone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.color import luma
from tintype.engine import Colorizer, Options
from tintype.evaluation.film import static_ab_change
from tintype.evaluation.metrics import psnr
from tintype.images.sets import open_checked, pictures_in
from tintype.temporal import STEADY
from tintype.video.film import painted_frames
from tintype.video.planes import Signal, plane, rgb_of
from tintype.video.probe import Film

HEIGHT, WIDTH = 240, 320
SIGNAL = Signal("yuv444p", 8, True, "bt601")
GRAIN = 3.0  # levels

Rgb = NDArray[np.float32]


Whole = (0.0, 0.0, float(WIDTH))
View = tuple[float, float, float]
"""Left, top and width of what a frame shows of its photograph."""


def window(photo: Image.Image, view: View = Whole) -> Rgb:
    """A view of a photograph, (HEIGHT, WIDTH, 3) in [0, 255]."""
    seen = photo.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box_of(view))
    return np.asarray(seen, np.float32)


def box_of(view: View) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    left, top, width = view
    return left, top, left + width, top + width * HEIGHT / WIDTH


def still(a: Image.Image, b: Image.Image, i: int, n: int) -> tuple[Rgb, View]:
    """A camera on a tripod."""
    return window(a), Whole


def pan(a: Image.Image, b: Image.Image, i: int, n: int) -> tuple[Rgb, View]:
    """A camera that turns: the view moves over the photograph."""
    view = 60 * i / n, 20 * i / n, WIDTH - 70.0
    return window(a, view), view


def zoom(a: Image.Image, b: Image.Image, i: int, n: int) -> tuple[Rgb, View]:
    """A camera that comes nearer."""
    width = WIDTH * (1 - 0.3 * i / n)
    view = (WIDTH - width) / 2, (WIDTH - width) / 2 * HEIGHT / WIDTH, width
    return window(a, view), view


def fade(a: Image.Image, b: Image.Image, i: int, n: int) -> tuple[Rgb, View]:
    """One scene dissolves into another."""
    share = np.float32(np.clip((i - n / 4) / (n / 2), 0, 1))
    return (1 - share) * window(a) + share * window(b), Whole


def cut(a: Image.Image, b: Image.Image, i: int, n: int) -> tuple[Rgb, View]:
    """One scene follows another at once."""
    return window(a if i < n // 2 else b), Whole


def breathing(a: Image.Image, b: Image.Image, i: int, n: int) -> tuple[Rgb, View]:
    """A worn projector: brightness goes up and down."""
    return window(a) * np.float32(0.9 + 0.1 * np.sin(1.7 * i)), Whole


KINDS = {"still": still, "pan": pan, "zoom": zoom, "fade": fade, "cut": cut, "breathing": breathing}


def laid_over(shown: list[NDArray[np.uint8]], views: list[View]) -> list[NDArray[np.uint8]]:
    """The part of the photograph that all frames show, at one size."""
    boxes = np.array([box_of(view) for view in views])
    left, top = boxes[:, :2].max(0)
    right, bottom = boxes[:, 2:].min(0)
    parts = []
    for frame, (x, y, width) in zip(shown, views, strict=True):
        scale = WIDTH / width
        box = tuple((np.array([left - x, top - y, right - x, bottom - y]) * scale).tolist())
        part = Image.fromarray(frame).resize((160, 120), Image.Resampling.BICUBIC, box=box)
        parts.append(np.asarray(part))
    return parts


def grey_frames(truths: list[Rgb], seed: int) -> Iterator[av.VideoFrame]:
    """The truth's Y' with grain, as decoded frames."""
    rng = np.random.default_rng(seed)
    for number, truth in enumerate(truths):
        codes = luma(truth, "bt601") + rng.normal(0, GRAIN, truth.shape[:2])
        frame = av.VideoFrame(WIDTH, HEIGHT, SIGNAL.format)
        for index, each in enumerate(frame.planes):
            rows = np.frombuffer(each, np.uint8).reshape(HEIGHT, -1)
            rows[:, :WIDTH] = np.clip(np.rint(codes), 0, 255) if index == 0 else 128
        frame.pts, frame.color_range = number, 2
        yield frame


def film() -> Film:
    """What the frames say of themselves."""
    rate = Fraction(24)
    return Film(
        *("made", "none", "none", SIGNAL.format, (HEIGHT, WIDTH), Fraction(1), 0, rate),
        *(None, None, 1 / rate, SIGNAL, "progressive", (), 0),
    )


def coloured(
    colorizer: Colorizer, truths: list[Rgb], steady: float, seed: int
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]], int]:
    """The film in colour, the same without grain, and how many frames the network saw."""
    shown, clean, predicted = [], [], 0
    frames = grey_frames(truths, seed)
    for each in painted_frames(colorizer, film(), frames, Options(), steady):
        shown.append(rgb_of(each.frame, SIGNAL))
        plane(each.frame, 0)[:] = np.rint(luma(truths[each.number], "bt601"))
        clean.append(rgb_of(each.frame, SIGNAL))
        predicted += each.predicted
    return shown, clean, predicted


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=Path)
    parser.add_argument("--model", default="tintype")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--steady", type=float, default=STEADY)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    colorizer = Colorizer.load(given.model)
    photos = [
        Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        for picture in islice(decoded(given.set), given.pictures + 1)
    ]
    print_line(
        "kind, flicker of the truth, frame by frame, steady, beyond the truth, "
        "PSNR dB, steady, change, predicted"
    )
    for kind, make in KINDS.items():
        rows = []
        for number in range(given.pictures):
            made = [
                make(photos[number], photos[number + 1], i, given.frames)
                for i in range(given.frames)
            ]
            truths, views = [rgb for rgb, _ in made], [view for _, view in made]
            exact = [np.uint8(np.rint(truth).clip(0, 255)) for truth in truths]
            row = [static_ab_change(laid_over(exact, views))]
            for steady in (0.0, given.steady):
                shown, clean, predicted = coloured(colorizer, truths, steady, number)
                row += [
                    static_ab_change(laid_over(clean, views)),
                    float(np.mean([psnr(a, b) for a, b in zip(shown, exact, strict=True)])),
                    predicted / given.frames,
                ]
                if given.save is not None:
                    save(given.save / f"{kind}-{number}-{steady}.png", shown)
            rows.append(row)
        true, wild, wild_db, _, calm, calm_db, part = np.mean(rows, axis=0)
        beyond = max(0.0, calm - true) / (wild - true) - 1
        print_line(
            f"{kind}, {true:.3f}, {wild:.3f}, {calm:.3f}, {100 * beyond:+.0f} %, "
            f"{wild_db:.2f}, {calm_db:.2f}, {calm_db - wild_db:+.2f}, {100 * part:.0f} %"
        )


def decoded(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The set's photographs as uint8 sRGB."""
    for _, data in pictures_in(path):
        with open_checked(data) as image:
            yield np.asarray(image.convert("RGB"))


def save(path: Path, shown: list[NDArray[np.uint8]]) -> None:
    """Six frames side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = shown[:: max(1, len(shown) // 6)][:6]
    Image.fromarray(np.concatenate(chosen, 1)).save(path)


def print_line(text: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
