"""Small films for the tests: moving greys with known samples, sound, subtitles and chapters."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH = 48, 80


def grey(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A frame's Y' in [0, 1]: a light field with a dark ball that moves to the right."""
    rows, columns = np.mgrid[:height, :width]
    field = 0.35 + 0.4 * rows / height
    ball = np.hypot(rows - height / 2, columns - 8 - 1.5 * number) < height / 6
    return np.where(ball, 0.12, field)


def frame_of(
    values: np.ndarray, pixel_format: str, full: bool = False, chroma: float = 0.0
) -> av.VideoFrame:
    """A frame with this Y' (H, W) in [0, 1], chroma of this size."""
    height, width = values.shape
    frame = av.VideoFrame(width, height, pixel_format)
    depth = frame.format.components[0].bits
    kind = np.uint8 if depth <= 8 else np.uint16
    top, unit = 2**depth - 1, 2 ** (depth - 8)
    codes = values * top if full else (16 + 219 * values) * unit
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        if index == 0:
            rows[:, : plane.width] = np.rint(codes)
        else:  # one colour on the left, its opponent on the right
            half = plane.width // 2
            rows[:, :half] = (128 + 112 * chroma) * unit
            rows[:, half : plane.width] = (128 - 112 * chroma) * unit
    frame.color_range = 2 if full else 1
    return frame


def write_film(
    path: Path,
    frames: int = 12,
    *,
    rate: Fraction = Fraction(25),
    codec: str = "ffv1",
    pixel_format: str = "yuv420p",
    full: bool = False,
    colorspace: int = 2,
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    sound: bool = False,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    chroma: float = 0.0,
    moving: bool = True,
    options: dict[str, str] | None = None,
    **settings: object,
) -> Path:
    """Write a film of a moving ball; further settings are those of the picture's stream."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.time_base = time_base or 1 / rate
        context.color_range = 2 if full else 1
        context.colorspace = colorspace
        for name, value in settings.items():
            setattr(context, name, value)
        output.metadata["title"] = "A ball"
        heard = output.add_stream("aac", 16000) if sound else None
        for number in range(frames):
            frame = frame_of(grey(number if moving else 0, *size), pixel_format, full, chroma)
            frame.pts = number if times is None else times[number]
            frame.time_base = context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if heard is not None:
            seconds = frames / rate
            tone = np.sin(np.arange(int(16000 * seconds)) / 9).astype(np.float32)
            for start in range(0, len(tone), 1024):
                part = np.stack([tone[start : start + 1024]] * 2)
                note = av.AudioFrame.from_ndarray(part, "fltp", "stereo")
                note.sample_rate, note.pts = 16000, start
                note.time_base = Fraction(1, 16000)
                output.mux(heard.encode(note))
            output.mux(heard.encode(None))
    return path


def luma_planes(path: Path) -> list[np.ndarray]:
    """The Y planes of all frames, as they are stored."""
    planes = []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            kind = np.uint8 if frame.format.components[0].bits <= 8 else np.uint16
            rows = np.frombuffer(frame.planes[0], kind).reshape(frame.height, -1)
            planes.append(rows[:, : frame.width].copy())
    return planes


def packets(path: Path, kind: str) -> list[tuple[int | None, int | None, bytes]]:
    """pts, dts and content of all packets of the first stream of a kind."""
    with av.open(str(path)) as film:
        stream = next(s for s in film.streams if s.type == kind)
        return [(p.pts, p.dts, bytes(p)) for p in film.demux(stream) if p.size]
