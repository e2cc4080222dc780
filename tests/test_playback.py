"""The clock of the live view, with time that the test lets pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tintype.desktop.playback import LATE_S, PATIENCE_S, ROOM, STALE_S, Meter, Playback

MS = 0.001
TOLERANCE = 2 * MS


@dataclass
class Screening:
    """A film shown by a network and a decoder that take a known time for each frame."""

    playback: Playback[float]
    times: Sequence[float]
    cost: float
    decode: float = 0.0
    first_cost: float | None = None
    carrying: float | None = None  # what a frame costs that the network does not see
    blind: tuple[float, float] = (0.0, 0.0)  # when nobody looks at the screen
    shown: list[tuple[float, float]] = field(default_factory=list)  # (clock, time of the frame)
    predicted: list[float] = field(default_factory=list)
    most_waiting: int = 0

    def run(self, until: float) -> Screening:
        """Let the clock go in steps of a millisecond."""
        left, waiting = list(self.times), 0
        free, painting, seen, step = 0.0, None, True, 0
        while (now := step * MS) < until:
            step += 1
            if painting is not None and now >= free:
                self.playback.add(painting, painting, now, seen)
                waiting += 1
                painting = None
            while painting is None and self.playback.room and self._decoded(len(left), now):
                time = left.pop(0)
                if self.playback.wants(time, now):
                    first = len(left) == len(self.times) - 1 and self.first_cost
                    seen = self.carrying is None or self.playback.affords(now)
                    self.predicted += [now] if seen else []
                    cost = self.cost if seen else self.carrying or 0.0
                    painting, free = time, now + (first or cost)
            self.most_waiting = max(self.most_waiting, waiting)
            if not self.blind[0] <= now < self.blind[1]:
                dropped = self.playback.dropped
                frame = self.playback.take(now)
                if frame is not None:
                    self.shown.append((now, frame))
                    waiting -= 1 + self.playback.dropped - dropped
        return self

    def _decoded(self, left: int, now: float) -> bool:
        return left > 0 and now >= (len(self.times) - left) * self.decode

    def lateness(self) -> list[float]:
        """How late each frame was, by the clock that the first one started."""
        start = self.shown[0][0]
        return [clock - start - time for clock, time in self.shown]


def at_rate(rate: float, seconds: float) -> list[float]:
    return [number / rate for number in range(round(rate * seconds))]


def test_a_fast_network_waits_and_shows_every_frame_at_its_time() -> None:
    film = Screening(Playback(), at_rate(25, 4), cost=0.005).run(5)
    assert [time for _, time in film.shown] == film.times
    assert film.playback.dropped == 0
    assert max(map(abs, film.lateness())) <= TOLERANCE
    assert film.most_waiting == ROOM


def test_frames_of_uneven_length_keep_their_times() -> None:
    times = [0, 0.04, 0.05, 0.6, 0.61, 1.5, 1.9]
    film = Screening(Playback(), times, cost=0.005).run(3)
    assert [time for _, time in film.shown] == times
    assert max(map(abs, film.lateness())) <= TOLERANCE


@pytest.mark.parametrize("cost", [0.06, 0.15, 0.7])
def test_a_slow_network_drops_frames_and_does_not_lag(cost: float) -> None:
    film = Screening(Playback(), at_rate(25, 20), cost).run(20)
    frames = 20 / cost
    assert 0.85 * frames <= len(film.shown) <= frames + 1
    # The second frame is coloured before anyone knows what a frame costs.
    assert max(film.lateness()[2:]) <= LATE_S + TOLERANCE
    assert [time for _, time in film.shown] == sorted({time for _, time in film.shown})
    assert len(film.shown) + film.playback.dropped >= 20 * 25 - ROOM - cost * 25 - 1


@pytest.mark.parametrize("cost", [0.06, 0.12, 0.2])
def test_where_time_is_short_the_network_sees_fewer_frames(cost: float) -> None:
    film = Screening(Playback(), at_rate(25, 20), cost, carrying=0.01).run(20)
    assert len(film.shown) >= 0.95 * 20 * 25
    assert max(film.lateness()[2:]) <= LATE_S + TOLERANCE
    gaps = [b - a for a, b in pairwise(film.predicted)]
    assert max(gaps) <= STALE_S + 2 * cost
    assert len(film.predicted) >= 0.7 * 20 * (1 - 0.25) / cost  # what carrying leaves of the time


def test_a_network_that_is_quick_enough_sees_every_frame() -> None:
    film = Screening(Playback(), at_rate(25, 4), cost=0.03, carrying=0.01).run(5)
    assert len(film.predicted) == len(film.shown) == 100


def test_of_a_camera_the_network_sees_what_half_of_the_time_allows() -> None:
    times = at_rate(30, 10)
    playback: Playback[float] = Playback(None)
    now, predicted, painted = 0.0, 0, 0
    while now < 10:
        now = next((time for time in times if time >= now), 10)  # the newest frame
        assert playback.wants(now, now)
        seen = playback.affords(now)
        now += 0.1 if seen else 0.01
        playback.add(now, now, now, seen)
        predicted, painted = predicted + seen, painted + 1
    assert 0.3 * 10 / 0.1 <= predicted <= 0.5 * 10 / 0.1 + 1
    assert painted >= 150


def test_the_first_frame_may_be_slow() -> None:
    film = Screening(Playback(), at_rate(25, 2), cost=0.005, first_cost=0.8).run(4)
    assert film.playback.dropped == 0
    assert max(map(abs, film.lateness())) <= TOLERANCE


@pytest.mark.parametrize("pace", [0.5, 2.0])
def test_a_film_plays_at_another_pace(pace: float) -> None:
    film = Screening(Playback(pace), at_rate(25, 2), cost=0.001).run(6)
    assert len(film.shown) == 50
    clocks = [clock - film.shown[0][0] for clock, _ in film.shown]
    assert clocks == pytest.approx([time / pace for time in film.times], abs=TOLERANCE)


def test_after_the_window_was_held_up_the_film_is_where_it_belongs() -> None:
    film = Screening(Playback(), at_rate(25, 8), cost=0.005, blind=(2, 5)).run(8)
    after = [
        late for (clock, _), late in zip(film.shown, film.lateness(), strict=True) if clock > 5
    ]
    assert min(after[1:]) >= -TOLERANCE
    assert max(after[1:]) <= LATE_S
    assert 60 <= film.playback.dropped <= 80
    assert film.most_waiting == ROOM


@pytest.mark.parametrize("decode", [0.05, 0.1])
def test_a_film_that_cannot_be_read_fast_enough_plays_slower(decode: float) -> None:
    film = Screening(Playback(), at_rate(25, 60), cost=0.005, decode=decode).run(20)
    gaps = [b - a for (a, _), (b, _) in pairwise(film.shown)]
    assert max(gaps) <= PATIENCE_S + decode + LATE_S
    assert max(gaps[len(gaps) // 3 :]) <= 2 * decode  # once that is known, every frame is shown
    assert len(film.shown) >= 0.9 * 20 / decode


def test_a_slow_network_does_not_slow_the_film_where_frames_take_long_to_leave_out() -> None:
    film = Screening(Playback(), at_rate(25, 60), cost=3.0, decode=0.012).run(40)
    assert max(film.lateness()[2:]) <= LATE_S + TOLERANCE
    assert len(film.shown) >= 9


def test_of_a_camera_the_newest_frame_is_shown_at_once() -> None:
    playback: Playback[str] = Playback(None)
    assert playback.empty
    assert playback.take(0) is None
    for name, time in (("a", 7.0), ("b", 7.1), ("c", 99.0)):
        assert playback.room
        assert playback.wants(time, 0.5)
        playback.add(name, time, 0.5)
    assert playback.wait_s(0.5) == 0
    assert playback.take(0.5) == "c"
    assert playback.take(0.5) is None
    assert playback.dropped == 2


def test_the_wait_is_that_for_the_next_frame() -> None:
    playback: Playback[str] = Playback()
    for number, name in enumerate("ab"):
        assert playback.wants(number * 0.04, 10)
        playback.add(name, number * 0.04, 10)
    assert playback.take(10) == "a"
    assert playback.wait_s(10.01) == pytest.approx(0.03)
    assert not playback.empty
    assert playback.take(10.039) is None
    assert playback.take(10.041) == "b"
    assert 0 < playback.wait_s(10.05) <= 0.05


def test_the_meter_measures_the_last_two_seconds() -> None:
    meter = Meter()
    assert meter.rate(0) == 0
    for number in range(100):
        meter.add(number / 10)
    for number in range(100):
        meter.add(10 + number / 40)
    assert meter.rate(12.5) == pytest.approx(40)
    assert meter.rate(20) == 0
    assert meter.count == 200
