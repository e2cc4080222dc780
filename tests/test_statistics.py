"""Bootstrap intervals against the textbook's."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.evaluation import statistics


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(10, 3, 400)
    figure = statistics.mean_figure(values, statistics.resamples(400))
    half = 1.96 * values.std(ddof=1) / 20
    assert figure.value == pytest.approx(values.mean())
    assert figure.low == pytest.approx(values.mean() - half, abs=0.04)
    assert figure.high == pytest.approx(values.mean() + half, abs=0.04)


def test_resamples_repeat_and_draw_as_many() -> None:
    weights = statistics.resamples(7)
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == statistics.resamples(7)).all()
    assert (weights != statistics.resamples(7, seed=1)).any()


def test_classes_without_pixels_do_not_count() -> None:
    sums = np.array([[10.0, 0, 6], [20, 0, 0]])
    counts = np.array([[1.0, 0, 2], [1, 0, 0]])
    figure = statistics.class_mean_figure(sums, counts, statistics.resamples(2))
    assert figure.value == (15 + 3) / 2
    assert np.isfinite([figure.low, figure.high]).all()


def test_one_picture_has_an_interval_of_no_width() -> None:
    figure = statistics.mean_figure(np.array([4.0]), statistics.resamples(1))
    assert (figure.low, figure.value, figure.high) == (4, 4, 4)
