"""How the coloured picture is encoded: codec by container, and everything the film says of itself.

One encoder writes one segment. Each begins anew, so that a film can be made in pieces and the
pieces are the same whether or not the work was interrupted.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.reformatter import ColorRange

from tintype.errors import UnwritableFilm, UsageError
from tintype.video.names import CODECS
from tintype.video.planes import is_rgb
from tintype.video.probe import Film, space_of

FORMATS = {
    **{".m4v": "mp4", ".mkv": "matroska", ".mpg": "mpeg", ".mpeg": "mpeg"},
    **{".ts": "mpegts", ".m3u8": "hls"},
}
"""FFmpeg's names of containers that are not called as their suffix."""

SHORT_NAMES = {
    "h264": "libx264",
    "x264": "libx264",
    "h265": "libx265",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "mpeg2": "mpeg2video",
}
"""What people call the encoders."""

_CRF = {"libx264": 18, "libx265": 20, "libsvtav1": 26, "libvpx-vp9": 24}
_PRESET = {"libx264": "veryfast", "libx265": "veryfast", "libsvtav1": "8"}
_EVEN_SIDES = ("libx264", "libx265")  # they take odd sides with full chroma only
_DELAY_S = 100
_TELEVISION = ("prores_ks", "prores", "mpeg2video", "mpeg4")  # cannot say that codes are full
_OWN_CLOCK = ("mpeg2video", "mpeg4")  # whose frames come at the rate that was told
FIELD_ORDERS = {"progressive": 1, "top field first": 2, "bottom field first": 3}
"""FFmpeg's numbers."""

_STEADY_RATE = (".avi", ".mpg", ".mpeg", ".gif")
"""Containers that know no timestamps of single frames."""


@dataclass(frozen=True)
class Encoding:
    """What the user can choose about the encoded picture.

    Attributes:
        codec: an encoder or its short name; None takes the container's usual one.
        crf: quality of lossy encoders, lower is better; None takes a good one for the codec.
        preset: speed of the encoder, by its own names; None takes a fast one.
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None


def encoder_for(target: Path, how: Encoding) -> str:
    """The name of the encoder for an output.

    Raises:
        UnwritableFilm: a suffix that is no film's, or a codec that the container does not take.
    """
    suffix = target.suffix.lower()
    if suffix not in CODECS:
        known = " ".join(CODECS)
        raise UnwritableFilm(f'A film cannot be written as "{suffix}"; known are {known}.')
    wanted = how.codec and SHORT_NAMES.get(how.codec.lower(), how.codec.lower())
    if wanted and wanted not in CODECS[suffix]:
        offered = ", ".join(CODECS[suffix])
        raise UnwritableFilm(
            f'"{suffix}" does not take the codec {how.codec}; it takes {offered}. '
            "A .mkv takes nearly all."
        )
    return wanted or CODECS[suffix][0]


def container_format(target: Path) -> str:
    """FFmpeg's name of the container for an output."""
    suffix = target.suffix.lower()
    return FORMATS.get(suffix, suffix[1:])


def holds_any_rate(target: Path) -> bool:
    """Whether the container gives each frame a time of its own."""
    return target.suffix.lower() not in _STEADY_RATE


def has_own_clock(encoder: str) -> bool:
    """Whether an encoder's frames come at the film's rate, whatever their times say."""
    return encoder in _OWN_CLOCK


def encoded_format(encoder: str, film: Film) -> str:
    """The pixel format that an encoder stores a film in.

    What comes in RGB has no chroma planes of its own to keep: lossy encoders store it in 4:2:0,
    which every player shows.

    Raises:
        UnwritableFilm: the encoder takes none that could hold the film.
    """
    wanted = film.signal.format
    if is_rgb(film.pixel_format) and encoder != "ffv1":
        wanted = wanted.replace("444", "420")
    return output_format(encoder, wanted, film.size)


def output_format(encoder: str, wanted: str, size: tuple[int, int] = (0, 0)) -> str:
    """The pixel format to encode in: the film's own, or the nearest that the encoder takes.

    Args:
        encoder: by FFmpeg's name.
        wanted: the film's own format.
        size: (height, width) of the film.

    Raises:
        UnwritableFilm: the encoder takes none that could hold the film.
    """
    offered = [f.name for f in av.Codec(encoder, "w").video_formats or ()]
    if encoder in _EVEN_SIDES and (size[1] % 2 or (size[0] % 2 and "420" in wanted)):
        wanted = wanted.replace("420", "444").replace("422", "444")
    if not offered or wanted in offered:
        return wanted
    base = wanted.split("p", 1)[0].replace("yuva", "yuv")
    deep = wanted.endswith("le")
    order = [wanted.replace("yuva", "yuv"), f"{base}p10le" if deep else f"{base}p"]
    order += [f"yuv422p{'10le' if deep else ''}", f"yuv444p{'10le' if deep else ''}"]
    order += ["yuv422p10le", "yuv420p10le" if deep else "yuv420p", "yuv420p", "rgb8"]
    for name in order:
        if name in offered:
            return name
    raise UnwritableFilm(f"The encoder {encoder} takes none of {', '.join(order)}.")


def encoder_options(encoder: str, how: Encoding, film: Film) -> dict[str, str]:
    """Options by the encoder's own names.

    Raises:
        UsageError: a quality or speed for an encoder that has none.
    """
    options: dict[str, str] = {}
    crf = how.crf if how.crf is not None else _CRF.get(encoder)
    if how.crf is not None and encoder not in _CRF:
        raise UsageError(f"The encoder {encoder} takes no crf.")
    if crf is not None:
        options["crf"] = str(crf)
    preset = how.preset or _PRESET.get(encoder)
    if how.preset and encoder not in _PRESET:
        raise UsageError(f"The encoder {encoder} takes no preset.")
    if preset:
        options["preset"] = preset
    if encoder == "libvpx-vp9":
        options |= {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
    if encoder == "mpeg2video":
        options |= {"qmin": "2", "qmax": "8", "b": "0"}
    if encoder == "libx264":
        options |= {"x264-params": ":".join(params)} if (params := list(_x264_params(film))) else {}
    if encoder == "libx265":
        options["x265-params"] = "log-level=error"
    return options


def segment_format(encoder: str) -> str:
    """The container of a segment: NUT, exact in its timestamps; QuickTime for what NUT refuses."""
    return "mov" if encoder == "prores_ks" else "nut"


def delay_of(film: Film) -> int:
    """What is added to the timestamps inside segments, where none may be negative."""
    return round(_DELAY_S / film.time_base)


class SegmentEncoder:
    """Encodes some successive frames into a file of their own.

    Args:
        path: the file, in the container of :func:`segment_format`.
        film: what is encoded.
        encoder: by FFmpeg's name.
        how: quality and speed.
        threads: of the encoder; 0 leaves it to the encoder.

    Raises:
        UnwritableFilm: the file cannot be made, or the encoder refuses the film.
        UsageError: as :func:`encoder_options`.
    """

    def __init__(
        self, path: Path, film: Film, encoder: str, how: Encoding, threads: int = 0
    ) -> None:
        self.path = path
        self._delay = delay_of(film)
        options = encoder_options(encoder, how, film)
        self._film, self._encoder = film, encoder
        with translated(path):
            self._container = av.open(str(path), "w", format=segment_format(encoder))
            self._stream = _begun(self._container, film, encoder, options, threads)

    def write(self, frame: av.VideoFrame) -> None:
        """Encode a frame.

        Raises:
            UnwritableFilm: the disk is full, or the encoder fails.
        """
        frame.pict_type = 0  # the source's kinds of frame are not the encoder's business
        frame.pts = (frame.pts or 0) + self._delay
        with translated(self.path):
            stored = as_stored(frame, self._encoder, self._film)
            self._container.mux(self._stream.encode(stored))

    def close(self) -> None:
        """Encode what is waiting and finish the file.

        Raises:
            UnwritableFilm: the disk is full, or the encoder fails.
        """
        with translated(self.path):
            self._container.mux(self._stream.encode(None))
            self._container.close()


def refuse_encoding(film: Film, target: Path, encoder: str, how: Encoding) -> None:
    """Open an encoder and close it again, so that what it refuses is known before any work.

    Raises:
        UnwritableFilm: it refuses the film, or what was chosen for it.
        UsageError: as :func:`encoder_options`.
    """
    options = encoder_options(encoder, how, film)
    try:
        with av.open(io.BytesIO(), "w", format=segment_format(encoder)) as trial:
            _begun(trial, film, encoder, options)
    except (av.FFmpegError, ValueError) as error:
        chosen = " ".join(f"{name} {value}" for name, value in options.items())
        raise UnwritableFilm(
            f"{target} cannot be written: the encoder {encoder} does not take the film with "
            f"{chosen or 'its usual options'}."
        ) from error


def _begun(
    output: OutputContainer, film: Film, encoder: str, options: dict[str, str], threads: int = 0
) -> av.VideoStream:
    """The picture of a segment, its encoder open."""
    stream = cast(av.VideoStream, output.add_stream(encoder, rate=film.rate, options=options))
    configure(stream, film, encoder, threads)
    start(output)
    return stream


def stored_range(encoder: str, film: Film) -> int:
    """FFmpeg's number of the range of the codes that an encoder, or its decoder, stores."""
    full = film.signal.full_range and encoder not in _TELEVISION
    return ColorRange.JPEG if full else ColorRange.MPEG


def as_stored(frame: av.VideoFrame, encoder: str, film: Film) -> av.VideoFrame:
    """A frame in the range that the encoder stores."""
    if not film.signal.full_range or encoder not in _TELEVISION:
        return frame
    made = frame.reformat(
        format=encoded_format(encoder, film),
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    made.pts, made.time_base = frame.pts, frame.time_base
    return made


def configure(stream: av.VideoStream, film: Film, encoder: str, threads: int = 0) -> None:
    """Tell an output's stream, just added, what a film looks like.

    Args:
        stream: of the coloured picture.
        film: what is encoded.
        encoder: the stream's, by FFmpeg's name.
        threads: of the encoder; 0 leaves it to the encoder.

    Raises:
        UnwritableFilm: the encoder takes no format that could hold the film.
    """
    context = stream.codec_context
    stream.height, stream.width = film.size
    stream.pix_fmt = encoded_format(encoder, film)
    context.time_base = 1 / film.rate if encoder in _OWN_CLOCK else film.time_base
    stream.time_base = context.time_base
    context.sample_aspect_ratio = film.aspect
    context.color_range = stored_range(encoder, film)
    context.colorspace = space_of(film.signal.matrix)
    context.thread_count = threads
    if film.field_order != "progressive":
        context.field_order = FIELD_ORDERS[film.field_order]
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
    if encoder == "mpeg2video":
        context.bit_rate = 0
        context.flags |= Flags.qscale
        context.global_quality = 2 * 118  # FF_QP2LAMBDA; 2 is the finest usual step


def start(container: OutputContainer) -> None:
    """Open the encoders of an output that has all its streams.

    SVT-AV1 does what its caller must undo: where it may, as root in a container, it makes the
    thread that opens it and 40 of its own run in real time before everything else on the machine,
    and it writes a page about itself to the terminal.

    Raises:
        av.FFmpegError: an encoder refuses what it was told.
    """
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    before = _schedules()
    container.start_encoding()
    for thread, now in _schedules().items():
        usual = before.get(thread, (os.SCHED_OTHER, 0))
        if now != usual:
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setscheduler(thread, usual[0], os.sched_param(usual[1]))


def _schedules() -> dict[int, tuple[int, int]]:
    """Each thread's policy and priority; nothing where SVT-AV1 changes nothing, but on Linux."""
    if sys.platform != "linux":
        return {}
    found = {}
    for thread in map(int, os.listdir("/proc/self/task")):
        with suppress(ProcessLookupError):
            found[thread] = (
                os.sched_getscheduler(thread),
                os.sched_getparam(thread).sched_priority,
            )
    return found


def _x264_params(film: Film) -> Iterator[str]:
    if film.field_order != "progressive":
        yield "tff=1" if film.field_order == "top field first" else "bff=1"
    # With AVX-512, x264's macroblock tree gives another film now and then; a segment that is made
    # again must be the same. A processor that has it has AVX2, too.
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    if any(name.startswith(("AVX512", "X86_V4")) for name in found):
        yield "asm=avx2"


class translated:  # noqa: N801
    """Turns errors of FFmpeg and of the disk into sentences."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, BrokenPipeError):
            return  # nobody reads any more, which every command ends with in silence
        if isinstance(error, av.FFmpegError | OSError | ValueError):
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise UnwritableFilm(f"The disk is full; {self.path} is not finished.") from error
            said = getattr(error, "strerror", None) or str(error)
            raise UnwritableFilm(f"{self.path} cannot be written: {said}.") from error
