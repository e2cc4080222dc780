"""Metrics against hand-computed cases and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    "wrong", [PICTURE / 255, PICTURE[..., 0], PICTURE.astype(np.uint16), PICTURE[:0]]
)
def test_wrong_arrays_are_refused(wrong) -> None:
    with pytest.raises(UsageError, match="uint8"):
        metrics.psnr(wrong, PICTURE)
    with pytest.raises(UsageError, match="but the truth is"):
        metrics.psnr(PICTURE[:20], PICTURE)
    with pytest.raises(UsageError, match="curve"):
        metrics.accuracy_curve(np.zeros((3, 2)), np.zeros((4, 2)))
