"""How finished segments and the source's other streams become one film.

Sound, subtitles, chapters, attachments and metadata are copied packet by packet; only the picture
is new.
"""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from tintype.errors import UnwritableFilm
from tintype.video.encoding import (
    FIELD_ORDERS,
    container_format,
    delay_of,
    stored_range,
    translated,
)
from tintype.video.names import PLAYLIST, is_sequence
from tintype.video.probe import Film, OtherStream, opened, picture_of, space_of

_OWN_METADATA = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_COPIED_TAGS = ("title", "handler_name", "name", "filename", "mimetype")
_FRAGILE_DATA = "data"
_ROOMY = (".mkv", ".mov", ".avi")  # what to advise where another container holds less
_TRANSPORTED = frozenset(
    ("aac", "aac_latm", "mp1", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus", "s302m")
) | {"dvb_subtitle", "dvb_teletext"}
"""What an MPEG transport stream holds beside the picture; FFmpeg writes the rest unnamed."""

Timed = tuple[Fraction, "av.Packet[Stream]"]
"""A packet and when it is decoded, in seconds."""


def unsupported_streams(film: Film, target: Path) -> list[OtherStream]:
    """The streams that the container of an output cannot hold.

    Raises:
        UnreadableFilm: the source cannot be opened.
    """
    losses = []
    with opened(film.source) as source:
        for other in film.others:
            if not _takes(target, source.streams[other.index]):
                losses.append(other)
    return losses


def _takes(target: Path, stream: Stream) -> bool:
    """Whether a container holds a stream; some say no only when they begin."""
    trial = av.open(io.BytesIO(), "w", format=container_format(target))
    if add_copy(trial, stream, target) is None:
        return False
    # A playlist would begin its first piece, and attachments alone are no film.
    if target.suffix.lower() == PLAYLIST or stream.type == "attachment":
        return True
    try:
        trial.start_encoding()
        trial.close()
    except (ValueError, av.FFmpegError):
        return False
    return True


def add_copy(output: OutputContainer, stream: Stream, target: Path) -> Stream | None:
    """Add a stream like that of the source; None when the container cannot hold it."""
    suffix = target.suffix.lower()
    if suffix in (".gif", ".mpg", ".mpeg") and stream.type != "audio":
        return None
    if stream.type == _FRAGILE_DATA or (stream.type == "attachment" and suffix != ".mkv"):
        return None
    if suffix in (".ts", ".m3u8") and stream.codec_context.codec.canonical_name not in _TRANSPORTED:
        return None
    try:
        copy = output.add_stream_from_template(stream, opaque=True)
    except (ValueError, av.FFmpegError):
        return None
    copy.disposition = Disposition(stream.disposition)
    if stream.language:
        copy.metadata["language"] = stream.language
    copy.metadata.update({k: v for k, v in stream.metadata.items() if k in _COPIED_TAGS})
    return copy


def join_film(
    film: Film,
    segments: list[Path],
    target: Path,
    part: Path,
    left_out: Sequence[OtherStream],
    mark: str | None,
) -> None:
    """Write the output, whole or not at all.

    Args:
        film: the source.
        segments: the picture, in order.
        target: the output; replaced when it exists.
        part: where it is until it is whole; on the same disk.
        left_out: streams that are not copied.
        mark: who made the colours, for the comment; None leaves the comment as it was.

    Raises:
        UnwritableFilm: the disk is full, or the container refuses a stream.
    """
    with translated(target), opened(film.source) as source:
        # FFmpeg asks for the largest header before it knows the sound: the index goes first.
        options = {"movflags": "+faststart"} if target.suffix.lower() in (".mp4", ".m4v") else {}
        with av.open(str(part), "w", format=container_format(target), options=options) as output:
            copy_description(source, output, mark)
            picture = add_picture(output, segments[0], film)
            skipped = {other.index for other in left_out}
            copies = {
                stream.index: copy
                for stream in source.streams
                if stream.index in {o.index for o in film.others} - skipped
                and (copy := add_copy(output, stream, target)) is not None
            }
            streams = [picture_packets(segments, picture, film, last=_last_length(film))]
            if copies:
                streams.append(copied_packets(source, copies))
            for _, packet in heapq.merge(*streams, key=lambda timed: timed[0]):
                output.mux_one(packet)
        part.replace(target)


def comment_of(mark: str) -> str:
    """What a film's comment says of its colours."""
    return f"Colours by {mark}: guesses, not a record."


def copy_description(source: InputContainer, output: OutputContainer, mark: str | None) -> None:
    """Copy metadata and chapters.

    Args:
        source: open.
        output: not yet begun.
        mark: who made the colours, for the comment; None leaves the comment as it was.
    """
    kept = {k: v for k, v in source.metadata.items() if k not in _OWN_METADATA}
    if mark is not None:
        name = next((name for name in kept if name.lower() == "comment"), "comment")
        said = comment_of(mark)
        kept[name] = f"{kept[name]} | {said}" if kept.get(name) else said
    output.metadata.update(kept)
    chapters = source.chapters()
    if chapters:
        output.set_chapters(chapters)


def add_picture(output: OutputContainer, segment: Path, film: Film) -> Stream:
    """Add the stream of the coloured picture, as a segment has it and the film describes it."""
    with av.open(str(segment)) as first:
        template = first.streams.video[0]
        picture = output.add_stream_from_template(template, opaque=True)
        # AVI knows no times but the numbers of frames; finer ones would be frames that are empty.
        picture.time_base = 1 / film.rate if output.format.name == "avi" else film.time_base
        context = picture.codec_context
        context.color_range = stored_range(template.codec_context.name, film)
        context.colorspace = space_of(film.signal.matrix)
        context.sample_aspect_ratio = film.aspect
        context.framerate = film.rate
        context.field_order = FIELD_ORDERS[film.field_order]
        if film.rotation:
            picture.set_display_rotation(film.rotation)
    picture.metadata.update(_picture_metadata(film))
    return picture


def _picture_metadata(film: Film) -> dict[str, str]:
    with opened(film.source) as source:
        stream = picture_of(source, film.source)
        tags = {k: v for k, v in stream.metadata.items() if k in _COPIED_TAGS or k == "timecode"}
        return tags | ({"language": stream.language} if stream.language else {})


def picture_packets(
    segments: list[Path], picture: Stream, film: Film, *, last: int = 0, delay: int | None = None
) -> Iterator[Timed]:
    """The packets of all segments with decoding times that never fall.

    The encoder of a segment knows nothing of the one before, so its first decoding times may lie
    before the last ones there. A packet is decoded when the packet ``delay`` places earlier in
    the order of showing is shown, where ``delay`` is the deepest reordering of any segment.

    Args:
        segments: in order.
        picture: the stream that they are written to.
        film: the source.
        last: how long the last frame is shown, in the film's units; 0: as long as the one before.
        delay: where not all segments are known yet, a reordering that none exceeds.
    """
    orders = [[_time(packet, film) for packet in _packets(segment)] for segment in segments]
    if delay is None:
        delay = max(_reordering(times) for times in orders)
    shown = [time for times in orders for time in sorted(times)]
    step = max(1, shown[-1] - shown[-2]) if len(shown) > 1 else 1
    decoded = [shown[0] - (delay - i) * step for i in range(delay)] + shown
    following = dict(pairwise([*shown, shown[-1] + (last or step)]))
    for dts, packet in zip(decoded, chain.from_iterable(map(_packets, segments)), strict=False):
        packet.pts, packet.dts = _time(packet, film), dts
        packet.duration = following[packet.pts] - packet.pts
        packet.time_base = film.time_base
        packet.stream = picture
        yield dts * film.time_base, packet


def _last_length(film: Film) -> int:
    """How long the last frame is shown, in the film's units; 0 where the film does not say."""
    if is_sequence(film.source) or film.duration_s is None:
        return 0
    with suppress(av.FFmpegError), opened(film.source) as source:
        source.seek(int(film.duration_s * av.time_base))
        packets = source.demux(picture_of(source, film.source))
        told = [(p.pts, p.duration) for p in packets if p.pts is not None]
        return max(told, default=(0, 0))[1] or 0
    return 0


def _packets(segment: Path) -> Iterator[av.Packet[Stream]]:
    with av.open(str(segment)) as part:
        yield from (packet for packet in part.demux(0) if packet.size)


def _time(packet: av.Packet[Stream], film: Film) -> int:
    """When a packet is shown, in the film's units."""
    time = Fraction(packet.pts or 0) * packet.time_base / film.time_base
    return round(time) - delay_of(film)


def _reordering(times: list[int]) -> int:
    """How many places a packet is at most decoded before it is shown."""
    rank = {time: place for place, time in enumerate(sorted(times))}
    return max((place - rank[time] for place, time in enumerate(times)), default=0)


def copied_packets(source: InputContainer, copies: dict[int, Stream]) -> Iterator[Timed]:
    """The packets of the streams that are copied, by their number in the source, in order."""
    last = Fraction(-(10**9))
    chosen = [source.streams[index] for index in copies]
    for packet in source.demux(chosen):
        if packet.size == 0 and packet.dts is None:
            continue
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            last = max(last, Fraction(time) * packet.time_base)
        packet.stream = copies[packet.stream_index]
        yield last, packet


def refuse_losses(film: Film, target: Path, losses: Sequence[OtherStream]) -> None:
    """Stop before any work when a stream would be lost.

    Raises:
        UnwritableFilm: naming the streams.
    """
    if losses:
        names = " and ".join(str(loss) for loss in losses)
        suffixes = (suffix for suffix in _ROOMY if suffix != target.suffix.lower())
        fitting = (s for s in suffixes if not unsupported_streams(film, target.with_suffix(s)))
        other = next((f"Write a {suffix}, or leave" for suffix in fitting), "Leave")
        raise UnwritableFilm(
            f'A "{target.suffix}" cannot hold {names} of {film.source}. {other} them out with '
            "--drop-unsupported."
        )
