from __future__ import annotations

import numpy as np
import pytest

from tintype import color
from tintype.engine.view import draw_hints, pad, working_shape
from tintype.options import Hint


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((256, 256), (256, 256)),
        ((1, 1), (256, 256)),
        ((3000, 4000), (222, 296)),
        ((100, 10_000), (10, 1024)),
        ((10_000, 1), (1024, 1)),
    ],
)
def test_the_working_shape(size: tuple[int, int], shape: tuple[int, int]) -> None:
    assert working_shape(size, 256) == shape


def test_padding_repeats_the_edge() -> None:
    L = np.arange(33 * 40, dtype=np.float32).reshape(1, 1, 33, 40)
    padded = pad(L)
    assert padded.shape == (1, 1, 64, 64)
    np.testing.assert_array_equal(padded[..., :33, :40], L)
    assert (padded[0, 0, 40, 40:] == L[0, 0, -1, -1]).all()


def test_hints_are_drawn_as_discs() -> None:
    hints = (Hint(0, 0, "#ff0000", 0), Hint(64.5, 24.5, "#0000ff", 16))
    ab, mask = draw_hints(hints, (80, 120), (8, 12))
    assert mask[0, 0, 0, 0] == 1
    assert mask[0, 0].sum() == 1 + mask[0, 0, :, 3:].sum()
    rows, columns = np.nonzero(mask[0, 0, :, 3:])
    assert sorted(set(zip(rows, columns + 3, strict=True))) == [
        (row, column) for row in (1, 2, 3) for column in (5, 6, 7)
    ]
    blue = color.rgb_to_lab(np.array([0.0, 0, 1]))[1:]
    np.testing.assert_allclose(ab[0, :, 2, 6], blue, atol=1e-4)
    assert not ab[0, :, mask[0, 0] == 0].any()
