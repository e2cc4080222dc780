"""Steady colours: motion is followed, cuts and damage are told apart, nothing of it is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tintype.errors import UsageError
from tintype.motion import STRIDE
from tintype.temporal import Steadier

HEIGHT, WIDTH = 96, 160
GRID = (HEIGHT // STRIDE, WIDTH // STRIDE)


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Smooth random lightness."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(10, 90, (height // 8 + 2, width // 8 + 2))
    rows, columns = np.mgrid[:height, :width] / 8
    r, c = rows.astype(int), columns.astype(int)
    y, x = rows - r, columns - c
    upper = coarse[r, c] * (1 - x) + coarse[r, c + 1] * x
    lower = coarse[r + 1, c] * (1 - x) + coarse[r + 1, c + 1] * x
    return (upper * (1 - y) + lower * y).astype(np.float32)


def noisy(ab: np.ndarray, rng: np.random.Generator, strength: float = 6.0) -> np.ndarray:
    """A prediction that flickers as a whole and in places."""
    coarse = rng.normal(0, strength, (2, 3, 5)).repeat(8, 1).repeat(8, 2)
    return (ab + coarse[:, : ab.shape[1], : ab.shape[2]]).astype(np.float32)


def run(frames: list[np.ndarray], truths: list[np.ndarray], steady: float) -> list[np.ndarray]:
    rng, steadier, shown = np.random.default_rng(0), Steadier(steady), []
    for L, truth in zip(frames, truths, strict=True):
        shown.append(steadier.settle(noisy(truth, rng) if steadier.look(L) else None))
    return shown


def flicker(shown: list[np.ndarray]) -> float:
    return float(np.mean([np.hypot(*(b - a)).mean() for a, b in pairwise(shown)]))


def test_without_steadiness_predictions_pass_as_they_are() -> None:
    L, steadier = texture(1), Steadier(0)
    for value in (1.0, -3.0):
        ab = np.full((2, *GRID), value, np.float32)
        assert steadier.look(L)
        assert (steadier.settle(ab) == ab).all()


def test_scenes_are_counted_when_every_frame_is_coloured_by_itself() -> None:
    steadier = Steadier(0)
    numbers = []
    for scene in (1, 1, 2, 2):
        assert steadier.look(texture(scene))
        assert steadier.lost
        guess = np.full((2, *GRID), scene, np.float32)
        assert (steadier.settle(guess) == scene).all()
        numbers.append(steadier.number)
    assert numbers == [0, 0, 1, 1]


def test_a_still_scene_is_steady_and_rarely_predicted() -> None:
    rng = np.random.default_rng(3)
    frames = [texture(1) + rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(40)]
    truths = [np.full((2, *GRID), 20, np.float32)] * 40
    wild, calm = run(frames, truths, 0), run(frames, truths, 0.85)
    assert flicker(calm) < 0.2 * flicker(wild)
    errors = [np.abs(shown[-1] - 20).mean() for shown in (calm, wild)]
    assert errors[0] < 0.6 * errors[1]
    steadier, wanted = Steadier(0.85), []
    for L, truth in zip(frames, truths, strict=True):
        wanted.append(steadier.look(L))
        steadier.settle(truth if wanted[-1] else None)
    assert wanted[0]
    assert sum(wanted) < 15


@pytest.mark.parametrize("step", [(0, 3), (2, -4), (5, 0)])
def test_colour_moves_with_the_picture(step: tuple[int, int]) -> None:
    down, right = step
    wide = texture(2, HEIGHT + 200, WIDTH + 200)
    colours = np.where(texture(5, HEIGHT + 200, WIDTH + 200) > 50, 40, -40).astype(np.float32)
    frames, truths = [], []
    for number in range(12):
        top, left = 100 + down * number, 100 + right * number
        frames.append(wide[top : top + HEIGHT, left : left + WIDTH])
        a = colours[top : top + HEIGHT, left : left + WIDTH]
        cells = a.reshape(GRID[0], STRIDE, GRID[1], STRIDE).mean((1, 3))
        truths.append(np.stack([cells, -cells]))
    steadier = Steadier(0.85)
    steadier.look(frames[0])
    steadier.settle(truths[0])
    for L, truth in zip(frames[1:5], truths[1:5], strict=True):
        steadier.look(L)
        carried = steadier.settle(None) if steadier.scene is not None else truth
        inner = np.s_[:, 6:-6, 6:-6]
        moved = np.abs(carried - truth)[inner].mean()
        stale = np.abs(truths[0] - truth)[inner].mean()
        assert moved < max(6.0, 0.6 * stale)


def test_no_ghost_after_a_cut() -> None:
    before, after = texture(1), texture(9)
    steadier = Steadier(0.85)
    for _ in range(10):
        steadier.settle(np.full((2, *GRID), 50, np.float32) if steadier.look(before) else None)
    assert steadier.look(after)
    shown = steadier.settle(np.full((2, *GRID), -30, np.float32))
    assert (shown == -30).all()


@pytest.mark.parametrize("damage", ["flash", "black", "other"])
def test_a_damaged_frame_does_not_end_the_scene(damage: str) -> None:
    scene = texture(1)
    damaged = {"flash": np.full_like(scene, 99), "black": np.zeros_like(scene), "other": texture(7)}
    steadier = Steadier(0.85)
    for _ in range(10):
        steadier.look(scene)
        steadier.settle(np.full((2, *GRID), 30, np.float32))
    steadier.look(damaged[damage])
    steadier.settle(np.full((2, *GRID), -60, np.float32))
    steadier.look(scene)
    again = steadier.settle(np.full((2, *GRID), 36, np.float32))
    assert np.abs(again - 30).max() < 2  # the long memory of the scene outweighs one prediction


def test_dust_is_coloured_anew_and_only_there() -> None:
    scene, steadier = texture(1), Steadier(0.85)
    for _ in range(10):
        steadier.look(scene)
        steadier.settle(np.full((2, *GRID), 30, np.float32))
    dusty = scene.copy()
    dusty[40:56, 80:96] = 99
    steadier.look(dusty)
    shown = steadier.settle(np.full((2, *GRID), 0, np.float32))
    assert np.abs(shown[:, 11:13, 21:23]).max() < 8
    assert np.abs(shown[:, :6] - 30).max() < 6


def test_breathing_brightness_is_no_change() -> None:
    scene, steadier = texture(1), Steadier(0.85)
    for number in range(12):
        steadier.look(scene * np.float32(1 + 0.12 * np.sin(number)))
        steadier.settle(np.full((2, *GRID), 30, np.float32))
    assert steadier.scene is not None
    assert np.median(steadier.scene.weight) > 3


def test_what_is_sure_counts_more() -> None:
    L, steadier = texture(1), Steadier(0.85)
    steadier.look(L)
    steadier.settle(np.full((2, *GRID), 0, np.float32), np.full(GRID, 0.1, np.float32))
    steadier.look(L)
    shown = steadier.settle(np.full((2, *GRID), 30, np.float32), np.full(GRID, 0.9, np.float32))
    assert shown.mean() > 25


def test_the_state_goes_on_exactly() -> None:
    rng = np.random.default_rng(5)
    frames = [
        np.roll(texture(1), 2 * n, 1) + rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
        for n in range(16)
    ]
    predictions = [rng.normal(0, 20, (2, *GRID)).astype(np.float32) for _ in frames]

    def go(steadier: Steadier, numbers: range) -> list[np.ndarray]:
        return [
            steadier.settle(predictions[n] if steadier.look(frames[n]) else None) for n in numbers
        ]

    whole = go(Steadier(0.7), range(16))
    first, second = Steadier(0.7), Steadier(0.7)
    go(first, range(9))
    second.restore(first.state())
    for ours, theirs in zip(go(second, range(9, 16)), whole[9:], strict=True):
        assert (ours == theirs).all()


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        Steadier(1.5)
    steadier = Steadier(0.5)
    with pytest.raises(UsageError, match="follows look"):
        steadier.settle(None)
    steadier.look(texture(1))
    with pytest.raises(UsageError, match="prediction"):
        steadier.settle(None)
    steadier.settle(np.zeros((2, *GRID), np.float32))
    with pytest.raises(UsageError, match="follows one"):
        steadier.look(texture(1)[:64])
