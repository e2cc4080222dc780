"""Colour maths against scikit-image, both ways, for NumPy and torch, and by gradient."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import color as reference

from tintype import color

torch = pytest.importorskip("torch")

CORNERS = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], float)
RANDOM = np.random.default_rng(0).random((500, 3))
DARK = np.random.default_rng(1).random((200, 3)) * 0.05
COLOURS = np.concatenate([CORNERS, RANDOM, DARK])

# scikit-image rounds its matrix to six digits and its white point to five.
REFERENCE_AB = 0.02


def test_lab_agrees_with_scikit_image() -> None:
    assert np.abs(color.rgb_to_lab(COLOURS) - reference.rgb2lab(COLOURS)).max() < REFERENCE_AB


def test_rgb_agrees_with_scikit_image() -> None:
    lab = reference.rgb2lab(COLOURS)
    assert np.abs(color.lab_to_rgb(lab) - COLOURS).max() < 2e-3


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (color.srgb_to_linear, color.linear_to_srgb),
        (color.linear_to_xyz, color.xyz_to_linear),
        (color.xyz_to_lab, color.lab_to_xyz),
        (color.rgb_to_lab, color.lab_to_rgb),
        (color.rgb_to_ycbcr, color.ycbcr_to_rgb),
    ],
)
def test_round_trips_are_exact(there, back) -> None:
    assert np.abs(back(there(COLOURS)) - COLOURS).max() < 1e-12


def test_colours_outside_the_gamut_survive_the_round_trip() -> None:
    lab = np.array([[50.0, 110, -110], [2, -110, 110], [99, 80, 0], [0, 20, -20]])
    assert np.abs(color.rgb_to_lab(color.lab_to_rgb(lab)) - lab).max() < 1e-9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_and_numpy_agree(dtype) -> None:
    pictures = COLOURS[:500].reshape(5, 10, 10, 3).astype(dtype)
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    ours = color.rgb_to_lab(batch, axis=1)
    assert ours.dtype == batch.dtype
    assert color.rgb_to_lab(pictures).dtype == dtype
    theirs = color.rgb_to_lab(pictures.astype(np.float64))
    limit = 1e-9 if dtype == np.float64 else 2e-3
    assert np.abs(ours.permute(0, 2, 3, 1).numpy() - theirs).max() < limit


def test_gradients_are_right_everywhere() -> None:
    lab = color.rgb_to_lab(torch.tensor(np.clip(COLOURS[:60], 0.002, 0.998)), axis=-1)
    assert torch.autograd.gradcheck(
        lambda x: color.lab_to_rgb(x, -1), lab.requires_grad_(), atol=1e-4
    )
    rgb = torch.tensor(np.clip(COLOURS[:60], 0.002, 0.998), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: color.rgb_to_lab(x, -1), rgb, atol=1e-4)


def test_gradients_are_finite_at_black() -> None:
    rgb = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    color.rgb_to_lab(rgb, -1).sum().backward()
    assert torch.isfinite(rgb.grad).all()


def test_grey_has_no_chroma_and_keeps_its_order() -> None:
    grey = np.linspace(0, 1, 256)
    lab = color.rgb_to_lab(np.repeat(grey[:, None], 3, axis=1))
    assert np.abs(lab[:, 1:]).max() < 1e-10
    assert lab[0, 0] == pytest.approx(0, abs=1e-12)
    assert lab[-1, 0] == pytest.approx(100)
    assert (np.diff(lab[:, 0]) > 0).all()


def test_lightness_and_luminance_are_inverse() -> None:
    L = np.linspace(0, 100, 1001)
    Y = color.lightness_to_luminance(L)
    assert np.abs(color.luminance_to_lightness(Y) - L).max() < 1e-10
    assert color.lightness_to_luminance(np.array(50.0)) == pytest.approx(0.184187, abs=1e-6)


def test_luma_weights_are_the_standards() -> None:
    red = np.array([1.0, 0, 0])
    assert color.luma(red, "bt601") == 0.299
    assert color.luma(red, "bt709") == 0.2126
    for standard in ("bt601", "bt709"):
        assert color.luma(np.ones(3), standard) == pytest.approx(1, abs=1e-15)


def test_ycbcr_agrees_with_scikit_image() -> None:
    theirs = reference.rgb2ycbcr(COLOURS)  # 8-bit limited range: 16..235 and 16..240
    ours = color.rgb_to_ycbcr(COLOURS, "bt601") * (219, 224, 224) + (16, 128, 128)
    assert np.abs(ours - theirs).max() < 0.01


def test_largest_chroma_is_the_edge_of_the_gamut() -> None:
    rng = np.random.default_rng(2)
    L, hue = rng.uniform(5, 95, 300), rng.uniform(-np.pi, np.pi, 300)
    chroma = color.largest_chroma(L, hue)

    def rgb(factor: float) -> np.ndarray:
        ab = (chroma * factor)[:, None] * np.stack([np.cos(hue), np.sin(hue)], 1)
        return color.lab_to_rgb(np.concatenate([L[:, None], ab], 1))

    inside, outside = rgb(0.999), rgb(1.001)
    assert inside.min() >= 0
    assert inside.max() <= 1
    assert ((outside < 0) | (outside > 1)).any(axis=1).all()


def test_largest_chroma_of_black_and_white_is_none() -> None:
    assert color.largest_chroma(np.array([0.0, 100.0]), np.array([1.0, 1.0])).max() < 2e-3
