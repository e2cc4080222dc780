"""How coloured frames become a film while they are shown: encoded beside everything else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from tintype.errors import TintypeError
from tintype.video.encoding import Encoding
from tintype.video.probe import Film
from tintype.video.recording import Recording

_MILLISECOND = Fraction(1, 1000)  # Matroska's own unit
_WAITING = 8  # frames


class Recorder:
    """Encodes frames in a thread of its own; what does not fit into its queue is left out.

    Args:
        path: where the film will be.
        film: what the frames are of.
        mark: what the metadata name as the maker of the colours.

    Attributes:
        lost: frames that came too fast.
        failure: what stopped it; None while all is well.

    Raises:
        UnwritableFilm: the encoder refuses the film, or the disk is full.
    """

    def __init__(self, path: Path, film: Film, mark: str) -> None:
        self.path, self.lost = path, 0
        self.failure: Exception | None = None
        self._waiting: queue.Queue[tuple[av.VideoFrame, float] | None] = queue.Queue(_WAITING)
        film = replace(film, time_base=_MILLISECOND)
        self._recording = Recording(path, film, Encoding(), mark)
        self._thread = threading.Thread(target=self._work, name="tintype-recorder", daemon=True)
        self._thread.start()

    def add(self, frame: av.VideoFrame, time_s: float) -> None:
        """Take a frame.

        Args:
            frame: coloured; its timestamp is changed.
            time_s: when it is shown; later than that of the frame before.
        """
        try:
            self._waiting.put_nowait((frame, time_s))
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            UnwritableFilm: the encoder failed, or the disk is full.
        """
        self._waiting.put(None)
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        items = iter(self._waiting.get, None)  # ends with close()
        try:
            self._encode(items)
            self._recording.close()
        except Exception as error:  # whatever it is, close() raises it and nobody waits for ever
            self.failure = error
            with suppress(TintypeError, OSError):
                self._recording.close()  # what there is can be played
            for _ in items:
                pass

    def _encode(self, items: Iterable[tuple[av.VideoFrame, float] | None]) -> None:
        first_s: float | None = None
        last = -1
        for frame, time_s in filter(None, items):
            first_s = time_s if first_s is None else first_s
            last = max(last + 1, round((time_s - first_s) / _MILLISECOND))
            frame.pts, frame.time_base = last, _MILLISECOND
            self._recording.write(frame)
