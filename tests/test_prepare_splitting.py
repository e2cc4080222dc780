"""Sides by content hash: stable when sources come and go, exact counts, balanced."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.errors import TrainingError, UsageError
from tintype.training.prepare.splitting import NOT_TAKEN, Split, choose, position_of, rank_of


class Choice(NamedTuple):
    """What ``choose`` gives."""

    side: np.ndarray
    lent: np.ndarray


def positions(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(count)


def split_of(text: str, position: np.ndarray, strata: np.ndarray | None = None) -> Choice:
    kinds = np.zeros(len(position), np.int64) if strata is None else strata
    own = np.full(len(position), NOT_TAKEN)
    return Choice(*choose(Split.parse(text), position, kinds, own))


def counts(split: str, choice: Choice) -> dict[str, int]:
    names = Split.parse(split).names
    return {name: int((choice.side == index).sum()) for index, name in enumerate(names)}


def changed(before: Choice, after: Choice) -> np.ndarray:
    """Which of the first pictures are on another side now, and were not just left out."""
    now = after.side[: len(before.side)]
    return (before.side != NOT_TAKEN) & (now != NOT_TAKEN) & (now != before.side)


def test_shares_are_stretches_of_the_line() -> None:
    position = np.array([0, 0.09, 0.11, 0.29, 0.31, 0.999999])
    assert split_of("val=0.2,test=0.1,train=0.7", position).side.tolist() == [0, 0, 1, 1, 1, 2]
    assert split_of("train=rest,val=0.2", position).side.tolist() == [0, 0, 0, 0, 0, 1]
    some = split_of("train=0.1,val=0.2", position)
    assert some.side.tolist() == [0, 0, 1, 1, NOT_TAKEN, NOT_TAKEN]
    thirds = np.linspace(0, 1, 1000, endpoint=False)
    assert (split_of("a=0.3,b=0.6,c=.1", thirds).side != NOT_TAKEN).all()


@pytest.mark.parametrize(
    "text",
    [
        *("", "train", "train=", "train=0", "train=x", "train=-1", "=3", "a/b=3", "train=1e3"),
        *("train=0.9,train=0.1", "train=0.9,val=100", "train=rest,val=100", "a=rest,b=rest"),
        *("train=nan", "train=1.5", "train=0.9,,val=0.1", "train=1,000"),
    ],
)
def test_splits_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError, match="should be written like"):
        Split.parse(text)


@pytest.mark.parametrize("text", ["a=0.9,b=0.2", "a=rest,b=1.0", "a=rest,b=0.5,c=0.5"])
def test_shares_beyond_the_whole(text: str) -> None:
    with pytest.raises(UsageError, match="exceeds 1"):
        Split.parse(text)


@pytest.mark.parametrize("spare", [0, 1, 5, 40, 1000])
@pytest.mark.parametrize("split", ["train=30,val=10,test=1", "a=1,b=1", "one=7", "a=3,b=5,c=7,d=9"])
def test_counts_are_exact_however_few_there_are(split: str, spare: int) -> None:
    parsed = Split.parse(split)
    wanted = dict(zip(parsed.names, parsed.counts, strict=True))
    for seed in range(20):
        choice = split_of(split, positions(sum(filter(None, wanted.values())) + spare, seed))
        assert counts(split, choice) == wanted


def test_too_few_pictures_end_in_a_sentence() -> None:
    with pytest.raises(TrainingError, match=r"38 pictures can be used, and .* is 2 short"):
        split_of("train=30,val=10", positions(38, 0))


def test_lowest_hashes_come_first_within_a_stretch() -> None:
    position = positions(1000, 1)
    choice = split_of("train=300,val=100", position)
    home = Split.parse("train=300,val=100").home(position)
    for index in (0, 1):
        mine = position[home == index]
        taken = position[choice.side == index]
        assert taken.max() <= np.sort(mine)[len(taken) - 1]
    assert not choice.lent.any()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 12),
    st.integers(1, 30),
    st.integers(0, 10**6),
)
def test_with_two_sides_no_picture_ever_changes_when_others_come(
    first: int, second: int, spare: int, more: int, seed: int
) -> None:
    split = f"train={first},val={second}"
    position = positions(first + second + spare + more, seed)
    before = split_of(split, position[: first + second + spare])
    assert not changed(before, split_of(split, position)).any()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=3, max_size=5), st.integers(0, 40), st.integers(0, 999))
def test_with_more_sides_only_lent_pictures_can_change(
    wanted: list[int], more: int, seed: int
) -> None:
    split = ",".join(f"side{index}={count}" for index, count in enumerate(wanted))
    position = positions(sum(wanted) + 20 + more, seed)
    before, after = split_of(split, position[: sum(wanted) + 20]), split_of(split, position)
    moved = np.flatnonzero(changed(before, after))
    assert (before.lent | after.lent[: len(before.lent)])[moved].all()


def test_with_a_few_more_pictures_than_asked_for_none_is_lent() -> None:
    split = "train=3000,val=1000,test=100"
    lent = [split_of(split, positions(4450, seed)).lent.any() for seed in range(50)]
    assert sum(lent) <= 2


def test_shares_never_lend_and_never_change() -> None:
    position = positions(500, 3)
    before, after = (split_of("train=0.8,val=0.1", position[:n]) for n in (200, 500))
    assert not before.lent.any()
    assert (after.side[:200] == before.side).all()


def test_balanced_counts_take_the_rarest_whole() -> None:
    strata = np.repeat([0, 1, 2], [500, 300, 8])
    choice = split_of("train=100", positions(808, 0), strata)
    assert np.bincount(strata[choice.side == 0]).tolist() == [46, 46, 8]
    choice = split_of("train=60,val=20", positions(808, 0), strata)
    for index, count in ((0, 60), (1, 20)):
        kinds = np.bincount(strata[choice.side == index])
        assert kinds.sum() == count
        assert abs(int(kinds[0]) - int(kinds[1])) <= 1


def test_balanced_shares_are_cut_to_the_rarest() -> None:
    strata = np.repeat([4, 5, 7], [500, 300, 50])
    choice = split_of("train=0.5,val=0.5", positions(850, 0), strata)
    for index in (0, 1):
        kinds = np.bincount(strata[choice.side == index])[[4, 5, 7]]
        assert len(set(kinds.tolist())) == 1
    assert (choice.side[strata == 7] != NOT_TAKEN).all()


def test_a_sets_own_side_wins_and_is_not_lent() -> None:
    position = positions(40, 0)
    own = np.full(40, NOT_TAKEN)
    own[:10] = 1
    zeros = np.zeros(40, np.int64)
    side, _ = choose(Split.parse("train=25,val=10"), position, zeros, own)
    assert (side[:10] != 0).all()
    assert [int((side == i).sum()) for i in (0, 1)] == [25, 10]
    with pytest.raises(TrainingError, match="train"):
        choose(Split.parse("train=31,val=5"), position, zeros, own)


def test_sides_of_lists_are_added_and_no_hash_leads_there() -> None:
    split = Split.parse("train=0.9,val=0.1").with_sides({"val", "test"})
    assert split.names == ("train", "val", "test")
    assert set(split.home(positions(1000, 0)).tolist()) == {0, 1}
    assert (split.index("test"), split.index("nothing")) == (2, NOT_TAKEN)


def test_position_and_rank_are_spread_and_independent() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (4000, 32), np.uint8)
    position, rank = position_of(digests), rank_of(digests).astype(np.float64) / 2**64
    for each in (position, rank):
        assert np.abs(np.histogram(each, 10, (0, 1))[0] - 400).max() < 80
    assert abs(np.corrcoef(position, rank)[0, 1]) < 0.05
    extremes = np.stack([np.zeros(32, np.uint8), np.full(32, 255, np.uint8)])
    assert position_of(extremes).tolist() == [0, 1 - 2.0**-53]
