"""How a coloured film becomes a GIF: one palette of 256 colours, times in hundredths of a second.

One palette serves the whole film: what rests keeps its colours from frame to frame and across
segments, and what does not change is not stored again, which a palette per scene or per segment
would undo. Floyd and Steinberg's error diffusion keeps skies from banding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext

from tintype.errors import UnwritableFilm
from tintype.video.decoding import Timing
from tintype.video.encoding import delay_of, translated
from tintype.video.planes import rgb_of
from tintype.video.probe import Film

HUNDREDTH = Fraction(1, 100)

_MOST = 100  # frames per second that have times of their own
_SHOWN = 50  # frames per second; players show faster ones at 10
_LOOPS = re.compile(rb"\x21\xff\x0bNETSCAPE2\.0\x03\x01(..)", re.DOTALL)
_HEAD_BYTES = 1 << 16
_USE = "dither=floyd_steinberg:diff_mode=rectangle"
_COMMENT, _END = b"\x21\xfe", b"\x00\x3b"  # GIF89a, sections 24 and 27
_LONGEST_PIECE = 255


def refuse_rate(film: Film) -> None:
    """Stop before any work where frames would fall on the same hundredth of a second.

    Raises:
        UnwritableFilm: more than a hundred frames per second.
    """
    if film.rate > _MOST:
        raise UnwritableFilm(
            f"A GIF holds at most {_MOST} frames a second; {film.source} has {float(film.rate):g}."
        )


def slow_players(film: Film) -> str | None:
    """What the user should know of a film with short frames."""
    if film.rate <= _SHOWN:
        return None
    return f"Players show a GIF of more than {_SHOWN} frames a second slowly; write a film instead."


def write_gif(
    film: Film, segments: list[Path], target: Path, part: Path, timing: Timing, mark: str | None
) -> None:
    """Write a GIF, whole or not at all.

    Args:
        film: the source.
        segments: its coloured frames, lossless, in order.
        target: the output; replaced when it exists.
        part: where it is until it is whole; on the same disk.
        timing: of the source.
        mark: the comment; None writes none.

    Raises:
        UnwritableFilm: the disk is full, or a segment is damaged.
    """
    palette = _palette(film, segments)
    options = {"loop": str(_loops(film.source)), "final_delay": str(round(timing.last_s * 100))}
    with translated(target):
        with av.open(str(part), "w", format="gif", container_options=options) as output:
            stream = cast(av.VideoStream, output.add_stream("gif", rate=_MOST))
            stream.height, stream.width = _turned_size(film)
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = HUNDREDTH
            for frame in _indexed(film, segments, palette):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        if mark is not None:
            _append_comment(part, mark)
        part.replace(target)


def _palette(film: Film, segments: list[Path]) -> av.VideoFrame:
    graph = Graph()
    entry, leave = _source(graph, film), graph.add("buffersink")
    graph.link_nodes(entry, graph.add("palettegen"), leave).configure()
    for frame in _rgb_frames(film, segments):
        entry.push(frame)
    entry.push(None)
    return cast(av.VideoFrame, leave.pull())


def _indexed(film: Film, segments: list[Path], palette: av.VideoFrame) -> Iterator[av.VideoFrame]:
    """The frames as places in the palette."""
    graph = Graph()
    entry, leave = _source(graph, film), graph.add("buffersink")
    colours = graph.add("buffer", "video_size=16x16:pix_fmt=bgra:time_base=1/100")
    use = graph.add("paletteuse", _USE)
    entry.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(leave)
    graph.configure()
    palette.pts, palette.time_base = 0, HUNDREDTH
    colours.push(palette)
    colours.push(None)
    for frame in _rgb_frames(film, segments):
        entry.push(frame)
        yield from _ready(leave)
    entry.push(None)
    yield from _ready(leave)


def _source(graph: Graph, film: Film) -> FilterContext:
    height, width = _turned_size(film)
    return graph.add("buffer", f"video_size={width}x{height}:pix_fmt=rgb24:time_base=1/100")


def _ready(leave: FilterContext) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield cast(av.VideoFrame, leave.pull())
        except (av.BlockingIOError, av.EOFError):
            return


def _turned_size(film: Film) -> tuple[int, int]:
    height, width = film.size
    return (width, height) if film.rotation % 180 else (height, width)


def _rgb_frames(film: Film, segments: list[Path]) -> Iterator[av.VideoFrame]:
    """The film's frames, upright, in RGB, at times in hundredths of a second from 0."""
    first: int | None = None
    for segment in segments:
        with av.open(str(segment)) as container:
            for frame in container.decode(video=0):
                shown = Fraction(frame.pts or 0) * Fraction(frame.time_base or 1) / film.time_base
                time = round(shown) - delay_of(film)
                first = time if first is None else first
                upright = np.rot90(rgb_of(frame, film.signal), film.rotation // 90)
                rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(upright), "rgb24")
                rgb.pts = round((time - first) * film.time_base / HUNDREDTH)
                rgb.time_base = HUNDREDTH
                yield rgb


def _loops(source: str) -> int:
    """How often the source is repeated, as FFmpeg counts: 0 for ever, -1 not at all."""
    path = Path(source)
    if path.suffix.lower() != ".gif" or not path.is_file():
        return 0
    with path.open("rb") as file:
        found = _LOOPS.search(file.read(_HEAD_BYTES))
    return int.from_bytes(found[1], "little") if found else -1


def _append_comment(path: Path, text: str) -> None:
    """Put a comment before the end of a GIF; FFmpeg writes none."""
    content = text.encode("ascii", "replace")[:_LONGEST_PIECE]
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(_COMMENT + bytes([len(content)]) + content + _END)
