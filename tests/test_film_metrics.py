"""Film metrics against hand-computed cases and SciPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tintype.color import lab_to_rgb, rgb_to_lab
from tintype.errors import UsageError
from tintype.evaluation.film import CDC_STEPS, cdc, flicker, static_ab_change

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (7, 9, 11, 3), np.uint8)


def frame(L: float, a: float, b: float, shape: tuple[int, int] = (4, 6)) -> np.ndarray:
    rgb = lab_to_rgb(np.full((*shape, 3), (L, a, b)))
    return np.round(255 * rgb).astype(np.uint8)


def film(*labs: tuple[float, float, float]) -> np.ndarray:
    return np.stack([frame(*lab) for lab in labs])


def ab(picture: np.ndarray) -> np.ndarray:
    return rgb_to_lab(picture[0, 0] / 255.0)[1:]


def test_static_change_by_hand() -> None:
    # Two steps of (3, 4) and (0, 12) units: 5 and 12 on average 8.5, but for 8-bit rounding.
    steps = film((60, 10, 10), (60, 13, 14), (60, 13, 26))
    first, second, third = (ab(each) for each in steps)
    exact = (np.hypot(*(second - first)) + np.hypot(*(third - second))) / 2
    assert static_ab_change(steps) == pytest.approx(exact)
    assert exact == pytest.approx(8.5, abs=0.5)


def test_moving_pixels_are_left_out() -> None:
    before, after = frame(60, 10, 10), frame(60, 13, 14)
    moving = after.copy()
    moving[:, 3:] = frame(20, -30, 0)[:, 3:]
    still = static_ab_change(np.stack([before, after]))
    assert static_ab_change([before, moving]) == pytest.approx(still)
    assert static_ab_change([before, moving], L_threshold=99) > 2 * still


def test_every_static_pixel_weighs_the_same() -> None:
    a, b, c = frame(60, 10, 10), frame(60, 13, 14), frame(60, 13, 26)
    cut = c.copy()
    cut[:, 2:] = frame(20, 0, 0)[:, 2:]  # 16 of 24 pixels move in the second pair
    first, second = np.hypot(*(ab(b) - ab(a))), np.hypot(*(ab(c) - ab(b)))
    assert static_ab_change([a, b, cut]) == pytest.approx((24 * first + 8 * second) / 32)


def test_lightness_of_the_source_decides_where_it_is_given() -> None:
    steps = film((60, 10, 10), (60, 13, 14))
    light = np.full((2, 4, 6), 60.0)
    light[1, :, :3] = 50
    half = steps.copy()
    half[1, :, :3] = frame(60, -50, 40)[:, :3]
    assert static_ab_change(half, L=light) == pytest.approx(static_ab_change(steps))


def test_a_still_film_does_not_change() -> None:
    still = np.stack([NOISE[0]] * 5)
    assert static_ab_change(still) == 0
    assert cdc(still) == 0


def test_flicker_by_hand() -> None:
    truth = film((60, 10, 10), (60, 10, 25), (60, 10, 10))
    twice = film((60, 10, -5), (60, 10, 25), (60, 10, -5))
    grey = film((60, 0, 0), (60, 0, 0), (60, 0, 0))
    assert flicker(truth, truth) == 1
    assert flicker(twice, truth) == pytest.approx(2, abs=0.1)
    assert flicker(grey, truth) == 0


def test_flicker_counts_pixels_that_are_static_in_the_truth() -> None:
    truth = film((60, 10, 10), (60, 10, 14))
    truth[1, :, :3] = frame(20, 0, 0)[:, :3]
    result = film((60, 10, 10), (60, 10, 14))
    result[1, :, 3:] = frame(40, 10, 14)[:, 3:]
    expected = np.hypot(*(ab(frame(40, 10, 14)) - ab(result[0])))
    true_change = np.hypot(*(ab(frame(60, 10, 14)) - ab(truth[0])))
    assert flicker(result, truth) == pytest.approx(expected / true_change)


def test_flicker_of_a_truth_without_change_is_refused() -> None:
    with pytest.raises(UsageError, match="do not change"):
        flicker(NOISE[:2], np.stack([NOISE[0]] * 2))


def expected_cdc(frames: np.ndarray) -> float:
    """By definition, with SciPy's distance, whose square is the divergence."""
    distance = pytest.importorskip("scipy.spatial.distance").jensenshannon
    rows = [[np.bincount(f[..., c].ravel(), minlength=256) for c in range(3)] for f in frames]
    means = []
    for step in (s for s in CDC_STEPS if s < len(rows)):
        pairs = zip(rows, rows[step:], strict=False)
        means.append(np.mean([distance(p[c], q[c]) ** 2 for p, q in pairs for c in range(3)]))
    return float(np.mean(means))


@pytest.mark.parametrize("length", [2, 3, 4, 5, 7])
def test_cdc_is_scipys(length: int) -> None:
    assert cdc(NOISE[:length]) == pytest.approx(expected_cdc(NOISE[:length]))


def test_cdc_agrees_with_relative_entropies() -> None:
    entropy = pytest.importorskip("scipy.stats").entropy
    counts = [np.bincount(f[..., 0].ravel(), minlength=256) / f[..., 0].size for f in NOISE[:2]]
    mean = sum(counts) / 2
    grey = np.repeat(NOISE[:2, ..., :1], 3, axis=-1)
    assert cdc(grey) == pytest.approx(sum(entropy(p, mean) for p in counts) / 2)


def test_cdc_by_hand() -> None:
    # Histograms without a common level are ln 2 apart. Red swaps each frame: 1 apart it differs
    # in one channel of three, 2 and 4 apart not at all.
    colours = np.array([[200, 0, 0], [100, 0, 0]] * 3, np.uint8)
    swapping = np.broadcast_to(colours[:, None, None], (6, 5, 5, 3))
    assert cdc(swapping) == pytest.approx(np.log(2) / 3 / 3)


def test_films_may_be_generators() -> None:
    def read() -> Iterator[np.ndarray]:
        yield from NOISE

    def lights() -> Iterator[np.ndarray]:
        for each in NOISE:
            yield rgb_to_lab(each / 255.0)[..., 0]

    assert cdc(read()) == cdc(NOISE)
    assert static_ab_change(read(), 50) == static_ab_change(NOISE, 50)
    assert static_ab_change(read(), 50, lights()) == static_ab_change(NOISE, 50)
    assert flicker(read(), read(), 50) == 1


def test_what_cannot_be_measured_is_said() -> None:
    for metric in (static_ab_change, cdc):
        with pytest.raises(UsageError, match="two frames or more"):
            metric(NOISE[:1])
        with pytest.raises(UsageError, match="uint8"):
            metric(NOISE / 255)
        with pytest.raises(UsageError, match="another is"):
            metric([NOISE[0], NOISE[1, :5]])
    with pytest.raises(UsageError, match="No pixel"):
        static_ab_change(film((60, 10, 10), (20, 10, 10)))
    with pytest.raises(UsageError, match="above 0"):
        static_ab_change(NOISE, 0)
    with pytest.raises(UsageError, match="number of their frames"):
        flicker(NOISE[:3], NOISE)
    with pytest.raises(UsageError, match="one size"):
        flicker(NOISE[:, :5], NOISE)
    with pytest.raises(UsageError, match="one size"):
        static_ab_change(NOISE, L=np.zeros((7, 3, 3)))
