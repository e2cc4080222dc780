"""How a coloured picture is written as it comes: to a file, standard output or a folder of pieces.

What is written can be played while it grows. There is no going back: an interrupted recording is
finished, not gone on with.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import PictureType

from tintype.errors import UnwritableFilm
from tintype.video.encoding import (
    Encoding,
    as_stored,
    configure,
    container_format,
    encoder_for,
    encoder_options,
    holds_any_rate,
    start,
    translated,
)
from tintype.video.joining import add_copy, comment_of, copy_description
from tintype.video.names import PLAYLIST
from tintype.video.probe import Film

_KEY_S = 2  # a player can begin at points so far apart
_PIECE_S = 4  # of a folder of pieces
_MOV = ("mp4", "mov")
_PIPE = Path("standard output")

# Encoders that look ahead keep the viewer waiting.
_PROMPT = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
}


class Recording:
    """An output that is written from beginning to end, sound and picture as they come.

    Args:
        target: a file, the playlist (``index.m3u8``) of a folder of pieces, or None for standard
            output, which gets Matroska.
        film: what is encoded.
        encoding: of the picture.
        mark: who made the colours; None: it is not said.
        source: the open film whose other streams and metadata are copied; None copies none.
        prompt: encode each frame as soon as it comes.
        keep: of a folder of pieces, so many are kept; 0 keeps all.

    Raises:
        UnwritableFilm: a container that needs to know the whole film, a codec that it does not
            take, or a disk that is full.
        UsageError: quality or speed for an encoder that has none.
    """

    def __init__(
        self,
        target: Path | None,
        film: Film,
        encoding: Encoding,
        mark: str | None = None,
        *,
        source: InputContainer | None = None,
        prompt: bool = False,
        keep: int = 0,
    ) -> None:
        self.target, self.sent_bytes, self.lost = target, 0, list[str]()
        self._told = target or _PIPE
        self._shape = target or _PIPE.with_suffix(".mkv")
        self._film, self._key = film, round(_KEY_S / film.time_base)
        self._next_key: int | None = None
        self._copies: dict[int, Stream] = {}
        self._last: dict[int, int] = {}
        self._lock, self._open = threading.Lock(), True
        if not holds_any_rate(self._shape):
            raise UnwritableFilm(
                f'A "{self._shape.suffix}" cannot be written as the film comes. Write a .mkv.'
            )
        encoder = encoder_for(self._shape, encoding)
        options = encoder_options(encoder, encoding, film)
        if encoder in ("libx264", "libx265"):
            options["forced-idr"] = "1"
        if prompt:
            options |= _PROMPT.get(encoder, {})
        try:
            with translated(self._told):
                self._begin(encoder, options, source, mark, keep)
        except BaseException:
            if target is not None:
                part_of(target).unlink(missing_ok=True)
            raise

    def _begin(
        self,
        encoder: str,
        options: dict[str, str],
        source: InputContainer | None,
        mark: str | None,
        keep: int,
    ) -> None:
        name, settings = _place(self.target, keep)
        kind = container_format(self._shape)
        self._output = av.open(name, "w", format=kind, container_options=settings)
        added = self._output.add_stream(encoder, rate=self._film.rate, options=options)
        self._picture = cast(av.VideoStream, added)
        self._encoder = encoder
        configure(self._picture, self._film, encoder)
        if self._film.rotation:
            self._picture.set_display_rotation(self._film.rotation)
        self._take_over(source, mark)
        start(self._output)

    def _take_over(self, source: InputContainer | None, mark: str | None) -> None:
        """Add the other streams, as far as the output holds them, and the metadata."""
        if source is None:
            self._output.metadata["comment"] = "" if mark is None else comment_of(mark)
            return
        copy_description(source, self._output, mark)
        for other in self._film.others:
            copy = add_copy(self._output, source.streams[other.index], self._shape)
            if copy is None:
                self.lost.append(str(other))
            else:
                self._copies[other.index] = copy

    def write(self, frame: av.VideoFrame) -> None:
        """Encode a frame.

        Raises:
            UnwritableFilm: the disk is full, or the encoder fails.
            BrokenPipeError: nobody reads standard output any more.
        """
        pts = frame.pts or 0
        key = self._next_key is None or pts >= self._next_key
        if key:
            self._next_key = pts + self._key
        frame.pict_type = PictureType.I if key else PictureType.NONE
        stored = as_stored(frame, self._encoder, self._film)
        stored.pict_type = frame.pict_type
        self._mux(self._picture.encode(stored))

    def copy(self, packet: av.Packet[Stream]) -> None:
        """Copy a packet of another stream; may be called by another thread.

        Raises:
            UnwritableFilm: the disk is full.
            BrokenPipeError: nobody reads standard output any more.
        """
        copy = self._copies.get(packet.stream_index)
        if copy is None or packet.dts is None:
            return
        last = self._last.get(packet.stream_index)
        if last is not None and packet.dts <= last:  # a source whose clock stumbled
            packet.dts = last + 1
            packet.pts = max(packet.pts or packet.dts, packet.dts)
        self._last[packet.stream_index] = packet.dts
        packet.stream = copy
        self._mux([packet])

    def _mux(self, packets: list[av.Packet[Stream]]) -> None:
        with self._lock, translated(self._told):
            if self._open:
                self.sent_bytes += sum(packet.size for packet in packets)
                self._output.mux(packets)

    def close(self) -> None:
        """Finish the output, so that it plays; remove it when nothing was written.

        Raises:
            UnwritableFilm: the disk is full.
            BrokenPipeError: nobody reads standard output any more.
        """
        if not self._open:
            return
        if self._next_key is None:
            self.abandon()
            return
        try:
            self._mux(self._picture.encode(None))
        finally:
            with self._lock, translated(self._told):
                self._open = False
                self._output.close()
        if self.target is not None and not _is_playlist(self.target):
            part_of(self.target).replace(self.target)

    def abandon(self) -> None:
        """Stop without a result."""
        with self._lock, suppress(av.FFmpegError, OSError):
            self._open = False
            self._output.close()
        if self.target is None:
            return
        part_of(self.target).unlink(missing_ok=True)
        if _is_playlist(self.target) and self.target.is_file():
            lines = self.target.read_text(encoding="utf-8").splitlines()
            for piece in (line for line in lines if line and not line.startswith("#")):
                (self.target.parent / piece).unlink(missing_ok=True)
            self.target.unlink()


def part_of(target: Path) -> Path:
    """Where a file is until it is finished; it can be played there."""
    return target.with_name(f"{target.name}.part")


def _is_playlist(target: Path) -> bool:
    return target.suffix.lower() == PLAYLIST


def _place(target: Path | None, keep: int) -> tuple[str, dict[str, str]]:
    """What FFmpeg opens, and the options of the container."""
    if target is None:
        return "pipe:1", {"flush_packets": "1", "cluster_time_limit": "500"}
    if not _is_playlist(target):
        # Fragments can be played after a power cut; at the end they become an ordinary file. A
        # header that waits for the first of them can say where sound and picture begin.
        fragments = {"movflags": "+hybrid_fragmented+delay_moov"}
        return str(part_of(target)), fragments if container_format(target) in _MOV else {}
    folder = str(target.parent).replace("%", "%%")
    flags = "independent_segments" + ("+delete_segments" if keep else "")
    settings = {
        "hls_time": str(_PIECE_S),
        "hls_list_size": str(keep),
        "hls_segment_filename": f"{folder}/%06d.ts",
        "hls_flags": flags,
    }
    return str(target), settings if keep else {**settings, "hls_playlist_type": "event"}
