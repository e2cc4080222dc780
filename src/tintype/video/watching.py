"""A film that can be watched while it is made: its finished segments as pieces of HLS."""

from __future__ import annotations

import heapq
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream

from tintype.video.encoding import translated
from tintype.video.joining import (
    Timed,
    add_copy,
    add_picture,
    copied_packets,
    picture_packets,
)
from tintype.video.names import PLAYLIST
from tintype.video.probe import Film, opened
from tintype.video.segments import finished_segment

WATCHED_CODECS = ("libx264",)
"""Encoders whose films browsers play in pieces."""

_PIECE_S = 4
_REORDERED = 3  # frames of x264 at the most, at every preset up to "medium"
_LATER_S = 10  # no timestamp may be negative, and pictures are decoded before they are shown


class Watching:
    """Pieces of a film and their playlist, which grows as segments are finished.

    The picture is copied from the segments and the sound from the source; nothing is encoded again.

    Args:
        film: the source.
        parts: the folder of its finished segments.
        folder: where the playlist (``index.m3u8``) and its pieces go; made anew.

    Raises:
        UnwritableFilm: the folder cannot be written.
    """

    def __init__(self, film: Film, parts: Path, folder: Path) -> None:
        self._film, self._parts, self._folder = film, parts, folder
        self._next = 0
        self._output: av.container.OutputContainer | None = None
        self._source: InputContainer | None = None

    def update(self) -> None:
        """Add what has been finished since.

        Raises:
            UnwritableFilm: the disk is full.
        """
        while (segment := finished_segment(self._parts, self._next)) is not None:
            self._add(segment)
            self._next += 1

    def _add(self, segment: Path) -> None:
        with translated(self._folder):
            if self._output is None:
                self._open(segment)
            picture = list(picture_packets([segment], self._picture, self._film, delay=_REORDERED))
            end = max(time for time, _ in picture)
            sound = self._sound_until(end)
            for _, packet in heapq.merge(picture, sound, key=lambda timed: timed[0]):
                self._mux(packet)

    def _open(self, segment: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            old.unlink()
        options = {
            "hls_time": str(_PIECE_S),
            "hls_list_size": "0",
            "hls_playlist_type": "event",
            "hls_flags": "independent_segments+temp_file",
            "hls_segment_filename": f"{self._folder}/%06d.ts".replace("%%", "%"),
        }
        playlist = self._folder / f"index{PLAYLIST}"
        self._output = av.open(str(playlist), "w", format="hls", container_options=options)
        self._picture = add_picture(self._output, segment, self._film)
        self._opening = opened(self._film.source)
        self._source = self._opening.__enter__()
        self._copies: dict[int, Stream] = {}
        for other in self._film.others:
            copy = add_copy(self._output, self._source.streams[other.index], playlist)
            if copy is not None and other.kind == "audio":
                self._copies[other.index] = copy
        self._waiting = copied_packets(self._source, self._copies) if self._copies else iter(())
        self._held: list[Timed] = []

    def _sound_until(self, end: Fraction) -> list[Timed]:
        """The sound that goes with the picture up to a time in seconds."""
        early = [timed for timed in self._held if timed[0] < end]
        self._held = [timed for timed in self._held if timed[0] >= end]
        if self._held:
            return early
        for timed in self._waiting:
            if timed[0] >= end:
                self._held.append(timed)
                break
            early.append(timed)
        return early

    def _mux(self, packet: av.Packet[Stream]) -> None:
        """Write a packet, later by what keeps every timestamp above zero."""
        assert self._output is not None
        delay = round(_LATER_S / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + delay
        packet.dts = None if packet.dts is None else packet.dts + delay
        self._output.mux_one(packet)

    def close(self) -> None:
        """Finish the playlist: the film is whole."""
        if self._output is None:
            return
        with translated(self._folder):
            for _, packet in self._sound_until(Fraction(10**9)):
                self._mux(packet)
            self._output.close()
        with suppress(av.FFmpegError):
            self._opening.__exit__(None, None, None)
