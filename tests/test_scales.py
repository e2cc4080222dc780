"""Views larger than a network knows."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from tintype import color
from tintype.engine import Colorizer
from tintype.engine.scales import known_shape
from tintype.images.resampling import resampled


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", device="cpu")


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """L (1, 1, 768, 960) of a photograph."""
    rgb = resampled(data.astronaut()[:410].astype(np.float32) / 255, (768, 960), (410, 512))
    return color.rgb_to_lab(rgb)[None, None, ..., 0].astype(np.float32)


def brought_to(planes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    picture = np.ascontiguousarray(planes.transpose(1, 2, 0))
    return resampled(picture, shape, picture.shape[:2]).transpose(2, 0, 1)


def test_colours_are_those_of_a_view_it_knows_and_edges_those_of_the_large_one(
    colorizer: Colorizer, large: np.ndarray
) -> None:
    known = (458, 572)
    assert known_shape(large.shape[2:], colorizer.working_size) == known
    small = brought_to(large[0], known)[None]
    coarse = colorizer.predict(small).ab[0]
    ab = colorizer.predict(large).ab[0]
    own = colorizer._session.run(large).ab[0]
    assert ab.shape == own.shape == (2, 192, 240)

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.linalg.norm(one - other, axis=0).mean())

    grid = (46, 57)
    away = apart(brought_to(own, grid), brought_to(coarse, grid))
    assert apart(brought_to(ab, grid), brought_to(coarse, grid)) < 0.2 * away
    assert away > 2

    def fine(planes: np.ndarray) -> np.ndarray:
        return planes - brought_to(brought_to(planes, coarse.shape[1:]), planes.shape[1:])

    assert apart(fine(ab), fine(own)) < 0.5 * apart(fine(own), np.zeros_like(own))


def test_hints_reach_both_views(colorizer: Colorizer, large: np.ndarray) -> None:
    hint_ab, mask = np.zeros((1, 2, *large.shape[2:]), np.float32), np.zeros_like(large)
    hint_ab[0, :, 604, 804], mask[0, 0, 604, 804] = (60, 40), 1
    plain = colorizer.predict(large).ab[0, :, 151, 201]
    hinted = colorizer.predict(large, hint_ab, mask).ab[0, :, 151, 201]
    assert np.linalg.norm(hinted - (60, 40)) < 0.5 * np.linalg.norm(plain - (60, 40))


def test_it_is_as_sure_as_of_what_it_knows(colorizer: Colorizer, large: np.ndarray) -> None:
    sure = colorizer.predict(large, confidence=True).confidence
    coarse = colorizer.predict(brought_to(large[0], (458, 572))[None], confidence=True).confidence
    assert sure is not None
    assert coarse is not None
    assert sure.shape == (1, 1, 192, 240)
    assert np.abs(brought_to(sure[0], coarse.shape[2:]) - coarse[0]).mean() < 0.02


@pytest.mark.parametrize("shape", [(512, 512), (300, 800), (120, 1900), (530, 530), (16, 16)])
def test_views_up_to_twice_the_own_size_are_seen_as_they_are(shape: tuple[int, int]) -> None:
    assert known_shape(shape, 256) is None
