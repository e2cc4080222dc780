"""Which frame is shown when, and which frames are dropped: a clock without threads or windows.

A film keeps its own time. Frames that are ready early wait until they are due; frames that would
be ready too late are not coloured at all, so that a slow network costs smoothness and never time.
Where time is short, the network sees fewer frames before any is dropped.
Only a film that cannot be decoded as fast as it plays is shown slower.
Of a camera only the newest frame counts. Times are seconds of any clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")

ROOM = 6
"""Coloured frames that wait at most."""

LATE_S = 0.1
"""A frame may be shown so late and is still coloured."""

PATIENCE_S = 0.5
"""After so long without a frame it is judged whether dropping frames gains time."""

STALE_S = 0.7
"""Colours are carried along for so long at most."""

_REMEMBERED = 5  # frames
_ASLEEP_S = 0.01  # how long to wait for a frame that nobody knows the time of
_WINDOW_S = 2.0


class Playback(Generic[Item]):
    """The clock of one film or camera.

    For each decoded frame, while there is :attr:`room`, ask :meth:`wants`; colour the frame if so
    and give it to :meth:`add`. Whoever shows frames calls :meth:`take` whenever it can.

    Args:
        pace: how many seconds of the film pass in one second; None shows the newest frame at
            once, whatever its time.
    """

    def __init__(self, pace: float | None = 1.0) -> None:
        self.dropped = 0
        self._pace = pace
        self._waiting: deque[tuple[float, Item]] = deque()
        self._zero_s: float | None = None  # when time 0 of the film is, or would have been, shown
        self._begun = 0.0, 0.0  # when the frame in work was begun, and its time
        # Of frames that the network did not see, and of those that it saw.
        self._costs_s = deque[float](maxlen=_REMEMBERED), deque[float](maxlen=_REMEMBERED)
        self._predicted_s = 0.0
        self._drop_s: tuple[float, float] | None = None  # since when frames are dropped; how late
        self._slowly_read = False

    @property
    def room(self) -> bool:
        """Whether another frame may be coloured now."""
        return self._pace is None or len(self._waiting) < ROOM

    @property
    def empty(self) -> bool:
        """Whether no frame waits to be shown."""
        return not self._waiting

    def wants(self, time_s: float, now_s: float) -> bool:
        """Whether a frame is to be coloured; one that is not counts as dropped.

        Args:
            time_s: of the frame, in the film.
            now_s: the clock.
        """
        late_s = self._lateness(time_s, now_s + _median(self._costs_s[0] or self._costs_s[1]))
        if late_s > LATE_S:
            if self._catches_up(late_s, now_s):
                self.dropped += 1
                return False
            self._zero_s = (self._zero_s or 0.0) + late_s  # the film's clock gives way
        elif late_s < -LATE_S:
            self._slowly_read = False
        self._drop_s = None
        self._begun = now_s, time_s
        return True

    def affords(self, now_s: float) -> bool:
        """Whether the network may see the frame that was wanted last.

        It may when the frame is not late then, and every :data:`STALE_S` in any case; otherwise
        colours are carried along from the frame before, which is much quicker.

        Args:
            now_s: the clock.
        """
        cost_s, since_s = _median(self._costs_s[1]), now_s - self._predicted_s
        if self._pace is None:
            return since_s >= cost_s  # of a camera, the network takes half of the time at most
        begun_s, time_s = self._begun
        return self._lateness(time_s, begun_s + cost_s) <= 0 or since_s > STALE_S

    def _catches_up(self, late_s: float, now_s: float) -> bool:
        """Whether it helps to leave out a late frame.

        It does not when frames are decoded no faster than they are shown.
        """
        if self._slowly_read:
            return False
        if self._drop_s is None:
            self._drop_s = now_s, late_s
        since_s, before_s = self._drop_s
        if now_s - since_s >= PATIENCE_S:
            self._slowly_read = before_s - late_s < (now_s - since_s) / 2
            self._drop_s = now_s, late_s
        return not self._slowly_read

    def add(self, item: Item, time_s: float, now_s: float, predicted: bool = True) -> None:
        """Take a coloured frame; the first starts the clock.

        Args:
            item: the frame that :meth:`wants` was last asked for.
            time_s: its time in the film.
            now_s: the clock.
            predicted: whether the network has seen it.
        """
        if self._pace is None:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        if self._zero_s is None:  # what the first frame cost, no other will
            self._zero_s = now_s - time_s / (self._pace or 1)
        else:
            self._costs_s[predicted].append(now_s - self._begun[0])
        if predicted:
            self._predicted_s = now_s
        self._waiting.append((time_s, item))

    def take(self, now_s: float) -> Item | None:
        """The newest frame that is due; those before it that nobody took are dropped."""
        newest: Item | None = None
        while self._waiting and self._lateness(self._waiting[0][0], now_s) >= 0:
            self.dropped += newest is not None
            newest = self._waiting.popleft()[1]
        return newest

    def wait_s(self, now_s: float) -> float:
        """How long until the next :meth:`take` can give a frame, as far as is known."""
        if not self._waiting:
            return _ASLEEP_S
        return max(0.0, -self._lateness(self._waiting[0][0], now_s))

    def _lateness(self, time_s: float, now_s: float) -> float:
        """How long ago a frame was due; negative before."""
        if self._pace is None or self._zero_s is None:
            return 0.0
        return now_s - self._zero_s - time_s / self._pace


def _median(costs_s: deque[float]) -> float:
    """The middle one, as machines hiccup; 0 of none."""
    return sorted(costs_s)[(len(costs_s) - 1) // 2] if costs_s else 0.0


class Meter:
    """Frames per second, measured over the last two seconds."""

    def __init__(self) -> None:
        self.count = 0
        self._times: deque[float] = deque()

    def add(self, now_s: float) -> None:
        """Count a frame."""
        self.count += 1
        self._times.append(now_s)
        self._forget(now_s)

    def rate(self, now_s: float) -> float:
        """Frames per second; 0 when nothing has come for two seconds."""
        self._forget(now_s)
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    def _forget(self, now_s: float) -> None:
        while self._times and self._times[0] < now_s - _WINDOW_S:
            self._times.popleft()
