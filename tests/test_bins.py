"""Bins, soft encoding, annealed mean, prior and palettes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tintype import bins
from tintype.color import rgb_to_lab
from tintype.errors import UsageError

PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "bins"
CENTRES = bins.in_gamut_centres()

# The published list, as the range of b for each a = -90, -80, ..., 100.
PUBLISHED_RANGES = [
    (50, 90), (20, 90), (0, 90), (-20, 90), (-30, 100), (-40, 100), (-50, 100), (-50, 100),
    (-60, 100), (-70, 100), (-80, 90), (-80, 90), (-90, 90), (-100, 90), (-100, 80), (-110, 80),
    (-110, 80), (-110, 70), (-110, 70), (-90, 0),
]  # fmt: skip


def test_centres_are_the_published_313() -> None:
    expected = [
        (a, b)
        for a, (low, high) in zip(range(-90, 101, 10), PUBLISHED_RANGES, strict=True)
        for b in range(low, high + 1, 10)
    ]
    assert CENTRES.shape == (313, 2)
    assert CENTRES.tolist() == [list(map(float, point)) for point in expected]


def test_centres_equal_the_published_file() -> None:
    if not PUBLISHED.exists():
        pytest.skip("the published bins (shared/data/bins) are not here")
    assert (np.load(PUBLISHED / "pts_in_hull.npy") == CENTRES).all()


def test_every_srgb_colour_has_its_four_neighbours() -> None:
    ab = rgb_to_lab(np.random.default_rng(0).random((20000, 3)))[:, 1:]
    known = set(map(tuple, CENTRES.tolist()))
    for a in (np.floor, np.ceil):
        for b in (np.floor, np.ceil):
            cells = np.stack([a(ab[:, 0] / 10), b(ab[:, 1] / 10)], 1) * 10
            assert set(map(tuple, cells.tolist())) <= known


def test_finer_grids_have_more_bins() -> None:
    assert len(bins.in_gamut_centres(5)) > 3 * 313
    with pytest.raises(UsageError, match="distance"):
        bins.in_gamut_centres(0)


def test_soft_encoding_by_hand() -> None:
    index, weight = bins.soft_encode(np.array([3.0, 0.0]), CENTRES, neighbours=2)
    assert CENTRES[index].tolist() == [[0, 0], [10, 0]]
    raw = np.exp(-np.array([9, 49]) / 50)
    assert weight == pytest.approx(raw / raw.sum(), rel=1e-6)


def test_soft_encoding_matches_brute_force() -> None:
    ab = np.random.default_rng(1).uniform(-60, 60, (200, 2))
    index, weight = bins.soft_encode(ab.reshape(10, 20, 2), CENTRES)
    assert index.shape == weight.shape == (10, 20, 5)
    assert weight.sum(-1) == pytest.approx(np.ones((10, 20)), abs=1e-6)
    distance = np.hypot(*(ab[:, None] - CENTRES).transpose(2, 0, 1))
    assert np.sort(distance, 1)[:, :5] == pytest.approx(
        np.take_along_axis(distance, index.reshape(-1, 5), 1)
    )


def test_soft_encoding_of_colours_far_outside_stays_finite() -> None:
    _, weight = bins.soft_encode(np.array([[500.0, -500.0]]), CENTRES)
    assert np.isfinite(weight).all()
    assert weight.sum() == pytest.approx(1)


def test_annealed_mean_by_hand() -> None:
    centres = np.array([[0.0, 0.0], [10.0, -10.0]])
    logits = np.log(np.array([0.25, 0.75])).reshape(1, 2, 1, 1)
    plain = bins.annealed_mean(logits, centres, temperature=1)
    assert plain.ravel() == pytest.approx([7.5, -7.5])
    half = 0.75**2 / (0.75**2 + 0.25**2)  # z^(1/T) with T = 1/2
    assert bins.annealed_mean(logits, centres, 0.5).ravel() == pytest.approx(
        [10 * half, -10 * half]
    )
    assert bins.annealed_mean(logits, centres, 0.01).ravel() == pytest.approx([10, -10])


def test_annealed_mean_undoes_soft_encoding() -> None:
    # At T = 1 the mean over five bins lies near the colour it encodes, in the inner gamut.
    ab = np.random.default_rng(3).uniform(-30, 30, (100, 2))
    index, weight = bins.soft_encode(ab, CENTRES)
    probs = np.zeros((100, 313))
    np.put_along_axis(probs, index, weight, 1)
    decoded = bins.annealed_mean(np.log(probs + 1e-12), CENTRES, 1.0)
    assert np.hypot(*(decoded - ab).T).max() < 2.5


def test_annealed_mean_of_torch_is_the_same_and_has_gradients() -> None:
    torch = pytest.importorskip("torch")
    logits = np.random.default_rng(4).normal(size=(2, 313, 3, 4))
    tensor = torch.tensor(logits, requires_grad=True)
    centres = torch.tensor(CENTRES, dtype=torch.float64)
    ours = bins.annealed_mean(tensor, centres)
    assert ours.shape == (2, 2, 3, 4)
    assert np.abs(ours.detach().numpy() - bins.annealed_mean(logits, CENTRES)).max() < 1e-9
    ours.sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_rebalancing_weights_by_hand() -> None:
    prior = np.array([0.9, 0.1])
    raw = 1 / (0.5 * prior + 0.25)
    expected = raw / (prior * raw).sum()
    assert bins.rebalancing_weights(prior) == pytest.approx(expected, rel=1e-6)
    assert bins.rebalancing_weights(prior, 1.0).tolist() == [1, 1]
    with pytest.raises(UsageError, match="lambda"):
        bins.rebalancing_weights(np.array([1.0, 0.0]), 0.0)


def test_prior_is_smoothed_and_sums_to_one() -> None:
    counts = np.zeros(313)
    middle = int(np.flatnonzero((CENTRES == 0).all(1))[0])
    counts[middle] = 7
    prior = bins.smooth_prior(counts, CENTRES)
    assert prior.sum() == pytest.approx(1)
    neighbour = int(np.flatnonzero((CENTRES == (10, 0)).all(1))[0])
    assert prior[neighbour] / prior[middle] == pytest.approx(np.exp(-100 / 50), rel=1e-6)
    assert bins.smooth_prior(counts, CENTRES, sigma=0)[middle] == 1
    with pytest.raises(UsageError, match="prior"):
        bins.smooth_prior(np.zeros(313), CENTRES)


def test_weights_of_the_published_prior_favour_rare_colours() -> None:
    if not PUBLISHED.exists():
        pytest.skip("the published prior (shared/data/bins) is not here")
    prior = bins.smooth_prior(np.load(PUBLISHED / "prior_probs.npy"), CENTRES)
    weight = bins.rebalancing_weights(prior)
    assert (prior * weight).sum() == pytest.approx(1, abs=1e-6)
    assert weight.argmin() == prior.argmax()


def test_palette_finds_the_colours_that_are_there() -> None:
    rng = np.random.default_rng(5)
    true = np.array([[0.1, 0.1, 0.2], [0.8, 0.2, 0.1], [0.3, 0.7, 0.3], [0.9, 0.9, 0.8]])
    pixels = np.repeat(true, 200, 0) + rng.normal(0, 0.01, (800, 3))
    palette = bins.rgb_palette(pixels, 4, seed=1)
    order = np.argsort(true @ (0.299, 0.587, 0.114))
    assert np.abs(palette - true[order]).max() < 0.01
    assert (palette == bins.rgb_palette(pixels, 4, seed=1)).all()
    with pytest.raises(UsageError, match="distinct"):
        bins.rgb_palette(np.ones((10, 3)), 2)


def test_bin_of_colour_is_the_nearest_bin_of_every_srgb_colour() -> None:
    levels = np.linspace(0, 1, 24)
    rgb = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    ab = rgb_to_lab(rgb)[:, 1:]
    fast, searched = bins.bin_of_colour(ab), bins.nearest_bin(ab, CENTRES)
    # Where two bins are equally near, rounding may make either the nearest.
    same = fast == searched
    distance = np.linalg.norm(ab[:, None] - CENTRES[np.stack([fast, searched], 1)], axis=-1)
    assert same.mean() > 0.999
    np.testing.assert_allclose(distance[:, 0], distance[:, 1], atol=1e-3)
    assert bins.bin_of_colour(np.array([500.0, -500.0])).shape == ()
