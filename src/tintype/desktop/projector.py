"""How frames become coloured pictures beside the window: decoding and the network in threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

import av

from tintype.desktop.camera import Reel
from tintype.desktop.pictures import Printer, Shown
from tintype.desktop.playback import Playback
from tintype.desktop.recording import Recorder
from tintype.engine import Colorizer, Options
from tintype.video.painting import Painted, painted_frames
from tintype.video.stages import ahead

Item = TypeVar("Item")
Clock = Callable[[], float]

_AHEAD = 4  # decoded frames that wait for the network
_PATIENCE_S = 5.0


class Newest(Generic[Item]):
    """The newest of the items that another thread makes; those that nobody took are left out.

    An error of the iterator is raised after the last item. Nobody waits for the thread, since a
    camera may be silent for long: once closed, it ends at its next item.

    Args:
        items: what is made; used by the other thread only.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self.missed = 0
        self._items = items
        self._changed = threading.Condition()
        self._held: Item | None = None
        self._over = False
        self._failure: BaseException | None = None
        threading.Thread(target=self._work, name="tintype-camera", daemon=True).start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._held is not None or self._over)
            item, self._held = self._held, None
        if item is not None:
            return item
        if self._failure is not None:
            raise self._failure
        raise StopIteration

    def close(self) -> None:
        """End, for whoever waits as well; any thread may do so."""
        with self._changed:
            self._over = True
            self._held = None
            self._changed.notify()

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:
            self._failure = error
        with self._changed:
            self._over = True
            self._changed.notify()

    def _put(self, item: Item) -> bool:
        with self._changed:
            if self._over:
                return False
            self.missed += self._held is not None
            self._held = item
            self._changed.notify()
            return True


class Projector:
    """Colours a reel in a thread of its own, and gives each frame when it is due.

    Args:
        reel: what is shown.
        colorizer: a loaded model.
        options: strength and working size.
        steady: as of ``FilmOptions``.
        size: (height, width) of the shown pictures.
        pace: seconds of film that pass in a second; of no account for a live reel.
        clock: in seconds.
    """

    def __init__(
        self,
        reel: Reel,
        colorizer: Colorizer,
        options: Options,
        steady: float,
        size: tuple[int, int],
        pace: float = 1.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self.predicted = 0
        self.wanted_rate = None if reel.live else float(reel.film.rate) * pace
        self.recorder: Recorder | None = None
        self._reel, self._colorizer, self._options = reel, colorizer, options
        self._steady, self._clock = steady, clock
        self._printer = Printer(reel.film, size)
        self._playback: Playback[Shown] = Playback(None if reel.live else pace)
        self._changed = threading.Condition()
        self._stopped = self._finished = False
        self._newest: Newest[av.VideoFrame] | None = None
        self._first_pts: int | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="tintype-live", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._reel.live:
            self._newest = Newest(self._reel.frames)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames that were not shown, because there was no time for them."""
        return self._playback.dropped + (self._newest.missed if self._newest else 0)

    def take(self) -> Shown | None:
        """The frame to be shown now; None when the one before stays.

        Raises:
            UnreadableFilm, ModelInvalid: what stopped the work, when all before it is shown.
        """
        with self._changed:
            frame = self._playback.take(self._clock())
            if frame is not None:
                self._changed.notify()
            elif self._failure is not None and self._playback.empty:
                raise self._failure
            return frame

    @property
    def ended(self) -> bool:
        """Whether all has been shown."""
        return self._finished and self._playback.empty

    def wait_s(self) -> float:
        """How long until there may be another frame."""
        with self._changed:
            return self._playback.wait_s(self._clock())

    def close(self) -> None:
        """Stop, and wait for the network's last frame."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._newest is not None:
            self._newest.close()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def _work(self) -> None:
        reel = self._reel
        try:
            with closing(self._newest or ahead(reel.frames, _AHEAD)) as frames:
                chosen = self._chosen(frames)
                painted = painted_frames(
                    *(self._colorizer, reel.film, chosen, self._options, self._steady),
                    affords=self._affords,
                )
                for each in painted:
                    self._show(each)
        except BaseException as error:
            self._failure = error
        self._finished = True

    def _chosen(self, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The frames that there is time for."""
        for frame in frames:
            with self._changed:
                self._changed.wait_for(lambda: self._playback.room or self._stopped)
                if self._stopped:
                    return
                wanted = self._playback.wants(self._time_s(frame), self._clock())
            if wanted:
                yield frame

    def _affords(self) -> bool:
        with self._changed:
            return self._playback.affords(self._clock())

    def _show(self, painted: Painted) -> None:
        self.predicted += painted.predicted
        frame, time_s = painted.frame, self._time_s(painted.frame)
        shown = Shown(frame, time_s, self._printer.colour(frame), self._printer.grey(frame))
        recorder = self.recorder
        if recorder is not None:
            recorder.add(frame, time_s)
        with self._changed:
            self._playback.add(shown, time_s, self._clock(), painted.predicted)

    def _time_s(self, frame: av.VideoFrame) -> float:
        """When a frame is shown, after the first."""
        pts = frame.pts or 0
        if self._first_pts is None:
            self._first_pts = pts
        return float((pts - self._first_pts) * self._reel.film.time_base)
