"""Simulated hints are spots of the true colours, and the guided network learns to follow them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tintype.training.objectives import Guided  # noqa: E402
from tintype.training.tasks.guided import simulated_hints  # noqa: E402


def flat(n: int = 400) -> torch.Tensor:
    """Pictures of one colour each."""
    colours = torch.rand(n, 2, 1, 1, generator=torch.manual_seed(0)) * 100 - 50
    return colours.expand(n, 2, 32, 48).contiguous()


def rngs(count: int, seed: int = 1) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, row)) for row in range(count)]


def test_hints_are_the_colours_below_them() -> None:
    ab = flat()
    hints, mask = simulated_hints(ab, Guided(), rngs(400))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(hints, ab * mask, atol=1e-4)


def test_a_hint_is_the_mean_of_its_patch() -> None:
    ab = torch.rand(1, 2, 16, 16, generator=torch.manual_seed(0)) * 100
    one = Guided(hint_stop=0.5, hint_sides=(5, 5), hint_spread=0.0, all_hints=0.0)
    for seed in range(20):
        hints, mask = simulated_hints(ab, one, rngs(1, seed))
        if mask.any():
            where = mask.expand_as(ab) > 0
            assert hints[where].reshape(2, 25).std(1).max() < 1e-4
            assert torch.allclose(
                hints[where].reshape(2, 25), ab[where].reshape(2, 25).mean(1)[:, None]
            )


def test_numbers_and_places_are_as_in_the_paper() -> None:
    points = Guided(hint_sides=(1, 1), hint_spread=0.1, all_hints=0.0)
    _, mask = simulated_hints(flat(2000), points, rngs(2000))
    counts = mask.sum((1, 2, 3))
    assert float((counts == 0).float().mean()) == pytest.approx(1 / 8, abs=0.03)
    rows, columns = (mask.sum(axes).squeeze() for axes in ((0, 3), (0, 2)))
    assert int(rows.argmax()) in range(13, 19)
    assert int(columns.argmax()) in range(21, 27)
    _, everything = simulated_hints(flat(2000), Guided(all_hints=0.2), rngs(2000))
    whole = everything.mean((1, 2, 3)) == 1
    assert float(whole.float().mean()) == pytest.approx(0.2, abs=0.03)
