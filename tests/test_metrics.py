"""Metrics against hand-computed cases and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.bins import in_gamut_centres
from tintype.color import rgb_to_lab
from tintype.errors import UsageError
from tintype.evaluation import metrics

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 50, 3), np.uint8)
OTHER = RNG.integers(0, 256, (40, 50, 3), np.uint8)


def flat(*rgb: int) -> np.ndarray:
    return np.full((8, 8, 3), rgb, np.uint8)


def test_psnr_agrees_with_scikit_image_and_does_not_wrap() -> None:
    skimage = pytest.importorskip("skimage.metrics")
    expected = skimage.peak_signal_noise_ratio(PICTURE, OTHER)
    assert metrics.psnr(OTHER, PICTURE) == pytest.approx(expected)
    assert metrics.psnr(flat(0, 0, 0), flat(255, 255, 255)) == 0
    assert metrics.psnr(PICTURE, PICTURE) == float("inf")


def test_ssim_is_scikit_images() -> None:
    pytest.importorskip("skimage.metrics")
    assert metrics.ssim(PICTURE, PICTURE) == pytest.approx(1)
    noisy = np.clip(PICTURE.astype(int) + 20, 0, 255).astype(np.uint8)
    assert metrics.ssim(OTHER, PICTURE) < 0.1 < metrics.ssim(noisy, PICTURE) < 1


def test_img_sim_by_hand() -> None:
    assert metrics.img_sim(flat(0, 0, 0), flat(51, 0, 0)) == pytest.approx(100 * (1 - 0.2 / 3))


def test_colourfulness_by_hand() -> None:
    # Half pure red (rg 255, yb 127.5), half pure blue (rg 0, yb -255).
    picture = np.concatenate([flat(255, 0, 0), flat(0, 0, 255)])
    spread = np.hypot(127.5, 191.25)
    mean = np.hypot(127.5, -63.75)
    assert metrics.colourfulness(picture) == pytest.approx(spread + 0.3 * mean)
    assert metrics.colourfulness(flat(90, 90, 90)) == 0
    # Signed: complementary colours cancel in the mean, which the absolute variant would not.
    cancel = np.concatenate([flat(100, 50, 75), flat(50, 100, 75)])
    assert metrics.colourfulness(cancel) == pytest.approx(50)


def test_accuracy_curve_and_auc_by_hand() -> None:
    ab = np.array([[0.0, 0], [3, 4], [0, 149.5], [300, 0]])
    curve = metrics.accuracy_curve(ab, np.zeros((4, 2)))
    assert curve[[0, 4, 5, 149, 150]].tolist() == [0.25, 0.25, 0.5, 0.5, 0.75]
    assert metrics.auc(np.ones(151)) == 100
    assert metrics.auc(curve) == pytest.approx(100 * np.trapezoid(curve, np.arange(151)) / 150)


def test_absolute_colourfulness_by_hand() -> None:
    # rg is 50 and -50, yb is 0: taken absolute, nothing is left to spread.
    cancel = np.concatenate([flat(100, 50, 75), flat(50, 100, 75)])
    assert metrics.colourfulness(cancel, absolute=True) == pytest.approx(0.3 * 50)


def test_img_dif_is_what_img_sim_leaves() -> None:
    assert metrics.img_dif(OTHER, PICTURE) + metrics.img_sim(OTHER, PICTURE) == pytest.approx(100)


def test_errors_of_ab_by_hand() -> None:
    ab, truth = np.array([[3.0, -4], [0, 1]]), np.zeros((2, 2))
    assert metrics.mae_ab(ab, truth) == pytest.approx(2)
    assert metrics.mse_ab(ab, truth) == pytest.approx(26 / 4)
    assert metrics.psnr_ab(ab, truth) == pytest.approx(10 * np.log10(255**2 / 6.5))
    assert metrics.psnr_ab(ab, ab) == float("inf")


# Sharma, Wu and Dalal 2005, table 1: pairs that find the usual mistakes.
SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("one", "other", "expected"), SHARMA)
def test_ciede2000_gives_the_published_figures(one, other, expected) -> None:
    a, b = np.array(one), np.array(other)
    assert metrics.delta_e2000(a, b) == pytest.approx(expected, abs=5e-5)
    assert metrics.delta_e2000(b, a) == pytest.approx(expected, abs=5e-5)


def test_ciede2000_agrees_with_scikit_image() -> None:
    skimage = pytest.importorskip("skimage.color")
    one, other = rgb_to_lab(PICTURE / 255.0), rgb_to_lab(OTHER / 255.0)
    expected = skimage.deltaE_ciede2000(one, other)
    np.testing.assert_allclose(metrics.delta_e2000(one, other), expected, atol=1e-6)
    assert (metrics.delta_e2000(one, one) == 0).all()


def test_rebalanced_accuracy_weighs_every_class_the_same() -> None:
    # Three pixels of class 0 are right at once, one of class 7 only from 100 on.
    steps, bins = np.array([0, 0, 0, 100]), np.array([0, 0, 0, 7])
    counts = metrics.class_counts(steps, bins, 313)
    curve = metrics.rebalanced_curve(counts)
    assert curve[[0, 99, 100, 150]].tolist() == [0.5, 0.5, 1, 1]
    assert metrics.curve_of(np.bincount(steps))[99] == 0.75
    # The same from the definition: every pixel weighs the inverse of its class's frequency.
    weight = 1 / np.array([3, 3, 3, 1])
    assert curve[50] == pytest.approx((weight * (steps <= 50)).sum() / weight.sum())
    with pytest.raises(UsageError, match="no pixels"):
        metrics.rebalanced_curve(np.zeros((313, 152), int))


def test_accuracy_of_grey_and_of_the_truth() -> None:
    true_ab = rgb_to_lab(PICTURE / 255.0)[..., 1:]
    assert metrics.auc(metrics.accuracy_curve(true_ab, true_ab)) == 100
    steps = metrics.error_steps(np.zeros_like(true_ab), true_ab)
    assert steps.min() >= 0
    assert steps.max() <= 151
    assert len(in_gamut_centres()) == 313


@pytest.mark.parametrize(
    "wrong", [PICTURE / 255, PICTURE[..., 0], PICTURE.astype(np.uint16), PICTURE[:0]]
)
def test_wrong_arrays_are_refused(wrong) -> None:
    with pytest.raises(UsageError, match="uint8"):
        metrics.psnr(wrong, PICTURE)
    with pytest.raises(UsageError, match="but the truth is"):
        metrics.psnr(PICTURE[:20], PICTURE)
    with pytest.raises(UsageError, match="Two"):
        metrics.accuracy_curve(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(UsageError, match="Two"):
        metrics.delta_e2000(np.zeros((3, 3)), np.zeros((4, 3)))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1000.0])
def test_what_is_no_ab_is_refused(value) -> None:
    ab = np.zeros((4, 2))
    ab[1, 1] = value
    for metric in (metrics.mae_ab, metrics.mse_ab, metrics.psnr_ab, metrics.accuracy_curve):
        with pytest.raises(UsageError, match="finite"):
            metric(ab, np.zeros((4, 2)))
