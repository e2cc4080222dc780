"""How a stream is read once, from beginning to end: decoded in a thread, bounded, never seeking.

Frames of a live source that nobody has time for are dropped, the oldest first; any other source
waits. Packets of other streams are handed on as they come.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol, Self, TypeAlias

import av
from av.stream import Stream

from tintype.errors import TintypeError, UnreadableFilm
from tintype.video.decoding import HOPELESS, JUMP_S, in_order
from tintype.video.names import is_address
from tintype.video.probe import described, picture_of, reason_of

_AHEAD = 6  # frames that wait
_WAIT_S = 0.1
_LEAVE_S = 1.0  # for a thread that may be waiting for a silent network
_OPENING = 5000  # packets in which the first frame must be
_LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "rist", "mms")
_LIVE_FORMATS = ("mpjpeg", "hls", "rtsp", "sdp")

Packet: TypeAlias = "av.Packet[Stream]"
HandOn: TypeAlias = Callable[[Packet], None]


class Readable(Protocol):
    """A binary file that is read only, such as standard input."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...


class Feed:
    """A film that is read as it comes.

    Args:
        source: an address or a file's path, or what is read, such as standard input.
        silence_s: how long the network may be silent, in seconds.
        stop: set by the caller to end the reading.

    Attributes:
        film: what it is.
        live: whether it goes on whether or not somebody has the time.
        received_bytes: of all packets so far.
        dropped: frames that nobody had time for.
        damaged: packets that could not be decoded.
        failure: what ended it before its end; None while all is well.

    Raises:
        UnreadableFilm: it cannot be opened, or holds no moving picture.
    """

    def __init__(
        self, source: str | Readable, silence_s: float, stop: threading.Event | None = None
    ) -> None:
        self.name = source if isinstance(source, str) else "standard input"
        self.received_bytes = self.dropped = self.damaged = 0
        self.failure: BaseException | None = None
        self._silence_s = silence_s
        self._stop, self._closing = stop or threading.Event(), threading.Event()
        self._waiting: deque[av.VideoFrame] = deque()
        self._change = threading.Condition()
        self._ended = False
        self._thread: threading.Thread | None = None
        timeout = (silence_s, silence_s) if is_address(self.name) else None
        scheme = self.name.partition("://")[0] if is_address(self.name) else ""
        # Over UDP, which FFmpeg tries first, lost packets are torn pictures.
        options = {"rtsp_flags": "prefer_tcp"} if scheme.startswith("rtsp") else {}
        try:
            self.container = av.open(
                source, "r", options=options, timeout=timeout, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise UnreadableFilm(
                f"{self.name} cannot be opened as a film: {self._reason(error)}."
            ) from error
        try:
            self._begin(scheme)
        except BaseException:
            self.container.close()
            raise

    def _begin(self, scheme: str) -> None:
        """Read up to the first frame; nothing that comes before it is lost."""
        self._picture = picture_of(self.container, self.name)
        endless = not self.container.duration
        self.live = scheme in _LIVE or (endless and self.container.format.name in _LIVE_FORMATS)
        if self.live:
            self._picture.thread_type = "SLICE"  # threads that decode whole frames keep them longer
        self._packets = self.container.demux()
        self._held: list[Packet] = []
        self._first: list[av.VideoFrame] = []
        try:
            while not self._first:
                self._look_for_frame(next(self._packets))
        except StopIteration:
            pass
        except (av.FFmpegError, OSError) as error:
            raise UnreadableFilm(f"{self.name} cannot be read: {self._reason(error)}.") from error
        if not self._first:
            raise UnreadableFilm(f"{self.name} holds no frame that can be decoded.")
        first = self._first[0]
        self.film = described(self.container, self._picture, first, self.name)
        self._shift = -(first.pts or 0) * self.film.time_base
        self._latest = -self._shift

    def _look_for_frame(self, packet: Packet) -> None:
        if packet.stream.index == self._picture.index:  # a flush packet says 0
            self._first = self._decoded(packet)
        else:
            self._held.append(packet)
        if self.damaged > HOPELESS or len(self._held) > _OPENING:
            raise UnreadableFilm(f"{self.name} holds no frame that can be decoded.")

    def _decoded(self, packet: Packet) -> list[av.VideoFrame]:
        self.received_bytes += packet.size
        try:
            return [each for each in packet.decode() if isinstance(each, av.VideoFrame)]
        except av.FFmpegError:
            self.damaged += 1
            return []

    def start(self, hand_on: HandOn) -> None:
        """Begin to read on, in a thread.

        Args:
            hand_on: gets the packets of all other streams, in that thread.
        """
        self._hand_on = hand_on
        self._thread = threading.Thread(target=self._work, name="tintype-feed", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            for frame in in_order(self._frames(), self.film):
                if not self._put(frame):
                    break
        except BaseException as error:
            self.failure = error
        finally:
            self.container.close()
            with self._change:
                self._ended = True
                self._change.notify_all()

    def _frames(self) -> Iterator[av.VideoFrame]:
        for packet in self._held:
            self._pass(packet)
        yield from map(self._shifted, self._first)
        for packet in self._packets:
            if self._ends():
                return
            if packet.stream.index == self._picture.index:  # a flush packet says 0
                yield from map(self._shifted, self._decoded(packet))
            else:
                self._pass(packet)

    def _shifted(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame at its time after the beginning, also where the source's clock was set anew."""
        if frame.pts is None:
            return frame
        base, step = self.film.time_base, 1 / self.film.rate
        time = frame.pts * base
        if time < self._latest - JUMP_S:
            self._shift += self._latest + step - time
        self._latest = time
        frame.pts = round((time + self._shift) / base)
        return frame

    def _pass(self, packet: Packet) -> None:
        self.received_bytes += packet.size
        if packet.dts is None or not packet.time_base:
            return
        shift = round(self._shift / Fraction(packet.time_base))
        packet.dts += shift
        packet.pts = None if packet.pts is None else packet.pts + shift
        self._hand_on(packet)

    def _put(self, frame: av.VideoFrame) -> bool:
        with self._change:
            while len(self._waiting) >= _AHEAD and not self._ends():
                if self.live:
                    self._waiting.popleft()
                    self.dropped += 1
                else:
                    self._change.wait(_WAIT_S)
            self._waiting.append(frame)
            self._change.notify_all()
        return not self._ends()

    def frames(self) -> Iterator[av.VideoFrame]:
        """The frames, decoded, at times from 0 on, until the end or the wish to stop."""
        while True:
            with self._change:
                while not self._waiting:
                    if self._ended or self._ends():
                        return
                    self._change.wait(_WAIT_S)
                frame = self._waiting.popleft()
                self._change.notify_all()
            yield frame

    def _ends(self) -> bool:
        return self._stop.is_set() or self._closing.is_set()

    def raise_failure(self) -> None:
        """Say why the stream ended before its end, if it did.

        Raises:
            UnreadableFilm: it broke off.
            UnwritableFilm, BrokenPipeError: what was handed on could not be written.
        """
        if isinstance(self.failure, TintypeError | BrokenPipeError):
            raise self.failure
        if self.failure is not None:
            reason = self._reason(self.failure)
            raise UnreadableFilm(f"{self.name} broke off: {reason}.") from self.failure

    def close(self) -> None:
        """Stop reading; a thread that waits for a silent source ends with that or the program."""
        self._closing.set()
        if self._thread is None:
            self.container.close()
        else:
            self._thread.join(_LEAVE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, av.ExitError):  # how FFmpeg calls a wait that was given up
            return f"nothing came for {self._silence_s:g} s"
        return reason_of(error)
