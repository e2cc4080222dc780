"""How pictures are varied in training: turned as a whole, or their grey made to look old."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tintype.color import linear_to_xyz, luminance_to_lightness, srgb_to_linear
from tintype.training.config import Film

ORTHOCHROMATIC, BLUE_SENSITIVE = (0.02, 0.58, 0.40), (0.02, 0.08, 0.90)
"""Roughly the parts of linear red, green and blue in the greys of film that hardly sees red, from
about 1880, and of the plates before it."""

JPEG_QUALITY = (20, 70)

MAX_SCRATCHES = 4
MAX_SPECKS = 30


def rotate(lab: Tensor, degrees: float, rngs: list[np.random.Generator]) -> Tensor:
    """Turn each picture by its own angle, enlarged so far that no corner is empty.

    Args:
        lab: (N,C,S,S) squares.
        degrees: the largest angle, either way.
        rngs: one for each picture.

    Returns:
        The same shape.
    """
    if degrees == 0:
        return lab
    angles = [math.radians(rng.uniform(-degrees, degrees)) for rng in rngs]
    turns = []
    for angle in angles:
        cos, sin = math.cos(angle), math.sin(angle)
        zoom = 1 / (abs(cos) + abs(sin))
        turns.append([[zoom * cos, -zoom * sin, 0], [zoom * sin, zoom * cos, 0]])
    grid = functional.affine_grid(torch.tensor(turns).to(lab), list(lab.shape), align_corners=False)
    return functional.grid_sample(lab, grid, padding_mode="border", align_corners=False)


def film_lightness(L: Tensor, rgb: Tensor, film: Film, rngs: list[np.random.Generator]) -> Tensor:
    """Some of the greys as orthochromatic film or blue-sensitive plates showed those colours.

    Each such picture has its own place between CIE luminance and an emulsion, which lies between
    the two.

    Args:
        L: (N,1,H,W) in [0,100].
        rgb: (N,3,H,W) sRGB in [0,1].
        film: probabilities.
        rngs: one for each picture.

    Returns:
        As L.
    """
    emulsions = torch.tensor([ORTHOCHROMATIC, BLUE_SENSITIVE]).to(L)

    def seen(own: Tensor, colours: Tensor, rng: np.random.Generator) -> Tensor:
        chance, far, blue = (float(value) for value in rng.random(3))
        if chance >= film.orthochromatic:
            return own
        linear = srgb_to_linear(colours)
        exposure = torch.tensordot(emulsions[0].lerp(emulsions[1], blue), linear, 1)
        return luminance_to_lightness(linear_to_xyz(linear, 0)[1].lerp(exposure, far))[None]

    return torch.stack([seen(*each) for each in zip(L, rgb, rngs, strict=True)])


def disturb_lightness(L: Tensor, film: Film, rngs: list[np.random.Generator]) -> Tensor:
    """Make some of the greys look like old film; the colours stay true.

    Args:
        L: (N,1,H,W) in [0,100].
        film: probabilities.
        rngs: one for each picture.

    Returns:
        The same shape, in [0,100].
    """

    def some(probability: float, low: float, high: float, otherwise: float) -> Tensor:
        drawn = [
            value if chance < probability else otherwise
            for chance, value in ((rng.random(), rng.uniform(low, high)) for rng in rngs)
        ]
        return torch.tensor(drawn).to(L).reshape(-1, 1, 1, 1)

    gamma, contrast = some(film.tone, 0.7, 1.4, 1.0), some(film.tone, 0.7, 1.1, 1.0)
    lift = some(film.tone, 0.0, 1.0, 0.0) * (1 - contrast).clamp(min=0)
    L = 100 * ((L / 100).clamp(1e-4, 1) ** gamma * contrast + lift)
    blur, grain = some(film.blur, 0.3, 1.0, 0.0), some(film.grain, 1.0, 4.0, 0.0)
    L = L + blur * (functional.avg_pool2d(L, 3, 1, 1, count_include_pad=False) - L)
    if film.fading:
        L = L + some(film.fading, 0.2, 0.8, 0.0) * _veil(L, rngs) * (75 - L)
    if film.scratches:
        L = L + some(film.scratches, 1.0, 1.0, 0.0) * _marks(L, rngs)
    if film.vignette:
        L = L * (1 - some(film.vignette, 0.1, 0.5, 0.0) * _off_centre(L, rngs))
    if film.grain:
        noise = np.stack([rng.standard_normal(L.shape[1:], np.float32) for rng in rngs])
        L = L + grain * torch.from_numpy(noise).to(L)
    L = L.clamp(0, 100)
    if film.jpeg:
        chosen = [rng.random() < film.jpeg for rng in rngs]
        each = zip(L, chosen, rngs, strict=True)
        L = torch.stack([_jpeg(own, rng) if taken else own for own, taken, rng in each])
    return L


def _off_centre(L: Tensor, rngs: list[np.random.Generator]) -> Tensor:
    """How far each place is from about the middle, squared, (N,1,H,W): 1 in the corners."""
    y, x = (torch.linspace(-1, 1, side).to(L) for side in L.shape[-2:])
    middles = [rng.uniform(-0.3, 0.3, 2) for rng in rngs]
    return torch.stack([((y - v) ** 2)[:, None] + (x - h) ** 2 for v, h in middles])[:, None] / 2


def _jpeg(L: Tensor, rng: np.random.Generator) -> Tensor:
    """One picture (1,H,W), compressed and decoded."""
    file = io.BytesIO()
    codes = (L[0] * 2.55).round().byte().cpu().numpy()
    Image.fromarray(codes).save(file, "JPEG", quality=int(rng.integers(*JPEG_QUALITY)))
    return torch.from_numpy(np.asarray(Image.open(file), np.float32)).to(L)[None] / 2.55


def _veil(L: Tensor, rngs: list[np.random.Generator]) -> Tensor:
    """How faded each place is, (N,1,H,W) in [0,1]: smooth, strongest at a side or corner."""
    corners = np.stack([rng.random((1, 2, 2), np.float32) ** 2 for rng in rngs])
    return functional.interpolate(
        torch.from_numpy(corners).to(L), L.shape[-2:], mode="bilinear", align_corners=True
    )


def _marks(L: Tensor, rngs: list[np.random.Generator]) -> Tensor:
    """Scratches and dust to be added to L, (N,1,H,W)."""
    height, width = L.shape[-2:]
    marks = np.zeros(L.shape, np.float32)
    rows = np.arange(height)
    for (mark,), rng in zip(marks, rngs, strict=True):
        for _ in range(rng.integers(1, MAX_SCRATCHES + 1)):
            slope, start = rng.normal(0, 0.03), rng.uniform(0, width)
            columns = np.rint(start + slope * rows).astype(int)
            inside = (columns >= 0) & (columns < width) & (rows >= rng.integers(0, height // 2))
            mark[rows[inside], columns[inside]] = rng.choice([-1, 1]) * rng.uniform(15, 60)
        specks = int(rng.integers(1, MAX_SPECKS + 1))
        places = rng.integers(0, height, specks), rng.integers(0, width, specks)
        mark[places] = rng.uniform(-60, 60, specks)
    return torch.from_numpy(marks).to(L)
